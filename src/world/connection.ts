import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';

/** Brings the database up to date; those that start together take turns. Answers the names of what was applied. */
export async function migrate(orm: MikroORM, databaseUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`select pg_advisory_lock(hashtext('callwell.migrate'))`);
    return (await orm.migrator.up()).map(({ name }) => name);
  } finally {
    await client.end();
  }
}

/** Throws, with what to do, unless the database is up to date. */
export async function demandMigrated(orm: MikroORM): Promise<void> {
  const pending = await orm.migrator.getPending();
  if (pending.length > 0)
    throw new Error(
      `the database lacks ${pending.map(({ name }) => name).join(', ')}. Run npm run migrate first: with NODE_ENV=production it is a step of its own`,
    );
}

/** Instants as Date, calendar dates as text, 64-bit integers as numbers: positions stay far below 2^53. */
export function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.DATE) return (text: string) => text;
  if (oid === pg.types.builtins.INT8) return Number;
  return pg.types.getTypeParser(oid, format);
}
