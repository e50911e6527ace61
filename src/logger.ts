import pino from 'pino';
import { correlation } from './scope.ts';

/** What anything may say while it runs: a line, and the error behind it. */
export type Log = (line: string, error?: unknown) => void;

/** What of an error may be looked at. */
interface Thrown {
  name?: string;
  code?: unknown;
  message?: string;
  stack?: string;
}

/** E.164 numbers and what looks like one: only their last two digits are ever written. */
const numbers = /\+?\d{8,15}(\d{2})(?!\d)/g;

/** A line without anything that reaches a person. UUIDs have no run of ten digits that is not masked with them. */
const masked = (text: string): string => text.replaceAll(numbers, '…$1');

/**
 * Errors whose words are written: they speak of the program. All others may quote what they stumbled on, such as JSON that
 * cannot be parsed or a time zone that there is none of.
 */
const spoken = new Set([
  'Error',
  'TypeError',
  'ReferenceError',
  'AggregateError',
  'AbortError',
  'TimeoutError',
]);

/** Postgres's own, without what is wrong with a value (class 22) or what a procedure says (P0): those quote it. */
const spokenState = /^(?!22|P0)[0-9A-Z]{5}$/;

/** An error without anything that it may quote. */
function tellable({ name, code, message, stack }: Thrown) {
  const isSpoken =
    name === 'error' ? typeof code === 'string' && spokenState.test(code) : spoken.has(name ?? '');
  return {
    name,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    message: isSpoken ? masked(message ?? '') : 'withheld, because it may quote a value',
    // Its first lines repeat the message.
    stack: (stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .join('\n'),
  };
}

/** The program's log: JSON lines, or readable ones on a terminal; to standard output unless `write` takes them. */
export function openLogger(options: { level: string; pretty: boolean; write?: (line: string) => void }): Log {
  const settings = {
    level: options.level,
    base: null,
    mixin: correlation, // ids only
    ...(options.pretty ? { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } } : {}),
  };
  const logger = options.write ? pino(settings, { write: options.write }) : pino(settings);
  return (line, error) => {
    if (error === undefined) return logger.info(masked(line));
    return logger.error({ error: tellable(error as Thrown) }, masked(line));
  };
}
