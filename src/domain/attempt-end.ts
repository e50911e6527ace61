/** How attempts end, whatever the channel: what the retry of a task is decided from. */
import type { Call } from './call.ts';
import type { Channel } from './consent.ts';
import type { Voicemail } from './voicemail.ts';

/**
 * What transport, who answered and what was achieved call for together. `elsewhere`: this channel does not reach the
 * person at this number, another one may.
 */
export type Verdict = 'done' | 'retry' | 'elsewhere' | 'give up';

/** The end of an attempt. */
export interface AttemptEnd {
  /** Of the call, voicemail or message. */
  id: string;
  channel: Channel;
  /** How it ended, in one word. */
  outcome: string;
  verdict: Verdict;
  /** Whether it was not taken, and may be the next time: such an attempt does not count. */
  isUntaken: boolean;
}

/** What an agent says that was achieved, and what it calls for. */
const achievements: Record<string, Verdict> = {
  confirmed: 'done',
  declined: 'done',
  callback_requested: 'done', // the promise is a task of its own
  left_message: 'done',
  unresolved: 'retry',
  opted_out: 'give up',
  wrong_person: 'give up',
};

/** SIP answers of numbers that reach nobody, now or later, RFC 3261 21 and RFC 8197 (607). */
const deadLines = new Set(['404', '410', '484', '604', '607'].map((code) => `failed_sip_${code}`));

/** The three layers of a call's outcome, from the outside in: transport, who answered, what was achieved. */
export function verdictOf(
  call: Pick<Call, 'status' | 'endedReason' | 'answeredBy'>,
  achieved: string | null,
): Verdict {
  switch (call.status) {
    case 'COMPLETED':
      // What was left on a machine is not yet heard, as with a voicemail.
      if (call.answeredBy === 'MACHINE' && (achieved ?? 'left_message') === 'left_message') return 'retry';
      if (achieved !== null) return achievements[achieved] ?? 'done';
      return call.answeredBy === 'FAX' ? 'give up' : 'done';
    case 'FAILED': {
      const reason = call.endedReason ?? '';
      return deadLines.has(reason) || reason.startsWith('carrier_rejected') ? 'give up' : 'retry';
    }
    case 'CANCELED': // whoever took it back did not want it repeated
      return 'give up';
    default:
      return 'retry';
  }
}

/** How a call ended, in one word: its ended reason, and whether no person had answered. */
export const outcomeOf = ({ endedReason, answeredBy }: Pick<Call, 'endedReason' | 'answeredBy'>): string =>
  `${endedReason ?? 'unknown'}${answeredBy === 'MACHINE' || answeredBy === 'FAX' ? `_by_${answeredBy.toLowerCase()}` : ''}`;

/** The end of a call. */
export const endOfCall = (
  call: Pick<Call, 'id' | 'status' | 'endedReason' | 'answeredBy' | 'outcome'>,
  isUntaken: boolean,
): AttemptEnd => ({
  id: call.id,
  channel: 'VOICE',
  outcome: outcomeOf(call),
  verdict: isUntaken ? 'retry' : verdictOf(call, call.outcome ?? null),
  isUntaken,
});

/**
 * The end of a voicemail. That one was left is not yet that the person has heard it: it achieves only what it alone was
 * meant to.
 */
export const endOfVoicemail = (
  { id, status }: Pick<Voicemail, 'id' | 'status'>,
  { isUntaken, isAllThatWasWanted }: { isUntaken: boolean; isAllThatWasWanted: boolean },
): AttemptEnd => ({
  id,
  channel: 'VOICEMAIL',
  outcome: status === 'DELIVERED' ? 'voicemail_left' : `voicemail_${status.toLowerCase()}`,
  verdict: isUntaken
    ? 'retry'
    : status === 'DELIVERED' && isAllThatWasWanted
      ? 'done'
      : voicemailVerdicts[status],
  isUntaken,
});

const voicemailVerdicts: Record<Voicemail['status'], Verdict> = {
  PENDING: 'retry',
  DELIVERED: 'retry',
  NOT_DELIVERED: 'elsewhere',
  SKIPPED: 'elsewhere',
  FAILED: 'elsewhere',
};

/** Codes of texts that may arrive another time: the phone is off, or the way to it is crowded (Twilio 30001, 30003, 30008, 30017, 30022). */
const passingTexts = new Set(['30001', '30003', '30008', '30017', '30022']);

/** The end of a text: one that has arrived is what was wanted. */
export const endOfMessage = (message: {
  id: string;
  isDelivered: boolean;
  carrierCode: string | null;
  isUntaken: boolean;
}): AttemptEnd => {
  const { id, isDelivered, carrierCode, isUntaken } = message;
  const failed = passingTexts.has(carrierCode ?? '') || isUntaken ? 'retry' : 'elsewhere';
  return {
    id,
    channel: 'TEXT',
    outcome: isDelivered ? 'text_delivered' : `text_undelivered${carrierCode ? `_${carrierCode}` : ''}`,
    verdict: isDelivered ? 'done' : failed,
    isUntaken,
  };
};
