import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import type { Answer } from '../domain/call-progress.ts';
import { CarrierRefusal } from '../domain/refusal.ts';

const unsent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

/** Whether a request has certainly done nothing. */
const didNothing = (error: unknown): boolean => {
  const { status, code } = error as { status?: number; code?: string | number };
  return status === 429 || (typeof code === 'string' && unsent.has(code));
};

/**
 * Repeats a request only where the carrier has certainly not begun it: after a 429, which Twilio documents as never
 * processed, or when no connection was made.
 */
export const notBegun = retry(handleWhen(didNothing), {
  maxAttempts: 4,
  backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 1_000 }),
});

/** Twilio's codes for a refusal that may not be one later: concurrency limit, full queues. */
const passing = new Set(['10004', '22005', '21611']);

/** A carrier's failure in our words: refused, never begun, or unknown. `thing` is what was asked for. */
export function answerOf(error: unknown, thing: 'call' | 'message' = 'call'): Answer {
  const nothing = thing === 'call' ? 'Nothing was dialled.' : 'Nothing was sent.';
  if (didNothing(error)) {
    const message = `The carrier could not be reached, or had too many requests. ${nothing}`;
    return { outcome: 'rejected', carrierCode: codeOf(error), message, retryable: true, reached: false };
  }
  const { status } = error as { status?: number };
  if (status !== undefined && status >= 400 && status < 500) {
    const carrierCode = codeOf(error);
    const message = `The carrier refused the ${thing}${carrierCode ? ` with its code ${carrierCode}` : ''}. ${nothing}`;
    return {
      outcome: 'rejected',
      carrierCode,
      message,
      retryable: passing.has(carrierCode ?? ''),
      reached: true,
    };
  }
  return { outcome: 'unknown', cause: status ? `http_${status}` : causeOf(error) };
}

/** The SDK's errors carry the account's token and the request's body: only a word of them is kept. */
const causeOf = (error: unknown): string => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code.toLowerCase() : 'unreadable_answer';
};

/** A carrier's failure as a refusal to whoever asked. */
export function refusalOf(error: unknown): CarrierRefusal {
  const answer = answerOf(error);
  if (answer.outcome === 'rejected') return new CarrierRefusal(answer.message, answer);
  const message =
    'The carrier did not answer. What was asked may or may not have happened; its state will follow.';
  return new CarrierRefusal(message, { carrierCode: null, retryable: true, reached: false });
}

/** Whether the carrier knows of no such thing. */
export const isUnknown = (error: unknown): boolean => (error as { status?: number }).status === 404;

/** Twilio's numeric code; an axios error's code is a word, and is none. */
export const codeOf = (error: unknown): string | null => {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? String(code) : null;
};
