/** BullMQ with its limiter, on a redis-server of its own that forgets everything. https://docs.bullmq.io/guide/rate-limiting */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { library } from '../rig/library.ts';
import { freePort } from '../rig/product.ts';

interface BullMq {
  Queue: new (
    name: string,
    options: object,
  ) => {
    addBulk(jobs: object[]): Promise<unknown>;
    close(): Promise<void>;
  };
  Worker: new (name: string, handler: () => Promise<void>, options: object) => { close(): Promise<void> };
}

let port = 0;

/** Starts redis-server; false where there is none. */
export async function open(folder: string): Promise<boolean> {
  port = await freePort();
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const redis = spawn('redis-server', options, { stdio: 'ignore' });
  const isThere = await Promise.race([
    new Promise<boolean>((resolve) => void redis.once('error', () => resolve(false))),
    sleep(1_000, true),
  ]);
  process.once('exit', () => redis.kill('SIGKILL'));
  process.once('SIGTERM', () => process.exit(0));
  return isThere;
}

/** Jobs at so many a second; answers when each was begun. */
export async function paced({ cps, count }: { cps: number; count: number }): Promise<number[]> {
  const { Queue, Worker } = await library<BullMq>('bullmq');
  const connection = { host: '127.0.0.1', port };
  const name = `paced-${cps}-${Date.now()}`;
  const queue = new Queue(name, { connection });
  await queue.addBulk(Array.from({ length: count }, (_, n) => ({ name: 'dial', data: { n } })));
  const at: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const handler = async () => {
    at.push(performance.now());
    if (at.length === count) resolve();
  };
  const worker = new Worker(name, handler, {
    connection,
    concurrency: 10,
    limiter: { max: cps, duration: 1_000 },
  });
  await promise;
  await worker.close();
  await queue.close();
  return at;
}
