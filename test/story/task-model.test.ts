/** Tasks through schedules, callbacks in any order, crashes and jumps of the clock, held against a model of their life. */
import fc, { type AsyncCommand } from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openAttempts, type Attempts } from '../../src/attempt.ts';
import type { Carrier, Listed, Order } from '../../src/carrier.ts';
import * as calls from '../../src/domain/call.ts';
import type { Call } from '../../src/domain/call.ts';
import { hear, type Answer, type Heard } from '../../src/domain/call-progress.ts';
import * as contacts from '../../src/domain/contact.ts';
import type { Contact } from '../../src/domain/contact.ts';
import { foldOf, type By, type Event, type Fact, type Kind, type Row } from '../../src/domain/event.ts';
import { Refusal } from '../../src/domain/refusal.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask, TaskStatus } from '../../src/domain/task.ts';
import type { Fact as TaskFact } from '../../src/domain/task-fact.ts';
import { cancel, reschedule, snooze } from '../../src/domain/task-progress.ts';
import { sweepCalls, nextSweep } from '../../src/jobs/sweep-calls.ts';
import { nextTimeOut, timeOutTasks } from '../../src/jobs/time-out-tasks.ts';
import { openWorkspaces } from '../../src/provision.ts';
import { openRegistry, type Registry } from '../../src/registry.ts';
import { openSchedule, type Schedule } from '../../src/schedule.ts';
import type { World } from '../../src/world.ts';
import { handClock } from '../support/clock.ts';
import { withWorld } from '../support/database.ts';
import { exhaustive } from '../support/exhaustive.ts';

/** How many stories are told; exhaustively thirty times as many, so that rare meetings of verbs come about too. */
const runs = exhaustive ? 300 : 10;

/** After how long the rest is left out, in milliseconds; and how long making the shortest failing story may take. */
const tellingMs = runs * 1_000 + 60_000;

/** 10:00 in New York, weeks from any change of the clocks. */
const start = new Date('2026-01-13T15:00:00Z');
const ours = '+14155550199';
/** Ada and Bo share a number. */
const people = [
  { name: 'Ada', phone: '+12125550100' },
  { name: 'Bo', phone: '+12125550100' },
  { name: 'Cy', phone: '+12125550101' },
];
const backoffSeconds = 60;
const leaseMs = 900_000;
const listLagMs = 20_000;

// ---- The carrier, as the test wants it.

/** What becomes of a call that the carrier has taken: when it tells what, in milliseconds from the dial. */
const fates = {
  human: [
    [1_000, 'ringing'],
    [5_000, 'in-progress'],
    [30_000, 'completed', { durationSeconds: 25, answeredBy: 'human' }],
  ],
  machine: [
    [1_000, 'ringing'],
    [5_000, 'in-progress'],
    [30_000, 'completed', { durationSeconds: 25, answeredBy: 'machine_end_beep' }],
  ],
  busy: [
    [1_000, 'ringing'],
    [2_000, 'busy'],
  ],
  'nobody answers': [
    [1_000, 'ringing'],
    [31_000, 'no-answer'],
  ],
  'dead line': [[1_000, 'failed', { sipCode: '404' }]],
  'network trouble': [[1_000, 'failed', { sipCode: '503' }]],
  'an hour long': [
    [5_000, 'in-progress'],
    [3_600_000, 'completed', { durationSeconds: 3_595, answeredBy: 'human' }],
  ],
} satisfies Record<string, [number, string, Partial<Heard>?][]>;
type Fate = keyof typeof fates;

/** How the carrier takes a dial; with `answer lost` the call is made and nobody is told, with `request lost` it is not. */
const answers = ['accepted', 'refused', 'overloaded', 'answer lost', 'request lost'] as const;
type CarrierAnswer = (typeof answers)[number];

/** What happens to our process around the dial. `waits`: the call waits for its turn, until a later command. */
const deaths = ['lives', 'dies before the dial', 'dies before the answer is recorded', 'waits'] as const;

interface Plan {
  answer: CarrierAnswer;
  fate: Fate;
  death: (typeof deaths)[number];
}

/** A call that the carrier has made. */
interface Remote {
  sid: string;
  callId: string;
  to: string;
  from: string;
  createdAt: Date;
  fate: Fate;
}

/** The process is gone: nothing after this happens. */
class Died extends Error {}

const rejected = (retryable: boolean): Answer => ({
  outcome: 'rejected',
  carrierCode: retryable ? '10004' : '21211',
  message: 'no',
  retryable,
  reached: true,
});

/** Counts over all stories: a sid is given once in a world. */
let sids = 0;

/** A carrier that does as the command says, and remembers everything. */
class ControlledCarrier implements Carrier {
  readonly dials: { callId: string; answer: CarrierAnswer }[] = [];
  readonly remotes: Remote[] = [];
  readonly accountSid = `AC${'1'.repeat(32)}`;
  readonly baseOf = () => '';
  readonly keyFor = () => Buffer.alloc(32);
  readonly isSignedSocket = () => true;
  readonly isSigned = () => true;
  plan: Plan = { answer: 'accepted', fate: 'human', death: 'lives' };
  readonly #now: () => Date;
  readonly #witness: (order: Order) => Promise<void>;

