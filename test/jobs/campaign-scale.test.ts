/** A campaign of fifty thousand: what it costs is held to plans and rows, not to time. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openCampaigns, type Campaigns } from '../../src/campaign.ts';
import { countsOf } from '../../src/campaign/counts.ts';
import { feedRun } from '../../src/campaign/feed.ts';
import { previewRun } from '../../src/campaign/preview.ts';
import { candidates } from '../../src/campaign/select.ts';
import { hear } from '../../src/domain/call-progress.ts';
import type { Campaign } from '../../src/domain/campaign.ts';
import * as campaigns from '../../src/domain/campaign.ts';
import * as runs from '../../src/domain/campaign-run.ts';
import type { CampaignRun, Counts } from '../../src/domain/campaign-run.ts';
import { table as workspaces, type Workspace } from '../../src/domain/workspace.ts';
import { withdrawRun } from '../../src/withdraw.ts';
import type { World } from '../../src/world.ts';
import { ours, sidOf, withClinic, type Clinic } from './clinic.ts';
import { addCampaign, anyCampaign, crowd } from './crowd.ts';

const many = 50_000;
const today = '2026-03-03';
const capacity = { callsPerMinute: 10_000, callsPerSecond: 10_000 };

/** A node of a plan, as Postgres tells it. */
interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: Node[];
}
const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap((child) => nodesOf(child))];

async function explain(world: World, statement: Parameters<World['query']>[0]): Promise<Node[]> {
  const [row] = await world.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    sql`explain (analyze, format json) ${statement}`,
  );
  return nodesOf(row!['QUERY PLAN'][0].Plan);
}

/** The crowd's own arithmetic: who is made up, who wants no calls, and who has opted out. */
const leftOut = (count: number) => [
  { reason: 'PATIENT_TEST', count: count / 50 },
  { reason: 'CHANNEL_BLOCKED', count: count / 100 },
  { reason: 'DO_NOT_CONTACT', count: count / 100 },
];
const eligibleOf = (count: number) => count * 0.96;

/** Nobody's row is looked for by reading a table from end to end once more for each patient. */
async function checkPlan({ world }: Clinic, campaign: Campaign): Promise<void> {
  const workspace = { sandbox: false, allowlist: [] };
  const selection = { campaign, workspace, date: today, now: new Date() };
  const nodes = await explain(world, candidates(selection));
  for (const name of ['patient', 'contact', 'outbound_task', 'campaign_member']) {
    const reads = nodes.filter((node) => node['Relation Name'] === name);
    expect(reads.length, name).toBeGreaterThan(0);
    for (const read of reads)
      if (read['Node Type'] === 'Seq Scan') expect(read['Actual Loops'], name).toBeLessThanOrEqual(3);
  }
}

/** A preview reads page by page: no answer of the database holds more than one. */
async function checkPreview({ world, workspaceId, by }: Clinic, campaign: Campaign): Promise<void> {
  const sizes: number[] = [];
  const watched: World = {
    ...world,
    query: async <R>(statement: Parameters<World['query']>[0]) => {
      const rows = await world.query<R>(statement);
      sizes.push(rows.length);
      return rows;
    },
  };
  const workspace = (await world.findOne<Workspace>(workspaces, { id: { eq: workspaceId } }))!;
  const selection = { campaign, workspace, now: by().now };
  const preview = await previewRun(watched, selection, { ...capacity, numbers: [ours] });
  expect(preview).toMatchObject({ eligible: eligibleOf(many), exclusions: leftOut(many) });
  expect(preview.sampleIds).toHaveLength(10);
  expect(preview.finishesInWindow).toBe(true);
  expect(preview.byHour.reduce((sum, { calls }) => sum + calls, 0)).toBe(eligibleOf(many));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(5_000);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(many + 10);
}

const keys = ['pending', 'inFlight', 'answered', 'unanswered', 'failed', 'cancelled'] as const;
const sumOf = (counts: Counts) => keys.reduce((sum, key) => sum + counts[key], 0);

const runOf = async ({ world, workspaceId }: Clinic, id: string): Promise<CampaignRun> =>
  (await world.findOne<CampaignRun>(runs.table, { workspaceId: { eq: workspaceId }, id: { eq: id } }))!;

/** Looks at the counts of a run again and again until it is told to stop. */
function sample(clinic: Clinic, id: string) {
  const seen: Counts[] = [];
  const stopping = new AbortController();
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      const run = await runOf(clinic, id);
      seen.push((await countsOf(clinic.world, [run])).get(id)!);
    }
  })();
  return async (): Promise<Counts[]> => {
    stopping.abort();
    await watching;
    return seen;
  };
}

