import type { ParsedComponents, ParsedResult } from 'chrono-node';
import * as en from 'chrono-node/en';
import * as es from 'chrono-node/es';
import { Temporal } from 'temporal-polyfill';

/** The language of a conversation. */
export type Language = 'en' | 'es';

/** Who asks for a call at "3" means the afternoon: nobody is called before this hour without saying so. */
const firstHour = 8;

const hourWords = [
  '',
  'una',
  'dos',
  'tres',
  'cuatro',
  'cinco',
  'seis',
  'siete',
  'ocho',
  'nueve',
  'diez',
  'once',
  'doce',
];

/** Hours that chrono knows only as digits. */
const withDigits = (text: string): string =>
  text.replaceAll(/\ba las? ([a-z]+)\b/gi, (whole, word: string) => {
    const hour = hourWords.indexOf(word.toLowerCase());
    return hour > 0 ? `a las ${hour}` : whole;
  });

/** When a person asks to be called, in the zone they live in; null: they did not say. Without an hour it is 10:00. */
export function timeIn(
  text: string,
  { language, now, zone }: { language: Language; now: Date; zone: string },
): Date | null {
  const here = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone);
  const reference = { instant: now, timezone: here.offsetNanoseconds / 60e9 };
  const [found] = parse(text, language, reference, true);
  if (!found) return null;
  const { start } = found;
  const day = { year: start.get('year')!, month: start.get('month')!, day: start.get('day')! };
  const wall = Temporal.PlainDateTime.from({ ...day, ...clockOf(start) });
  const at = wall.toZonedDateTime(zone);
  const later = at.epochMilliseconds <= now.getTime() ? at.add({ days: 1 }) : at;
  return new Date(later.epochMilliseconds);
}

/** What a part of the day is when it stands alone. */
const parts: Record<string, number> = { morning: 10, noon: 12, afternoon: 15, evening: 18, tonight: 19 };

function clockOf(start: ParsedComponents): { hour: number; minute: number } {
  if (!start.isCertain('hour')) {
    const part = Object.keys(parts).find((name) => start.tags().has(`casualReference/${name}`));
    return { hour: parts[part ?? 'morning']!, minute: 0 };
  }
  const said = { hour: start.get('hour')!, minute: start.get('minute') ?? 0 };
  const isBare = !start.isCertain('meridiem') && said.hour > 0 && said.hour < firstHour;
  return isBare ? { ...said, hour: said.hour + 12 } : said;
}

/** Digits as they are said or keyed: month, day and year, which chrono takes for nothing. */
const digits = /\b(\d{2}|\d(?=\D))\D?(\d{2}|\d(?=\D))\D?(\d{4})\b/g;

/** The dates that a person says in full, as YYYY-MM-DD; digits in the order of the United States, and day first as well. */
export function datesIn(text: string, language: Language): string[] {
  const reference = { instant: new Date(0), timezone: 0 };
  const said = parse(text, language, reference, false).flatMap(({ start }) => {
    const isWhole = (['year', 'month', 'day'] as const).every((part) => start.isCertain(part));
    return isWhole ? [dateOf(start.get('year')!, start.get('month')!, start.get('day')!)] : [];
  });
  const keyed = [...text.matchAll(digits)].flatMap(([, first, second, year]) => {
    const pair = [Number(first), Number(second)] as const;
    return [dateOf(Number(year), ...pair), dateOf(Number(year), pair[1], pair[0])];
  });
  return [...new Set([...said, ...keyed])];
}

const dateOf = (year: number, month: number, day: number): string =>
  `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;

function parse(
  text: string,
  language: Language,
  reference: { instant: Date; timezone: number },
  forwardDate: boolean,
): ParsedResult[] {
  const options = { forwardDate };
  const found = language === 'es' ? es.parse(withDigits(text), reference, options) : [];
  return found.length > 0 ? found : en.parse(text, reference, options);
}
