import { Temporal } from 'temporal-polyfill';

/**
 * A date on a wall calendar, without a zone, as days since 1970-01-01. Dates are compared and stepped through often,
 * and a number does both.
 */
export type Day = number;

/** An instant, in milliseconds since 1970-01-01T00:00Z. */
type Instant = number;

/** A part of a local date through which the clock keeps one offset. */
export interface Stretch {
  from: Instant;
  /** Not included. */
  until: Instant;
  /** Milliseconds that the wall clock is ahead of UTC. */
  offset: number;
}

/** A part of a day, as milliseconds that the wall clock shows: from the first up to, not including, the second. */
export type Span = [from: number, until: number];

/** Milliseconds of a day without a change of the clock. */
export const dayMs = 86_400_000;

/** A quarter of an hour, in milliseconds. */
const quarterMs = 900_000;

/** Names that are offsets in disguise, say no place, and follow no place's law: EST, MST7MDT, Etc/GMT+5, +05:00. */
const placeless = /^([+-].*|(?!UTC$)[A-Z]{3}(\d[A-Z]{3})?|Etc\/.+|GMT.*)$/i;

/** Names that the engine's data (CLDR) keeps for stability, with the names that the IANA database uses today. */
const renamed: Record<string, string> = {
  'America/Buenos_Aires': 'America/Argentina/Buenos_Aires',
  'America/Catamarca': 'America/Argentina/Catamarca',
  'America/Coral_Harbour': 'America/Atikokan',
  'America/Cordoba': 'America/Argentina/Cordoba',
  'America/Godthab': 'America/Nuuk',
  'America/Indianapolis': 'America/Indiana/Indianapolis',
  'America/Jujuy': 'America/Argentina/Jujuy',
  'America/Louisville': 'America/Kentucky/Louisville',
  'America/Mendoza': 'America/Argentina/Mendoza',
  'Asia/Calcutta': 'Asia/Kolkata',
  'Asia/Katmandu': 'Asia/Kathmandu',
  'Asia/Rangoon': 'Asia/Yangon',
  'Asia/Saigon': 'Asia/Ho_Chi_Minh',
  'Atlantic/Faeroe': 'Atlantic/Faroe',
  'Europe/Kiev': 'Europe/Kyiv',
  'Pacific/Enderbury': 'Pacific/Kanton',
  'Pacific/Ponape': 'Pacific/Pohnpei',
  'Pacific/Truk': 'Pacific/Chuuk',
};

const canonical = new Map<string, string | null>();

/**
 * The IANA name of a time zone, in its own spelling and with aliases resolved (US/Eastern: America/New_York); null when
 * it is none, or only an offset.
 */
export function canonicalZone(name: string): string | null {
  const known = canonical.get(name);
  if (known !== undefined) return known;
  const found = placeless.test(name) ? null : resolved(name);
  if (canonical.size > 2_000) canonical.clear(); // names come from outside: no input may fill the memory
  canonical.set(name, found);
  return found;
}

/** Whether this is the IANA name of a time zone; aliases are, bare offsets are not. */
export const isZone = (name: string): boolean => canonicalZone(name) !== null;

function resolved(name: string): string | null {
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return renamed[timeZone] ?? timeZone;
  } catch {
    return null; // the engine throws RangeError for a name that it does not know
  }
}

const offsets = new Map<string, { ms: number; text: string }>();

/** How far a zone's clock is ahead of UTC. Clocks are changed at a quarter of an hour, so that one reading does for all of it. */
function offsetAt(at: Instant, zone: string): { ms: number; text: string } {
  const quarter = Math.floor(at / quarterMs);
  const key = `${quarter} ${zone}`;
  let found = offsets.get(key);
  if (!found) {
    if (offsets.size > 20_000) offsets.clear();
    const { offset, offsetNanoseconds } = zoned(quarter * quarterMs, zone);
    found = { ms: offsetNanoseconds / 1e6, text: offset };
    offsets.set(key, found);
  }
  return found;
}

/** The wall clock's reading at an instant: 2026-11-20T09:30:00-05:00. */
export function localTimeAt(instant: Date, zone: string): string {
  const { ms, text } = offsetAt(instant.getTime(), zone);
  return new Date(instant.getTime() + ms).toISOString().slice(0, 19) + text;
}

/**
 * When a zone's clock shows this wall time ("2026-11-20T09:30"). A time that spring skips is the first instant after the
 * gap; of a time that autumn shows twice, it is the first.
 */
export function instantOf(wall: string, zone: string): Date {
  const plain = Temporal.PlainDateTime.from(wall);
  const found = plain.toZonedDateTime(zone, { disambiguation: 'earlier' });
  const isSkipped = !found.toPlainDateTime().equals(plain);
  const after = isSkipped ? found.getTimeZoneTransition('next') : null;
  return new Date((after ?? found).epochMilliseconds);
}

const stretches = new Map<string, Stretch[]>();

/** The stretches of a local date, in order: one, or two on a day when the clock changes; none when the zone skips the date. */
export function stretchesOf(day: Day, zone: string): Stretch[] {
  const key = `${day} ${zone}`;
  let found = stretches.get(key);
  if (!found) {
    if (stretches.size > 20_000) stretches.clear();
    found = findStretches(day, zone);
    stretches.set(key, found);
  }
  return found;
}

function findStretches(day: Day, zone: string): Stretch[] {
  const end = startOf(day + 1, zone).epochMilliseconds;
  const found: Stretch[] = [];
  for (let at = startOf(day, zone); at.epochMilliseconds < end;) {
    const change = at.getTimeZoneTransition('next');
    const until = Math.min(change?.epochMilliseconds ?? end, end);
    found.push({ from: at.epochMilliseconds, until, offset: at.offsetNanoseconds / 1e6 });
    at = zoned(until, zone);
  }
  return found;
}

/** The date that a zone's calendar shows at an instant. */
export function dayAt(instant: Instant, zone: string): Day {
  const day = Math.floor(instant / dayMs);
  const holds = (candidate: Day) =>
    stretchesOf(candidate, zone).some(({ from, until }) => from <= instant && instant < until);
  return [day, day - 1, day + 1].find(holds) ?? day;
}

/** ISO weekday: 1 is Monday, 7 Sunday. */
export const weekdayOf = (day: Day): number => ((((day + 3) % 7) + 7) % 7) + 1;

/** A date as YYYY-MM-DD. */
export const dateOf = (day: Day): string => new Date(day * dayMs).toISOString().slice(0, 10);

/** The day of YYYY-MM-DD. */
export const dayOf = (date: string): Day => Date.parse(date) / dayMs;

/** A wall time "HH:MM" or "HH:MM:SS" as milliseconds; 24:00 is the end of the day. */
export function timeOf(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.split(':').map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

// Midnight does not exist everywhere on every day: the first instant of a date is what the zone says it is.
const startOf = (day: Day, zone: string) => Temporal.PlainDate.from(dateOf(day)).toZonedDateTime(zone);

const zoned = (instant: Instant, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
