import { resolveCursorConnection, type ResolveCursorConnectionArgs } from '@pothos/plugin-relay';
import type { Context } from '../context.ts';
import { failure, pageDefault, pageLimit } from './builder.ts';

/** A connection's arguments. */
interface Arguments {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** What is read of a list: rows beyond `start`, in the list's own direction unless `inverted`. */
export interface Slice {
  start: string[] | undefined;
  limit: number;
  inverted: boolean;
}

/** One page of a connection by keyset: `first` with `after`, or `last` with `before`, at most 200. */
export function page<R extends object>(
  args: Arguments,
  cursorOf: (row: R) => (string | number)[],
  read: (slice: Slice) => Promise<R[]>,
) {
  for (const size of [args.first, args.last]) {
    if (size != null && (size < 0 || size > pageLimit)) {
      throw failure('INVALID_INPUT', `A page holds 0 to ${pageLimit}: ask for the next one with after.`);
    }
  }
  const mixed = args.last != null ? args.after != null || args.first != null : args.before != null;
  if (mixed) {
    throw failure('INVALID_INPUT', 'Give first with after, or last with before.');
  }
  return resolveCursorConnection(
    { args, defaultSize: pageDefault, maxSize: pageLimit, toCursor: (row: R) => encode(cursorOf(row)) },
    ({ before, after, limit, inverted }: ResolveCursorConnectionArgs) => {
      const start = after ?? before;
      return read({
        start: start === undefined ? undefined : decode(start),
        limit,
        inverted: inverted || before !== undefined,
      });
    },
  );
}

/** The row of one event of a subscription: what was loaded for the event before it is forgotten. */
export function renewed<R>(context: Context, row: R): R {
  context.renew();
  return row;
}

const encode = (values: (string | number)[]) =>
  Buffer.from(JSON.stringify(values.map(String))).toString('base64url');

function decode(cursor: string): string[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(values) && values.every((value) => typeof value === 'string')) return values;
  } catch {
    // Falls through to the same refusal: a cursor is ours or it is none.
  }
  throw failure('INVALID_INPUT', 'This cursor is none of ours: give one that an earlier page returned.');
}
