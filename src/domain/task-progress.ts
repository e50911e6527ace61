/**
 * A reason to reach someone at some time: it waits, is attempted when it may be, and again as told.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> SCHEDULED: outbound.scheduled
 *   SCHEDULED --> SNOOZED
 *   SNOOZED --> SCHEDULED
 *   SCHEDULED --> DISPATCHED: the intent is recorded, then the carrier is asked
 *   DISPATCHED --> RUNNING: somebody answered
 *   DISPATCHED --> SCHEDULED: an attempt failed and some are left
 *   RUNNING --> SCHEDULED
 *   RUNNING --> COMPLETED
 *   DISPATCHED --> FAILED: no attempts left, or none makes sense
 *   RUNNING --> FAILED
 *   SCHEDULED --> FAILED: the gate says no for good
 *   SCHEDULED --> TIMED_OUT: its time is over
 *   DISPATCHED --> TIMED_OUT: nobody can tell how the attempt ended
 *   RUNNING --> TIMED_OUT
 *   SCHEDULED --> CANCELLED
 *   SNOOZED --> CANCELLED
 * ```
 */
import type { ContactBlock, ContactDecision } from './consent.ts';
import { InputRefusal, NotFoundRefusal, StateRefusal } from './refusal.ts';
import { leaseMs, waiting, type OutboundTask, type TaskStatus } from './task.ts';
import type { Attempt, Fact, Next, Wanted } from './task-fact.ts';

/** Records that someone is to be reached. */
export const schedule = (_task: OutboundTask, wanted: Wanted): Fact[] => [
  { type: 'outbound.scheduled', data: wanted },
];

/** Moves what waits to another time; an instant that has been is now. */
export function reschedule(task: OutboundTask, scheduledFor: Date, now: Date): Fact[] {
  mustWait(task, 'rescheduled');
  const at = new Date(Math.max(scheduledFor.getTime(), now.getTime()));
  mustBeValid(task, at, 'scheduledFor');
  const nextAttemptAt = at.toISOString();
  const data = { scheduledFor: nextAttemptAt, nextAttemptAt, nextAttemptReason: 'Rescheduled for then.' };
  return [{ type: 'outbound.rescheduled', data }];
}

/** Puts what waits aside for a while. */
export function snooze(task: OutboundTask, until: Date, reason: string | null, now: Date): Fact[] {
  mustWait(task, 'snoozed');
  if (until <= now) throw faulty('until', 'Must be in the future.');
  mustBeValid(task, until, 'until');
  const nextAttemptReason = `Snoozed until then${reason ? `: ${reason}` : ''}.`;
  return [{ type: 'outbound.snoozed', data: { nextAttemptAt: until.toISOString(), nextAttemptReason } }];
}

/** Takes what waits away. Its calls that are under way are ended by cancelCall. */
export function cancel(task: OutboundTask, reason: string | null): Fact[] {
  mustWait(task, 'cancelled');
  return [{ type: 'outbound.cancelled', data: { reason: reason ?? 'cancelled' } }];
}

/** How much sooner one level of priority is dispatched than the next, in milliseconds: five minutes. */
export const levelMs = 300_000;

/**
 * How long before it is due a task may be claimed, in milliseconds: what the claim takes is over when it is due, and it
 * is dialled then, not sooner.
 */
export const leadMs = 100;

/**
 * The order of dispatch: the smaller, the sooner. Whoever waits rises: a 10 that has been due for 45 minutes goes before
 * a 1 that becomes due now, so nobody starves however many urgent tasks arrive.
 */
export const rankOf = ({ nextAttemptAt, priority }: OutboundTask): number =>
  (nextAttemptAt?.getTime() ?? Infinity) + (priority - 1) * levelMs;

/** Whether a task is over. */
export const isOver = ({ status }: Pick<OutboundTask, 'status'>): boolean =>
  ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(status);

/** Whether a task waits for its next attempt. */
export const isWaiting = ({ status }: Pick<OutboundTask, 'status'>): boolean =>
  (waiting as readonly TaskStatus[]).includes(status);

/** Why a task is over without being achieved. */
export interface Ending {
  becomes: 'failed' | 'timed_out' | 'cancelled';
  reason: string;
}

/** Records that the gate said no: for now, with when to ask again, or for good. */
export function block(_task: OutboundTask, decision: ContactDecision, plan: Next | Ending): Fact[] {
  if (!('becomes' in plan)) return [{ type: 'outbound.blocked', data: { decision, ...plan } }];
  const never = { nextAttemptAt: null, nextAttemptReason: null };
  return [
    { type: 'outbound.blocked', data: { decision, ...never } },
    { type: `outbound.${plan.becomes}`, data: { reason: plan.reason } },
  ];
}

