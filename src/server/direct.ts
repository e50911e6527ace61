import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  execute,
  getOperationAST,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Context } from '../context.ts';
import type { Documents } from './documents.ts';
import { nameBy } from './during.ts';
import { masked } from './subscriptions.ts';
import type { TimeLimit } from './time-limit.ts';

/** GraphQL over HTTP, all of it. */
interface Yoga {
  (request: IncomingMessage, response: ServerResponse, context: Partial<Context>): unknown;
  fetch(url: string, init: RequestInit): Response | Promise<Response>;
}

/** What answering needs. */
interface Direct {
  schema: GraphQLSchema;
  yoga: Yoga;
  limitTime: TimeLimit;
  /** What clients are told of an error. */
  mask(error: unknown): GraphQLError;
  /** The largest body that is read here, in bytes. */
  bodyLimit: number;
  documents: Documents;
}

/** What a client asks for, as JSON. */
interface Asked {
  query: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
}

/** How many Accept headers are remembered. */
const remembered = 1_000;

/**
 * Answers what most requests are, one query or mutation in plain JSON, without the Request and Response of the web that
 * Yoga is built on: making them costs more than most queries. Whatever is not plain is Yoga's, and every error is told by it.
 */
export function openDirect({ schema, documents, yoga, limitTime, mask, bodyLimit }: Direct) {
  const contentTypeFor = openContentTypes(yoga);

  /** `contextValue` is null where it could not be made: Yoga then finds out why, and tells it. */
  return async (
    request: IncomingMessage,
    response: ServerResponse,
    contextValue: Context | null,
  ): Promise<void> => {
    const contentType = isPlain(request, bodyLimit) ? await contentTypeFor(request) : null;
    if (contentType === null) return void yoga(request, response, contextValue ?? {});
    const body = await read(request);
    const asked = askedIn(body);
    const found = asked && documents(asked.query);
    const document = found && 'kind' in found && isPlainOperation(found, asked) ? found : null;
    const unread = Object.assign(request, { body }); // which Yoga can no longer read from the socket
    if (!contextValue || !document) return void yoga(unread, response, contextValue ?? {});
    const { variables: variableValues, operationName } = asked!;
    nameBy(document, operationName);
    const args = { schema, document, contextValue, variableValues, operationName };
    const result = await limitTime(args, execute);
    if (result.errors) return void yoga(unread, response, executed(contextValue, masked(result, mask)));
    const text = JSON.stringify(result);
    response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
    response.end(text);
  };
}

/** Finds the content type that Yoga answers a client's Accept header with; null where that is no JSON. */
function openContentTypes(yoga: Yoga) {
  const known = new Map<string, string | null>();
  return async ({ headers: { accept = '' } }: IncomingMessage): Promise<string | null> => {
    if (!known.has(accept)) {
      const headers = { 'content-type': 'application/json', ...(accept ? { accept } : {}) };
      const answer = await yoga.fetch('http://localhost/graphql', { method: 'POST', headers, body: '{}' });
      const found = answer.headers.get('content-type');
      if (known.size >= remembered) known.clear();
      known.set(accept, found?.includes('json') ? found : null);
    }
    return known.get(accept) ?? null;
  };
}

/** Results that are there already, by the contexts with which Yoga tells them. */
const results = new WeakMap<object, ExecutionResult>();

function executed(context: Context, result: ExecutionResult): Context {
  results.set(context.loaders, result); // Yoga makes a context of its own of it
  return context;
}

/** Lets Yoga tell a result that is there already. */
export const tellExecuted: Plugin = {
  onExecute({ args, setResultAndStopExecution }) {
    const { loaders } = (args as ExecutionArgs).contextValue as Context;
    const result = results.get(loaders);
    if (result) setResultAndStopExecution(result);
  },
};

const isPlainOperation = (document: DocumentNode, { operationName }: Asked): boolean =>
  ['query', 'mutation'].includes(getOperationAST(document, operationName)?.operation ?? '');

/** One JSON body of known length, in its own words. */
function isPlain({ method, headers }: IncomingMessage, bodyLimit: number): boolean {
  const length = Number(headers['content-length'] ?? 0);
  const isJson = /^application\/json(; ?charset=utf-8)?$/i.test(headers['content-type'] ?? '');
  return method === 'POST' && isJson && length > 0 && length <= bodyLimit && !headers['content-encoding'];
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

const isObject = (value: unknown) => value !== null && typeof value === 'object' && !Array.isArray(value);

function askedIn(body: Buffer): Asked | null {
  try {
    const asked = JSON.parse(body.toString('utf8')) as Asked | null;
    const isClear =
      isObject(asked) &&
      typeof asked?.query === 'string' &&
      (asked.variables == null || isObject(asked.variables)) &&
      (asked.operationName == null || typeof asked.operationName === 'string');
    return isClear ? asked : null;
  } catch {
    return null;
  }
}
