import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';

/** The largest frame that the carrier sends, in bytes: what a person says at a stretch is far shorter. */
const frameLimit = 65_536;

/** How long the carrier may take to answer the end of a session, in milliseconds. */
const farewellMs = 1_000;

/** How somebody who wants to speak on a call is let in: null, not at all; else what to do with the open socket. */
export type Admit = (
  path: string,
  signature: string | undefined,
) => Promise<((socket: WebSocket) => void) | null>;

/** Serves the carrier's ConversationRelay: one socket for each call that is talked on. */
export function serveRelay(admit: Admit, log: (line: string, error?: unknown) => void) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: frameLimit, perMessageDeflate: false });

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const signature = request.headers['x-twilio-signature'];
    const hold = await admit(request.url ?? '/', typeof signature === 'string' ? signature : undefined).catch(
      (error: unknown) => {
        log('nobody could be admitted to a call', error);
        return null;
      },
    );
    if (!hold)
      return void socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, hold);
  }

  return {
    upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(request, socket, head),
    /** Closes what is still open, and waits a moment for the other side. */
    async close(): Promise<void> {
      const open = [...sockets.clients];
      const closed = open.map(
        (client) =>
          new Promise<void>((resolve) => {
            client.once('close', () => resolve());
            client.close(1001, 'Going away');
          }),
      );
      const impatience = setTimeout(() => {
        for (const client of open) client.terminate();
      }, farewellMs);
      await Promise.all(closed);
      clearTimeout(impatience);
      sockets.close();
    },
  };
}
