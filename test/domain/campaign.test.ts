import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as campaigns from '../../src/domain/campaign.ts';
import type { Campaign, Fact, Settings } from '../../src/domain/campaign.ts';
import * as runs from '../../src/domain/campaign-run.ts';
import type { CampaignRun, Counts, Fact as RunFact } from '../../src/domain/campaign-run.ts';
import { play, type Group } from '../../src/domain/campaign-play.ts';
import { openingOf, timeDecision } from '../../src/domain/hours.ts';
import { after, given, now } from '../support/given.ts';

const settings: Settings = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  goal: null,
  priority: 5,
  runAt: '10:00',
  timeZone: 'America/New_York',
  audience: { facts: { risk: 'high' }, sourceSystems: ['ehr'], tags: ['flu'] },
  allowlist: ['+12125550100'],
  maxAttempts: 3,
  cooldownHours: 20,
  callsPerMinute: 10,
  maxConcurrentCalls: 5,
  breakerThreshold: 4,
  serviceId: null,
};
const created: Fact = { type: 'campaign.created', data: settings };
const [activated, paused, archived] = (
  ['campaign.activated', 'campaign.paused', 'campaign.archived'] as const
).map((type): Fact => ({ type, data: {} })) as [Fact, Fact, Fact];

/** The shortest way to each status. */
const ways = {
  NONE: [],
  DRAFT: [created],
  ACTIVE: [created, activated],
  PAUSED: [created, activated, paused],
  ARCHIVED: [created, archived],
} satisfies Record<string, Fact[]>;
type Status = keyof typeof ways;
const everyStatus = Object.keys(ways) as Status[];

const decisions: Record<
  string,
  { decide: (campaign: Campaign) => Fact[]; from: Status[]; fact: Fact | null }
> = {
  update: {
    decide: (campaign) => campaigns.update(campaign, { ...settings, name: 'Flu' }),
    from: ['DRAFT', 'ACTIVE', 'PAUSED'],
    fact: { type: 'campaign.updated', data: { ...settings, name: 'Flu' } },
  },
  activate: { decide: campaigns.activate, from: ['DRAFT', 'PAUSED'], fact: activated },
  pause: { decide: campaigns.pause, from: ['ACTIVE'], fact: paused },
  archive: { decide: campaigns.archive, from: ['DRAFT', 'ACTIVE', 'PAUSED'], fact: archived },
  run: {
    decide: (campaign) => {
      campaigns.mustRun(campaign);
      return [];
    },
    from: ['DRAFT', 'ACTIVE'],
    fact: null,
  },
};

describe('decisions on a campaign', () => {
  test('it is created as a draft that does what it is told', () => {
    given(campaigns)()
      .when((row) => campaigns.create(row, settings))
      .then(created);
    expect(after(campaigns, created)).toMatchObject({
      ...settings,
      status: 'DRAFT',
      activatedAt: null,
      createdAt: now,
    });
  });

  for (const [name, { decide, from, fact }] of Object.entries(decisions)) {
    test.each(everyStatus)(`${name} from %s`, (status) => {
      const when = given(campaigns)(...ways[status]).when(decide);
      if (status === 'NONE') when.refused('NOT_FOUND');
      else if (from.includes(status)) when.then(...(fact ? [fact] : []));
      else when.refused('ILLEGAL_TRANSITION');
    });
  }

  test('each status is what its events fold into', () => {
    for (const status of everyStatus.slice(1))
      expect(after(campaigns, ...ways[status])).toMatchObject({ ...settings, status });
  });

  test('an edit changes what it is told and not where it stands', () => {
    const data = { ...settings, runAt: '11:30', callsPerMinute: 1 };
    const row = after(campaigns, ...ways.PAUSED, { type: 'campaign.updated', data });
    expect(row).toMatchObject({ ...data, status: 'PAUSED', activatedAt: now, createdAt: now });
  });

  test('a refusal names the status that it is in', () =>
    expect(() => campaigns.pause(after(campaigns, ...ways.ARCHIVED))).toThrow(
      expect.objectContaining({ state: 'ARCHIVED' }),
    ));

  test('nothing of it stands on the timeline of a patient', () => {
    expect(campaigns.patientOf()).toBeNull();
    expect(runs.patientOf()).toBeNull();
  });

  test('a fifth of the calls of a number is left to others, and one call at least to campaigns', () =>
    expect([1, 2, 5, 10, 60].map(campaigns.campaignShareOf)).toEqual([1, 1, 4, 8, 48]));
});

