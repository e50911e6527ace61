import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

import { leave } from './drop-life.ts';
import { newDrop, readDropOrder, type Drop } from './drop.ts';
import { openIdempotencyKeys, type IdempotencyKeys } from './idempotency-keys.ts';
import { readObject } from './json.ts';
import { isAnsweredWithError } from './mailboxes.ts';
import type { Network } from './network.ts';
import { lineOf } from './people.ts';
import type { Answer } from './resource-api.ts';
import type { VendorAccount } from './vendor-account.ts';

/** Drop Cowboy's API v2, as far as ringless voicemail goes. */
export interface VoicemailVendor {
  /** `POST /rvm`: 202 whatever is wrong; how it ends is told by callback. */
  drop(headers: IncomingHttpHeaders, json: string): Promise<Answer>;
  /** Drops everything without another word, and waits until nothing of it is left. */
  close(): Promise<void>;
}

/** What the vendor remembers between requests. */
interface Shop {
  readonly network: Network;
  readonly account: VendorAccount;
  readonly keys: IdempotencyKeys;
  /** How many requests each number has had. */
  readonly requests: Map<string, number>;
  readonly drops: Set<Drop>;
  readonly lives: Set<Promise<void>>;
}

/** A vendor that nothing was asked of yet. */
export function openVoicemailVendor(network: Network, account: VendorAccount): VoicemailVendor {
  const shop: Shop = {
    network,
    account,
    keys: openIdempotencyKeys(network.now),
    requests: new Map(),
    drops: new Set(),
    lives: new Set(),
  };
  return {
    drop: (headers, json) => take(shop, headers, json),
    close: async () => {
      for (const { ended } of shop.drops) ended.abort();
      await Promise.all(shop.lives);
      await Promise.all(
        Array.from(shop.drops, ({ callbacks, webhooks }) => Promise.all([callbacks.posts, webhooks.posts])),
      );
    },
  };
}

async function take(shop: Shop, headers: IncomingHttpHeaders, json: string): Promise<Answer> {
  const body = readObject(json);
  const given = { key: textOf(headers['x-key']), secret: textOf(headers['x-secret']) };
  if (given.key === '' && given.secret === '') return problem(401, 'Unauthorized');
  if (!body) return problem(400, 'Bad Request');
  const order = readDropOrder(body);
  const idempotencyKey = textOf(headers['idempotency-key']);
  const about = {
    kind: 'drop',
    callSid: null,
    to: order.to,
    from: order.callerId,
    params: flat(body),
    ...(idempotencyKey !== '' && { key: idempotencyKey }),
  } as const;
  const { ledger } = shop.network;
  const refusal = refusalOf(shop, order.to);
  const key = refusal ? 'new' : shop.keys.use(given.key, idempotencyKey, body);
  if (refusal || key === 'same') {
    const answer = refusal ?? queued(randomUUID());
    ledger.enter({ ...about, accepted: false, httpStatus: answer.status });
    return answer;
  }
  const drop = newDrop(order, { hasCredentials: isKnown(shop.account, given), key });
  const answer = answerTo(drop);
  const { messageId } = drop;
  ledger.enter({
    ...about,
    messageId,
    status: 'queued',
    accepted: true,
    ...(!answer.isLost && { httpStatus: answer.status }),
  });
  const life = begin(shop, drop);
  if (drop.line.answer === 'after first callback') await life.then(() => drop.callbacks.posts);
  return answer;
}

function begin(shop: Shop, drop: Drop): Promise<void> {
  shop.drops.add(drop);
  const life = leave(drop, shop.network, shop.account).finally(() => shop.lives.delete(life));
  shop.lives.add(life);
  return life;
}

/** What keeps a request from being queued at all; undefined if nothing does. */
function refusalOf(shop: Shop, to: string): Answer | undefined {
  const request = (shop.requests.get(to) ?? 0) + 1;
  shop.requests.set(to, request);
  const line = lineOf(to);
  if (request <= line.throttledTimes) return { status: 429, body: { message: 'Too Many Requests' } };
  if (line.refusedWith === 20503) return problem(503, 'Service Unavailable');
  const error = { status: 'error', message: 'Your request could not be processed' };
  return isAnsweredWithError(to) ? { status: 200, body: error } : undefined;
}

function answerTo({ line, messageId }: Drop): Answer {
  if (line.answer === 'unavailable') return problem(503, 'Service Unavailable');
  return { ...queued(messageId), isLost: line.answer === 'lost' };
}

function queued(messageId: string): Answer {
  return { status: 202, body: { status: 'queued', message_id: messageId } };
}

/** An error as RFC 9457 has it. */
function problem(status: number, title: string): Answer {
  const type = `https://api-v2.dropcowboy.com/errors/${title.toLowerCase().replaceAll(' ', '-')}`;
  return { status, body: { type, title, status, detail: title, request_id: randomUUID() } };
}

function isKnown({ key, secret }: VendorAccount, given: { key: string; secret: string }): boolean {
  return (key === undefined || key === given.key) && (secret === undefined || secret === given.secret);
}

function textOf(header: string | string[] | undefined): string {
  return typeof header === 'string' ? header : (header?.join(', ') ?? '');
}

function flat(body: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts = Object.entries(body).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return Object.fromEntries(texts) as Record<string, string>;
}
