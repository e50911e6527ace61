/**
 * One dial, from the intent to its end.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> QUEUED: outbound.initiated
 *   QUEUED --> RINGING
 *   RINGING --> IN_PROGRESS
 *   IN_PROGRESS --> COMPLETED
 *   QUEUED --> UNCERTAIN: the carrier's answer never came
 *   UNCERTAIN --> RINGING: what the carrier knows
 *   UNCERTAIN --> FAILED: the carrier has no such call
 *   QUEUED --> FAILED: refused by the carrier
 *   RINGING --> BUSY
 *   RINGING --> NO_ANSWER
 *   RINGING --> FAILED
 *   RINGING --> CANCELED
 * ```
 *
 * A status has a rank; it only rises, and a terminal one absorbs whatever is still heard.
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { deleted, ended, recorded, rejection, reported } from './call-fold.ts';
import type { Recording } from './call-recording.ts';
import type { Channel, ContactDecision, LegalBasis, Purpose } from './consent.ts';
import type { Conduct, Fact, Intent, Outcome, Prepared, Turn } from './call-fact.ts';
import { partialIndex, rowColumns, type Event } from './event.ts';

export type { Ended, Fact, Intent, Outcome, Rejection, Turn, Via } from './call-fact.ts';

export const entityType = 'CALL';
export const foldVersion = 1;

/** Where a call stands; UNCERTAIN: nobody knows whether it was dialled. */
export const statuses = [
  'QUEUED',
  'RINGING',
  'IN_PROGRESS',
  'COMPLETED',
  'BUSY',
  'NO_ANSWER',
  'FAILED',
  'CANCELED',
  'UNCERTAIN',
] as const;
/** One of `statuses`. */
export type CallStatus = (typeof statuses)[number];

/** What asked for a call. */
export const origins = ['API', 'TASK', 'CAMPAIGN', 'TRIGGER', 'FOLLOW_THROUGH'] as const;
/** One of `origins`. */
export type CallOrigin = (typeof origins)[number];

/** Who answered a call, as far as could be told. */
export const answerers = ['HUMAN', 'MACHINE', 'FAX', 'UNKNOWN'] as const;
/** One of `answerers`. */
export type AnsweredBy = (typeof answerers)[number];

const isOpen = `status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`;

/** A call: the fold of its events. */
export const table = defineEntity({
  name: 'Call',
  tableName: 'call',
  properties: {
    ...rowColumns,
    /** The carrier's id; null until the carrier has accepted the call. */
    sid: p.text().nullable(),
    status: p.text().$type<CallStatus>(),
    /** When the status was recorded here: what the patience with it is reckoned from. */
    statusAt: p.datetime(),
    origin: p.text().$type<CallOrigin>(),
    patientId: p.uuid(),
    contactId: p.uuid(),
    phoneTo: p.text(),
    phoneFrom: p.text(),
    reason: p.text(),
    goal: p.text().nullable(),
    systemPrompt: p.text().nullable(),
    welcomeMessage: p.text().nullable(),
    purpose: p.text().$type<Purpose>(),
    tags: p.array().columnType('text[]').$type<string[]>(),
    metadata: p.json().$type<Record<string, string>>(),
    variables: p.json().$type<Record<string, string>>(),
    serviceId: p.uuid().nullable(),
    useCaseId: p.uuid().nullable(),
    taskId: p.uuid().nullable(),
    campaignId: p.uuid().nullable(),
    campaignRunId: p.uuid().nullable(),
    derivedFromId: p.uuid().nullable(),
    chainId: p.uuid(),
    requestedBy: p.text(),
    callbackUrl: p.text().nullable(),
    basis: p.text().$type<LegalBasis>().nullable(),
    decision: p.json().$type<ContactDecision>(),
    /** What the agent was given while the phone rang; null: not yet. */
    context: p.json().$type<CallContext>().nullable(),
    answeredBy: p.text().$type<AnsweredBy>().nullable(),
    /** What was achieved, as told by the agent; null: nobody has told. */
    outcome: p.text().$type<Outcome>().nullable(),
    summary: p.text().nullable(),
    transcript: p.json().$type<Turn[]>(),
    /** What the report of the outcome said, as a hash: told again it changes nothing. */
    reportHash: p.text().nullable(),
    /** How the conversation went; null: nobody has told. */
    conduct: p.json().$type<Conduct>().nullable(),
    endedReason: p.text().nullable(),
    carrierCode: p.text().nullable(),
    queuedAt: p.datetime(),
    answeredAt: p.datetime().nullable(),
    endedAt: p.datetime().nullable(),
    durationSeconds: p.integer().nullable(),
    recordings: p.json().$type<Recording[]>(),
    /** From when on its recordings are kept for as long as the workspace says; null: the carrier has none. */
    recordingsSince: p.datetime().nullable(),
  },
  indexes: [
    { name: 'call_sid', properties: ['sid', 'workspaceId'] },
    { name: 'call_patient', properties: ['workspaceId', 'patientId', 'id'] },
    { name: 'call_task', properties: ['workspaceId', 'taskId', 'id'] },
    partialIndex('call_ended', 'call (workspace_id, ended_at, duration_seconds)', 'duration_seconds > 0'),
    partialIndex('call_campaign', 'call (workspace_id, campaign_id, id)', `campaign_id is not null`),
    partialIndex(
      'call_run',
      'call (workspace_id, campaign_run_id, queued_at)',
      `campaign_run_id is not null`,
    ),
    { name: 'call_chain', properties: ['workspaceId', 'chainId', 'id'] },
    { name: 'call_status', properties: ['workspaceId', 'status', 'id'] },
    { name: 'call_source', properties: ['workspaceId', 'phoneFrom', 'queuedAt'] },
    { name: 'call_tags', expression: 'create index call_tags on call using gin (tags)' },
    {
      name: 'call_metadata',
      expression: 'create index call_metadata on call using gin (metadata jsonb_path_ops)',
    },
    partialIndex('call_open', 'call (status_at)', isOpen),
    partialIndex('call_recorded', 'call (recordings_since)', `recordings_since is not null`),
    partialIndex('call_open_contact', 'call (workspace_id, contact_id)', isOpen),
  ],
});
/** What the agent was given, and since when it was there. */
export interface CallContext extends Prepared {
  /** ISO instant. */
  readyAt: string;
}