const counts: Counts = { pending: 2, inFlight: 1, answered: 3, unanswered: 0, failed: 0, cancelled: 0 };
const begun = {
  campaignId: '00000000-0000-7000-8000-00000000cccc',
  date: '2026-03-02',
  manual: true,
  eligible: 6,
  exclusions: [{ reason: 'PATIENT_TEST' as const, count: 2 }],
};
const started: RunFact = { type: 'campaign_run.started', data: begun };
const held: RunFact = { type: 'campaign_run.paused', data: {} };
const resumed: RunFact = { type: 'campaign_run.resumed', data: {} };
const progressed: RunFact = { type: 'campaign_run.progressed', data: counts };
const completed: RunFact = { type: 'campaign_run.completed', data: counts };
const stopped: RunFact = { type: 'campaign_run.stopped', data: { reason: 'The carrier failed.' } };
const cancelled: RunFact = { type: 'campaign_run.cancelled', data: { reason: 'cancelled' } };

/** The shortest way to each status of a run. */
const runWays = {
  RUNNING: [started],
  PAUSED: [started, held],
  STOPPED_BY_BREAKER: [started, stopped],
  COMPLETED: [started, completed],
  CANCELLED: [started, cancelled],
} satisfies Record<runs.CampaignRunStatus, RunFact[]>;

type RunStatus = runs.CampaignRunStatus;
const open: RunStatus[] = ['RUNNING', 'PAUSED', 'STOPPED_BY_BREAKER'];
const runDecisions: Record<
  string,
  { decide: (run: CampaignRun) => RunFact[]; from: RunStatus[]; fact: RunFact }
> = {
  pause: { decide: runs.pause, from: ['RUNNING'], fact: held },
  resume: { decide: runs.resume, from: ['PAUSED', 'STOPPED_BY_BREAKER'], fact: resumed },
  progress: { decide: (run) => runs.progress(run, counts), from: open, fact: progressed },
  complete: { decide: (run) => runs.complete(run, counts), from: open, fact: completed },
  stop: { decide: (run) => runs.stop(run, 'The carrier failed.'), from: ['RUNNING'], fact: stopped },
};

