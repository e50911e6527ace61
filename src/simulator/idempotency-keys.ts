import type { Drop } from './drop.ts';

/** What is known of a key when it comes in. */
type KeyState = Drop['key'] | 'same';

/** Remembers which requests came with which Idempotency-Key. */
export interface IdempotencyKeys {
  /** Takes note of an account's key with its request. No key, or an empty one, is always `new`. */
  use(account: string, key: string, body: unknown): KeyState;
}

/** Drop Cowboy remembers keys for 24 hours, per account. */
const REMEMBERED_MS = 86_400_000;

/** Keys of which none has come yet, remembered by the given clock. */
export function openIdempotencyKeys(now: () => Date): IdempotencyKeys {
  const known = new Map<string, { readonly body: string; readonly until: number }>();
  return {
    use: (account, key, body) => {
      if (key === '') return 'new';
      // Drop Cowboy: 1 to 255 printable ASCII characters.
      if (!/^[\x20-\x7E]{1,255}$/.test(key)) return 'invalid';
      const name = JSON.stringify([account, key]);
      const earlier = known.get(name);
      const written = JSON.stringify(sorted(body));
      const at = now().getTime();
      if (earlier && earlier.until > at) return earlier.body === written ? 'same' : 'reused';
      known.set(name, { body: written, until: at + REMEMBERED_MS });
      return 'new';
    },
  };
}

/** The same value whatever the order of its fields. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => sorted(one));
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, sorted(one)]));
}
