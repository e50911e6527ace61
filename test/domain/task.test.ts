import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ContactBlock, ContactDecision } from '../../src/domain/consent.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask, TaskStatus } from '../../src/domain/task.ts';
import type { Fact, Wanted } from '../../src/domain/task-fact.ts';
import * as progress from '../../src/domain/task-progress.ts';
import { after, given, now } from '../support/given.ts';

const id = '00000000-0000-7000-8000-00000000bbbb';
const [callId, otherCallId] = [
  '00000000-0000-7000-8000-0000000000c1',
  '00000000-0000-7000-8000-0000000000c2',
];
const wanted: Wanted = {
  patientId: '00000000-0000-7000-8000-00000000cccc',
  phone: '+12125550100',
  isPhoneNamed: false,
  phoneFrom: '+14155550199',
  channel: 'VOICE',
  isChannelNamed: false,
  reason: 'Lab results are in',
  goal: null,
  purpose: 'LAB_RESULTS',
  priority: 5,
  scheduledFor: '2026-03-02T15:00:00.000Z',
  window: null,
  validUntil: '2026-03-09T15:00:00.000Z',
  maxAttempts: 3,
  backoffSeconds: 3_600,
  serviceId: null,
  campaignId: null,
  triggerId: null,
  origin: 'TASK',
  tags: ['labs'],
  metadata: { a: 'b' },
  cancelOn: ['appointment.cancelled'],
  requestedBy: 'key',
};
const decision = { allowed: true, blocks: [] as ContactBlock[] } as ContactDecision;
const [inAnHour, inAWeek] = ['2026-03-02T16:00:00.000Z', '2026-03-09T15:00:00.000Z'];
const leaseUntil = '2026-03-02T15:15:00.000Z';
const again = { nextAttemptAt: inAnHour, nextAttemptReason: 'Then.' };
const never = { nextAttemptAt: null, nextAttemptReason: null };

const scheduled: Fact = { type: 'outbound.scheduled', data: wanted };
const snoozed: Fact = { type: 'outbound.snoozed', data: again };
const attempt = { callId, phone: '+12125550100', decision, chainId: callId };
const dispatched: Fact = { type: 'outbound.dispatched', data: { ...attempt, attempt: 1, leaseUntil } };
const running: Fact = { type: 'outbound.running', data: { callId } };
const failedOnce: Fact = {
  type: 'outbound.attempt_failed',
  data: { callId, outcome: 'busy', counted: true, ...again },
};
const completed: Fact = { type: 'outbound.completed', data: { callId, outcome: 'completed' } };
const ended = (type: 'outbound.failed' | 'outbound.timed_out' | 'outbound.cancelled'): Fact => ({
  type,
  data: { reason: 'because' },
});

/** The shortest way to each status. */
const ways: Record<TaskStatus, Fact[]> = {
  SCHEDULED: [scheduled],
  SNOOZED: [scheduled, snoozed],
  DISPATCHED: [scheduled, dispatched],
  RUNNING: [scheduled, dispatched, running],
  COMPLETED: [scheduled, dispatched, running, completed],
  FAILED: [scheduled, ended('outbound.failed')],
  CANCELLED: [scheduled, ended('outbound.cancelled')],
  TIMED_OUT: [scheduled, dispatched, ended('outbound.timed_out')],
};
const waiting: TaskStatus[] = ['SCHEDULED', 'SNOOZED'];
const attempted: TaskStatus[] = ['DISPATCHED', 'RUNNING'];
const busyOrOver = tasks.statuses.filter((status) => !waiting.includes(status));
const over = busyOrOver.filter((status) => !attempted.includes(status));
const task = given(tasks);
const at = (status: TaskStatus) => task(...ways[status]);

test('the way to each status ends there', () => {
  for (const status of tasks.statuses) {
    const { row } = at(status);
    expect(row.status).toBe(status);
    expect(progress.isOver(row), status).toBe(over.includes(status));
    expect(progress.isWaiting(row), status).toBe(waiting.includes(status));
    expect(row.nextAttemptAt !== null, status).toBe(waiting.includes(status));
    expect(row.leaseUntil !== null, status).toBe(attempted.includes(status));
  }
});