describe('decisions on a run', () => {
  test('it is begun with who was looked at', () => {
    given(runs)()
      .when((row) => runs.start(row, begun))
      .then(started);
    const row = after(runs, started);
    expect(row).toMatchObject({ ...begun, status: 'RUNNING', startedAt: now, resumedAt: now });
    expect(row).toMatchObject({ finishedAt: null, breakerReason: null, counts: null });
  });

  for (const [name, { decide, from, fact }] of Object.entries(runDecisions)) {
    test.each(runs.statuses)(`${name} from %s, and nothing where it makes no sense`, (status) =>
      given(runs)(...runWays[status])
        .when(decide)
        .then(...(from.includes(status) ? [fact] : [])),
    );
  }

  test.each(runs.statuses)('cancel from %s', (status) => {
    const when = given(runs)(...runWays[status]).when((run) => runs.cancel(run, 'cancelled'));
    if (open.includes(status)) when.then(cancelled);
    else when.refused('ILLEGAL_TRANSITION');
    expect(runs.isOver(after(runs, ...runWays[status]))).toBe(!open.includes(status));
  });

  test('what is not there cannot be cancelled', () =>
    given(runs)()
      .when((run) => runs.cancel(run, 'cancelled'))
      .refused('NOT_FOUND'));

  test('each status is what its events fold into', () => {
    for (const status of runs.statuses) expect(after(runs, ...runWays[status]).status).toBe(status);
    const resumedAt = new Date(now.getTime() + 1_000);
    expect(after(runs, ...runWays.STOPPED_BY_BREAKER)).toMatchObject({
      breakerReason: 'The carrier failed.',
      finishedAt: null,
    });
    expect(after(runs, ...runWays.STOPPED_BY_BREAKER, { ...resumed, effectiveAt: resumedAt })).toMatchObject({
      status: 'RUNNING',
      breakerReason: null,
      startedAt: now,
      resumedAt,
    });
    expect(after(runs, ...runWays.COMPLETED)).toMatchObject({ counts, finishedAt: now });
  });

  test('a run that the breaker stopped and somebody cancelled says why it was stopped', () => {
    expect(after(runs, ...runWays.STOPPED_BY_BREAKER, cancelled)).toMatchObject({
      status: 'CANCELLED',
      breakerReason: 'The carrier failed.',
    });
    expect(after(runs, ...runWays.CANCELLED).breakerReason).toBe('cancelled');
  });

  test('how far it has come is told only when that is news', () => {
    given(runs)(started, progressed)
      .when((run) => runs.progress(run, counts))
      .then();
    for (const key of Object.keys(counts) as (keyof Counts)[]) {
      const data = { ...counts, [key]: counts[key] + 1 };
      given(runs)(started, progressed)
        .when((run) => runs.progress(run, data))
        .then({ ...progressed, data });
    }
  });

  test('a day that could not be run is recorded as a run of nobody', () => {
    const facts = runs.skip(after(runs), { campaignId: begun.campaignId, date: begun.date }, 'Too late.');
    expect(after(runs, ...facts)).toMatchObject({
      ...begun,
      manual: false,
      eligible: 0,
      exclusions: [],
      status: 'CANCELLED',
      breakerReason: 'Too late.',
      finishedAt: now,
    });
  });
});

/** A campaign that was activated at an instant. */
const activeSince = (at: string | Date, more: Partial<Settings> = {}): Campaign =>
  after(
    campaigns,
    { type: 'campaign.created', data: { ...settings, ...more } },
    { ...activated, effectiveAt: new Date(at) },
  );

/** What a zone's clock shows: "2026-03-08 03:00". */
const shown = (at: Date, timeZone: string): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(at);

/** The first minute of a date at which a zone's clock shows this wall time or a later one. */
function firstShown(wall: string, timeZone: string): Date {
  const date = wall.slice(0, 10);
  for (let at = Date.parse(`${date}T00:00Z`) - 14 * 3_600_000; ; at += 60_000) {
    const reading = shown(new Date(at), timeZone);
    if (reading.startsWith(date) && reading >= wall) return new Date(at);
  }
}

/** A date so many days later. */
const later = (date: string, days: number): string =>
  new Date(Date.parse(date) + days * 86_400_000).toISOString().slice(0, 10);

const before = (at: Date, milliseconds = 1): Date => new Date(at.getTime() - milliseconds);

