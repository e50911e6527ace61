/**
 * Attempts to reach people, as the log tells of them: every dial, text and voicemail with what came of it. Projected, so
 * that it can be made anew from the log at any time; nothing is decided from it.
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { terminalOf, type AnsweredBy, type CallOrigin } from './call.ts';
import type { Channel, ContactDecision, Purpose } from './consent.ts';
import { partialIndex, type Event } from './event.ts';

/** Where an attempt stands: a call's last word, or whether a text or voicemail got there. */
type AttemptStatus = 'OPEN' | 'ANSWERED' | 'COMPLETED' | 'BUSY' | 'NO_ANSWER' | 'FAILED' | 'CANCELED';

/** One row for each attempt, in each generation of the projection. */
export const attempts = defineEntity({
  name: 'OutreachAttempt',
  tableName: 'outreach_attempt',
  properties: {
    workspaceId: p.uuid().primary(),
    generation: p.integer().primary(),
    /** Of the call, the voicemail or the message. */
    id: p.uuid().primary(),
    /** Whose events tell of it: the call, the voicemail, or the message's conversation. */
    entityId: p.uuid(),
    /** Where it begins in the log. */
    cursor: p.bigint('number'),
    patientId: p.uuid(),
    /** What it is an attempt at; null: it was wanted by itself. */
    taskId: p.uuid().nullable(),
    /** Which attempt at its task it is, 1 the first; null: it has none. */
    number: p.integer().nullable(),
    channel: p.text().$type<Channel>(),
    at: p.datetime(),
    /** On the person's calendar; of a person whose zone is unknown in UTC. */
    localDate: p.text(),
    /** 0 to 23, on the person's clock; null: their zone is unknown. */
    localHour: p.integer().nullable(),
    origin: p.text().$type<CallOrigin>(),
    campaignId: p.uuid().nullable(),
    purpose: p.text().$type<Purpose>(),
    serviceId: p.uuid().nullable(),
    /** Each once. */
    tags: p.array().columnType('text[]').$type<string[]>(),
    status: p.text().$type<AttemptStatus>(),
    answeredBy: p.text().$type<AnsweredBy>().nullable(),
    /** When somebody answered the call, or first wrote back to the text. */
    answeredAt: p.datetime().nullable(),
    /** What the agent says that was achieved. */
    outcome: p.text().nullable(),
    /** How long the call lasted. */
    seconds: p.integer(),
    /** A person answered the call. */
    answered: p.boolean(),
    /** The call ended COMPLETED, the voicemail was left, the text delivered. */
    completed: p.boolean(),
    /** The call ended FAILED, the voicemail was not left, the text not delivered. */
    failed: p.boolean(),
    /** It succeeded: the person answered, and was no stranger, or wrote back. */
    reached: p.boolean(),
    /** A call that could have reached the person and did not: busy, not answered, a machine, a stranger. */
    missed: p.boolean(),
  },
  indexes: [
    { name: 'outreach_attempt_patient', properties: ['workspaceId', 'generation', 'patientId', 'at'] },
    { name: 'outreach_attempt_at', properties: ['workspaceId', 'generation', 'at'] },
    partialIndex(
      'outreach_attempt_text',
      'outreach_attempt (workspace_id, generation, entity_id, cursor)',
      `channel = 'TEXT'`,
    ),
  ],
});
/** One attempt. */
export interface Attempt extends InferEntity<typeof attempts> {}

/** The events that tell of attempts. */
export const types = [
  'outbound.initiated',
  'call.rejected',
  'call.answered',
  'call.machine_detected',
  'call.outcome_reported',
  ...Object.keys(terminalOf),
  'voicemail.requested',
  'voicemail.delivered',
  'voicemail.not_delivered',
  'voicemail.skipped',
  'voicemail.failed',
  'message.sent',
  'message.delivered',
  'message.undelivered',
  'message.received',
];

/** An event in its place in the log. Data of a person who was erased are empty: everything of it may be missing. */
export type Logged = Event & { cursor: number; data: Data };

/** What is read of events, whatever their type. */
export interface Data {
  messageId?: string;
  isReply?: boolean;
  decision?: Partial<ContactDecision>;
  origin?: string;
  taskId?: string | null;
  campaignId?: string | null;
  purpose?: Purpose;
  serviceId?: string | null;
  tags?: string[];
  answeredBy?: AnsweredBy | null;
  outcome?: string;
  durationSeconds?: number;
  channel?: Channel;
  scheduledFor?: string;
  nextAttemptAt?: string | null;
}

const channelOf: Record<string, Channel> = {
  'outbound.initiated': 'VOICE',
  'voicemail.requested': 'VOICEMAIL',
  'message.sent': 'TEXT',
};

