/**
 * Chaos: tasks are scheduled, dispatched and called while processes, nats-server and Postgres die and the carrier
 * stammers. When all is quiet, the carrier's ledger and the events are held against what was promised.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { openWorld, type World } from '../src/world.ts';
import { openCluster, type Cluster, type Role } from '../test/support/cluster.ts';
import { eventually } from '../test/support/eventually.ts';
import { Campaigns, brokenEnding, parts } from './campaigns.ts';
import { dialsOf, violationsOf } from './check.ts';
import { violationsOfCampaigns } from './check-campaigns.ts';
import { crash, treatmentFrom } from './harm.ts';
import {
  memberAreas,
  numberFrom,
  plan,
  prepare,
  register,
  schedule,
  type Answered,
  type Person,
} from './load.ts';
import { randomOf, type Random } from './random.ts';
import { stateOf, type State } from './state.ts';

/** How large the chaos is. */
export interface ChaosOptions {
  databaseUrl: string;
  tasks: number;
  /** Members of campaigns, in all. */
  members: number;
  seed: number;
  roles: readonly Role[];
  areas: readonly number[];
  /** The most that a task has. */
  maxAttempts: number;
  /** How many processes are killed at most: who is killed takes longer, and so is killed more often. */
  mostKills: number;
  /** When nats-server is killed, in milliseconds after the chaos began; two seconds later it is back. */
  natsKillsAt: readonly number[];
  /** When Postgres crashes, in milliseconds after the chaos began; null: never. */
  databaseCrashAt: number | null;
  /** How long all may take, in milliseconds. */
  withinMs: number;
  /** Takes a line on how it goes. */
  tell: (line: string) => void;
  logFile?: string | undefined;
}

/** What has happened. */
export interface Outcome {
  tasks: number;
  /** Members of campaigns who were dialled. */
  members: number;
  /** How often a run was stopped because the carrier failed. */
  trips: number;
  /** Dials that the carrier began. */
  attempts: number;
  kills: number;
  violations: string[];
  /** Tasks by their status. */
  statuses: Record<string, number>;
}

/** 14:00 in New York, 9:00 in Honolulu: everybody may be called. */
const startAt = new Date('2026-03-03T19:00:00Z');

/** How often a process is killed, in milliseconds. */
const killEveryMs = 1_000;

/** How long nats-server is away, in milliseconds. */
const natsAwayMs = 2_000;

/** Time is skipped when so few are called, or due within moments: one in two hundred of all tasks. */
const fewOf = 200;

/** How long after the next due instant the processes start again, in milliseconds: what was due meanwhile is late. */
const lieInMs = 120_000;

/** When nothing has happened for so many milliseconds, somebody's patience is waited for: it is skipped. */
const stillMs = 3_000;
const patienceMs = 20_000;

/** How many tasks are due in a second, on average. */
const tasksPerSecond = 80;

/** Runs it all. The database must be migrated, or empty. */
export async function runChaos(options: ChaosOptions): Promise<Outcome> {
  const faults = randomOf(options.seed + 1);
  const world = await openWorld({ databaseUrl: options.databaseUrl, poolSize: 4 });
  await world.migrate();
  const cluster = await openCluster({ ...options, startAt, treat: () => treatmentFrom(faults) });
  try {
    return await new Run(options, cluster, world).run();
  } finally {
    await cluster.close();
    await world.close();
  }
}

class Run {
  readonly #options: ChaosOptions;
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #campaigns: Campaigns;
  readonly #answered: Answered = { taskIds: new Map(), faults: [], again: 0 };
  readonly #beganAt = performance.now();
  #kills = 0;
  #mayKill = false;

  constructor(options: ChaosOptions, cluster: Cluster, world: World) {
    this.#options = options;
    this.#cluster = cluster;
    this.#world = world;
    const size = Math.ceil(options.members / (parts.length + 1));
    this.#campaigns = new Campaigns({ url: cluster.url, world, size, now: cluster.clock.now });
  }

