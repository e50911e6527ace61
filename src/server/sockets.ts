import type { Server } from 'node:http';
import { GraphQLError, parse, validate, type ExecutionArgs } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import type { YogaServerInstance } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import type { Inside } from '../server.ts';

/** The largest frame of a client, in bytes. */
const frameLimit = 65_536;

/** The most operations that one socket may have under way. */
const operationLimit = 100;

/** How often a socket is asked whether it still lives, in milliseconds. */
const keepAliveMs = 12_000;

/** The most tokens of a document, as over HTTP. */
const maxTokens = 2_000;

// Yoga's type parameters describe contexts that are made per request; a socket's are made here.
type Yoga = Pick<YogaServerInstance<object, object>, 'getEnveloped'>;
type Arguments = ExecutionArgs & { enveloped: ReturnType<Yoga['getEnveloped']> };

/**
 * Serves graphql-transport-ws at /graphql. The key comes with the connection's parameters, or with the handshake's
 * Authorization header. What is wrong with one operation ends that operation, never the socket.
 */
export function serveSockets(options: {
  server: Server;
  yoga: unknown;
  inside: Inside;
  mask: (error: unknown) => GraphQLError;
}) {
  const { server, inside, mask } = options;
  const yoga = options.yoga as Yoga;
  const sockets = new WebSocketServer({
    server,
    path: '/graphql',
    maxPayload: frameLimit,
    perMessageDeflate: false,
  });
  const cleanUp = useServer<Record<string, unknown>>(
    {
      execute: (args) => (args as Arguments).enveloped.execute(args) as never,
      subscribe: (args) => (args as Arguments).enveloped.subscribe(args) as never,
      onConnect: async ({ connectionParams, extra }) => {
        const given = connectionParams?.['authorization'] ?? connectionParams?.['Authorization'];
        const header = extra.request.headers.authorization;
        const authorization = typeof given === 'string' ? given : (header ?? null);
        if (!(await inside.isKey(authorization))) return false; // closes with 4403
        (extra as { authorization?: string | null }).authorization = authorization;
        return true;
      },
      onSubscribe: async (context, _id, payload) => {
        try {
          if (Object.keys(context.subscriptions).length > operationLimit) {
            const message = `A socket has at most ${operationLimit} operations at a time.`;
            throw new GraphQLError(message, { extensions: { code: 'TOO_MANY_OPERATIONS' } });
          }
          const { authorization = null } = context.extra as { authorization?: string | null };
          return await prepared(yoga, payload, await inside.contextOf(authorization));
        } catch (error) {
          return [mask(error)]; // thrown, it would close the socket and end all its other operations
        }
      },
      onError: (_context, _id, _payload, errors) => errors.map((error) => mask(error).toJSON()),
    },
    sockets,
    keepAliveMs,
  );
  return { close: async () => void (await cleanUp.dispose()) };
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
