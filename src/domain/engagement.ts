/** How often a person was tried, and whether it is worth it: the contract's Engagement. */

/** An attempt that could have reached the person. */
export interface Trial {
  at: Date;
  /** 0 to 23, on the person's clock; null: unknown. */
  hour: number | null;
  reached: boolean;
}

/** What attempts at a person have come to. */
export interface Engagement {
  attempts: number;
  answered: number;
  voicemails: number;
  texts: number;
  lastAttemptAt: Date | null;
  lastAnsweredAt: Date | null;
  consecutiveUnanswered: number;
  reachability: number | null;
  bestHour: number | null;
  asOf: string;
}

/** How many trials, the newest, reachability and the best hour are reckoned from. */
export const trialsKept = 200;

/** A trial weighs half as much as one this many milliseconds later: 30 days. */
export const halfLifeMs = 30 * 86_400_000;

/** The share of trials that reached the person, each weighed by how recent it is; null: nothing has been tried. */
export function reachabilityOf(trials: readonly Trial[]): number | null {
  if (trials.length === 0) return null;
  const newest = Math.max(...trials.map(({ at }) => at.getTime()));
  let reached = 0;
  let all = 0;
  for (const trial of trials) {
    const weight = 2 ** ((trial.at.getTime() - newest) / halfLifeMs);
    all += weight;
    if (trial.reached) reached += weight;
  }
  return reached / all;
}

/**
 * The two-hour part of the person's day in which most trials succeed, as its first hour. One success and one failure
 * are put to each part beforehand, so that one lucky call does not beat nine out of ten; equal parts: the earlier. Null:
 * nothing has succeeded.
 */
export function bestHourOf(trials: readonly Trial[]): number | null {
  let best: { hour: number; share: number } | null = null;
  for (let hour = 0; hour < 24; hour += 2) {
    const tried = trials.filter((trial) => trial.hour !== null && trial.hour - (trial.hour % 2) === hour);
    const reached = tried.filter((trial) => trial.reached).length;
    const share = (reached + 1) / (tried.length + 2);
    if (reached > 0 && share > (best?.share ?? 0)) best = { hour, share };
  }
  return best?.hour ?? null;
}
