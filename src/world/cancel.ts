import pg from 'pg';

/** Opens a connection of its own for cancelling, when it is needed: those of the pool may all be what is to be cancelled. */
export function openCanceller(databaseUrl: string) {
  const own = new pg.Pool({
    connectionString: databaseUrl,
    max: 1,
    connectionTimeoutMillis: 2_000,
    idleTimeoutMillis: 10_000,
    allowExitOnIdle: true,
    application_name: 'callwell cancel',
  });
  own.on('error', () => {}); // the next use connects anew
  return {
    /** Cancels what a connection does. Fails in silence: statements have a limit of their own besides. */
    cancel: (client: pg.PoolClient): Promise<unknown> => {
      const { processID } = client as unknown as { processID: number };
      return own.query('select pg_cancel_backend($1)', [processID]).catch(() => {});
    },
    close: () => own.end(),
  };
}

/** Cancels statements. */
export type Canceller = ReturnType<typeof openCanceller>;

/**
 * Does something on a connection of the pool, and cancels it in Postgres when the signal is given. The connection is
 * given back once Postgres was told, so that nobody is cancelled who has it next.
 */
export async function onConnectionUntil<R>(
  { pool, canceller }: { pool: pg.Pool; canceller: Canceller },
  signal: AbortSignal,
  work: (client: pg.PoolClient) => Promise<R>,
): Promise<R> {
  signal.throwIfAborted();
  const client = await pool.connect();
  const cancelled: Promise<unknown>[] = [];
  const cancel = () => void cancelled.push(canceller.cancel(client));
  try {
    signal.throwIfAborted(); // it may have waited long for the connection
    signal.addEventListener('abort', cancel, { once: true });
    return await work(client);
  } finally {
    signal.removeEventListener('abort', cancel);
    await Promise.all(cancelled);
    client.release();
  }
}
