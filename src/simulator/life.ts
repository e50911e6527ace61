import { announce, postVerdict } from './callbacks.ts';
import { finish, type Call } from './call.ts';
import { converse } from './conversation.ts';
import { verdictOn } from './machine-detection.ts';
import type { Network } from './network.ts';
import type { Person } from './people.ts';

/** Seconds between events, as people experience them. */
const SETUP = 0.4;
const UNTIL_RINGING = 1;
const UNTIL_BUSY = 0.5;
const UNTIL_PICKED_UP = 2.5;

/** Lets a call happen, from the head of the queue to its end. Never throws; ends early when the call is ended. */
export async function live(call: Call, network: Network): Promise<void> {
  try {
    await dial(call, network);
  } catch (error) {
    if (call.ended.signal.aborted) return;
    network.log(`call ${call.sid} broke: ${String(error)}`);
    finish(call, network, { status: 'failed', sip: 500 });
  }
}

async function dial(call: Call, network: Network): Promise<void> {
  const { signal } = call.ended;
  await network.pace.wait(SETUP, signal);
  const person = network.meet(call.order.to);
  call.startedAt = network.now();
  advance(call, network, 'initiated');
  await network.pace.wait(UNTIL_RINGING, signal);
  if (person.line === 'fails') return finish(call, network, { status: 'failed', sip: 404 });
  advance(call, network, 'ringing');
  if (person.line === 'busy') {
    await network.pace.wait(UNTIL_BUSY, signal);
    return finish(call, network, { status: 'busy', sip: 486 });
  }
  return await ring(call, network, person);
}

async function ring(call: Call, network: Network, person: Person): Promise<void> {
  const { signal } = call.ended;
  const { timeoutSeconds } = call.order;
  if (person.line === 'rings out' || timeoutSeconds < UNTIL_PICKED_UP) {
    await network.pace.wait(timeoutSeconds, signal);
    return finish(call, network, { status: 'no-answer', sip: 487 });
  }
  await network.pace.wait(UNTIL_PICKED_UP, signal);
  call.answeredMs = network.pace.moment();
  advance(call, network, 'in-progress');
  return await talk(call, network, person);
}

async function talk(call: Call, network: Network, person: Person): Promise<void> {
  void endAfter(call, network, () => (call.isTalking ? Infinity : person.staysSeconds));
  limitTime(call, network);
  const { detection } = call.order;
  if (detection) {
    const verdict = detect(call, network, person);
    if (!detection.isAsync) await verdict;
  }
  await converse(call, network, person);
  finish(call, network, { status: 'completed', sip: 200 });
}

/** Ends the call when its TimeLimit has passed. Call it again when an update changes the limit. */
export function limitTime(call: Call, network: Network): void {
  void endAfter(call, network, () => call.order.timeLimitSeconds);
}

/** Waits for the verdict and, in asynchronous detection, posts it. A call that ends first has none. */
async function detect(call: Call, network: Network, person: Person): Promise<void> {
  const { detection } = call.order;
  if (!detection) return;
  const verdict = verdictOn(person, detection);
  try {
    await network.pace.wait(verdict.afterSeconds, call.ended.signal);
  } catch {
    return;
  }
  call.verdict = verdict;
  if (detection.isAsync) await postVerdict(call, network, verdict);
}

/** The limit is read again when its time has come, because an update may have moved it. */
async function endAfter(call: Call, network: Network, limitSeconds: () => number): Promise<void> {
  const answeredMs = call.answeredMs ?? network.pace.moment();
  try {
    for (let left = limitSeconds(); left > 0; left = limitSeconds() - network.pace.secondsSince(answeredMs)) {
      await network.pace.wait(left, call.ended.signal);
    }
    finish(call, network, { status: 'completed', sip: 200 });
  } catch {
    // The call ended before.
  }
}

/** The resource knows no `initiated`: what is dialled but not yet ringing is shown as ringing. */
function advance(call: Call, network: Network, status: 'initiated' | 'ringing' | 'in-progress'): void {
  call.status = status === 'initiated' ? 'ringing' : status;
  call.updatedAt = network.now();
  announce(call, network, status);
}
