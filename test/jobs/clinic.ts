import { sql, type RawBuilder } from 'kysely';
import { openAttempts, type Attempts } from '../../src/attempt.ts';
import type { Wanted } from '../../src/attempt/intent.ts';
import type { Carrier, Order } from '../../src/carrier.ts';
import type { RecordingCarrier } from '../../src/carrier/recording.ts';
import type { Answer, Heard } from '../../src/domain/call-progress.ts';
import * as calls from '../../src/domain/call.ts';
import type { Call } from '../../src/domain/call.ts';
import type { PatientStatus } from '../../src/domain/patient.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask } from '../../src/domain/task.ts';
import type { Policy } from '../../src/domain/gate.ts';
import { ensureWorkspace, openWorkspaces } from '../../src/provision.ts';
import { openRegistry } from '../../src/registry.ts';
import { openSchedule, type WantedTask } from '../../src/schedule.ts';
import { openWorld, type World } from '../../src/world.ts';
import { aTuesday, handClock } from '../support/clock.ts';
import { withWorld } from '../support/database.ts';

/** A carrier that does nothing but what a test tells it, and remembers what it was asked. */
interface StandIn extends Carrier, RecordingCarrier {
  /** What it was asked to dial, in order. */
  readonly orders: Order[];
  /** What it was asked about, by sid, in order. */
  readonly asked: string[];
  /** What it answers to a dial from now on. */
  answer(answer: (order: Order) => Answer | Promise<Answer>): void;
  /** What it knows of every call from now on; null: nothing. */
  know(status: string | null): void;
}

/** A carrier that accepts everything, and calls nobody. */
function standIn(accountSid: string): StandIn {
  const orders: Order[] = [];
  const asked: string[] = [];
  let answerTo = (order: Order): Answer | Promise<Answer> => ({ outcome: 'accepted', sid: sidOf(order) });
  let known: string | null = null;
  const heard = (sid: string, status: string, at: Date): Heard => ({ sid, status, at, via: 'lookup' });
  return {
    accountSid,
    orders,
    asked,
    answer: (given) => void (answerTo = given),
    know: (status) => void (known = status),
    dial: async (order) => {
      orders.push(order);
      return answerTo(order);
    },
    hangUp: (sid, status, now) => Promise.resolve(heard(sid, status, now)),
    lookUp: (sid, now) => {
      asked.push(sid);
      return Promise.resolve(known === null ? null : heard(sid, known, now));
    },
    leave: () => Promise.resolve(true),
    list: () => Promise.resolve([]),
    stopRecording: () => Promise.resolve(),
    recordingsOf: () => Promise.resolve([]),
    deleteRecording: () => Promise.resolve(),
    baseOf: () => '',
    keyFor: () => Buffer.alloc(32),
    isSignedSocket: () => true,
    isSigned: () => true,
  };
}

/** The sid of the call that an order became. */
export const sidOf = ({ callId }: Pick<Order, 'callId'>): string => `CA${callId.replaceAll('-', '')}`;

/** How fast may be called; left out: faster than any test. */
interface Limits {
  callsPerMinute?: number;
  callsPerSecond?: number;
}

/** A clinic in New York with a number of ours and a carrier of its own, by a clock that is moved by hand. */
export type Clinic = Awaited<ReturnType<typeof openClinic>>;

/** A clinic on a fresh database, for the length of `work`. */
export const withClinic = <T>(work: (clinic: Clinic) => Promise<T>, limits: Limits = {}): Promise<T> =>
  withWorld(async (world, databaseUrl) => {
    const clinic = await openClinic({ world, databaseUrl, limits });
    try {
      return await work(clinic);
    } finally {
      await clinic.close();
    }
  });

/** The caller ID of a clinic. */
export const ours = '+14155550199';

/** A clinic on a migrated database; whoever opens it closes it. */
export async function openClinic(given: { world: World; databaseUrl: string; limits: Limits }) {
  const { world, databaseUrl, limits } = given;
  const clock = handClock(new Date(aTuesday));
  const { callsPerMinute = 10_000, callsPerSecond = 10_000 } = limits;
  const carrier = standIn('ACtest');
  const workspaces = openWorkspaces({ world, clock });
  const { id: workspaceId } = await ensureWorkspace(world, clock.now());
  const others: World[] = [];
  const attemptsOn = (on: World) =>
    openAttempts({
      world: on,
      carrier,
      clock: { now: clock.now, shiftMs: () => clock.now().getTime() - Date.now() },
      callsPerMinute,
      callsPerSecond,
      mailbox: null,
      texts: null,
    });
  const attempts = attemptsOn(world);
  const people = peopleOf({ world, workspaceId, now: clock.now });
  await people.furnish(workspaceId, ours);
  return {
    world,
    databaseUrl,
    workspaceId,
    clock,
    carrier,
    attempts,
    ...people,
    dispatch: (by: Attempts = attempts) => dispatchOnce(by),
    /** A replica: the same carrier, another world on the same database. */
    replica: async () => {
      const other = await openWorld({ databaseUrl, poolSize: 6 });
      others.push(other);
      return { world: other, attempts: attemptsOn(other) };
    },
    /** Sets a policy of the workspace. */
    limit: (maxConcurrentCalls: Policy['maxConcurrentCalls'], workspace = workspaceId) =>
      workspaces.setPolicy(workspace, { ...nothing, maxConcurrentCalls }),
    /** Another workspace, set up as the first. */
    neighbour: async (phone: string) => {
      const { workspace } = await workspaces.createWorkspace('Next door');
      await people.furnish(workspace.id, phone);
      return peopleOf({ world, workspaceId: workspace.id, now: clock.now });
    },
    copies: (id: string, count: number, differs: Record<string, RawBuilder<unknown>> = {}) =>
      copyTask(world, id, { count, differs }),
    close: async () => {
      for (const other of others) await other.close();
    },
  };
}

