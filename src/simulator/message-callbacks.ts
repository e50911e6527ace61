import { deliver } from './callback-order.ts';
import { enterTry } from './ledger.ts';
import { isSettled, type Message } from './message.ts';
import type { Network } from './network.ts';
import { placeOf } from './places.ts';
import { segmentsOf } from './segments.ts';
import type { Reply } from './http-client.ts';

/** Tells the customer that the text has come so far, if a URL for that was given. */
export function announceMessage(message: Message, network: Network): void {
  const { statusCallback: url } = message;
  const params = statusParams(message, network);
  if (url !== null) {
    deliver(message, () => ask(message, network, { kind: 'text-callback', url, params }), {
      isLast: isSettled(message),
    });
  }
  void message.posts.then(() => message.heard.resolve());
}

/** Tells the customer what a person has texted. */
export function postInbound(message: Message, network: Network, url: string): Promise<Reply> {
  const { to, from, body } = message.text;
  const params = {
    ...baseParams(message, network),
    SmsMessageSid: message.sid,
    SmsStatus: 'received',
    Body: body,
    NumMedia: '0',
    NumSegments: String(segmentsOf(body)),
    ...placeOf('From', from),
    ...placeOf('To', to),
  };
  return ask(message, network, { kind: 'text-received', url, params });
}

function baseParams({ sid, text }: Message, { accountSid }: Network): Record<string, string> {
  return {
    AccountSid: accountSid,
    ApiVersion: '2010-04-01',
    MessageSid: sid,
    SmsSid: sid,
    From: text.from,
    To: text.to,
  };
}

function statusParams(message: Message, network: Network): Record<string, string> {
  const { status, errorCode } = message;
  const isReported = status === 'delivered' || status === 'undelivered';
  return {
    ...baseParams(message, network),
    MessageStatus: status,
    SmsStatus: status,
    ...(errorCode !== null && { ErrorCode: String(errorCode) }),
    ...(isReported && { RawDlrDoneDate: shortDate(network.now()) }),
  };
}

/** A date as carriers write it in delivery reports: YYMMDDhhmm. */
function shortDate(date: Date): string {
  return date.toISOString().replaceAll(/\D/g, '').slice(2, 12);
}

interface Question {
  readonly kind: 'text-callback' | 'text-received';
  readonly url: string;
  readonly params: Readonly<Record<string, string>>;
}

function ask(message: Message, network: Network, { kind, url, params }: Question): Promise<Reply> {
  const { to, from } = message.text;
  const status = params.SmsStatus ?? '';
  const about = { kind, callSid: null, messageSid: message.sid, to, from, status, params };
  return network.sender.send({ url, method: 'POST', params, service: 'text' }, (tried) =>
    enterTry(network.ledger, { ...about, url: tried }),
  );
}
