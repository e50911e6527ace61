import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';

/** Brings the database up to date; replicas that start together take turns. */
export async function migrate(orm: MikroORM, databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`select pg_advisory_lock(hashtext('callwell.migrate'))`);
    await orm.migrator.up();
  } finally {
    await client.end();
  }
}

/** Instants as Date, calendar dates as text, 64-bit integers as numbers: positions stay far below 2^53. */
export function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.DATE) return (text: string) => text;
  if (oid === pg.types.builtins.INT8) return Number;
  return pg.types.getTypeParser(oid, format);
}
