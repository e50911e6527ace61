import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** How idle the machine must have been for how long before a turn begins, and how long is waited for that. */
const idleShare = 0.85;
const sampleMs = 500;
const longestMs = 20_000;

/** Waits until the machine is mostly idle. Answers whether it became so in time. */
export async function untilIdle(limitMs = longestMs): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (;;) {
    const before = ticks();
    await sleep(sampleMs);
    const after = ticks();
    if ((after.idle - before.idle) / Math.max(1, after.all - before.all) >= idleShare) return true;
    if (performance.now() > until) return false;
  }
}

function ticks(): { idle: number; all: number } {
  let [idle, all] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, all };
}
