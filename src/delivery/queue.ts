/** The table of deliveries as a queue: in order for each entity, each receiver at its own pace. */
import { sql, type RawBuilder } from 'kysely';
import { newId } from '../clock.ts';
import { backoffMs, deliveries, maxAttempts, type Delivery } from '../domain/subscription.ts';
import type { World } from '../world.ts';
import { shapeOf, toJson } from '../world/sql.ts';

/** How many places of the log are gone through at once. */
const window = 1_000;

/** How many deliveries to one receiver are under way at once; to one that has just failed it is one. */
const abreast = 8;

/** How long an attempt may take, in milliseconds, before somebody else makes it again. */
const leaseMs = 30_000;

/** Types of events that end a call. */
const endings = [
  'call.rejected',
  'call.completed',
  'call.busy',
  'call.no_answer',
  'call.failed',
  'call.canceled',
];

interface Wanted {
  workspaceId: string;
  ownerId: string;
  url: string | null;
  eventId: string;
  entityId: string;
  cursor: number;
}

/** Queues what happened after a place in the log for whoever subscribes to it; answers how far it went, and how many there were. */
export async function enqueueAfter(
  world: World,
  cursor: number,
  now: Date,
): Promise<{ until: number; count: number }> {
  const [end] = await world.query<{ cursor: number }>(
    sql`select coalesce(max(global_seq), 0)::int8 as cursor from event_log`,
  );
  const until = Math.min(end!.cursor, cursor + window);
  if (until <= cursor) return { until: cursor, count: 0 };
  const log = sql`event_log l join event e on e.workspace_id = l.workspace_id and e.position = l.position`;
  const there = sql`l.global_seq > ${cursor} and l.global_seq <= ${until}`;
  const common = sql`e.workspace_id as "workspaceId", e.id as "eventId", e.entity_id as "entityId", l.global_seq as cursor`;
  const wanted = await world.query<Wanted>(sql`
    select ${common}, s.id as "ownerId", null as url from ${log}
      join event_subscription s on s.workspace_id = e.workspace_id and s.active and e.recorded_at >= s.created_at
        and (s.types = '{}' or e.type = any(s.types))
      where ${there}
    union all
    select ${common}, c.workspace_id, c.callback_url from ${log}
      join call c on c.workspace_id = e.workspace_id and c.id = e.entity_id and c.callback_url is not null
      where ${there} and e.type = any(${endings})
    order by cursor`);
  const rows = wanted.map((each) =>
    toJson(deliveries, {
      ...each,
      id: newId(now),
      receiver: each.url === null ? each.ownerId : new URL(each.url).host,
      status: 'PENDING',
      attempts: 0,
      nextAttemptAt: now,
      createdAt: now,
    }),
  );
  if (rows.length > 0)
    await world.query(sql`insert into delivery select d.*
      from jsonb_populate_recordset(null::delivery, ${JSON.stringify(rows)}::jsonb) d on conflict do nothing`);
  return { until, count: rows.length };
}

