/** A reason to reach someone at some time; task-progress.ts tells what can happen to it. */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { CallOrigin } from './call.ts';
import type { Channel, ContactDecision, Purpose } from './consent.ts';
import { partialIndex, rowColumns, type Event } from './event.ts';
import type { LocalWindow } from './hours.ts';
import type { Dispatched, Fact, Failed, Never, Next } from './task-fact.ts';

export const entityType = 'OUTBOUND_TASK';
export const foldVersion = 1;

/** Where a task stands. */
export const statuses = [
  'SCHEDULED',
  'SNOOZED',
  'DISPATCHED',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TIMED_OUT',
] as const;
/** One of `statuses`. */
export type TaskStatus = (typeof statuses)[number];

/** Those that wait for their next attempt. */
export const waiting = ['SCHEDULED', 'SNOOZED'] as const satisfies TaskStatus[];

/** The queue of a task that belongs to no campaign's run. */
export const noQueue = '00000000-0000-0000-0000-000000000000';

/** A task: the fold of its events. */
export const table = defineEntity({
  name: 'OutboundTask',
  tableName: 'outbound_task',
  properties: {
    ...rowColumns,
    status: p.text().$type<TaskStatus>(),
    patientId: p.uuid(),
    phone: p.text(),
    isPhoneNamed: p.boolean(),
    phoneFrom: p.text(),
    /** Of the next attempt, or the one that is under way; once it is over, of the last. */
    channel: p.text().$type<Channel>(),
    /** Whether the channel was named; else others are tried as well. */
    isChannelNamed: p.boolean(),
    /** The channels of the attempts that were counted, in order. */
    tried: p.array().columnType('text[]').$type<Channel[]>(),
    /** Those that do not reach the person at this number. */
    deadChannels: p.array().columnType('text[]').$type<Channel[]>(),
    reason: p.text(),
    goal: p.text().nullable(),
    purpose: p.text().$type<Purpose>(),
    priority: p.integer(),
    scheduledFor: p.datetime(),
    /** When it is due; null while it is attempted, and once it is over. */
    nextAttemptAt: p.datetime().nullable(),
    nextAttemptReason: p.text().nullable(),
    window: p.json().$type<LocalWindow>().nullable(),
    validUntil: p.datetime().nullable(),
    maxAttempts: p.integer(),
    backoffSeconds: p.integer(),
    attempts: p.integer(),
    /** Attempts in a row that the carrier did not take: they are not counted, and wait longer and longer. */
    untaken: p.integer(),
    lastCallId: p.uuid().nullable(),
    /** When the last attempt that has ended was made; one that the carrier did not take is none. */
    lastAttemptAt: p.datetime().nullable(),
    lastOutcome: p.text().nullable(),
    decision: p.json().$type<ContactDecision>().nullable(),
    /** Until when the present attempt may take; null when none is under way. */
    leaseUntil: p.datetime().nullable(),
    /** The call in which it was promised; null: it was not. */
    derivedFromId: p.uuid().nullable(),
    /** The first call of the chain that its attempts are. */
    chainId: p.uuid().nullable(),
    serviceId: p.uuid().nullable(),
    campaignId: p.uuid().nullable(),
    triggerId: p.uuid().nullable(),
    /** The campaign's run that it is paced with; `noQueue`: none. */
    queueId: p.uuid(),
    origin: p.text().$type<CallOrigin>(),
    tags: p.array().columnType('text[]').$type<string[]>(),
    metadata: p.json().$type<Record<string, string>>(),
    cancelOn: p.array().columnType('text[]').$type<string[]>(),
    requestedBy: p.text(),
    createdAt: p.datetime(),
  },
  indexes: [
    { name: 'task_patient', properties: ['workspaceId', 'patientId', 'id'] },
    { name: 'task_status', properties: ['workspaceId', 'status', 'id'] },
    { name: 'task_priority', properties: ['workspaceId', 'priority', 'id'] },
    partialIndex('task_next', 'outbound_task (workspace_id, next_attempt_at)', `next_attempt_at is not null`),
    partialIndex('task_campaign', 'outbound_task (workspace_id, campaign_id, id)', `campaign_id is not null`),
    // Where the members of a run are.
    partialIndex('task_queue', 'outbound_task (workspace_id, queue_id, status)', `campaign_id is not null`),
    partialIndex(
      'task_derived',
      'outbound_task (workspace_id, derived_from_id)',
      `derived_from_id is not null`,
    ),
    partialIndex('task_trigger', 'outbound_task (workspace_id, trigger_id, id)', `trigger_id is not null`),
    // What is due is found by caller ID and priority, however many wait.
    partialIndex(
      'task_due',
      'outbound_task (workspace_id, phone_from, queue_id, priority, next_attempt_at)',
      `status in ('SCHEDULED', 'SNOOZED')`,
    ),
    partialIndex('task_lease', 'outbound_task (lease_until)', `status in ('DISPATCHED', 'RUNNING')`),
    partialIndex('task_phone', 'outbound_task (workspace_id, phone)', `status in ('SCHEDULED', 'SNOOZED')`),
    partialIndex(
      'task_cancel_on',
      'outbound_task (workspace_id, patient_id)',
      `status in ('SCHEDULED', 'SNOOZED') and cancel_on <> '{}'`,
    ),
  ],
});
/** One task. */
export interface OutboundTask extends InferEntity<typeof table> {}

