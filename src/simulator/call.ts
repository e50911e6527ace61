import { randomBytes } from 'node:crypto';

import { announceEnd } from './callbacks.ts';
import type { CallOrder, TwimlSource } from './call-order.ts';
import type { Verdict } from './machine-detection.ts';
import type { Network } from './network.ts';
import { lineOf, type Line } from './people.ts';

/** Twilio's statuses of the resource; `initiated` exists only in callbacks. */
type CallStatus = 'queued' | 'ringing' | 'in-progress' | EndStatus;
/** The statuses from which there is no way back. */
type EndStatus = 'completed' | 'busy' | 'failed' | 'no-answer' | 'canceled';

/** How a call ends; the SIP code is Twilio's SipResponseCode. */
export interface Ending {
  readonly status: EndStatus;
  readonly sip: 200 | 404 | 486 | 487 | 500;
}

/** One simulated call, from create until it is deleted. */
export interface Call {
  readonly sid: string;
  readonly line: Line;
  readonly createdAt: Date;
  /** Milliseconds it was expected to wait in the queue when it was created. */
  queueMs: number;
  /** What was asked for, with what updates replaced. */
  order: CallOrder;
  status: CallStatus;
  updatedAt: Date;
  /** When it was dialled; null in the queue. */
  startedAt: Date | null;
  endedAt: Date | null;
  /** The pace's moment when it was answered; null until then. */
  answeredMs: number | null;
  /** Seconds of the people's time between answer and end; null unless it was answered and has ended. */
  durationSeconds: number | null;
  /** Whether the person is in a conversation, and stays until it is over. */
  isTalking: boolean;
  /** What machine detection found; null until it has. */
  verdict: Verdict | null;
  /** SequenceNumber of the next event, subscribed or not. */
  nextSequence: number;
  /** Where an update has redirected the call; null if it has not or it was followed. */
  redirect: TwimlSource | null;
  /** Aborted to make the TwiML that is running give way to `redirect`. */
  script: AbortController;
  /** Aborted when the call is over. */
  readonly ended: AbortController;
  /** Callbacks that are kept back to be sent in the wrong order, the one to send first in front. */
  readonly heldBack: (() => void)[];
  /** Settles when every callback so far was delivered or given up. */
  posts: Promise<unknown>;
  /** Settles with the first callback delivered, or once the call is past ringing. */
  readonly heard: PromiseWithResolvers<void>;
}

/** A call that waits to be dialled. */
export function newCall(order: CallOrder, createdAt: Date): Call {
  return {
    sid: `CA${randomBytes(16).toString('hex')}`,
    line: lineOf(order.to),
    createdAt,
    queueMs: 0,
    order,
    status: 'queued',
    updatedAt: createdAt,
    startedAt: null,
    endedAt: null,
    answeredMs: null,
    durationSeconds: null,
    isTalking: false,
    verdict: null,
    nextSequence: 0,
    redirect: null,
    script: new AbortController(),
    ended: new AbortController(),
    heldBack: [],
    posts: Promise.resolve(),
    heard: Promise.withResolvers(),
  };
}

/** Whether the call has ended. */
export function isOver(call: Call): boolean {
  return call.status !== 'queued' && call.status !== 'ringing' && call.status !== 'in-progress';
}

/** Ends a call and tells the customer, unless it never left the queue. A second end changes nothing. */
export function finish(call: Call, network: Network, ending: Ending): void {
  if (isOver(call)) return;
  call.status = ending.status;
  call.updatedAt = network.now();
  if (call.startedAt) call.endedAt = call.updatedAt;
  if (call.answeredMs !== null) {
    call.durationSeconds = Math.round(network.pace.secondsSince(call.answeredMs));
  }
  call.ended.abort();
  // Twilio: a call that is canceled in the queue fires no callback.
  if (call.startedAt) announceEnd(call, network, ending);
  call.heard.resolve();
}
