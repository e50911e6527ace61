import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endOfCall, outcomeOf, verdictOf } from '../../src/domain/attempt-end.ts';
import { localTimeAt } from '../../src/domain/calendar.ts';
import type { AnsweredBy, CallStatus } from '../../src/domain/call.ts';
import { statuses } from '../../src/domain/call.ts';
import { blocks, type ContactBlock } from '../../src/domain/consent.ts';
import * as contacts from '../../src/domain/contact.ts';
import { decide, zoneOf } from '../../src/domain/gate.ts';
import type { LocalWindow } from '../../src/domain/hours.ts';
import * as patients from '../../src/domain/patient.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask } from '../../src/domain/task.ts';
import type { Next } from '../../src/domain/task-fact.ts';
import type { Sequel } from '../../src/domain/task-progress.ts';
import { afterBlock, backoffMs, partOf, sequelOf } from '../../src/domain/task-retry.ts';
import { wordsOfBlocks, wordsOfDuration } from '../../src/domain/task-words.ts';
import { openPolicy } from '../../src/domain/workspace.ts';
import { after } from '../support/given.ts';

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];
const patientId = '00000000-0000-7000-8000-00000000cccc';
const blank = tasks.blank(patientId, patientId);

/** A task whose first of three attempts is under way since ten minutes. */
const taskAt = (now: Date, more: Partial<OutboundTask> = {}): OutboundTask => ({
  ...blank,
  status: 'DISPATCHED',
  attempts: 1,
  maxAttempts: 3,
  backoffSeconds: 3_600,
  leaseUntil: new Date(now.getTime() - 10 * minuteMs + tasks.leaseMs),
  ...more,
});

interface Setting {
  task: OutboundTask;
  now: Date;
  zone?: string;
  phone?: string;
  optedOut?: boolean;
  open?: ('ACTIVE' | 'UNCERTAIN')[];
  recent?: Date[];
  cooldownMinutes?: number;
}

/** What the real gate says of a person in this zone, at any time. */
function circumstancesOf(setting: Setting) {
  const { task, now, zone = 'America/New_York', phone = '+12125550100' } = setting;
  const attributes = { name: 'Ada', phone, timeZone: zone };
  const patient = after(patients, { type: 'patient.registered', data: { canonicalId: null, attributes } });
  const given = contacts.giveToProvider(after(contacts), {
    phone,
    patientId,
    source: 'ehr',
    at: new Date(0),
  });
  const contact = { ...after(contacts, ...given), optedOutAt: setting.optedOut ? now : null };
  const decisionAt = (at: Date) =>
    decide({
      patient: { ...patient, id: patientId },
      phone,
      contact,
      channel: 'VOICE',
      purpose: 'LAB_RESULTS',
      claimed: null,
      open: setting.open ?? [],
      recent: setting.recent ?? [],
      policy: { ...openPolicy, caps: { ...openPolicy.caps, cooldownMinutes: setting.cooldownMinutes ?? 0 } },
      task: { window: task.window ?? null, validUntil: task.validUntil ?? null },
      ringSeconds: 30,
      now: at,
    });
  const choice = { senders: [], preferred: null, worked: [] };
  return { now, zone: zoneOf(decisionAt(now)), decisionAt, choice };
}

const unanswered = {
  id: patientId,
  status: 'NO_ANSWER' as CallStatus,
  endedReason: 'no_answer',
  answeredBy: null,
  outcome: null,
};
const ended = (setting: Setting, call: Partial<typeof unanswered> = {}, isUntaken = false) =>
  sequelOf(setting.task, endOfCall({ ...unanswered, ...call }, isUntaken), circumstancesOf(setting));
const blocked = (setting: Setting) => {
  const circumstances = circumstancesOf(setting);
  return afterBlock(setting.task, circumstances.decisionAt(setting.now), circumstances);
};

const retry = 'retry';
const done = 'done';
const giveUp = 'give up';
const everybody: (AnsweredBy | null)[] = [null, 'HUMAN', 'MACHINE', 'FAX', 'UNKNOWN'];
const everything = [
  null,
  'confirmed',
  'declined',
  'callback_requested',
  'left_message',
  'unresolved',
  'opted_out',
  'wrong_person',
  'a word of the agent',
];

