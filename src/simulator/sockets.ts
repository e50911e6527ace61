import WebSocket from 'ws';

import type { Call } from './call.ts';
import type { Network } from './network.ts';

/** The customer's socket, open, or null; the ledger tells which. Twilio signs the handshake like a webhook without parameters. */
export async function connectSocket(
  call: Call,
  network: Network,
  { kind, url }: { kind: 'relay' | 'stream'; url: string },
): Promise<WebSocket | null> {
  const { to, from } = call.order;
  const entry = network.ledger.enter({ kind, callSid: call.sid, to, from, url, accepted: false });
  try {
    const socket = new WebSocket(url, { headers: { 'x-twilio-signature': network.sender.sign(url) } });
    return await new Promise((resolve) => {
      socket.once('open', () => {
        entry.accepted = true;
        entry.httpStatus = 101;
        resolve(socket);
      });
      socket.once('unexpected-response', (request, response) => {
        entry.httpStatus = response.statusCode ?? 0;
        request.destroy();
        resolve(null);
      });
      socket.on('error', () => resolve(null));
    });
  } catch {
    return null; // no URL of a WebSocket
  }
}

/** Sends, and waits until the other side has read it: a pong comes after everything that was sent before it. */
export function delivered(socket: WebSocket, ...messages: object[]): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    function settle(): void {
      socket.off('pong', settle).off('close', settle);
      resolve();
    }
    socket.on('pong', settle).on('close', settle);
    for (const message of messages) socket.send(JSON.stringify(message));
    socket.ping();
  });
}
