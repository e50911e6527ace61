/** Campaigns in the chaos: begun by key and by the clock, held, let go on, cancelled, told something else, stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { CampaignRunStatus } from '../src/domain/campaign-run.ts';
import type { World } from '../src/world.ts';
import { eventually } from '../test/support/eventually.ts';
import { ask, testKey } from '../test/support/program.ts';

/** What becomes of a campaign, and the tag of its members. */
export const parts = ['asked', 'daily', 'paused', 'held', 'cancelled', 'updated'] as const;
type Part = (typeof parts)[number] | 'broken';

/** The ending of numbers at which the carrier fails each time: they are the members of a campaign that must be stopped. */
export const brokenEnding = '0115';

/** What the updated one is told at the end. */
export const newReason = 'The clinic has moved';

/** For how long a run is held, in milliseconds: longer than a claim takes. */
const heldMs = 4_000;

/** How long each step may take, in milliseconds. */
const stepMs = 60_000;

const timeZone = 'America/New_York';

/** What the campaigns need. */
export interface CampaignTools {
  url: string;
  world: World;
  /** Members of each. */
  size: number;
  now: () => Date;
}

interface Payload {
  __typename: string;
  replayed?: boolean;
  run?: { id: string };
  campaign?: { id: string };
}

/** The campaigns of a chaos. */
export class Campaigns {
  readonly #tools: CampaignTools;
  readonly #ids = new Map<Part, string>();
  #isDriven = false;
  /** What was refused or did not come about. */
  readonly faults: string[] = [];

  constructor(tools: CampaignTools) {
    this.#tools = tools;
  }

