import { randomBytes } from 'node:crypto';
import type http from 'node:http';
import { text } from 'node:stream/consumers';

import { ApiError, notAuthenticated, notFound } from './errors.ts';
import { receiveText } from './inbound.ts';
import type { Inbox } from './inbox.ts';
import type { Network } from './network.ts';
import type { RecordingsApi } from './recordings-api.ts';
import type { Answer, ResourceApi } from './resource-api.ts';
import type { VoicemailVendor } from './voicemail-vendor.ts';

/** Whoever answers requests, by what they are about. */
export interface Desk {
  /** The account's secret. */
  readonly authToken: string;
  readonly network: Network;
  readonly resources: Readonly<Record<'Calls' | 'Messages', ResourceApi>>;
  readonly recordings: RecordingsApi;
  readonly inbox: Inbox;
  readonly vendor: VoicemailVendor;
}

/** Answers one request: Twilio's API, the voicemail vendor's below /voicemail, and for anybody /health, /ledger and /inbound. */
export async function serve(
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
  const action = `${request.method} ${pathname}`;
  if (pathname === '/health') return { status: 200, body: { status: 'ok' } };
  if (pathname === '/ledger') return { status: 200, body: desk.network.ledger.entries };
  const body = await text(request);
  if (action === 'POST /inbound') return receiveText(desk.inbox, body);
  if (action === 'POST /voicemail/rvm') return await desk.vendor.drop(request.headers, body);
  authenticate(desk, request.headers.authorization);
  const recording =
    /^\/2010-04-01\/Accounts\/([^/]+)(?:\/Calls\/([^/]+))?\/Recordings(?:\/([^/]+))?\.json$/.exec(pathname);
  if (recording?.[1] === desk.network.accountSid) {
    const [, , callSid, sid] = recording;
    const form = new URLSearchParams(body);
    return desk.recordings(request.method ?? '', { path: pathname, query: searchParams, form, callSid, sid });
  }
  const route = /^\/2010-04-01\/Accounts\/([^/]+)\/(Calls|Messages)(?:\/([^/]+))?\.json$/.exec(pathname);
  const [, accountSid, name = '', sid] = route ?? [];
  if (accountSid !== desk.network.accountSid) throw notFound(pathname);
  const api = desk.resources[name as keyof Desk['resources']];
  const form = new URLSearchParams(body);
  const asked = { path: pathname, query: searchParams, form, sid: sid ?? '' };
  return await act(api, `${request.method} ${sid === undefined ? 'all' : 'one'}`, asked);
}

interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly sid: string;
}

function act(api: ResourceApi, action: string, { path, query, form, sid }: Asked): Answer | Promise<Answer> {
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

function authenticate({ authToken, network }: Desk, header: string | undefined): void {
  const [, encoded = ''] = /^Basic (.+)$/i.exec(header ?? '') ?? [];
  const [name = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  if (name === '') throw notAuthenticated('nothing');
  if (name !== network.accountSid) throw notAuthenticated('wrong name');
  if (secret.join(':') !== authToken) throw notAuthenticated('wrong secret');
}
