import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { GraphQLError } from 'graphql';
import type { Asking } from './access.ts';
import type { Context } from './context.ts';
import type { Config } from './config.ts';
import { Refusal } from './domain/refusal.ts';
import type { Received } from './domain/signature.ts';
import { SlowSubscriber } from './live/queue.ts';
import type { Standing } from './request-limit.ts';
import { schema } from './resolvers/index.ts';
import { openDirect } from './server/direct.ts';
import { openDocuments, withoutSuggestions } from './server/documents.ts';
import { openHeaders, tellStanding } from './server/headers.ts';
import { serveRelay, type Admit } from './server/relay.ts';
import { during } from './server/during.ts';
import { openDashboard } from './server/dashboard.ts';
import { serveSockets } from './server/sockets.ts';
import { openTimeLimit } from './server/time-limit.ts';
import { openYoga } from './server/yoga.ts';
import type { Fetched, Fetching } from './voicemail-audio.ts';
import type { Answered, Incoming } from './webhooks.ts';

/** How often open sockets and streams are asked whether their key still holds, in milliseconds. */
const keyCheckMs = 1_000;

/** How long requests under way may take when the server closes, in milliseconds. */
const drainMs = 5_000;

/** The largest body of a GraphQL request without a file, in bytes. */
const bodyLimit = 262_144;

/** The largest request with a file, in bytes: an import of some 50,000 patients. */
const uploadLimit = 67_108_864;

/** The largest callback of a carrier, in bytes; Twilio's have less than 4,096. */
const callbackLimit = 65_536;

/** The largest event of another system, in bytes. */
const hookLimit = 262_144;

/** What the server asks the rest of the product. */
export interface Inside {
  /** The context of one request with this Authorization header. Throws UNAUTHENTICATED or RATE_LIMITED. */
  contextOf(authorization: string | null, asking: Asking): Promise<Context>;
  isKey(authorization: string | null): Promise<boolean>;
  webhook(incoming: Incoming): Promise<Answered>;
  /** Takes what another system posts to a trigger. */
  hook(pathAndQuery: string, received: Received): Promise<Answered>;
  /** A recording for whoever has a signed link to it. */
  recording(fetching: Fetching): Promise<Fetched>;
  /** Lets the carrier in that connects the person on a call with our agent. */
  admit: Admit;
  /** The context of a call, for an agent elsewhere that has its pass. */
  agentContext(authorization: string | null): Promise<Answered>;
  /** Leaves the conversations that go on here. */
  leave(): Promise<void>;
  /** Null when it can serve, else why not. */
  unready(): string | null;
  metrics(): Promise<{ contentType: string; body: string }>;
  /** Told how long a request of a kind took. */
  took(kind: string, status: number, seconds: number): void;
  log(line: string, error?: unknown): void;
}

/** An HTTP server that listens. */
export interface Listening {
  url: string;
  close(): Promise<void>;
}