describe('the days of a campaign', () => {
  test.each([
    ['America/New_York', '2026-03-08', '02:30', '2026-03-08T07:00:00.000Z'],
    ['America/New_York', '2026-11-01', '01:30', '2026-11-01T05:30:00.000Z'],
    ['America/New_York', '2026-03-08', '10:00', '2026-03-08T14:00:00.000Z'],
    ['America/New_York', '2026-11-01', '10:00', '2026-11-01T15:00:00.000Z'],
    ['America/Los_Angeles', '2026-03-08', '02:00', '2026-03-08T10:00:00.000Z'],
    ['America/Phoenix', '2026-03-08', '02:30', '2026-03-08T09:30:00.000Z'],
    ['Europe/Berlin', '2026-03-29', '02:15', '2026-03-29T01:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25', '02:15', '2026-10-25T00:15:00.000Z'],
    ['America/Havana', '2026-03-08', '00:30', '2026-03-08T05:00:00.000Z'],
    ['America/Havana', '2026-11-01', '00:30', '2026-11-01T04:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-04', '02:15', '2026-10-03T15:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-04-05', '01:45', '2026-04-04T14:45:00.000Z'],
  ])(
    'in %s it runs on %s at %s, once and exactly, whatever the clocks do',
    (timeZone, date, runAt, instant) => {
      const at = new Date(instant);
      expect(firstShown(`${date} ${runAt}`, timeZone)).toEqual(at);
      const campaign = activeSince(before(at, 3_600_000), { timeZone, runAt });
      expect(campaigns.nextRunAt(campaign, null, before(at))).toEqual(at);
      expect(campaigns.dueDays(campaign, null, before(at))).toEqual([]);
      expect(campaigns.dueDays(campaign, null, at)).toEqual([{ date, skipped: null }]);
      for (const hours of [0, 1, 2])
        expect(campaigns.dueDays(campaign, date, new Date(at.getTime() + hours * 3_600_000))).toEqual([]);
      const next = campaigns.nextRunAt(campaign, date, at)!;
      expect(shown(next, timeZone)).toBe(`${campaigns.dateOf(campaign, next)} ${runAt}`);
      expect(next > at).toBe(true);
    },
  );

  const campaign = activeSince('2026-03-01T12:00:00Z');
  const today = (time: string) => new Date(`2026-03-03T${time}-05:00`);
  const yesterday = '2026-03-02';

  test('a run that is late is begun the same day, until no call may ring any more', () => {
    for (const time of ['10:00:00', '10:00:05', '13:00:00', '19:59:59'])
      expect(campaigns.dueDays(campaign, yesterday, today(time)), time).toEqual([
        { date: '2026-03-03', skipped: null },
      ]);
    for (const time of ['20:00:00', '23:59:59'])
      expect(campaigns.dueDays(campaign, yesterday, today(time)), time).toEqual([
        { date: '2026-03-03', skipped: 'Skipped: it was too late in the day before it could be run.' },
      ]);
    expect(campaigns.nextRunAt(campaign, yesterday, today('13:00:00'))).toEqual(today('10:00:00'));
  });

  test('a run that is told to begin in the evening is begun, unless it is late', () => {
    const evening = activeSince('2026-03-01T12:00:00Z', { runAt: '20:30' });
    const skipped = (time: string) => campaigns.dueDays(evening, yesterday, today(time))[0]?.skipped;
    expect(['20:30:00', '20:30:05', '20:31:00'].map(skipped)).toEqual([null, null, null]);
    expect(skipped('20:31:01')).toMatch(/too late in the day/);
    const midnight = activeSince('2026-03-01T12:00:00Z', { runAt: '23:59' });
    const next = campaigns.dueDays(midnight, yesterday, new Date('2026-03-04T00:00:03-05:00'));
    expect(next).toEqual([
      { date: '2026-03-03', skipped: 'Skipped: the day had passed before it could be run.' },
    ]);
  });

  test('days that were missed are recorded, oldest first, and today is run', () => {
    const skipped = 'Skipped: the day had passed before it could be run.';
    const since = activeSince('2026-02-27T12:00:00Z');
    const days = [
      { date: '2026-02-28', skipped },
      { date: '2026-03-01', skipped },
      { date: '2026-03-02', skipped },
      { date: '2026-03-03', skipped: null },
    ];
    expect(campaigns.dueDays(since, '2026-02-27', today('11:00:00'))).toEqual(days);
    expect(campaigns.dueDays(since, null, today('09:00:00'))).toEqual([
      { date: '2026-02-27', skipped },
      ...days.slice(0, 3),
    ]);
    expect(campaigns.dueDays(since, '2026-03-03', today('11:00:00'))).toEqual([]);
  });

  test('after a long outage the last month is recorded, and no more', () => {
    const days = campaigns.dueDays(activeSince('2025-01-01T00:00:00Z'), null, today('11:00:00'));
    expect(days).toHaveLength(32);
    expect(days[0]!.date).toBe('2026-01-31');
    expect(days.filter(({ skipped }) => skipped === null)).toEqual([{ date: '2026-03-03', skipped: null }]);
  });

  test('nothing is due before it was activated, and what it was activated too late for is next tomorrow', () => {
    const late = activeSince(today('10:00:01'));
    expect(campaigns.dueDays(late, null, today('11:00:00'))).toEqual([]);
    const tomorrow = new Date('2026-03-04T10:00:00-05:00');
    expect(campaigns.nextRunAt(late, null, today('11:00:00'))).toEqual(tomorrow);
    const punctual = activeSince(today('10:00:00'));
    expect(campaigns.dueDays(punctual, null, today('10:00:00'))).toHaveLength(1);
    expect(campaigns.nextRunAt(punctual, null, today('10:00:00'))).toEqual(today('10:00:00'));
  });

  test('only an active one is ever due', () => {
    for (const status of ['DRAFT', 'PAUSED', 'ARCHIVED'] as const) {
      const row = after(campaigns, ...ways[status]);
      expect(campaigns.dueDays(row, null, new Date(now.getTime() + 86_400_000))).toEqual([]);
      expect(campaigns.nextRunAt(row, null, now)).toBeNull();
    }
  });

  test('an edit moves tomorrow and not what has been run today', () => {
    const moved = after(campaigns, created, activated, {
      type: 'campaign.updated',
      data: { ...settings, runAt: '15:00' },
    });
    expect(campaigns.dueDays(moved, '2026-03-03', today('16:00:00'))).toEqual([]);
    expect(campaigns.nextRunAt(moved, '2026-03-03', today('11:00:00'))).toEqual(
      new Date('2026-03-04T15:00:00-05:00'),
    );
  });

  test('a date ends when the next one begins, on days of 23 and 25 hours too', () => {
    const length = (date: string) =>
      (campaigns.dayEnd(campaign, date).getTime() - campaigns.dayEnd(campaign, later(date, -1)).getTime()) /
      3_600_000;
    expect(['2026-03-07', '2026-03-08', '2026-11-01'].map(length)).toEqual([24, 23, 25]);
  });
});

