/** PostGraphile 5 with its Amber preset, for production. https://postgraphile.org/postgraphile/5/config */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { library } from '../rig/library.ts';

interface Libraries {
  postgraphile(preset: object): { createServ(kind: unknown): { addTo(server: unknown): Promise<void> } };
  PostGraphileAmberPreset: object;
  makePgService(options: object): object;
  grafserv: unknown;
}

/** Serves on loopback; answers its address. */
export async function open(databaseUrl: string): Promise<string> {
  process.env['GRAPHILE_ENV'] = 'production';
  const { postgraphile } = await library<Libraries>('postgraphile');
  const { PostGraphileAmberPreset } = await library<Libraries>('postgraphile/presets/amber');
  const { makePgService } = await library<Libraries>('postgraphile/adaptors/pg');
  const { grafserv } = await library<Libraries>('postgraphile/grafserv/node');
  const instance = postgraphile({
    extends: [PostGraphileAmberPreset],
    pgServices: [
      makePgService({ connectionString: databaseUrl, schemas: ['plain'], poolConfig: { max: 16 } }),
    ],
    grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false },
    grafast: { explain: false },
  });
  const server = createServer();
  await instance.createServ(grafserv).addTo(server);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}
