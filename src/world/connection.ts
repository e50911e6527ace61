import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';

/** Migrations of a database. */
export const openMigrations = (orm: MikroORM, databaseUrl: string) => ({
  /** Brings the database up to date; those that start together take turns. Answers the names of what was applied. */
  migrate: async (): Promise<string[]> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      await client.query(`select pg_advisory_lock(hashtext('callwell.migrate'))`);
      return (await orm.migrator.up()).map(({ name }) => name);
    } finally {
      await client.end();
    }
  },
  /** Throws, with what to do, unless the database is up to date. */
  demandMigrated: async (): Promise<void> => {
    const pending = await orm.migrator.getPending();
    if (pending.length === 0) return;
    const names = pending.map(({ name }) => name).join(', ');
    throw new Error(
      `the database lacks ${names}. Run npm run migrate first: with NODE_ENV=production it is a step of its own`,
    );
  },
});

/** Instants as Date, calendar dates as text, 64-bit integers as numbers: positions stay far below 2^53. */
export function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.DATE) return (text: string) => text;
  if (oid === pg.types.builtins.INT8) return Number;
  return pg.types.getTypeParser(oid, format);
}
