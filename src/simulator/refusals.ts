import { ApiError } from './errors.ts';

/** Twilio's magic numbers for creates that are refused; https://www.twilio.com/docs/iam/test-credentials. */
const MAGIC = /^\+1500555000(\d)$/;
const MAGIC_TO: Record<string, number> = { '1': 21217, '2': 21214, '3': 21215, '4': 21216 };

/** The code with which a create between two magic numbers is refused; undefined if it is not. */
export function magicRefusal(to: string, from: string): number | undefined {
  const [, caller] = MAGIC.exec(from) ?? [];
  if (caller === '1') return 21212;
  // Of the magic numbers only ...0006 may call; numbers that are not magic are the account's own.
  if (caller !== undefined && caller !== '6') return 21210;
  return MAGIC_TO[MAGIC.exec(to)?.[1] ?? ''];
}

/** What Twilio answers to a create that it refuses for its numbers. */
export function refusal(code: number, to: string, from: string): ApiError {
  return new ApiError(code, MESSAGES[code]?.(to, from) ?? 'Forbidden');
}

const MESSAGES: Record<number, (to: string, from: string) => string> = {
  20429: () => 'Too Many Requests',
  20503: () => 'Service is unavailable. Please try again.',
  21210: (_to, from) =>
    `The source phone number provided, ${from}, is not yet verified for your account. You may only make calls from phone numbers that you've verified or purchased from Twilio.`,
  21211: (to) => `The phone number you are attempting to call, ${to}, is not valid.`,
  21212: (_to, from) => `From is not a valid phone number: ${from}`,
  21214: (to) => `The phone number you are attempting to call, ${to}, cannot be reached.`,
  21215: (to) =>
    `Account not authorized to call ${to}. Perhaps you need to enable some international permissions: https://www.twilio.com/console/voice/calls/geo-permissions/low-risk`,
  21216: (to) => `Account not allowed to call ${to}`,
  21217: (to) => `The phone number you are attempting to call, ${to}, is not valid.`,
};