test('what is scheduled is due when it was scheduled for, and keeps what was asked', () => {
  const { row } = at('SCHEDULED');
  const { scheduledFor, validUntil, ...rest } = wanted;
  expect(row).toMatchObject({
    ...rest,
    scheduledFor: new Date(scheduledFor),
    nextAttemptAt: new Date(scheduledFor),
    validUntil: new Date(validUntil!),
    attempts: 0,
    createdAt: now,
    version: 1,
  });
  expect(tasks.patientOf(row)).toBe(wanted.patientId);
  expect(progress.schedule(tasks.blank(id, id), wanted)).toEqual([scheduled]);
});

const inTheFuture = new Date(inAnHour);
const decisions: Record<string, (row: OutboundTask) => Fact[]> = {
  reschedule: (row) => progress.reschedule(row, inTheFuture, now),
  snooze: (row) => progress.snooze(row, inTheFuture, null, now),
  cancel: (row) => progress.cancel(row, null),
  dispatch: (row) => progress.dispatch(row, attempt, now),
};

test('only what waits is rescheduled, snoozed, cancelled or attempted', () => {
  for (const decide of Object.values(decisions)) {
    for (const status of waiting) expect(decide(at(status).row), status).not.toEqual([]);
    for (const status of busyOrOver) at(status).when(decide).refused('ILLEGAL_TRANSITION');
    task().when(decide).refused('NOT_FOUND');
  }
});

test('a refusal says what can be done instead', () => {
  const cancel = (status: TaskStatus) => () => progress.cancel(at(status).row, null);
  expect(cancel('RUNNING')).toThrow(/Try again once its call has ended, or cancel the call/);
  expect(cancel('COMPLETED')).toThrow('This task is over and cannot be cancelled.');
});

test('another time takes the place of the one before, also of a snooze; one that has been is now', () => {
  const to = (when: string) => ({
    type: 'outbound.rescheduled',
    data: { scheduledFor: when, nextAttemptAt: when, nextAttemptReason: 'Rescheduled for then.' },
  });
  for (const status of waiting) {
    at(status).when(decisions['reschedule']!).then(to(inAnHour));
    at(status)
      .when((row) => progress.reschedule(row, new Date(0), now))
      .then(to(now.toISOString()));
  }
  const row = after(tasks, ...ways.SNOOZED, to(inAnHour) as Fact);
  expect(row).toMatchObject({
    status: 'SCHEDULED',
    scheduledFor: inTheFuture,
    nextAttemptAt: inTheFuture,
    nextAttemptReason: 'Rescheduled for then.',
  });
});

test('what is snoozed says for what reason, and must be snoozed into the future', () => {
  at('SCHEDULED')
    .when((row) => progress.snooze(row, inTheFuture, 'on holiday', now))
    .then({
      type: 'outbound.snoozed',
      data: { nextAttemptAt: inAnHour, nextAttemptReason: 'Snoozed until then: on holiday.' },
    });
  at('SCHEDULED')
    .when((row) => progress.snooze(row, now, null, now))
    .refused('INVALID_INPUT');
  expect(at('SNOOZED').row).toMatchObject({ status: 'SNOOZED', nextAttemptAt: inTheFuture });
});

test('nothing is moved to when it is no longer valid', () => {
  const until = new Date(inAWeek);
  const before = new Date(until.getTime() - 1);
  for (const decide of [
    progress.reschedule,
    (row: OutboundTask, to: Date) => progress.snooze(row, to, null, now),
  ]) {
    expect(decide(at('SCHEDULED').row, before, now)).toHaveLength(1);
    at('SCHEDULED')
      .when((row) => decide(row, until, now))
      .refused('INVALID_INPUT');
  }
});

test('a task is cancelled with its reason', () => {
  at('SNOOZED')
    .when((row) => progress.cancel(row, 'moved away'))
    .then({ type: 'outbound.cancelled', data: { reason: 'moved away' } });
  at('SCHEDULED')
    .when((row) => progress.cancel(row, null))
    .then({ type: 'outbound.cancelled', data: { reason: 'cancelled' } });
});

