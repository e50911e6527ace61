import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Standing } from '../request-limit.ts';

/** What every answer says to a browser; the pages of people have a policy of their own. */
const always: Record<string, string> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** Where the page of GraphiQL may take things from: itself, and this server. It loads nothing from elsewhere. */
const graphiqlPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline' blob:",
  "style-src 'unsafe-inline'",
  'img-src data:',
  'font-src data:',
  'worker-src blob:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** For how long a browser asks for nothing without TLS, in seconds: two years, as the preload list wants it. */
const secureSeconds = 63_072_000;

/** What a site that is allowed to may send, and read of the answer. */
const shared: Record<string, string> = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'authorization, content-type',
  'access-control-expose-headers': 'ratelimit, ratelimit-policy, retry-after, x-request-id',
  'access-control-max-age': '600',
};

/**
 * Tells browsers what they may do with our answers. `origins` are the sites that may ask /graphql, such as
 * https://app.example.com; no other may, and none with cookies, which there are none of.
 */
export function openHeaders({ origins, isSecure }: { origins: readonly string[]; isSecure: boolean }) {
  const allowed = new Set(origins);
  return (request: IncomingMessage, response: ServerResponse, path: string): void => {
    for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
    if (isSecure) response.setHeader('strict-transport-security', `max-age=${secureSeconds}`);
    if (path !== '/graphql') return;
    response.setHeader('cache-control', 'no-store');
    if (request.method === 'GET' && request.headers.accept?.includes('text/html'))
      response.setHeader('content-security-policy', graphiqlPolicy);
    if (allowed.size === 0) return;
    response.setHeader('vary', 'origin');
    const { origin } = request.headers;
    if (!origin || !allowed.has(origin)) return;
    response.setHeader('access-control-allow-origin', origin);
    for (const [name, value] of Object.entries(shared)) response.setHeader(name, value);
  };
}

/** Tells a client how its key stands, in the fields of draft-ietf-httpapi-ratelimit-headers. */
export function tellStanding(response: ServerResponse, standing: Standing): void {
  const { limit, remaining, resetSeconds, isRefused } = standing;
  response.setHeader('ratelimit-policy', `"key";q=${limit};w=60`);
  response.setHeader('ratelimit', `"key";r=${remaining};t=${resetSeconds}`);
  if (isRefused) response.setHeader('retry-after', String(resetSeconds));
}
