import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError, parse, validate, type ExecutionArgs } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import type { YogaServerInstance } from 'graphql-yoga';
import { WebSocketServer, type WebSocket } from 'ws';
import { inScope } from '../scope.ts';
import type { Inside } from '../server.ts';

/** The largest frame of a client, in bytes. */
const frameLimit = 65_536;

/** The most operations that one socket may have under way. */
const operationLimit = 100;

/** How often a socket is asked whether it still lives, in milliseconds. */
const keepAliveMs = 12_000;

/** How long a client may take to answer the end of its socket, in milliseconds. */
const farewellMs = 1_000;

/** The most tokens of a document, as over HTTP. */
const maxTokens = 2_000;

// Yoga's type parameters describe contexts that are made per request; a socket's are made here.
type Yoga = Pick<YogaServerInstance<object, object>, 'getEnveloped'>;
type Extra = { socket: WebSocket; request: IncomingMessage; authorization?: string | null };
type Arguments = ExecutionArgs & { enveloped: ReturnType<Yoga['getEnveloped']> };

/**
 * Serves graphql-transport-ws at /graphql. The key comes with the connection's parameters, or with the handshake's
 * Authorization header. What is wrong with one operation ends that operation, never the socket.
 */
export function serveSockets(options: {
  yoga: unknown;
  inside: Inside;
  mask: (error: unknown) => GraphQLError;
}) {
  const { inside, mask } = options;
  const yoga = options.yoga as Yoga;
  const keys = new Map<WebSocket, string | null>();
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: frameLimit,
    perMessageDeflate: false,
  });
  const cleanUp = useServer<Record<string, unknown>, { authorization?: string | null }>(
    {
      execute: (args) =>
        inScope(
          { name: 'graphql', requestId: randomUUID() },
          async () => (args as Arguments).enveloped.execute(args) as never,
        ),
      subscribe: (args) => (args as Arguments).enveloped.subscribe(args) as never,
      onConnect: ({ connectionParams, extra }) => {
        const authorization = keep(connectionParams, extra);
        keys.set(extra.socket, authorization);
        return inside.isKey(authorization); // false: 4403
      },
      onClose: ({ extra }) => void keys.delete(extra.socket),
      onSubscribe: async (context, _id, payload) => {
        try {
          if (Object.keys(context.subscriptions).length > operationLimit) {
            const message = `A socket has at most ${operationLimit} operations at a time.`;
            throw new GraphQLError(message, { extensions: { code: 'TOO_MANY_OPERATIONS' } });
          }
          return await prepared(yoga, payload, await inside.contextOf(context.extra.authorization ?? null));
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
  extra.authorization = typeof given === 'string' ? given : (extra.request.headers.authorization ?? null);
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

async function prepared(
  yoga: Yoga,
  payload: {
    query: string;
    variables?: Record<string, unknown> | null | undefined;
    operationName?: string | null | undefined;
  },
  context: object,
): Promise<Arguments | readonly GraphQLError[]> {
  const enveloped = yoga.getEnveloped(context);
  const document = parse(payload.query, { maxTokens });
  const errors = validate(enveloped.schema, document);
  if (errors.length > 0) return errors;
  return {
    enveloped,
    schema: enveloped.schema,
    document,
    operationName: payload.operationName,
    variableValues: payload.variables,
    contextValue: await enveloped.contextFactory(context),
  };
}
