import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { thatTuesday } from '../support/clock.ts';
import { withDatabaseUrl } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { ask, placeCall, testKey, type LedgerEntry } from '../support/program.ts';
import { openProxy, type Verdict } from '../support/proxy.ts';

const ours = '+14155550149';
const account = { sid: `AC${'1'.repeat(32)}`, token: 'a-token-of-the-test' };

/** One area code for each kill: the person at 0100 answers, talks and is done. */
const areas = [
  201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229,
  231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304,
  305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 331, 334, 336,
  337, 339, 347, 351, 352, 360, 361, 385, 386, 401, 402, 404, 405, 406, 407, 408, 409,
];

/** Whom the program talks to on the way of a call. */
type Peer = 'database' | 'carrier';

/** Kills a process at the n-th message that it sends from the moment that this is lit. */
interface Fuse {
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

interface Stage {
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

async function kill(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
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
async function withStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  await withDatabaseUrl(async (databaseUrl) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'callwell-kill-'));
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
    NODE_COMPILE_CACHE: join(dataDir, 'compiled'),
    TWILIO_API_URL: `http://127.0.0.1:${toCarrier.port}`,
    TWILIO_ACCOUNT_SID: account.sid,
    TWILIO_AUTH_TOKEN: account.token,
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

/** The one mutation whose way is watched: everything is decided for a person whom nobody knows yet. */
const inputOf = (index: number) => ({
  person: {
    firstName: 'Grace',
    lastName: 'Hopper',
  },
  phoneTo: `+1${areas[index]}5550100`,
  phoneFrom: ours,
  reason: 'Check-up',
  basis: 'PRIOR_EXPRESS',
  idempotencyKey: `key ${index}`,
});

async function place(url: string, index: number) {
  const { data, errors } = await ask(url, {
    query: placeCall,
    variables: { input: inputOf(index) },
    key: testKey,
  });
  expect(errors).toBeUndefined();
  return data.placeCall;
}

test('however a process dies while it places a call, nobody is dialled twice and every call comes to its end', async () => {
  await withStage(async (stage) => {
    await kill(await prepared(stage), 'SIGTERM'); // leaves its compiled code to the others
    // Killed before its 1st message, its 2nd, and so on, until it comes through.
    let index = 0;
    while (await isKilled(stage, index, { left: index + 1, moment: 'before', only: null })) index += 1;
    const { sent } = stage.fuse;
    // The intent is written before the one question to the carrier, and its answer after it.
    expect(sent.filter((peer) => peer === 'carrier')).toHaveLength(1);
    expect([sent.at(0), sent.at(-1)]).toEqual(['database', 'database']);
    expect(sent.length).toBeGreaterThan(10);
    // Not to hear an answer is not to come to the next message; but once more for the carrier's, and for the last.
    index += 1;
    expect(await isKilled(stage, index, { left: 1, moment: 'after', only: 'carrier' })).toBe(true);
    // Not every run sends the same number: when a key was last used, for one, is written once a minute.
    for (let left = sent.length + 1, killed = false; !killed; left -= 1) {
      index += 1;
      killed = await isKilled(stage, index, { left, moment: 'after', only: null });
    }
    // Two minutes later all patience is over.
    await stage.start({ CLOCK_START: thatTuesday(120_000) });
    await eventually(async () => {
      const open = `select status from call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`;
      expect(await rows(stage, open)).toEqual([]);
      return true;
    }, 30_000);
    await check(stage, index + 1);
  });
}, 120_000);

/** Asks a new process for a call and kills it on the way; false when it came through. */
async function isKilled(
  { fuse, start, url }: Stage,
  index: number,
  lit: Pick<Fuse, 'left' | 'moment' | 'only'>,
): Promise<boolean> {
  // Without jobs: every message from now on is one on the way of the call.
  const child = await start({ ROLE: 'api' });
  if (index > 0) expectAnswer(await place(url, index - 1)); // whoever was cut off asks again at once
  Object.assign(fuse, { ...lit, sent: [] });
  const answer = await place(url, index).catch(() => null);
  fuse.left = null;
  await kill(child, 'SIGKILL');
  return answer === null;
}

/** Sets up the workspace. */
async function prepared(stage: Stage): Promise<ChildProcess> {
  const child = await stage.start({});
  const { errors } = await ask(stage.url, {
    query: `mutation ($phone: E164!) {
      createService(input: { name: "Care", systemPrompt: "", greeting: "Hello." }) { __typename }
      registerPhoneNumber(input: { phone: $phone }) { __typename } }`,
    variables: { phone: ours },
    key: testKey,
  });
  expect(errors).toBeUndefined();
  return child;
}

/** Right after a kill: the call is placed now, or told as it stands, or nobody knows yet. */
function expectAnswer(answer: { __typename: string; code?: string }): void {
  if (answer.__typename !== 'PlaceCallPayload') expect(answer.code).toBe('IDEMPOTENCY_IN_PROGRESS');
}

async function rows(stage: Stage, statement: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: stage.databaseUrl });
  await client.connect();
  try {
    return (await client.query<Record<string, string>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** What must hold of every call once all is quiet, and that asking again changes nothing. */
async function check(stage: Stage, count: number): Promise<void> {
  const before = await stage.ledger();
  for (let index = 0; index < count; index += 1) {
    const { phoneTo } = inputOf(index);
    const created = before.filter(
      ({ kind, accepted, to }) => kind === 'create' && accepted && to === phoneTo,
    );
    expect({ phoneTo, created: created.length }).toEqual({ phoneTo, created: Math.min(created.length, 1) });
    const [sid = null] = created.map(({ callSid }) => callSid);
    const status = sid === null ? 'FAILED' : 'COMPLETED';
    const answer = await place(stage.url, index);
    expect(answer).toMatchObject({ __typename: 'PlaceCallPayload', replayed: true });
    expect(answer.call).toMatchObject({ phoneTo, status, sid });
  }
  expect((await stage.ledger()).filter(({ kind }) => kind === 'create')).toEqual(
    before.filter(({ kind }) => kind === 'create'),
  );
  const [counts] = await rows(
    stage,
    `select (select count(*)::int from call) as calls, (select count(*)::int from patient) as patients,
      (select count(*)::int from contact) as contacts, (select count(*)::int from idempotency_key) as keys,
      (select count(*)::int from contact, jsonb_array_elements(attempts) a where a->>'endedAt' is null) as open`,
  );
  expect(counts).toEqual({ calls: count, patients: count, contacts: count, keys: count, open: 0 });
}
