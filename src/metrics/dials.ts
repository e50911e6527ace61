import type { Carrier } from '../carrier.ts';
import type { TextCarrier } from '../carrier/text.ts';
import type { Clock } from '../clock.ts';
import type { Channel, ContactDecision } from '../domain/consent.ts';
import type { Event } from '../domain/event.ts';
import { CarrierRefusal } from '../domain/refusal.ts';
import { aboutOf } from '../scope.ts';
import type { Tracing } from '../tracing.ts';
import type { Mailbox } from '../voicemail.ts';
import type { Counters } from './counters.ts';

/** What may be dialled once: recorded here, with a decision of the gate. */
interface Intent {
  decision: ContactDecision;
  about: string;
}

/** After how many milliseconds a decision is too old for a dial: who dials gives up after five seconds, so this is never reached. */
const freshMs = 6_000;

/** How many intents are remembered: those of a process that dials nothing any more are forgotten, oldest first. */
const remembered = 10_000;

/** What the carrier's answer to a request for an attempt looks like. */
type Answered = { outcome: string; carrierCode?: string | null };

interface Tools {
  counters: Counters;
  tracing: Tracing;
  clock: Clock;
}

/**
 * Watches every attempt on its way out, apart from those who make it: each must be one whose intent was just recorded with
 * an ALLOW. It stops nothing; that it ever counters something is an alarm.
 */
export function watchDials({ counters, tracing, clock }: Tools) {
  const intents = new Map<string, Intent>();

  /** Remembers what may be dialled. */
  function recorded(events: readonly Event[]): void {
    for (const event of events) {
      const attemptId = attemptOf[event.type]?.(event);
      if (!attemptId) continue;
      intents.set(attemptId, {
        decision: (event.data as { decision: ContactDecision }).decision,
        about: aboutOf(event),
      });
      if (intents.size > remembered) intents.delete(intents.keys().next().value!);
    }
  }

  async function dialled<T extends Answered>(
    channel: Channel,
    attemptId: string,
    ask: () => Promise<T>,
  ): Promise<T> {
    const intent = intents.get(attemptId);
    intents.delete(attemptId); // a second dial of it has none
    counters.dialled(channel);
    if (intent?.decision.allowed !== true) counters.unlawful('no_allow');
    else if (clock.now().getTime() - Date.parse(intent.decision.decidedAt) > freshMs)
      counters.unlawful('stale');
    const operation = `dial ${channel}`;
    const answer = await asked(operation, intent?.about ?? null, ask);
    if (answer.outcome !== 'accepted')
      counters.carrierRefused(operation, answer.carrierCode ?? answer.outcome);
    return answer;
  }

  async function asked<T>(operation: string, about: string | null, ask: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await tracing.around(`carrier ${operation}`, about, ask);
    } catch (error) {
      counters.carrierRefused(
        operation,
        error instanceof CarrierRefusal ? (error.carrierCode ?? error.code) : 'error',
      );
      throw error;
    } finally {
      counters.carrierAnswered(operation, (performance.now() - began) / 1000);
    }
  }

  const timed =
    <A extends unknown[], T>(operation: string, ask: (...given: A) => Promise<T>) =>
    (...given: A): Promise<T> =>
      asked(operation, null, () => ask(...given));

  return {
    recorded,
    /** The carrier, watched. */
    carrier: <C extends Carrier & TextCarrier>(carrier: C): C => ({
      ...carrier,
      dial: (order, mayStill) => dialled('VOICE', order.callId, () => carrier.dial(order, mayStill)),
      // The question who writes is no contact: it answers what was just written.
      text: (order) =>
        order.messageId === null
          ? asked('ask who writes', null, () => carrier.text(order))
          : dialled('TEXT', order.messageId, () => carrier.text(order)),
      hangUp: timed('hang up', carrier.hangUp),
      leave: timed('leave', carrier.leave),
      lookUp: timed('look up', carrier.lookUp),
      list: timed('list', carrier.list),
      lookUpText: timed('look up text', carrier.lookUpText),
      listTexts: timed('list texts', carrier.listTexts),
    }),
    /** The vendor of voicemails, watched. */
    mailbox: (mailbox: Mailbox): Mailbox => ({
      ...mailbox,
      drop: (voicemail) => dialled('VOICEMAIL', voicemail.id, () => mailbox.drop(voicemail)),
    }),
  };
}

/** The events that are intents, and which attempt each is of. */
const attemptOf: Record<string, (event: Event) => string> = {
  'outbound.initiated': ({ entityId }) => entityId,
  'voicemail.requested': ({ entityId }) => entityId,
  'message.sent': ({ data }) => (data as { messageId: string }).messageId,
};
