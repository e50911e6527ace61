import { defineEntity, p } from '@mikro-orm/core';
import type { Attempt } from './outreach.ts';

/** What attempts can be counted by; the contract's StatsGroup. */
export const groups = ['DAY', 'CHANNEL', 'ORIGIN', 'CAMPAIGN', 'PURPOSE', 'TAG', 'SERVICE', 'HOUR'] as const;
/** One of `groups`. */
export type Group = (typeof groups)[number];

/** How long the spans are that are counted in advance, in milliseconds: days and hours of UTC. */
export const grains = { DAY: 86_400_000, HOUR: 3_600_000 } as const;
/** One of `grains`. */
export type Grain = keyof typeof grains;

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
    /** When the day or hour begins. */
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

/** The beginning of the day or hour of UTC that an instant is in. */
export const beginningOf = (at: Date, grain: Grain): Date =>
  new Date(Math.floor(at.getTime() / grains[grain]) * grains[grain]);

/** An instant and a later one that is not part of the span any more. */
export type Span = readonly [from: Date, until: Date];

/**
 * A span as whole days, the whole hours beside them, and what is less than an hour at its edges: together exactly the
 * span, none of it twice.
 */
export function partsOf(since: Date, until: Date): Record<Grain | 'EDGE', Span[]> {
  const hours = inside([since, until], 'HOUR');
  const days = hours && inside(hours, 'DAY');
  return {
    DAY: days ? [days] : [],
    HOUR: hours ? around(hours, days) : [],
    EDGE: around([since, until], hours),
  };
}

/** The whole days or hours of a span; null: there are none. */
function inside([since, until]: Span, grain: Grain): Span | null {
  const from = beginningOf(new Date(since.getTime() + grains[grain] - 1), grain);
  const to = beginningOf(until, grain);
  return from < to ? [from, to] : null;
}

/** What of a span is not in its inside. */
function around(whole: Span, part: Span | null): Span[] {
  const spans: Span[] = part
    ? [
        [whole[0], part[0]],
        [part[1], whole[1]],
      ]
    : [whole];
  return spans.filter(([from, to]) => from < to);
}
