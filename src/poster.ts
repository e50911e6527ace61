import dns from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import ipaddr from 'ipaddr.js';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';

/** How long a receiver may take to answer, in milliseconds. */
const answerMs = 10_000;

/** How long a name may take to be resolved when a URL is checked, in milliseconds; each connection resolves it again. */
const resolveMs = 1_000;

/** The longest URL. */
const longest = 2_048;

/** How a receiver answered: its status, or why there was none. */
export type Posted = { status: number } | { error: string };

/** Finds the addresses of a name, as dns.lookup does. */
export type Lookup = typeof dns.lookup;

/**
 * Posts to URLs that clients have given us: never to private, loopback or link-local addresses, however a name resolves at
 * that moment, and never on to where a receiver redirects. `allowPrivate` is for receivers beside a simulation.
 */
export function openPoster({
  allowPrivate,
  lookup = dns.lookup,
}: {
  allowPrivate: boolean;
  lookup?: Lookup;
}) {
  const options = { allowPrivateIPAddress: allowPrivate, keepAlive: false, lookup };
  const agents = {
    'http:': new RequestFilteringHttpAgent(options),
    'https:': new RequestFilteringHttpsAgent(options),
  };

  /** What is wrong with a URL; null: nothing that can be seen now. */
  async function faultOf(text: string): Promise<string | null> {
    if (text.length > longest) return `Must be at most ${longest.toLocaleString('en')} characters.`;
    const url = URL.canParse(text) ? new URL(text) : null;
    const isSafe = url?.protocol === 'https:' || (allowPrivate && url?.protocol === 'http:');
    if (!url || !isSafe) return 'Must be an https URL.';
    if (url.username || url.password) return 'Must not hold a name or a password.';
    if (allowPrivate) return null;
    const addresses = await addressesOf(url.hostname.replace(/^\[|\]$/g, ''));
    return addresses.every(isPublic) ? null : 'Must not lead to a private address.';
  }

  /** A name that cannot be resolved now may be another time. */
  async function addressesOf(host: string): Promise<string[]> {
    if (ipaddr.isValid(host)) return [host];
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve([]), resolveMs);
      lookup(host, { all: true }, (error, found) => {
        clearTimeout(timer);
        resolve(error ? [] : found.map(({ address }) => address));
      });
    });
  }

  /** Posts JSON once; whatever goes wrong is answered, not thrown. */
  function post(
    target: string,
    { headers, body }: { headers: Record<string, string>; body: string },
    signal: AbortSignal,
  ): Promise<Posted> {
    const url = new URL(target);
    const isHttp = url.protocol === 'http:';
    if (isHttp && !allowPrivate) return Promise.resolve({ error: 'Only https is spoken.' });
    return new Promise((resolve) => {
      const request = (isHttp ? http : https).request(url, {
        method: 'POST',
        agent: agents[isHttp ? 'http:' : 'https:'],
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
          'user-agent': 'callwell',
        },
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
      });
      request.once('response', (response) => {
        response.destroy(); // what it says beside its status is of no use to us
        resolve({ status: response.statusCode ?? 0 });
      });
      request.once('error', (error) => resolve({ error: wordsOf(error) }));
      request.end(body);
    });
  }

  return { faultOf, post };
}

/** Posts to other systems. */
export type Poster = ReturnType<typeof openPoster>;

const isPublic = (address: string): boolean => ipaddr.parse(address).range() === 'unicast';

/** Why there was no answer, without addresses: they are the network's own. */
function wordsOf(error: Error & { code?: string }): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'It took too long to answer.';
  if (/is not allowed/.test(error.message)) return 'It leads to a private address.';
  return `The connection failed${error.code ? ` (${error.code})` : ''}.`;
}
