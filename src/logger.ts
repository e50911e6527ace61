import pino from 'pino';
import { correlation } from './scope.ts';

/** What anything may say while it runs: a line, and the error behind it. */
export type Log = (line: string, error?: unknown) => void;

/** E.164 numbers and what looks like one: only their last two digits are ever written. */
const numbers = /\+?\d{8,15}(\d{2})(?!\d)/g;

/** A line without anything that reaches a person. UUIDs have no run of ten digits that is not masked with them. */
const masked = (text: string): string => text.replaceAll(numbers, '…$1');

/** The program's log: JSON lines, or readable ones on a terminal. Of an error only its name, code, message and stack are written. */
export function openLogger(options: { level: string; pretty: boolean }): Log {
  const logger = pino({
    level: options.level,
    base: null,
    mixin: correlation, // ids only
    ...(options.pretty ? { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } } : {}),
  });
  return (line, error) => {
    if (error === undefined) return logger.info(masked(line));
    const { name, code, message, stack } = error as {
      name?: string;
      code?: unknown;
      message?: string;
      stack?: string;
    };
    const details = {
      error: {
        name,
        code: typeof code === 'string' ? code : undefined,
        message: masked(message ?? 'no message'),
        stack: masked(stack ?? ''),
      },
    };
    return logger.error(details, masked(line));
  };
}
