import { setTimeout as pause } from 'node:timers/promises';

/** How long `eventually` waits before it looks again, at first and at most, in milliseconds: looking is work too. */
const pausesMs = { first: 20, most: 100 };

/**
 * Waits until `probe` answers something other than false, null and undefined, and does not throw; answers that.
 * At the deadline, in milliseconds, it throws with what it last saw: an error that `probe` throws says more than `false`.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  deadlineMs = 5_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs;
  let pauseMs = pausesMs.first;
  for (;;) {
    let seen: unknown;
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined) return value;
      seen = value;
    } catch (error) {
      seen = error;
    }
    if (performance.now() > deadline) {
      const text = seen instanceof Error ? seen.message : JSON.stringify(seen);
      throw new Error(`Not within ${deadlineMs} ms; last seen: ${text}`, { cause: seen });
    }
    await pause(pauseMs);
    pauseMs = Math.min(pauseMs * 1.2, pausesMs.most);
  }
}