/** One call. */
export interface Call extends InferEntity<typeof table> {}

/** Ranks: a status may only be followed by one of a higher rank; the highest is terminal. */
export const rank: Record<CallStatus, number> = {
  QUEUED: 0,
  UNCERTAIN: 1,
  RINGING: 2,
  IN_PROGRESS: 3,
  COMPLETED: 4,
  BUSY: 4,
  NO_ANSWER: 4,
  FAILED: 4,
  CANCELED: 4,
};

/** Whether a call is over. */
export const isOver = (call: Pick<Call, 'status'>): boolean => rank[call.status] === 4;

/** Whether the carrier has been asked and its answer is still awaited. */
export const isBeingPlaced = (call: Call): boolean => call.status === 'QUEUED' && call.sid === null;

/** How long the ring may last before the carrier gives up: 30 seconds. */
export const ringSeconds = 30;

/**
 * How many calls are started a second where so many may be: 3 % fewer, because requests arrive some milliseconds early or
 * late, and no second that the carrier counts may hold one too many.
 */
export const startsPerSecond = (allowed: number): number => allowed / 1.03;

/** How long an attempt may go on ringing, by channel: only calls ring. */
export const ringSecondsOn: Record<Channel, number> = { VOICE: ringSeconds, TEXT: 0, VOICEMAIL: 0 };

/** How long a call may last: 10 minutes. */
export const maxSeconds = 600;

/** Of which nothing has been heard. */
const unheard = {
  context: null,
  answeredBy: null,
  outcome: null,
  summary: null,
  transcript: [],
  reportHash: null,
  conduct: null,
  endedReason: null,
  carrierCode: null,
  answeredAt: null,
  endedAt: null,
  durationSeconds: null,
  recordings: [],
  recordingsSince: null,
};

export const blank = (id: string, workspaceId: string): Call => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  sid: null,
  status: 'QUEUED',
  statusAt: new Date(0),
  origin: 'API',
  patientId: '',
  contactId: '',
  phoneTo: '',
  phoneFrom: '',
  reason: '',
  goal: null,
  systemPrompt: null,
  welcomeMessage: null,
  purpose: 'OTHER',
  tags: [],
  metadata: {},
  variables: {},
  serviceId: null,
  useCaseId: null,
  taskId: null,
  campaignId: null,
  campaignRunId: null,
  derivedFromId: null,
  chainId: id,
  requestedBy: '',
  callbackUrl: null,
  basis: null,
  decision: {} as ContactDecision,
  queuedAt: new Date(0),
  ...unheard,
});

export function evolve(call: Call, event: Event<Fact>): Call {
  const { type, data } = event as unknown as Fact;
  const at = event.effectiveAt;
  const to = (status: CallStatus): Call => ({ ...call, status, statusAt: event.recordedAt });
  switch (type) {
    case 'outbound.initiated':
      return { ...to('QUEUED'), ...data, queuedAt: at };
    case 'call.accepted':
      return { ...call, sid: data.sid, statusAt: event.recordedAt };
    case 'call.uncertain':
      return to('UNCERTAIN');
    case 'call.rejected':
      return { ...to('FAILED'), carrierCode: data.carrierCode, endedAt: at, endedReason: rejection(data) };
    case 'call.ringing':
      return to('RINGING');
    case 'call.answered':
      return { ...to('IN_PROGRESS'), answeredAt: at };
    case 'call.context_ready':
      return { ...call, context: { ...data, readyAt: at.toISOString() } };
    case 'call.machine_detected':
      return { ...call, answeredBy: data.answeredBy };
    case 'call.outcome_reported':
      return reported(call, data);
    case 'call.recorded':
      return recorded(call, data, at);
    case 'call.recording_stopped':
      return { ...call, recordingsSince: new Date(0) };
    case 'call.recording_deleted':
      return deleted(call, data.sids, at);
    default:
      return ended(to(terminalOf[type]), data, at);
  }
}

export const patientOf = (call: Call): string => call.patientId;

/** Records that a call is wanted, with the gate's decision: before the carrier is asked. */
export const initiate = (_call: Call, intent: Intent): Fact[] => [
  { type: 'outbound.initiated', data: intent },
];

/** The events that end a call, and how. */
export const terminalOf = {
  'call.completed': 'COMPLETED',
  'call.busy': 'BUSY',
  'call.no_answer': 'NO_ANSWER',
  'call.failed': 'FAILED',
  'call.canceled': 'CANCELED',
} as const;
