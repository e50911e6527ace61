/** pg-boss: polling twice a second is the fastest it allows; NOTIFY for what is due at once; bursts in full batches. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { library } from '../rig/library.ts';
import { countedDown, openEvents, stored, type Burst } from './events.ts';

interface Job {
  id: string;
  data: { n: number; sentAt?: number };
}
interface Boss {
  on(name: 'error', heard: (error: Error) => void): void;
  start(): Promise<void>;
  createQueue(name: string, options?: object): Promise<void>;
  send(name: string, data: object, options?: object): Promise<string | null>;
  insert(name: string, jobs: { data: object }[]): Promise<unknown>;
  work(name: string, options: object, handler: (jobs: Job[]) => Promise<void>): Promise<string>;
  offWork(name: string, options?: object): Promise<void>;
}

const { PgBoss } = await library<{ PgBoss: new (options: object) => Boss }>('pg-boss');
let connectionString = '';
let boss: Boss;

/** Makes its tables and queues. */
export async function open(databaseUrl: string): Promise<void> {
  connectionString = databaseUrl;
  boss = new PgBoss({ connectionString, max: 20, useListenNotify: true });
  boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  await boss.createQueue('later');
  await boss.createQueue('now', { notify: true });
  await boss.createQueue('burst');
}

async function during<T>(
  queue: string,
  options: object,
  handler: (jobs: Job[]) => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  await boss.work(queue, { pollingIntervalSeconds: 0.5, ...options }, handler);
  try {
    return await work();
  } finally {
    await boss.offWork(queue);
  }
}

/** Jobs for these instants; answers how late each was begun, in milliseconds. */
export async function lateness(inMs: readonly number[]): Promise<number[]> {
  const late: number[] = [];
  const { promise, done } = countedDown(inMs.length);
  const from = Date.now();
  const handler = async (jobs: Job[]) => {
    for (const { data } of jobs) {
      late.push(Date.now() - (from + inMs[data.n]!));
      done();
    }
  };
  return during('later', { localConcurrency: 10, batchSize: 50 }, handler, async () => {
    await Promise.all(inMs.map((ms, n) => boss.send('later', { n }, { startAfter: new Date(from + ms) })));
    await promise;
    return late;
  });
}

/** Jobs sent one by one to an idle worker that is notified; answers how long each took to begin, in milliseconds. */
export async function placed(count: number): Promise<number[]> {
  const waits: number[] = [];
  let begun = () => {};
  const handler = async (jobs: Job[]) => {
    for (const { data } of jobs) waits.push(performance.now() - data.sentAt!);
    begun();
  };
  return during('now', { localConcurrency: 1 }, handler, async () => {
    for (let n = 0; n < count; n += 1) {
      const next = new Promise<void>((resolve) => (begun = resolve));
      await boss.send('now', { n, sentAt: performance.now() });
      await next;
      await sleep(2);
    }
    return waits;
  });
}

/** Jobs loaded beforehand; four workers with batches of 100, whose events are written by hand with two statements a batch. */
export async function burst({ count }: Burst): Promise<number> {
  await openEvents(connectionString);
  for (let from = 0; from < count; from += 2_000) {
    const size = Math.min(2_000, count - from);
    await boss.insert(
      'burst',
      Array.from({ length: size }, (_, index) => ({ data: { n: from + index } })),
    );
  }
  const pool = new pg.Pool({ connectionString, max: 4 });
  let begunAt = 0;
  const handler = async (jobs: Job[]) => {
    begunAt ||= performance.now();
    await pool.query(insertEvents(jobs, 'outbound.dispatched'));
    await pool.query(insertEvents(jobs, 'outbound.completed'));
  };
  const options = { localConcurrency: 4, batchSize: 100, burstWhenBatchFull: true };
  const seconds = await during('burst', options, handler, async () => {
    await untilDone(pool);
    return (performance.now() - begunAt) / 1_000;
  });
  await pool.query(`delete from pgboss.job where name = 'burst'`);
  await pool.end();
  await stored(connectionString, 2 * count);
  return count / seconds;
}

const insertEvents = (jobs: readonly Job[], type: string) => ({
  name: 'insert_events',
  text: `insert into bench_event (entity, type, data) select 'task ' || n, $2,
    jsonb_build_object('attempt', 1, 'channel', 'VOICE', 'phone', '+1212' || (2000000 + n)) from unnest($1::int[]) n`,
  values: [jobs.map(({ data }) => data.n), type],
});

async function untilDone(pool: pg.Pool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ done: boolean }>(
      `select not exists (select from pgboss.job where name = 'burst' and state < 'completed') as done`,
    );
    if (rows[0]!.done) return;
    await sleep(20);
  }
}
