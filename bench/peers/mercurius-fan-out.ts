/** Mercurius with its own publisher. */
import type { AddressInfo } from 'node:net';
import { library } from '../rig/library.ts';
import { aChange, typeDefs } from './fan-out.ts';

interface App {
  register(plugin: unknown, options: object): Promise<void>;
  listen(options: object): Promise<string>;
  server: { address(): AddressInfo };
  graphql: { pubsub: { publish(message: object): void } };
}
interface Context {
  pubsub: { subscribe(topic: string): Promise<unknown> };
}

let app: App;

/** Serves on loopback; answers the address of its sockets. */
export async function open(): Promise<string> {
  const { default: fastify } = await library<{ default: () => App }>('fastify');
  const { default: mercurius } = await library<{ default: unknown }>('mercurius');
  const subscribe = (_: unknown, __: unknown, { pubsub }: Context) => pubsub.subscribe('changed');
  app = fastify();
  await app.register(mercurius, {
    schema: typeDefs,
    resolvers: { Subscription: { changed: { subscribe } } },
    subscription: true,
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return `ws://127.0.0.1:${app.server.address().port}/graphql`;
}

/** Publishes changes; answers the instant before, by the clock that all processes share. */
export function publish(count: number): number {
  const at = Number(process.hrtime.bigint()) / 1e6;
  for (let n = 0; n < count; n += 1)
    app.graphql.pubsub.publish({ topic: 'changed', payload: { changed: aChange() } });
  return at;
}
