import type { ApiKey } from './domain/workspace.ts';
import type { World } from './world.ts';

/** The window of an API key's limit, in milliseconds: calendar minutes, which all replicas share. */
const windowMs = 60_000;

/** Into how many parts a limit is cut: so many times a minute, at most, a process asks Postgres for more. */
const parts = 20;

/** What a process may still let through of a key's minute. */
interface Share {
  minute: number;
  left: number;
  /** The limit of the minute is used up, here and everywhere. */
  isSpent: boolean;
  /** More is being asked for. */
  asking: Promise<void> | null;
}

/**
 * Limits the requests of each key, for all replicas together. Each takes a part of the limit at a time and counts it down by
 * itself, so that most requests wait for nobody; what a replica has taken and not used is lost to the others that minute.
 */
export function openRequestLimits(options: { world: Pick<World, 'takeRequests'>; perMinute: number }) {
  const { world, perMinute } = options;
  const count = Math.ceil(perMinute / parts);
  const shares = new Map<string, Share>();

  /** Counts one request. Answers null, or in how many seconds the next minute begins when this one is used up. */
  async function take(key: ApiKey, now: Date): Promise<number | null> {
    const share = shareOf(key, Math.floor(now.getTime() / windowMs));
    while (share.left === 0 && !share.isSpent) {
      share.asking ??= ask(key, share).finally(() => {
        share.asking = null;
      });
      await share.asking;
    }
    if (share.left === 0) return Math.ceil(((share.minute + 1) * windowMs - now.getTime()) / 1000);
    share.left -= 1;
    return null;
  }

  function shareOf({ id }: ApiKey, minute: number): Share {
    const known = shares.get(id);
    if (known?.minute === minute) return known;
    if (shares.size > 10_000) shares.clear();
    const share = { minute, left: 0, isSpent: false, asking: null };
    shares.set(id, share);
    return share;
  }

  async function ask(key: ApiKey, share: Share): Promise<void> {
    const minute = new Date(share.minute * windowMs);
    share.left = await world.takeRequests(key, { minute, count, limit: perMinute });
    share.isSpent = share.left === 0;
  }

  return { take };
}