test('what was achieved decides of a call that came about, who had answered where nothing is said, else the transport', () => {
  const [achieved, answered, transport] = [
    { unresolved: retry, opted_out: giveUp, wrong_person: giveUp } as Record<string, string>,
    { MACHINE: retry, FAX: giveUp } as Record<string, string>,
    { CANCELED: giveUp } as Record<string, string>,
  ];
  for (const status of statuses) {
    for (const answeredBy of everybody) {
      for (const word of everything) {
        const verdict =
          status !== 'COMPLETED'
            ? (transport[status] ?? retry)
            : word === null
              ? (answered[answeredBy ?? ''] ?? done)
              : word === 'left_message' && answeredBy === 'MACHINE'
                ? retry // the person may not have heard it
                : (achieved[word] ?? done);
        const call = { status, endedReason: null, answeredBy };
        expect(verdictOf(call, word), `${status}, ${answeredBy}, ${word}`).toBe(verdict);
      }
    }
  }
});

test('a number that reaches nobody is given up, trouble on the way is tried again', () => {
  const verdicts = {
    [giveUp]: ['failed_sip_404', 'failed_sip_410', 'failed_sip_484', 'failed_sip_604', 'failed_sip_607'],
    [retry]: [
      'failed',
      'failed_sip_408',
      'failed_sip_480',
      'failed_sip_500',
      'failed_sip_503',
      'failed_sip_603',
    ],
  };
  verdicts[giveUp].push('carrier_rejected', 'carrier_rejected_21211');
  verdicts[retry].push('carrier_unavailable', 'never_reached_carrier', 'unknown_to_carrier');
  for (const [verdict, reasons] of Object.entries(verdicts)) {
    for (const endedReason of reasons) {
      expect(verdictOf({ status: 'FAILED', endedReason, answeredBy: null }, null), endedReason).toBe(verdict);
    }
  }
});

test('an outcome names who answered when it was no person', () => {
  expect(outcomeOf({ endedReason: 'completed', answeredBy: 'HUMAN' })).toBe('completed');
  expect(outcomeOf({ endedReason: 'completed', answeredBy: 'MACHINE' })).toBe('completed_by_machine');
  expect(outcomeOf({ endedReason: 'completed', answeredBy: 'FAX' })).toBe('completed_by_fax');
  expect(outcomeOf({ endedReason: null, answeredBy: null })).toBe('unknown');
});

test('the wait doubles with each attempt, is shorter the more urgent, and never longer than a week', () => {
  const wait = (attempts: number, priority = 5, backoffSeconds = 3_600) =>
    backoffMs({ ...blank, attempts, priority, backoffSeconds });
  expect([1, 2, 3, 4].map((attempts) => wait(attempts) / hourMs)).toEqual([1, 2, 4, 8]);
  expect([1, 5, 10].map((priority) => wait(1, priority) / minuteMs)).toEqual([12, 60, 120]);
  const numbers = fc.record({
    attempts: fc.integer({ min: 1, max: 20 }),
    priority: fc.integer({ min: 1, max: 10 }),
    backoffSeconds: fc.nat({ max: 604_800 }),
  });
  fc.assert(
    fc.property(numbers, ({ attempts, priority, backoffSeconds }) => {
      const waited = wait(attempts, priority, backoffSeconds);
      expect(wait(attempts + 1, priority, backoffSeconds)).toBeGreaterThanOrEqual(waited);
      expect(wait(attempts, priority + 1, backoffSeconds)).toBeGreaterThanOrEqual(waited);
      expect(waited).toBeGreaterThanOrEqual(0);
      expect(waited).toBeLessThanOrEqual(7 * dayMs);
    }),
  );
});

const part = (at: string, zone = 'America/New_York') => {
  const { part, endsAt } = partOf(new Date(at), zone);
  return [part, endsAt.toISOString().replace(':00.000Z', 'Z')];
};

