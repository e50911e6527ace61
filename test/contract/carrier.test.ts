import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { openCarrier } from '../../src/carrier.ts';
import { readConfig } from '../../src/config.ts';

/** Asks a carrier that has too many requests for one dial; answers how often it was asked. */
async function asksFor(mayStill: () => boolean): Promise<number> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(429, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ code: 20429, message: 'Too many requests', status: 429 }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const carrier = openCarrier({
      account: readConfig({
        TWILIO_ACCOUNT_SID: `AC${'1'.repeat(32)}`,
        TWILIO_AUTH_TOKEN: 'a-token-of-nobody',
      }).carrier,
      apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      publicUrl: 'http://127.0.0.1:1',
    });
    const order = {
      workspaceId: 'w',
      callId: 'c',
      to: '+12125550100',
      from: '+14155550199',
      leavesMessage: false,
    };
    expect(await carrier.dial(order, mayStill)).toMatchObject({
      outcome: 'rejected',
      carrierCode: '20429',
      retryable: true,
      reached: false,
    });
    return asked;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test('a dial that was refused for being one of too many is asked for again only while it may still be made', async () => {
  expect(await asksFor(() => true)).toBe(5);
  expect(await asksFor(() => false)).toBe(1);
});
