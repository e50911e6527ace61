/** A reason to reach someone at some time; task-progress.ts tells what can happen to it. */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { CallOrigin } from './call.ts';
import type { Channel, ContactDecision, Purpose } from './consent.ts';
import { rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import type { LocalWindow } from './hours.ts';

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

/** What is known when a task is scheduled. Instants are ISO strings, because it is stored as JSON. */
export interface Wanted {
  patientId: string;
  phone: string;
  /** Whether the number was named; else the task follows the patient's own as it changes. */
  isPhoneNamed: boolean;
  /** The caller ID, resolved at once. */
  phoneFrom: string;
  channel: Channel;
  reason: string;
  goal: string | null;
  purpose: Purpose;
  /** 1 is the most urgent, 10 the least. */
  priority: number;
  scheduledFor: string;
  window: LocalWindow | null;
  validUntil: string | null;
  maxAttempts: number;
  backoffSeconds: number;
  serviceId: string | null;
  campaignId: string | null;
  triggerId: string | null;
  origin: CallOrigin;
  tags: string[];
  metadata: Record<string, string>;
  /** Types of events on this patient that make it pointless. */
  cancelOn: string[];
  requestedBy: string;
}

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
    channel: p.text().$type<Channel>(),
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
    /** When an attempt was last made; null when the carrier did not take it. */
    lastAttemptAt: p.datetime().nullable(),
    lastOutcome: p.text().nullable(),
    decision: p.json().$type<ContactDecision>().nullable(),
    /** Until when the present attempt may take; null when none is under way. */
    leaseUntil: p.datetime().nullable(),
    /** The first call of the chain that its attempts are. */
    chainId: p.uuid().nullable(),
    serviceId: p.uuid().nullable(),
    campaignId: p.uuid().nullable(),
    triggerId: p.uuid().nullable(),
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
    {
      name: 'task_next',
      expression: `create index task_next on outbound_task (workspace_id, next_attempt_at) where next_attempt_at is not null`,
    },
    {
      name: 'task_campaign',
      expression: `create index task_campaign on outbound_task (workspace_id, campaign_id, id) where campaign_id is not null`,
    },
    {
      name: 'task_trigger',
      expression: `create index task_trigger on outbound_task (workspace_id, trigger_id, id) where trigger_id is not null`,
    },
    {
      // What is due is found by caller ID and priority, however many wait.
      name: 'task_due',
      expression: `create index task_due on outbound_task (workspace_id, phone_from, priority, next_attempt_at) where status in ('SCHEDULED', 'SNOOZED')`,
    },
    {
      name: 'task_lease',
      expression: `create index task_lease on outbound_task (lease_until) where status in ('DISPATCHED', 'RUNNING')`,
    },
    {
      name: 'task_phone',
      expression: `create index task_phone on outbound_task (workspace_id, phone) where status in ('SCHEDULED', 'SNOOZED')`,
    },
    {
      name: 'task_cancel_on',
      expression: `create index task_cancel_on on outbound_task (workspace_id, patient_id) where status in ('SCHEDULED', 'SNOOZED') and cancel_on <> '{}'`,
    },
  ],
});
/** One task. */
export interface OutboundTask extends InferEntity<typeof table> {}

/** When it is tried next, and why then. */
export interface Next {
  /** ISO instant. */
  nextAttemptAt: string;
  nextAttemptReason: string;
}

/** An attempt that is about to be made. */
export interface Attempt {
  callId: string;
  phone: string;
  decision: ContactDecision;
  /** The first call of the chain that it belongs to. */
  chainId: string;
}

