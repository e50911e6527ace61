import type { Call, Ending } from './call.ts';
import type { Target } from './call-order.ts';
import { deliver } from './callback-order.ts';
import { enterTry, type LedgerLine } from './ledger.ts';
import type { Verdict } from './machine-detection.ts';
import type { Network } from './network.ts';
import { placeOf } from './places.ts';
import { rfc2822 } from './resource.ts';
import type { Reply } from './http-client.ts';

/** Tells the customer that the call has come so far, if that was asked for; the number is counted either way. */
export function announce(
  call: Call,
  network: Network,
  status: 'initiated' | 'ringing' | 'in-progress',
): void {
  post(call, network, { status, event: status === 'in-progress' ? 'answered' : status, extra: {} });
}

/** Tells the customer how the call ended, if that was asked for. */
export function announceEnd(call: Call, network: Network, { status, sip }: Ending): void {
  const seconds = call.durationSeconds ?? 0;
  const extra = {
    CallDuration: String(seconds),
    Duration: String(Math.ceil(seconds / 60)),
    SipResponseCode: String(sip),
    ...(call.verdict && { AnsweredBy: call.verdict.answeredBy }),
  };
  post(call, network, { status, event: 'completed', extra });
}

/** Posts the verdict of asynchronous machine detection: once, and only where there is a URL for it. */
export async function postVerdict(call: Call, network: Network, verdict: Verdict): Promise<void> {
  const target = call.order.detection?.callback;
  if (!target || call.line.callbacks === 'none') return;
  await ask(call, network, {
    kind: 'amd',
    target,
    params: {
      CallSid: call.sid,
      AccountSid: network.accountSid,
      ...verdictParams(verdict),
    },
  });
}

/** The parameters that tell what machine detection found; its duration is in milliseconds. */
export function verdictParams({ answeredBy, afterSeconds }: Verdict): Record<string, string> {
  return { AnsweredBy: answeredBy, MachineDetectionDuration: String(Math.round(afterSeconds * 1000)) };
}

/** The parameters of every voice webhook. Nothing is known of places but the country, and empty parameters are sent. */
export function voiceParams(call: Call, network: Network, status: string): Record<string, string> {
  const { to, from } = call.order;
  return {
    AccountSid: network.accountSid,
    ApiVersion: '2010-04-01',
    CallSid: call.sid,
    CallStatus: status,
    Direction: 'outbound-api',
    From: from,
    To: to,
    Caller: from,
    Called: to,
    ...placeOf('From', from),
    ...placeOf('Caller', from),
    ...placeOf('To', to),
    ...placeOf('Called', to),
  };
}

/** A request to the customer about a call, and how it is entered in the ledger. */
export interface Question {
  readonly kind: LedgerLine['kind'];
  readonly target: Target;
  readonly params: Readonly<Record<string, string>>;
}

/** Asks the customer and enters every try in the ledger. Nothing leaves a line that is cut off. */
export function ask(call: Call, network: Network, { kind, target, params }: Question): Promise<Reply> {
  if (call.line.callbacks === 'cut off') return Promise.resolve({ failure: 'ct' });
  const { to, from } = call.order;
  const about = {
    kind,
    callSid: call.sid,
    to,
    from,
    ...(params.CallStatus !== undefined && { status: params.CallStatus }),
    ...(params.SequenceNumber !== undefined && { sequence: Number(params.SequenceNumber) }),
  };
  return network.sender.send({ ...target, params, service: 'voice' }, (url) =>
    enterTry(network.ledger, { ...about, url, params }),
  );
}

interface Announcement {
  readonly status: string;
  readonly event: string;
  readonly extra: Readonly<Record<string, string>>;
}

function post(call: Call, network: Network, { status, event, extra }: Announcement): void {
  const params = {
    ...voiceParams(call, network, status),
    CallbackSource: 'call-progress-events',
    SequenceNumber: String(call.nextSequence),
    Timestamp: rfc2822(network.now()),
    ...extra,
  };
  call.nextSequence += 1;
  const target = call.order.statusCallback;
  const isWanted = target !== null && call.order.events.has(event);
  if (isWanted) {
    const send = () => ask(call, network, { kind: 'callback', target, params });
    deliver(call, send, { isLast: event === 'completed' });
  }
  if (isWanted || status === 'in-progress') void call.posts.then(() => call.heard.resolve());
}
