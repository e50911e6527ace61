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

/** An instant at which every state may be called: 14:00 in New York, 9:00 in Honolulu, before the change of the clocks. */
export const aTuesday = '2026-03-03T19:00:00Z';

/** That afternoon as it goes on while the tests run, so that what is started again does not go back in time. */
export const thatTuesday = (aheadMs = 0): string =>
  new Date(Date.parse(aTuesday) + performance.now() + aheadMs).toISOString();
