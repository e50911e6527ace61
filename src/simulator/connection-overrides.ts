/** How a webhook is delivered: Twilio's connection overrides, read from the URL's fragment. */
export interface Connection {
  /** The URL without its fragment: what is requested and signed. */
  readonly url: string;
  /** `ct`, milliseconds until connected. */
  readonly connectMs: number;
  /** `rt`, milliseconds until the first answer, and between its parts. */
  readonly readMs: number;
  /** `tt`, milliseconds for everything, retries included. */
  readonly totalMs: number;
  /** `rc`, how many more tries after the first. */
  readonly retries: number;
  /** `rp`, what is retried: any of `4xx`, `5xx`, `ct`, `rt`, `all`. */
  readonly retryOn: ReadonlySet<string>;
}

/**
 * The overrides of `https://host/path#rc=2&rp=5xx,ct`; what is missing or unreadable has Twilio's default.
 * Source of the limits: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
 */
export function connectionOf(url: string): Connection {
  const [target = '', fragment = ''] = url.split('#', 2);
  const overrides = new URLSearchParams(fragment);
  function within(name: string, [least, most, otherwise]: readonly [number, number, number]): number {
    const given = Number.parseInt(overrides.get(name) ?? '', 10);
    return Number.isNaN(given) ? otherwise : Math.min(most, Math.max(least, given));
  }
  return {
    url: target,
    connectMs: within('ct', [100, 10_000, 5000]),
    readMs: within('rt', [100, 15_000, 15_000]),
    totalMs: within('tt', [100, 15_000, 15_000]),
    retries: within('rc', [0, 5, 1]),
    retryOn: new Set((overrides.get('rp') ?? 'ct').split(',')),
  };
}