test('a day has twelve parts of two hours on its own clock', () => {
  expect(part('2026-03-03T15:00:00Z')).toEqual([5, '2026-03-03T17:00Z']); // 10:00
  expect(part('2026-03-03T16:59:59.999Z')).toEqual([5, '2026-03-03T17:00Z']);
  expect(part('2026-03-03T17:00:00Z')).toEqual([6, '2026-03-03T19:00Z']);
  expect(part('2026-03-03T05:00:00Z')).toEqual([0, '2026-03-03T07:00Z']); // midnight
  expect(part('2026-03-03T04:59:59Z')).toEqual([11, '2026-03-03T05:00Z']);
});

test('on the days when the clock is changed its hours count, not those that have passed', () => {
  expect(part('2026-03-08T06:30:00Z')).toEqual([0, '2026-03-08T07:00Z']); // 1:30; at 2:00 it is 3:00
  expect(part('2026-03-08T07:00:00Z')).toEqual([1, '2026-03-08T08:00Z']);
  expect(part('2026-03-08T14:30:00Z')).toEqual([5, '2026-03-08T16:00Z']);
  expect(part('2026-11-01T05:30:00Z')).toEqual([0, '2026-11-01T06:00Z']); // 1:30; at 2:00 it is 1:00 again
  expect(part('2026-11-01T06:30:00Z')).toEqual([0, '2026-11-01T07:00Z']);
  expect(part('2026-11-01T15:30:00Z')).toEqual([5, '2026-11-01T17:00Z']);
  expect(part('2026-03-29T00:30:00Z', 'Europe/London')).toEqual([0, '2026-03-29T01:00Z']); // 0:30; at 1:00 it is 2:00
});

const places = fc.constantFrom(
  ['America/New_York', '+12125550100'],
  ['America/Chicago', '+13125550100'],
  ['America/Denver', '+13035550100'],
  ['America/Phoenix', '+16025550100'],
  ['America/Los_Angeles', '+12135550100'],
  ['America/Anchorage', '+19075550100'],
  ['Pacific/Honolulu', '+18085550100'],
  ['America/Puerto_Rico', '+17875550100'],
  ['America/New_York', '+18085550100'], // moved, and kept the number: both must be open
);
const instants = fc
  .oneof(
    fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) }),
    fc.integer({ min: Date.UTC(2026, 2, 6), max: Date.UTC(2026, 2, 10) }),
    fc.integer({ min: Date.UTC(2026, 9, 30), max: Date.UTC(2026, 10, 3) }),
  )
  .map((ms) => new Date(ms));
const hour = (count: number) => `${String(count % 24).padStart(2, '0')}:00`;
const windows: fc.Arbitrary<LocalWindow | null> = fc
  .option(
    fc.record({
      weekdays: fc.constantFrom<number[]>([], [1, 2, 3, 4, 5], [2], [6, 7]),
      from: fc.integer({ min: 7, max: 17 }),
      hours: fc.integer({ min: 1, max: 12 }),
    }),
  )
  .map(
    (given) =>
      given && {
        weekdays: given.weekdays,
        opensAt: hour(given.from),
        closesAt: hour(given.from + given.hours),
      },
  );

/** What a plan is made from: where, when, and a task. */
const settings = fc
  .record({
    place: places,
    now: instants,
    window: windows,
    validFor: fc.option(fc.integer({ min: -hourMs, max: 12 * dayMs })),
    scheduledIn: fc.integer({ min: -3 * dayMs, max: 2 * dayMs }),
    lastAgo: fc.option(fc.integer({ min: 0, max: 9 * dayMs })),
    attempts: fc.integer({ min: 1, max: 5 }),
    left: fc.integer({ min: 0, max: 3 }),
    untaken: fc.nat({ max: 12 }),
    priority: fc.integer({ min: 1, max: 10 }),
    backoffSeconds: fc.oneof(fc.nat({ max: 4 * 3_600 }), fc.nat({ max: 604_800 })),
    cooldownMinutes: fc.constantFrom(0, 0, 90, 2_000),
  })
  .map(({ place: [zone, phone], now, window, validFor, scheduledIn, lastAgo, left, ...rest }) => {
    const { attempts, untaken, priority, backoffSeconds, cooldownMinutes } = rest;
    const from = (ms: number) => new Date(now.getTime() + ms);
    const task = taskAt(now, {
      attempts,
      untaken,
      priority,
      backoffSeconds,
      window,
      maxAttempts: attempts + left,
      validUntil: validFor === null ? null : from(validFor),
      scheduledFor: from(scheduledIn),
      lastAttemptAt: lastAgo === null ? null : from(-lastAgo),
    });
    const began = tasks.startOfAttempt(task)!;
    return { task, now, zone, phone, cooldownMinutes, recent: [began] };
  });