test('an attempt is counted when it is recorded, and has a lease; a snooze ends with it', () => {
  at('SCHEDULED').when(decisions['dispatch']!).then(dispatched);
  at('SNOOZED')
    .when(decisions['dispatch']!)
    .then(
      {
        type: 'outbound.rescheduled',
        data: {
          scheduledFor: wanted.scheduledFor,
          nextAttemptAt: now.toISOString(),
          nextAttemptReason: 'The snooze is over.',
        },
      },
      dispatched,
    );
  expect(at('DISPATCHED').row).toMatchObject({
    attempts: 1,
    lastCallId: callId,
    chainId: callId,
    decision,
    leaseUntil: new Date(leaseUntil),
    nextAttemptReason: null,
  });
  expect(tasks.startOfAttempt(at('DISPATCHED').row)).toEqual(now);
});

test('the second attempt is counted as the second', () =>
  task(scheduled, dispatched, failedOnce)
    .when((row) => progress.dispatch(row, { ...attempt, callId: otherCallId }, now))
    .then({
      type: 'outbound.dispatched',
      data: { ...attempt, callId: otherCallId, attempt: 2, leaseUntil },
    }));

test('somebody answers the call of the attempt, once, and no other', () => {
  const answer = (row: OutboundTask) => progress.run(row, callId);
  at('DISPATCHED').when(answer).then(running);
  for (const status of tasks.statuses) if (status !== 'DISPATCHED') at(status).when(answer).then();
  at('DISPATCHED')
    .when((row) => progress.run(row, otherCallId))
    .then();
});

test('only the call of an attempt that is under way is its attempt', () => {
  for (const status of tasks.statuses) {
    expect(progress.isAttemptedBy(at(status).row, callId), status).toBe(attempted.includes(status));
    expect(progress.isAttemptedBy(at(status).row, otherCallId), status).toBe(false);
  }
});

const heard = { callId, outcome: 'busy' };
const sequels: [progress.Sequel, Fact[]][] = [
  [{ becomes: 'scheduled', counted: true, ...again }, [failedOnce]],
  ...(['failed', 'timed_out', 'cancelled'] as const).map((becomes): [progress.Sequel, Fact[]] => [
    { becomes, counted: true, reason: 'because' },
    [
      { type: 'outbound.attempt_failed', data: { ...heard, counted: true, ...never } },
      ended(`outbound.${becomes}`),
    ],
  ]),
];

test('an attempt ends with what follows from it', () => {
  for (const status of attempted) {
    for (const [sequel, facts] of sequels) {
      at(status)
        .when((row) => progress.endAttempt(row, heard, sequel))
        .then(...facts);
    }
  }
  const end = (row: OutboundTask) =>
    progress.endAttempt(row, { callId, outcome: 'completed' }, { becomes: 'completed' });
  at('RUNNING').when(end).then(completed);
});

test('what was completed had been answered, also when nobody told so', () =>
  at('DISPATCHED')
    .when((row) => progress.endAttempt(row, { callId, outcome: 'completed' }, { becomes: 'completed' }))
    .then(running, completed));

test('the end of another attempt, or one that comes too late, changes nothing', () => {
  for (const [sequel] of [...sequels, [{ becomes: 'completed' }] as [progress.Sequel]]) {
    for (const status of attempted) {
      at(status)
        .when((row) => progress.endAttempt(row, { ...heard, callId: otherCallId }, sequel))
        .then();
    }
    for (const status of [...waiting, ...over]) {
      at(status)
        .when((row) => progress.endAttempt(row, heard, sequel))
        .then();
    }
  }
});

test('an attempt that failed waits for the next; one that was not taken is not counted, and leaves the last one as it was', () => {
  const once = after(tasks, scheduled, dispatched, running, failedOnce);
  expect(once).toMatchObject({
    status: 'SCHEDULED',
    attempts: 1,
    untaken: 0,
    lastOutcome: 'busy',
    lastAttemptAt: now,
    leaseUntil: null,
    nextAttemptAt: inTheFuture,
    nextAttemptReason: 'Then.',
  });
  const second: Fact = {
    type: 'outbound.dispatched',
    data: { ...attempt, callId: otherCallId, attempt: 2, leaseUntil: '2026-03-02T19:15:00.000Z' },
  };
  const untaken: Fact = {
    type: 'outbound.attempt_failed',
    data: { callId: otherCallId, outcome: 'carrier_unavailable', counted: false, ...again },
  };
  const twice = after(tasks, scheduled, dispatched, failedOnce, second, untaken);
  expect(twice).toMatchObject({ status: 'SCHEDULED', attempts: 1, untaken: 1, lastAttemptAt: now });
  const third = after(tasks, scheduled, dispatched, failedOnce, second, untaken, second, failedOnce);
  expect(third).toMatchObject({ attempts: 2, untaken: 0, lastAttemptAt: new Date('2026-03-02T19:00:00Z') });
});

