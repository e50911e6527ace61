/**
 * One ringless voicemail, from the intent to what the vendor says of it.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> PENDING: voicemail.requested
 *   PENDING --> PENDING: accepted by the vendor, or its answer never came (uncertain)
 *   PENDING --> DELIVERED
 *   PENDING --> NOT_DELIVERED: no mailbox, a full one, or the vendor fell silent
 *   PENDING --> SKIPPED: the vendor's own list or rule
 *   PENDING --> FAILED: refused, or broken on the vendor's side
 * ```
 *
 * A vendor that accepts has delivered nothing yet. An end absorbs whatever is still heard.
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { CallOrigin } from './call.ts';
import type { ContactDecision, LegalBasis, Purpose } from './consent.ts';
import { partialIndex, rowColumns, type Event, type Fact as AnyFact } from './event.ts';

export const entityType = 'VOICEMAIL';
export const foldVersion = 1;

/** Where a voicemail stands. */
export const statuses = ['PENDING', 'DELIVERED', 'NOT_DELIVERED', 'SKIPPED', 'FAILED'] as const;
/** One of `statuses`. */
export type VoicemailStatus = (typeof statuses)[number];

/** A voicemail: the fold of its events. */
export const table = defineEntity({
  name: 'Voicemail',
  tableName: 'voicemail',
  properties: {
    ...rowColumns,
    status: p.text().$type<VoicemailStatus>(),
    /** When the status, or what is known of it, last changed here. */
    statusAt: p.datetime(),
    /** Whether nobody knows if the vendor has taken it. */
    isUncertain: p.boolean(),
    patientId: p.uuid(),
    contactId: p.uuid(),
    phoneTo: p.text(),
    phoneFrom: p.text(),
    audioId: p.uuid(),
    useCaseId: p.uuid(),
    purpose: p.text().$type<Purpose>(),
    origin: p.text().$type<CallOrigin>(),
    taskId: p.uuid().nullable(),
    campaignId: p.uuid().nullable(),
    requestedBy: p.text(),
    basis: p.text().$type<LegalBasis>().nullable(),
    decision: p.json().$type<ContactDecision>(),
    /** The vendor's id; null until it has accepted. */
    carrierReference: p.text().nullable(),
    /** The vendor's code of an end that is none of success; null: it gave none. */
    carrierCode: p.text().nullable(),
    failureReason: p.text().nullable(),
    queuedAt: p.datetime(),
    endedAt: p.datetime().nullable(),
  },
  indexes: [
    { name: 'voicemail_patient', properties: ['workspaceId', 'patientId', 'id'] },
    { name: 'voicemail_status', properties: ['workspaceId', 'status', 'id'] },
    partialIndex('voicemail_task', 'voicemail (workspace_id, task_id)', 'task_id is not null'),
    partialIndex('voicemail_open', 'voicemail (status_at)', `status = 'PENDING'`),
    partialIndex('voicemail_open_contact', 'voicemail (workspace_id, contact_id)', `status = 'PENDING'`),
  ],
});
/** One voicemail. */
export interface Voicemail extends InferEntity<typeof table> {}

/** What is known when a voicemail is wanted; recorded before the vendor is asked. */
export interface Intent {
  patientId: string;
  contactId: string;
  phoneTo: string;
  phoneFrom: string;
  audioId: string;
  useCaseId: string;
  purpose: Purpose;
  origin: CallOrigin;
  taskId: string | null;
  campaignId: string | null;
  requestedBy: string;
  basis: LegalBasis | null;
  decision: ContactDecision;
}

/** How we came to hear it: the vendor's answer, its callback, its answer when asked again, or its silence. */
export type Via = 'answer' | 'callback' | 'lookup' | 'silence';

/** An end other than delivery. `reached` is false where the vendor was never reached: nothing was sent. */
export interface Ended {
  reason: string;
  carrierCode: string | null;
  via: Via;
}

/** What can happen to a voicemail. */
export type Fact = AnyFact &
  (
    | { type: 'voicemail.requested'; data: Intent }
    | { type: 'voicemail.accepted'; data: { carrierReference: string | null; via: Via } }
    | { type: 'voicemail.uncertain'; data: { cause: string } }
    | { type: 'voicemail.delivered'; data: { via: Via } }
    | { type: 'voicemail.not_delivered' | 'voicemail.skipped'; data: Ended }
    | { type: 'voicemail.failed'; data: Ended & { reached: boolean; retryable: boolean } }
  );

