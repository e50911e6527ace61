import { ApiError } from './errors.ts';
import type { Ledger, LedgerLine } from './ledger.ts';
import type { Line } from './people.ts';
import type { Answer } from './resource-api.ts';

/** Does what was asked, and enters it in the ledger if that is refused. */
export function orRefused<T>(ledger: Ledger, about: Omit<LedgerLine, 'accepted'>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ApiError) {
      ledger.enter({ ...about, accepted: false, code: error.code, httpStatus: error.status });
    }
    throw error;
  }
}

/** What comes back on a line once create was accepted. */
export function answerOn(line: Line, resource: unknown): Answer {
  const unavailable = new ApiError(20503, 'Service is unavailable. Please try again.');
  return line.answer === 'unavailable'
    ? { status: unavailable.status, body: unavailable.body() }
    : { status: 201, body: resource, isLost: line.answer === 'lost' };
}
