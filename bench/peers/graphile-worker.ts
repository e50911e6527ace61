/** graphile-worker: its defaults for delay, its documented batching for a burst. https://worker.graphile.org/docs/performance */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { library } from '../rig/library.ts';
import { countedDown, insertEvent, openEvents, stored, type Burst } from './events.ts';

type Handler = (payload: { n: number; sentAt?: number }) => void | Promise<void>;
interface Utils {
  migrate(): Promise<void>;
  addJob(name: string, payload: object, spec?: { runAt?: Date }): Promise<unknown>;
  addJobs(jobs: { identifier: string; payload: object }[]): Promise<unknown>;
  release(): Promise<void>;
}
interface GraphileWorker {
  Logger: new (make: () => () => void) => object;
  makeWorkerUtils(options: object): Promise<Utils>;
  run(options: object): Promise<{ stop(): Promise<void>; events: NodeJS.EventEmitter }>;
}

const { Logger, makeWorkerUtils, run } = await library<GraphileWorker>('graphile-worker');
const logger = new Logger(() => () => {});
let connectionString = '';
let utils: Utils;

/** Makes its tables. */
export async function open(databaseUrl: string): Promise<void> {
  connectionString = databaseUrl;
  utils = await makeWorkerUtils({ connectionString, logger });
  await utils.migrate();
  await openEvents(databaseUrl);
}

/** Runs jobs with a handler for as long as something takes. */
async function during<T>(handler: Handler, worker: object, work: () => Promise<T>): Promise<T> {
  const preset = { worker: { connectionString, concurrentJobs: 10, logger, ...worker } };
  const runner = await run({ preset, taskList: { dial: handler }, noHandleSignals: true });
  try {
    return await work();
  } finally {
    await runner.stop();
  }
}

/** Jobs for these instants, by the defaults; answers how late each was begun, in milliseconds. */
export async function lateness(inMs: readonly number[]): Promise<number[]> {
  const late: number[] = [];
  const { promise, done } = countedDown(inMs.length);
  const from = Date.now();
  const handler: Handler = ({ n }) => {
    late.push(Date.now() - (from + inMs[n]!));
    done();
  };
  return during(handler, {}, async () => {
    await Promise.all(inMs.map((ms, n) => utils.addJob('dial', { n }, { runAt: new Date(from + ms) })));
    await promise;
    return late;
  });
}

/** Jobs added one by one to an idle worker; answers how long each took to begin, in milliseconds. */
export async function placed(count: number): Promise<number[]> {
  const waits: number[] = [];
  let begun = () => {};
  const handler: Handler = ({ sentAt }) => {
    waits.push(performance.now() - sentAt!);
    begun();
  };
  return during(handler, {}, async () => {
    for (let n = 0; n < count; n += 1) {
      const next = new Promise<void>((resolve) => (begun = resolve));
      await utils.addJob('dial', { n, sentAt: performance.now() });
      await next;
      await sleep(2);
    }
    return waits;
  });
}

/** Jobs loaded beforehand and then run, each storing two events; where there is a carrier, between them it is asked. */
export async function burst({ count, ask }: Burst): Promise<number> {
  await openEvents(connectionString);
  await load(count);
  const pool = new pg.Pool({ connectionString, max: 24 });
  let begunAt = 0;
  const handler: Handler = async ({ n }) => {
    begunAt ||= performance.now();
    await pool.query(insertEvent(n, 'outbound.dispatched'));
    if (ask) await asking(ask, n);
    await pool.query(insertEvent(n, 'outbound.completed'));
  };
  const worker = {
    concurrentJobs: 24,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  };
  const seconds = await during(handler, worker, async () => {
    await untilEmpty(pool);
    return (performance.now() - begunAt) / 1_000;
  });
  await pool.end();
  await stored(connectionString, 2 * count);
  return count / seconds;
}

async function load(count: number): Promise<void> {
  for (let from = 0; from < count; from += 2_000) {
    const size = Math.min(2_000, count - from);
    await utils.addJobs(
      Array.from({ length: size }, (_, index) => ({ identifier: 'dial', payload: { n: from + index } })),
    );
  }
}

/** A job is taken out of the table when it is done. */
async function untilEmpty(pool: pg.Pool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ empty: boolean }>(
      'select not exists (select from graphile_worker._private_jobs) as empty',
    );
    if (rows[0]!.empty) return;
    await sleep(20);
  }
}

/** One request to the stub carrier, over connections that are kept. */
async function asking(url: string, n: number): Promise<void> {
  const response = await fetch(`${url}/2010-04-01/Accounts/AC/Calls.json`, {
    method: 'POST',
    body: new URLSearchParams({ To: `+1212${2_000_000 + n}`, From: '+14155550199' }),
  });
  await response.arrayBuffer();
}