/** Copies a task's row so many times: what differs is reckoned from the copy's number, n. */
async function copyTask(
  world: World,
  id: string,
  { count, differs }: { count: number; differs: Record<string, RawBuilder<unknown>> },
): Promise<void> {
  const columns = await world.query<{ name: string }>(sql`select column_name as name
    from information_schema.columns where table_name = 'outbound_task' order by ordinal_position`);
  const own: Record<string, RawBuilder<unknown>> = { id: sql`gen_random_uuid()`, ...differs };
  const values = columns.map(({ name }) => own[name] ?? sql`t.${sql.ref(name)}`);
  await world.query(sql`insert into outbound_task select ${sql.join(values)}
    from outbound_task t, generate_series(1, ${count}::int) n where t.id = ${id}`);
}

const nothing = {
  sandbox: null,
  allowlist: null,
  hours: null,
  attemptsPerDay: null,
  recordingDays: null,
  attemptsPerWeek: null,
  cooldownMinutes: null,
  maxConcurrentCalls: null,
};

/** One round of dispatch, with every call that it handed out placed at once; the turns are those that it was given. */
async function dispatchOnce(attempts: Attempts) {
  const turns: { milliseconds: number; call: () => Promise<void> }[] = [];
  const round = await attempts.dispatch((milliseconds, call) => void turns.push({ milliseconds, call }));
  await Promise.all(turns.map(({ call }) => call()));
  return { ...round, taskIds: round.dispatched.map(({ taskId }) => taskId) };
}

/** What is asked for when a task says nothing else. */
const anyTask: Omit<WantedTask, 'patient'> = {
  phone: null,
  channel: null,
  reason: 'Lab results are in',
  goal: null,
  purpose: 'LAB_RESULTS',
  priority: 5,
  scheduledFor: null,
  window: null,
  validUntil: null,
  maxAttempts: 3,
  backoffSeconds: 60,
  serviceId: null,
  tags: [],
  metadata: {},
  cancelOn: [],
  idempotencyKey: null,
};

/** Who is called in a workspace, and what is heard of it. */
function peopleOf({ world, workspaceId, now }: { world: World; workspaceId: string; now: () => Date }) {
  const workspaces = openWorkspaces({ world, clock: { now } });
  const [registry, schedule] = [openRegistry({ world }), openSchedule({ world })];
  const by = () => ({ workspaceId, actor: 'test', source: 'api' as const, now: now() });
  const here = { workspaceId: { eq: workspaceId } };

  async function patient(phone: string, name = `Ada of ${phone}`, status: PatientStatus | null = null) {
    const said = { attributes: { name, phone }, status, source: 'ehr' };
    return (await registry.state(said, by())).patient.id;
  }

  async function task(patientId: string, more: Partial<WantedTask> = {}): Promise<string> {
    const wanted = { ...anyTask, ...more, patient: { patientId } };
    return (await schedule.scheduleTask(wanted, by())).task.id;
  }

  return {
    by,
    patient,
    /** Schedules a task; answers its id. */
    task,
    /** A task for a new person at each of these numbers; answers their ids. */
    tasksAt: async (phones: string[], more: Partial<WantedTask> = {}) => {
      const ids: string[] = [];
      for (const phone of phones) ids.push(await task(await patient(phone), more));
      return ids;
    },
    taskOf: async (id: string) =>
      (await world.findOne<OutboundTask>(tasks.table, { ...here, id: { eq: id } }))!,
    callsOf: (taskId: string) => world.find<Call>(calls.table, { ...here, taskId: { eq: taskId } }),
    calls: () => world.find<Call>(calls.table, here),
    typesOf: async (id: string) => (await world.history(workspaceId, id)).map(({ type }) => type),
    /** Gives a workspace a service and a number. */
    furnish: async (workspace: string, phone: string) => {
      await workspaces.createService(workspace, {
        name: 'Care',
        systemPrompt: 'Be kind.',
        greeting: 'Hello.',
        isDefault: true,
      });
      const number = { phone, label: null, voice: true, text: false, serviceId: null };
      await workspaces.registerNumber(workspace, number);
    },
  };
}

/** What a direct call asks for. */
export const directCall = (patientId: string): Wanted => ({
  patient: { patientId },
  phoneTo: null,
  source: { phoneFrom: ours },
  reason: 'Lab results are in',
  purpose: 'LAB_RESULTS',
  goal: null,
  systemPrompt: null,
  welcomeMessage: null,
  serviceId: null,
  tags: [],
  metadata: {},
  variables: {},
  derivedFromCallSid: null,
  taskId: null,
  callbackUrl: null,
  basis: null,
  idempotencyKey: null,
});

/** So many numbers of New York. */
export const numbers = (count: number, areaCode = 212): string[] =>
  Array.from({ length: count }, (_, index) => `+1${areaCode}555${String(100 + index).padStart(4, '0')}`);
