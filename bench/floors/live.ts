/** What Postgres and a socket allow: what is notified is sent on as it is. */
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { WebSocketServer } from 'ws';
import { rowsOf } from '../rig/stage.ts';

/** Serves on loopback; answers the address of its sockets. */
export async function open(databaseUrl: string): Promise<string> {
  await rowsOf(databaseUrl, 'create table measured (mark text primary key, value int not null)');
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await new Promise((resolve) => void server.once('listening', resolve));
  const listener = new pg.Client({ connectionString: databaseUrl });
  await listener.connect();
  listener.on('notification', ({ payload }) => {
    for (const socket of server.clients) socket.send(payload ?? '');
  });
  await listener.query('listen measured');
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
