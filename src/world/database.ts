import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
  type RawBuilder,
} from 'kysely';
import type pg from 'pg';

/** Where statements are run: any connection of the pool, or the one that a transaction has. */
export interface Database {
  run<R>(statement: RawBuilder<unknown>): Promise<R[]>;
  /** Runs what waits for nobody's lock: on the pool, those that are asked for at the same moment share a connection. */
  read<R>(statement: RawBuilder<unknown>): Promise<R[]>;
}

/** What begins a statement that is prepared. */
const mark = '/* prepared */';

/**
 * A statement that Postgres parses and plans once for each connection, and not at every use: for those that are used all
 * the time. Its text must be made of our own parts only, because each text is kept.
 */
export const prepared = (statement: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`${sql.raw(mark)} ${statement}`;

/** Writes statements, and never runs one. */
const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (database) => new PostgresIntrospector(database),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** The names by which Postgres knows prepared statements again. */
const names = new Map<string, string>();

function nameOf(text: string): string {
  const known = names.get(text);
  if (known) return known;
  const name = `prepared_${names.size}`;
  names.set(text, name);
  return name;
}

async function run<R>(client: pg.Pool | pg.ClientBase, statement: RawBuilder<unknown>): Promise<R[]> {
  const { sql: text, parameters } = statement.compile(compiler);
  const values = [...parameters];
  const { rows } = await client.query(
    text.startsWith(mark) ? { name: nameOf(text), text, values } : { text, values },
  );
  return rows as R[];
}

/** Reads that were asked for at the same moment, on one connection. */
interface Together {
  client: Promise<pg.PoolClient>;
  /** How many of them are not answered yet. */
  open: number;
}

/**
 * Runs statements on whichever connection is free. Reads that are asked for at the same moment go out together on the same
 * one: a request that reads five things wakes one server of Postgres, and not five. Whatever may wait for a lock has its own.
 */
export function openDatabase(pool: pg.Pool): Database {
  let current: Together | null = null;

  function join(): Together {
    if (current) return current;
    const together = { client: pool.connect(), open: 0 };
    current = together;
    process.nextTick(() => {
      current = null;
    });
    return together;
  }

  return {
    run: (statement) => run(pool, statement),
    async read(statement) {
      const together = join();
      together.open += 1;
      const client = await together.client;
      try {
        return await run(client, statement);
      } finally {
        together.open -= 1;
        if (together.open === 0) client.release();
      }
    },
  };
}

/**
 * Runs `work` in a transaction, then `last`, with which its commit goes out: what is asked for at once goes out together,
 * and is done in that order. A statement that comes when the transaction is over is refused.
 */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (database: Database) => Promise<T>,
  last: (database: Database) => Promise<void>,
): Promise<T> {
  const client = await pool.connect();
  let isOver = false;
  let broken: Error | undefined;
  const ask = <R>(statement: RawBuilder<unknown>): Promise<R[]> =>
    isOver ? Promise.reject(new Error('the transaction is over')) : run<R>(client, statement);
  const database: Database = { run: ask, read: ask };
  try {
    const [, result] = await Promise.all([client.query('begin'), work(database)]);
    const [, { command }] = await Promise.all([last(database), client.query('commit')]);
    if (command !== 'COMMIT') throw new Error('the transaction had failed before its end');
    return result;
  } catch (error) {
    isOver = true;
    await client.query('rollback').catch((fault: Error) => (broken = fault));
    throw error;
  } finally {
    isOver = true;
    client.release(broken);
  }
}
