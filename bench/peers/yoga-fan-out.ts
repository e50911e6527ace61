/** GraphQL Yoga with graphql-ws and its own publisher. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { library } from '../rig/library.ts';
import { aChange, typeDefs } from './fan-out.ts';
import { serving, type Libraries, type PubSub, type UseServer } from './yoga-live.ts';

let pubSub: PubSub;

/** Serves on loopback; answers the address of its sockets. */
export async function open(): Promise<string> {
  const { createYoga, createSchema, createPubSub } = await library<Libraries>('graphql-yoga');
  const { useServer } = await library<{ useServer: UseServer }>('graphql-ws/use/ws');
  const { WebSocketServer } = await library<{ WebSocketServer: new (options: object) => unknown }>('ws');
  pubSub = createPubSub();
  const changed = { subscribe: () => pubSub.subscribe('changed'), resolve: (payload: unknown) => payload };
  const schema = createSchema({ typeDefs, resolvers: { Subscription: { changed } } });
  const yoga = createYoga({ schema, logging: false });
  const server = createServer(yoga as never).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  useServer(serving(yoga), new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false }));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

/** Publishes changes; answers the instant before, by the clock that all processes share. */
export function publish(count: number): number {
  const at = Number(process.hrtime.bigint()) / 1e6;
  for (let n = 0; n < count; n += 1) pubSub.publish('changed', aChange());
  return at;
}
