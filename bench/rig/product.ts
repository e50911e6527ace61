import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNats } from '../../src/embedded/nats.ts';
import type { Stage } from './stage.ts';

/** The account that the product has with the carrier. */
export const account = { sid: `AC${'b'.repeat(32)}`, token: 'a-token-of-the-benchmark' };

/** The key of the product's first workspace. */
export const key = 'bench-key-bench-key-bench-key';

/** The product, as its users run it: its own process, nats-server beside it, on a database that it is given. */
export interface Product {
  url: string;
  pid: number;
  natsUrl: string;
  /** How far its clock is ahead of the machine's, in milliseconds: 0 while people may be called where the patients live. */
  shiftMs: number;
  /** How long it took until it could serve, in milliseconds. */
  startedInMs: number;
  ask<T>(query: string, variables?: Record<string, unknown>): Promise<T>;
  stop(): Promise<void>;
}

/** What it is started with. */
interface Options {
  databaseUrl: string;
  carrierUrl: string;
  settings?: Record<string, string>;
  /** How far its clock is ahead; left out: as far as it takes for the patients' day to have begun. */
  shiftMs?: number;
  /** JetStream's files; left out: a fresh folder. */
  natsFolder?: string;
}

/** Starts the product with limits above anything that is measured, and waits until it can serve. */
export async function startProduct(stage: Stage, options: Options): Promise<Product> {
  const folder = mkdtempSync(join(stage.folder, 'product-'));
  const natsFolder = options.natsFolder ?? folder;
  mkdirSync(natsFolder, { recursive: true });
  const nats = await startNats({ dataDir: natsFolder, log: () => {}, path: process.env['PATH'] ?? '' });
  const port = await freePort();
  const shiftMs = options.shiftMs ?? toDaytime(new Date());
  const begun = performance.now();
  const child = spawnProduct({ folder, port, shiftMs, natsUrl: nats.url }, options);
  const abandon = () => child.kill('SIGKILL');
  process.once('exit', abandon);
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    process.off('exit', abandon);
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    await nats.stop();
  };
  stage.opened(stop);
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child, join(folder, 'product.log'));
  const startedInMs = performance.now() - begun;
  const ask = <T>(query: string, variables?: Record<string, unknown>) => post<T>(url, query, variables);
  return {
    url,
    pid: child.pid!,
    natsUrl: nats.url,
    startedInMs,
    shiftMs: shiftMs === 0 ? 0 : await shiftOf(ask),
    ask,
    stop,
  };
}

function spawnProduct(
  place: { folder: string; port: number; shiftMs: number; natsUrl: string },
  { databaseUrl, carrierUrl, settings }: Options,
): ChildProcess {
  const root = join(import.meta.dirname, '..', '..');
  const log = openSync(join(place.folder, 'product.log'), 'a');
  const file =
    place.shiftMs === 0 ? ['src/main.ts'] : ['test/support/cluster-member.ts', String(place.shiftMs)];
  const child = spawn(process.execPath, [join(root, file[0]!), ...file.slice(1)], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: String(place.port),
      DATABASE_URL: databaseUrl,
      NATS_URL: place.natsUrl,
      DATA_DIR: place.folder,
      TWILIO_API_URL: carrierUrl,
      TWILIO_ACCOUNT_SID: account.sid,
      TWILIO_AUTH_TOKEN: account.token,
      ADMIN_API_KEY: key,
      DEMO: '0',
      API_KEY_REQUESTS_PER_MINUTE: '100000000',
      CARRIER_CPS: '1000000',
      SOURCE_NUMBER_CALLS_PER_MINUTE: '100000000',
      ...settings,
    },
  });
  closeSync(log);
  return child;
}

async function untilReady(url: string, child: ChildProcess, log: string): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    const answer = await fetch(`${url}/health/ready`).catch(() => null);
    if (answer?.ok) return;
    if (child.exitCode !== null || performance.now() > until) {
      throw new Error(`the product did not start:\n${readFileSync(log, 'utf8').slice(-2_000)}`);
    }
    await sleep(50);
  }
}

async function post<T>(url: string, query: string, variables?: Record<string, unknown>): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  });
  const answer = (await response.json()) as { data: T; errors?: unknown };
  if (answer.errors || !answer.data) throw new Error(`the product answered ${JSON.stringify(answer)}`);
  return answer.data;
}

/** How far its clock is ahead, told by itself: of twenty askings that of the shortest journey. */
async function shiftOf(ask: Product['ask']): Promise<number> {
  let best = { journey: Infinity, shift: 0 };
  for (let tries = 0; tries < 20; tries += 1) {
    const [left, begun] = [Date.now(), performance.now()];
    const { clock } = await ask<{ clock: string }>('{ clock }');
    const journey = performance.now() - begun;
    if (journey < best.journey) best = { journey, shift: Date.parse(clock) - left - journey / 2 };
  }
  return best.shift;
}

/** How long it is until a weekday's hours between 9 and 17 in New York, in whole hours; 0: it is one. */
function toDaytime(now: Date): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: 'America/New_York',
    weekday: 'short',
    hour: 'numeric',
    hourCycle: 'h23',
  });
  for (let hours = 0; ; hours += 1) {
    const told = parts.formatToParts(now.getTime() + hours * 3_600_000);
    const hour = Number(told.find(({ type }) => type === 'hour')?.value);
    const day = told.find(({ type }) => type === 'weekday')?.value ?? '';
    if (hour >= 9 && hour < 17 && !day.startsWith('S')) return hours * 3_600_000;
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Gives a fresh product a service and a number of ours; answers its workspace. */
export async function furnish({ ask }: Pick<Product, 'ask'>): Promise<string> {
  const { workspace } = await ask<{ workspace: { id: string } }>('{ workspace { id } }');
  await ask(`mutation {
    createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello from the clinic." }) {
      ... on ServicePayload { service { id } } }
    registerPhoneNumber(input: { phone: "${ourPhone}" }) { ... on PhoneNumberPayload { phoneNumber { id } } } }`);
  return workspace.id;
}

/** How long before an instant it must be started to be ready by then, in milliseconds: a start may take twice as long as the last. */
export const leadOf = ({ startedInMs }: Product): number => 5_000 + 2 * startedInMs;

/** Our own number. */
export const ourPhone = '+14155550199';