/** How calls end, by turns: some are still under way when it is looked. */
const endings = ['completed', 'busy', 'no-answer', 'failed', null];

/** A second of a run: what is due is dispatched, and each call ends in its way. */
async function second(clinic: Clinic, run: CampaignRun): Promise<number> {
  const { world, clock, attempts, by } = clinic;
  clock.advance(1_000);
  const { dispatched } = await clinic.dispatch();
  await Promise.all([
    feedRun(world, run, by()),
    ...dispatched.map(async ({ call: placed }, index) => {
      const call = placed!;
      const status = endings[index % endings.length];
      const heard = { sid: sidOf({ callId: call.id }), at: clock.now(), via: 'callback' as const };
      if (status) await attempts.record(call, (current) => hear(current, { ...heard, status }), by());
    }),
  ]);
  return dispatched.length;
}

/** What the tasks of a run say, told one by one. */
async function truth({ world }: Clinic, run: CampaignRun): Promise<Record<string, number>> {
  const rows = await world.query<{ status: string; count: number }>(sql`
    select status, count(*)::int as count from outbound_task where queue_id = ${run.id} group by 1`);
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

/** For how long a run is watched, in its seconds. */
const seconds = 12;

/** The states of its members sum to those who were eligible whenever it is looked, from the first task to the last. */
async function checkCounts(clinic: Clinic, keeper: Campaigns, run: CampaignRun): Promise<void> {
  const { world, by } = clinic;
  await feedRun(world, run, by());
  const stop = sample(clinic, run.id);
  let calls = 0;
  for (let count = 0; count < seconds; count += 1) calls += await second(clinic, run);
  expect(calls).toBe(seconds * 10); // 600 a minute, spread over it
  const told = await truth(clinic, run);
  const counts = (await countsOf(world, [run])).get(run.id)!;
  expect(counts).toMatchObject({
    inFlight: 2 * seconds,
    answered: 2 * seconds,
    unanswered: 4 * seconds,
    failed: 2 * seconds,
    cancelled: 0,
  });
  expect(told).toMatchObject({ DISPATCHED: 2 * seconds, COMPLETED: 2 * seconds, FAILED: 6 * seconds });
  await keeper.cancelRun(run.id, by());
  const over = await runOf(clinic, run.id);
  while ((await withdrawRun(world, over, by())) > 0);
  const seen = await stop();
  expect(seen.length).toBeGreaterThan(20);
  for (const at of seen) {
    expect(sumOf(at), JSON.stringify(at)).toBe(run.eligible);
    expect(Math.min(...keys.map((key) => at[key])), JSON.stringify(at)).toBeGreaterThanOrEqual(0);
  }
  expect(seen.some(({ inFlight }) => inFlight > 0)).toBe(true);
  for (const key of ['answered', 'unanswered', 'failed', 'cancelled'] as const) {
    const series = seen.map((at) => at[key]);
    expect(series, `${key} never falls`).toEqual(series.toSorted((a, b) => a - b));
  }
  const left = (await countsOf(world, [over])).get(run.id)!;
  expect(left).toEqual({ ...counts, pending: 0, cancelled: run.eligible - 10 * seconds });
}

test(
  'fifty thousand are selected and previewed without reading anything twice, and counted at every instant',
  () =>
    withClinic(async (clinic) => {
      const { world, workspaceId, by } = clinic;
      await crowd(world, workspaceId, many);
      const campaign = await addCampaign(clinic);
      const keeper = openCampaigns({ world, ...capacity });
      const run = (await keeper.runDay(campaign, today, by()))!;
      expect(run).toMatchObject({ eligible: eligibleOf(many), exclusions: leftOut(many), status: 'RUNNING' });
      const [stored] = await world.query<{ members: number; others: number }>(sql`
      select count(*) filter (where reason is null)::int as members, count(reason)::int as others
      from campaign_member where run_id = ${run.id}`);
      expect(stored).toEqual({ members: eligibleOf(many), others: many - eligibleOf(many) });
      await checkPlan(clinic, campaign);
      await checkPreview(clinic, await addCampaign(clinic));
      await checkCounts(clinic, keeper, run);
    }),
  60_000,
);

const tasksOf = async ({ world }: Clinic, run: CampaignRun): Promise<number> => {
  const [found] = await world.query<{ count: number }>(sql`
    select count(*)::int as count from campaign_member where run_id = ${run.id} and task_id is not null`);
  return found!.count;
};

test(
  'members become tasks a few at a time: as many as two minutes of the pace, and five hundred at the most',
  () =>
    withClinic(async (clinic) => {
      const { world, workspaceId, by, clock } = clinic;
      await crowd(world, workspaceId, 1_000);
      const keeper = openCampaigns({ world, ...capacity });
      const begin = async (more: Partial<typeof anyCampaign>) =>
        (await keeper.runDay(await addCampaign(clinic, more), today, by()))!;
      const feed = (run: CampaignRun) => feedRun(world, run, by());
      for (const [callsPerMinute, made] of [
        [1, 20],
        [30, 60],
        [600, 500],
      ] as const) {
        const run = await begin({ callsPerMinute });
        expect([await feed(run), await feed(run)]).toEqual([made, 0]);
        expect(await tasksOf(clinic, run)).toBe(made);
      }
      const slow = await begin({ callsPerMinute: 20 });
      expect(await feed(slow)).toBe(40);
      const wait = sql`update outbound_task set next_attempt_at = ${new Date(clock.now().getTime() + 60_000)}
      where id in (select id from outbound_task where queue_id = ${slow.id} and next_attempt_at <= ${clock.now()} limit 25)`;
      await world.query(wait);
      expect(await feed(slow)).toBe(25); // who must wait makes room for others
      const quick = { ...anyCampaign, callsPerMinute: 100 };
      await world.change(campaigns, slow.campaignId, (row) => campaigns.update(row, quick), by());
      expect(await feed(slow)).toBe(160);
      await world.change(runs, slow.id, runs.pause, by());
      await world.query(wait);
      expect(await feed(slow)).toBeNull();
    }),
  30_000,
);

test('the last members are fed too, each once, whoever feeds', () =>
  withClinic(async (clinic) => {
    const { world, workspaceId, by, clock } = clinic;
    await crowd(world, workspaceId, 100);
    const other = await clinic.replica();
    const keeper = openCampaigns({ world, ...capacity });
    const run = (await keeper.runDay(await addCampaign(clinic, { callsPerMinute: 20 }), today, by()))!;
    for (let round = 0; round < 4; round += 1) {
      await Promise.all([world, other.world, world].map((from) => feedRun(from, run, by())));
      await world.query(
        sql`update outbound_task set next_attempt_at = ${new Date(clock.now().getTime() + 60_000)}`,
      );
    }
    expect(await tasksOf(clinic, run)).toBe(96);
    const [found] = await world.query<{ tasks: number; people: number }>(sql`
      select count(*)::int as tasks, count(distinct patient_id)::int as people from outbound_task`);
    expect(found).toEqual({ tasks: 96, people: 96 });
  }));

/** What a task of a run has become, and as what its member is counted. */
const fates: [status: string, attempts: number, outcome: string | null, counted: (typeof keys)[number]][] = [
  ['SNOOZED', 0, null, 'pending'],
  ['SCHEDULED', 0, 'blocked', 'pending'],
  ['DISPATCHED', 1, null, 'inFlight'],
  ['RUNNING', 1, null, 'inFlight'],
  ['COMPLETED', 1, 'completed', 'answered'],
  ['FAILED', 1, 'busy', 'unanswered'],
  ['FAILED', 1, 'no_answer', 'unanswered'],
  ['FAILED', 1, 'completed_by_machine', 'unanswered'],
  ['FAILED', 1, 'failed_sip_404', 'failed'],
  ['FAILED', 0, 'carrier_rejected_21211', 'failed'],
  ['FAILED', 0, 'blocked', 'failed'],
  ['FAILED', 0, null, 'failed'],
  ['TIMED_OUT', 1, null, 'failed'],
  ['TIMED_OUT', 0, 'blocked', 'cancelled'],
  ['CANCELLED', 0, null, 'cancelled'],
];

test('each member is counted as what has become of it, and as pending until it has a task', () =>
  withClinic(async (clinic) => {
    const { world, workspaceId, by } = clinic;
    await crowd(world, workspaceId, 100);
    const keeper = openCampaigns({ world, ...capacity });
    const run = (await keeper.runDay(await addCampaign(clinic, { callsPerMinute: 1 }), today, by()))!;
    await feedRun(world, run, by());
    const made = await world.query<{ id: string }>(sql`select id from outbound_task order by id`);
    const expected = { pending: 96, inFlight: 0, answered: 0, unanswered: 0, failed: 0, cancelled: 0 };
    for (const [index, [status, attempts, outcome, counted]] of fates.entries()) {
      await world.query(sql`update outbound_task set status = ${status}, attempts = ${attempts}::int,
        last_outcome = ${outcome} where id = ${made[index]!.id}`);
      expected.pending -= 1;
      expected[counted] += 1;
      expect((await countsOf(world, [run])).get(run.id), `${status} ${outcome}`).toEqual(expected);
    }
  }));
