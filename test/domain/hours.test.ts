import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dateOf, dayOf, weekdayOf } from '../../src/domain/calendar.ts';
import { isHoliday } from '../../src/domain/holiday.ts';
import { hoursRules } from '../../src/domain/hours-rules.ts';
import { timeDecision, type LocalWindow, type TimeQuestion } from '../../src/domain/hours.ts';
import { candidateZones } from '../../src/domain/zone.ts';
import { cases } from './hours-golden.ts';
import { tries } from '../support/exhaustive.ts';

const ask = (now: string | number, more: Partial<TimeQuestion> = {}) =>
  timeDecision({
    now: new Date(now),
    zones: ['America/New_York'],
    states: ['NY'],
    organization: [],
    preferred: [],
    task: null,
    ...more,
  });

test('the golden table has its size', () => expect(cases.length).toBeGreaterThan(300));

test.each(cases)('$title', ({ person, now, question, blocks, nextAllowedAt }) => {
  const { zones, states } = candidateZones(person.where);
  expect(timeDecision({ now, zones, states, ...question })).toMatchObject({ blocks, nextAllowedAt });
});

describe('a decision', () => {
  test('shows the wall clock of the primary zone, else of the first, else of New York (C-06)', () => {
    const zones = ['America/Denver', 'America/Phoenix'];
    expect(ask('2026-07-15T18:00:00Z', { zones }).localTime).toBe('2026-07-15T12:00:00-06:00');
    expect(ask('2026-07-15T18:00:00Z', { zones, primary: 'America/Phoenix' }).localTime).toBe(
      '2026-07-15T11:00:00-07:00',
    );
    expect(ask('2026-07-15T18:00:00Z', { zones: [], primary: null }).localTime).toBe(
      '2026-07-15T14:00:00-04:00',
    );
  });

  test('rings for 30 seconds unless told otherwise (C-07)', () => {
    expect(ask('2026-11-21T00:59:30Z').blocks).toEqual([]);
    expect(ask('2026-11-21T00:59:30.001Z').blocks).toEqual(['OUTSIDE_CALLING_HOURS']);
    // queue 90 s at 19:59 with a close at 20:00 is not submitted
    expect(ask('2026-11-21T00:59:00Z', { ringSeconds: 90 + 30 }).blocks).not.toEqual([]);
  });

  test('keeps milliseconds of now when it is allowed', () => {
    expect(ask('2026-11-20T15:00:00.123Z').nextAllowedAt).toBe('2026-11-20T15:00:00.123Z');
  });

  test('finds nothing beyond 60 days, and finds the last of them', () => {
    const sundays = { weekdays: [7], opensAt: '09:00', closesAt: '18:00' };
    expect(ask('2026-11-20T15:00:00Z', { states: ['AL'], task: sundays }).nextAllowedAt).toBeNull();
  });

  test('leaves texts in Nebraska open on a holiday, when recorded voices wait until 13:00 (4.6)', () => {
    const thanksgiving = '2026-11-26T16:00:00Z';
    const omaha = { zones: ['America/Chicago'], states: ['NE'] };
    expect(ask(thanksgiving, { ...omaha, channel: 'TEXT' }).blocks).toEqual([]);
    expect(ask(thanksgiving, { ...omaha, channel: 'VOICE' }).nextAllowedAt).toBe('2026-11-26T19:00:00.000Z');
    expect(ask(thanksgiving, omaha).blocks).toEqual(['OUTSIDE_CALLING_HOURS']);
  });
});

