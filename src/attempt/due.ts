import { sql } from 'kysely';
import type { OutboundTask } from '../domain/task.ts';
import * as tasks from '../domain/task.ts';
import { levelMs } from '../domain/task-progress.ts';
import type { Transaction, World } from '../world.ts';

/** Which tasks may be claimed now. */
interface Due {
  now: Date;
  limit: number;
  /** How often one of our numbers may call in a minute. */
  callsPerMinute: number;
}

/** The window of a source number's limit, in milliseconds. */
const windowMs = 60_000;

/** Our numbers that tasks wait for, each found by one step in the index, with the calls that they may still make. */
const lanes = ({ now, callsPerMinute }: Omit<Due, 'limit'>) => sql`
  recursive number as (
    (select workspace_id, phone_from from outbound_task where status in ('SCHEDULED', 'SNOOZED')
      order by workspace_id, phone_from limit 1)
    union all
    select later.* from number n cross join lateral (
      select workspace_id, phone_from from outbound_task
      where status in ('SCHEDULED', 'SNOOZED') and (workspace_id, phone_from) > (n.workspace_id, n.phone_from)
      order by workspace_id, phone_from limit 1) later),
  lane as materialized (
    select n.workspace_id, n.phone_from, ${callsPerMinute}::int - used.calls as room, used.oldest_at
    from number n cross join lateral (
      select count(*)::int as calls, min(c.queued_at) as oldest_at from call c
      where c.workspace_id = n.workspace_id and c.phone_from = n.phone_from
        and c.queued_at > ${new Date(now.getTime() - windowMs)}) used)`;

/**
 * Claims due tasks that nobody else holds, in the order of dispatch: by the time they became due, a level of priority
 * being worth five minutes. What is read are the due tasks of numbers that may call, however many others wait.
 */
export const claimDue = (tx: Transaction, due: Due): Promise<OutboundTask[]> =>
  tx.claim(
    tasks,
    (columns) => sql`with ${lanes(due)}
      select ${columns} from lane cross join generate_series(1, 10) as level(priority) cross join lateral (
        select * from outbound_task w where w.workspace_id = lane.workspace_id and w.phone_from = lane.phone_from
          and w.priority = level.priority and w.status in ('SCHEDULED', 'SNOOZED') and w.next_attempt_at <= ${due.now}
        order by w.next_attempt_at limit greatest(0, least(lane.room, ${due.limit}::int))
        for update skip locked) t
      order by t.next_attempt_at + (t.priority - 1) * ${`${levelMs} milliseconds`}::interval, t.id limit ${due.limit}`,
  );

/** When the next task is due and its number may call; null: none waits. In whole milliseconds, rounded up. */
export async function nextDueAt(world: Pick<World, 'query'>, due: Omit<Due, 'limit'>): Promise<Date | null> {
  const [next] = await world.query<{ at: number | null }>(sql`with ${lanes(due)}
    select ceil(extract(epoch from min(case when lane.room > 0 then first.next_attempt_at
      else greatest(first.next_attempt_at, lane.oldest_at + interval '1 minute') end)) * 1000)::float8 as at
    from lane cross join generate_series(1, 10) as level(priority) cross join lateral (
      select w.next_attempt_at from outbound_task w where w.workspace_id = lane.workspace_id
        and w.phone_from = lane.phone_from and w.priority = level.priority and w.status in ('SCHEDULED', 'SNOOZED')
      order by w.next_attempt_at limit 1) first`);
  return next?.at == null ? null : new Date(next.at);
}
