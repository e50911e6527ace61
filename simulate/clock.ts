import type { Follower, RunningClock } from '../src/clock.ts';

/** A process's own view of the clock that all share: it may stand apart from it for a while, and at its death for good. */
export interface ProcessClock extends RunningClock {
  /** From now on nothing is fired and nobody waits for what is under way here. */
  freeze(): void;
  /** What has become due meanwhile is fired late. */
  thaw(): void;
  /** As `freeze`, for good; whoever waits for a timer is let go, so that it can come to its end. */
  end(): void;
}

interface Timer {
  run: () => void | Promise<void>;
  cancel: () => void;
}

/** A process's view of a clock. */
export function openProcessClock(shared: RunningClock): ProcessClock {
  const timers = new Set<Timer>();
  const late = new Set<Timer>();
  const underWay = new Set<Promise<unknown>>();
  let apart = Promise.withResolvers<void>();
  let isApart = false;
  const count = (work: Promise<unknown>) =>
    void shared.busy(Promise.race([work, apart.promise]).catch(() => {})); // whoever began it hears of its failure
  const fire = (timer: Timer): void | Promise<void> => {
    if (isApart) return void late.add(timer);
    timers.delete(timer);
    return timer.run();
  };
  function freeze(): void {
    isApart = true;
    apart.resolve();
  }
  return {
    ...shared,
    after: (milliseconds, run) => {
      const timer: Timer = { run, cancel: () => {} };
      timers.add(timer);
      timer.cancel = shared.after(milliseconds, () => fire(timer));
      return () => {
        timer.cancel();
        timers.delete(timer);
        late.delete(timer);
      };
    },
    busy: (work) => {
      underWay.add(work);
      const done = () => void underWay.delete(work);
      void work.finally(done).catch(() => {}); // whoever began it hears of its failure
      count(work);
      return work;
    },
    follow: (follower) => shared.follow(followerOf(follower, () => isApart)),
    freeze,
    thaw: () => {
      isApart = false;
      apart = Promise.withResolvers();
      for (const work of underWay) count(work);
      const waiting = [...late];
      late.clear();
      for (const timer of waiting) count(Promise.resolve(fire(timer)));
    },
    end: () => {
      freeze();
      for (const timer of timers) {
        timer.cancel();
        void Promise.resolve(timer.run()).catch(() => {});
      }
      timers.clear();
    },
  };
}

/** Who has lost Postgres has nothing due that it knows of, and is waited for: it finds out, or dies. */
const followerOf = (follower: Follower, isApart: () => boolean): Follower => ({
  nextAt: async () => (isApart() ? null : follower.nextAt().catch(() => null)),
  run: () => isApart() || follower.run(),
  isSettled: async (atEnd) => isApart() || follower.isSettled(atEnd).catch(() => isApart()),
});
