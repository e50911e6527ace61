import { randomBytes } from 'node:crypto';

import { lineOf, type Line } from './people.ts';

/** Twilio's statuses of a text that was sent without a Messaging Service, and of one that came in. */
export type MessageStatus =
  'queued' | 'sending' | 'sent' | 'delivered' | 'undelivered' | 'failed' | 'received';

/** Who speaks to whom in a text, and what is said. */
export interface Text {
  readonly to: string;
  readonly from: string;
  readonly body: string;
}

/** One simulated text, from create or arrival until it is deleted. */
export interface Message {
  readonly sid: string;
  /** `outbound-reply` is what the carrier answers to STOP, START and HELP by itself. */
  readonly direction: 'outbound-api' | 'outbound-reply' | 'inbound';
  readonly line: Line;
  readonly createdAt: Date;
  /** What is said; its body is empty once it was redacted. */
  text: Text;
  readonly statusCallback: string | null;
  status: MessageStatus;
  updatedAt: Date;
  /** When it left or came in; null before. */
  sentAt: Date | null;
  /** Twilio's code of why it was not delivered; null unless it was not. */
  errorCode: number | null;
  /** Aborted when the carrier stops. */
  readonly ended: AbortController;
  /** Callbacks that are kept back to be sent in the wrong order, the one to send first in front. */
  readonly heldBack: (() => void)[];
  /** Settles when every callback so far was delivered or given up. */
  posts: Promise<unknown>;
  /** Settles with the first callback delivered, or once the text has left. */
  readonly heard: PromiseWithResolvers<void>;
}

/** What a text begins with. */
interface Beginning {
  readonly text: Text;
  readonly direction: Message['direction'];
  readonly status: MessageStatus;
  readonly statusCallback?: string | null;
  /** Default: a new one. */
  readonly sid?: string;
}

/** A text that begins now; it left or came in at once unless it is queued. */
export function newMessage(beginning: Beginning, now: Date): Message {
  const { text, direction, status, statusCallback = null, sid = newSid() } = beginning;
  return {
    sid,
    direction,
    line: lineOf(direction === 'inbound' ? text.from : text.to),
    createdAt: now,
    text,
    statusCallback,
    status,
    updatedAt: now,
    sentAt: status === 'queued' ? null : now,
    errorCode: null,
    ended: new AbortController(),
    heldBack: [],
    posts: Promise.resolve(),
    heard: Promise.withResolvers(),
  };
}

function newSid(): string {
  return `SM${randomBytes(16).toString('hex')}`;
}

/** Whether nothing more happens to the text. */
export function isSettled({ status, direction }: Message): boolean {
  return (
    direction !== 'outbound-api' || status === 'delivered' || status === 'undelivered' || status === 'failed'
  );
}
