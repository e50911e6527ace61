import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLSchema,
} from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Asking } from '../access.ts';
import type { Context } from '../context.ts';
import { tellExecuted } from './direct.ts';
import { tokenLimit, withoutSuggestions } from './documents.ts';
import { nameOperation } from './during.ts';
import type { TimeLimit } from './time-limit.ts';

/** What answering needs. */
interface Answering {
  schema: GraphQLSchema;
  contextOf(authorization: string | null, asking: Asking): Promise<Context>;
  mask(error: unknown): GraphQLError;
  limitTime: TimeLimit;
  /** Whether clients may ask what can be asked. */
  introspection: boolean;
  /** The largest body, in bytes. What has no length, because it comes in chunks, is counted while it is read. */
  bodyLimit: number;
}

/** GraphQL over HTTP, all of it. */
export const openYoga = ({ schema, contextOf, mask, limitTime, introspection, bodyLimit }: Answering) =>
  createYoga({
    schema,
    context: (initial: { request: Request } | Context) =>
      'world' in initial
        ? initial
        : contextOf(initial.request.headers.get('authorization'), { purpose: null }),
    graphqlEndpoint: '/graphql',
    landingPage: false,
    logging: false,
    cors: false,
    // Read only when somebody wants to see it: the page is several megabytes.
    renderGraphiQL: async (options) =>
      (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
    graphiql: introspection,
    maxRequestBodySize: bodyLimit,
    maskedErrors: { isDev: false, maskError: mask },
    parserAndValidationCache: true,
    plugins: [
      limitTokens,
      ...(introspection ? [] : [tellNothingOfTheSchema]),
      nameOperation,
      tellExecuted,
      within(limitTime),
    ],
  });

/** A document of too many tokens is refused while it is read. */
const limitTokens: Plugin = {
  onParse({ parseFn, setParseFn }) {
    setParseFn((source: unknown, options: object) =>
      (parseFn as (s: unknown, o: object) => unknown)(source, { ...options, maxTokens: tokenLimit }),
    );
  },
};

const tellNothingOfTheSchema: Plugin = {
  onValidate({ addValidationRule }) {
    addValidationRule(NoSchemaIntrospectionCustomRule);
    return ({ valid, result, setResult }) => {
      if (!valid) setResult((result as GraphQLError[]).map(withoutSuggestions));
    };
  },
};

const within = (limitTime: TimeLimit): Plugin => ({
  onExecute({ executeFn, setExecuteFn }) {
    setExecuteFn((args: ExecutionArgs) =>
      limitTime(args, executeFn as (args: ExecutionArgs) => Promise<ExecutionResult>),
    );
  },
});
