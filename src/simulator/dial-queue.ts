/** The carrier's queue: starts calls one after another, no faster than the account may (SIM_CPS). */
export interface DialQueue {
  /** Puts a call at the end; `waitMs` is how long it has to wait if nobody before it leaves. */
  join(dial: () => void): { readonly waitMs: number; readonly leave: () => void };
  /** Forgets everybody who waits. */
  close(): void;
}

/** Twilio: 22005, the queue is full once it holds a day's calls. */
const FULL_SECONDS = 86_400;

/** A queue for so many calls a second (real ones: pace does not change what an account may do). */
export function openDialQueue(callsPerSecond: number, refuseWhenFull: () => Error): DialQueue {
  const intervalMs = 1000 / callsPerSecond;
  const waiting = new Set<() => void>();
  let nextAt = performance.now();
  let timer: NodeJS.Timeout | undefined;

  function drain(): void {
    timer = undefined;
    for (const dial of waiting) {
      if (nextAt > performance.now()) break;
      nextAt += intervalMs;
      waiting.delete(dial);
      dial();
    }
    arm();
  }
  function arm(): void {
    if (waiting.size > 0) timer ??= setTimeout(drain, Math.max(0, nextAt - performance.now()));
  }
  return {
    join: (dial) => {
      if (waiting.size >= FULL_SECONDS * callsPerSecond) throw refuseWhenFull();
      // Idle time is not saved up: the rate is never exceeded, not even after a pause.
      if (waiting.size === 0) nextAt = Math.max(nextAt, performance.now());
      const waitMs = Math.max(0, nextAt - performance.now()) + waiting.size * intervalMs;
      waiting.add(dial);
      arm();
      return { waitMs, leave: () => waiting.delete(dial) };
    },
    close: () => {
      waiting.clear();
      clearTimeout(timer);
    },
  };
}
