import { once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What becomes of a request: answered as it should be, or not. */
export type Treatment =
  | 'pass'
  /** It is not passed on; 429 or 503 is answered instead. */
  | 429
  | 503
  /** It is passed on, and 503 is answered. */
  | 'masked'
  /** It is passed on, and the connection is cut. */
  | 'cut'
  /** It is passed on, and once more. */
  | 'twice'
  /** It is passed on, and answered so many milliseconds late. */
  | { lateMs: number }
  /** It is answered at once, and passed on when this is over. */
  | { after: Promise<unknown> };

/** An HTTP server that passes requests on. */
export interface Front {
  readonly url: string;
  /** Ends every connection at once. */
  cut(): void;
  close(): Promise<void>;
}

interface Passed {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** How a front differs from a plain one. */
interface FrontOptions {
  /** What becomes of a request. Left out: all pass. */
  treat?: (request: IncomingMessage) => Treatment;
  /** Waited for before an answer of the target's is passed back; where it throws, nothing is answered. */
  answering?: (target: string) => Promise<void>;
}

/** Passes each request on to wherever the target is just then, treated as `treat` says; 502 when nobody is there. */
export async function openFront(
  target: () => string | null,
  { treat = () => 'pass', answering = () => Promise.resolve() }: FrontOptions = {},
): Promise<Front> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 75_000;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // its close says the same
    socket.once('close', () => sockets.delete(socket));
  };
  server.on('connection', keep);
  server.on('upgrade', (request, socket: Socket, head) => {
    const to = target();
    if (to) keep(tunnel(request, { socket, head }, to));
    else socket.destroy();
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const treatment = treat(request);
    if (treatment === 429 || treatment === 503) return answer(response, replacement(treatment));
    if (typeof treatment === 'object' && 'after' in treatment) {
      answer(response, { status: 204, headers: {}, body: Buffer.alloc(0) });
      await treatment.after;
      return void (await pass(request, body, target()));
    }
    const to = target();
    const passed = await pass(request, body, to);
    if (treatment === 'cut') return void response.destroy();
    if (treatment === 'masked') return answer(response, replacement(503));
    if (treatment === 'twice') await pass(request, body, to);
    if (typeof treatment === 'object') await sleep(treatment.lateMs, undefined, { ref: false });
    if (to) await answering(to);
    answer(response, passed);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

/** Passes a WebSocket on: from its handshake on, both sides hear each other. */
function tunnel(request: IncomingMessage, from: { socket: Socket; head: Buffer }, target: string): Socket {
  const { hostname, port } = new URL(target);
  const upstream = connect({ host: hostname, port: Number(port) }, () => {
    const lines = Array.from(
      { length: request.rawHeaders.length / 2 },
      (_, index) => `${request.rawHeaders[2 * index]}: ${request.rawHeaders[2 * index + 1]}`,
    );
    upstream.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    upstream.write(from.head);
    from.socket.pipe(upstream).pipe(from.socket);
  });
  from.socket.once('close', () => upstream.destroy());
  upstream.once('close', () => from.socket.destroy());
  return upstream;
}

/** Twilio's way to say it. */
const replacement = (status: 429 | 503): Passed => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ code: status === 429 ? 20429 : 20503, message: 'Not now.', status })),
});

const nobody: Passed = { status: 502, headers: {}, body: Buffer.alloc(0) };

async function pass(request: IncomingMessage, body: Buffer, target: string | null): Promise<Passed> {
  if (target === null) return nobody;
  try {
    const sent = send(new URL(request.url ?? '/', target), {
      method: request.method ?? 'GET',
      headers: request.headers,
      agent: false,
    });
    sent.end(body);
    const [heard] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: heard.statusCode ?? 502, headers: heard.headers, body: await buffer(heard) };
  } catch {
    return nobody; // it died meanwhile, or is not there yet
  }
}

/** What belongs to one connection only. */
const own = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

function answer(response: ServerResponse, { status, headers, body }: Passed): void {
  const kept = Object.entries(headers).filter(([name, value]) => !own.has(name) && value !== undefined);
  response.writeHead(status, {
    ...(Object.fromEntries(kept) as Record<string, string | string[]>),
    ...(status === 204 ? {} : { 'content-length': body.length }),
  });
  response.end(body);
}
