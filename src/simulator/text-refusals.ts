import { ApiError } from './errors.ts';

/** Twilio's magic numbers for texts; https://www.twilio.com/docs/iam/test-credentials. */
const MAGIC = /^\+1500555000(\d)$/;
const MAGIC_TO: Record<string, number> = { '1': 21211, '2': 21612, '3': 21408, '4': 21610, '9': 21614 };
/** Of the magic numbers only ...0006 may text; the others are not of this account. */
const MAGIC_FROM: Record<string, number> = { '1': 21212, '8': 21611 };

/** The code with which a text between two magic numbers is refused; undefined if it is not. */
export function magicTextRefusal(to: string, from: string): number | undefined {
  const [, sender] = MAGIC.exec(from) ?? [];
  if (sender !== undefined && sender !== '6') return MAGIC_FROM[sender] ?? 21606;
  return MAGIC_TO[MAGIC.exec(to)?.[1] ?? ''];
}

/** What Twilio answers to a text that it refuses for its numbers. */
export function textRefusal(code: number, to: string, from: string): ApiError {
  return new ApiError(code, MESSAGES[code]?.(to, from) ?? 'Forbidden');
}

const MESSAGES: Record<number, (to: string, from: string) => string> = {
  20429: () => 'Too Many Requests',
  20503: () => 'Service is unavailable. Please try again.',
  21211: (to) => `The 'To' number ${to} is not a valid phone number.`,
  21212: (_to, from) =>
    `The 'From' number ${from} is not a valid phone number, shortcode, or alphanumeric sender ID.`,
  21408: (to) =>
    `Permission to send an SMS has not been enabled for the region indicated by the 'To' number: ${to}.`,
  21606: (_to, from) =>
    `The From phone number ${from} is not a valid, SMS-capable inbound phone number or short code for your account.`,
  21610: () => 'Attempt to send to unsubscribed recipient',
  21611: (_to, from) => `The 'From' number ${from} has exceeded the maximum number of queued messages`,
  21612: (to, from) =>
    `The 'To' phone number: ${to}, is not currently reachable using the 'From' phone number: ${from} via SMS.`,
  21614: (to) => `'To' number: ${to}, is not a mobile number`,
};