const localHour = (at: Date, zone: string) => Number(localTimeAt(at, zone).slice(11, 13));
const clockPart = (at: Date, zone: string) => Math.floor(localHour(at, zone) / 2);

test('a part is what the clock says, until its end', () => {
  fc.assert(
    fc.property(instants, places, (at, [zone]) => {
      const { part, endsAt } = partOf(at, zone);
      expect(part).toBe(clockPart(at, zone));
      expect(endsAt.getTime()).toBeGreaterThan(at.getTime());
      expect(clockPart(new Date(endsAt.getTime() - 1), zone)).toBe(part);
    }),
  );
});

/** Whether the hours of a window have begun and are not over; of no window they always are. */
function isWithin(window: LocalWindow | null, at: Date, zone: string): boolean {
  if (!window) return true;
  const [opens, closes] = [Number(window.opensAt.slice(0, 2)), Number(window.closesAt.slice(0, 2))];
  const hour = localHour(at, zone);
  return closes > opens ? hour >= opens && hour < closes : hour >= opens || hour < closes;
}

/** Full hours at which the gate says yes, before the task's time is over: whatever opens, opens at one. */
function* lawful({ task, ...setting }: Setting, from: Date, until: Date) {
  const { decisionAt } = circumstancesOf({ task, ...setting, open: [] });
  const { window } = task;
  const step = hourMs;
  for (let ms = Math.ceil(from.getTime() / step) * step; ms < until.getTime(); ms += step) {
    const at = new Date(ms);
    const isDay = localHour(at, setting.zone ?? '') >= 8 && localHour(at, setting.zone ?? '') < 20;
    // The gate looks far ahead where it says no: it is asked only where it may say yes.
    if (isDay && isWithin(window ?? null, at, setting.zone ?? '') && decisionAt(at).allowed) yield at;
  }
}

/** Holds a plan for the next try to all that must be true of it. */
function checkNext(setting: Setting, next: { nextAttemptAt: string }, lastAt: Date | null, earliest: number) {
  const at = new Date(next.nextAttemptAt);
  const { decisionAt, zone } = circumstancesOf({ ...setting, open: [] });
  const { validUntil } = setting.task;
  expect(at.getTime()).toBeGreaterThanOrEqual(earliest);
  if (validUntil) expect(at.getTime()).toBeLessThan(validUntil.getTime());
  expect(decisionAt(at)).toMatchObject({ allowed: true, blocks: [] });
  const last = lastAt && clockPart(lastAt, zone);
  const within = (ms: number) => new Date(at.getTime() + ms);
  if (last === clockPart(at, zone)) {
    for (const other of lawful(setting, at, within(8 * dayMs))) expect(clockPart(other, zone)).toBe(last);
  }
  // Nor later than it must be, as far as one looks back.
  for (const other of lawful(setting, new Date(Math.max(earliest, at.getTime() - dayMs)), at)) {
    expect(clockPart(other, zone)).toBe(last);
  }
}

/** Holds it to be right that there is no next try. */
function checkNever(setting: Setting, becomes: string, earliest: number) {
  const { validUntil } = setting.task;
  expect(becomes).toBe(validUntil ? 'timed_out' : 'failed');
  const until = validUntil ?? new Date(earliest + 8 * dayMs);
  expect(lawful(setting, new Date(earliest), until).next().done).toBe(true);
}

