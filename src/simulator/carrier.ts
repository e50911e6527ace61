import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { openClock, type RunningClock } from '../clock.ts';
import { openCallsApi, type Answer, type CallsApi } from './calls-api.ts';
import type { Network } from './call.ts';
import { openDialQueue } from './dial-queue.ts';
import { ApiError, notAuthenticated, notFound } from './errors.ts';
import { openLedger, type LedgerEntry } from './ledger.ts';
import { paceOf } from './pace.ts';
import { personAt } from './people.ts';
import { openWebhookSender } from './webhook.ts';

/** How a simulated carrier is set up. */
export interface CarrierOptions {
  /** 0 is any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The one account it has: `AC` and 32 hexadecimal digits. */
  readonly accountSid: string;
  /** The account's secret; webhooks are signed with it. */
  readonly authToken: string;
  /** How many times as fast as in life people are (SIM_PACE). */
  readonly pace: number;
  /** How many calls it starts in a second of the clock (SIM_CPS); the others wait. */
  readonly callsPerSecond: number;
  /** What people's time follows, and dates of resources and callbacks. Default: real time. */
  readonly clock?: RunningClock;
  /** Dates of another source than the clock. */
  readonly now?: () => Date;
  /** Takes one line for what goes wrong. Default: nobody. */
  readonly log?: (line: string) => void;
}

/** A simulated carrier that is running. */
export interface Carrier {
  /** `http://host:port`, to be used as the API's base URL. */
  readonly url: string;
  readonly port: number;
  /** Everything it was asked and asked back so far, oldest first; also `GET /ledger`. */
  ledger(): LedgerEntry[];
  /** Stops in the middle of whatever goes on; calls just fall silent. */
  close(): Promise<void>;
}

/**
 * Starts an HTTP server that is Twilio's voice API (2010-04-01) to the official SDK and to signed webhooks.
 * Who answers which number is in people.ts.
 */
export async function startCarrier(options: CarrierOptions): Promise<Carrier> {
  const clock = options.clock ?? openClock();
  const network = networkOf(options, clock);
  const refuseWhenFull = () => new ApiError(22005, 'Call queue is full');
  const queue = openDialQueue({ clock, callsPerSecond: options.callsPerSecond, refuseWhenFull });
  const api = openCallsApi(network, queue);
  const server = http.createServer((request, response) => {
    void serve({ options, network, api }, request, response);
  });
  // Longer than any client keeps a connection, so that a request never meets one that is just being closed.
  server.keepAliveTimeout = 75_000;
  const host = options.host ?? '127.0.0.1';
  server.listen(options.port, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    ledger: () => [...network.ledger.entries],
    close: async () => {
      queue.close();
      network.sender.close();
      await api.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function networkOf(
  { accountSid, authToken, pace, now = () => clock.now(), log }: CarrierOptions,
  clock: RunningClock,
): Network {
  const sender = openWebhookSender(authToken);
  const dials = new Map<string, number>();
  return {
    accountSid,
    now,
    pace: paceOf(pace, clock),
    ledger: openLedger(now),
    // The clock does not move on while the customer has not answered.
    sender: { ...sender, send: (...webhook) => clock.busy(sender.send(...webhook)) },
    meet: (number) => {
      const attempt = (dials.get(number) ?? 0) + 1;
      dials.set(number, attempt);
      return personAt(number, attempt);
    },
    log: log ?? (() => undefined),
  };
}

interface Desk {
  readonly options: CarrierOptions;
  readonly network: Network;
  readonly api: CallsApi;
}

async function serve(
  desk: Desk,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  try {
    const answer = await answerTo(desk, request);
    if (answer.isLost) response.destroy();
    else send(response, answer.status, answer.body);
  } catch (error) {
    if (!(error instanceof ApiError)) desk.network.log(`request ${request.url} broke: ${String(error)}`);
    const known =
      error instanceof ApiError ? error : new ApiError(20500, 'An internal server error has occurred');
    send(response, known.status, known.body());
  }
}

function send(response: http.ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'twilio-request-id': `RQ${randomBytes(16).toString('hex')}`,
    ...(status === 401 && { 'www-authenticate': 'Basic realm="Twilio API"' }),
  });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function answerTo(desk: Desk, request: http.IncomingMessage): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://carrier');
  if (pathname === '/health') return { status: 200, body: { status: 'ok' } };
  if (pathname === '/ledger') return { status: 200, body: desk.network.ledger.entries };
  const form = new URLSearchParams(await text(request));
  authenticate(desk.options, request.headers.authorization);
  const route = /^\/2010-04-01\/Accounts\/([^/]+)\/Calls(?:\/([^/]+))?\.json$/.exec(pathname);
  const [, accountSid, callSid] = route ?? [];
  if (accountSid !== desk.options.accountSid) throw notFound(pathname);
  const action = `${request.method} ${callSid === undefined ? 'all' : 'one'}`;
  return await act(desk.api, action, { path: pathname, query: searchParams, form, sid: callSid ?? '' });
}

interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly sid: string;
}

function act(api: CallsApi, action: string, { path, query, form, sid }: Asked): Answer | Promise<Answer> {
  switch (action) {
    case 'POST all':
      return api.create(form);
    case 'GET all':
      return api.list({ path, query });
    case 'GET one':
      return api.fetch(sid, path);
    case 'POST one':
      return api.update(sid, path, form);
    case 'DELETE one':
      return api.remove(sid, path);
    default:
      throw new ApiError(20004, 'Method not allowed');
  }
}

function authenticate({ accountSid, authToken }: CarrierOptions, header: string | undefined): void {
  const [, encoded = ''] = /^Basic (.+)$/i.exec(header ?? '') ?? [];
  const [name = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  if (name === '') throw notAuthenticated('nothing');
  if (name !== accountSid) throw notAuthenticated('wrong name');
  if (secret.join(':') !== authToken) throw notAuthenticated('wrong secret');
}