/** Whether an event is the intent of an attempt. What answers a person who has just written is none. */
export const begins = ({ type, data }: Logged): boolean => type in channelOf && data.isReply !== true;

/** The attempt that an event is about: its entity, or the message in the conversation; null: it names none. */
export const attemptIdOf = ({ type, entityId, data }: Logged): string | null =>
  type.startsWith('message.') ? (data.messageId ?? null) : entityId;

/**
 * The attempt that an intent begins. What it does not tell itself is told by how its task and its conversation began:
 * the task first, unless the conversation was begun for that very task.
 */
export function begin(
  event: Logged,
  generation: number,
  { task, conversation }: { task: Data | undefined; conversation: Data | undefined },
): Attempt {
  const { data, effectiveAt: at } = event;
  const isOwn = conversation !== undefined && (data.taskId ?? null) === (conversation.taskId ?? null);
  const said = isOwn ? { ...task, ...conversation, ...data } : { ...conversation, ...task, ...data };
  const localTime = data.decision?.localTime ?? null;
  const { purpose = 'OTHER', campaignId = null, serviceId = null } = said;
  return {
    workspaceId: event.workspaceId,
    generation,
    id: attemptIdOf(event)!,
    entityId: event.entityId,
    cursor: event.cursor,
    patientId: event.patientId!,
    taskId: data.taskId ?? null,
    number: null,
    channel: channelOf[event.type]!,
    at,
    localDate: (localTime ?? at.toISOString()).slice(0, 10),
    localHour: localTime === null ? null : Number(localTime.slice(11, 13)),
    // A person who wrote first is answered over the API, if not by a task.
    origin: (said.origin === 'PERSON' ? 'API' : (said.origin ?? 'API')) as CallOrigin,
    purpose,
    campaignId,
    serviceId,
    tags: [...new Set(said.tags)],
    ...open,
  };
}

const open = {
  status: 'OPEN',
  answeredBy: null,
  answeredAt: null,
  outcome: null,
  seconds: 0,
  answered: false,
  completed: false,
  failed: false,
  reached: false,
  missed: false,
} as const;

/** An attempt after one more event; the same object when the event tells nothing new. */
export function evolve(attempt: Attempt, event: Logged): Attempt {
  const heard = hear(attempt, event);
  return heard ? judge({ ...attempt, ...heard }) : attempt;
}

function hear(attempt: Attempt, { type, data, effectiveAt: at }: Logged): Partial<Attempt> | null {
  switch (type) {
    case 'call.answered':
      return { status: 'ANSWERED', answeredAt: attempt.answeredAt ?? at };
    case 'call.machine_detected':
      return { answeredBy: data.answeredBy ?? null };
    case 'call.outcome_reported':
      return { answeredBy: data.answeredBy ?? attempt.answeredBy ?? null, outcome: data.outcome ?? null };
    case 'call.rejected':
    case 'voicemail.not_delivered':
    case 'voicemail.skipped':
    case 'voicemail.failed':
    case 'message.undelivered':
      return { status: 'FAILED' };
    case 'voicemail.delivered':
    case 'message.delivered':
      return { status: 'COMPLETED' };
    case 'message.received':
      return attempt.answeredAt ? null : { answeredAt: at };
    default:
      return type in terminalOf ? end(attempt, { data, at, type: type as keyof typeof terminalOf }) : null;
  }
}

function end(
  attempt: Attempt,
  { type, data, at }: { type: keyof typeof terminalOf; data: Data; at: Date },
): Partial<Attempt> {
  const seconds = data.durationSeconds ?? 0;
  const reckoned = type === 'call.completed' ? new Date(at.getTime() - seconds * 1000) : null;
  return {
    status: terminalOf[type],
    seconds,
    answeredAt: attempt.answeredAt ?? reckoned,
    answeredBy: attempt.answeredBy ?? data.answeredBy ?? null,
  };
}

/** What an attempt is counted as, by all that is known of it. */
function judge(attempt: Attempt): Attempt {
  const { channel, status, answeredBy, answeredAt, outcome } = attempt;
  const isCall = channel === 'VOICE';
  const isAutomatic = answeredBy === 'MACHINE' || answeredBy === 'FAX';
  const answered = isCall && (status === 'ANSWERED' || status === 'COMPLETED') && !isAutomatic;
  const reached = isCall ? answered && outcome !== 'wrong_person' : channel === 'TEXT' && answeredAt !== null;
  const couldReach = status === 'BUSY' || status === 'NO_ANSWER' || status === 'COMPLETED';
  return {
    ...attempt,
    answered,
    completed: status === 'COMPLETED',
    failed: status === 'FAILED',
    reached,
    missed: isCall && couldReach && !reached,
  };
}
