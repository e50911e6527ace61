import pg from 'pg';

/** What the leader is given: it stays leader until the session ends. */
export interface Session {
  /** Resolves when something was appended, or after so many milliseconds. */
  wait(milliseconds: number): Promise<void>;
  /** False once the lock is lost with its connection. */
  alive(): boolean;
}

/** How often a standby asks for the lock, in milliseconds: how long a dead leader is missed. */
const standbyMs = 250;

/**
 * Waits until this process holds the lock of this name, then runs `work`; the lock is a Postgres session's, so it
 * ends with the process however that dies. Returns when `work` does, the connection is lost, or the signal is given.
 */
export async function lead(
  databaseUrl: string,
  name: string,
  signal: AbortSignal,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: `callwell ${name}`,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  });
  let alive = true;
  let noticed = false;
  let wake = () => {};
  const end = () => {
    alive = false;
    wake();
  };
  client.on('error', end);
  client.on('end', end);
  client.on('notification', () => {
    noticed = true;
    wake();
  });
  const leave = () => wake();
  signal.addEventListener('abort', leave);
  /** What was noticed while nobody waited counts: no append is slept over. */
  const wait = async (milliseconds: number) => {
    if (!noticed && alive && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    noticed = false;
  };
  try {
    await client.connect();
    const isOn = () => alive && !signal.aborted;
    while (isOn() && !(await tryLock(client, name))) await wait(standbyMs);
    if (!isOn()) return;
    await client.query('listen outbox');
    await work({ wait, alive: isOn });
  } finally {
    signal.removeEventListener('abort', leave);
    await client.end().catch(() => {});
  }
}

async function tryLock(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_lock(hashtext($1)) as locked',
    [`callwell.${name}`],
  );
  return rows[0]?.locked ?? false;
}
