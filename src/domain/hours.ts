import {
  dayAt,
  dayMs,
  localTimeAt,
  stretchesOf,
  timeOf,
  weekdayOf,
  type Day,
  type Span,
} from './calendar.ts';
import type { Channel, ContactBlock, Purpose } from './consent.ts';
import { openedOn, timetablesOf, type Timetable } from './hours-rules.ts';

/** Open from opensAt up to, not including, closesAt; the contract's LocalWindow. */
export interface LocalWindow {
  /** ISO weekdays of the opening (1 is Monday); empty: every day. */
  weekdays: number[];
  /** Wall time "HH:MM". */
  opensAt: string;
  /** Wall time "HH:MM"; before opensAt: on the next day. Equal to opensAt: the window is the whole date. */
  closesAt: string;
}

/** What is asked: may a contact begin now, as far as the time is concerned? */
export interface TimeQuestion {
  now: Date;
  /** Every zone that the person may be in, as candidateZones says; empty: nobody knows. */
  zones: string[];
  /** The zone to show the time in; left out: the first of the zones. */
  primary?: string | null;
  /** USPS codes of the states that the person may be in. */
  states: string[];
  /** The organization's own hours; empty: the law's alone. */
  organization: LocalWindow[];
  /** What the patient asked for; empty: any time. */
  preferred: LocalWindow[];
  /** The task's own window; null: any time. */
  task: LocalWindow | null;
  /** How long it may ring: all of it must end by the close (C-07). Default 30; 0 for what does not ring. */
  ringSeconds?: number;
  /** An emergency passes the hours of the law and of the organization; what the patient and the task say still holds. */
  emergency?: boolean;
  /** Left out: the rows of every channel and purpose apply. */
  channel?: Channel;
  purpose?: Purpose;
}

/** The blocks of the contract that time alone can raise. */
type TimeBlock = Extract<
  ContactBlock,
  'OUTSIDE_CALLING_HOURS' | 'OUTSIDE_TASK_WINDOW' | 'OUTSIDE_PREFERRED_WINDOW' | 'TIME_ZONE_UNKNOWN'
>;

/** What time alone says of a contact. */
export interface TimeDecision {
  /** Empty: allowed. */
  blocks: TimeBlock[];
  /** The wall clock in the zone to show, New York's when none is known: 2026-11-20T09:30:00-05:00. */
  localTime: string;
  /** ISO instant: now when allowed, else the first at which time alone allows; null: none within 60 days. */
  nextAllowedAt: string | null;
}

/** Something that is open at some times: the wall times that it opens on a date of its zone, in no order. */
interface Schedule {
  /** What it blocks while it is closed. */
  blocks: TimeBlock[];
  zone: string;
  openOn: (day: Day) => Span[];
}

/** A time when something is open without a gap: half-open, in milliseconds since 1970. */
interface Run {
  from: number;
  until: number;
}

/** How far ahead an opening is looked for. */
const horizonDays = 60;

/** The clock that stands for an unknown one (C-03). */
const unknownZone = 'America/New_York';

/** May a contact begin now, in every zone that the person may be in (C-02), and if not, when? */
export function timeDecision(question: TimeQuestion): TimeDecision {
  const { zones, primary, now, ringSeconds = 30 } = question;
  const [at, ringMs] = [now.getTime(), ringSeconds * 1000];
  const schedules = schedulesOf(question);
  const broken = schedules.filter((schedule) => !fits(firstRun(schedule, at, ringMs), at, ringMs));
  const blocks = new Set(broken.flatMap((schedule) => schedule.blocks));
  const next = blocks.size === 0 ? at : firstFit(schedules, at, ringMs);
  return {
    blocks: order.filter((block) => blocks.has(block)),
    localTime: localTimeAt(now, primary ?? zones[0] ?? unknownZone),
    nextAllowedAt: next === null ? null : new Date(next).toISOString(),
  };
}

/**
 * The first time from now on when a contact may begin, as far as the time is concerned: up to, and not including, `until`,
 * when it is at least asked again. Null: none within 60 days.
 */
export function openingOf(question: TimeQuestion): { from: number; until: number } | null {
  const { now, ringSeconds = 30 } = question;
  const ringMs = ringSeconds * 1000;
  const schedules = schedulesOf(question);
  const from = firstFit(schedules, now.getTime(), ringMs);
  if (from === null) return null;
  const ends = schedules.map((schedule) => firstRun(schedule, from, ringMs)!.until);
  return { from, until: Math.min(...ends) - ringMs + 1 };
}

/** As the contract lists them. */
const order: TimeBlock[] = [
  'OUTSIDE_CALLING_HOURS',
  'OUTSIDE_TASK_WINDOW',
  'OUTSIDE_PREFERRED_WINDOW',
  'TIME_ZONE_UNKNOWN',
];