test('after an attempt the next is lawful, late enough, in time, and at another part of the day, or there is none', () => {
  fc.assert(
    fc.property(settings, (setting) => {
      const { task, now } = setting;
      const sequel: Sequel = ended(setting);
      if (task.attempts >= task.maxAttempts) {
        const reason = 'no answer, and no attempts are left';
        expect(sequel).toEqual({ becomes: 'failed', counted: true, reason });
        return;
      }
      const backoff = Math.min(
        7 * dayMs,
        task.backoffSeconds * 1000 * 2 ** (task.attempts - 1) * (task.priority / 5),
      );
      const earliest = Math.max(now.getTime() + Math.floor(backoff), task.scheduledFor.getTime());
      if (sequel.becomes === 'scheduled') checkNext(setting, sequel, tasks.startOfAttempt(task), earliest);
      else checkNever(setting, sequel.becomes, earliest);
      expect(sequel).toMatchObject({ counted: true });
    }),
    { numRuns: 100 },
  );
});

test('what the carrier did not take is not counted, comes again in seconds, then in minutes, and keeps clear of the last real attempt', () => {
  fc.assert(
    fc.property(settings, (given) => {
      const setting = { ...given, recent: [] };
      const { task, now } = setting;
      const sequel: Sequel = ended(setting, { status: 'FAILED', endedReason: 'carrier_unavailable' }, true);
      expect(sequel).toMatchObject({ counted: false });
      const earliest = Math.max(
        now.getTime() + Math.min(900_000, 15_000 * 2 ** task.untaken),
        task.scheduledFor.getTime(),
      );
      if (sequel.becomes === 'scheduled') checkNext(setting, sequel, task.lastAttemptAt ?? null, earliest);
      else checkNever(setting, sequel.becomes, earliest);
    }),
    { numRuns: 100 },
  );
});

test("after the gate's no the next try is when it says yes, at another part of the day than the last attempt, or there is none", () => {
  const open = fc.constantFrom<('ACTIVE' | 'UNCERTAIN')[]>([], ['ACTIVE'], ['UNCERTAIN']);
  fc.assert(
    fc.property(settings, open, (given, open) => {
      const setting: Setting = { ...given, open };
      const { task, now } = setting;
      const { decisionAt } = circumstancesOf(setting);
      if (decisionAt(now).allowed) return;
      const next = blocked(setting);
      const earliest = now.getTime() + (open.length > 0 ? minuteMs : 0);
      if ('becomes' in next) checkNever(setting, next.becomes, earliest);
      else checkNext(setting, next, task.lastAttemptAt ?? null, earliest);
    }),
    { numRuns: 100 },
  );
});

/** Tuesday, 10:00 in New York. */
const morning = new Date('2026-03-03T15:00:00Z');
const planned = (next: object) => ('nextAttemptAt' in next ? next : expect.fail(JSON.stringify(next)));
const told = (setting: Partial<Setting> = {}, call: Partial<typeof unanswered> = {}, isUntaken = false) =>
  planned(ended({ now: morning, task: taskAt(morning), ...setting }, call, isUntaken));

test('who did not answer in the morning is called at noon', () => {
  expect(told({ task: taskAt(morning, { attempts: 2 }) })).toMatchObject({
    nextAttemptAt: '2026-03-03T17:00:00.000Z',
    nextAttemptReason: 'Attempt 2 of 3: no answer. Next try after 2 hours.',
  });
  const urgent = taskAt(morning, { priority: 1, leaseUntil: new Date(morning.getTime() + tasks.leaseMs) });
  expect(told({ task: urgent })).toMatchObject({
    nextAttemptAt: '2026-03-03T17:00:00.000Z',
    nextAttemptReason: 'Attempt 1 of 3: no answer. Next try after 12 minutes, at another time of day.',
  });
});

