import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getOperationAST, type DocumentNode, type ExecutionArgs } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { inScope, scope } from '../scope.ts';

/** A request's id as others make it; anything else might be a person's. */
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The first folders of our paths, and what is asked for there. */
const kinds: Record<string, string> = {
  graphql: 'graphql',
  carrier: 'callback',
  agent: 'agent',
  hooks: 'hook',
  health: 'health',
  metrics: 'metrics',
};

/** Serves a request under an id, the client's or a new one, which the answer tells; and counts how long it took. */
export async function during(
  request: IncomingMessage,
  response: ServerResponse,
  inside: { log(line: string): void; took(kind: string, status: number, seconds: number): void },
  serve: () => Promise<void>,
): Promise<void> {
  const kind = kinds[/^\/([a-z]+)/.exec(request.url ?? '/')?.[1] ?? ''] ?? 'page';
  const requestId = idOf(request);
  response.setHeader('x-request-id', requestId);
  const traceparent = request.headers['traceparent'];
  const named = { name: kind, requestId, traceparent: typeof traceparent === 'string' ? traceparent : null };
  await inScope(named, async (current) => {
    const closed = new Promise((resolve) => response.once('close', resolve));
    await serve();
    await closed;
    const isStream = request.headers.accept?.includes('text/event-stream');
    if (!isStream) inside.took(kind, response.statusCode, (performance.now() - current.began) / 1000);
    if (current.events.length > 0) inside.log(`${current.name} was answered ${response.statusCode}`);
  });
}

function idOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && uuid.test(given) ? given.toLowerCase() : randomUUID();
}

/** Names what is done by the operation's first field, as the schema has it: its name and aliases are the client's text. */
export function nameBy(document: DocumentNode, operationName: string | null | undefined): void {
  const operation = getOperationAST(document, operationName);
  const field = operation?.selectionSet.selections.find((selection) => selection.kind === 'Field');
  const current = scope();
  if (current && operation && field?.kind === 'Field')
    current.name = `${operation.operation} ${field.name.value}`;
}

/** The same, of what Yoga executes. */
export const nameOperation: Plugin = {
  onExecute({ args }) {
    const { document, operationName } = args as ExecutionArgs;
    nameBy(document, operationName);
  },
};
