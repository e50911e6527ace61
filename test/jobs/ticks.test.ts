/** What wakes the dispatcher when nothing else does: its timer, and the tick of every replica. */
import { rmSync } from 'node:fs';
import schedule from 'node-schedule';
import { afterEach, expect, test, vi } from 'vitest';
import { openAttempts } from '../../src/attempt.ts';
import { openClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { openDeliveries } from '../../src/delivery.ts';
import { openDispatcher } from '../../src/jobs/dispatch-tasks.ts';
import { startJobs, type JobTools } from '../../src/jobs/index.ts';
import { openPoster } from '../../src/poster.ts';
import { startProgram } from '../../src/program.ts';
import { openTriggers } from '../../src/trigger.ts';
import type { Stream } from '../../src/stream.ts';
import type { World } from '../../src/world.ts';
import { aTuesday } from '../support/clock.ts';
import { withDatabaseUrl } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { quickFolder } from '../support/folder.ts';
import { ask, testKey, type LedgerEntry } from '../support/program.ts';
import { openNats } from '../support/relay-process.ts';
import { numbers, sidOf, withClinic, type Clinic } from './clinic.ts';

afterEach(() => void vi.restoreAllMocks());

/** The rule of the dispatcher's tick. */
const everyHalfMinute = '*/30 * * * * *';

/** Keeps the dispatcher's ticks from the clock on the wall: the answer fires those of all replicas together. */
function handTicks(): () => void {
  const held: (() => void)[] = [];
  const real = schedule.scheduleJob;
  vi.spyOn(schedule, 'scheduleJob').mockImplementation((...given: unknown[]) => {
    const [rule, tick] = given as [string, () => void];
    const job = real(rule, rule === everyHalfMinute ? () => {} : tick);
    if (rule === everyHalfMinute) held.push(tick);
    return job;
  });
  return () => {
    expect(held.length).toBeGreaterThan(0);
    for (const tick of held) tick();
  };
}

/** A stream that nobody hears anything of. */
const deaf = (): Stream => {
  const gone = () => Promise.reject(new Error('no stream'));
  const never = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  return {
    tail: gone,
    publish: gone,
    renew: gone,
    follow: (_deliver, signal) => never(signal),
    consume: (_reaction, signal) => never(signal),
    connected: () => false,
    close: () => Promise.resolve(),
  };
};

/** What jobs need for tasks alone. */
type ForTasks = Pick<
  JobTools,
  | 'world'
  | 'carrier'
  | 'attempts'
  | 'clock'
  | 'stream'
  | 'pace'
  | 'log'
  | 'triggers'
  | 'deliveries'
  | 'conversations'
>;

/** What a replica's jobs run with, by a clock that runs: as much of it as tasks need. */
function toolsOf(world: World, { carrier }: Clinic): ForTasks {
  const clock = openClock(new Date(aTuesday));
  const limits = { callsPerMinute: 10_000, callsPerSecond: 1_000 };
  const attempts = openAttempts({ world, carrier, clock, mailbox: null, texts: null, ...limits });
  const log = () => {};
  const triggers = openTriggers({ world, clock, log });
  const poster = openPoster({ allowPrivate: false });
  const deliveries = openDeliveries({ world, poster, clock, log });
  // Nobody is texted here.
  const conversations = { settle: () => Promise.resolve(0) } as unknown as JobTools['conversations'];
  return {
    world,
    carrier,
    attempts,
    clock,
    conversations,
    triggers,
    deliveries,
    stream: deaf(),
    pace: 1,
    log,
  };
}

/** Waits until so many were dialled. */
const untilDialled = ({ carrier }: Clinic, count: number) =>
  eventually(() => {
    if (carrier.orders.length < count) throw new Error(`${carrier.orders.length} of ${count} were dialled`);
    return true;
  });

/** Whether every task was dispatched, each once. */
async function expectEachOnce({ carrier, calls }: Clinic, ids: string[]): Promise<void> {
  expect((await calls()).map(({ taskId }) => taskId ?? '').toSorted()).toEqual(ids.toSorted());
  expect(carrier.orders.map(({ to }) => to).toSorted()).toEqual(numbers(ids.length));
}

test('two replicas whose tick fires together dispatch each task once', () =>
  withClinic(async (clinic) => {
    const tick = handTicks();
    const stops = [clinic.world, (await clinic.replica()).world].map((world) =>
      startJobs(toolsOf(world, clinic) as JobTools),
    );
    const ids = await clinic.tasksAt(numbers(30));
    tick();
    tick(); // who is still at work is left to it
    await untilDialled(clinic, ids.length);
    await Promise.all(stops.map((stop) => stop()));
    await expectEachOnce(clinic, ids);
  }));

test('two replicas whose timers fire at one due instant dispatch each task once, and not before it', () =>
  withClinic(async (clinic) => {
    const replicas = [clinic.world, (await clinic.replica()).world].map((world) => toolsOf(world, clinic));
    const dispatchers = replicas.map((tools) => openDispatcher(tools));
    const people = await Promise.all(numbers(30).map((phone) => clinic.patient(phone)));
    const due = new Date(replicas[0]!.clock.now().getTime() + 1_500);
    const ids = [];
    for (const person of people) ids.push(await clinic.task(person, { scheduledFor: due }));
    const early: number[] = [];
    clinic.carrier.answer((order) => {
      const aheadMs = due.getTime() - Math.max(...replicas.map(({ clock }) => clock.now().getTime()));
      if (aheadMs > 0) early.push(aheadMs);
      return { outcome: 'accepted', sid: sidOf(order) };
    });
    await Promise.all(dispatchers.map(({ run }) => run()));
    expect(clinic.carrier.orders).toEqual([]);
    await untilDialled(clinic, ids.length);
    await Promise.all(dispatchers.map(({ stop }) => stop()));
    await expectEachOnce(clinic, ids);
    expect(early).toEqual([]);
  }));

test('a task that is scheduled while NATS is stopped is dispatched by the next tick', () =>
  withDatabaseUrl(async (databaseUrl) => {
    const tick = handTicks();
    const dataDir = quickFolder('tick');
    const nats = await openNats();
    const config = readConfig({
      PORT: '0',
      DEMO: '0',
      SIM_PACE: '50',
      ADMIN_API_KEY: testKey,
      CLOCK_START: aTuesday,
      DATABASE_URL: databaseUrl,
      NATS_URL: nats.url,
      DATA_DIR: dataDir,
    });
    const program = await startProgram(config, () => {});
    const asked = (query: string) => ask(program.url, { query, key: testKey });
    const statusOf = async (id: string) =>
      (await asked(`{ outboundTask(id: "${id}") { status } }`)).data.outboundTask.status as string;
    try {
      await asked(`mutation {
        createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello." }) { __typename }
        registerPhoneNumber(input: { phone: "+14155550199" }) { __typename }
        upsertPatient(input: { name: "Ada", phone: "+12125550100", canonicalId: "ehr:Patient:1", sourceSystem: "ehr" }) { __typename } }`);
      await nats.kill();
      const { data } = await asked(`mutation {
        scheduleTask(input: { patientCanonicalId: "ehr:Patient:1", reason: "Lab results are in" }) {
          ... on ScheduleTaskPayload { task { id } } ... on InputError { fields { path message } } } }`);
      const id: string = data.scheduleTask.task.id;
      expect(await statusOf(id)).toBe('SCHEDULED');
      tick();
      await eventually(async () => {
        const status = await statusOf(id);
        if (status !== 'COMPLETED') throw new Error(status);
        return status;
      });
      const ledger = (await (await fetch(`${program.simulatorUrl}/ledger`)).json()) as LedgerEntry[];
      expect(ledger.filter(({ kind }) => kind === 'create')).toHaveLength(1);
    } finally {
      await nats.start();
      await program.stop();
      await nats.close();
      rmSync(dataDir, { recursive: true, force: true });
    }
  }));
