/** GraphQL Yoga as its quick start has it: its caches on, its log off. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { library } from '../rig/library.ts';

interface Libraries {
  createYoga(options: object): (request: unknown, response: unknown) => void;
  createSchema(options: object): object;
}

/** Serves on loopback; answers its address. */
export async function open(): Promise<string> {
  const { createYoga, createSchema } = await library<Libraries>('graphql-yoga');
  const schema = createSchema({
    typeDefs: 'type Query { hello: String! }',
    resolvers: { Query: { hello: () => 'world' } },
  });
  const server = createServer(createYoga({ schema, logging: false }) as never).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}
