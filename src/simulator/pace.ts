import { setTimeout as sleep } from 'node:timers/promises';

/** How fast simulated people live: turns their seconds into real ones and back. */
export interface Pace {
  /** Waits so many of their seconds (0 or more, Infinity is until the signal); rejects with the signal's reason. */
  wait(seconds: number, signal: AbortSignal): Promise<void>;
  /** Their seconds since a moment of `performance.now()`. */
  secondsSince(startMs: number): number;
}

/** A pace at which people live so many times as fast as the wall clock (SIM_PACE): 10 makes a minute six seconds. */
export function paceOf(times: number): Pace {
  return {
    wait: (seconds, signal) => {
      signal.throwIfAborted();
      return seconds === Infinity ? untilAborted(signal) : waitMs((seconds * 1000) / times, signal);
    },
    secondsSince: (startMs) => ((performance.now() - startMs) * times) / 1000,
  };
}

/** Waits real milliseconds; rejects with the signal's reason, where Node's own would hide it in a cause. */
async function waitMs(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