const zones = [
  'America/New_York',
  'America/Los_Angeles',
  'Pacific/Honolulu',
  'America/Havana',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
];
const wallTime = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
const minutes = (most: number) => fc.integer({ min: 0, max: most });

test('however irregularly it is looked at, each date of a month is due exactly once, and run only on that date', () =>
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      wallTime,
      fc.integer({ min: 0, max: 330 }),
      fc.array(minutes(31 * 1_440), { minLength: 1, maxLength: 60 }),
      (timeZone, runAt, startDay, looks) => {
        const start = Date.UTC(2026, 0, 1) + startDay * 86_400_000;
        const campaign = activeSince(new Date(start), { timeZone, runAt });
        let lastDate: string | null = null;
        const dates: string[] = [];
        for (const minute of looks.toSorted((a, b) => a - b)) {
          const at = new Date(start + minute * 60_000);
          const next = campaigns.nextRunAt(campaign, lastDate, at)!;
          const days = campaigns.dueDays(campaign, lastDate, at);
          expect(days.some(({ date }) => date === campaigns.dateOf(campaign, at))).toBe(next <= at);
          for (const { date, skipped } of days) {
            expect(skipped === null ? campaigns.dateOf(campaign, at) : date).toBe(date);
            dates.push(date);
            lastDate = date;
          }
        }
        const last = start + Math.max(...looks) * 60_000;
        const always = activeSince(new Date(0), { timeZone, runAt });
        const from = new Date(start).toISOString().slice(0, 10);
        const expected = Array.from({ length: 35 }, (_, index) => later(from, index - 1)).filter((date) => {
          const dayBefore = later(date, -1);
          const at = campaigns.nextRunAt(always, dayBefore, campaigns.dayEnd(always, dayBefore))!;
          return at.getTime() >= start && at.getTime() <= last;
        });
        expect(dates).toEqual(expected);
      },
    ),
    { numRuns: 200 },
  ));

