import { inject } from 'vitest';
import { newId } from '../../src/clock.ts';
import { openWorld, type World } from '../../src/world.ts';
import { query, withDatabase } from './services.ts';

/** A fresh migrated database, for the length of `work`. */
export async function withDatabaseUrl<T>(work: (databaseUrl: string) => Promise<T>): Promise<T> {
  const name = `test_${newId(new Date()).replaceAll('-', '')}`;
  const server = inject('postgresUrl');
  // Copied as files it takes a quarter of the work that writing every page to the log takes.
  await query(server, `create database ${name} template ${inject('template')} strategy file_copy`);
  try {
    return await work(withDatabase(server, name));
  } finally {
    await query(server, `drop database ${name} with (force)`);
  }
}

/** A world on a fresh database, for the length of `work`. */
export async function withWorld<T>(work: (world: World, databaseUrl: string) => Promise<T>): Promise<T> {
  return withDatabaseUrl(async (databaseUrl) => {
    const world = await openWorld({ databaseUrl, poolSize: 8 });
    try {
      return await work(world, databaseUrl);
    } finally {
      await world.close();
    }
  });
}