describe('the rows', () => {
  test('are dated, cited and well-formed (C-08)', () => {
    for (const row of hoursRules) {
      expect(row.citation.length, row.jurisdiction).toBeGreaterThan(10);
      expect(row.jurisdiction).toMatch(/^(US(-[A-Z]{2})?|UNKNOWN)$/);
      expect(row.effectiveTo === null || row.effectiveFrom < row.effectiveTo).toBe(true);
      expect(row.opensAt < row.closesAt).toBe(true);
      expect(row.weekdays.every((day) => day >= 1 && day <= 7)).toBe(true);
    }
  });

  test.each([
    ['US', '2026-07-03'], // Independence Day is on a Saturday
    ['US', '2026-07-04'],
    ['US', '2027-12-31'], // New Year's Day of 2028 is on a Saturday
    ['US', '2026-11-26'],
    ['US', '2027-05-31'],
    ['US-LA', '2026-02-17'],
    ['US-LA', '2027-02-09'],
    ['US-LA', '2028-02-29'],
    ['US-PA', '2027-03-26'], // Good Friday
    ['US-RI', '2026-08-10'],
    ['US-UT', '2027-07-24'],
    ['US-MS', '2027-04-26'],
  ])('%s keeps %s as a holiday (C-05)', (jurisdiction, date) => {
    expect(isHoliday(dayOf(date), jurisdiction)).toBe(true);
  });

  test.each([
    ['US', '2027-02-09'],
    ['US', '2026-12-24'],
    ['US', '2026-11-27'],
    ['US-LA', '2027-02-10'],
    ['US-AL', '2027-04-25'],
  ])('%s does not keep %s (C-05)', (jurisdiction, date) => {
    expect(isHoliday(dayOf(date), jurisdiction)).toBe(false);
  });

  test('a year has 11 federal holidays, and a weekday off for each on a weekend (C-05)', () => {
    const from = dayOf('2027-01-01');
    const days = Array.from({ length: 365 }, (_, index) => from + index).filter((day) =>
      isHoliday(day, 'US'),
    );
    expect(days.map((day) => `${dateOf(day)} ${weekdayOf(day)}`)).toEqual([
      '2027-01-01 5',
      '2027-01-18 1',
      '2027-02-15 1',
      '2027-05-31 1',
      '2027-06-18 5',
      '2027-06-19 6',
      '2027-07-04 7',
      '2027-07-05 1',
      '2027-09-06 1',
      '2027-10-11 1',
      '2027-11-11 4',
      '2027-11-25 4',
      '2027-12-24 5',
      '2027-12-25 6',
      '2027-12-31 5',
    ]);
  });
});

// A second reading of the rules that are the same for everyone, on wall clocks as Intl writes them.

const clocks = new Map<string, Intl.DateTimeFormat>();

function read(instant: number, zone: string) {
  let clock = clocks.get(zone);
  if (!clock) {
    const parts = { weekday: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
    clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...parts });
    clocks.set(zone, clock);
  }
  const [weekday = '', time = ''] = clock.format(instant).split(' ');
  return {
    weekday: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(weekday.slice(0, 3)) + 1,
    time,
  };
}

function isIn(
  { weekdays, opensAt, closesAt }: LocalWindow,
  { weekday, time }: ReturnType<typeof read>,
): boolean {
  const opensOn = (day: number) => weekdays.length === 0 || weekdays.includes(day === 0 ? 7 : day);
  if (opensAt === closesAt) return opensOn(weekday);
  if (opensAt < closesAt) return opensOn(weekday) && opensAt <= time && time < closesAt;
  return (opensOn(weekday) && time >= opensAt) || (opensOn(weekday - 1) && time < closesAt);
}

const legal: LocalWindow = { weekdays: [], opensAt: '08:00', closesAt: '20:00' };

function isOpen(question: TimeQuestion, instant: number): boolean {
  const { zones, emergency, organization, preferred, task } = question;
  const sets = [preferred, task ? [task] : [], ...(emergency ? [] : [[legal], organization])];
  return zones.every((zone) => {
    const wall = read(instant, zone);
    return sets.every((windows) => windows.length === 0 || windows.some((window) => isIn(window, wall)));
  });
}

/** Every second of the ringing. */
const isOpenThroughout = (question: TimeQuestion, from: number): boolean =>
  Array.from({ length: Math.max(1, question.ringSeconds ?? 30) }, (_, second) => from + second * 1000).every(
    (instant) => isOpen(question, instant),
  );

const someZones = fc.uniqueArray(
  fc.constantFrom(
    'America/New_York',
    'America/Chicago',
    'America/Denver',
    'America/Phoenix',
    'America/Los_Angeles',
    'America/Anchorage',
    'Pacific/Honolulu',
    'America/St_Johns',
    'Pacific/Guam',
    'Europe/London',
    'Australia/Lord_Howe',
    'America/Santiago',
    'Asia/Kathmandu',
    'Pacific/Chatham',
  ),
  { minLength: 1, maxLength: 3 },
);
const times = fc
  .integer({ min: 0, max: 95 })
  .map((quarter) => new Date(quarter * 900_000).toISOString().slice(11, 16));
