import { isWithin, pageOf, type ListRequest } from './list.ts';
import type { Message } from './message.ts';
import { rfc2822 } from './resource.ts';
import { segmentsOf } from './segments.ts';

/** Dollars a segment to the United States, without the carriers' fees; https://www.twilio.com/en-us/sms/pricing/us, 2026. */
const PRICE_PER_SEGMENT = 0.0083;

/** Twilio: why a text was not delivered; https://www.twilio.com/docs/api/errors. */
const ERRORS: Record<number, string> = {
  30003: 'Unreachable destination handset',
  30008: 'Unknown error',
};

/** The text as Twilio's API shows it: strings or null but for the error code, dates RFC 2822, addresses relative. */
export function messageResource(message: Message, accountSid: string): Record<string, unknown> {
  const { sid, text, sentAt, errorCode } = message;
  const segments = segmentsOf(text.body);
  const path = `/2010-04-01/Accounts/${accountSid}/Messages/${sid}`;
  return {
    sid,
    account_sid: accountSid,
    api_version: '2010-04-01',
    direction: message.direction,
    to: text.to,
    from: text.from,
    body: text.body,
    status: message.status,
    date_created: rfc2822(message.createdAt),
    date_updated: rfc2822(message.updatedAt),
    date_sent: sentAt && rfc2822(sentAt),
    error_code: errorCode,
    error_message: errorCode === null ? null : (ERRORS[errorCode] ?? null),
    num_segments: String(segments),
    num_media: '0',
    price: sentAt && (-PRICE_PER_SEGMENT * segments).toFixed(5),
    price_unit: 'USD',
    messaging_service_sid: null,
    uri: `${path}.json`,
    subresource_uris: { media: `${path}/Media.json` },
  };
}

/** A page of texts as Twilio answers it, newest first. */
export function listMessages(
  messages: Iterable<Message>,
  accountSid: string,
  request: ListRequest,
): Record<string, unknown> {
  const { query } = request;
  const found = [...messages]
    .toReversed()
    .filter(
      ({ text, sentAt }) =>
        [null, '', text.to].includes(query.get('To')) &&
        [null, '', text.from].includes(query.get('From')) &&
        isWithin(sentAt, 'DateSent', query),
    );
  return pageOf(found, request, {
    name: 'messages',
    show: (message) => messageResource(message, accountSid),
  });
}
