import { finish, type Call } from './call.ts';
import type { Network } from './network.ts';
import type { Act, Person } from './people.ts';

/** What the person hears. */
export interface Utterances {
  /** What was said since, once a turn is whole; null when nothing more will be. */
  next(): Promise<string | null>;
  close(): void;
}

/** The line that the person is on. */
interface LineOpen {
  readonly call: Call;
  readonly network: Network;
  readonly utterances: Utterances;
  /** Sends a message of ConversationRelay and waits until it has arrived. */
  tell(message: object): Promise<void>;
  readonly signal: AbortSignal;
}

/** Speech of about 1000 characters a minute. */
const SECONDS_PER_CHARACTER = 0.06;
/** Seconds from the last word to the hook. */
const UNTIL_HUNG_UP = 1;
const ASKS_BIRTH_DATE = /date of birth|fecha de nacimiento/i;

/** Does what the person does, one act for each turn that is heard, until nothing is left to do or to hear. */
export async function converseAs(person: Person, line: LineOpen): Promise<void> {
  const { call, network, utterances } = line;
  call.isTalking = person.says.length > 0 && person.voice === 'human';
  const acts = [...person.says];
  for (let heard = await utterances.next(); heard !== null; heard = await utterances.next()) {
    const act =
      ASKS_BIRTH_DATE.test(heard) && !isOwn(acts[0]) ? await birthDate(call, network) : acts.shift();
    if (act !== undefined) await perform(act, heard, line);
    // Who has nothing more to say than goodbye does not wait for an answer.
    if (isHangUp(acts[0])) await perform(acts.shift()!, '', line);
  }
}

/** Somebody whose part it is to answer otherwise does not tell the date of birth. */
function isOwn(act: Act | undefined): boolean {
  return (
    typeof act === 'object' && ('insteadOfBirthDate' in act || ('presses' in act && act.presses.length === 8))
  );
}

function isHangUp(act: Act | undefined): boolean {
  return typeof act === 'object' && 'hangsUp' in act;
}

async function birthDate({ sid, order }: Call, network: Network): Promise<string> {
  const known = await network.busy(network.birthDateOf({ sid, to: order.to }));
  if (known === null) return 'I would rather not say.';
  const said = new Intl.DateTimeFormat('en-US', { dateStyle: 'long', timeZone: 'UTC' }).format(
    new Date(known),
  );
  return `It is ${said}.`;
}

async function perform(act: Act, heard: string, { call, network, tell, signal }: LineOpen): Promise<void> {
  const { pace } = network;
  const listenedSeconds = heard.length * SECONDS_PER_CHARACTER;
  if (typeof act === 'string' || 'insteadOfBirthDate' in act) {
    await pace.wait(listenedSeconds, signal);
    await tell(promptOf(typeof act === 'string' ? act : act.insteadOfBirthDate));
  } else if ('presses' in act) {
    await pace.wait(listenedSeconds, signal);
    for (const digit of act.presses) await tell({ type: 'dtmf', digit });
  } else if ('interrupts' in act) {
    await pace.wait(act.afterSeconds, signal);
    const utteranceUntilInterrupt = heard.slice(0, Math.floor(act.afterSeconds / SECONDS_PER_CHARACTER));
    const durationUntilInterruptMs = Math.round(act.afterSeconds * 1000);
    await tell({ type: 'interrupt', utteranceUntilInterrupt, durationUntilInterruptMs });
    await tell(promptOf(act.interrupts));
  } else if ('hangsUp' in act) {
    await pace.wait(act.afterSeconds ?? UNTIL_HUNG_UP, signal);
    finish(call, network, { status: 'completed', sip: 200 });
  }
}

const promptOf = (voicePrompt: string) => ({ type: 'prompt', voicePrompt, lang: 'en-US', last: true });
