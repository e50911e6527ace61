import type { CallOrigin } from './call.ts';
import type { Via } from './call-fact.ts';
import type { ContactDecision, LegalBasis, Purpose } from './consent.ts';
import type { Fact as AnyFact } from './event.ts';

/** What began a conversation: one of ours, or the person, who wrote first. */
export type ConversationOrigin = CallOrigin | 'PERSON';

/** What is known when a conversation begins; fixed from then on. */
export interface Beginning {
  patientId: string;
  contactId: string;
  phone: string;
  phoneFrom: string;
  reason: string;
  purpose: Purpose;
  instruction: string | null;
  serviceId: string | null;
  useCaseId: string | null;
  origin: ConversationOrigin;
  taskId: string | null;
  campaignId: string | null;
  requestedBy: string;
  basis: LegalBasis | null;
}

/** A message of ours, before the carrier is asked. */
export interface Sending {
  messageId: string;
  body: string;
  segments: number;
  /** Whether it answers what the person has just written, and so is no contact of ours. */
  isReply: boolean;
  decision: ContactDecision;
  /** The task that it is an attempt at; null: none. */
  taskId: string | null;
  /** ISO instant after which the carrier must not send it any more. */
  validUntil: string;
}

/** What a person wrote. */
export interface Receipt {
  messageId: string;
  sid: string;
  body: string;
  segments: number;
}

/** Why a message did not get there. */
export interface Failure {
  messageId: string;
  /** The carrier's own code; null: it gave none. */
  carrierCode: string | null;
  /** Such as carrier_rejected_21211, undelivered_30003, held_up, unwanted, never_reached_carrier. */
  reason: string;
  /** Whether the same may get there later. */
  retryable: boolean;
  /** Whether the carrier was reached. */
  reached: boolean;
  via: Via;
}

/** What can happen in a conversation. */
export type Fact = AnyFact &
  (
    | { type: 'conversation.started'; data: Beginning }
    | { type: 'conversation.closed'; data: { reason: string } }
    | { type: 'message.sent'; data: Sending }
    | { type: 'message.received'; data: Receipt }
    | { type: 'message.accepted'; data: { messageId: string; sid: string; via: Via } }
    | { type: 'message.delivered'; data: { messageId: string; via: Via } }
    | { type: 'message.undelivered'; data: Failure }
  );
