import { sql } from 'kysely';
import type { TaskStatus } from '../src/domain/task.ts';
import { isOver } from '../src/domain/task-progress.ts';
import type { World } from '../src/world.ts';

/** How far a chaos has come. What waits in a run that is held is left out: nobody is called for it. */
export interface State {
  /** Tasks by their status. */
  statuses: Record<string, number>;
  tasks: number;
  over: number;
  /** Runs of campaigns that are neither over nor held. */
  runs: number;
  /** Calls that are not over. */
  calls: number;
  /** Tasks that are due, or will be within moments. */
  soon: number;
  nextAt: Date | null;
}

/** What is due within so many milliseconds is due soon. */
const soonMs = 5_000;

const moving = sql`not exists (select from campaign_run r
  where r.workspace_id = t.workspace_id and r.id = t.queue_id and r.status = 'PAUSED')`;

/** Reads how far it has come. */
export async function stateOf(world: World, now: Date): Promise<State> {
  const rows = await world.query<{ status: TaskStatus; count: number; nextAt: Date | null }>(sql`
    select status, count(*)::int as count, min(next_attempt_at) as "nextAt" from outbound_task t
    where ${moving} group by status`);
  const [open] = await world.query<{ runs: number; calls: number; soon: number }>(sql`select
    (select count(*)::int from campaign_run where status in ('RUNNING', 'STOPPED_BY_BREAKER')) as runs,
    (select count(*)::int from call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')) as calls,
    (select count(*)::int from outbound_task t
      where next_attempt_at < ${new Date(now.getTime() + soonMs)} and ${moving}) as soon`);
  const sum = (some: typeof rows) => some.reduce((total, { count }) => total + count, 0);
  const waiting = rows.flatMap(({ nextAt }) => (nextAt ? [nextAt.getTime()] : []));
  return {
    statuses: Object.fromEntries(rows.map(({ status, count }) => [status, count])),
    tasks: sum(rows),
    over: sum(rows.filter(isOver)),
    runs: open?.runs ?? 0,
    calls: open?.calls ?? 0,
    soon: open?.soon ?? 0,
    nextAt: waiting.length > 0 ? new Date(Math.min(...waiting)) : null,
  };
}
