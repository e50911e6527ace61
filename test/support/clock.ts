import type { Clock } from '../../src/clock.ts';

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
