import { chmodSync, rmSync } from 'node:fs';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { openWorld } from '../../src/world.ts';
import { quickFolder } from './folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Postgres in which every test file makes databases of its own. */
    postgresUrl: string;
    /** A migrated database that nobody is connected to. */
    template: string;
  }
}

/** Before all tests: a Postgres (DATABASE_URL, else the embedded one) with a migrated template database. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = quickFolder('test');
  chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
  const given = process.env['DATABASE_URL'];
  const embedded = given ? null : await startPostgres({ dataDir, log: () => {} });
  const postgresUrl = given ?? embedded!.url;
  if (embedded) await hasten(postgresUrl);
  const template = `callwell_template_${process.pid}`;
  await query(postgresUrl, `create database ${template}`);
  const world = await openWorld({ databaseUrl: withDatabase(postgresUrl, template) });
  await world.migrate();
  await world.close();
  project.provide('postgresUrl', postgresUrl);
  project.provide('template', template);
  return async () => {
    await query(postgresUrl, `drop database ${template} with (force)`);
    await embedded?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}

/**
 * Commits survive whatever process dies, as in production, but not the machine: no test pulls its plug, and each makes
 * databases. Proving the password, which each of thousands of connections does, is made cheap.
 */
async function hasten(url: string): Promise<void> {
  await query(url, 'alter system set fsync = off');
  await query(url, 'alter system set full_page_writes = off');
  await query(url, 'select pg_reload_conf()');
  const { username, password } = new URL(url);
  await query(url, `set scram_iterations = 1; alter role ${username} password '${password}'`);
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

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