/** Listens for GraphQL (HTTP, SSE, WebSocket), for the carrier, and for whoever asks after the program's health. */
export async function openServer(
  inside: Inside,
  { port, host, api }: Pick<Config, 'port' | 'host' | 'api'>,
): Promise<Listening> {
  const { introspection } = api;
  const mask = (error: unknown) =>
    introspection ? masked(error, inside) : withoutSuggestions(masked(error, inside));
  const limitTime = openTimeLimit(api.querySeconds);
  const { contextOf } = inside;
  const answering = { schema, contextOf, mask, limitTime, introspection };
  const yoga = openYoga({ ...answering, bodyLimit });
  const uploads = openYoga({ ...answering, bodyLimit: uploadLimit });
  const documents = openDocuments(schema, api);
  const direct = openDirect({ ...answering, documents, yoga, bodyLimit });
  const head = openHeaders(api);
  const graphql = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'OPTIONS') return answer(response, { status: 204 });
    const contentType = request.headers['content-type'] ?? '';
    // What a form of another site can send, without asking first, is not read (CSRF).
    if (contentType.startsWith('application/x-www-form-urlencoded')) return answer(response, { status: 415 });
    const { authorization = null } = request.headers;
    // Whatever comes is counted, also what is no GraphQL. Why there is no context is told with the answer.
    const asking = {
      purpose: request.headers['purpose-of-use'],
      tell: (standing: Standing) => tellStanding(response, standing),
    };
    const context = await contextOf(authorization, asking).catch(() => null);
    // Nobody without a key makes us read 64 MiB.
    const mayUpload = contentType.startsWith('multipart/') && context?.key;
    return mayUpload ? void uploads(request, response, context ?? {}) : direct(request, response, context);
  };
  const dashboard = openDashboard();
  const underWay = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    head(request, response, pathOf(request));
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
    const routed = () => route(request, response, inside, { graphql, dashboard });
    during(request, response, inside, routed).catch((error: unknown) => {
      inside.log('a request failed', error);
      if (!response.headersSent) answer(response, { status: 500 });
    });
  });
  const sockets = serveSockets({ schema, documents, inside, mask, limitTime, ...api });
  const relay = serveRelay(inside.admit, inside.log);
  server.on('upgrade', (request, socket, first) => {
    const path = pathOf(request);
    if (path === '/graphql') sockets.upgrade(request, socket, first);
    else if (path.startsWith('/agent/relay/')) relay.upgrade(request, socket, first);
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  const guard = setInterval(() => {
    expel(underWay, inside)
      .then(sockets.expel)
      .catch((error: unknown) => inside.log('keys could not be checked', error));
  }, keyCheckMs);
  await listen(server, { port, host });
  const { port: listening } = server.address() as AddressInfo;
  return {
    url: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${listening}`,
    close: async () => {
      await inside.leave();
      await Promise.all([sockets.close(), relay.close()]);
      clearInterval(guard);
      for (const response of underWay) if (isStream(response)) response.destroy();
      await drained(server);
    },
  };
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?')[0] ?? '/';

/** Ends the streams of keys that have been revoked. */
async function expel(underWay: Iterable<ServerResponse>, inside: Inside): Promise<void> {
  for (const response of underWay) {
    const isRevoked = isStream(response) && !(await inside.isKey(response.req.headers.authorization ?? null));
    if (isRevoked) response.destroy();
  }
}

/** Lets requests under way be answered, for a while; then cuts what is still open. */
async function drained(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // A connection that is kept alive becomes idle only when what it carries is answered.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  await Promise.race([closed, sleep(drainMs, undefined, { ref: false })]);
  clearInterval(idle);
  server.closeAllConnections();
  await closed;
}

/** What has an answer of its own. */
interface Pages {
  graphql(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** False: the request was not for the web page. */
  dashboard(request: IncomingMessage, response: ServerResponse): boolean;
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  inside: Inside,
  { graphql, dashboard }: Pages,
): Promise<void> {
  const path = pathOf(request);
  if (path === '/graphql') return graphql(request, response);
  if (path.startsWith('/carrier/audio/')) return recording(request, response, inside);
  if (path === '/agent/context')
    return answer(response, await inside.agentContext(request.headers.authorization ?? null));
  if (path.startsWith('/carrier/')) return callback(request, response, inside);
  if (path.startsWith('/hooks/')) return hook(request, response, inside);
  if (path === '/health/live') return answer(response, { status: 200, body: 'live' });
  if (path === '/health/ready') {
    const reason = inside.unready();
    return answer(response, reason === null ? { status: 200, body: 'ready' } : { status: 503, body: reason });
  }
  if (path === '/metrics') return answer(response, { status: 200, ...(await inside.metrics()) });
  if (!dashboard(request, response)) answer(response, { status: 404 });
}

async function recording(request: IncomingMessage, response: ServerResponse, inside: Inside): Promise<void> {
  const { method = '', url: pathAndQuery = '/', headers } = request;
  if (method !== 'GET' && method !== 'HEAD') return answer(response, { status: 405 });
  const fetched = await inside.recording({ method, pathAndQuery, headers });
  response.writeHead(fetched.status, { 'x-content-type-options': 'nosniff', ...fetched.headers });
  response.end(fetched.body);
}

async function callback(request: IncomingMessage, response: ServerResponse, inside: Inside): Promise<void> {
  if (request.method !== 'POST') return answer(response, { status: 405 });
  const body = await readBody(request, callbackLimit);
  if (body === null) return answer(response, { status: 413 });
  return answer(
    response,
    await inside.webhook({
      pathAndQuery: request.url ?? '/',
      headers: request.headers,
      body: body.toString('utf8'),
    }),
  );
}

async function hook(request: IncomingMessage, response: ServerResponse, inside: Inside): Promise<void> {
  if (request.method !== 'POST') return answer(response, { status: 405 });
  if (inside.unready() !== null) return answer(response, { status: 503 });
  const body = await readBody(request, hookLimit);
  if (body === null) return answer(response, { status: 413 });
  return answer(response, await inside.hook(request.url ?? '/', { headers: request.headers, body }));
}

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    // Who is cut off while it still sends does not hear why: what is only a little too much is read and thrown away.
    else if (size > 8 * limit) return null;
  }
  return size > limit ? null : Buffer.concat(chunks);
}

function answer(
  response: ServerResponse,
  { status, body = '', contentType = 'text/plain; charset=utf-8' }: Answered,
): void {
  response.writeHead(status, { 'content-type': contentType, 'x-content-type-options': 'nosniff' }).end(body);
}

/** A subscription over SSE has no end of its own to wait for; its client resumes elsewhere. */
const isStream = (response: ServerResponse): boolean =>
  response.headersSent && (response.req.headers.accept?.includes('text/event-stream') ?? false);

const listen = (server: Server, { port, host }: { port: number; host: string }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });

/** Postgres: a value that is no uuid, no instant or no text that it can hold. What has a rule of its own never gets there. */
const malformed = new Set(['22P02', '22P05', '22021', '22007', '22008']);

/** Errors that were meant reach the client as they are; anything else is logged and told as INTERNAL. */
function masked(error: unknown, inside: Inside): GraphQLError {
  const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
  const path = error instanceof GraphQLError ? error.path : undefined;
  if (original instanceof Refusal) {
    return new GraphQLError(original.message, { path, extensions: { code: original.code } });
  }
  if (original instanceof SlowSubscriber) {
    const { cursor } = original;
    return new GraphQLError(original.message, {
      path,
      extensions: { code: 'SLOW_SUBSCRIBER', cursor: cursor === null ? null : String(cursor) },
    });
  }
  if (error instanceof GraphQLError && original instanceof GraphQLError) return error;
  inside.log('an operation failed', original);
  if (malformed.has((original as { code?: string } | null)?.code ?? '')) {
    const message = 'A value of the request is malformed, such as an id, a cursor, an instant or a text.';
    return new GraphQLError(message, { path, extensions: { code: 'INVALID_INPUT' } });
  }
  return new GraphQLError('Something went wrong here, and was logged. Try again.', {
    path,
    extensions: { code: 'INTERNAL' },
  });
}