  /** Creates them; those that are held later, and the one that begins by itself, are active. */
  async create(): Promise<void> {
    for (const part of [...parts, 'broken'] as const) {
      const { campaign } = await this.#ask('createCampaign', 'input: CampaignInput!', {
        input: this.#inputOf(part),
      });
      this.#ids.set(part, campaign!.id);
    }
    for (const part of ['daily', 'paused', 'held'] as const) await this.#verb('activateCampaign', part);
  }

  /** Does to each what it is there for. */
  async drive(): Promise<void> {
    const steps = [
      this.#runByKey(),
      this.#hold('paused').then(() => this.#goOn()),
      this.#hold('held'),
      this.#cancelAndRun(),
      this.#update(),
      this.#trip(),
    ];
    for (const done of await Promise.allSettled(steps))
      if (done.status === 'rejected') this.faults.push(`a campaign: ${(done.reason as Error).message}`);
    this.#isDriven = true;
  }

  /** Lets stopped runs go on, as people would who look after them, and puts away what would run again tomorrow. */
  async mind(): Promise<void> {
    const { world, now } = this.#tools;
    const today = now().toLocaleDateString('en-CA', { timeZone });
    const stopped = await world.query<{ id: string }>(sql`select distinct campaign_id as id from campaign_run
      where status = 'STOPPED_BY_BREAKER' and date = ${today}::date and campaign_id <> ${this.#ids.get('broken')!}`);
    for (const { id } of stopped) await this.#ask('runCampaign', 'id: ID!', { id });
    if (!this.#isDriven) return;
    const done = await world.query<{ id: string }>(sql`select c.id from campaign c where c.status = 'ACTIVE'
      and exists (select from campaign_run r where r.campaign_id = c.id) and not exists (
        select from campaign_run r where r.campaign_id = c.id and r.status not in ('COMPLETED', 'CANCELLED'))`);
    for (const { id } of done) await this.#ask('archiveCampaign', 'id: ID!', { id });
  }

  /** Whether the one that begins by itself has. */
  async hasBegun(): Promise<boolean> {
    return (await this.#tools.world.query(sql`select from campaign_run where not manual limit 1`)).length > 0;
  }

  /** How many members were dialled, and how often a run was stopped because the carrier failed. */
  async told(): Promise<{ members: number; trips: number }> {
    const [told] = await this.#tools.world.query<{ members: number; trips: number }>(sql`select
      (select count(*)::int from call where campaign_run_id is not null and sid is not null) as members,
      (select count(*)::int from event where type = 'campaign_run.stopped') as trips`);
    return told!;
  }

  /** Several who run a campaign with one key at once begin one run. */
  async #runByKey(): Promise<void> {
    const runs = await Promise.all(Array.from({ length: 3 }, () => this.#run('asked', 'chaos')));
    const again = await this.#run('asked', 'chaos');
    const ids = new Set([...runs, again].map((run) => run.run?.id));
    if (ids.size !== 1 || !again.replayed) this.faults.push('one key began several runs');
  }

  async #hold(part: 'paused' | 'held'): Promise<void> {
    const { run } = await this.#run(part);
    await this.#someAreCalled(run!.id);
    await this.#verb('pauseCampaign', part);
  }

  async #goOn(): Promise<void> {
    await sleep(heldMs);
    await this.#verb('activateCampaign', 'paused');
  }

  /** Who was not dialled when the run was cancelled is a member of the next one. */
  async #cancelAndRun(): Promise<void> {
    const { run } = await this.#run('cancelled');
    await this.#someAreCalled(run!.id);
    await this.#ask('cancelCampaignRun', 'id: ID!', { id: run!.id });
    const next = await this.#run('cancelled');
    if (next.run?.id === run!.id) this.faults.push('a cancelled run went on');
  }

  async #update(): Promise<void> {
    const { run } = await this.#run('updated');
    await this.#someAreCalled(run!.id);
    const input = { ...this.#inputOf('updated'), reason: newReason };
    await this.#ask('updateCampaign', 'id: ID!, input: CampaignInput!', {
      id: this.#ids.get('updated'),
      input,
    });
  }

  /** The carrier fails at each of these: the run is stopped, goes on when it is told to, and is stopped again. */
  async #trip(): Promise<void> {
    const { run } = await this.#run('broken');
    await this.#is(run!.id, 'STOPPED_BY_BREAKER');
    await this.#run('broken');
    await this.#is(run!.id, 'STOPPED_BY_BREAKER');
    await this.#ask('cancelCampaignRun', 'id: ID!', { id: run!.id });
  }

  #inputOf(part: Part) {
    const soon = new Date(this.#tools.now().getTime() + 75_000); // more than a minute, in whole ones
    const runAt = soon.toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
    return {
      name: part,
      purpose: 'WELLNESS_CHECKUP',
      reason: 'Check-up',
      audience: { tags: [part] },
      timeZone,
      runAt: part === 'daily' ? runAt : '09:00', // which has passed
      // So that a run takes long enough to be in the midst of it.
      callsPerMinute: Math.min(600, 10 * this.#tools.size),
      maxConcurrentCalls: part === 'broken' ? 2 : 20,
      breakerThreshold: part === 'broken' ? 2 : 10,
    };
  }

  #run(part: Part, idempotencyKey: string | null = null): Promise<Payload> {
    const id = this.#ids.get(part);
    return this.#ask('runCampaign', 'id: ID!, idempotencyKey: String', { id, idempotencyKey });
  }

  #verb(mutation: string, part: Part): Promise<Payload> {
    return this.#ask(mutation, 'id: ID!', { id: this.#ids.get(part) });
  }

  /** Asks until it is answered. Whoever has to ask again may find it done, and be refused for that. */
  async #ask(mutation: string, declared: string, variables: object): Promise<Payload> {
    const given = [...declared.matchAll(/(\w+):/g)].map(([, name]) => `${name}: $${name}`).join(', ');
    const payload = /run/i.test(mutation)
      ? '... on RunCampaignPayload { replayed run { id } }'
      : '... on CampaignPayload { campaign { id } }';
    const query = `mutation (${declared.replaceAll(/(\w+):/g, '$$$1:')}) { told: ${mutation}(${given}) {
      __typename ${payload} ... on Error { code message } ... on InputError { fields { path message } } } }`;
    for (let tries = 1; ; tries += 1) {
      const request = { query, variables: { ...variables }, key: testKey };
      const answer = await ask(this.#tools.url, request).catch(() => null);
      const told = answer?.data?.told as Payload | null | undefined;
      if (told?.__typename.endsWith('Payload')) return told;
      if (told?.__typename === 'StateError' && tries > 1) return told;
      if (told) throw new Error(`${mutation} was refused: ${JSON.stringify(told)}`);
      await sleep(50);
    }
  }

  /** Waits until a third of a run's members have been dialled. */
  async #someAreCalled(runId: string): Promise<void> {
    const { world, size } = this.#tools;
    await eventually(async () => {
      const [called] = await world.query<{ count: number }>(
        sql`select count(*)::int as count from call where campaign_run_id = ${runId} and sid is not null`,
      );
      return called!.count >= size / 3;
    }, stepMs);
  }

  async #is(runId: string, status: CampaignRunStatus): Promise<void> {
    await eventually(async () => {
      const found = await this.#tools.world.query(
        sql`select from campaign_run where id = ${runId} and status = ${status}`,
      );
      return found.length > 0;
    }, stepMs);
  }
}