function schedulesOf(question: TimeQuestion): Schedule[] {
  const { organization, preferred, task, emergency = false } = question;
  // A window has no law behind it: of a person whose zone nobody knows, it is read on the clock that is shown.
  const zones = question.zones.length > 0 ? question.zones : [unknownZone];
  const own = (block: TimeBlock, windows: LocalWindow[]): Schedule[] =>
    windows.length === 0
      ? []
      : zones.map((zone) => ({ blocks: [block], zone, openOn: (day) => spansOf(windows, day) }));
  return [
    ...(emergency ? [] : [...lawful(question, zones), ...own('OUTSIDE_CALLING_HOURS', organization)]),
    ...own('OUTSIDE_TASK_WINDOW', task ? [task] : []),
    ...own('OUTSIDE_PREFERRED_WINDOW', preferred),
  ];
}

const blocksOfLaw: TimeBlock[] = ['OUTSIDE_CALLING_HOURS'];
const blocksOfUnknown: TimeBlock[] = ['OUTSIDE_CALLING_HOURS', 'TIME_ZONE_UNKNOWN'];

const known = new Map<string, Timetable[]>();

/** Rows of a state hold in every zone that the person may be in, unless they name their own (C-02). */
function lawful(question: TimeQuestion, zones: string[]): Schedule[] {
  const { states, channel, purpose } = question;
  const jurisdictions = [
    'US',
    ...states.map((code) => `US-${code}`),
    ...(question.zones.length > 0 ? [] : ['UNKNOWN']),
  ];
  const key = `${jurisdictions.join()} ${channel} ${purpose}`;
  let tables = known.get(key);
  if (!tables) {
    tables = timetablesOf(jurisdictions, channel, purpose);
    known.set(key, tables);
  }
  return tables.flatMap((table) =>
    (table.zone === null ? zones : [table.zone]).map((zone) => ({
      blocks: table.jurisdiction === 'UNKNOWN' ? blocksOfUnknown : blocksOfLaw,
      zone,
      openOn: (day) => openedOn(table, day),
    })),
  );
}

/** What windows open on a date: those that open on it, and the ends of those that opened the evening before. */
function spansOf(windows: LocalWindow[], day: Day): Span[] {
  const [today, yesterday] = [weekdayOf(day), weekdayOf(day - 1)];
  return windows.flatMap(({ weekdays, opensAt, closesAt }) => {
    const [opens, closes] = [timeOf(opensAt), timeOf(closesAt)];
    const spans: Span[] = [];
    const opensOn = (weekday: number) => weekdays.length === 0 || weekdays.includes(weekday);
    if (opens === closes) return opensOn(today) ? [[0, dayMs]] : [];
    if (opensOn(today)) spans.push([opens, closes > opens ? closes : dayMs]);
    if (opensOn(yesterday) && closes < opens) spans.push([0, closes]);
    return spans;
  });
}

/** When a schedule is open on a date: what the zone's clock shows lies in a span. Exact on days when the clock changes. */
function runsOn({ zone, openOn }: Schedule, day: Day): Run[] {
  const found: Run[] = [];
  const spans = openOn(day);
  for (const { from, until, offset } of stretchesOf(day, zone)) {
    for (const [opens, closes] of spans) {
      const start = Math.max(from, day * dayMs + opens - offset);
      const end = Math.min(until, day * dayMs + closes - offset);
      if (start < end) found.push({ from: start, until: end });
    }
  }
  return found.toSorted((one, other) => one.from - other.from);
}

/**
 * The run that an instant lies in, or the next one; null when none begins within the horizon. Runs that meet are one; an end
 * that leaves time enough to ring need not be the last.
 */
function firstRun(schedule: Schedule, at: number, ringMs: number): Run | null {
  let found = null as Run | null;
  const first = dayAt(at, schedule.zone);
  for (let day = first; day <= first + horizonDays + 1; day++) {
    for (const run of runsOn(schedule, day)) {
      if (run.until <= at) continue;
      if (found && run.from > found.until) return found;
      found = { from: found?.from ?? run.from, until: Math.max(found?.until ?? 0, run.until) };
    }
    if (found && fits(found, Math.max(at, found.from), ringMs)) return found;
  }
  return found;
}

const fits = (run: Run | null, at: number, ringMs: number): boolean =>
  run !== null && run.from <= at && at < run.until && at + ringMs <= run.until;

/** The first instant from `at` on when all schedules are open at once, for as long as it may ring. */
function firstFit(schedules: Schedule[], at: number, ringMs: number): number | null {
  for (let candidate = at; candidate <= at + horizonDays * dayMs;) {
    const runs: Run[] = [];
    for (const schedule of schedules) {
      const run = firstRun(schedule, candidate, ringMs);
      if (run === null) return null;
      runs.push(run);
    }
    const opens = Math.max(candidate, ...runs.map(({ from }) => from));
    if (opens > at + horizonDays * dayMs) return null;
    if (runs.every((run) => fits(run, opens, ringMs))) return opens;
    // Either something opens later, or what is open now closes too soon: nothing fits before either.
    candidate = opens > candidate ? opens : Math.min(...runs.map(({ until }) => until));
  }
  return null;
}
