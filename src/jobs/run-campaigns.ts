import { sql } from 'kysely';
import type { Campaigns } from '../campaign.ts';
import * as campaigns from '../domain/campaign.ts';
import type { Campaign } from '../domain/campaign.ts';
import type { By } from '../domain/event.ts';
import type { World } from '../world.ts';

/** What running campaigns needs. */
interface Tools {
  world: World;
  campaigns: Campaigns;
  log: (line: string, error?: unknown) => void;
}

/**
 * Begins the run of every active campaign whose time has come today, and records the days on which none could be begun.
 * Once, whatever the number of replicas. Answers how many were begun or recorded.
 */
export async function runCampaigns({ world, campaigns: keeper, log }: Tools, now: Date): Promise<number> {
  let begun = 0;
  for (const { campaign, lastDate } of await activeOf(world)) {
    const by: By = { workspaceId: campaign.workspaceId, actor: 'run-campaigns', source: 'job', now };
    try {
      for (const { date, skipped } of campaigns.dueDays(campaign, lastDate, now)) {
        const run = skipped
          ? await keeper.skipDay(campaign, date, skipped, by)
          : await keeper.runDay(campaign, date, by);
        begun += run ? 1 : 0;
      }
    } catch (error) {
      log(`campaign ${campaign.id} could not be run; it is tried again`, error);
    }
  }
  return begun;
}

/** When the next campaign is due; null: none is active. */
export async function nextCampaign({ world }: Pick<Tools, 'world'>, now: Date): Promise<Date | null> {
  const next = (await activeOf(world)).flatMap(
    ({ campaign, lastDate }) => campaigns.nextRunAt(campaign, lastDate, now) ?? [],
  );
  return next.toSorted((a, b) => a.getTime() - b.getTime())[0] ?? null;
}

/** The active campaigns, each with the last date that has a run of its own. */
async function activeOf(world: World): Promise<{ campaign: Campaign; lastDate: string | null }[]> {
  const active = await world.find<Campaign>(campaigns.table, { status: { eq: 'ACTIVE' } });
  if (active.length === 0) return [];
  const last = await world.query<{ id: string; date: string }>(sql`
    select campaign_id as id, max(date) as date from campaign_run
    where campaign_id = any(${active.map(({ id }) => id)}) and not manual group by 1`);
  const dates = new Map(last.map(({ id, date }) => [id, date]));
  return active.map((campaign) => ({ campaign, lastDate: dates.get(campaign.id) ?? null }));
}
