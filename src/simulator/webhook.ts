import { randomUUID } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import twilio from 'twilio';

import { connectionOf, type Connection } from './connection-overrides.ts';

/** One request that the carrier makes of its customer. */
interface Webhook {
  /** As the customer gave it, with the fragment. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly params: Readonly<Record<string, string>>;
}

/** What came of one try: an answer, or how far it got (`ct` never connected, `rt` connected but not answered). */
export type Reply =
  | { readonly status: number; readonly contentType: string; readonly body: string }
  | { readonly failure: 'ct' | 'rt' };

/** One try that is about to be made; call what this returns with what came of it. */
type OnTry = (url: string) => (reply: Reply) => void;

/** Signs and sends webhooks. */
export interface WebhookSender {
  /** Sends until it succeeds or its retries are used up; gives the last reply. Never throws. */
  send(webhook: Webhook, onTry: OnTry): Promise<Reply>;
  /** Breaks off everything under way. */
  close(): void;
}

/** A sender that signs with the account's own token. */
export function openWebhookSender(authToken: string): WebhookSender {
  const closing = new AbortController();
  const agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };
  return {
    send: async (webhook, onTry) => {
      const connection = connectionOf(webhook.url);
      const request = signed(webhook, connection, authToken);
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(connection.totalMs)]);
      for (let retries = connection.retries; ; retries -= 1) {
        const onReply = onTry(connection.url);
        const reply = await attempt(request, { connection, agents, signal });
        onReply(reply);
        if (retries === 0 || signal.aborted || !mayRetry(reply, connection)) return reply;
      }
    },
    close: () => {
      closing.abort();
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

function mayRetry(reply: Reply, { retryOn }: Connection): boolean {
  const problem = 'failure' in reply ? reply.failure : `${Math.floor(reply.status / 100)}xx`;
  return retryOn.has(problem) || (retryOn.has('all') && problem !== '2xx' && problem !== '3xx');
}

interface SignedRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** GET carries its parameters in the URL and signs nothing else; POST signs URL and form. */
function signed(webhook: Webhook, { url }: Connection, authToken: string): SignedRequest {
  const form = new URLSearchParams(webhook.params).toString();
  const isGet = webhook.method === 'GET';
  const target = isGet ? `${url}${url.includes('?') ? '&' : '?'}${form}` : url;
  const signedParams = isGet ? {} : webhook.params;
  return {
    url: new URL(target),
    method: webhook.method,
    body: isGet ? '' : form,
    headers: {
      accept: '*/*',
      'user-agent': 'TwilioProxy/1.1',
      'x-twilio-signature': twilio.getExpectedTwilioSignature(authToken, signedUrl(target), signedParams),
      'i-twilio-idempotency-token': randomUUID(),
      ...(isGet
        ? {}
        : {
            'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
            'content-length': String(Buffer.byteLength(form)),
          }),
    },
  };
}

/** Twilio signs without userinfo, and for https voice webhooks without the port; the rest exactly as given. */
function signedUrl(url: string): string {
  return url
    .replace(/^(https?:\/\/)[^/?#@]*@/i, '$1')
    .replace(/^(https:\/\/(?:\[[^\]]*\]|[^/?#:]*)):\d+/i, '$1');
}

interface Attempt {
  readonly connection: Connection;
  readonly agents: { readonly http: http.Agent; readonly https: https.Agent };
  readonly signal: AbortSignal;
}

/** Twilio follows redirects with a GET that loses its parameters; a customer who relies on that has a fault, so a 3xx is an answer. */
async function attempt(request: SignedRequest, { connection, agents, signal }: Attempt): Promise<Reply> {
  const isSecure = request.url.protocol === 'https:';
  const sent = (isSecure ? https : http).request(request.url, {
    method: request.method,
    headers: request.headers,
    agent: isSecure ? agents.https : agents.http,
    signal,
  });
  const connected = watchConnection(sent, isSecure, connection);
  try {
    const reply = await answerTo(sent, request.body);
    return reply;
  } catch (error) {
    // An idle connection that the customer closed just then is no failed try: begin again on another one.
    const isStale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    if (isStale && !signal.aborted) return await attempt(request, { connection, agents, signal });
    return { failure: connected() ? 'rt' : 'ct' };
  }
}

/** Enforces `ct` and `rt`; tells whether there was a connection. */
function watchConnection(
  sent: http.ClientRequest,
  isSecure: boolean,
  { connectMs, readMs }: Connection,
): () => boolean {
  let isConnected = false;
  const timer = setTimeout(() => sent.destroy(new Error('connect timeout')), connectMs);
  function onConnected(): void {
    isConnected = true;
    clearTimeout(timer);
    sent.setTimeout(readMs, () => sent.destroy(new Error('read timeout')));
  }
  sent.once('socket', (socket) => {
    if (sent.reusedSocket) onConnected();
    else socket.once(isSecure ? 'secureConnect' : 'connect', onConnected);
  });
  sent.once('close', () => clearTimeout(timer));
  return () => isConnected;
}

function answerTo(sent: http.ClientRequest, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.end(body);
  });
}
