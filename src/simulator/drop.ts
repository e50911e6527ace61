import { randomUUID } from 'node:crypto';

import { newOutbox, type Outbox } from './callback-order.ts';
import { lineOf, type Line } from './people.ts';

/** What was asked for; empty where it was not given or is no text. Nothing of it is checked yet. */
export interface DropOrder {
  readonly to: string;
  readonly audioUrl: string;
  readonly callerId: string;
  readonly phoneLineId: string;
  readonly foreignId: string;
  readonly callbackUrl: string;
}

/** One voicemail that the vendor has accepted. */
export interface Drop {
  /** `message_id` of the 202; results never name it. */
  readonly messageId: string;
  /** `drop_id` of the results. */
  readonly dropId: string;
  readonly order: DropOrder;
  readonly line: Line;
  readonly hasCredentials: boolean;
  /** Whether its Idempotency-Key is new or none, was used with another request, or is none at all. */
  readonly key: 'new' | 'reused' | 'invalid';
  readonly callbacks: Outbox;
  readonly webhooks: Outbox;
  /** Aborted when the vendor stops. */
  readonly ended: AbortController;
}

/** How a voicemail ends. */
export interface DropResult {
  readonly status: 'success' | 'failure';
  /** In words that may change. */
  readonly reason: string;
  /** 0 is success; https://www.dropcowboy.com/developers/api/outcomes. */
  readonly reasonCode: number;
}

/** A drop that was just accepted. */
export function newDrop(
  order: DropOrder,
  { hasCredentials, key }: Pick<Drop, 'hasCredentials' | 'key'>,
): Drop {
  const line = lineOf(order.to);
  return {
    messageId: randomUUID(),
    dropId: randomUUID(),
    order,
    line,
    hasCredentials,
    key,
    callbacks: newOutbox(line),
    webhooks: newOutbox(line),
    ended: new AbortController(),
  };
}

/** The order in a request's JSON. */
export function readDropOrder(body: Readonly<Record<string, unknown>>): DropOrder {
  const given = (name: string) => (typeof body[name] === 'string' ? body[name] : '');
  return {
    to: given('to'),
    audioUrl: given('audio_url'),
    callerId: given('caller_id'),
    phoneLineId: given('phone_line_id'),
    foreignId: given('foreign_id'),
    callbackUrl: given('callback_url'),
  };
}

/** The result that a reason_code stands for. */
export function resultOf(reasonCode: number): DropResult {
  const status = reasonCode === 0 ? 'success' : 'failure';
  return { status, reason: REASONS[reasonCode] ?? '', reasonCode };
}

/** Customers go by the code; some of the words are the vendor's, the others ours. */
const REASONS: Record<number, string> = {
  3000: 'No Funds',
  3001: 'Audio File Not Valid',
  3007: 'Invalid Credentials',
  3027: 'Idempotency Key Reused',
  3028: 'Invalid Idempotency Key',
  4001: 'VoiceMail Not Setup',
  4004: 'Number not reachable',
  4010: 'No Phone Line',
  6011: 'Opt-in Missing',
};