export const blank = (id: string, workspaceId: string): Voicemail => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  status: 'PENDING',
  statusAt: new Date(0),
  isUncertain: false,
  patientId: '',
  contactId: '',
  phoneTo: '',
  phoneFrom: '',
  audioId: '',
  useCaseId: '',
  purpose: 'OTHER',
  origin: 'API',
  taskId: null,
  campaignId: null,
  requestedBy: '',
  basis: null,
  decision: {} as ContactDecision,
  carrierReference: null,
  carrierCode: null,
  failureReason: null,
  queuedAt: new Date(0),
  endedAt: null,
});

/** The events that end a voicemail, and how. */
export const terminalOf = {
  'voicemail.delivered': 'DELIVERED',
  'voicemail.not_delivered': 'NOT_DELIVERED',
  'voicemail.skipped': 'SKIPPED',
  'voicemail.failed': 'FAILED',
} as const;

export function evolve(voicemail: Voicemail, event: Event<Fact>): Voicemail {
  const { type, data } = event as unknown as Fact;
  const next = { ...voicemail, statusAt: event.recordedAt };
  switch (type) {
    case 'voicemail.requested':
      return { ...next, ...data, queuedAt: event.effectiveAt };
    case 'voicemail.accepted':
      return { ...next, isUncertain: false, carrierReference: data.carrierReference };
    case 'voicemail.uncertain':
      return { ...next, isUncertain: true };
    default: {
      const ended = 'reason' in data ? data : { reason: null, carrierCode: null };
      return {
        ...next,
        status: terminalOf[type],
        isUncertain: false,
        failureReason: ended.reason,
        carrierCode: ended.carrierCode,
        endedAt: event.effectiveAt,
      };
    }
  }
}

export const patientOf = (voicemail: Voicemail): string => voicemail.patientId;

/** Whether a voicemail is over. */
export const isOver = ({ status }: Pick<Voicemail, 'status'>): boolean => status !== 'PENDING';

/** Whether the vendor has been asked and its answer is still awaited. */
export const isBeingSent = (voicemail: Voicemail): boolean => voicemail.version === 1;

/** Records that a voicemail is wanted, with the gate's decision: before the vendor is asked. */
export const request = (_voicemail: Voicemail, intent: Intent): Fact[] => [
  { type: 'voicemail.requested', data: intent },
];

/** What the vendor answered when it was asked to send. */
export type Answer =
  | { outcome: 'accepted'; carrierReference: string | null }
  | {
      outcome: 'rejected';
      carrierCode: string | null;
      message: string;
      /** True when the same may be asked again later. */
      retryable: boolean;
      /** False when the vendor was never reached. */
      reached: boolean;
    }
  | { outcome: 'unknown'; cause: string };

/** Records the vendor's answer. What a callback told in the meantime stands. */
export function answer(voicemail: Voicemail, given: Answer, via: Via = 'answer'): Fact[] {
  if (isOver(voicemail)) return [];
  const isAccepted = voicemail.version > 1 && !voicemail.isUncertain;
  if (isAccepted) return [];
  if (given.outcome === 'accepted')
    return [{ type: 'voicemail.accepted', data: { carrierReference: given.carrierReference, via } }];
  if (given.outcome === 'unknown')
    return voicemail.isUncertain ? [] : [{ type: 'voicemail.uncertain', data: { cause: given.cause } }];
  const { carrierCode, message: reason, reached, retryable } = given;
  return [{ type: 'voicemail.failed', data: { reason, carrierCode, via, reached, retryable } }];
}

/** How the vendor says that it ended. */
export type Result =
  | { result: 'delivered' }
  | { result: 'not_delivered' | 'skipped' | 'failed'; carrierCode: string | null; reason: string };

/** Records an end. A second one, or one that comes after the end, changes nothing. */
export function hear(voicemail: Voicemail, heard: Result, via: Via = 'callback'): Fact[] {
  if (isOver(voicemail)) return [];
  if (heard.result === 'delivered') return [{ type: 'voicemail.delivered', data: { via } }];
  const { result, carrierCode, reason } = heard;
  const data = { reason, carrierCode, via };
  return result === 'failed'
    ? [{ type: 'voicemail.failed', data: { ...data, reached: true, retryable: false } }]
    : [{ type: `voicemail.${result}`, data }];
}

/** For how long the vendor's answer to our own request is waited for, in milliseconds: its time-out and retries. */
export const answerMs = 15_000;

/**
 * How long a vendor may be silent about what it has accepted, or may have: an hour. It gives no figure of its own; drops
 * are made in minutes, and a callback is tried once.
 */
export const silenceMs = 3_600_000;

/** Ends what the vendor has said nothing of for too long: it counts as not delivered, because nothing says that it was. */
export const fallSilent = (voicemail: Voicemail): Fact[] =>
  isOver(voicemail)
    ? []
    : [
        {
          type: 'voicemail.not_delivered',
          data: {
            reason: 'The vendor has said nothing of it for an hour.',
            carrierCode: null,
            via: 'silence',
          },
        },
      ];
