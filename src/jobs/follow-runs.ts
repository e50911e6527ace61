import { sql } from 'kysely';
import { countsOf } from '../campaign/counts.ts';
import { feedRun } from '../campaign/feed.ts';
import * as campaigns from '../domain/campaign.ts';
import type { Campaign } from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import type { CampaignRun } from '../domain/campaign-run.ts';
import type { By } from '../domain/event.ts';
import { Refusal } from '../domain/refusal.ts';
import { withdrawRun } from '../withdraw.ts';
import type { World } from '../world.ts';

/** What following runs needs. */
interface Tools {
  world: World;
  log: (line: string, error?: unknown) => void;
}

/**
 * Makes tasks of the next members of each run, tells how far it has come, ends it when no member is open or its day is
 * over, and cancels what an ended run has left. Answers how many runs went on.
 */
export async function followRuns({ world, log }: Tools, now: Date): Promise<number> {
  const open = await world.find<CampaignRun>(runs.table, {
    status: { in: ['RUNNING', 'PAUSED', 'STOPPED_BY_BREAKER'] },
  });
  let moved = 0;
  for (const run of [...open, ...(await leftOver(world, now))]) {
    const by: By = { workspaceId: run.workspaceId, actor: 'follow-runs', source: 'job', now };
    try {
      moved += runs.isOver(run) ? await withdrawRun(world, run, by) : await follow(world, run, by);
    } catch (error) {
      if (error instanceof Refusal) await world.change(runs, run.id, (r) => runs.stop(r, error.message), by);
      log(`run ${run.id} could not go on; it is tried again`, error);
    }
  }
  return moved;
}

async function follow(world: World, run: CampaignRun, by: By): Promise<number> {
  const where = { workspaceId: { eq: run.workspaceId }, id: { eq: run.campaignId } };
  const campaign = await world.findOne<Campaign>(campaigns.table, where);
  const isDayOver = !!campaign && by.now >= campaigns.dayEnd(campaign, run.date);
  const fed = isDayOver ? 0 : ((await feedRun(world, run, by)) ?? 0);
  return fed + (await tell(world, run, { by, isDayOver }));
}

/** Records how far a run has come. Whether it is complete is decided by one count, under its lock. */
const tell = (
  world: World,
  run: CampaignRun,
  { by, isDayOver }: { by: By; isDayOver: boolean },
): Promise<number> =>
  world.transact(async (tx) => {
    const where = { workspaceId: { eq: run.workspaceId }, id: { eq: run.id } };
    const [current] = await tx.lockEach(runs, { where, limit: 1, skipLocked: true });
    if (!current || runs.isOver(current)) return 0;
    const counts = (await countsOf(tx, [current])).get(current.id)!;
    const isDone =
      current.status === 'RUNNING' && counts.inFlight === 0 && (counts.pending === 0 || isDayOver);
    if (isDone) {
      const left = { ...counts, pending: 0, cancelled: counts.cancelled + counts.pending };
      return tx.decide(runs, current, runs.complete(current, left), by).events.length;
    }
    if (isDayOver && current.status !== 'RUNNING')
      return tx.decide(runs, current, runs.cancel(current, 'its day is over'), by).events.length;
    return tx.decide(runs, current, runs.progress(current, counts), by).events.length;
  });

/** Runs that are over and whose tasks still wait: looked for among those that ended lately, because they are cleared at once. */
const leftOver = (world: World, now: Date): Promise<CampaignRun[]> =>
  world
    .query<{ id: string }>(
      sql`select r.id from campaign_run r where r.finished_at > ${now}::timestamptz - interval '7 days' and exists (
        select from outbound_task t where t.workspace_id = r.workspace_id and t.queue_id = r.id
          and t.campaign_id is not null and t.status in ('SCHEDULED', 'SNOOZED')) limit 100`,
    )
    .then((found) =>
      found.length === 0
        ? []
        : world.find<CampaignRun>(runs.table, { id: { in: found.map(({ id }) => id) } }),
    );

/** When the next run has something to do that nothing else wakes it for: to be fed, ended, or left; null: none has. */
export async function nextFollow({ world }: Pick<Tools, 'world'>, now: Date): Promise<Date | null> {
  const [open] = await world.query<{ isWaiting: boolean }>(sql`
    select exists (
      select from campaign_run r join campaign c on c.workspace_id = r.workspace_id and c.id = r.campaign_id
      where r.status = 'RUNNING' and case when exists (
        select from campaign_member m where m.workspace_id = r.workspace_id and m.run_id = r.id
          and m.reason is null and m.task_id is null)
      then (select count(*) from outbound_task t where t.workspace_id = r.workspace_id and t.queue_id = r.id
          and t.status = 'SCHEDULED' and t.next_attempt_at <= ${now}) < least(500, greatest(20, 2 * c.calls_per_minute)) / 2
      else not exists (select from outbound_task t where t.workspace_id = r.workspace_id and t.queue_id = r.id
          and t.status in ('SCHEDULED', 'SNOOZED', 'DISPATCHED', 'RUNNING')) end) as "isWaiting"`);
  if (open?.isWaiting || (await leftOver(world, now)).length > 0) return now;
  const runsOpen = await world.find<CampaignRun>(runs.table, {
    status: { in: ['RUNNING', 'PAUSED', 'STOPPED_BY_BREAKER'] },
  });
  if (runsOpen.length === 0) return null;
  const found = await world.find<Campaign>(campaigns.table, {
    id: { in: runsOpen.map(({ campaignId }) => campaignId) },
  });
  const ends = runsOpen.flatMap((run) => {
    const campaign = found.find(({ id }) => id === run.campaignId);
    return campaign ? [campaigns.dayEnd(campaign, run.date)] : [];
  });
  return ends.toSorted((a, b) => a.getTime() - b.getTime())[0] ?? null;
}
