/** The program as an operator meets it: a process that starts, is asked how it is, is stopped, and is killed. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { thatTuesday } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { quickFolder } from '../support/folder.ts';
import { ask, isOver, placeCall, testKey, type Answer } from '../support/program.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
const timeout = 240_000;

/** A start of the program, with what it has said so far. */
interface Start {
  child: ChildProcess;
  /** Milliseconds from the start of the process until it could serve. */
  readyMs: number;
  url: string;
  output(): string;
  /** What the process leaves with: its exit code, or the name of the signal. */
  left: Promise<number | string>;
  ask(query: string, variables?: Record<string, unknown>, key?: string): Promise<Answer>;
}

/** A machine on which the program is installed: a data directory of its own, whatever runs in it ended afterwards. */
interface Machine {
  dataDir: string;
  /** Starts the program and waits until it can serve. */
  start(environment?: Record<string, string>): Promise<Start>;
  /** Starts the program and waits until it has ended. */
  fail(
    environment: Record<string, string>,
  ): Promise<{ left: number | string; output: string; errors: string }>;
  /** The processes of this data directory: Postgres and its children, nats-server. */
  services(): number[];
}

const settings = {
  HOST: '127.0.0.1',
  SIM_PORT: '0',
  SIM_PACE: '50',
  DEMO: '0',
  ADMIN_API_KEY: testKey,
  SOURCE_NUMBER_CALLS_PER_MINUTE: '1000',
  CARRIER_CPS: '100',
  SIM_CPS: '100',
};

