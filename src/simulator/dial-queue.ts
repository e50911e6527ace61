import type { RunningClock } from '../clock.ts';

/** The carrier's queue: starts calls one after another, no faster than the account may (SIM_CPS). */
export interface DialQueue {
  /** Puts a call at the end; `waitMs` is how long it has to wait if nobody before it leaves. */
  join(dial: () => void): { readonly waitMs: number; readonly leave: () => void };
  /** Forgets everybody who waits. */
  close(): void;
}

/** What a queue is opened with. */
export interface DialQueueOptions {
  readonly clock: RunningClock;
  /** Of the clock's seconds: pace does not change what an account may do. */
  readonly callsPerSecond: number;
  readonly refuseWhenFull: () => Error;
}

/** Twilio: 22005, the queue is full once it holds a day's calls. */
const FULL_SECONDS = 86_400;

/** A queue that nobody waits in. */
export function openDialQueue({ clock, callsPerSecond, refuseWhenFull }: DialQueueOptions): DialQueue {
  const intervalMs = 1000 / callsPerSecond;
  const waiting = new Set<() => void>();
  const now = () => clock.now().getTime();
  let nextAt = now();
  let cancel: (() => void) | undefined;

  function drain(): void {
    cancel = undefined;
    for (const dial of waiting) {
      if (nextAt > now()) break;
      nextAt += intervalMs;
      waiting.delete(dial);
      dial();
    }
    arm();
  }
  function arm(): void {
    if (waiting.size > 0) cancel ??= clock.after(nextAt - now(), drain);
  }
  return {
    join: (dial) => {
      if (waiting.size >= FULL_SECONDS * callsPerSecond) throw refuseWhenFull();
      // Idle time is not saved up: the rate is never exceeded, not even after a pause.
      if (waiting.size === 0) nextAt = Math.max(nextAt, now());
      const waitMs = Math.max(0, nextAt - now()) + waiting.size * intervalMs;
      waiting.add(dial);
      arm();
      return { waitMs, leave: () => waiting.delete(dial) };
    },
    close: () => {
      waiting.clear();
      cancel?.();
    },
  };
}
