import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startNats } from '../src/embedded/nats.ts';
import type { WithServices } from './run.ts';

/** Where simulations take place side by side: each lane has a nats-server, and a database for each simulation. */
export async function openLanes(
  count: number,
  { postgresUrl, template }: { postgresUrl: string; template: string },
) {
  const folders: string[] = [];
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'callwell-simulate-'));
      folders.push(dataDir);
      return startNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
    }),
  );
  const laneOf =
    (natsUrl: string, index: number): WithServices =>
    async (work) => {
      const name = `simulation_${process.pid}_${index}`;
      await query(postgresUrl, `create database ${name} template ${template}`);
      try {
        const databaseUrl = Object.assign(new URL(postgresUrl), { pathname: `/${name}` }).href;
        return await work({ databaseUrl, natsUrl });
      } finally {
        await query(postgresUrl, `drop database ${name} with (force)`);
      }
    };
  return {
    lanes: servers.map(({ url }, index) => laneOf(url, index)),
    close: async () => {
      await Promise.all(servers.map((server) => server.stop()));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One statement on a connection of its own. */
export async function query(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