async function withMachine(work: (machine: Machine) => Promise<void>): Promise<void> {
  const dataDir = quickFolder('life');
  chmodSync(dataDir, 0o755); // run by root, Postgres becomes somebody else
  const children: ChildProcess[] = [];
  const begin = (environment: Record<string, string>) => {
    const began = begun(dataDir, environment);
    children.push(began.child);
    return began;
  };
  const machine: Machine = {
    dataDir,
    start: async (environment = {}) => {
      const PORT = String(await freePort());
      return whenReady(begin({ PORT, ...environment }), `http://127.0.0.1:${PORT}`);
    },
    fail: async (environment) => {
      const { left, output, errors } = begin(environment);
      return { left: await left, output: output(), errors: errors() };
    },
    services: () => servicesIn(dataDir),
  };
  try {
    await work(machine);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await eventually(() => {
      for (const pid of servicesIn(dataDir)) process.kill(pid, 'SIGKILL');
      return servicesIn(dataDir).length === 0;
    });
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function begun(dataDir: string, environment: Record<string, string>) {
  const began = performance.now();
  const { PATH, HOME } = process.env;
  const given = { PATH, HOME, DATA_DIR: dataDir, CLOCK_START: thatTuesday(), ...settings, ...environment };
  const child = spawn(process.execPath, [main], { env: given, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { output: '', errors: '' };
  child.stdout.on('data', (text: Buffer) => (said.output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (said.errors += text.toString()));
  const left = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return { began, child, left, output: () => said.output, errors: () => said.errors };
}

async function whenReady(process: ReturnType<typeof begun>, url: string): Promise<Start> {
  const { began, child, output, errors, left } = process;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`it has ended: ${output()} ${errors()}`);
    return (await fetch(`${url}/health/ready`)).status === 200;
  }, 30_000);
  const readyMs = performance.now() - began;
  await eventually(() => output().includes('Callwell is ready.'));
  return {
    child,
    readyMs,
    url,
    output,
    left,
    ask: (query, variables, key = testKey) => ask(url, { query, variables, key }),
  };
}

function servicesIn(dataDir: string): number[] {
  try {
    const list = execFileSync('pgrep', ['-f', dataDir], { encoding: 'utf8' });
    return list.split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // pgrep answers 1 when there are none
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Registers a number of ours and patients whose call stays in progress until it is hung up. */
async function prepare(start: Start, patients: number): Promise<string[]> {
  await start.ask(`mutation {
    createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello." }) { __typename }
    registerPhoneNumber(input: { phone: "+14155550199" }) { __typename }
  }`);
  const numbers = Array.from({ length: patients }, (_, i) => `+1${212 + i}5550121`);
  const made = numbers.map(async (phone, i) => {
    const { data } = await start.ask(
      `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
      { input: { name: `Patient ${i}`, phone, sourceSystem: 'ehr' } },
    );
    return data.upsertPatient.patient.id as string;
  });
  return Promise.all(made);
}

const place = async (start: Start, patientId: string): Promise<string> => {
  const input = { patientId, phoneFrom: '+14155550199', reason: 'Check-up' };
  const { data } = await start.ask(placeCall, { input });
  return data.placeCall.call.id;
};

const statuses = async (start: Start): Promise<string[]> => {
  const { data } = await start.ask('{ calls(first: 200) { edges { node { status } } } }');
  return data.calls.edges.map(({ node }: { node: { status: string } }) => node.status);
};

/** Waits until this many calls are in this status. */
const until = (start: Start, fits: (status: string) => boolean, count: number, deadlineMs = 10_000) =>
  eventually(async () => {
    const now = await statuses(start);
    if (now.filter((status) => fits(status)).length !== count) throw new Error(now.join(', '));
    return true;
  }, deadlineMs);

interface Logged {
  id: string;
  cursor: string;
}

/** The whole log, oldest first. */
async function log(start: Start): Promise<Logged[]> {
  const { data } = await start.ask('{ events(first: 200) { edges { node { id cursor type } } } }');
  return data.events.edges.map(({ node }: { node: Logged }) => node).toReversed();
}

/** The places of the log have no gap and nothing twice. */
const expectWhole = (events: Logged[]) =>
  expect(events.map(({ cursor }) => Number(cursor))).toEqual(events.map((_, i) => i + 1));

test(
  'starts on an empty machine, tells how it is, and prints the key that it has made once',
  () =>
    withMachine(async (machine) => {
      const first = await machine.start({ ADMIN_API_KEY: '' });
      const key = /key +(cw_[\w-]{43}) /.exec(first.output())?.[1];
      expect(key).toBeDefined();
      expect(first.output()).toContain(`${first.url}/graphql`);
      expect((await first.ask('{ workspace { name } }', {}, key)).data.workspace.name).toBe('Default');
      expect(await (await fetch(`${first.url}/health/live`)).text()).toBe('live');
      expect(await (await fetch(`${first.url}/health/ready`)).text()).toBe('ready');
      const metrics = await fetch(`${first.url}/metrics`);
      expect(metrics.headers.get('content-type')).toContain('text/plain');
      const figures = await metrics.text();
      for (const name of ['live_subscribers', 'outbox_events', 'endless_calls', 'failing_receivers']) {
        expect(figures).toMatch(
          new RegExp(
            `^# HELP callwell_${name} .+\\n# TYPE callwell_${name} gauge\\ncallwell_${name} 0$`,
            'm',
          ),
        );
      }
      expect(figures).toMatch(/^process_resident_memory_bytes \d+/m);
      first.child.kill('SIGTERM');
      expect(await first.left).toBe(0);
      expect(machine.services()).toEqual([]);
      const second = await machine.start({ ADMIN_API_KEY: '' });
      expect(second.output()).toContain('the one that was shown at the first start');
      expect(second.output()).not.toContain('cw_');
      expect((await second.ask('{ workspace { name } }', {}, key)).data.workspace.name).toBe('Default');
      const figuresOf = (start: Start) => `${Math.round(start.readyMs)} ms`;
      process.stdout.write(
        `ready ${figuresOf(first)} after the first start, ${figuresOf(second)} after the second\n`,
      );
      expect(first.readyMs).toBeLessThan(15_000);
      expect(second.readyMs).toBeLessThan(15_000);
      second.child.kill('SIGINT');
      expect(await second.left).toBe(0);
    }),
  timeout,
);

test(
  'SIGTERM with a call in flight and sockets open: exit 0 within ten seconds, nothing left running, nothing lost',
  () =>
    withMachine(async (machine) => {
      const first = await machine.start();
      const [patientId] = await prepare(first, 1);
      const callId = await place(first, patientId!);
      await until(first, (status) => status === 'IN_PROGRESS', 1);
      const client = createClient({
        url: `${first.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${testKey}` },
        lazy: false,
        retryAttempts: 0,
        onNonLazyError: () => {},
      });
      const closed = new Promise<number>((resolve) => {
        client.on('closed', (event) => resolve((event as { code: number }).code));
      });
      const told = client.iterate({ query: 'subscription { worldEvents(after: "0") { id } }' });
      await told.next();
      const query = encodeURIComponent('subscription { worldEvents(after: "0") { id } }');
      const headers = { authorization: `Bearer ${testKey}`, accept: 'text/event-stream' };
      const stream = await fetch(`${first.url}/graphql?query=${query}`, { headers });
      expect(stream.headers.get('content-type')).toContain('text/event-stream');
      const streamed = stream.text().catch((error: unknown) => error);
      const silent = new WebSocket(`${first.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      await once(silent, 'open');
      silent.pause(); // never answers the end of its socket
      silent.on('error', () => {});
      const events = await log(first);
      const began = performance.now();
      first.child.kill('SIGTERM');
      expect(await first.left).toBe(0);
      const stopMs = performance.now() - began;
      process.stdout.write(`stopped within ${Math.round(stopMs)} ms\n`);
      expect(stopMs).toBeLessThan(10_000);
      expect(machine.services()).toEqual([]);
      expect(await closed).toBe(1001);
      await streamed;
      silent.terminate();
      await client.dispose();
      const second = await machine.start();
      const after = await log(second);
      expect(after.slice(0, events.length)).toEqual(events);
      await until(second, isOver, 1, 30_000);
      const { data } = await second.ask(`{ call(id: "${callId}") { status endedReason endedAt } }`);
      expect(data.call).toMatchObject({ endedReason: expect.any(String), endedAt: expect.any(String) });
      expectWhole(await log(second));
    }),
  timeout,
);

test(
  'SIGTERM while it starts ends it with 0, and leaves nothing running',
  () =>
    withMachine(async (machine) => {
      const child = begun(machine.dataDir, { PORT: String(await freePort()) });
      await eventually(() => machine.services().length > 0, 20_000);
      const began = performance.now();
      child.child.kill('SIGTERM');
      expect(await child.left).toBe(0);
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(machine.services()).toEqual([]);
    }),
  timeout,
);

test(
  'SIGKILL with calls in flight: the next start takes over what still runs, has every event, and ends the calls',
  () =>
    withMachine(async (machine) => {
      const first = await machine.start();
      const patients = await prepare(first, 6);
      for (const patientId of patients.slice(0, 3)) await place(first, patientId);
      await until(first, (status) => status === 'IN_PROGRESS', 3);
      const events = await log(first);
      const before = machine.services();
      const interrupted = patients.slice(3).map((patientId) => place(first, patientId).catch(() => null));
      first.child.kill('SIGKILL');
      expect(await first.left).toBe('SIGKILL');
      const answered = (await Promise.all(interrupted)).filter((id) => id !== null);
      const orphans = machine.services();
      expect(orphans.length).toBeGreaterThan(0);
      const second = await machine.start();
      const kept = before.filter((pid) => machine.services().includes(pid));
      expect(kept.length).toBeGreaterThanOrEqual(2); // Postgres and nats-server themselves
      expect(second.output()).toMatch(/Postgres still running/);
      expect(second.output()).toMatch(/nats-server still running/);
      const after = await log(second);
      expect(after.slice(0, events.length)).toEqual(events);
      const { data } = await second.ask('{ calls(first: 200) { edges { node { id } } } }');
      const ids = data.calls.edges.map(({ node }: { node: { id: string } }) => node.id);
      expect(ids).toEqual(expect.arrayContaining(answered));
      await until(second, isOver, ids.length, 40_000);
      const whole = await log(second);
      expectWhole(whole);
      expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length);
      second.child.kill('SIGTERM');
      expect(await second.left).toBe(0);
      expect(machine.services()).toEqual([]);
    }),
  timeout,
);

test(
  'SIGKILL of everything at once: the next start recovers, has every event, and ends the calls',
  () =>
    withMachine(async (machine) => {
      const first = await machine.start();
      const patients = await prepare(first, 3);
      for (const patientId of patients) await place(first, patientId);
      await until(first, (status) => status === 'IN_PROGRESS', 3);
      const events = await log(first);
      for (const pid of [first.child.pid!, ...machine.services()]) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Postgres's children end with it.
        }
      }
      expect(await first.left).toBe('SIGKILL');
      await eventually(() => machine.services().length === 0);
      const second = await machine.start();
      expect((await log(second)).slice(0, events.length)).toEqual(events);
      await until(second, isOver, 3, 40_000);
      expectWhole(await log(second));
      const client = createClient({
        url: `${second.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${testKey}` },
      });
      const told = client.iterate<{ worldEvents: Logged }>({
        query: 'subscription { worldEvents(after: "0") { id cursor } }',
      });
      const whole = await log(second);
      for (const { id, cursor } of whole) {
        expect((await told.next()).value).toMatchObject({ data: { worldEvents: { id, cursor } } });
      }
      await client.dispose();
    }),
  timeout,
);

test(
  'a second program on the same data directory, or on a port that is taken, exits with 1 and harms nothing',
  () =>
    withMachine(async (machine) => {
      const first = await machine.start();
      const intruder = await machine.fail({ PORT: '0' });
      expect(intruder.left).toBe(1);
      expect(intruder.errors).toMatch(/^Callwell could not start: .*already in use by process \d+/);
      expect((await first.ask('{ workspace { name } }')).data.workspace.name).toBe('Default');
      await withMachine(async (other) => {
        const latecomer = await other.fail({ PORT: new URL(first.url).port });
        expect(latecomer.left).toBe(1);
        expect(latecomer.errors).toContain('EADDRINUSE');
        expect(other.services()).toEqual([]);
      });
      expect((await fetch(`${first.url}/health/ready`)).status).toBe(200);
    }),
  timeout,
);

test(
  'wrong settings: exit 1, one message that lists every mistake, and nothing started',
  () =>
    withMachine(async (machine) => {
      const { left, output, errors } = await machine.fail({
        PORT: 'abc',
        ROLE: 'web',
        DATBASE_URL: 'postgres://x/y',
        ADMIN_API_KEY: 'short-s3cret',
        TWILIO_AUTH_TOKEN: 's3cret',
        CLOCK_START: 'soon',
      });
      expect(left).toBe(1);
      const [headline, ...lines] = errors.trim().split('\n');
      expect(headline).toBe(`The configuration has ${lines.length} mistake(s):`);
      for (const name of [
        'PORT',
        'ROLE',
        'DATBASE_URL',
        'ADMIN_API_KEY',
        'TWILIO_ACCOUNT_SID',
        'CLOCK_START',
      ]) {
        expect(lines.filter((line) => line.startsWith(`  - ${name}: `))).toHaveLength(1);
      }
      expect(errors + output).not.toContain('s3cret');
      expect(machine.services()).toEqual([]);
    }),
  timeout,
);
