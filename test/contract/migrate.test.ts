/** Migrations are a step of their own: whoever runs it at the same time waits, and production does not start before it. */
import { execFile } from 'node:child_process';
import { inject, expect, test } from 'vitest';
import { openWorld } from '../../src/world.ts';
import { query, withDatabase } from '../support/services.ts';

const migrate = (databaseUrl: string): Promise<{ code: number; said: string }> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: databaseUrl };
    execFile(process.execPath, ['src/migrate.ts'], { env }, (error, _output, said) =>
      resolve({ code: Number(error?.code ?? 0), said }),
    );
  });

test('two that migrate at once take turns: one does it, the other finds nothing to do; production starts only after them', async () => {
  const server = inject('postgresUrl');
  const name = `migrate_${process.pid}`;
  await query(server, `create database ${name}`);
  const databaseUrl = withDatabase(server, name);
  const world = await openWorld({ databaseUrl, poolSize: 2 });
  try {
    await expect(world.demandMigrated()).rejects.toThrow('Run npm run migrate first');
    const both = await Promise.all([migrate(databaseUrl), migrate(databaseUrl)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const said = both.map((one) => one.said.trim()).toSorted();
    expect(said).toEqual(['Applied: 0001-world.', 'The database is up to date.']);
    await expect(world.demandMigrated()).resolves.toBeUndefined();
  } finally {
    await world.close();
    await query(server, `drop database ${name} with (force)`);
  }
});
