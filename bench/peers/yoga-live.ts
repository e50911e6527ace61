/** GraphQL Yoga with graphql-ws, its subscriptions fed by LISTEN: what its documentation leads to. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { library } from '../rig/library.ts';
import { rowsOf } from '../rig/stage.ts';

/** Yoga's publisher. */
export interface PubSub {
  publish(topic: string, payload: unknown): void;
  subscribe(topic: string): AsyncIterable<unknown>;
}
interface Yoga {
  (request: unknown, response: unknown): void;
  getEnveloped(context: object): object;
}
/** What is used of Yoga. */
export interface Libraries {
  createYoga(options: object): Yoga;
  createSchema(options: object): object;
  createPubSub(): PubSub;
}
/** How graphql-ws is put on a server. */
export type UseServer = (options: object, server: unknown) => unknown;
type Enveloped = Record<'parse' | 'validate' | 'execute' | 'subscribe', (...given: unknown[]) => unknown> & {
  schema: object;
  contextFactory(): Promise<object>;
};

/** Serves on loopback; answers the address of its sockets. */
export async function open(databaseUrl: string): Promise<string> {
  const { createYoga, createSchema, createPubSub } = await library<Libraries>('graphql-yoga');
  const { useServer } = await library<{ useServer: UseServer }>('graphql-ws/use/ws');
  const { WebSocketServer } = await library<{ WebSocketServer: new (options: object) => unknown }>('ws');
  await rowsOf(databaseUrl, 'create table measured (mark text primary key, value int not null)');
  const pubSub = createPubSub();
  await listen(databaseUrl, (payload) => pubSub.publish('measured', payload));
  const schema = createSchema({
    typeDefs:
      'type Measured { mark: String! value: Int! } type Query { hello: String } type Subscription { measured: Measured! }',
    resolvers: {
      Subscription: {
        measured: { subscribe: () => pubSub.subscribe('measured'), resolve: (payload: unknown) => payload },
      },
    },
  });
  const yoga = createYoga({ schema, logging: false });
  const server = createServer(yoga as never).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  useServer(serving(yoga), new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false }));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

/** As Yoga's documentation writes it. https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions */
export const serving = (yoga: Yoga) => ({
  execute: (given: { rootValue: Enveloped }) => given.rootValue.execute(given),
  subscribe: (given: { rootValue: Enveloped }) => given.rootValue.subscribe(given),
  onSubscribe: async (
    context: object,
    _id: string,
    params: { operationName?: string; query: string; variables?: object },
  ) => {
    const enveloped = yoga.getEnveloped({ ...context, params }) as Enveloped;
    const document = enveloped.parse(params.query);
    const given = {
      schema: enveloped.schema,
      operationName: params.operationName,
      document,
      variableValues: params.variables,
      contextValue: await enveloped.contextFactory(),
      rootValue: enveloped,
    };
    const errors = enveloped.validate(given.schema, document) as unknown[];
    return errors.length > 0 ? errors : given;
  },
});

/** Hears what is notified. */
export async function listen(databaseUrl: string, heard: (payload: unknown) => void): Promise<void> {
  const listener = new pg.Client({ connectionString: databaseUrl });
  await listener.connect();
  listener.on('notification', ({ payload }) => heard(JSON.parse(payload ?? '{}')));
  await listener.query('listen measured');
}