/** What belongs to nobody. */
const unattributed = {
  serviceId: null,
  campaignId: null,
  triggerId: null,
  queueId: noQueue,
  origin: 'TASK' as const,
  tags: [],
  metadata: {},
  cancelOn: [],
  requestedBy: '',
};

export const blank = (id: string, workspaceId: string): OutboundTask => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  status: 'SCHEDULED',
  patientId: '',
  phone: '',
  isPhoneNamed: false,
  phoneFrom: '',
  channel: 'VOICE',
  isChannelNamed: false,
  tried: [],
  deadChannels: [],
  reason: '',
  goal: null,
  purpose: 'OTHER',
  priority: 5,
  scheduledFor: new Date(0),
  nextAttemptAt: null,
  nextAttemptReason: null,
  window: null,
  validUntil: null,
  maxAttempts: 1,
  backoffSeconds: 0,
  attempts: 0,
  untaken: 0,
  lastCallId: null,
  lastAttemptAt: null,
  lastOutcome: null,
  decision: null,
  leaseUntil: null,
  derivedFromId: null,
  chainId: null,
  ...unattributed,
  createdAt: new Date(0),
});

export function evolve(task: OutboundTask, event: Event<Fact>): OutboundTask {
  const { type, data } = event as unknown as Fact;
  switch (type) {
    case 'outbound.scheduled': {
      const { scheduledFor, validUntil, ...wanted } = data;
      const due = { scheduledFor: new Date(scheduledFor), nextAttemptAt: new Date(scheduledFor) };
      const until = { validUntil: validUntil === null ? null : new Date(validUntil) };
      return {
        ...task,
        ...wanted,
        ...due,
        ...until,
        nextAttemptReason: 'Scheduled for then.',
        createdAt: event.effectiveAt,
      };
    }
    case 'outbound.rescheduled':
      return { ...next(task, data), status: 'SCHEDULED', scheduledFor: new Date(data.scheduledFor) };
    case 'outbound.snoozed':
      return { ...next(task, data), status: 'SNOOZED' };
    case 'outbound.blocked':
      return { ...next(task, data), status: 'SCHEDULED', decision: data.decision, lastOutcome: 'blocked' };
    case 'outbound.dispatched':
      return dispatched(task, data);
    case 'outbound.running':
      return { ...task, status: 'RUNNING' };
    case 'outbound.attempt_failed':
      return failed(task, data);
    case 'outbound.completed':
      return { ...over(task, 'COMPLETED'), lastOutcome: data.outcome };
    default:
      return over(task, endings[type]);
  }
}

/** For how long an attempt may go on, in milliseconds: the longest call and ring, and time to look its end up. */
export const leaseMs = 900_000;

/** When the attempt that is under way was begun; null: none is. */
export const startOfAttempt = ({ leaseUntil }: OutboundTask): Date | null =>
  leaseUntil ? new Date(leaseUntil.getTime() - leaseMs) : null;

const endings = {
  'outbound.failed': 'FAILED',
  'outbound.timed_out': 'TIMED_OUT',
  'outbound.cancelled': 'CANCELLED',
} as const;

const next = (task: OutboundTask, data: Next | Never): OutboundTask => ({
  ...task,
  channel: data.channel ?? task.channel,
  phoneFrom: data.phoneFrom ?? task.phoneFrom,
  nextAttemptAt: data.nextAttemptAt === null ? null : new Date(data.nextAttemptAt),
  nextAttemptReason: data.nextAttemptReason,
});

function failed(task: OutboundTask, data: Failed): OutboundTask {
  const { counted, isDead, outcome } = data;
  const tried = counted ? [...task.tried, task.channel] : task.tried;
  const deadChannels = isDead ? [...task.deadChannels, task.channel] : task.deadChannels;
  return {
    ...next(task, data),
    status: 'SCHEDULED',
    leaseUntil: null,
    attempts: counted ? task.attempts : task.attempts - 1,
    untaken: counted ? 0 : task.untaken + 1,
    tried,
    deadChannels,
    lastAttemptAt: counted ? startOfAttempt(task) : (task.lastAttemptAt ?? null),
    lastOutcome: outcome,
  };
}

const over = (task: OutboundTask, status: TaskStatus): OutboundTask => ({
  ...task,
  status,
  nextAttemptAt: null,
  nextAttemptReason: null,
  leaseUntil: null,
  lastAttemptAt: startOfAttempt(task) ?? task.lastAttemptAt ?? null,
});

function dispatched(task: OutboundTask, data: Dispatched): OutboundTask {
  const { callId, phone, attempt: attempts, decision, chainId } = data;
  return {
    ...over(task, 'DISPATCHED'),
    phone,
    attempts,
    decision,
    leaseUntil: new Date(data.leaseUntil),
    lastCallId: callId,
    chainId,
  };
}

export const patientOf = (task: OutboundTask): string => task.patientId;
