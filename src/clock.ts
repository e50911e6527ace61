import { v7 } from 'uuid';

/** The one source of time. Decisions are given `now`; whoever must ask, asks this. */
export interface Clock {
  now(): Date;
}

/** Real time; in simulation it may start elsewhere, and then runs on at the ordinary speed. */
export function realClock(startAt?: Date | null): Clock {
  const offset = startAt ? startAt.getTime() - Date.now() : 0;
  return { now: () => new Date(Date.now() + offset) };
}

/** A clock that stands still until it is moved by hand. */
export function handClock(startAt: Date): Clock & { advance(milliseconds: number): void } {
  let at = startAt.getTime();
  return {
    now: () => new Date(at),
    advance: (milliseconds) => {
      at += milliseconds;
    },
  };
}

/** A new UUIDv7: unique, and sorted by the time of its making. */
export const newId = (now: Date): string => v7({ msecs: now.getTime() });
