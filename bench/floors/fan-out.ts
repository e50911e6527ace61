/** What sockets allow: the same buffer is sent to each. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { aChange } from '../peers/fan-out.ts';

let server: WebSocketServer;

/** Serves on loopback; answers the address of its sockets. */
export async function open(): Promise<string> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await new Promise((resolve) => void server.once('listening', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends changes; answers the instant before, by the clock that all processes share. */
export function publish(count: number): number {
  const at = Number(process.hrtime.bigint()) / 1e6;
  for (let n = 0; n < count; n += 1) {
    const message = Buffer.from(
      JSON.stringify({ id: crypto.randomUUID(), type: 'next', payload: { data: { changed: aChange() } } }),
    );
    for (const socket of server.clients) socket.send(message, { binary: false });
  }
  return at;
}
