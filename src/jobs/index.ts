import schedule from 'node-schedule';
import { hangUpMachines } from './hang-up-machines.ts';
import { relayEvents } from './relay-events.ts';
import { sweepCalls, type Sweep } from './sweep-calls.ts';
import type { Clock } from '../clock.ts';
import type { Stream } from '../stream.ts';

/** What the jobs are run with. */
export interface JobTools extends Sweep {
  stream: Stream;
  clock: Clock;
}

/** What happens on the clock: when, in node-schedule's words with seconds, and what is done with the time it then is. */
const onTheClock: Record<string, { rule: string; run: (tools: JobTools, now: Date) => Promise<number> }> = {
  'sweep-calls': { rule: '* * * * * *', run: sweepCalls },
};

/** What happens on the stream, for as long as the process lives. */
const onTheStream: Record<string, (tools: JobTools, signal: AbortSignal) => Promise<void>> = {
  'relay-events': relayEvents,
  'hang-up-machines': hangUpMachines,
};

/** Starts every job. The answer stops them, and resolves when what was under way is done. */
export function startJobs(tools: JobTools): () => Promise<void> {
  const stop = new AbortController();
  const streams = Object.entries(onTheStream).map(([name, run]) =>
    run(tools, stop.signal).catch((error: unknown) => tools.log(`${name} ended`, error)),
  );
  const running = new Map<string, Promise<void>>();
  const ticks = Object.entries(onTheClock).map(([name, { rule, run }]) =>
    schedule.scheduleJob(rule, () => {
      if (running.has(name)) return; // the last run still goes on: one at a time in a process
      const done = run(tools, tools.clock.now())
        .then((count) => count > 0 && tools.log(`${name}: ${count}`))
        .catch((error: unknown) => tools.log(`${name} failed; it runs again at the next tick`, error))
        .then(() => void running.delete(name));
      running.set(name, done);
    }),
  );
  return async () => {
    for (const tick of ticks) tick.cancel();
    stop.abort();
    await Promise.all([...streams, ...running.values()]);
  };
}
