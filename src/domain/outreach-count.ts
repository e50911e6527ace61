import { defineEntity, p } from '@mikro-orm/core';
import type { Attempt } from './outreach.ts';
import type { OutreachTask } from './outreach-task.ts';

/** What attempts and tasks can be counted by; the contract's StatsGroup, and by how many attempts it took. */
export const groups = [
  'DAY',
  'CHANNEL',
  'ORIGIN',
  'CAMPAIGN',
  'PURPOSE',
  'TAG',
  'SERVICE',
  'HOUR',
  'ATTEMPT',
] as const;
/** One of `groups`. */
export type Group = (typeof groups)[number];

/** The spans that are counted in advance, the longest first: months, days and hours of UTC. */
export const grains = ['MONTH', 'DAY', 'HOUR'] as const;
/** One of `grains`. */
export type Grain = (typeof grains)[number];

/** What is counted of attempts, and from `due` on of tasks. */
export interface Tally {
  attempts: number;
  answered: number;
  completed: number;
  failed: number;
  voicemails: number;
  texts: number;
  talkSeconds: number;
  due: number;
  attempted: number;
  reached: number;
  achieved: number;
}

/**
 * Attempts counted in advance by what they began in, and tasks by what they were due in; in each generation of the
 * projection. What counts nothing any more has no row.
 */
export const counts = defineEntity({
  name: 'OutreachCount',
  tableName: 'outreach_count',
  properties: {
    workspaceId: p.uuid().primary(),
    generation: p.integer().primary(),
    groupedBy: p.text().$type<Group>().primary(),
    grain: p.text().$type<Grain>().primary(),
    /** When the span begins. */
    begunAt: p.datetime().primary(),
    key: p.text().primary(),
    attempts: p.integer(),
    answered: p.integer(),
    completed: p.integer(),
    failed: p.integer(),
    voicemails: p.integer(),
    texts: p.integer(),
    talkSeconds: p.integer(),
    due: p.integer(),
    attempted: p.integer(),
    reached: p.integer(),
    achieved: p.integer(),
  },
});

/** What is counted under which keys. */
type Keyed = Pick<
  Attempt,
  | 'localDate'
  | 'localHour'
  | 'channel'
  | 'origin'
  | 'purpose'
  | 'campaignId'
  | 'serviceId'
  | 'tags'
  | 'number'
>;

/** The keys of an attempt or a task: none where it has no campaign, service or tag, several where it has several tags. */
export function keysOf(counted: Keyed): [Group, string][] {
  const { localDate, localHour, campaignId, serviceId, number } = counted;
  const keys: [Group, string | null][] = [
    ['DAY', localDate],
    ['HOUR', localHour == null ? null : twoDigits(localHour)],
    ['ATTEMPT', number == null ? null : twoDigits(number)],
    ['CHANNEL', counted.channel],
    ['ORIGIN', counted.origin],
    ['PURPOSE', counted.purpose],
    ['CAMPAIGN', campaignId ?? null],
    ['SERVICE', serviceId ?? null],
    ...counted.tags.map((tag): [Group, string] => ['TAG', tag]),
  ];
  return keys.filter((pair): pair is [Group, string] => pair[1] !== null);
}

/** So that numbers stand in their order as texts, too. */
const twoDigits = (number: number): string => String(number).padStart(2, '0');

/** Nothing counted. */
export const nothing: Tally = {
  attempts: 0,
  answered: 0,
  completed: 0,
  failed: 0,
  voicemails: 0,
  texts: 0,
  talkSeconds: 0,
  due: 0,
  attempted: 0,
  reached: 0,
  achieved: 0,
};

/** What one attempt counts. Only people are talked with. */
export const tallyOfAttempt = (attempt: Attempt): Tally => ({
  ...nothing,
  attempts: 1,
  answered: Number(attempt.answered),
  completed: Number(attempt.completed),
  failed: Number(attempt.failed),
  voicemails: Number(attempt.channel === 'VOICEMAIL'),
  texts: Number(attempt.channel === 'TEXT'),
  talkSeconds: attempt.answered ? attempt.seconds : 0,
});

/** What one task counts. */
export const tallyOfTask = ({ due, attempted, reached, achieved }: OutreachTask): Tally => ({
  ...nothing,
  due: Number(due),
  attempted: Number(attempted),
  reached: Number(reached),
  achieved: Number(achieved),
});

/** Counts with others added to them, or taken away. */
export const plus = (counted: Tally, added: Tally, sign: 1 | -1): Tally =>
  Object.fromEntries(
    Object.entries(counted).map(([name, count]) => [name, count + sign * added[name as keyof Tally]]),
  ) as unknown as Tally;

/** Whether nothing is counted, or nothing changes. */
export const isNothing = (counted: Tally): boolean => Object.values(counted).every((count) => count === 0);

/** The beginning of the span that an instant is in. */
export function beginningOf(at: Date, grain: Grain): Date {
  const begun = new Date(at);
  if (grain === 'MONTH') begun.setUTCDate(1);
  if (grain !== 'HOUR') begun.setUTCHours(0);
  begun.setUTCMinutes(0, 0, 0);
  return begun;
}

/** The beginning of a span that is nearest to an instant. */
function nearestBeginning(at: Date, grain: Grain): Date {
  const begun = beginningOf(at, grain);
  const next = new Date(begun);
  if (grain === 'MONTH') next.setUTCMonth(next.getUTCMonth() + 1);
  else next.setTime(begun.getTime() + (grain === 'DAY' ? 24 : 1) * 3_600_000);
  return at.getTime() - begun.getTime() < next.getTime() - at.getTime() ? begun : next;
}

/** What is counted of a span: from an instant up to, not including, another one; added, or taken away. */
export interface Part {
  /** EDGE: nothing is counted in advance. */
  grain: Grain | 'EDGE';
  from: Date;
  until: Date;
  sign: 1 | -1;
}

/**
 * A span as whole months and what is more or less than them in days, hours and, less than an hour at each end, one by one:
 * together exactly the span. A week less than a month is a month without a week, which is less to read than its days.
 */
export function partsOf(since: Date, until: Date): Part[] {
  const parts: Part[] = [];
  const add = (grain: Part['grain'], from: Date, to: Date) => {
    if (from < to) parts.push({ grain, from, until: to, sign: 1 });
    if (to < from) parts.push({ grain, from: to, until: from, sign: -1 });
  };
  let [grain, from, to]: [Part['grain'], Date, Date] = ['EDGE', since, until];
  for (const coarser of grains.toReversed()) {
    const [left, right] = [nearestBeginning(from, coarser), nearestBeginning(to, coarser)];
    const beside = Math.abs(left.getTime() - from.getTime()) + Math.abs(right.getTime() - to.getTime());
    if (beside >= to.getTime() - from.getTime()) break;
    add(grain, from, left);
    add(grain, right, to);
    [grain, from, to] = [coarser, left, right];
  }
  add(grain, from, to);
  return parts;
}
