import type { RunningClock } from '../clock.ts';

/** How fast simulated people live: turns their seconds into the clock's and back. */
export interface Pace {
  /** Waits so many of their seconds (0 or more, Infinity is until the signal); rejects with the signal's reason. */
  wait(seconds: number, signal: AbortSignal): Promise<void>;
  /** This moment, for `secondsSince`. */
  moment(): number;
  /** Their seconds since a moment. */
  secondsSince(moment: number): number;
}

/** A pace at which people live so many times as fast as the clock (SIM_PACE): 10 makes a minute six seconds. */
export function paceOf(times: number, clock: RunningClock): Pace {
  const moment = () => clock.now().getTime();
  return {
    wait: (seconds, signal) => {
      signal.throwIfAborted();
      return seconds === Infinity ? untilAborted(signal) : wait(clock, (seconds * 1000) / times, signal);
    },
    moment,
    secondsSince: (earlier) => ((moment() - earlier) * times) / 1000,
  };
}

function wait(clock: RunningClock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(milliseconds, () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    function abort(): void {
      cancel();
      reject(signal.reason as Error);
    }
    signal.addEventListener('abort', abort, { once: true });
  });
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