const someWindow = fc.record({
  weekdays: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 7 }),
  opensAt: times,
  closesAt: times,
});
const hour = 3_600_000;
/** Mostly the nights and days around a change of some clock. */
const instants = fc
  .tuple(
    fc.constantFrom(
      '2026-03-08',
      '2026-11-01',
      '2027-03-14',
      '2027-11-07',
      '2027-03-28',
      '2027-10-31',
      '2027-04-04',
      '2027-10-03',
      '2027-09-05',
      '2026-07-15',
      '2026-12-31',
      '2028-02-28',
    ),
    fc.integer({ min: -48 * 3600, max: 48 * 3600 }),
  )
  .map(([date, seconds]) => new Date(Date.parse(date) + seconds * 1000));
const questions: fc.Arbitrary<TimeQuestion> = fc.record({
  now: instants,
  zones: someZones,
  states: fc.constant([]),
  organization: fc.array(someWindow, { maxLength: 2 }),
  preferred: fc.array(someWindow, { maxLength: 2 }),
  task: fc.option(someWindow),
  ringSeconds: fc.constantFrom(0, 1, 30, 45),
  emergency: fc.boolean(),
});
const someStates = fc.uniqueArray(
  fc.constantFrom('AL', 'CT', 'KY', 'LA', 'ME', 'MS', 'NE', 'NY', 'PA', 'RI', 'SD', 'TX', 'UT'),
  { maxLength: 2 },
);

describe('whatever is asked', () => {
  test('it is allowed exactly while every wall clock lies in every window, to the end of the ringing (C-01, C-02, C-07)', () => {
    fc.assert(
      fc.property(questions, (question) => {
        const isAllowed = timeDecision(question).blocks.length === 0;
        expect(isAllowed).toBe(isOpenThroughout(question, question.now.getTime()));
      }),
      { numRuns: tries(2_000) },
    );
  });

  test('it is allowed at nextAllowedAt, and not a second before (C-06)', () => {
    fc.assert(
      fc.property(questions, someStates, (question, states) => {
        const { nextAllowedAt, blocks } = timeDecision({ ...question, states });
        const now = question.now.getTime();
        if (nextAllowedAt === null) return;
        const next = Date.parse(nextAllowedAt);
        expect(next === now).toBe(blocks.length === 0);
        expect(isOpenThroughout(question, next)).toBe(true);
        expect(timeDecision({ ...question, states, now: new Date(next) }).blocks).toEqual([]);
        if (next > now) {
          expect(timeDecision({ ...question, states, now: new Date(next - 1000) }).blocks).not.toEqual([]);
        }
      }),
      { numRuns: tries(1_000) },
    );
  });

  test('nothing between now and nextAllowedAt would have done (C-06)', () => {
    fc.assert(
      fc.property(
        questions,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
        (question, parts) => {
          const now = question.now.getTime();
          const found = timeDecision(question).nextAllowedAt;
          const next = found === null ? now + 60 * 24 * hour : Date.parse(found);
          for (const part of parts) {
            const between = now + Math.floor((part * (next - now)) / 1000) * 1000;
            if (between < next) expect(isOpenThroughout(question, between)).toBe(false);
          }
        },
      ),
      { numRuns: tries(500) },
    );
  });

  test('another zone, another state, a longer ring never allow more (C-02)', () => {
    fc.assert(
      fc.property(questions, someZones, someStates, (question, zones, states) => {
        const more = {
          ...question,
          zones: [...new Set([...question.zones, ...zones])],
          states,
          ringSeconds: question.ringSeconds! + 30,
        };
        const [less, all] = [timeDecision(question), timeDecision(more)];
        expect(all.blocks).toEqual(expect.arrayContaining(less.blocks));
        if (less.nextAllowedAt === null) expect(all.nextAllowedAt).toBeNull();
        else if (all.nextAllowedAt) expect(all.nextAllowedAt >= less.nextAllowedAt).toBe(true);
      }),
      { numRuns: tries(1_000) },
    );
  });

  test('who may be anywhere is called only when it is day from New York to Honolulu (C-03)', () => {
    fc.assert(
      fc.property(instants, (now) => {
        const { blocks } = ask(now.getTime(), { zones: [], states: [] });
        const isDay = ['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles']
          .concat('America/Anchorage', 'Pacific/Honolulu')
          .every((zone) => isIn(legal, read(now.getTime(), zone)));
        if (blocks.length === 0) expect(isDay).toBe(true);
        else expect(blocks).toEqual(['OUTSIDE_CALLING_HOURS', 'TIME_ZONE_UNKNOWN']);
      }),
      { numRuns: tries(1_000) },
    );
  });
});
