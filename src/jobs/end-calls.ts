import type { Attempts } from '../attempt.ts';
import type { Carrier } from '../carrier.ts';
import type { Clock } from '../clock.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import type { By } from '../domain/event.ts';
import { services, type Service } from '../domain/workspace.ts';
import type { OutcomeReport, Outcomes } from '../outcome.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';
import type { Where } from '../world/sql.ts';
import { followLog } from './follow-log.ts';

/** What ending calls needs. */
interface Tools {
  world: World;
  stream: Stream;
  attempts: Attempts;
  carrier: Pick<Carrier, 'leave'>;
  outcomes: Outcomes;
  clock: Clock;
  log: (line: string, error?: unknown) => void;
}

/** Why calls are ended, and which: those that an event leaves no right to go on. */
interface Ending {
  name: string;
  type: string;
  /** Which calls, given the event's entity. */
  of(entityId: string): Where;
  applies(call: Call): boolean;
  /** What is said first; null: nothing. Left out: never anything. */
  message?(world: World, call: Call): Promise<string | null>;
}

const machines: Ending = {
  name: 'hang-up-machines',
  type: 'call.machine_detected',
  of: (entityId) => ({ id: { eq: entityId } }),
  applies: (call) => call.answeredBy === 'MACHINE',
  message: messageTo,
};

const optedOut: Ending = {
  name: 'stop-ringing',
  type: 'contact.opted_out',
  of: (entityId) => ({ contactId: { eq: entityId }, status: { in: ['QUEUED', 'RINGING'] } }),
  applies: () => true,
};

/** The reactions by their names, each with the type of event that it is to. */
export const reactions: Record<string, string> = {
  [machines.name]: machines.type,
  [optedOut.name]: optedOut.type,
};

/**
 * Hangs up on machines, or leaves the message of the service there and nothing else: the greeting may name what only the
 * patient may hear (C-50). Whoever dies in between says it again from the beginning.
 */
export const hangUpMachines = (tools: Tools, signal: AbortSignal) => endCalls(tools, machines, signal);

/** Stops ringing at a number that has just opted out: that is honoured at once (C-27). */
export const stopRinging = (tools: Tools, signal: AbortSignal) => endCalls(tools, optedOut, signal);

/** A reaction to what is recorded, so that it happens also when the process that recorded it dies. */
function endCalls(tools: Tools, ending: Ending, signal: AbortSignal): Promise<void> {
  const { world, attempts, carrier, outcomes, clock, log } = tools;
  const { name, type: types, of, applies, message } = ending;
  const end = async (call: Call, by: By) => {
    const words = (await message?.(world, call)) ?? null;
    if (words === null) await attempts.endCall(call, by);
    else if ((await carrier.leave(call.sid!, words)) && !call.outcome)
      await outcomes.report(messageLeft(call, words, by.now), by);
  };
  const endFor = async ({ id, workspaceId, entityId }: Notice) => {
    const found = await world.find<Call>(calls.table, { workspaceId: { eq: workspaceId }, ...of(entityId) });
    for (const call of found.filter((open) => open.sid && !calls.isOver(open) && applies(open))) {
      const by = { workspaceId, actor: name, source: 'job' as const, now: clock.now(), causationId: id };
      await end(call, by).catch((error: unknown) =>
        log(`call ${call.id} could not be ended; it ends by its own limit`, error),
      );
    }
  };
  const react = async (notices: Notice[]) => {
    for (const notice of notices) await endFor(notice);
  };
  return followLog(tools, { name, types, react }, signal);
}

/** That a machine has been left its message, as an agent would tell it: told again it changes nothing. */
const messageLeft = ({ id }: Call, text: string, now: Date): OutcomeReport => ({
  callId: id,
  outcome: 'left_message',
  summary: 'Left a message on a machine.',
  answeredBy: 'MACHINE',
  transcript: [{ speaker: 'agent', text, at: now.toISOString() }],
  promises: [],
  facts: {},
  optOut: false,
});

/** What the service of a call leaves on a machine that has ended its announcement; null: nothing. */
async function messageTo(world: World, { workspaceId, id, serviceId }: Call): Promise<string | null> {
  const where = { workspaceId: { eq: workspaceId }, id: { eq: serviceId } };
  const [service, history] = await Promise.all([
    world.findOne<Service>(services, where),
    world.history(workspaceId, id),
  ]);
  const detected = history.find(({ type }) => type === machines.type);
  // A service that has changed since the dial: nobody waited for the beep.
  const { detail = '' } = (detected?.data ?? {}) as { detail?: string };
  return detail.startsWith('machine_end') ? (service?.machineMessage ?? null) : null;
}
