import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request that a receiver has got. */
export interface Got {
  headers: IncomingHttpHeaders;
  body: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test reads whatever was posted
  json: any;
  /** What it was answered. */
  status: number;
}

/** Another system's server: it keeps what it gets, and answers as it is told. */
export interface Receiver {
  readonly url: string;
  /** Everything that it got, in order. */
  readonly got: Got[];
  /** What it has taken, in order: of what it answered with 2xx, each event. */
  taken(): Got[];
  /** Answers with this status from now on; 0: never answers. */
  answer(status: number, headers?: Record<string, string>): void;
  close(): Promise<void>;
}

/** A receiver on a free port of this machine. */
export async function openReceiver(): Promise<Receiver> {
  const got: Got[] = [];
  let answering: [status: number, headers: Record<string, string>] = [200, {}];
  const server = createServer((request, response: ServerResponse) => {
    void text(request).then((body) => {
      const [status, headers] = answering;
      got.push({ headers: request.headers, body, json: JSON.parse(body), status });
      if (status > 0) response.writeHead(status, headers).end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    got,
    taken: () => got.filter(({ status }) => status >= 200 && status < 300),
    answer: (status, headers = {}) => void (answering = [status, headers]),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Receivers for the length of `work`. */
export async function withReceivers<T>(
  count: number,
  work: (...receivers: Receiver[]) => Promise<T>,
): Promise<T> {
  const receivers = await Promise.all(Array.from({ length: count }, () => openReceiver()));
  try {
    return await work(...receivers);
  } finally {
    await Promise.all(receivers.map((receiver) => receiver.close()));
  }
}
