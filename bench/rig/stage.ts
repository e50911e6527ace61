import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { openHost, type Host } from './host.ts';

/** Where a workload is run: one Postgres for everybody, a folder, and what to close at its end. */
export interface Stage {
  folder: string;
  /** How many of these are done: all, or fewer where it is only tried. */
  sized(count: number): number;
  /** A line for people. */
  say(line: string): void;
  /** A fresh database, or a copy of another one that nobody is connected to; answers its URL. It is dropped with the workload, unless kept. */
  database(name: string, options?: { template?: string; isKept?: boolean }): Promise<string>;
  drop(name: string): Promise<void>;
  /** A process of the benchmark's own, until the stage is closed. */
  host(file: string): Host;
  /** Remembers how to close what was just opened. */
  opened(close: () => Promise<void>): void;
  /** Lets Postgres write what it holds back, so that nobody pays for the turn before. */
  settle(): Promise<void>;
  /** Closes what a workload opened. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a stage on a Postgres of its own with the product's own settings; durable as by default. */
export async function openStage(say: (line: string) => void, size: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'callwell-bench-'));
  chmodSync(folder, 0o755); // as root Postgres runs as somebody else, who must get there
  const postgres = await startPostgres({ dataDir: folder, log: () => {} });
  const databases = databasesOf(postgres.url);
  const closers: (() => Promise<void>)[] = [];
  const clear = async () => {
    for (const close of closers.splice(0).toReversed()) {
      await close().catch((error: unknown) => say(`closing failed: ${String(error)}`));
    }
    await databases.dropAll();
  };
  const closeAll = async () => {
    await clear().catch((error: unknown) => say(`closing failed: ${String(error)}`));
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  let closing: Promise<void> | null = null; // a signal and the end of the run may both ask for it
  return {
    folder,
    sized: (count) => Math.ceil(count * size),
    say,
    database: databases.make,
    drop: databases.drop,
    host: (file) => {
      const host = openHost(file);
      closers.push(host.close);
      return host;
    },
    opened: (close) => void closers.push(close),
    settle: () => rowsOf(postgres.url, 'checkpoint').then(() => {}),
    clear,
    close: () => (closing ??= closeAll()),
  };
}

/** Databases on a server, all but the kept ones dropped together. */
function databasesOf(url: string) {
  const passing = new Set<string>();
  const drop = async (name: string) => {
    await rowsOf(url, `drop database if exists bench_${name} with (force)`);
  };
  return {
    make: async (
      name: string,
      { template, isKept = false }: { template?: string; isKept?: boolean } = {},
    ) => {
      if (!isKept) passing.add(name);
      await drop(name);
      const copied = template ? ` template bench_${template} strategy file_copy` : '';
      await rowsOf(url, `create database bench_${name}${copied}`);
      return Object.assign(new URL(url), { pathname: `/bench_${name}` }).href;
    },
    drop,
    dropAll: async () => {
      for (const name of passing) await drop(name);
      passing.clear();
    },
  };
}

/** The rows of one statement on a connection of its own. */
export async function rowsOf<T>(url: string, text: string, values: readonly unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows as T[];
  } finally {
    await client.end();
  }
}
