/** The table of runs as a queue: each cause once, claimed by one process at a time, at the trigger's pace. */
import { sql } from 'kysely';
import * as triggers from '../domain/trigger.ts';
import type { Trigger } from '../domain/trigger.ts';
import { leaseMs, runs as runTable, type TriggerRun } from '../domain/trigger-run.ts';
import type { Transaction, World } from '../world.ts';
import { toJson } from '../world/sql.ts';

/** A run that is to be, without what every new one has. */
export type NewRun = Pick<
  TriggerRun,
  'workspaceId' | 'id' | 'triggerId' | 'cause' | 'firedBy' | 'eventId' | 'patientId' | 'payload' | 'depth'
>;

/** Queues runs, each cause of a trigger once; answers the ids of those that are new. */
export async function enqueue(to: Pick<World, 'query'>, wanted: NewRun[], now: Date): Promise<string[]> {
  if (wanted.length === 0) return [];
  const rows = wanted.map((run) =>
    toJson(runTable, { ...run, status: 'QUEUED', attempts: 0, dueAt: now, createdAt: now }),
  );
  const made = await to.query<{ id: string }>(sql`
    insert into trigger_run select r.* from jsonb_populate_recordset(null::trigger_run, ${JSON.stringify(rows)}::jsonb) r
    on conflict (workspace_id, trigger_id, cause) do nothing returning id`);
  return made.map(({ id }) => id);
}

/** How many triggers, and how many runs of each, are claimed at once. */
const [triggerBatch, runBatch] = [10, 100];

/** A trigger with runs that are this process's for the length of the lease. */
export interface Claim {
  trigger: Trigger;
  runs: TriggerRun[];
}

/** Claims runs that are due, of triggers that nobody else is busy with; what a trigger's pace leaves no room for waits for its minute. */
export async function claim(tx: Transaction, now: Date): Promise<Claim[]> {
  const due = await tx.query<{ id: string }>(sql`
    select t.id from outbound_trigger t where t.active and exists (select from trigger_run r
      where r.workspace_id = t.workspace_id and r.trigger_id = t.id and r.status = 'QUEUED' and r.due_at <= ${now})
    limit 1000`);
  if (due.length === 0) return [];
  const where = { id: { in: due.map(({ id }) => id) } };
  const locked = await tx.lockEach(triggers, { where, limit: triggerBatch, skipLocked: true });
  const claims: Claim[] = [];
  for (const trigger of locked) {
    const runs = trigger.active ? await take(tx, trigger, now) : [];
    if (runs.length > 0) claims.push({ trigger, runs });
  }
  return claims;
}

async function take(tx: Transaction, trigger: Trigger, now: Date): Promise<TriggerRun[]> {
  const of = sql`workspace_id = ${trigger.workspaceId} and trigger_id = ${trigger.id}`;
  const [begun] = await tx.query<{ count: number }>(sql`select count(*)::int as count from trigger_run
    where ${of} and started_at > ${now}::timestamptz - interval '1 minute'`);
  const room = trigger.maxRunsPerMinute - begun!.count;
  if (room <= 0) return defer(tx, trigger, now);
  const taken = await tx.query<{ id: string }>(sql`
    update trigger_run set status = 'RUNNING', attempts = attempts + 1, started_at = coalesce(started_at, ${now}),
      lease_until = ${new Date(now.getTime() + leaseMs)}
    where ${of} and id in (select id from trigger_run where ${of} and status = 'QUEUED' and due_at <= ${now}
      order by due_at, id limit ${Math.min(room, runBatch)}) and status = 'QUEUED' returning id`);
  const here = { workspaceId: { eq: trigger.workspaceId }, id: { in: taken.map(({ id }) => id) } };
  const runs = await tx.find<TriggerRun>(runTable, here);
  return runs.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Spreads what is due over the minutes that come, in its order. */
async function defer(tx: Transaction, trigger: Trigger, now: Date): Promise<[]> {
  await tx.query(sql`
    update trigger_run r set due_at = ${now}::timestamptz + interval '1 minute' * (1 + later.place / ${trigger.maxRunsPerMinute})
    from (select id, row_number() over (order by due_at, id) - 1 as place from trigger_run
      where workspace_id = ${trigger.workspaceId} and trigger_id = ${trigger.id} and status = 'QUEUED' and due_at <= ${now}) later
    where r.workspace_id = ${trigger.workspaceId} and r.id = later.id`);
  return [];
}

/** Gives back what was begun by a process that has not finished it in its time. */
export const giveBack = (to: Pick<World, 'query'>, now: Date) =>
  to.query(sql`update trigger_run set status = 'QUEUED', lease_until = null, due_at = ${now}
    where status = 'RUNNING' and lease_until <= ${now}`);

/** Lets a run wait to be begun again. */
export const putBack = (tx: Transaction, { workspaceId, id }: TriggerRun, dueAt: Date) =>
  tx.query(sql`update trigger_run set status = 'QUEUED', lease_until = null, due_at = ${dueAt}
    where workspace_id = ${workspaceId} and id = ${id}`);

/** How a run is to be left. */
export interface Ending {
  id: string;
  status: 'SUCCEEDED' | 'FAILED' | 'DEAD';
  taskId: string | null;
  error: string | null;
}

/** Ends runs that this transaction holds. */
export async function finish(tx: Transaction, endings: Ending[], now: Date): Promise<void> {
  const rows = endings.map(({ taskId: task_id, ...ending }) => ({ ...ending, task_id }));
  await tx.query(sql`
    update trigger_run r set status = e.status, task_id = e.task_id, error = e.error, finished_at = ${now},
      lease_until = null, payload = null
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as e(id uuid, status text, task_id uuid, error text)
    where r.id = e.id and r.status = 'RUNNING'`);
}

/** Ends the runs that wait of a trigger that is there no more. */
export const abandon = (tx: Transaction, { workspaceId, id }: Trigger, now: Date) =>
  tx.query(sql`update trigger_run set status = 'FAILED', error = 'The trigger was deleted.', finished_at = ${now}, payload = null
    where workspace_id = ${workspaceId} and trigger_id = ${id} and status = 'QUEUED'`);

/** When the next run is due, or its lease over; null: none is. */
export async function nextDueAt(world: Pick<World, 'query'>): Promise<Date | null> {
  const [next] = await world.query<{ at: Date | null }>(sql`
    select least(
      (select min(r.due_at) from trigger_run r join outbound_trigger t on t.workspace_id = r.workspace_id and t.id = r.trigger_id
        where r.status = 'QUEUED' and t.active),
      (select min(lease_until) from trigger_run where status = 'RUNNING')) as at`);
  return next?.at ?? null;
}

/** Postgres: its connection failed, it shuts down or has no room, or somebody else was first; and the network's own. */
const passing = /^(08|53|57P|40|55P03|ECONN|ETIMEDOUT|EPIPE|ENOTFOUND)/;

/** Whether an error is of the connection and not of what was asked: only then it makes sense to try again. */
export const isPassing = (error: unknown): boolean =>
  passing.test((error as { code?: string } | null)?.code ?? '') ||
  /connection|timeout|terminat/i.test((error as Error | null)?.message ?? '');