test("the gate's no moves a task, or ends it, with the decision", () => {
  const no = { ...decision, allowed: false };
  at('SCHEDULED')
    .when((row) => progress.block(row, no, again))
    .then({ type: 'outbound.blocked', data: { decision: no, ...again } });
  at('SCHEDULED')
    .when((row) => progress.block(row, no, { becomes: 'failed', reason: 'because' }))
    .then({ type: 'outbound.blocked', data: { decision: no, ...never } }, ended('outbound.failed'));
  const row = after(tasks, ...ways.SNOOZED, { type: 'outbound.blocked', data: { decision: no, ...again } });
  expect(row).toMatchObject({
    status: 'SCHEDULED',
    decision: no,
    lastOutcome: 'blocked',
    attempts: 0,
    nextAttemptAt: inTheFuture,
  });
});

test('what has nothing to send with goes to another channel when it was wanted, or ends', () => {
  const plan = { ...again, channel: 'VOICE' as const, phoneFrom: '+14155550198' };
  at('SCHEDULED')
    .when((row) => progress.hinder(row, plan))
    .then({ type: 'outbound.rescheduled', data: { ...plan, scheduledFor: wanted.scheduledFor } });
  at('SCHEDULED')
    .when((row) => progress.hinder(row, { becomes: 'failed', reason: 'because' }))
    .then(ended('outbound.failed'));
});

test('an attempt is given up when its lease is over, and not a millisecond before', () => {
  const end = new Date(leaseUntil);
  for (const status of attempted) {
    at(status)
      .when((row) => progress.timeOut(row, end))
      .then({ type: 'outbound.timed_out', data: { reason: 'the attempt took longer than it may' } });
    at(status)
      .when((row) => progress.timeOut(row, new Date(end.getTime() - 1)))
      .then();
  }
  for (const status of [...waiting, ...over]) {
    at(status)
      .when((row) => progress.timeOut(row, new Date(inAWeek)))
      .then();
  }
});

const dueAfter = (minutes: number, priority: number) => ({
  ...at('SCHEDULED').row,
  priority,
  nextAttemptAt: new Date(now.getTime() + minutes * 60_000),
});

test('a 10 that has been due for 45 minutes goes before a 1 that is due now, and not a minute sooner', () => {
  const urgent = progress.rankOf(dueAfter(0, 1));
  expect(progress.rankOf(dueAfter(-46, 10))).toBeLessThan(urgent);
  expect(progress.rankOf(dueAfter(-45, 10))).toBe(urgent);
  expect(progress.rankOf(dueAfter(-44, 10))).toBeGreaterThan(urgent);
  expect(progress.rankOf(at('RUNNING').row)).toBe(Infinity);
});

test('of two tasks the same one goes first whenever one asks, and nobody is overtaken for more than 45 minutes', () => {
  const waits = fc.tuple(fc.integer({ min: -600, max: 600 }), fc.integer({ min: 1, max: 10 }));
  fc.assert(
    fc.property(
      waits,
      waits,
      fc.nat({ max: 100_000 }),
      ([due, priority], [otherDue, otherPriority], passed) => {
        const [one, other] = [dueAfter(due, priority), dueAfter(otherDue, otherPriority)];
        const isFirst = progress.rankOf(one) < progress.rankOf(other);
        // How urgent a task has become after a time of waiting: each five minutes count as a level.
        const urgency = (task: OutboundTask) =>
          task.priority - (now.getTime() + passed * 1000 - task.nextAttemptAt!.getTime()) / progress.levelMs;
        expect(isFirst).toBe(urgency(one) < urgency(other) - 1e-9);
        if (otherDue - due > 45) expect(isFirst).toBe(true);
      },
    ),
  );
});
