import { sql } from 'kysely';
import { isOver, type CampaignRun, type Counts } from '../domain/campaign-run.ts';
import type { World } from '../world.ts';

/** Where the members of runs are, by run: counted from their tasks in one statement, so that the six sum to the eligible. */
export async function countsOf(
  reader: Pick<World, 'query'>,
  runs: readonly CampaignRun[],
): Promise<Map<string, Counts>> {
  const tasks = await reader.query<Tally>(sql`
    select queue_id as "runId", count(*)::int as made,
      count(*) filter (where status in ('SCHEDULED', 'SNOOZED'))::int as waiting,
      count(*) filter (where status in ('DISPATCHED', 'RUNNING'))::int as "inFlight",
      count(*) filter (where status = 'COMPLETED')::int as answered,
      count(*) filter (where status = 'FAILED' and ${unanswered})::int as unanswered,
      count(*) filter (where status = 'FAILED' and not ${unanswered} or status = 'TIMED_OUT' and attempts > 0)::int as failed
    from outbound_task where workspace_id = any(${runs.map(({ workspaceId }) => workspaceId)})
      and queue_id = any(${runs.map(({ id }) => id)}) group by 1`);
  const byRun = new Map(tasks.map((tally) => [tally.runId, tally]));
  return new Map(runs.map((run) => [run.id, counts(run, byRun.get(run.id) ?? none)]));
}

/** An attempt was made and nobody answered it; else the carrier, the number or the gate was the reason, or nobody can tell. */
const unanswered = sql`(attempts > 0 and last_outcome in ('busy', 'no_answer', 'canceled', 'completed_by_machine', 'completed'))`;

interface Tally {
  runId: string;
  made: number;
  waiting: number;
  inFlight: number;
  answered: number;
  unanswered: number;
  failed: number;
}

const none = { made: 0, waiting: 0, inFlight: 0, answered: 0, unanswered: 0, failed: 0 };

/** Members without a task wait for theirs; when the run is over they never get one. */
function counts(run: CampaignRun, tally: Omit<Tally, 'runId'>): Counts {
  const { made, waiting, inFlight, answered, unanswered: missed, failed } = tally;
  const unmade = run.eligible - made;
  const done = inFlight + answered + missed + failed;
  return {
    pending: isOver(run) ? waiting : unmade + waiting,
    inFlight,
    answered,
    unanswered: missed,
    failed,
    cancelled: made - waiting - done + (isOver(run) ? unmade : 0),
  };
}
