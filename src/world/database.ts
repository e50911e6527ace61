import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
  type RawBuilder,
} from 'kysely';
import type { Writable } from 'node:stream';
import type pg from 'pg';
import { ending } from '../ending.ts';
import { onConnectionUntil, type Canceller } from './cancel.ts';

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

const held = new WeakSet<object>();

/** Lets everything that is sent to Postgres at this moment leave with one call of the system, which costs more than a statement. */
function sendTogether(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection;
  if (held.has(stream)) return;
  held.add(stream);
  stream.cork();
  process.nextTick(() => {
    held.delete(stream);
    stream.uncork();
  });
}

/** Reads that were asked for at the same moment and for the same purpose, on one connection. */
interface Together {
  client: Promise<pg.PoolClient>;
  /** How many of them are not answered yet. */
  open: number;
  /** Postgres is told to stop them; null: it need not. */
  cancelled: Promise<void> | null;
  leave(): void;
}

/**
 * Runs statements on whichever connection is free, and no longer than what they are for goes on. Reads that are asked for at
 * the same moment go out together on the same one: a request that reads five things wakes one server of Postgres, and not
 * five. Whatever may wait for a lock has its own.
 */
export function openDatabase(pool: pg.Pool, canceller: Canceller): Database {
  const gathering = new Map<AbortSignal | null, Together>();

  function join(signal: AbortSignal | null): Together {
    const known = gathering.get(signal);
    if (known) return known;
    const together: Together = { client: pool.connect(), open: 0, cancelled: null, leave: () => {} };
    const stop = () => {
      together.cancelled = stopReading(together, canceller);
    };
    signal?.addEventListener('abort', stop, { once: true });
    together.leave = () => signal?.removeEventListener('abort', stop);
    gathering.set(signal, together);
    process.nextTick(() => gathering.delete(signal));
    return together;
  }

  return {
    run(statement) {
      const signal = ending();
      return signal
        ? onConnectionUntil({ pool, canceller }, signal, (client) => run(client, statement))
        : run(pool, statement);
    },
    async read(statement) {
      const signal = ending();
      signal?.throwIfAborted();
      const together = join(signal ?? null);
      together.open += 1;
      try {
        const client = await together.client;
        sendTogether(client);
        return await run(client, statement);
      } finally {
        together.open -= 1;
        if (together.open === 0) await giveBack(together);
      }
    },
  };
}

/** Cancels one after the other: Postgres cancels only what it is at. */
async function stopReading(together: Together, canceller: Canceller): Promise<void> {
  const client = await together.client;
  while (together.open > 0) await canceller.cancel(client);
}

/** Nobody is cancelled who has the connection next. */
async function giveBack({ client, cancelled, leave }: Together): Promise<void> {
  leave();
  await cancelled;
  (await client).release();
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
  const ask = <R>(statement: RawBuilder<unknown>): Promise<R[]> => {
    if (isOver) return Promise.reject(new Error('the transaction is over'));
    sendTogether(client);
    return run<R>(client, statement);
  };
  const database: Database = { run: ask, read: ask };
  try {
    sendTogether(client);
    const begun = client.query('begin'); // nobody waits for it alone
    begun.catch(() => (isOver = true));
    const result = await work(database);
    sendTogether(client);
    const [, , { command }] = await Promise.all([begun, last(database), client.query('commit')]);
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