  constructor(now: () => Date, witness: (order: Order) => Promise<void>) {
    this.#now = now;
    this.#witness = witness;
  }

  dial = async (order: Order): Promise<Answer> => {
    const { answer, fate, death } = this.plan;
    await this.#witness(order);
    this.dials.push({ callId: order.callId, answer });
    const sid = `CA${String((sids += 1)).padStart(32, '0')}`;
    if (answer === 'accepted' || answer === 'answer lost') {
      this.remotes.push({ ...order, sid, createdAt: this.#now(), fate });
    }
    if (death === 'dies before the answer is recorded') throw new Died();
    if (answer === 'accepted') return { outcome: 'accepted', sid };
    if (answer === 'refused' || answer === 'overloaded') return rejected(answer === 'overloaded');
    return { outcome: 'unknown', cause: 'etimedout' };
  };

  leave = (): never => {
    throw new Error('nobody leaves a message in these stories');
  };

  hangUp = (): never => {
    throw new Error('nobody hangs up in these stories');
  };

  lookUp = async (sid: string, now: Date): Promise<Heard | null> => {
    const remote = this.remotes.find((call) => call.sid === sid);
    return remote ? truthOf(remote, now) : null;
  };

  list = async (to: string, from: string, now: Date): Promise<Listed[]> =>
    this.remotes
      .filter((call) => call.to === to && call.from === from && isListed(call, now))
      .map((call) => ({ ...truthOf(call, now), createdAt: call.createdAt }));

  /** Every callback that the carrier has had reason to send so far. */
  callbacks(): { remote: Remote; heard: Heard }[] {
    return this.remotes.flatMap((remote) => toldBy(remote, this.#now()).map((heard) => ({ remote, heard })));
  }
}

const isListed = (call: Remote, now: Date) => call.createdAt.getTime() + listLagMs <= now.getTime();

function toldBy({ sid, createdAt, fate }: Remote, now: Date): Heard[] {
  const told: [number, string, Partial<Heard>?][] = [[0, 'initiated'], ...fates[fate]];
  return told
    .map(([ms, status, more]) => ({
      ...more,
      sid,
      status,
      at: new Date(createdAt.getTime() + ms),
      via: 'callback' as const,
    }))
    .filter(({ at }) => at <= now);
}

const truthOf = (remote: Remote, now: Date): Heard => ({ ...toldBy(remote, now).at(-1)!, via: 'lookup' });

// ---- The model: what may become of a task, in words of its own.

/** A task as the model knows it. */
interface ModelTask {
  id: string;
  name: string;
  person: number;
  status: TaskStatus;
  attempts: number;
  maxAttempts: number;
  priority: number;
  dueAt: number;
  until: number | null;
  cancelOn: boolean;
  /** The attempt that is under way. */
  callId: string | null;
  leaseUntil: number;
  /** Whether what makes it pointless has happened during the attempt. */
  isPointless: boolean;
}

/** A call as the model knows it. */
interface ModelCall {
  id: string;
  phone: string;
  /** 0 queued, 1 uncertain, 2 ringing, 3 in progress, 4 over. */
  rank: number;
  isSidKnown: boolean;
}

interface Model {
  now: number;
  tasks: ModelTask[];
  calls: Map<string, ModelCall>;
  optedOut: Set<string>;
  /** Calls that wait for their turn. */
  held: { callId: string; at: number }[];
}

/** What a task may be after a command: its status and attempts. What is not listed stays as it is. */
type May = Map<string, Standing[]>;
interface Standing {
  status: TaskStatus;
  attempts: number;
}

const phoneOf = ({ person }: Pick<ModelTask, 'person'>) => people[person]!.phone;
const isWaiting = ({ status }: Standing) => status === 'SCHEDULED' || status === 'SNOOZED';
const isAttempted = ({ status }: Standing) => status === 'DISPATCHED' || status === 'RUNNING';
const isOver = (standing: Standing) => !isWaiting(standing) && !isAttempted(standing);
const standing = ({ status, attempts }: Standing): Standing => ({ status, attempts });

/** 8:00 to 20:00 in New York, less the 30 seconds of a ring. New York is five hours behind all the time. */
const isOpenAt = (at: number): boolean => {
  const time = (at - 5 * 3_600_000) % 86_400_000;
  return time >= 8 * 3_600_000 && time <= 20 * 3_600_000 - 30_000;
};

const isBusy = (model: Model, phone: string) =>
  [...model.calls.values()].some((call) => call.phone === phone && call.rank < 4);

/** Waits on, or has no time left to. */
const later = (task: ModelTask, attempts: number): Standing[] => [
  { status: 'SCHEDULED', attempts },
  ...(task.until === null ? [] : [{ status: 'TIMED_OUT' as const, attempts }]),
];

/** How the end of an attempt may leave its task. */
function afterEnd(model: Model, task: ModelTask, how: Fate | CarrierAnswer | 'not dialled'): Standing[] {
  const isCounted = how !== 'overloaded' && how !== 'not dialled';
  const attempts = isCounted ? task.attempts : task.attempts - 1;
  if (how === 'human' || how === 'an hour long') return [{ status: 'COMPLETED', attempts }];
  if (how === 'dead line' || how === 'refused') return [{ status: 'FAILED', attempts }];
  if (isCounted && attempts >= task.maxAttempts) return [{ status: 'FAILED', attempts }];
  if (model.optedOut.has(phoneOf(task))) return [{ status: 'FAILED', attempts }];
  const [again, ...ends] = later(task, attempts);
  return [task.isPointless ? { status: 'CANCELLED', attempts } : again!, ...ends];
}

/** How a dial may leave its task, which is just being attempted. */
function afterDial(model: Model, task: ModelTask, { answer, death }: Plan): Standing[] {
  const lives = death === 'lives' || death === 'waits';
  if (lives && (answer === 'refused' || answer === 'overloaded')) return afterEnd(model, task, answer);
  return [standing(task)];
}

/** A task as its dispatch makes it. */
const dispatched = (task: ModelTask): ModelTask => ({
  ...task,
  status: 'DISPATCHED',
  attempts: task.attempts + 1,
  isPointless: false,
});

/** What one round of dispatch may do, in its order: by the due time, a level of priority being worth five minutes. */
function dispatchMay(model: Model, plan: Plan): May {
  const may: May = new Map();
  const rank = (task: ModelTask) => task.dueAt + (task.priority - 1) * 300_000;
  const due = model.tasks
    .filter((task) => isWaiting(task) && task.dueAt <= model.now)
    .sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  const taken = new Set<string>();
  for (const task of due) {
    const phone = phoneOf(task);
    if (taken.has(phone)) continue; // its turn comes with the next round
    if (model.optedOut.has(phone)) may.set(task.id, [{ status: 'FAILED', attempts: task.attempts }]);
    else if (task.until !== null && task.until <= model.now) {
      may.set(task.id, [{ status: 'TIMED_OUT', attempts: task.attempts }]);
    } else if (isBusy(model, phone) || !isOpenAt(model.now)) may.set(task.id, later(task, task.attempts));
    else {
      taken.add(phone);
      const now = dispatched(task);
      may.set(task.id, plan.death === 'waits' ? [standing(now)] : afterDial(model, now, plan));
    }
  }
  return may;
}

const attemptOf = (model: Model, callId: string): ModelTask | undefined =>
  model.tasks.find((task) => task.callId === callId && isAttempted(task));

/** What a word of the carrier about a call may do. */
function hearingMay(model: Model, call: ModelCall, { status }: Heard, fate: Fate): May {
  const task = attemptOf(model, call.id);
  if (!task || call.rank === 4) return new Map();
  if (status === 'in-progress' && call.rank < 3) {
    return new Map([[task.id, [{ status: 'RUNNING', attempts: task.attempts }]]]);
  }
  const ends = fates[fate].at(-1)![1] === status;
  return ends ? new Map([[task.id, afterEnd(model, task, fate)]]) : new Map();
}

/** What asking the carrier about a call may do: what it knows is heard, what it never had is given up. */
function lookingUpMay(model: Model, call: ModelCall, carrier: ControlledCarrier): May {
  const now = new Date(model.now);
  const remote = carrier.remotes.find(({ callId }) => callId === call.id);
  const task = attemptOf(model, call.id);
  if (call.rank === 4 || !task) return new Map();
  if (!remote) return new Map([[task.id, afterEnd(model, task, 'request lost')]]);
  if (!call.isSidKnown && !isListed(remote, now)) return new Map();
  return hearingMay(model, call, truthOf(remote, now), remote.fate);
}

// ---- The program under test, with a clock and a carrier of the test's.

interface Real {
  world: World;
  workspaceId: string;
  clock: ReturnType<typeof handClock>;
  carrier: ControlledCarrier;
  attempts: Attempts;
  schedule: Schedule;
  registry: Registry;
  patientIds: string[];
  /** Calls whose intent is recorded and whose turn has not come. */
  held: { callId: string; run: () => Promise<void> }[];
  /** What should never have been dialled. */
  faults: string[];
}

const byOf = ({ workspaceId, clock }: Pick<Real, 'workspaceId' | 'clock'>): By => ({
  workspaceId,
  actor: 'test',
  source: 'api',
  now: clock.now(),
});

/** A new workspace, with its people, its number and its service; whatever an earlier story left open is taken away. */
async function stage(world: World): Promise<Real> {
  for (const table of ['outbound_task', 'call', 'call_watch', 'carrier_pace'])
    await world.query(sql`delete from ${sql.table(table)}`);
  const clock = handClock(start);
  const workspaces = openWorkspaces({ world, clock });
  const { workspace } = await workspaces.createWorkspace('A story');
  const workspaceId = workspace.id;
  const given = { name: 'Care', systemPrompt: 'Be brief.', greeting: 'Hello.', isDefault: true };
  await workspaces.createService(workspaceId, given);
  const number = { phone: ours, label: 'Ours', voice: true, text: false, serviceId: null };
  await workspaces.registerNumber(workspaceId, number);
  const registry = openRegistry({ world });
  const patientIds: string[] = [];
  for (const { name, phone } of people) {
    const attributes = { name, phone, timeZone: 'America/New_York' };
    const { patient } = await registry.state({ attributes, source: 'ehr' }, byOf({ workspaceId, clock }));
    patientIds.push(patient.id);
  }
  const faults: string[] = [];
  const carrier: ControlledCarrier = new ControlledCarrier(
    () => clock.now(),
    async (order) => void faults.push(...(await faultsOf(order, { world, workspaceId, carrier, clock }))),
  );
  const shiftMs = () => clock.now().getTime() - Date.now();
  const attempts = openAttempts({
    world,
    carrier,
    clock: { now: clock.now, shiftMs },
    callsPerMinute: 1_000,
    callsPerSecond: 1_000,
    mailbox: null,
    texts: null,
  });
  const schedule = openSchedule({ world });
  return { world, workspaceId, clock, carrier, attempts, schedule, registry, patientIds, held: [], faults };
}

/** Why this should not be dialled now. */
async function faultsOf(
  { callId, to }: Order,
  { world, workspaceId, carrier, clock }: Pick<Real, 'world' | 'workspaceId' | 'carrier' | 'clock'>,
): Promise<string[]> {
  const here = { workspaceId: { eq: workspaceId } };
  const call = await world.findOne<Call>(calls.table, { ...here, id: { eq: callId } });
  const task = await world.findOne<OutboundTask>(tasks.table, {
    ...here,
    id: { eq: call?.taskId ?? callId },
  });
  const contact = await world.findOne<Contact>(contacts.table, { ...here, phone: { eq: to } });
  const isLive = (remote: Remote) => fates[remote.fate].at(-1)![1] !== truthOf(remote, clock.now()).status;
  const faults: [boolean, string][] = [
    [carrier.dials.some((dial) => dial.callId === callId), 'an attempt is dialled twice'],
    [
      carrier.remotes.some((remote) => remote.to === to && isLive(remote)),
      'a number is dialled during a call',
    ],
    [!!contact?.optedOutAt, 'a number is dialled that has opted out'],
    [
      task?.status !== 'DISPATCHED' || task.lastCallId !== callId,
      `a task is dialled that is ${task?.status}`,
    ],
    [!isOpenAt(clock.now().getTime()), 'somebody is dialled by night'],
  ];
  return faults.filter(([isFault]) => isFault).map(([, fault]) => fault);
}

/** Where a task may go from where it is; DESIGN's diagram, and the end of an attempt that is told before what follows. */
const ways: Partial<Record<TaskStatus, TaskStatus[]>> = {
  SCHEDULED: ['SNOOZED', 'DISPATCHED', 'CANCELLED', 'FAILED', 'TIMED_OUT'],
  SNOOZED: ['SCHEDULED', 'CANCELLED'],
  DISPATCHED: ['RUNNING', 'SCHEDULED', 'TIMED_OUT'],
  RUNNING: ['COMPLETED', 'SCHEDULED', 'TIMED_OUT'],
};

/** Holds rows against their events, and both against the rules that always hold. */
async function checkAlways(real: Real): Promise<OutboundTask[]> {
  const { world, workspaceId, carrier } = real;
  const here = { workspaceId: { eq: workspaceId } };
  const rows = await world.find<OutboundTask>(tasks.table, here);
  const placed = await world.find<Call>(calls.table, here);
  const numbers = await world.find<Contact>(contacts.table, here);
  const ids = [...rows, ...placed, ...numbers].map(({ id }) => id);
  const histories = Map.groupBy(
    await world.eventsOf(workspaceId, { entityIds: ids }),
    (event) => event.entityId,
  );
  const historyOf = ({ id }: Row) => histories.get(id) ?? [];
  for (const row of rows) checkFold(tasks, row, historyOf(row) as Event<TaskFact>[]);
  for (const row of placed) checkFold(calls, row, historyOf(row) as Event<calls.Fact>[]);
  for (const row of numbers) checkFold(contacts, row, historyOf(row) as Event<contacts.Fact>[]);
  for (const row of rows) checkWay(row, historyOf(row) as Event<TaskFact>[]);
  for (const { id, attempts, maxAttempts } of rows) {
    expect(attempts, 'attempts').toBeLessThanOrEqual(maxAttempts);
    const own = new Set(placed.filter(({ taskId }) => taskId === id).map((call) => call.id));
    const taken = carrier.dials.filter(({ callId, answer }) => own.has(callId) && answer !== 'overloaded');
    expect(taken.length, 'dials of a task').toBeLessThanOrEqual(maxAttempts);
  }
  const open = placed.filter((call) => !calls.isOver(call)).map(({ phoneTo }) => phoneTo);
  expect(new Set(open).size, 'one open call for each number').toBe(open.length);
  expect(real.faults).toEqual([]);
  return rows;
}

function checkFold<R extends Row, F extends Fact>(kind: Kind<R, F>, row: R, history: Event<F>[]): void {
  const versions = history.map(({ version }) => version);
  expect(versions, 'versions').toEqual(history.map((_, index) => index + 1));
  expect(foldOf(kind, row.id, row.workspaceId, history), 'a row is the fold of its events').toEqual(row);
}

function checkWay(row: OutboundTask, history: Event<TaskFact>[]): void {
  let last: TaskStatus = 'SCHEDULED';
  for (let count = 1; count <= history.length; count += 1) {
    const { status } = foldOf(tasks, row.id, row.workspaceId, history.slice(0, count));
    if (status !== last) expect(ways[last] ?? [], `from ${last}`).toContain(status);
    if (count > 1 && ways[last] === undefined) throw new Error(`${history[count - 1]!.type} after ${last}`);
    last = status;
  }
}

// ---- The commands.

/** Compares what has become of every task with what may have, and lets the model follow. */
async function follow(model: Model, real: Real, may: May): Promise<void> {
  const rows = new Map((await checkAlways(real)).map((row) => [row.id, row]));
  for (const task of model.tasks) {
    const row = rows.get(task.id)!;
    expect(may.get(task.id) ?? [standing(task)], `${task.name}, before: ${task.status}`).toContainEqual(
      standing(row),
    );
    const isNew = row.lastCallId !== task.callId;
    if (isNew && row.lastCallId) {
      const call = { id: row.lastCallId, phone: phoneOf(task), rank: 0, isSidKnown: false };
      model.calls.set(call.id, call);
      task.leaseUntil = model.now + leaseMs;
      task.isPointless = false;
    }
    Object.assign(task, standing(row), {
      callId: row.lastCallId,
      dueAt: row.nextAttemptAt?.getTime() ?? Infinity,
    });
    if (isWaiting(task)) expect(task.dueAt, `${task.name} is due`).toBeLessThan(task.until ?? Infinity);
    // Who asked for a time is told by the gate when it comes; times of our own are lawful.
    if (row.status === 'SCHEDULED' && !/cheduled for then/.test(row.nextAttemptReason ?? '')) {
      expect(isOpenAt(task.dueAt), `${task.name} is tried again by day`).toBe(true);
    }
  }
  const here = { workspaceId: { eq: real.workspaceId } };
  for (const row of await real.world.find<Call>(calls.table, here)) {
    const call = model.calls.get(row.id)!;
    expect(calls.rank[row.status], 'a call never goes back').toBeGreaterThanOrEqual(call.rank);
    Object.assign(call, { rank: calls.rank[row.status], isSidKnown: row.sid !== null });
  }
}

/** What is refused changes nothing; what the process dies of is over with it. */
const refusable = async (work: Promise<unknown>): Promise<'done' | 'refused'> => {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof Died) return 'done';
    if (error instanceof Refusal) return 'refused';
    throw error;
  }
};

type Step = AsyncCommand<Model, Real>;

/** A command on one of the tasks, by its place. */
const onTask = (
  words: string,
  which: number,
  run: (model: Model, real: Real, task: ModelTask) => Promise<void>,
): Step => ({
  check: (model) => model.tasks.length > 0,
  run: (model, real) => run(model, real, model.tasks[which % model.tasks.length]!),
  toString: () => `${words} the ${(which % 4) + 1}. task`,
});

const always = (words: string, run: (model: Model, real: Real) => Promise<void>): Step => ({
  check: () => true,
  run,
  toString: () => words,
});

interface Wish {
  person: number;
  inMinutes: number;
  maxAttempts: number;
  priority: number;
  validMinutes: number | null;
  cancelOn: boolean;
}

const blankTask = {
  phone: null,
  channel: 'VOICE' as const,
  reason: 'Lab results are in',
  goal: null,
  purpose: 'LAB_RESULTS' as const,
  window: null,
  backoffSeconds,
  serviceId: null,
  tags: [],
  metadata: {},
  idempotencyKey: null,
};

const scheduling = (wish: Wish): Step =>
  always(
    `schedule ${JSON.stringify({ ...wish, person: people[wish.person]!.name })}`,
    async (model, real) => {
      if (model.tasks.length === 4) return;
      const dueAt = model.now + wish.inMinutes * 60_000;
      const until = wish.validMinutes === null ? null : dueAt + wish.validMinutes * 60_000;
      const { task } = await real.schedule.scheduleTask(
        {
          ...blankTask,
          patient: { patientId: real.patientIds[wish.person]! },
          priority: wish.priority,
          maxAttempts: wish.maxAttempts,
          scheduledFor: new Date(dueAt),
          validUntil: until === null ? null : new Date(until),
          cancelOn: wish.cancelOn ? ['appointment.cancelled'] : [],
        },
        byOf(real),
      );
      const { person, maxAttempts, priority, cancelOn } = wish;
      const fresh = {
        status: 'SCHEDULED' as const,
        attempts: 0,
        callId: null,
        leaseUntil: 0,
        isPointless: false,
      };
      const name = `the ${model.tasks.length + 1}. task`;
      model.tasks.push({
        ...fresh,
        id: task.id,
        name,
        person,
        maxAttempts,
        priority,
        cancelOn,
        dueAt,
        until,
      });
      await follow(model, real, new Map());
    },
  );

/** A decision on a task that waits; of any other it is refused. `at`: the time that it asks for. */
async function decideOn(
  { model, real, task }: { model: Model; real: Real; task: ModelTask },
  { becomes, at }: { becomes: TaskStatus; at: number | null },
  decide: (row: OutboundTask, now: Date) => TaskFact[],
): Promise<void> {
  const by = byOf(real);
  const outcome = await refusable(real.world.change(tasks, task.id, (row) => decide(row, by.now), by));
  const isAllowed = isWaiting(task) && (at === null || task.until === null || at < task.until);
  expect(outcome, task.name).toBe(isAllowed ? 'done' : 'refused');
  const may: Standing[] = isAllowed ? [{ status: becomes, attempts: task.attempts }] : [standing(task)];
  await follow(model, real, new Map([[task.id, may]]));
  if (isAllowed && at !== null) expect(task.dueAt).toBe(at);
}

const rescheduling = (which: number, minutes: number): Step =>
  onTask(`reschedule, to ${minutes} minutes from now,`, which, (model, real, task) => {
    const at = model.now + minutes * 60_000;
    const decide = (row: OutboundTask, now: Date) => reschedule(row, new Date(at), now);
    return decideOn({ model, real, task }, { becomes: 'SCHEDULED', at }, decide);
  });

const snoozing = (which: number, minutes: number): Step =>
  onTask(`snooze, for ${minutes} minutes,`, which, (model, real, task) => {
    const at = model.now + minutes * 60_000;
    const decide = (row: OutboundTask, now: Date) => snooze(row, new Date(at), null, now);
    return decideOn({ model, real, task }, { becomes: 'SNOOZED', at }, decide);
  });

const cancelling = (which: number): Step =>
  onTask('cancel', which, (model, real, task) =>
    decideOn({ model, real, task }, { becomes: 'CANCELLED', at: null }, (row) => cancel(row, null)),
  );

const advancing = (seconds: number): Step =>
  always(`advance the clock by ${seconds} s`, async (model, real) => {
    real.clock.advance(seconds * 1000);
    model.now += seconds * 1000;
  });

const planWords = ({ answer, fate, death }: Plan) =>
  `carrier: ${answer}${answer === 'accepted' || answer === 'answer lost' ? `, ${fate}` : ''}; process: ${death}`;

const dispatching = (plan: Plan): Step =>
  always(`dispatch (${planWords(plan)})`, async (model, real) => {
    const may = dispatchMay(model, plan);
    const { turns, placed } = await dispatchOnce(real, plan);
    if (plan.death === 'waits') real.held.push(...turns);
    if (plan.death === 'waits') model.held.push(...placed.map((callId) => ({ callId, at: model.now })));
    await follow(model, real, may);
  });

/** One round. Unless the process dies or the calls wait for their turns, they are made at once. */
async function dispatchOnce(real: Real, plan: Plan) {
  const turns: (() => Promise<void>)[] = [];
  real.carrier.plan = plan;
  const round = await real.attempts.dispatch((_, call) => void turns.push(call));
  const placed = round.dispatched.map(({ call }) => call!.id);
  if (plan.death.startsWith('dies before the answer') || plan.death === 'lives') {
    for (const call of turns) await refusable(call());
  }
  return { placed, turns: turns.map((run, index) => ({ run, callId: placed[index]! })) };
}

/** Calls whose turn has come: too late, or after an opt-out, they are not dialled any more. */
const takingTurns = (plan: Plan): Step =>
  always(`make the calls that wait (${planWords(plan)})`, async (model, real) => {
    real.carrier.plan = plan;
    const held = model.held.splice(0);
    for (const { run } of real.held.splice(0)) await refusable(run());
    const may: May = new Map();
    for (const { callId, at } of held) {
      const task = attemptOf(model, callId);
      if (!task) continue;
      const isDialled = model.now - at <= 5_000 && !model.optedOut.has(phoneOf(task));
      may.set(task.id, isDialled ? afterDial(model, task, plan) : afterEnd(model, task, 'not dialled'));
    }
    await follow(model, real, may);
  });

const calling = (which: number, plan: Plan): Step =>
  onTask(`call directly (${planWords(plan)})`, which, async (model, real, task) => {
    const { answer, death } = plan;
    const phone = phoneOf(task);
    const isAllowed =
      isWaiting(task) && isOpenAt(model.now) && !isBusy(model, phone) && !model.optedOut.has(phone);
    real.carrier.plan = plan;
    const outcome = await refusable(real.attempts.placeCall(directCall(real, task), byOf(real)));
    const isTaken = death.startsWith('dies') || !['refused', 'overloaded'].includes(answer);
    expect(outcome, task.name).toBe(isAllowed && isTaken ? 'done' : 'refused');
    const may: May = new Map();
    if (isAllowed) may.set(task.id, afterDial(model, dispatched(task), plan));
    await follow(model, real, may);
  });

const directCall = (real: Real, task: ModelTask) => ({
  patient: { patientId: real.patientIds[task.person]! },
  phoneTo: null,
  source: { phoneFrom: ours },
  reason: 'Lab results are in',
  purpose: 'LAB_RESULTS' as const,
  goal: null,
  systemPrompt: null,
  welcomeMessage: null,
  serviceId: null,
  tags: [],
  metadata: {},
  variables: {},
  derivedFromCallSid: null,
  taskId: task.id,
  callbackUrl: null,
  basis: null,
  idempotencyKey: null,
});

const delivering = (which: number): Step =>
  always(`deliver a callback (${which})`, async (model, real) => {
    const sent = real.carrier.callbacks();
    const callback = sent[which % Math.max(1, sent.length)];
    if (!callback) return;
    const { remote, heard } = callback;
    const may = hearingMay(model, model.calls.get(remote.callId)!, heard, remote.fate);
    await deliver(real, remote, heard);
    await follow(model, real, may);
  });

async function deliver(real: Real, { callId }: Remote, heard: Heard): Promise<void> {
  const where = { workspaceId: { eq: real.workspaceId }, id: { eq: callId } };
  const call = (await real.world.findOne<Call>(calls.table, where))!;
  const by: By = { ...byOf(real), actor: 'carrier', source: 'carrier' };
  await real.attempts.record(call, (current) => hear(current, heard), by);
}

const sweepOf = ({ world, carrier, attempts }: Real) => ({
  world,
  carrier,
  attempts,
  pace: 1,
  log: (line: string, error?: unknown) => {
    throw new Error(line, { cause: error });
  },
});

const sweeping: Step = always('sweep', async (model, real) => {
  await sweepCalls(sweepOf(real), real.clock.now());
  const may: May = new Map();
  for (const call of model.calls.values()) {
    // Whom the sweep asks about is its own affair; what comes of it is not.
    for (const [id, standings] of lookingUpMay(model, call, real.carrier)) {
      may.set(id, [standing(model.tasks.find((task) => task.id === id)!), ...standings]);
    }
  }
  await follow(model, real, may);
});

const timingOut: Step = always('time out', async (model, real) => {
  await timeOutTasks(sweepOf(real), real.clock.now());
  const may: May = new Map();
  for (const task of model.tasks.filter(isAttempted)) {
    if (task.leaseUntil > model.now) continue;
    const call = model.calls.get(task.callId!)!;
    const remote = real.carrier.remotes.find(({ callId }) => callId === call.id);
    const found = lookingUpMay(model, call, real.carrier).get(task.id) ?? [];
    const ended = found.filter(({ status }) => status !== 'RUNNING');
    const unknown: Standing = { status: 'TIMED_OUT', attempts: task.attempts };
    // What the carrier may yet list is waited for; what it knows is what happened.
    const isLookedFor = !call.isSidKnown && !(remote && isListed(remote, real.clock.now()));
    if (isLookedFor) ended.push(standing(task));
    may.set(task.id, remote && !isLookedFor && ended.length > 0 ? ended : [unknown, ...ended]);
  }
  await follow(model, real, may);
});

const optingOut = (person: number): Step =>
  always(`${people[person]!.name} opts out`, async (model, real) => {
    const { phone } = people[person]!;
    const revocation = { patientId: real.patientIds[person]!, channels: null, reason: 'asked' };
    await real.registry.revokeConsent(revocation, byOf(real));
    model.optedOut.add(phone);
    const concerned = model.tasks.filter((task) => phoneOf(task) === phone && isWaiting(task));
    await follow(model, real, new Map(concerned.map(cancelled)));
  });

const cancelled = ({ id, attempts }: ModelTask): [string, Standing[]] => [
  id,
  [{ status: 'CANCELLED', attempts }],
];

const happening = (person: number): Step =>
  always(`the appointment of ${people[person]!.name} is cancelled`, async (model, real) => {
    const told = { type: 'appointment.cancelled', data: {}, effectiveAt: null, confidence: null };
    const patient = { patientId: real.patientIds[person]! };
    await real.registry.tell({ ...told, patient, supersedesId: null, idempotencyKey: null }, byOf(real));
    const concerned = model.tasks.filter((task) => task.person === person && task.cancelOn);
    const waiting = concerned.filter(isWaiting);
    for (const task of concerned) if (isAttempted(task)) task.isPointless = true;
    await follow(model, real, new Map(waiting.map(cancelled)));
  });

const person = fc.nat({ max: people.length - 1 });
const which = fc.nat({ max: 3 });
const planned = (...ways: Plan['death'][]) =>
  fc.record({
    // What goes well leads further.
    answer: fc.oneof(
      { weight: 2, arbitrary: fc.constant('accepted' as const) },
      { weight: 3, arbitrary: fc.constantFrom(...answers) },
    ),
    fate: fc.constantFrom(...(Object.keys(fates) as Fate[])),
    death: fc.oneof(fc.constant('lives' as const), fc.constantFrom(...ways)),
  });
const wish: fc.Arbitrary<Wish> = fc.record({
  person,
  inMinutes: fc.constantFrom<number[]>(0, 0, 0, 30),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  priority: fc.constantFrom<number[]>(1, 5, 10),
  validMinutes: fc.constantFrom<(number | null)[]>(null, null, 20, 3_000),
  cancelOn: fc.boolean(),
});
const minutes = fc.constantFrom(1, 45, 200);
const dispatch = planned(...deaths).map(dispatching);
const deliverOne = fc.nat({ max: 60 }).map(delivering);
const advance = fc.constantFrom(1, 2, 6, 20, 40, 70, 600, 960, 4_000, 10_000, 40_000).map(advancing);

/** What is drawn more often stands here more than once. */
const commands = [
  wish.map(scheduling),
  wish.map(scheduling),
  dispatch,
  dispatch,
  dispatch,
  advance,
  advance,
  advance,
  deliverOne,
  deliverOne,
  deliverOne,
  fc.constant(sweeping),
  fc.constant(sweeping),
  fc.constant(timingOut),
  planned('lives').map(takingTurns),
  fc.tuple(which, minutes).map(([task, inMinutes]) => rescheduling(task, inMinutes)),
  fc.tuple(which, minutes).map(([task, inMinutes]) => snoozing(task, inMinutes)),
  which.map(cancelling),
  fc
    .tuple(which, planned('lives', 'dies before the answer is recorded'))
    .map(([task, plan]) => calling(task, plan)),
  person.map(happening),
  fc.oneof(advance, person.map(optingOut)),
];

/** Lets time pass with everything working, until nothing is left to do. */
async function finish(real: Real): Promise<void> {
  const plan: Plan = { answer: 'accepted', fate: 'human', death: 'lives' };
  for (let round = 0; round < 100; round += 1) {
    await dispatchOnce(real, plan);
    await sweepCalls(sweepOf(real), real.clock.now());
    await timeOutTasks(sweepOf(real), real.clock.now());
    const due = await Promise.all([real.attempts.nextDueAt(), nextSweep(sweepOf(real)), nextTimeOut(real)]);
    const first = Math.min(...due.map((at) => at?.getTime() ?? Infinity));
    if (first === Infinity) return;
    real.clock.advance(Math.max(300_000, first - real.clock.now().getTime()));
  }
  throw new Error('it does not come to an end');
}

/** A failure as a story that can be read: its shortest form, command by command, and how to tell it again. */
function tellFailure(details: fc.RunDetails<[Wish, Iterable<Step>]>): void {
  if (!details.failed) return;
  const [first, steps] = details.counterexample ?? [];
  const told = [...(first ? [scheduling(first)] : []), ...(steps ?? [])];
  const story = told
    .filter((step) => (step as { hasRan?: boolean }).hasRan !== false)
    .map((step, index) => `  ${index + 1}. ${String(step)}`);
  const seed = `seed ${details.seed}, path ${details.counterexamplePath ?? ''}`;
  const cause = details.errorInstance;
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new Error([`${why}\nThe shortest story (${seed}):`, ...story].join('\n'), { cause });
}

/** Tells one story, from an empty clinic to the end of every task. */
async function tell(world: World, steps: Iterable<Step>): Promise<void> {
  const real = await stage(world);
  const model: Model = { now: start.getTime(), tasks: [], calls: new Map(), optedOut: new Set(), held: [] };
  await fc.asyncModelRun(() => ({ model, real }), steps);
  await finish(real);
  for (const task of await checkAlways(real)) {
    expect(isOver(task), `${task.id} is ${task.status} at the end`).toBe(true);
  }
}

test(
  'whatever happens in whatever order, tasks live as the model says, and nobody is dialled who should not be',
  { timeout: tellingMs + 30_000 },
  () =>
    withWorld((world) =>
      fc.assert(
        fc.asyncProperty(wish, fc.commands(commands, { maxCommands: 40, size: 'max' }), (first, steps) =>
          tell(world, [scheduling(first), ...steps]),
        ),
        { numRuns: runs, interruptAfterTimeLimit: tellingMs, reporter: tellFailure },
      ),
    ),
);

const ada: Wish = {
  person: 0,
  inMinutes: 0,
  maxAttempts: 2,
  priority: 5,
  validMinutes: null,
  cancelOn: true,
};
const accepted: Plan = { answer: 'accepted', fate: 'human', death: 'lives' };
const stories: Record<string, Step[]> = {
  'a call that waits for its turn is not dialled once its number has opted out': [
    scheduling(ada),
    dispatching({ ...accepted, death: 'waits' }),
    optingOut(1),
    takingTurns(accepted),
  ],
  'what happened just before a task was scheduled does not end it later': [
    happening(0),
    scheduling(ada),
    dispatching({ ...accepted, fate: 'busy' }),
    advancing(2),
    delivering(2),
  ],
  'what happens while a task is attempted ends it with the attempt': [
    scheduling(ada),
    dispatching({ ...accepted, fate: 'busy' }),
    happening(0),
    advancing(2),
    delivering(2),
  ],
  'a call whose answer was lost is looked for as long as the list may lag': [
    scheduling(ada),
    dispatching({ ...accepted, answer: 'answer lost', fate: 'an hour long' }),
    advancing(6),
    sweeping,
    advancing(20),
    sweeping,
  ],
  'an attempt that outlasts its lease is timed out, and its late end changes nothing': [
    scheduling(ada),
    dispatching({ ...accepted, fate: 'an hour long' }),
    advancing(960),
    timingOut,
    advancing(4_000),
    delivering(2),
  ],
  'a carrier that is overloaded is asked again, and no attempt is lost': [
    scheduling({ ...ada, maxAttempts: 1 }),
    dispatching({ ...accepted, answer: 'overloaded' }),
    advancing(20),
    dispatching({ ...accepted, answer: 'overloaded' }),
    advancing(40),
    dispatching(accepted),
  ],
};

test.each(Object.entries(stories))('%s', (_, steps) => withWorld((world) => tell(world, steps)));
