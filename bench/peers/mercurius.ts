/** Mercurius with loaders and its just-in-time compiler from the first request on. https://mercurius.dev/#/docs/loaders */
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { library } from '../rig/library.ts';
import { eventsOf, patientOf, patientsOf, tasksOf } from './reads.ts';

interface App {
  register(plugin: unknown, options: object): Promise<void>;
  listen(options: object): Promise<string>;
  server: { address(): AddressInfo };
}
interface Query {
  obj: { id: string };
  params: { first: number };
}

const typeDefs = `
  type Event { id: ID! type: String! version: Int! effectiveAt: String! }
  type Task { id: ID! reason: String! status: String! scheduledFor: String! }
  type Patient { id: ID! name: String! phone: String events(first: Int!): [Event!]! tasks(first: Int!): [Task!]! }
  type Query { patients(first: Int!): [Patient!]! patient(id: ID!): Patient }`;

/** Serves on loopback; answers its address. */
export async function open(databaseUrl: string): Promise<string> {
  const { default: fastify } = await library<{ default: () => App }>('fastify');
  const { default: mercurius } = await library<{ default: unknown }>('mercurius');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 16 });
  const ids = (queries: Query[]) => queries.map(({ obj }) => obj.id);
  const app = fastify();
  await app.register(mercurius, {
    schema: typeDefs,
    jit: 1,
    resolvers: {
      Query: {
        patients: (_: unknown, { first }: { first: number }) => patientsOf(pool, first),
        patient: (_: unknown, { id }: { id: string }) => patientOf(pool, id),
      },
    },
    loaders: {
      Patient: {
        events: (queries: Query[]) => eventsOf(pool, ids(queries), queries[0]!.params.first),
        tasks: (queries: Query[]) => tasksOf(pool, ids(queries), queries[0]!.params.first),
      },
    },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return `http://127.0.0.1:${app.server.address().port}/graphql`;
}
