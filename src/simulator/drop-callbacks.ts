import { createHash, createHmac, randomUUID } from 'node:crypto';

import { deliver } from './callback-order.ts';
import type { Drop, DropResult } from './drop.ts';
import { isWebhookUrl } from './form.ts';
import type { Reply } from './http-client.ts';
import { enterTry } from './ledger.ts';
import type { Network } from './network.ts';
import type { VendorAccount } from './vendor-account.ts';

/** A result, and whose it is. */
interface Report {
  readonly result: DropResult;
  readonly account: VendorAccount;
}

/** Tells the customer how a voicemail ended: at its callback_url, and by webhook where there is one. */
export function postResult(drop: Drop, network: Network, report: Report): void {
  const { callbackUrl } = drop.order;
  const { account, result } = report;
  if (isWebhookUrl(callbackUrl)) {
    const body = callbackBody(drop, network, report);
    deliver(drop.callbacks, () => callBack(drop, network, { url: callbackUrl, body, report }), {
      isLast: true,
    });
  }
  // Drop Cowboy: wrong credentials have no account whose webhook it could be.
  if (account.webhookUrl === undefined || result.reasonCode === 3007) return;
  const event = { id: randomUUID(), url: account.webhookUrl, report };
  const body = webhookBody(drop, network, event);
  deliver(drop.webhooks, () => notify(drop, network, { ...event, body }), { isLast: true });
}

/** Drop Cowboy: unsigned, once, 10 seconds. */
function callBack(drop: Drop, network: Network, sent: Omit<Sent, 'kind' | 'headers' | 'withinMs'>) {
  return post(drop, network, { ...sent, kind: 'drop-callback', headers: {}, withinMs: 10_000 });
}

/** Seconds before each further try of a webhook. */
const RETRIES_AFTER = [60, 300];

/** Drop Cowboy: signed, at most three tries of 5 seconds, each signed anew; only some failures are tried again. */
async function notify(drop: Drop, network: Network, event: WebhookEvent & { body: string }): Promise<void> {
  const { body, id, report, url } = event;
  for (let attempt = 1; ; attempt += 1) {
    const timestamp = String(Math.floor(network.now().getTime() / 1000));
    const headers = {
      'x-signature': `sha256=${createHmac('sha256', report.account.webhookSecret).update(`${timestamp}.${body}`).digest('hex')}`,
      'x-signature-version': 'v1',
      'x-timestamp': timestamp,
      'x-event-id': id,
      'x-attempt': String(attempt),
    };
    const reply = await post(drop, network, {
      kind: 'drop-webhook',
      url,
      body,
      headers,
      withinMs: 5000,
      report,
    });
    const pause = RETRIES_AFTER[attempt - 1];
    if (pause === undefined || !mayRetry(reply)) return;
    try {
      await network.pace.wait(pause, drop.ended.signal);
    } catch {
      return; // the vendor stops
    }
  }
}

function mayRetry(reply: Reply): boolean {
  return 'failure' in reply || reply.status === 408 || reply.status === 429 || reply.status >= 500;
}

interface Sent {
  readonly kind: 'drop-callback' | 'drop-webhook';
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly withinMs: number;
  readonly report: Report;
}

async function post(drop: Drop, network: Network, sent: Sent): Promise<Reply> {
  const { kind, url, body, headers, withinMs, report } = sent;
  const { to, callerId: from } = drop.order;
  const { status, reasonCode: code } = report.result;
  const about = { kind, callSid: null, messageId: drop.messageId, to, from, status, code, url };
  const onReply = enterTry(network.ledger, { ...about, params: { body } });
  const reply = await network.client.ask(
    {
      url: new URL(url),
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        ...headers,
      },
    },
    {
      connectMs: withinMs,
      readMs: withinMs,
      signal: AbortSignal.any([drop.ended.signal, AbortSignal.timeout(withinMs)]),
    },
  );
  onReply(reply);
  return reply;
}

function callbackBody(drop: Drop, network: Network, { result, account }: Report): string {
  const { order, dropId } = drop;
  const isLeft = result.reasonCode === 0;
  return JSON.stringify({
    drop_id: dropId,
    team_id: account.teamId,
    session_id: randomUUID(),
    log_id: randomUUID(),
    contact_id: contactOf(order.to),
    phone_number: order.to,
    caller_id: order.callerId,
    product_code: 'rvm',
    status: result.status,
    reason: result.reason,
    reason_code: result.reasonCode,
    quantity: 1,
    product_cost: isLeft ? 0.04 : 0,
    compliance_fee: 0,
    tts_fee: 0,
    dnc: false,
    attempt_date: network.now().toISOString(),
    foreign_id: order.foreignId,
    ...(isLeft && {
      proof_of_delivery_url: `https://api-v2.dropcowboy.com/campaign/public/receipts/${dropId}`,
    }),
  });
}

interface WebhookEvent {
  readonly id: string;
  readonly url: string;
  readonly report: Report;
}

/** Drop Cowboy: a webhook has no foreign_id. */
function webhookBody(drop: Drop, network: Network, { id, report }: WebhookEvent): string {
  const { result, account } = report;
  return JSON.stringify({
    event_id: id,
    event: 'contact.rvm.status',
    event_at: network.now().getTime(),
    data: {
      team_id: account.teamId,
      contact_id: contactOf(drop.order.to),
      drop_id: drop.dropId,
      campaign_id: null,
      campaign_type: 'rvm',
      status: result.status,
      reason: result.reason,
      reason_code: result.reasonCode,
      to: drop.order.to,
      from: drop.order.callerId,
    },
  });
}

/** The vendor's contact of a number: always the same UUID. */
function contactOf(number: string): string {
  const digest = createHash('md5').update(number).digest('hex');
  return digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}
