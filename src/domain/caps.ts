import { dayAt, stretchesOf, weekdayOf } from './calendar.ts';
import type { LegalBasis } from './consent.ts';

/** How often a person may be attempted, over all channels together. */
export interface Caps {
  /** In 24 hours, and on one date of the person's calendar; null: as often as one likes. */
  perDay: number | null;
  /** In seven times 24 hours, and in one week from Monday; null: as often as one likes. */
  perWeek: number | null;
  /** Minutes between the beginning of one attempt and the next; 0: none. */
  cooldownMinutes: number;
}

/** The healthcare exemption's own: one a day and three a week, 47 CFR 64.1200(a)(9)(iv)(F) (C-25). */
const exemptionCaps: Caps = { perDay: 1, perWeek: 3, cooldownMinutes: 0 };

/** For how many milliseconds back attempts count: a week, and the longest day that begins it. */
export const lookBackMs = 8 * 86_400_000;

/** What the caps say, and from when they say nothing more. */
export interface CapsDecision {
  blocks: ('FREQUENCY_CAP' | 'COOLDOWN')[];
  /** The instant from which no cap blocks: now, when none does. */
  freeAt: Date;
}

/** May one more attempt begin? Rolling and calendar spans both count; the stricter wins (C-25). */
export function capsDecision(question: {
  now: Date;
  /** When earlier attempts at the person began, on whatever channel, in no order. */
  attempts: Date[];
  basis: LegalBasis | null;
  /** The organization's own. */
  caps: Caps;
  /** Of the person's calendar. */
  zone: string;
}): CapsDecision {
  const { basis, caps, zone } = question;
  const now = question.now.getTime();
  const begun = question.attempts.map((at) => at.getTime()).filter((at) => at <= now);
  const all = basis === 'HEALTHCARE_EXEMPTION' ? [exemptionCaps, caps] : [caps];
  const frequency = Math.max(
    now,
    ...all.flatMap((cap) => [freeOfDay(begun, cap, zone, now), freeOfWeek(begun, cap, zone, now)]),
  );
  const cooldown = Math.max(now, ...begun.map((at) => at + caps.cooldownMinutes * 60_000));
  const blocks: CapsDecision['blocks'] = [];
  if (frequency > now) blocks.push('FREQUENCY_CAP');
  if (cooldown > now) blocks.push('COOLDOWN');
  return { blocks, freeAt: new Date(Math.max(frequency, cooldown)) };
}

const dayMs = 86_400_000;

function freeOfDay(begun: number[], { perDay }: Caps, zone: string, now: number): number {
  if (perDay === null) return now;
  const today = dayAt(now, zone);
  const inCalendar = begun.filter((at) => dayAt(at, zone) === today);
  return Math.max(
    rolling(begun, perDay, dayMs, now),
    inCalendar.length >= perDay ? startOf(today + 1, zone) : now,
  );
}

function freeOfWeek(begun: number[], { perWeek }: Caps, zone: string, now: number): number {
  if (perWeek === null) return now;
  const monday = dayAt(now, zone) - (weekdayOf(dayAt(now, zone)) - 1);
  const inCalendar = begun.filter((at) => dayAt(at, zone) >= monday);
  return Math.max(
    rolling(begun, perWeek, 7 * dayMs, now),
    inCalendar.length >= perWeek ? startOf(monday + 7, zone) : now,
  );
}

/** When fewer than `limit` attempts lie within the span that ends then. */
function rolling(begun: number[], limit: number, spanMs: number, now: number): number {
  if (limit === 0) return Number.POSITIVE_INFINITY;
  const decisive = begun.toSorted((a, b) => b - a)[limit - 1];
  return decisive === undefined ? now : Math.max(now, decisive + spanMs);
}

const startOf = (day: number, zone: string) => stretchesOf(day, zone)[0]?.from ?? day * dayMs;