/** What can happen to a task. */
export type Fact = AnyFact &
  (
    | { type: 'outbound.scheduled'; data: Wanted }
    | { type: 'outbound.rescheduled'; data: Next & { scheduledFor: string } }
    | { type: 'outbound.snoozed'; data: Next }
    | { type: 'outbound.blocked'; data: { decision: ContactDecision } & (Next | Record<keyof Next, null>) }
    | {
        type: 'outbound.dispatched';
        data: Attempt & { attempt: number; leaseUntil: string };
      }
    | { type: 'outbound.running'; data: { callId: string } }
    | {
        type: 'outbound.attempt_failed';
        data: {
          callId: string;
          outcome: string;
          /** False when nothing was dialled: such an attempt does not count. */
          counted: boolean;
        } & (Next | Record<keyof Next, null>);
      }
    | { type: 'outbound.completed'; data: { callId: string; outcome: string } }
    | { type: 'outbound.failed' | 'outbound.timed_out' | 'outbound.cancelled'; data: { reason: string } }
  );

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
  chainId: null,
  serviceId: null,
  campaignId: null,
  triggerId: null,
  origin: 'TASK',
  tags: [],
  metadata: {},
  cancelOn: [],
  requestedBy: '',
  createdAt: new Date(0),
});

export function evolve(task: OutboundTask, event: Event<Fact>): OutboundTask {
  const { type, data } = event as unknown as Fact;
  const at = event.effectiveAt;
  switch (type) {
    case 'outbound.scheduled': {
      const { scheduledFor, validUntil, ...wanted } = data;
      const due = { scheduledFor: new Date(scheduledFor), nextAttemptAt: new Date(scheduledFor) };
      const until = validUntil === null ? null : new Date(validUntil);
      const nextAttemptReason = 'Scheduled for then.';
      return { ...task, ...wanted, ...due, validUntil: until, nextAttemptReason, createdAt: at };
    }
    case 'outbound.rescheduled':
      return { ...next(task, data), status: 'SCHEDULED', scheduledFor: new Date(data.scheduledFor) };
    case 'outbound.snoozed':
      return { ...next(task, data), status: 'SNOOZED' };
    case 'outbound.blocked':
      return { ...next(task, data), status: 'SCHEDULED', decision: data.decision, lastOutcome: 'blocked' };
    case 'outbound.dispatched':
      return dispatched(task, data, at);
    case 'outbound.running':
      return { ...task, status: 'RUNNING' };
    case 'outbound.attempt_failed': {
      const attempts = data.counted ? task.attempts : task.attempts - 1;
      const untaken = data.counted ? 0 : task.untaken + 1;
      const lastAttemptAt = data.counted ? task.lastAttemptAt : null;
      const again = { ...next(task, data), leaseUntil: null, status: 'SCHEDULED' as const };
      return { ...again, attempts, untaken, lastAttemptAt, lastOutcome: data.outcome };
    }
    case 'outbound.completed':
      return { ...over(task, 'COMPLETED'), lastOutcome: data.outcome };
    default:
      return over(task, endings[type]);
  }
}

const endings = {
  'outbound.failed': 'FAILED',
  'outbound.timed_out': 'TIMED_OUT',
  'outbound.cancelled': 'CANCELLED',
} as const;

const next = (task: OutboundTask, data: Next | Record<keyof Next, null>): OutboundTask => ({
  ...task,
  nextAttemptAt: data.nextAttemptAt === null ? null : new Date(data.nextAttemptAt),
  nextAttemptReason: data.nextAttemptReason,
});

const over = (task: OutboundTask, status: TaskStatus): OutboundTask => ({
  ...task,
  status,
  nextAttemptAt: null,
  nextAttemptReason: null,
  leaseUntil: null,
});

function dispatched(
  task: OutboundTask,
  data: Extract<Fact, { type: 'outbound.dispatched' }>['data'],
  at: Date,
): OutboundTask {
  const { callId, phone, attempt: attempts, decision, chainId } = data;
  return {
    ...over(task, 'DISPATCHED'),
    phone,
    attempts,
    decision,
    leaseUntil: new Date(data.leaseUntil),
    lastCallId: callId,
    lastAttemptAt: at,
    chainId,
  };
}

export const patientOf = (task: OutboundTask): string => task.patientId;
