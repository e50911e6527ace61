import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What may be done with the next piece that a client sends: passed on, swallowed, or passed on with its answer swallowed. */
export type Verdict = 'pass' | 'swallow' | 'swallow the answer';

/** A TCP proxy that sees every piece which its clients send. */
export interface Proxy {
  readonly port: number;
  /** Ends every connection at once; whether others may come says `admits`. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * Opens a proxy in front of a server on this machine. `judge` is asked about each piece that a client sends, in order;
 * what is swallowed leaves the connection hanging, and `swallowed` is called once nothing more of it can be heard.
 * `admits`: whether connections come through just then; left out: they do.
 */
export async function openProxy(
  target: { host: string; port: number },
  {
    judge,
    swallowed,
    admits = () => true,
  }: { judge: () => Verdict; swallowed: () => void; admits?: () => boolean },
): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const server = createServer((client) => {
    if (!admits()) return void client.on('error', () => {}).destroy();
    const upstream = connect(target);
    let deaf = false;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {}); // its close says the same
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (piece) => {
      const verdict = judge();
      if (verdict === 'swallow') return swallowed();
      deaf = deaf || verdict === 'swallow the answer';
      return void upstream.write(piece);
    });
    upstream.on('data', (piece) => {
      if (deaf) swallowed();
      else client.write(piece);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
