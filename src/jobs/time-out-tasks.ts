import { sql } from 'kysely';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import { listLagMs } from '../domain/call-progress.ts';
import type { By } from '../domain/event.ts';
import * as tasks from '../domain/task.ts';
import { timeOut } from '../domain/task-progress.ts';
import { settle, type Sweep } from './sweep-calls.ts';

/** How many attempts one run looks up. */
const batch = 50;

/**
 * When an attempt is given up. A member of a run whose call may or may not have been taken is called again only if it was
 * not, so it is waited for as long as the carrier cannot be asked, at the latest until the member's time is over.
 */
const givenUpAt = sql`case when t.queue_id <> ${tasks.noQueue} and exists (select from call c
    where c.workspace_id = t.workspace_id and c.id = t.last_call_id and c.status = 'UNCERTAIN' and c.sid is null)
  then greatest(t.lease_until, t.valid_until) else t.lease_until end`;

/**
 * Gives up attempts whose lease is over, once the carrier has been asked how they ended: what it knows is recorded, and
 * decides; only what it cannot tell is timed out. A call that is just being looked for in its list has the time for it.
 * Answers how many leases were over.
 */
export async function timeOutTasks(sweep: Sweep, now: Date): Promise<number> {
  const { world, log } = sweep;
  const over = await world.query<{ workspaceId: string; id: string; callId: string }>(sql`
    select workspace_id as "workspaceId", id, last_call_id as "callId" from outbound_task t
    where status in ('DISPATCHED', 'RUNNING') and lease_until <= ${now} and ${givenUpAt} <= ${now}
    order by lease_until limit ${batch}`);
  await Promise.all(
    over.map(async ({ workspaceId, id, callId }) => {
      const where = { workspaceId: { eq: workspaceId }, id: { eq: callId } };
      const call = await world.findOne<Call>(calls.table, where);
      if (call && !calls.isOver(call)) {
        await settle(sweep, call, now).catch((error: unknown) =>
          log(`the carrier could not tell how call ${callId} ended`, error),
        );
        const settled = await world.findOne<Call>(calls.table, where);
        if (settled && isLookedFor(settled, sweep, now)) return;
      }
      const by: By = { workspaceId, actor: 'time-out-tasks', source: 'job', now, correlationId: id };
      await world.change(tasks, id, (task) => timeOut(task, now), by);
    }),
  );
  return over.length;
}

/** Whether the carrier's list may yet show this call: the whole product may have been away since it was recorded. */
const isLookedFor = ({ status, statusAt }: Call, { pace }: Sweep, now: Date): boolean =>
  status === 'UNCERTAIN' && now.getTime() - statusAt.getTime() < listLagMs / pace;

/** When the first lease will be over; null: no attempt is under way. */
export async function nextTimeOut({ world }: Pick<Sweep, 'world'>): Promise<Date | null> {
  const [next] = await world.query<{ at: Date | null }>(
    sql`select min(${givenUpAt}) as at from outbound_task t where status in ('DISPATCHED', 'RUNNING')`,
  );
  return next?.at ?? null;
}
