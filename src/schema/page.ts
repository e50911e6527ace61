import { resolveCursorConnection, type ResolveCursorConnectionArgs } from '@pothos/plugin-relay';
import type { Context } from '../context.ts';
import { failure, pageDefault, pageLimit } from './builder.ts';
import { isId } from './input.ts';

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

/** What a value of a cursor can be. */
const kinds = {
  id: isId,
  whole: (value: string) => /^\d{1,15}$/.test(value),
  instant: (value: string) => /^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/.test(value) && !Number.isNaN(Date.parse(value)),
};

/** The values of a list's cursors, in their order. */
type Keyset = readonly (keyof typeof kinds)[];

/**
 * One page of a connection by keyset: `first` with `after`, or `last` with `before`, at most 200. A cursor is taken only
 * if its values are of the keyset's kinds: the lists of ids need to name none.
 */
export function page<R extends object>(
  args: Arguments,
  cursorOf: (row: R) => (string | number)[],
  read: (slice: Slice) => Promise<R[]>,
  keyset: Keyset = ['id'],
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
        start: start === undefined ? undefined : decode(start, keyset),
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

function decode(cursor: string, keyset: Keyset): string[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (isOf(keyset, values)) return values;
  } catch {
    // Falls through to the same refusal: a cursor is ours or it is none.
  }
  throw failure('INVALID_INPUT', 'This cursor is none of ours: give one that an earlier page returned.');
}

const isOf = (keyset: Keyset, values: unknown): values is string[] =>
  Array.isArray(values) &&
  values.length === keyset.length &&
  keyset.every((kind, index) => typeof values[index] === 'string' && kinds[kind](values[index]));