  async run(): Promise<Outcome> {
    const { tasks, seed, areas, maxAttempts, tell } = this.#options;
    const random = randomOf(seed);
    await this.#cluster.ready();
    await prepare(this.#cluster.url);
    const phones = Array.from({ length: Math.ceil(tasks * 0.75) }, () => numberFrom(random, areas));
    // Several people share a number, and some have several reasons to be called.
    const people = [...phones, ...phones.slice(0, phones.length / 4)];
    const patientIds = await register(
      this.#cluster.url,
      people.map((phone) => ({ phone, tags: [] })),
    );
    await register(this.#cluster.url, this.#members(random, phones));
    await this.#campaigns.create();
    tell(`${patientIds.length} patients at ${new Set(phones).size} numbers, seed ${seed}`);
    const spanMs = (tasks / tasksPerSecond) * 1_000;
    const planned = plan(random, patientIds, {
      count: tasks,
      from: this.#cluster.clock.now(),
      spanMs,
      maxAttempts,
    });
    this.#mayKill = true;
    const stop = new AbortController();
    const killing = this.#kill(stop.signal);
    const upsets = this.#upset();
    const loading = schedule(this.#cluster.url, planned, this.#answered);
    const inTime = await this.#untilOver(Promise.all([loading, upsets, this.#campaigns.drive()]));
    stop.abort();
    await killing;
    return this.#outcome(inTime);
  }

  /** Members of campaigns: most have numbers of their own, some are people with tasks; one's are at numbers where the carrier fails. */
  #members(random: Random, phones: readonly string[]): Person[] {
    const members = Array.from({ length: this.#options.members }, (_, index) => ({
      phone: index % 10 === 0 ? random.pick(phones) : numberFrom(random, memberAreas),
      tags: [parts[index % parts.length]!],
    }));
    const broken = memberAreas.slice(0, 6);
    return [
      ...members.filter(({ phone }) => !phone.endsWith(brokenEnding)),
      ...broken.map((area) => ({ phone: `+1${area}555${brokenEnding}`, tags: ['broken'] })),
    ];
  }

  /** Kills a process every second. */
  async #kill(signal: AbortSignal): Promise<void> {
    const random = randomOf(this.#options.seed + 2);
    while (!signal.aborted && this.#kills < this.#options.mostKills) {
      await sleep(killEveryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted || !this.#mayKill) continue;
      if (this.#cluster.killOne(random)) this.#kills += 1;
    }
  }

  /** Kills what all processes lean on. */
  async #upset(): Promise<void> {
    const { natsKillsAt, databaseCrashAt, tell } = this.#options;
    const began = performance.now();
    const until = (at: number) => sleep(Math.max(0, at - (performance.now() - began)));
    const nats = async () => {
      for (const at of natsKillsAt) {
        await until(at);
        await this.#cluster.killNats();
        tell('nats-server was killed');
        await sleep(natsAwayMs);
        await this.#cluster.startNats();
        this.#kills += 1;
      }
    };
    const database = async () => {
      if (databaseCrashAt === null) return;
      await until(databaseCrashAt);
      await crash(this.#options.databaseUrl);
      tell('Postgres crashed');
      this.#kills += 1;
    };
    await Promise.all([nats(), database()]);
  }

  /** Waits until every task is over, and skips the hours in which nothing is due; false when it takes too long. */
  async #untilOver(upsets: Promise<unknown>): Promise<boolean> {
    let isUpset = true;
    void upsets.then(() => (isUpset = false));
    let toldAt = 0;
    let seen = '';
    let seenAt = 0;
    while (performance.now() - this.#beganAt < this.#options.withinMs) {
      await sleep(250);
      const state = await this.#lookAfter().catch(() => null);
      if (!state) continue; // Postgres is away
      if (performance.now() - toldAt > 5_000) {
        toldAt = performance.now();
        this.#tell(state);
      }
      if (isUpset) continue;
      const isOver = state.over === state.tasks && state.runs + state.calls === 0;
      if (isOver && (await this.#campaigns.hasBegun())) return true;
      if (JSON.stringify(state) !== seen) {
        seen = JSON.stringify(state);
        seenAt = performance.now();
      }
      const dueInMs = (state.nextAt?.getTime() ?? Infinity) - this.#cluster.clock.now().getTime();
      const isQuiet = state.calls + state.soon <= this.#options.tasks / fewOf;
      if (isQuiet && state.nextAt) await this.#leap(Math.max(0, dueInMs) + lieInMs);
      else if (performance.now() - seenAt > stillMs) await this.#leap(patienceMs);
    }
    return false;
  }

  async #lookAfter(): Promise<State> {
    await this.#campaigns.mind();
    return stateOf(this.#world, this.#cluster.clock.now());
  }

  /** Skips time: all processes are dead meanwhile. */
  async #leap(milliseconds: number): Promise<void> {
    this.#mayKill = false;
    await this.#cluster.sleepUntil(new Date(this.#cluster.clock.now().getTime() + milliseconds));
    await this.#cluster.ready();
    this.#mayKill = true;
  }

  #tell({ tasks, over, runs, calls }: State): void {
    const seconds = Math.round((performance.now() - this.#beganAt) / 1000);
    const clock = this.#cluster.clock.now().toISOString().slice(0, 19);
    this.#options.tell(
      `${seconds} s, ${clock}: ${this.#answered.taskIds.size} answered, ${tasks} tasks, ${over} over, ${runs} runs and ${calls} calls open, ${this.#kills} kills`,
    );
  }

  async #outcome(inTime: boolean): Promise<Outcome> {
    this.#mayKill = false;
    const { tasks, withinMs } = this.#options;
    const rest = this.#settled().then(() => []);
    const settled = await rest.catch((error: Error) => [`it did not come to rest: ${error.message}`]);
    const ledger = this.#cluster.carrier.ledger();
    const { natsUrl } = this.#cluster;
    const dials = dialsOf(ledger);
    const found = [
      ...(await violationsOf({ world: this.#world, natsUrl, ledger, scheduled: tasks })),
      ...(await violationsOfCampaigns(this.#world, dials)),
    ];
    const late = inTime ? [] : [`not everything was over within ${withinMs} ms`];
    const asked = [...this.#answered.faults, ...this.#campaigns.faults];
    const { statuses } = await stateOf(this.#world, this.#cluster.clock.now());
    return {
      tasks,
      ...(await this.#campaigns.told()),
      attempts: dials.length,
      kills: this.#kills,
      violations: [...late, ...settled, ...asked, ...this.#cluster.deaths, ...found],
      statuses,
    };
  }

  /** Waits until all that was recorded has its place in the log, and the stream has it too. */
  async #settled(): Promise<void> {
    await this.#cluster.ready();
    await eventually(async () => {
      const [left] = await this.#world.query<{ count: number }>(
        sql`select count(*)::int as count from outbox`,
      );
      return left?.count === 0;
    }, 30_000);
  }
}
