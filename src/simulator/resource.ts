import { createHash } from 'node:crypto';

import type { Call } from './call.ts';

/** Dollars a minute to the United States; https://www.twilio.com/en-us/voice/pricing/us, 2026. */
const PRICE_PER_MINUTE = 0.014;

/** The call as Twilio's API shows it: every value a string or null, dates RFC 2822, addresses relative. */
export function callResource(call: Call, accountSid: string): Record<string, unknown> {
  const { to, from } = call.order;
  return {
    sid: call.sid,
    account_sid: accountSid,
    api_version: '2010-04-01',
    direction: 'outbound-api',
    to,
    to_formatted: formatted(to),
    from,
    from_formatted: formatted(from),
    phone_number_sid: `PN${createHash('md5').update(from).digest('hex')}`,
    status: call.status,
    date_created: rfc2822(call.createdAt),
    date_updated: rfc2822(call.updatedAt),
    start_time: dateOrNull(call.startedAt),
    end_time: dateOrNull(call.endedAt),
    ...chargeOf(call),
    answered_by: call.verdict?.answeredBy ?? null,
    queue_time: String(Math.round(call.queueMs)),
    // Nothing that is simulated has any of these.
    parent_call_sid: null,
    forwarded_from: null,
    group_sid: null,
    caller_name: null,
    trunk_sid: null,
    ...addressesOf(call.sid, accountSid),
  };
}

/** A date as Twilio writes it: `Tue, 31 Aug 2010 20:36:28 +0000`. */
export function rfc2822(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}

function dateOrNull(date: Date | null): string | null {
  return date && rfc2822(date);
}

/** Minutes are charged as begun; Twilio leaves both fields empty for a call that was not answered. */
function chargeOf({ durationSeconds }: Call): Record<string, string | null> {
  const price =
    durationSeconds === null ? null : (-PRICE_PER_MINUTE * Math.ceil(durationSeconds / 60)).toFixed(5);
  return {
    duration: durationSeconds === null ? null : String(durationSeconds),
    price,
    price_unit: 'USD',
  };
}

/** North American numbers as people there write them, others as they are. */
function formatted(number: string): string {
  return number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, '($1) $2-$3');
}

const SUBRESOURCES = [
  'events',
  'notifications',
  'payments',
  'recordings',
  'siprec',
  'streams',
  'transcriptions',
  'user_defined_message_subscriptions',
  'user_defined_messages',
];

function addressesOf(sid: string, accountSid: string): Record<string, unknown> {
  const path = `/2010-04-01/Accounts/${accountSid}/Calls/${sid}`;
  return {
    uri: `${path}.json`,
    subresource_uris: Object.fromEntries(
      SUBRESOURCES.map((name) => [name, `${path}/${pascalCase(name)}.json`]),
    ),
  };
}

function pascalCase(name: string): string {
  return name.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
