import { sql, type RawBuilder } from 'kysely';
import { campaignShareOf } from '../domain/campaign.ts';
import type { OutboundTask } from '../domain/task.ts';
import * as tasks from '../domain/task.ts';
import { levelMs } from '../domain/task-progress.ts';
import type { Transaction, World } from '../world.ts';

/** Which tasks may be claimed now. */
interface Due {
  now: Date;
  /** Those are claimed that are due by then: now, or a little later where the time until then is used. */
  until: Date;
  limit: number;
  /** How often one of our numbers may call in a minute. */
  callsPerMinute: number;
}

/** How fast numbers may call, and when that is asked. */
export type Pace = Pick<Due, 'now' | 'callsPerMinute'>;

/** The window of a source number's limit, in milliseconds. */
const windowMs = 60_000;

const noQueue = sql`${tasks.noQueue}::uuid`;

/**
 * How many calls runs may make now, and when they may make more: spread over the minute, within their lines, and none
 * unless they run. Reckoned from their calls and tasks, so that nothing can be leaked.
 */
export const runRooms = (runIds: RawBuilder<unknown>, now: Date): RawBuilder<unknown> => sql`
  select r.workspace_id, r.id, latest.last_at,
    case when r.status <> 'RUNNING' then 0 else greatest(0, least(c.calls_per_minute - sent.calls, c.max_concurrent_calls - flight.calls,
      least(ceil(c.calls_per_minute / 60.0), coalesce(floor(extract(epoch from ${now}::timestamptz - latest.last_at) / extract(epoch from step.length)), 'infinity'))))::int end as room,
    case when r.status <> 'RUNNING' or flight.calls >= c.max_concurrent_calls then 'infinity'::timestamptz
      when sent.calls >= c.calls_per_minute then sent.first_at + interval '1 minute'
      else coalesce(latest.last_at + step.length, '-infinity') end as free_at
  from campaign_run r join campaign c on c.workspace_id = r.workspace_id and c.id = r.campaign_id
  cross join lateral (select make_interval(secs => 60.0 / c.calls_per_minute) as length) step
  cross join lateral (select max(k.queued_at) as last_at from call k
    where k.workspace_id = r.workspace_id and k.campaign_run_id = r.id) latest
  cross join lateral (select count(*)::int as calls, min(k.queued_at) as first_at
    from call k where k.workspace_id = r.workspace_id and k.campaign_run_id = r.id
      and k.queued_at > ${new Date(now.getTime() - windowMs)}) sent
  cross join lateral (select count(*)::int as calls from outbound_task t where t.workspace_id = r.workspace_id
      and t.queue_id = r.id and t.campaign_id is not null and t.status in ('DISPATCHED', 'RUNNING')) flight
  where r.id in (${runIds})`;

/** How long after one call of a campaign from a number the next one may be, in whole milliseconds. */
const turnMs = (callsPerMinute: number): number => Math.ceil(windowMs / campaignShareOf(callsPerMinute));

const turnOf = (callsPerMinute: number): RawBuilder<unknown> =>
  sql`${`${turnMs(callsPerMinute)} milliseconds`}::interval`;

/** How many calls campaigns may make from a number: their share of its minute, and that spread over the minute. */
export function campaignRoom(
  used: { calls: number; campaignAt: Date | null },
  { now, callsPerMinute }: Pace,
): number {
  const share = campaignShareOf(callsPerMinute);
  const sinceMs = used.campaignAt ? now.getTime() - used.campaignAt.getTime() : Infinity;
  return Math.min(share - used.calls, Math.ceil(share / 60), Math.floor(sinceMs / turnMs(callsPerMinute)));
}

/**
 * The lanes that tasks wait in: one for each of our numbers, and for each campaign's run on it, each found by one step in
 * the index; with the calls that may be made from it now, and when more may.
 */
