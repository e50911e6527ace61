import { once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
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
  /** It is passed on, and answered so many milliseconds late. */
  | { lateMs: number };

/** An HTTP server that passes requests on. */
export interface Front {
  readonly url: string;
  close(): Promise<void>;
}

interface Passed {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** Passes each request, and each socket, on to wherever the target is just then, treated as `treat` says; 502 when nobody is there. */
export async function openFront(
  target: () => string | null,
  treat: () => Treatment = () => 'pass',
): Promise<Front> {
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 75_000;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = target();
    if (url === null) return void socket.destroy();
    const { hostname, port } = new URL(url);
    const passed = connect(Number(port), hostname, () => {
      const lines = [`${request.method} ${request.url} HTTP/1.1`];
      for (let index = 0; index < request.rawHeaders.length; index += 2)
        lines.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
      passed.write(`${lines.join('\r\n')}\r\n\r\n`);
      passed.write(head);
      passed.pipe(socket).pipe(passed);
    });
    passed.on('error', () => socket.destroy());
    passed.on('close', () => socket.destroy());
    socket.on('error', () => passed.destroy());
    socket.on('close', () => passed.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const treatment = treat();
    if (treatment === 429 || treatment === 503) return answer(response, replacement(treatment));
    const passed = await pass(request, body, target());
    if (treatment === 'cut') return void response.destroy();
    if (treatment === 'masked') return answer(response, replacement(503));
    if (typeof treatment === 'object') await sleep(treatment.lateMs, undefined, { ref: false });
    answer(response, passed);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
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
    'content-length': body.length,
  });
  response.end(body);
}
