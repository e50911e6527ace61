import { defineEntity, p } from '@mikro-orm/core';
import type { Attempt } from './outreach.ts';

/** What attempts can be counted by; the contract's StatsGroup. */
export const groups = ['DAY', 'CHANNEL', 'ORIGIN', 'CAMPAIGN', 'PURPOSE', 'TAG', 'SERVICE', 'HOUR'] as const;
/** One of `groups`. */
export type Group = (typeof groups)[number];

/** The spans that are counted in advance, the longest first: months, days and hours of UTC. */
export const grains = ['MONTH', 'DAY', 'HOUR'] as const;
/** One of `grains`. */
export type Grain = (typeof grains)[number];

/** What is counted of attempts; all are numbers of attempts but the last. */
export interface Tally {
  attempts: number;
  answered: number;
  completed: number;
  failed: number;
  voicemails: number;
  texts: number;
  talkSeconds: number;
}

/** Attempts counted in advance, by what they began in; in each generation of the projection. */
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
  },
});

/** The keys that an attempt is counted under: none where it has no campaign, service or tag, several where it has several tags. */
export function keysOf(attempt: Attempt): [Group, string][] {
  const { localDate, localHour, campaignId, serviceId } = attempt;
  const keys: [Group, string | null][] = [
    ['DAY', localDate],
    ['HOUR', localHour === null ? null : String(localHour).padStart(2, '0')],
    ['CHANNEL', attempt.channel],
    ['ORIGIN', attempt.origin],
    ['PURPOSE', attempt.purpose],
    ['CAMPAIGN', campaignId ?? null],
    ['SERVICE', serviceId ?? null],
    ...attempt.tags.map((tag): [Group, string] => ['TAG', tag]),
  ];
  return keys.filter((pair): pair is [Group, string] => pair[1] !== null);
}

/** What one attempt counts. Only people are talked with. */
const tallyOf = (attempt: Attempt): Tally => ({
  attempts: 1,
  answered: Number(attempt.answered),
  completed: Number(attempt.completed),
  failed: Number(attempt.failed),
  voicemails: Number(attempt.channel === 'VOICEMAIL'),
  texts: Number(attempt.channel === 'TEXT'),
  talkSeconds: attempt.answered ? attempt.seconds : 0,
});

/** What a change of an attempt adds to its counts; null: nothing. `before` null: it begins. */
export function growth(before: Attempt | null, after: Attempt): Tally | null {
  const now = tallyOf(after);
  if (!before) return now;
  const then = tallyOf(before);
  const entries = Object.entries(now).map(([name, count]) => [name, count - then[name as keyof Tally]]);
  return entries.some(([, count]) => count !== 0) ? (Object.fromEntries(entries) as Tally) : null;
}

/** The beginning of the span that an instant is in. */
export function beginningOf(at: Date, grain: Grain): Date {
  const begun = new Date(at);
  if (grain === 'MONTH') begun.setUTCDate(1);
  if (grain !== 'HOUR') begun.setUTCHours(0);
  begun.setUTCMinutes(0, 0, 0);
  return begun;
}

/** The first beginning of a span that is not before an instant. */
function nextBeginning(at: Date, grain: Grain): Date {
  const next = beginningOf(at, grain);
  if (next.getTime() === at.getTime()) return next;
  if (grain === 'MONTH') next.setUTCMonth(next.getUTCMonth() + 1);
  else if (grain === 'DAY') next.setUTCDate(next.getUTCDate() + 1);
  else next.setUTCHours(next.getUTCHours() + 1);
  return next;
}

/** An instant and a later one that is not part of the span any more. */
export type Span = readonly [from: Date, until: Date];

/**
 * A span as whole months, the whole days and hours beside them, and what is less than an hour at its edges: together
 * exactly the span, none of it twice.
 */
export function partsOf(since: Date, until: Date): Record<Grain | 'EDGE', Span[]> {
  const parts: Record<Grain | 'EDGE', Span[]> = { MONTH: [], DAY: [], HOUR: [], EDGE: [] };
  let left: Span[] = [[since, until]];
  for (const grain of grains) {
    const cut = left.map((span) => ({ span, inside: insideOf(span, grain) }));
    parts[grain] = cut.flatMap(({ inside }) => (inside ? [inside] : []));
    left = cut.flatMap(({ span, inside }) => (inside ? around(span, inside) : [span]));
  }
  parts.EDGE = left.filter(isLong);
  return parts;
}

/** The whole months, days or hours of a span; null: there are none. */
function insideOf([since, until]: Span, grain: Grain): Span | null {
  const inside: Span = [nextBeginning(since, grain), beginningOf(until, grain)];
  return isLong(inside) ? inside : null;
}

/** What of a span is not in its inside. */
const around = ([since, until]: Span, [from, to]: Span): Span[] =>
  [[since, from] as const, [to, until] as const].filter(isLong);

const isLong = ([from, until]: Span): boolean => from < until;
