import { v7 } from 'uuid';

/** The one source of time. Decisions are given `now`; whoever must ask, asks this. */
export interface Clock {
  now(): Date;
}

/** A clock that runs; in simulation it may be set, and then runs on at the ordinary speed. */
export interface RunningClock extends Clock {
  set(at: Date): void;
}

/** Real time, unless it is told to start elsewhere. */
export function openClock(startAt: Date | null = null): RunningClock {
  let offset = 0;
  const set = (at: Date) => {
    offset = at.getTime() - Date.now();
  };
  if (startAt) set(startAt);
  return { now: () => new Date(Date.now() + offset), set };
}

/** A new UUIDv7: unique, and sorted by the time of its making. */
export const newId = (now: Date): string => v7({ msecs: now.getTime() });