const lanes = ({ now, callsPerMinute }: Pace): RawBuilder<unknown> => sql`
  recursive queue as (
    (select workspace_id, phone_from, queue_id from outbound_task where status in ('SCHEDULED', 'SNOOZED')
      order by workspace_id, phone_from, queue_id limit 1)
    union all
    select later.* from queue q cross join lateral (
      select workspace_id, phone_from, queue_id from outbound_task where status in ('SCHEDULED', 'SNOOZED')
        and (workspace_id, phone_from, queue_id) > (q.workspace_id, q.phone_from, q.queue_id)
      order by workspace_id, phone_from, queue_id limit 1) later),
  number as materialized (
    select n.workspace_id, n.phone_from, used.calls, used.oldest_at + interval '1 minute' as free_at, used.campaign_at
    from (select distinct workspace_id, phone_from from queue) n cross join lateral (
      select count(*)::int as calls, min(c.queued_at) as oldest_at,
        max(c.queued_at) filter (where c.campaign_run_id is not null) as campaign_at from call c
      where c.workspace_id = n.workspace_id and c.phone_from = n.phone_from
        and c.queued_at > ${new Date(now.getTime() - windowMs)}) used),
  line as materialized (
    select id as workspace_id, (policy ->> 'maxConcurrentCalls')::int - (select count(*)::int from call c
      where c.workspace_id = w.id and c.status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')) as free
    from workspace w where policy ->> 'maxConcurrentCalls' is not null and id in (select workspace_id from queue)),
  run as materialized (${runRooms(sql`select queue_id from queue where queue_id <> ${noQueue}`, now)}),
  lane as materialized (
    select q.*, run.last_at, greatest(0, least(mine.room, line.free, run.room)) as room,
      greatest(mine.free_at, coalesce(run.free_at, '-infinity')) as free_at
    from queue q join number using (workspace_id, phone_from)
    left join run on run.workspace_id = q.workspace_id and run.id = q.queue_id
    left join line on line.workspace_id = q.workspace_id
    cross join lateral (${numberRoom(now, callsPerMinute)}) mine)`;

/** What a number has left for a lane: all of its minute, or the share of campaigns, which is spread over the minute. */
function numberRoom(now: Date, callsPerMinute: number): RawBuilder<unknown> {
  const share = sql`${campaignShareOf(callsPerMinute)}::int`;
  const limit = sql`case when q.queue_id = ${noQueue} then ${callsPerMinute}::int else ${share} end`;
  const sinceMs = sql`extract(epoch from ${now}::timestamptz - number.campaign_at) * 1000`;
  return sql`select case when q.queue_id = ${noQueue} then ${limit} - number.calls
      else least(${limit} - number.calls, ceil(${share} / 60.0),
        coalesce(floor(${sinceMs} / ${turnMs(callsPerMinute)}::int), 'infinity')) end::int as room,
    case when number.calls >= ${limit} then number.free_at
      when q.queue_id = ${noQueue} then '-infinity'
      else coalesce(number.campaign_at + ${turnOf(callsPerMinute)}, '-infinity') end as free_at`;
}

/**
 * Claims due tasks that nobody else holds, in the order of dispatch: by the time they became due, a level of priority
 * being worth five minutes; those of a campaign by their run's last call, a turn later for each, so that runs take
 * turns. What is read are the due tasks of lanes that have room, however many others wait.
 */
export const claimDue = (tx: Pick<Transaction, 'claim'>, due: Due): Promise<OutboundTask[]> =>
  tx.claim(
    tasks,
    (columns) => sql`with ${lanes(due)}
      select ${columns} from lane
      cross join generate_series(1, 10) as level(priority) cross join lateral (
        select * from outbound_task w where w.workspace_id = lane.workspace_id and w.phone_from = lane.phone_from
          and w.queue_id = lane.queue_id and w.priority = level.priority
          and w.status in ('SCHEDULED', 'SNOOZED') and w.next_attempt_at <= ${due.until}
        order by w.next_attempt_at limit least(lane.room, ${due.limit}::int)
        for update skip locked) t
      order by greatest(t.next_attempt_at, lane.last_at + ${turnOf(due.callsPerMinute)} * row_number() over (
          partition by lane.queue_id, t.workspace_id order by t.priority, t.next_attempt_at))
        + (t.priority - 1) * ${`${levelMs} milliseconds`}::interval, t.id limit ${due.limit}`,
  );

/** When the next task is due and may be called from its lane; null: none waits. In whole milliseconds, rounded up. */
export async function nextDueAt(world: Pick<World, 'prepared'>, due: Pace): Promise<Date | null> {
  const [next] = await world.prepared<{ at: number | null }>(sql`with ${lanes(due)}
    select ceil(extract(epoch from min(greatest(first.next_attempt_at, lane.free_at))) * 1000)::float8 as at
    from lane cross join generate_series(1, 10) as level(priority) cross join lateral (
      select w.next_attempt_at from outbound_task w where w.workspace_id = lane.workspace_id
        and w.phone_from = lane.phone_from and w.queue_id = lane.queue_id and w.priority = level.priority
        and w.status in ('SCHEDULED', 'SNOOZED')
      order by w.next_attempt_at limit 1) first
    where lane.free_at < 'infinity'`);
  return next?.at == null ? null : new Date(next.at);
}