/** Whether something after a place in the log is still to be queued for somebody. */
export const isOwed = (cursor: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`exists (
  select from event_log l join event e on e.workspace_id = l.workspace_id and e.position = l.position
  where l.global_seq > ${cursor} and (exists (select from event_subscription s
      where s.workspace_id = e.workspace_id and s.active and (s.types = '{}' or e.type = any(s.types)))
    or e.type = any(${endings}) and exists (select from call c
      where c.workspace_id = e.workspace_id and c.id = e.entity_id and c.callback_url is not null)))`;

/** Every receiver that something waits for: one step in the index each, however much it is. */
const lanes = sql`
  recursive lane (workspace_id, receiver) as (
    (select workspace_id, receiver from delivery where status = 'PENDING' order by workspace_id, receiver limit 1)
    union all
    select next.workspace_id, next.receiver from lane cross join lateral (
      select workspace_id, receiver from delivery d where status = 'PENDING'
        and (d.workspace_id, d.receiver) > (lane.workspace_id, lane.receiver)
      order by workspace_id, receiver limit 1) next)`;

const isFirst = sql`not exists (select from delivery e where e.workspace_id = d.workspace_id and e.owner_id = d.owner_id
  and e.entity_id = d.entity_id and e.status = 'PENDING' and e.cursor < d.cursor)`;

/** Claims what may be posted now: the first of each entity, and of each receiver as many as it has room for. */
export function claim(world: Pick<World, 'query'>, now: Date): Promise<Delivery[]> {
  const columns = sql.raw(shapeOf(deliveries).select);
  return world.query<Delivery>(sql`
    with ${lanes}, room as (
      select lane.*, case when r.failures > 0 then 1 else ${abreast}::int end - (
        select count(*) from delivery d where d.workspace_id = lane.workspace_id and d.receiver = lane.receiver
          and d.status = 'PENDING' and d.lease_until > ${now}) as places
      from lane left join webhook_receiver r on r.workspace_id = lane.workspace_id and r.name = lane.receiver
      where coalesce(r.retry_at, '-infinity') <= ${now}),
    chosen as (
      select first.id, first.workspace_id from room cross join lateral (
        select d.id, d.workspace_id from delivery d where d.workspace_id = room.workspace_id
          and d.receiver = room.receiver and d.status = 'PENDING' and d.next_attempt_at <= ${now}
          and coalesce(d.lease_until, '-infinity') <= ${now} and ${isFirst}
        order by d.next_attempt_at, d.cursor limit greatest(0, room.places)) first)
    update delivery t set attempts = t.attempts + 1, lease_until = ${new Date(now.getTime() + leaseMs)}
    from chosen where t.workspace_id = chosen.workspace_id and t.id = chosen.id and t.status = 'PENDING'
      and coalesce(t.lease_until, '-infinity') <= ${now}
    returning ${columns}`);
}

/** Records that a delivery arrived, and that its receiver is well. */
export async function arrived(
  world: Pick<World, 'query'>,
  delivery: Delivery,
  { status, now }: { status: number; now: Date },
): Promise<void> {
  await world.query(sql`update delivery set status = 'DELIVERED', last_status_code = ${status}, last_error = null,
      next_attempt_at = null, lease_until = null, delivered_at = ${now}
    where workspace_id = ${delivery.workspaceId} and id = ${delivery.id} and attempts = ${delivery.attempts}`);
  await world.query(sql`delete from webhook_receiver
    where workspace_id = ${delivery.workspaceId} and name = ${delivery.receiver}`);
}

/** Records that a delivery did not arrive: it is tried again later, or dead; its receiver is left alone for a while. */
export async function failed(
  world: Pick<World, 'query'>,
  delivery: Delivery,
  { status, error, now }: { status: number | null; error: string; now: Date },
): Promise<void> {
  const later = (failures: number) => new Date(now.getTime() + backoffMs(failures, Math.random()));
  const isDead = delivery.attempts >= maxAttempts;
  await world.query(sql`update delivery set status = ${isDead ? 'DEAD' : 'PENDING'}, last_status_code = ${status},
      last_error = ${error}, next_attempt_at = ${isDead ? null : later(delivery.attempts)}, lease_until = null
    where workspace_id = ${delivery.workspaceId} and id = ${delivery.id} and attempts = ${delivery.attempts}`);
  const [health] = await world.query<{ failures: number }>(sql`
    insert into webhook_receiver as r (workspace_id, name, failures, retry_at)
    values (${delivery.workspaceId}, ${delivery.receiver}, 1, ${later(1)})
    on conflict (workspace_id, name) do update set failures = r.failures + 1 returning failures`);
  if (health!.failures === 1) return;
  await world.query(sql`update webhook_receiver set retry_at = ${later(health!.failures)}
    where workspace_id = ${delivery.workspaceId} and name = ${delivery.receiver}`);
}

/** When something may be posted next; null: nothing waits. */
export async function nextDueAt(world: Pick<World, 'query'>): Promise<Date | null> {
  const [next] = await world.query<{ at: Date | null }>(sql`
    with ${lanes}
    select min(greatest(first.at, coalesce(r.retry_at, '-infinity'))) as at from lane
      left join webhook_receiver r on r.workspace_id = lane.workspace_id and r.name = lane.receiver
      cross join lateral (select min(greatest(d.next_attempt_at, d.lease_until)) as at from delivery d
        where d.workspace_id = lane.workspace_id and d.receiver = lane.receiver and d.status = 'PENDING' and ${isFirst}) first`);
  return next?.at ?? null;
}
