import { ApiError } from './errors.ts';
import { isE164, isWebhookUrl } from './form.ts';
import type { Text } from './message.ts';

/** What a create of a text asked for, validated. */
export interface MessageOrder {
  readonly text: Text;
  readonly statusCallback: string | null;
}

/** Twilio: 21617, the body of a text holds at most so many characters. */
const LONGEST_BODY = 1600;

/** The order in a create request's form. Throws the ApiError that Twilio answers. */
export function readMessageOrder(form: URLSearchParams): MessageOrder {
  // This account has no Messaging Services, so whichever is named does not exist.
  if (form.get('MessagingServiceSid')) throw new ApiError(21701, 'The Messaging Service does not exist');
  const text = { ...readNumbers(form), body: readBody(form) };
  checkValidityPeriod(form.get('ValidityPeriod'));
  return { text, statusCallback: readStatusCallback(form) };
}

function readNumbers(form: URLSearchParams): { to: string; from: string } {
  const to = form.get('To') ?? '';
  const from = form.get('From') ?? '';
  if (to === '') throw new ApiError(21604, "A 'To' phone number is required.");
  if (from === '') throw new ApiError(21603, "A 'From' phone number is required.");
  if (!isE164(to)) throw new ApiError(21211, `The 'To' number ${to} is not a valid phone number.`);
  if (to === from) throw new ApiError(21266, "'To' and 'From' number cannot be the same");
  if (!isE164(from)) {
    throw new ApiError(
      21212,
      `The 'From' number ${from} is not a valid phone number, shortcode, or alphanumeric sender ID.`,
    );
  }
  return { to, from };
}

function readBody(form: URLSearchParams): string {
  const body = form.get('Body') ?? '';
  if (body === '') throw new ApiError(21602, 'Message body is required.');
  if (body.length > LONGEST_BODY) {
    throw new ApiError(21617, `The concatenated message body exceeds the ${LONGEST_BODY} character limit.`);
  }
  return body;
}

/** Seconds that it may wait in the queue, 1 to 36000; nothing waits that long here. */
function checkValidityPeriod(given: string | null): void {
  if (given === null) return;
  const isInRange = /^\d+$/.test(given) && Number(given) >= 1 && Number(given) <= 36_000;
  if (!isInRange) throw new ApiError(21624, 'Invalid validity period value');
}

function readStatusCallback(form: URLSearchParams): string | null {
  const url = form.get('StatusCallback');
  if (!url) return null;
  // Twilio: 21609, not a URL, or one of more than 4000 characters.
  if (url.length > 4000 || !isWebhookUrl(url)) {
    throw new ApiError(21609, `The StatusCallback URL ${url} is not a valid URL.`);
  }
  return url;
}
