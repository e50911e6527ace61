/**
 * A carrier that accepts every call at once and calls nobody: Twilio's answer to the creation of a call, its list and its
 * look-up, in a process of its own. It remembers what it was asked to dial, and when.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { account } from './product.ts';

/** A call that was asked for: the number, when by the machine's clock (milliseconds), and when by the one that never jumps. */
export interface Asked {
  to: string;
  at: number;
  tick: number;
  callId: string;
  sid: string;
}

let asked: Asked[] = [];
let waiting: { count: number; resolve: () => void } | null = null;

/** Listens on loopback; answers its address. */
export async function open(): Promise<string> {
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => void server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Everything it was asked to dial since it was last forgotten. */
export const all = (): Asked[] => asked;

/** How much that is. */
export const count = (): number => asked.length;

/** Forgets it. */
export function forget(): void {
  asked = [];
}

/** Resolves when it was asked so many times; rejects when that takes longer. */
export function until(count: number, limitMs: number): Promise<void> {
  if (asked.length >= count) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the carrier was asked for ${asked.length} of ${count} calls`)),
      limitMs,
    );
    waiting = { count, resolve: () => (clearTimeout(timer), resolve()) };
  });
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const at = Date.now();
  const tick = Number(process.hrtime.bigint()) / 1e6;
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const isCreate = request.method === 'POST' && request.url?.endsWith('/Calls.json');
  const body = isCreate
    ? create(new URLSearchParams(Buffer.concat(pieces).toString()), at, tick)
    : known(request.url ?? '');
  const text = JSON.stringify(body);
  response.writeHead(isCreate ? 201 : 200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
  if (waiting && asked.length >= waiting.count) {
    waiting.resolve();
    waiting = null;
  }
}

function create(form: URLSearchParams, at: number, tick: number): object {
  const sid = `CA${(asked.length + 1).toString(16).padStart(8, '0')}${Math.floor(tick * 1000)
    .toString(16)
    .padStart(24, '0')}`;
  const callId = /\/calls\/([0-9a-f-]{36})\/status/.exec(form.get('StatusCallback') ?? '')?.[1] ?? '';
  const to = form.get('To') ?? '';
  asked.push({ to, at, tick, callId, sid });
  return resource(sid, to, form.get('From') ?? '');
}

/** A call that is looked up goes on waiting; a list of calls is empty. */
function known(path: string): object {
  const sid = /\/Calls\/(CA[0-9a-f]{32})\.json/.exec(path)?.[1];
  return sid ? resource(sid, '', '') : { calls: [], page: 0, page_size: 50, next_page_uri: null };
}

const resource = (sid: string, to: string, from: string) => ({
  sid,
  account_sid: account.sid,
  api_version: '2010-04-01',
  direction: 'outbound-api',
  to,
  from,
  status: 'queued',
  date_created: null,
  date_updated: null,
  start_time: null,
  end_time: null,
  duration: null,
  price: null,
  price_unit: 'USD',
  answered_by: null,
  uri: `/2010-04-01/Accounts/${account.sid}/Calls/${sid}.json`,
  subresource_uris: {},
});