test('what comes next is told in words', () => {
  const evening = new Date('2026-03-04T00:30:00Z');
  const why = (next: object) => (planned(next) as Next).nextAttemptReason;
  expect(why(told({ now: evening, task: taskAt(evening) }, { status: 'BUSY', endedReason: 'busy' }))).toBe(
    'Attempt 1 of 3: busy. Next try after 1 hour, when calls are allowed.',
  );
  const window = { weekdays: [], opensAt: '18:00', closesAt: '21:00' };
  const only = taskAt(evening, { window, backoffSeconds: 5_400 });
  const machine = { status: 'COMPLETED' as const, endedReason: 'completed', answeredBy: 'MACHINE' };
  expect(why(told({ now: evening, task: only }, machine as never))).toBe(
    'Attempt 1 of 3: answered by a machine. Next try after 1 hour 30 minutes, when calls are allowed.',
  );
  expect(why(told({}, { status: 'FAILED', endedReason: 'failed_sip_503' }))).toBe(
    'Attempt 1 of 3: could not be connected (SIP 503). Next try after 1 hour.',
  );
  expect(why(told({}, { status: 'FAILED', endedReason: 'carrier_unavailable' }, true))).toBe(
    'The carrier did not take the call. Next try after 15 seconds.',
  );
  expect(why(told({ task: taskAt(morning, { backoffSeconds: 0, window }) }))).toBe(
    'Attempt 1 of 3: no answer. Next try when calls are allowed.',
  );
});

test("the gate's no is told in words, with what is waited for", () => {
  const night = new Date('2026-03-03T04:00:00Z');
  const task = taskAt(night, { attempts: 0, leaseUntil: null, status: 'SCHEDULED' });
  expect(blocked({ now: night, task })).toEqual({
    nextAttemptAt: '2026-03-03T13:00:00.000Z',
    nextAttemptReason: 'Outside calling hours. Next try when calls are allowed.',
  });
  expect(blocked({ now: morning, task, open: ['ACTIVE'] })).toEqual({
    nextAttemptAt: '2026-03-03T15:01:00.000Z',
    nextAttemptReason: 'Another call to this number is under way. Next try after 1 minute.',
  });
  const again = { ...task, attempts: 1, lastAttemptAt: new Date('2026-03-02T13:30:00Z') };
  expect(blocked({ now: night, task: again })).toEqual({
    nextAttemptAt: '2026-03-03T15:00:00.000Z',
    nextAttemptReason: 'Outside calling hours. Next try when calls are allowed, at another time of day.',
  });
});

test('an end is told in words', () => {
  const night = new Date('2026-03-03T04:00:00Z');
  const late = { now: night, task: taskAt(night, { validUntil: new Date('2026-03-03T12:00:00Z') }) };
  const outOfTime = 'and calls are not allowed again before the time of the task is over';
  expect(blocked(late)).toEqual({ becomes: 'timed_out', reason: `outside calling hours, ${outOfTime}` });
  const dead = { status: 'FAILED' as const, endedReason: 'failed_sip_404' };
  expect(ended({ now: morning, task: taskAt(morning) }, dead)).toEqual({
    becomes: 'failed',
    counted: true,
    reason: 'could not be connected (SIP 404)',
  });
  expect(ended({ now: morning, task: taskAt(morning), optedOut: true })).toEqual({
    becomes: 'failed',
    counted: true,
    reason: 'this number has opted out',
  });
});

test('every block has words, and a length of time its two largest units', () => {
  for (const block of blocks) expect(wordsOfBlocks([block]), block).toMatch(/^[a-z][a-z ']+[a-z]$/);
  expect(wordsOfBlocks(['OUTSIDE_CALLING_HOURS', 'COOLDOWN'] satisfies ContactBlock[])).toBe(
    'outside calling hours, the patient was contacted only a short while ago',
  );
  const lengths = [0, 1, 60, 61, 5_400, 86_400, 90_061].map((seconds) => wordsOfDuration(seconds * 1000));
  expect(lengths).toEqual([
    '0 seconds',
    '1 second',
    '1 minute',
    '1 minute 1 second',
    '1 hour 30 minutes',
    '1 day',
    '1 day 1 hour',
  ]);
});
