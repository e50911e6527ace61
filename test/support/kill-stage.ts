/** A deployment whose processes are killed at a chosen message. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { startNats } from '../../src/embedded/nats.ts';
import { thatTuesday } from './clock.ts';
import { withDatabaseUrl } from './database.ts';
import { quickFolder } from './folder.ts';
import { testKey, type LedgerEntry } from './program.ts';
import { openProxy, type Verdict } from './proxy.ts';

const account = { sid: `AC${'1'.repeat(32)}`, token: 'a-token-of-the-test' };

/** Area codes, so that each kill has a number of its own. */
export const areas = [
  201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229,
  231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304,
  305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 331, 334, 336,
  337, 339, 347, 351, 352, 360, 361, 385, 386, 401, 402, 404, 405, 406, 407, 408, 409,
];

/** Whom the program talks to on the way of a call. */
export type Peer = 'database' | 'carrier';

/** Kills a process at the n-th message that it sends from the moment that this is lit. */
export interface Fuse {
  victim: ChildProcess | null;
  /** Messages left until it blows; null: it is not lit. */
  left: number | null;
  /** Before the message leaves, or after its answer was given and before it is heard. */
  moment: 'before' | 'after';
  /** Whose messages count; null: everybody's. */
  only: Peer | null;
  /** To whom the messages went since it was lit. */
  sent: Peer[];
}

export interface Stage {
  fuse: Fuse;
  databaseUrl: string;
  /** Starts the program; answers once it can serve. */
  start(environment: Record<string, string>): Promise<ChildProcess>;
  url: string;
  ledger(): Promise<LedgerEntry[]>;
}

/** A process of ours; answers it with the line of its output that matches. */
async function run(file: string, args: string[], environment: Record<string, string>, ready: RegExp) {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [file, ...args], {
    env: { PATH, HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (piece: Buffer) => (complaint += piece.toString()));
  for await (const line of createInterface(child.stdout)) if (ready.test(line)) return { child, line };
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  throw new Error(`${file} ended (${child.exitCode ?? child.signalCode}): ${complaint}`);
}

/** Ends a process of ours, and waits until it is gone. */
export async function kill(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Postgres, nats-server and a simulated carrier that outlive the program, with a fuse in front of the first and the last. */
export async function withStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  await withDatabaseUrl(async (databaseUrl) => {
    const dataDir = quickFolder('kill');
    const closers = [() => Promise.resolve(rmSync(dataDir, { recursive: true }))];
    try {
      await work(await openStage(databaseUrl, dataDir, closers));
    } finally {
      for (const close of closers.toReversed()) await close();
    }
  });
}

async function openStage(databaseUrl: string, dataDir: string, closers: (() => Promise<void>)[]) {
  const nats = await startNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
  closers.push(() => nats.stop());
  const simulator = await run(
    'src/simulator/main.ts',
    `--port 0 --pace 50 --calls-per-second 200 --account-sid ${account.sid} --auth-token ${account.token} --clock-start ${thatTuesday()}`.split(
      ' ',
    ),
    {},
    /^simulated carrier on /,
  );
  closers.push(() => kill(simulator.child, 'SIGTERM'));
  const carrierUrl = new URL(simulator.line.replace('simulated carrier on ', ''));
  const fuse: Fuse = { victim: null, left: null, moment: 'before', only: null, sent: [] };
  const database = new URL(databaseUrl);
  const [toDatabase, toCarrier] = await Promise.all([
    openProxy({ host: database.hostname, port: Number(database.port || 5432) }, burning(fuse, 'database')),
    openProxy({ host: carrierUrl.hostname, port: Number(carrierUrl.port) }, burning(fuse, 'carrier')),
  ]);
  closers.push(toDatabase.close, toCarrier.close);
  database.host = `127.0.0.1:${toDatabase.port}`;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    DATABASE_URL: database.href,
    NATS_URL: nats.url,
    DATA_DIR: dataDir,
    TWILIO_API_URL: `http://127.0.0.1:${toCarrier.port}`,
    TWILIO_ACCOUNT_SID: account.sid,
    TWILIO_AUTH_TOKEN: account.token,
    VOICEMAIL_API_URL: `http://127.0.0.1:${toCarrier.port}/voicemail`,
    VOICEMAIL_API_KEY: 'key',
    VOICEMAIL_API_SECRET: 'secret',
    PORT: String(port),
    ADMIN_API_KEY: testKey,
    DEMO: '0',
    SIM_PACE: '50',
    CARRIER_CPS: '200',
    SOURCE_NUMBER_CALLS_PER_MINUTE: '1000',
    LOG_LEVEL: 'silent',
  };
  closers.push(async () => {
    if (fuse.victim) await kill(fuse.victim, 'SIGKILL');
  });
  const stage: Stage = {
    fuse,
    databaseUrl,
    url,
    start: async (more) => {
      fuse.left = null;
      const { child } = await run(
        'src/main.ts',
        [],
        {
          ...environment,
          CLOCK_START: thatTuesday(),
          ...more,
        },
        /Callwell is ready/,
      );
      fuse.victim = child;
      return child;
    },
    ledger: async () => (await (await fetch(new URL('/ledger', carrierUrl))).json()) as LedgerEntry[],
  };
  return stage;
}

/** How a proxy is told of the fuse: it counts what the program sends, and kills it. */
const burning = (fuse: Fuse, peer: Peer) => ({
  judge: (): Verdict => {
    if (fuse.left === null) return 'pass';
    if (fuse.left === 0) return 'swallow'; // it is dead; what it had sent before must not arrive
    fuse.sent.push(peer);
    if (fuse.only === null || fuse.only === peer) fuse.left -= 1;
    if (fuse.left > 0) return 'pass';
    return fuse.moment === 'before' ? 'swallow' : 'swallow the answer';
  },
  swallowed: () => void fuse.victim?.kill('SIGKILL'),
});

/** Which message kills. */
export type Lit = Pick<Fuse, 'left' | 'moment' | 'only'>;

/** Lets a new process do some work and kills it on the way; false when it came through. */
export async function isKilled(
  { fuse, start }: Stage,
  lit: Lit,
  { before, work }: { before(): Promise<void>; work(): Promise<unknown> },
): Promise<boolean> {
  // Without jobs: every message from now on is one on the way of the work.
  const child = await start({ ROLE: 'api' });
  await before();
  Object.assign(fuse, { ...lit, sent: [] });
  const answer = await work().catch(() => null);
  fuse.left = null;
  await kill(child, 'SIGKILL');
  return answer === null;
}

/** Rows of the stage's database. */
export async function rows(stage: Stage, statement: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(statement)).rows;
  } finally {
    await client.end();
  }
}
