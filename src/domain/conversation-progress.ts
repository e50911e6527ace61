import type { Answer } from './call-progress.ts';
import type { Via } from './call-fact.ts';
import type { Conversation, Message, MessageStatus } from './conversation.ts';
import type { Beginning, Fact, Failure, Receipt, Sending } from './conversation-fact.ts';
import { CarrierRefusal, NotFoundRefusal, StateRefusal } from './refusal.ts';

/** Begins a conversation with the first message of either side. */
export const start = (_conversation: Conversation, beginning: Beginning): Fact[] => [
  { type: 'conversation.started', data: beginning },
];

/** Records a message of ours, with the gate's decision: before the carrier is asked. Refuses ILLEGAL_TRANSITION once it is closed. */
export function say(conversation: Conversation, sending: Sending): Fact[] {
  mustBeActive(conversation);
  return [{ type: 'message.sent', data: sending }];
}

/** Records what the person wrote. */
export const hearPerson = (_conversation: Conversation, receipt: Receipt): Fact[] => [
  { type: 'message.received', data: receipt },
];

/** Closes a conversation. Refuses ILLEGAL_TRANSITION when it is closed. */
export function close(conversation: Conversation, reason: string): Fact[] {
  mustBeActive(conversation);
  return [{ type: 'conversation.closed', data: { reason } }];
}

/** Refuses ILLEGAL_TRANSITION unless a conversation is open. */
export function mustBeActive({ status }: Conversation): void {
  if (status === 'ACTIVE') return;
  throw new StateRefusal('ILLEGAL_TRANSITION', 'This conversation is closed.', status);
}

/** There is none with this id. */
export const noSuchConversation = (id: string): NotFoundRefusal =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such conversation in this workspace.', id);

/** For how long what we write is a reply to what the person wrote: an hour, in milliseconds. */
export const replyMs = 3_600_000;

/** Whether what is written now answers the person. */
export const isReplyAt = ({ heardAt }: Pick<Conversation, 'heardAt'>, now: Date): boolean =>
  heardAt !== null && heardAt !== undefined && now.getTime() - heardAt.getTime() <= replyMs;

/** What the carrier said of a message, by callback or when asked, in its own words. */
export interface Heard {
  sid: string;
  /** Twilio: MessageStatus, or the status of its message resource. */
  status: string;
  /** Twilio: ErrorCode. */
  carrierCode: string | null;
  via: Via;
}

const rank: Record<MessageStatus, number> = {
  PENDING: 0,
  ACCEPTED: 1,
  DELIVERED: 2,
  UNDELIVERED: 2,
  RECEIVED: 2,
};

/** Whether nothing more happens to a message. */
const isSettled = ({ status }: Message): boolean => rank[status] === 2;

/** Twilio: the recipient has opted out. */
export const optedOutCode = '21610';

/**
 * Twilio's codes for what may get there later: full queues, a handset that is off, a congested carrier, a daily cap.
 * 30008 is unknown, and Twilio advises one more try.
 */
const passing = new Set(['20429', '21611', '30001', '30003', '30008', '30017', '30022', '30023']);

/** Records the carrier's answer to our request. What a callback told in the meantime stands; an answer that never came is no news. */
export function answer(message: Message, given: Answer): Fact[] {
  const { id: messageId } = message;
  if (given.outcome === 'accepted') return accept(message, given.sid, 'answer');
  if (given.outcome === 'unknown' || message.sid !== null || isSettled(message)) return [];
  const { carrierCode, reached, retryable, withheld } = given;
  const refused = carrierCode ? `carrier_rejected_${carrierCode}` : 'carrier_rejected';
  const reason = withheld ?? (reached ? refused : 'carrier_unavailable');
  const isLater = retryable || passing.has(carrierCode ?? '');
  return fail(message, { messageId, carrierCode, reason, retryable: isLater, reached, via: 'answer' });
}

/** What of it is news. Late, early, repeated and disordered words are all harmless: only a rise is recorded. */
export function hear(message: Message, heard: Heard): Fact[] {
  const { sid, status, carrierCode, via } = heard;
  const { id: messageId } = message;
  if (message.sid !== null && message.sid !== sid) return [];
  const accepted = accept(message, sid, via);
  if (isSettled(message)) return [];
  if (status === 'delivered' || status === 'read')
    return [...accepted, { type: 'message.delivered', data: { messageId, via } }];
  if (status !== 'undelivered' && status !== 'failed' && status !== 'canceled') return accepted;
  const reason = carrierCode ? `${status}_${carrierCode}` : status;
  const retryable = passing.has(carrierCode ?? '');
  return [...accepted, ...fail(message, { messageId, carrierCode, reason, retryable, reached: true, via })];
}

/** Gives up a message that the carrier does not know: it has never heard of it, or knows it no more. */
export const giveUp = (message: Message): Fact[] =>
  isSettled(message)
    ? []
    : fail(message, {
        messageId: message.id,
        carrierCode: null,
        reason: message.sid === null ? 'never_reached_carrier' : 'unknown_to_carrier',
        retryable: message.sid === null,
        reached: message.sid !== null,
        via: 'lookup',
      });

/** Closes a conversation of which nothing ever got there: it has not begun. */
export const closeUnheard = (conversation: Conversation, facts: Fact[]): Fact[] =>
  conversation.status === 'ACTIVE' &&
  conversation.messageCount === 1 &&
  facts.some(({ type }) => type === 'message.undelivered')
    ? close(conversation, 'first_message_undelivered')
    : [];

/** Why the carrier did not take a message, for whoever asked; null: it did, or nobody knows whether it did. */
export function refusalOf({ sid, failureReason, carrierCode: given }: Message): CarrierRefusal | null {
  const carrierCode = given ?? null;
  const reached = failureReason?.startsWith('carrier_rejected') ?? false;
  const message = reached
    ? `The carrier refused the message${carrierCode ? ` with its code ${carrierCode}` : ''}. Nothing was sent.`
    : unasked[failureReason ?? ''];
  if (sid || !message) return null;
  const retryable = reached ? passing.has(carrierCode ?? '') : failureReason !== 'unwanted';
  return new CarrierRefusal(message, { carrierCode, retryable, reached });
}

const unasked: Record<string, string> = {
  carrier_unavailable: 'The carrier could not be reached, or had too many requests. Nothing was sent.',
  held_up: 'The message was held up for too long after it was allowed, and was not sent. Ask again.',
  unwanted: 'Before the message was sent the person asked not to be contacted, and it was not sent.',
};

const accept = (message: Message, sid: string, via: Via): Fact[] =>
  message.sid === null && !isSettled(message)
    ? [{ type: 'message.accepted', data: { messageId: message.id, sid, via } }]
    : [];

const fail = (_message: Message, data: Failure): Fact[] => [{ type: 'message.undelivered', data }];