/** Where people may be called at different times, by the zone's name. */
const group = (zone: string, number: string, places: number[], at: number): Group => ({
  number,
  places,
  question: { now: new Date(at), zones: [zone], states: [], organization: [], preferred: [], task: null },
});

test('a run that is played keeps its pace, its lines, its numbers and the hours, and calls whoever it can', () =>
  fc.assert(
    fc.property(
      fc.record({
        at: fc.integer({ min: 0, max: 24 * 60 }).map((minute) => Date.UTC(2026, 2, 8) + minute * 60_000),
        zones: fc.subarray(zones.slice(0, 3), { minLength: 1 }),
        numbers: fc.integer({ min: 1, max: 2 }),
        people: fc.integer({ min: 1, max: 40 }),
        stepMs: fc.integer({ min: 100, max: 600_000 }),
        lines: fc.integer({ min: 1, max: 4 }),
        callMs: fc.integer({ min: 0, max: 300_000 }),
        numberMs: fc.integer({ min: 100, max: 600_000 }),
      }),
      ({ at, zones: places, numbers, people, ...pace }) => {
        const groups = places.flatMap((zone, z) =>
          Array.from({ length: numbers }, (_, n) => {
            const line = Array.from({ length: people }, (_each, index) => index * 10 + z * 2 + n);
            return group(zone, `+1415555019${n}`, line, at);
          }),
        );
        const end = at + 86_400_000;
        const times = play(groups, { now: at, end, ...pace });
        const isOpen = (zone: string, time: number) =>
          timeDecision({ ...group(zone, '', [], time).question }).blocks.length === 0;
        for (const [index, time] of times.entries()) {
          expect(time >= at && time < end).toBe(true);
          expect(places.some((zone) => isOpen(zone, time))).toBe(true);
          const gap = (back: number) => time - (times[index - back] ?? -Infinity);
          expect(gap(1)).toBeGreaterThanOrEqual(pace.stepMs);
          expect(gap(pace.lines)).toBeGreaterThanOrEqual(pace.callMs);
          expect(gap(numbers)).toBeGreaterThanOrEqual(pace.numberMs);
        }
        // Who is left could not have been called after the last call, before the end.
        const left = (times.at(-1) ?? at) + Math.max(pace.stepMs, pace.callMs, pace.numberMs);
        if (times.length < places.length * numbers * people && left < end)
          expect(places.some((zone) => !isOpen(zone, left))).toBe(true);
      },
    ),
    { numRuns: 100 },
  ));

test('an opening lasts exactly as long as calls may begin in it', () =>
  fc.assert(
    fc.property(fc.constantFrom(...zones.slice(0, 3)), minutes(3 * 1_440), (zone, minute) => {
      const { question } = group(zone, '', [], Date.UTC(2026, 2, 7) + minute * 60_000);
      const { from, until } = openingOf(question)!;
      const decided = (at: number) => timeDecision({ ...question, now: new Date(at) });
      expect(decided(question.now.getTime()).nextAllowedAt).toBe(new Date(from).toISOString());
      expect([decided(from).blocks, decided(until - 1).blocks]).toEqual([[], []]);
      expect(decided(until).blocks).toEqual(['OUTSIDE_CALLING_HOURS']);
    }),
    { numRuns: 100 },
  ));
