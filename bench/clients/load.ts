/** A client that asks over HTTP as fast as it is answered, over so many connections: autocannon. */
import { library } from '../rig/library.ts';

/** What is asked, in turns. */
export interface Load {
  url: string;
  bodies: string[];
  headers?: Record<string, string>;
  connections: number;
  seconds: number;
}

/** How it was answered. */
export interface Served {
  perSecond: number;
  requests: number;
  p99: number;
}

interface Result {
  errors: number;
  timeouts: number;
  non2xx: number;
  mismatches: number;
  duration: number;
  '2xx': number;
  latency: { p99: number };
}
type Autocannon = (options: object) => Promise<Result>;

const { default: autocannon } = await library<{ default: Autocannon }>('autocannon');

/** Asks; throws when anything was answered with an error. Whoever has answered nothing in the time has answered nothing. */
export async function ask({ url, bodies, headers, connections, seconds }: Load): Promise<Served> {
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    headers: { 'content-type': 'application/json', ...headers },
    method: 'POST',
    requests: bodies.map((body) => ({ body })),
    verifyBody: (body: string) => !body.includes('"errors"'),
  });
  const { errors, timeouts, non2xx, mismatches } = result;
  if (errors + timeouts + non2xx + mismatches > 0) {
    throw new Error(`${url}: ${JSON.stringify({ errors, timeouts, non2xx, mismatches })}`);
  }
  return {
    perSecond: result['2xx'] / result.duration,
    requests: result['2xx'],
    p99: result['2xx'] === 0 ? Number.NaN : result.latency.p99,
  };
}
