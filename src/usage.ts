import { sql } from 'kysely';
import type { Clock } from './clock.ts';
import { NotFoundRefusal } from './domain/refusal.ts';
import * as usage from './domain/usage.ts';
import { table as workspaces, type Workspace } from './domain/workspace.ts';
import type { Log } from './logger.ts';
import type { World } from './world.ts';

/** What an organization allows a workspace; null: as much as it likes. */
export interface UsageLimit {
  limitMinutes: number | null;
  /** Of the limit, at which somebody should hear of it. */
  alertPercents: number[];
}

/** Begun minutes of calls that ended in a month, by workspace: counted from the calls, so that they are what a recount finds. */
async function minutesOf(
  world: World,
  workspaceIds: readonly string[],
  now: Date,
): Promise<Map<string, number>> {
  const { start, end } = usage.monthOf(now);
  const rows = await world.query<{ id: string; minutes: number }>(sql`
    select workspace_id as id, sum(ceil(duration_seconds / 60.0))::int as minutes from call
    where workspace_id = any(${workspaceIds}) and ended_at >= ${start} and ended_at < ${end} and duration_seconds > 0
    group by 1`);
  return new Map(rows.map(({ id, minutes }) => [id, minutes]));
}

/** Counts the minutes of workspaces with a limit, and notes whose are used up. Answers how many have come to another threshold. */
export async function watchUsage({ world, log }: { world: World; log: Log }, now: Date): Promise<number> {
  const limited = await world.query<
    Pick<Workspace, 'id' | 'limitMinutes' | 'alertPercents' | 'alertedPercent' | 'spentUntil'>
  >(sql`
    select id, limit_minutes as "limitMinutes", alert_percents as "alertPercents", alerted_percent as "alertedPercent",
      spent_until as "spentUntil" from workspace where limit_minutes is not null order by id`);
  const minutes = await minutesOf(
    world,
    limited.map(({ id }) => id),
    now,
  );
  let changed = 0;
  for (const workspace of limited) {
    const used = minutes.get(workspace.id) ?? 0;
    const spentUntil = usage.isSpent(workspace, used) ? usage.monthOf(now).end : null;
    const reached = usage.reachedOf(workspace, used);
    const isSame =
      spentUntil?.getTime() === workspace.spentUntil?.getTime() &&
      reached === (workspace.alertedPercent ?? null);
    if (isSame) continue;
    changed += 1;
    await world.query(
      sql`update workspace set spent_until = ${spentUntil}, alerted_percent = ${reached} where id = ${workspace.id}`,
    );
    if (reached !== null && reached > (workspace.alertedPercent ?? 0))
      log(`workspace ${workspace.id} has used ${reached} % of its call minutes of the month`);
  }
  return changed;
}

/** Keeps what workspaces may use, and tells what they have. */
export function openUsage({ world, clock, log }: { world: World; clock: Clock; log: Log }) {
  return {
    /** Begun minutes of this month's calls. */
    minutes: async (workspaceId: string): Promise<number> =>
      (await minutesOf(world, [workspaceId], clock.now())).get(workspaceId) ?? 0,
    /** Sets a limit, which holds at once. */
    async setLimit(workspaceId: string, { limitMinutes, alertPercents }: UsageLimit): Promise<Workspace> {
      const percents = [...new Set(alertPercents)].toSorted((one, other) => one - other);
      await world.query(sql`update workspace set limit_minutes = ${limitMinutes}, alert_percents = ${percents},
        spent_until = null, alerted_percent = null where id = ${workspaceId}`);
      await watchUsage({ world, log }, clock.now());
      const workspace = await world.findOne<Workspace>(workspaces, { id: { eq: workspaceId } });
      if (!workspace) throw new NotFoundRefusal('NOT_FOUND', 'There is no such workspace.', workspaceId);
      return workspace;
    },
  };
}

/** What workspaces use. */
export type Usages = ReturnType<typeof openUsage>;
