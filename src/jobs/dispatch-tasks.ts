import { setTimeout as sleep } from 'node:timers/promises';
import type { Attempts } from '../attempt.ts';
import type { RunningClock } from '../clock.ts';
import { leadMs } from '../domain/task-progress.ts';
import type { Counters } from '../metrics/counters.ts';
import { inScope } from '../scope.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';

/** What dispatching needs. */
interface Tools {
  world: Pick<World, 'heed'>;
  attempts: Attempts;
  stream: Stream;
  clock: RunningClock;
  log: (line: string, error?: unknown) => void;
  /** Told of each task whose turn has come. Left out: nobody counts. */
  counters?: Pick<Counters, 'dispatched'>;
}

/** Events after which something else may be due, or may now be attempted. */
const wakers = new Set([
  'outbound.scheduled',
  'outbound.rescheduled',
  'outbound.snoozed',
  'outbound.blocked',
  'outbound.attempt_failed',
  'contact.attempt_ended',
  'campaign.updated',
  'campaign_run.resumed',
]);

/** How soon what is due and held by somebody else is asked for again, in milliseconds; doubles up to the longest. */
const heldMs = 20;
const heldLongestMs = 1_000;

/** How soon before the next instant something is claimed, in milliseconds: with less than the lead, others come with it. */
const wakeMs = leadMs / 2;

/** How soon dispatching begins anew after a failure, in milliseconds. */
const failedMs = 1_000;

/**
 * Dispatches tasks as they become due. It is woken by the events that make something due, by a timer at the next due
 * instant, and by the jobs' clock whatever happens: polling would make every call late.
 */
export function openDispatcher({ world, attempts, stream, clock, log, counters }: Tools) {
  const waiting = new Set<Promise<void>>();
  let running: Promise<number> | null = null;
  let isWanted = false;
  const stopping = new AbortController();
  const { signal: stopped } = stopping;
  let idle = 0;
  /** Until when the account has no turn left, as milliseconds since 1970: whatever wakes it, nothing could be claimed. */
  let pacedUntil = 0;
  let disarm = () => {};

  /** Dispatches whatever is due; answers how many tasks were attempted or moved. One at a time: who comes meanwhile shares it. */
  function run(): Promise<number> {
    if (stopped.aborted || clock.now().getTime() < pacedUntil) return running ?? Promise.resolve(0);
    isWanted = true;
    running ??= clock.busy(inScope({ name: 'dispatch-tasks' }, rounds)).finally(() => {
      running = null;
    });
    return running;
  }

  async function rounds(): Promise<number> {
    disarm();
    let count = 0;
    try {
      while (isWanted && !stopped.aborted) {
        isWanted = false;
        count += await round();
      }
    } catch (error) {
      log('dispatching begins anew', error);
      arm(failedMs);
    }
    return count;
  }

  /** One claim, if anything is due; else a timer for the next instant at which something will be. */
  async function round(): Promise<number> {
    const next = await attempts.nextDueAt();
    if (!next) return 0;
    const inMs = next.getTime() - clock.now().getTime();
    if (inMs > wakeMs) {
      arm(inMs - wakeMs);
      return 0;
    }
    const { dispatched, blocked, againMs } = await attempts.dispatch(later);
    counters?.dispatched(dispatched);
    const done = dispatched.length + blocked;
    idle = done > 0 ? 0 : idle + 1;
    if (againMs > 0) pauseFor(againMs);
    else if (done > 0) isWanted = true;
    // What is due and was not claimed is in somebody else's hands, or has no line: it is asked for less and less often.
    else arm(Math.max(inMs, Math.min(heldLongestMs, heldMs * 2 ** (idle - 1))));
    return done;
  }

  function pauseFor(milliseconds: number): void {
    pacedUntil = clock.now().getTime() + milliseconds - 2; // the timer may be a little early
    isWanted = false;
    arm(milliseconds);
  }

  function arm(milliseconds: number): void {
    disarm();
    if (!stopped.aborted) disarm = clock.after(milliseconds, async () => void (await run()));
  }

  /** Makes a call in its turn. */
  function later(milliseconds: number, call: () => Promise<void>): void {
    const made = new Promise<void>((resolve) => {
      const make = () =>
        clock
          .busy(inScope({ name: 'attempt a task' }, call))
          .catch((error: unknown) => log('a call is left to the sweep', error))
          .then(resolve);
      if (milliseconds < 1) void make();
      else clock.after(milliseconds, make);
    }).then(() => void waiting.delete(made));
    waiting.add(made);
  }

  const hear = (events: readonly { type: string }[]) => {
    if (events.some(({ type }) => wakers.has(type))) void run();
  };

  /** Wakes it when something happens, for as long as the process lives: here at once, elsewhere once the stream tells. */
  async function follow(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', world.heed(hear));
    while (!signal.aborted) {
      try {
        await stream.follow(hear, signal, () => void run());
      } catch (error) {
        log('dispatching listens anew', error);
        await sleep(failedMs);
      }
    }
  }

  /** Claims nothing more, and resolves when every call whose intent is recorded has been made. */
  async function stop(): Promise<void> {
    stopping.abort();
    disarm();
    await running;
    await Promise.all(waiting);
  }

  return { run, follow, stop, nextAt: attempts.nextDueAt };
}

/** Dispatches tasks. */
export type Dispatcher = ReturnType<typeof openDispatcher>;
