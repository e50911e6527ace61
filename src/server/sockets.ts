import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { execute, GraphQLError, type ExecutionArgs, type GraphQLSchema } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Context } from '../context.ts';
import { inScope } from '../scope.ts';
import type { Inside } from '../server.ts';
import type { Documents } from './documents.ts';
import { nameBy } from './during.ts';
import { masked, openSubscriptions } from './subscriptions.ts';
import type { TimeLimit } from './time-limit.ts';

/** The largest frame of a client, in bytes. */
const frameLimit = 65_536;

/** The most operations that one socket may have under way. */
const operationLimit = 100;

/** How often a socket is asked whether it still lives, in milliseconds. */
const keepAliveMs = 12_000;

/** How long a client may take to answer the end of its socket, in milliseconds. */
const farewellMs = 1_000;

type Extra = { socket: WebSocket; request: IncomingMessage; authorization?: string | null };

/** What an operation is executed with, and what tells it from other ones. */
type Operation = ExecutionArgs & { question: string };

/**
 * Serves graphql-transport-ws at /graphql. The key comes with the connection's parameters, or with the handshake's
 * Authorization header. What is wrong with one operation ends that operation, never the socket.
 */
export function serveSockets(options: {
  schema: GraphQLSchema;
  documents: Documents;
  inside: Inside;
  mask: (error: unknown) => GraphQLError;
  limitTime: TimeLimit;
  /** How many sockets one key may have here. */
  socketsPerKey: number;
}) {
  const { inside, mask, limitTime, socketsPerKey } = options;
  const subscribe = openSubscriptions(mask);
  const keys = new Map<WebSocket, string | null>();
  const counts = new Map<string | null, number>();
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: frameLimit,
    perMessageDeflate: false,
  });
  const cleanUp = useServer<Record<string, unknown>, { authorization?: string | null }>(
    {
      execute: (args) =>
        inScope({ name: 'graphql', requestId: randomUUID() }, async () => {
          nameBy(args.document, args.operationName);
          return masked(await limitTime(args, execute), mask);
        }),
      subscribe: (args) => subscribe(args, (args as Operation).question),
      onConnect: ({ connectionParams, extra }) => {
        const authorization = keep(connectionParams, extra);
        const count = (counts.get(authorization) ?? 0) + 1;
        if (count > socketsPerKey) {
          extra.socket.close(4429, 'Too many sockets of this key');
          return false;
        }
        counts.set(authorization, count);
        keys.set(extra.socket, authorization);
        return inside.isKey(authorization); // false: 4403
      },
      onClose: ({ extra }) => {
        const authorization = keys.get(extra.socket);
        if (authorization === undefined) return;
        keys.delete(extra.socket);
        const left = (counts.get(authorization) ?? 1) - 1;
        if (left > 0) counts.set(authorization, left);
        else counts.delete(authorization);
      },
      onSubscribe: async (context, _id, payload) => {
        try {
          if (Object.keys(context.subscriptions).length > operationLimit) {
            const message = `A socket has at most ${operationLimit} operations at a time.`;
            throw new GraphQLError(message, { extensions: { code: 'TOO_MANY_OPERATIONS' } });
          }
          const purpose = context.connectionParams?.['purposeOfUse'];
          const contextValue = await inside.contextOf(context.extra.authorization ?? null, { purpose });
          return operationOf(payload, contextValue, { ...options, purpose });
        } catch (error) {
          return [mask(error)]; // thrown, it would close the socket and end all its other operations
        }
      },
      onError: (_context, _id, _payload, errors) => errors.map((error) => mask(error).toJSON()),
    },
    sockets,
    keepAliveMs,
  );
  /** Closes the sockets whose key has been revoked. */
  const expel = async () => {
    for (const [socket, authorization] of keys) {
      if (!(await inside.isKey(authorization))) socket.close(4403, 'Forbidden');
    }
  };
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    sockets.handleUpgrade(request, socket, head, (opened) => sockets.emit('connection', opened, request));
  return { upgrade, expel, close: () => sayFarewell(sockets, cleanUp) };
}

/** Keeps who the client says it is, for the operations of its socket. */
function keep(parameters: Record<string, unknown> | undefined, extra: Extra): string | null {
  const given = parameters?.['authorization'] ?? parameters?.['Authorization'];
  const authorization = typeof given === 'string' ? given : (extra.request.headers.authorization ?? null);
  extra.authorization = authorization?.replace(/^bearer /i, 'Bearer ') ?? null; // one key is one text
  return extra.authorization;
}

/** A client that does not answer the end of its socket is not waited for: it may be suspended, or gone. */
async function sayFarewell(
  sockets: WebSocketServer,
  cleanUp: { dispose(): void | Promise<void> },
): Promise<void> {
  const impatience = setTimeout(() => {
    for (const client of sockets.clients) client.terminate();
  }, farewellMs);
  await cleanUp.dispose();
  clearTimeout(impatience);
}

function operationOf(
  payload: SubscribePayload,
  contextValue: Context,
  { schema, documents, purpose }: { schema: GraphQLSchema; documents: Documents; purpose: unknown },
): Operation | readonly GraphQLError[] {
  const document = documents(payload.query);
  if (!('kind' in document)) return document;
  const { query, operationName, variables: variableValues } = payload;
  // An answer depends on the document, its variables, and whose eyes it is for; why they read is remembered with it.
  const question = JSON.stringify([contextValue.key?.id, purpose, query, operationName, variableValues]);
  return { schema, document, operationName, variableValues, contextValue, question };
}
