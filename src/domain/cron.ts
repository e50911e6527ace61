import { Cron } from 'croner';

/** The most characters of an expression. */
const longest = 128;

/** An expression of five fields, or a nickname such as @daily, in a zone. Throws for anything else. */
const parse = (expression: string, timeZone: string): Cron =>
  new Cron(expression, { timezone: timeZone, paused: true, mode: '5-part' });

/** What is wrong with a cron expression; null: nothing. */
export function faultOf(expression: string, timeZone: string, now: Date): string | null {
  if (expression.length > longest) return `Must be at most ${longest} characters.`;
  try {
    return parse(expression, timeZone).nextRun(now) ? null : 'This time never comes.';
  } catch {
    return 'Must be a cron expression of five fields (minute, hour, day, month, weekday), such as 0 9 * * 1-5.';
  }
}

/**
 * The next instants, after this one, exact through both changes of the clock: a time that spring skips is the first
 * instant after the gap, and of a time that autumn shows twice it is the first.
 */
export const nextRuns = (expression: string, timeZone: string, after: Date, count: number): Date[] =>
  parse(expression, timeZone).nextRuns(count, after);

/** The first instant after this one; null: there is none. */
export const nextRun = (expression: string, timeZone: string, after: Date): Date | null =>
  parse(expression, timeZone).nextRun(after);

/** The last instant that is not after this one; null: there is none. */
export const lastRun = (expression: string, timeZone: string, at: Date): Date | null =>
  parse(expression, timeZone).previousRuns(1, new Date(at.getTime() + 1))[0] ?? null;
