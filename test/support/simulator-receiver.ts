import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import twilio from 'twilio';

/** One webhook that arrived, after its signature was checked. */
export interface Received {
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly method: string;
  readonly params: Readonly<Record<string, string>>;
  /** I-Twilio-Idempotency-Token: the same for every try of one webhook. */
  readonly token: string;
}

/** What the receiver answers. Default: 200 and a TwiML document that says hello. */
interface ReceiverAnswer {
  readonly status?: number;
  readonly contentType?: string;
  readonly body?: string;
}

/** A customer's HTTP server that keeps what a carrier tells it. */
export interface Receiver {
  readonly url: string;
  /** Everything with a valid signature, in order of arrival. */
  readonly received: Received[];
  /** Paths of requests whose signature was missing or wrong; tests expect none. */
  readonly forged: string[];
  /** What to answer at a path from now on; `never` leaves the request hanging. */
  answer(path: string, answer: (received: Received) => ReceiverAnswer | 'never'): void;
  /** Waits until the webhooks that match are as many as wanted; after 5 seconds it says what has arrived. */
  until(wanted: number, matches: (received: Received) => boolean): Promise<Received[]>;
  close(): Promise<void>;
}

/** What a receiver says by default when it is asked for TwiML. */
export const HELLO = '<Response><Say>Hello there.</Say></Response>';

/** A receiver on any free port that checks every signature against the token, with Twilio's own code. */
export async function openReceiver(authToken: string): Promise<Receiver> {
  const received: Received[] = [];
  const forged: string[] = [];
  const answers = new Map<string, (received: Received) => ReceiverAnswer | 'never'>();
  const arrivals = new EventTarget();
  let url = '';
  const server = http.createServer((request, response) => {
    void read(request, { url, authToken }).then((webhook) => {
      if (!webhook) {
        forged.push(request.url ?? '');
        return response.writeHead(403).end();
      }
      received.push(webhook);
      arrivals.dispatchEvent(new Event('arrived'));
      const answer = answers.get(webhook.path)?.(webhook) ?? {};
      if (answer === 'never') return undefined;
      response.writeHead(answer.status ?? 200, { 'content-type': answer.contentType ?? 'text/xml' });
      return response.end(answer.body ?? HELLO);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    received,
    forged,
    answer: (path, answer) => void answers.set(path, answer),
    until: async (wanted, matches) => {
      const deadline = AbortSignal.timeout(5000);
      for (;;) {
        const found = received.filter((one) => matches(one));
        if (found.length >= wanted) return found;
        await once(arrivals, 'arrived', { signal: deadline }).catch((cause: unknown) => {
          throw new Error(`waited for ${wanted}, arrived: ${JSON.stringify(received, null, 1)}`, { cause });
        });
      }
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function read(
  request: http.IncomingMessage,
  { url, authToken }: { url: string; authToken: string },
): Promise<Received | undefined> {
  const params = Object.fromEntries(new URLSearchParams(await text(request)));
  const { pathname, searchParams } = new URL(request.url ?? '/', url);
  const signature = String(request.headers['x-twilio-signature'] ?? '');
  if (!twilio.validateRequest(authToken, signature, `${url}${request.url}`, params)) return undefined;
  return {
    path: pathname,
    query: Object.fromEntries(searchParams),
    method: request.method ?? '',
    params,
    token: String(request.headers['i-twilio-idempotency-token']),
  };
}
