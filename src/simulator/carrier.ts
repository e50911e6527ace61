import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

import { openClock, type RunningClock } from '../clock.ts';
import { openCallsApi } from './calls-api.ts';
import { serve } from './desk.ts';
import { openDialQueue } from './dial-queue.ts';
import { ApiError } from './errors.ts';
import { openHttpClient } from './http-client.ts';
import { openLedger, type LedgerEntry } from './ledger.ts';
import { openMessagesApi } from './messages-api.ts';
import type { Network } from './network.ts';
import { paceOf } from './pace.ts';
import { openRecordingsApi } from './recordings-api.ts';
import { personAt, type Person } from './people.ts';
import { openVendorAccount } from './vendor-account.ts';
import { openVoicemailVendor } from './voicemail-vendor.ts';
import { openWebhookSender } from './webhook.ts';

/** How a simulated carrier is set up. */
export interface CarrierOptions {
  /** 0 is any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The one account it has: `AC` and 32 hexadecimal digits. */
  readonly accountSid: string;
  /** The account's secret; webhooks are signed with it. */
  readonly authToken: string;
  /** How many times as fast as in life people are (SIM_PACE). */
  readonly pace: number;
  /** How many calls it starts in a second of the clock (SIM_CPS); the others wait. */
  readonly callsPerSecond: number;
  /** What people's time follows, and dates of resources and callbacks. Default: real time. */
  readonly clock?: RunningClock;
  /** Dates of another source than the clock. */
  readonly now?: () => Date;
  /** Who is there at a dial, instead of those in people.ts. */
  readonly meet?: (number: string, attempt: number) => Person;
  /** What the person on a call knows as their date of birth, YYYY-MM-DD. Default: nobody tells. */
  readonly birthDateOf?: (call: { readonly sid: string; readonly to: string }) => Promise<string | null>;
  /** Where people's texts to any number of the account go (SmsUrl), and in its fragment how. Default: nowhere. */
  readonly messageUrl?: string;
  /** `x-key` and `x-secret` at the voicemail vendor. Default: any. */
  readonly voicemailKey?: string;
  readonly voicemailSecret?: string;
  /** Where the vendor's signed webhooks go. Default: nowhere. */
  readonly voicemailWebhookUrl?: string;
  /** What they are signed with. Default: `simulated-webhook-secret`. */
  readonly voicemailWebhookSecret?: string;
  /** Takes one line for what goes wrong. Default: nobody. */
  readonly log?: (line: string) => void;
}

/** A simulated carrier that is running. */
export interface Carrier {
  /** `http://host:port`, to be used as the API's base URL; the voicemail vendor's is `/voicemail` below it. */
  readonly url: string;
  readonly port: number;
  /** Everything it was asked and asked back so far, oldest first; also `GET /ledger`. */
  ledger(): LedgerEntry[];
  /** Where people's texts go from now on. */
  messagesTo(url: string): void;
  /** Where the voicemail vendor's signed webhooks go from now on. */
  voicemailWebhooksTo(url: string): void;
  /** Stops in the middle of whatever goes on; calls just fall silent. */
  close(): Promise<void>;
}

/**
 * Starts an HTTP server that is Twilio's voice and text API (2010-04-01) to the official SDK and to signed webhooks,
 * and a voicemail vendor's (Drop Cowboy v2) below /voicemail. Who answers which number is in people.ts, texters.ts
 * and mailboxes.ts.
 */
export async function startCarrier(options: CarrierOptions): Promise<Carrier> {
  const clock = options.clock ?? openClock();
  const network = networkOf(options, clock);
  const refuseWhenFull = () => new ApiError(22005, 'Call queue is full');
  const queue = openDialQueue({ clock, callsPerSecond: options.callsPerSecond, refuseWhenFull });
  const calls = openCallsApi(network, queue);
  const messages = openMessagesApi(network, options.messageUrl);
  const account = accountOf(options);
  const vendor = openVoicemailVendor(network, account);
  const { authToken } = options;
  const resources = { Calls: calls, Messages: messages };
  const recordings = openRecordingsApi(network, calls.find);
  const desk = { authToken, network, resources, recordings, inbox: messages.inbox, vendor };
  const server = http.createServer((request, response) => void serve(desk, request, response));
  const { url, port } = await listen(server, options);
  return {
    url,
    port,
    ledger: () => [...network.ledger.entries],
    messagesTo: messages.inbox.messagesTo,
    voicemailWebhooksTo: (webhookUrl) => void (account.webhookUrl = webhookUrl),
    close: async () => {
      queue.close();
      network.sender.close();
      await Promise.all([calls.close(), messages.close(), vendor.close()]);
      network.client.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: http.Server, { host = '127.0.0.1', port: wanted }: CarrierOptions) {
  // Longer than any client keeps a connection, so that a request never meets one that is just being closed.
  server.keepAliveTimeout = 75_000;
  server.listen(wanted, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://${host}:${port}`, port };
}

function accountOf(options: CarrierOptions) {
  return openVendorAccount({
    key: options.voicemailKey,
    secret: options.voicemailSecret,
    webhookUrl: options.voicemailWebhookUrl,
    webhookSecret: options.voicemailWebhookSecret ?? 'simulated-webhook-secret',
  });
}

function networkOf(
  { accountSid, authToken, pace, now = () => clock.now(), ...options }: CarrierOptions,
  clock: RunningClock,
): Network {
  const sender = openWebhookSender(authToken);
  const client = openHttpClient();
  const dials = new Map<string, number>();
  return {
    accountSid,
    now,
    pace: paceOf(pace, clock),
    ledger: openLedger(now),
    recordings: [],
    // The clock does not move on while the customer has not answered.
    sender: { ...sender, send: (...webhook) => clock.busy(sender.send(...webhook)) },
    client: { ...client, ask: (...request) => clock.busy(client.ask(...request)) },
    meet: (number) => {
      const attempt = (dials.get(number) ?? 0) + 1;
      dials.set(number, attempt);
      return (options.meet ?? personAt)(number, attempt);
    },
    birthDateOf: options.birthDateOf ?? (() => Promise.resolve(null)),
    busy: (work) => clock.busy(work),
    log: options.log ?? (() => undefined),
  };
}