/** Moves a task to another channel, at the time that it was wanted, or ends it, because there is nothing to send with on its own. */
export function hinder(task: OutboundTask, plan: Next | Ending): Fact[] {
  if ('becomes' in plan) return [{ type: `outbound.${plan.becomes}`, data: { reason: plan.reason } }];
  return [{ type: 'outbound.rescheduled', data: { ...plan, scheduledFor: task.scheduledFor.toISOString() } }];
}

/** Blocks that go by, with time or with what is under way. The others end a task. */
export const passes = (reason: ContactBlock): boolean => passing.has(reason);

const passing = new Set<ContactBlock>([
  'OUTSIDE_CALLING_HOURS',
  'OUTSIDE_TASK_WINDOW',
  'OUTSIDE_PREFERRED_WINDOW',
  'TIME_ZONE_UNKNOWN',
  'FREQUENCY_CAP',
  'COOLDOWN',
  'ACTIVE_CONTACT',
  'OUTCOME_UNCERTAIN',
  'TASK_NO_LONGER_VALID',
]);

/** Records the attempt that is about to be made: before the carrier is asked. What was snoozed is scheduled again first. */
export function dispatch(task: OutboundTask, attempt: Attempt, now: Date): Fact[] {
  mustWait(task, 'attempted');
  const at = now.toISOString();
  const leaseUntil = new Date(now.getTime() + leaseMs).toISOString();
  const scheduledFor = task.scheduledFor.toISOString();
  const data = { scheduledFor, nextAttemptAt: at, nextAttemptReason: 'The snooze is over.' };
  return [
    ...(task.status === 'SNOOZED' ? [{ type: 'outbound.rescheduled' as const, data }] : []),
    { type: 'outbound.dispatched', data: { ...attempt, attempt: task.attempts + 1, leaseUntil } },
  ];
}

/** Records that somebody answered. */
export const run = (task: OutboundTask, callId: string): Fact[] =>
  task.status === 'DISPATCHED' && task.lastCallId === callId
    ? [{ type: 'outbound.running', data: { callId } }]
    : [];

/** Whether this call is the task's attempt that is under way. */
export const isAttemptedBy = (task: OutboundTask, callId: string): boolean =>
  task.lastCallId === callId && (task.status === 'DISPATCHED' || task.status === 'RUNNING');

/** What follows from the end of an attempt: nothing more, another try, or why there is none. */
export type Sequel =
  | { becomes: 'completed' }
  | ({ counted: boolean } & (({ becomes: 'scheduled'; isDead?: boolean } & Next) | Ending));

/** Records how an attempt ended; what is heard of an earlier one, or too late, changes nothing. */
export function endAttempt(
  task: OutboundTask,
  { callId, outcome }: { callId: string; outcome: string },
  sequel: Sequel,
): Fact[] {
  if (!isAttemptedBy(task, callId)) return [];
  // A callback that was lost leaves no gap: what was completed had been answered.
  if (sequel.becomes === 'completed')
    return [...run(task, callId), { type: 'outbound.completed', data: { callId, outcome } }];
  const { becomes, counted } = sequel;
  if (becomes === 'scheduled') {
    const { becomes: _, ...rest } = sequel;
    return [{ type: 'outbound.attempt_failed', data: { callId, outcome, ...rest } }];
  }
  const data = { callId, outcome, counted, nextAttemptAt: null, nextAttemptReason: null };
  return [
    { type: 'outbound.attempt_failed', data },
    { type: `outbound.${becomes}`, data: { reason: sequel.reason } },
  ];
}

/** Gives up an attempt of which nobody can tell how it ended, when its lease is over. */
export const timeOut = (task: OutboundTask, now: Date): Fact[] =>
  task.leaseUntil && task.leaseUntil <= now
    ? [{ type: 'outbound.timed_out', data: { reason: 'the attempt took longer than it may' } }]
    : [];

/** Refuses ILLEGAL_TRANSITION unless the task waits, and NOT_FOUND where there is none. */
export function mustWait(task: OutboundTask, verb: string): void {
  if (task.version === 0) throw noSuchTask(task.id);
  if (isWaiting(task)) return;
  const message = isOver(task)
    ? `This task is over and cannot be ${verb}.`
    : `This task is being attempted and cannot be ${verb}. Try again once its call has ended, or cancel the call.`;
  throw new StateRefusal('ILLEGAL_TRANSITION', message, task.status);
}

function mustBeValid({ validUntil }: OutboundTask, at: Date, field: string): void {
  if (validUntil && at >= validUntil)
    throw faulty(field, `Must be before validUntil, ${validUntil.toISOString()}.`);
}

const faulty = (field: string, message: string) => new InputRefusal([{ path: [field], message }]);

/** There is none with this id. */
export const noSuchTask = (id: string): NotFoundRefusal =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such task in this workspace.', id);
