import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request that arrived. */
export interface Heard {
  readonly path: string;
  readonly method: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** What a listener answers. Default: 200 and nothing. */
interface Said {
  readonly status?: number;
  readonly contentType?: string;
  readonly body?: string;
}

/** An HTTP server that keeps whatever it is asked, signed or not. */
export interface Listener {
  readonly url: string;
  /** In order of arrival. */
  readonly heard: Heard[];
  /** What to answer at a path from now on. */
  answer(path: string, answer: (heard: Heard) => Said): void;
  /** Waits until as many have arrived at a path; after 5 seconds it says what has. */
  until(wanted: number, path: string): Promise<Heard[]>;
  close(): Promise<void>;
}

/** A listener on any free port. */
export async function openListener(): Promise<Listener> {
  const heard: Heard[] = [];
  const answers = new Map<string, (heard: Heard) => Said>();
  const arrivals = new EventTarget();
  const server = http.createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', headers, url: path = '' } = request;
      const one = { path, method, headers, body };
      heard.push(one);
      const said = answers.get(path)?.(one) ?? {};
      response.writeHead(said.status ?? 200, { 'content-type': said.contentType ?? 'text/plain' });
      response.end(said.body);
      arrivals.dispatchEvent(new Event('arrived'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    answer: (path, answer) => void answers.set(path, answer),
    until: async (wanted, path) => {
      const deadline = AbortSignal.timeout(5000);
      for (;;) {
        const found = heard.filter((one) => one.path === path);
        if (found.length >= wanted) return found;
        await once(arrivals, 'arrived', { signal: deadline }).catch((cause: unknown) => {
          throw new Error(`waited for ${wanted} at ${path}, heard: ${JSON.stringify(heard)}`, { cause });
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
