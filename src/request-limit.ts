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
  /** What nobody had taken when it was last asked for. */
  elsewhere: number;
  /** The limit of the minute is used up, here and everywhere. */
  isSpent: boolean;
  /** More is being asked for. */
  asking: Promise<void> | null;
}

/** How a key stands after a request. */
export interface Standing {
  /** The request is one too many. */
  isRefused: boolean;
  limit: number;
  /** How many more are let through this minute, as far as this process knows. */
  remaining: number;
  /** In how many seconds the next minute begins. */
  resetSeconds: number;
}

/**
 * Limits the requests of each key, for all replicas together. Each takes a part of the limit at a time and counts it down by
 * itself, so that most requests wait for nobody; what a replica has taken and not used is lost to the others that minute.
 */
export function openRequestLimits(options: { world: Pick<World, 'takeRequests'>; perMinute: number }) {
  const { world, perMinute } = options;
  const count = Math.ceil(perMinute / parts);
  const shares = new Map<string, Share>();

  /** Counts one request. */
  async function take(key: ApiKey, now: Date): Promise<Standing> {
    const share = shareOf(key, Math.floor(now.getTime() / windowMs));
    while (share.left === 0 && !share.isSpent) {
      share.asking ??= ask(key, share).finally(() => {
        share.asking = null;
      });
      await share.asking;
    }
    const isRefused = share.left === 0;
    if (!isRefused) share.left -= 1;
    const resetSeconds = Math.ceil(((share.minute + 1) * windowMs - now.getTime()) / 1000);
    return { isRefused, limit: perMinute, remaining: share.left + share.elsewhere, resetSeconds };
  }

  function shareOf({ id }: ApiKey, minute: number): Share {
    const known = shares.get(id);
    if (known?.minute === minute) return known;
    if (shares.size > 10_000) shares.clear();
    const share = { minute, left: 0, elsewhere: 0, isSpent: false, asking: null };
    shares.set(id, share);
    return share;
  }

  async function ask(key: ApiKey, share: Share): Promise<void> {
    const minute = new Date(share.minute * windowMs);
    const used = await world.takeRequests(key, { minute, count });
    share.left = Math.max(0, Math.min(count, perMinute - used + count));
    share.elsewhere = Math.max(0, perMinute - used);
    share.isSpent = share.left === 0;
  }

  return { take };
}
