import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { GraphQLError } from 'graphql';
import type { Context } from '../context.ts';
import type { Scope } from '../domain/workspace.ts';

/** The most a list gives at once. */
export const pageLimit = 200;

/** What a list gives when nobody says how much. */
export const pageDefault = 50;

/** The one Pothos builder: scalars and roots, and the rules that every field obeys. */
export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  AuthScopes: { scope: Scope; key: boolean };
  Scalars: {
    E164: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date | string };
    Date: { Input: string; Output: string };
    TimeZone: { Input: string; Output: string };
    LocalTime: { Input: string; Output: string };
    JSONObject: { Input: unknown; Output: unknown };
    File: { Input: File; Output: never };
  };
}>({
  plugins: [ErrorsPlugin, ScopeAuthPlugin, RelayPlugin, DataloaderPlugin, ComplexityPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true, defaultTypes: [] },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: (context) => ({ scope: (scope) => context.can(scope), key: context.key !== null }),
    unauthorizedError: (_parent, context) =>
      context.key === null
        ? failure('UNAUTHENTICATED', 'A valid API key is needed: Authorization: Bearer KEY.')
        : failure('FORBIDDEN', 'This API key lacks the scope for that.'),
  },
  relay: {
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    // A page counts what it may hold; its edges are no second list.
    edgesFieldOptions: { nullable: { list: false, items: false }, complexity: { field: 0, multiplier: 1 } },
    nodeFieldOptions: { nullable: false },
    cursorType: 'String',
  },
  complexity: {
    defaultComplexity: 1,
    defaultListMultiplier: 5,
    limit: { complexity: 20_000, depth: 14, breadth: 400 },
    complexityError: (kind, sizes) => {
      const size = sizes[kind.toLowerCase() as Lowercase<typeof kind>];
      const message = `The operation's ${kind.toLowerCase()} is ${size}, and at most ${sizes[`max${kind}`]}.`;
      return failure('TOO_COMPLEX', `${message} Ask for less at once.`);
    },
  },
});

/** An error that is nobody's business rule, with its code for clients. */
export const failure = (
  code: string,
  message: string,
  extensions: Record<string, unknown> = {},
): GraphQLError => new GraphQLError(message, { extensions: { code, ...extensions } });

/** Complexity of a page: what it may hold at most, not what it will. */
export const pageCost = ({
  first,
  last,
}: {
  first?: number | null | undefined;
  last?: number | null | undefined;
}) => ({
  field: 1,
  multiplier: Math.min(first ?? last ?? pageDefault, pageLimit),
});

/*
 * A malformed string passes the scalars of inputs, so that the field's own rule can name it in an InputError; only a
 * value that is no string at all is an error of the request.
 */
const text = (name: string) => (value: unknown) => {
  if (typeof value !== 'string') throw failure('INVALID_INPUT', `${name} must be a string.`);
  return value;
};

builder.scalarType('E164', {
  description: 'E.164: + and 1 to 15 digits, the first of them 1 to 9. At most 16 characters.',
  parseValue: text('E164'),
});
builder.scalarType('DateTime', {
  description: 'ISO 8601 instant in UTC.',
  serialize: (at) => new Date(at).toISOString(),
  parseValue: (value) => parseInstant(text('DateTime')(value)),
});
builder.scalarType('Date', { description: 'ISO 8601 calendar date.', parseValue: text('Date') });
builder.scalarType('TimeZone', {
  description: 'IANA time zone, such as America/Phoenix.',
  parseValue: text('TimeZone'),
});
builder.scalarType('LocalTime', {
  description: 'Wall-clock time of day, HH:MM, 24 hours.',
  parseValue: text('LocalTime'),
});
builder.scalarType('JSONObject', { description: 'Any JSON object.' });
builder.scalarType('File', {
  description: 'A file of a multipart request (graphql-multipart-request-spec).',
  serialize: () => {
    throw failure('INVALID_INPUT', 'A file is only ever sent, never answered.');
  },
  parseValue: (value) => {
    // The server's own File is not the global one: what counts is that it can be read.
    if (typeof (value as File | null)?.stream === 'function') return value as File;
    throw failure('INVALID_INPUT', 'File must be a file of a multipart request.');
  },
});

/**
 * An instant with its offset, to the millisecond; an invalid Date when the text is none, for the field's rule to name.
 * Left to itself, Date takes 30 February for 2 March.
 */
function parseInstant(value: string): Date {
  const shape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
  const isOnCalendar = new Date(value.slice(0, 10)).getUTCDate() === Number(value.slice(8, 10));
  return new Date(shape.test(value) && isOnCalendar ? value : Number.NaN);
}

builder.queryType({ authScopes: { key: true } });
builder.mutationType({ authScopes: { key: true } });
builder.subscriptionType({ authScopes: { key: true } });

/** The builder's own types, for helpers that take a type of ours. */
export type BuilderTypes = (typeof builder)['$inferSchemaTypes'];
