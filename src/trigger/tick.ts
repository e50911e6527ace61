import { sql } from 'kysely';
import { newId } from '../clock.ts';
import { lastRun } from '../domain/cron.ts';
import type { By } from '../domain/event.ts';
import { table as patientTable, type Patient } from '../domain/patient.ts';
import * as triggers from '../domain/trigger.ts';
import type { Trigger } from '../domain/trigger.ts';
import { factsNeeded, fits } from '../domain/trigger-filter.ts';
import { latestMs } from '../domain/trigger-run.ts';
import type { Transaction, World } from '../world.ts';
import { shapeOf } from '../world/sql.ts';
import { enqueue, type NewRun } from './queue.ts';

/** How many triggers are fired in one transaction. */
const batch = 10;

/** How many patients are looked at at once. */
const page = 1_000;

/**
 * Fires the triggers whose time has come: once, whatever the number of replicas. Of several instants that were missed
 * the last one is fired, if it is not too long ago. Answers how many triggers it were.
 */
export const tick = (world: World, now: Date): Promise<number> =>
  world.transact(async (tx) => {
    const where = { nextFireAt: { lt: new Date(now.getTime() + 1) } };
    const due = await tx.lockEach(triggers, { where, limit: batch, skipLocked: true });
    for (const trigger of due) await fire(tx, trigger, now);
    return due.length;
  });

async function fire(tx: Transaction, trigger: Trigger, now: Date): Promise<void> {
  const at = lastRun(trigger.schedule!, trigger.timeZone, now) ?? now;
  const isLate = now.getTime() - at.getTime() > latestMs;
  const eventId = newId(now);
  const chosen = isLate ? [] : await causesOf(tx, trigger, { at, now });
  const wanted = chosen.map((each): NewRun => ({
    ...each,
    workspaceId: trigger.workspaceId,
    id: newId(now),
    triggerId: trigger.id,
    firedBy: 'schedule',
    eventId,
    payload: null,
    depth: 1,
  }));
  const runs = await enqueue(tx, wanted, now);
  const facts = triggers
    .tick(trigger, { at, runs: runs.length }, now)
    .map((fact) => ({ ...fact, id: eventId }));
  const by: By = { workspaceId: trigger.workspaceId, actor: 'fire-triggers', source: 'job', now };
  tx.decide(triggers, trigger, facts, by);
}

interface Instant {
  at: Date;
  now: Date;
}

/** A run for every patient that the filter finds; a monitor's only for those whom it has not found the last time. */
async function causesOf(tx: Transaction, trigger: Trigger, { at, now }: Instant) {
  const patientIds = await patientsFor(tx, trigger, now);
  if (trigger.kind === 'CRON')
    return patientIds.map((patientId) => ({ patientId, cause: `${at.toISOString()} ${patientId}` }));
  const begun = await episodes(tx, trigger, { patientIds, now });
  return begun.map(({ id, patientId }) => ({ patientId, cause: `episode ${id}` }));
}

/** The active patients whom a trigger's filter finds. Read page by page; those who lack a fact that it needs are not read at all. */
export async function patientsFor(
  reader: Pick<World, 'query'>,
  { workspaceId, filter }: Pick<Trigger, 'workspaceId' | 'filter'>,
  now: Date,
): Promise<string[]> {
  const columns = sql.raw(shapeOf(patientTable).select);
  const needed = factsNeeded(filter);
  const found: string[] = [];
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const rows = await reader.query<Patient>(sql`select ${columns} from patient t
      where t.workspace_id = ${workspaceId} and t.status = 'ACTIVE' and t.id > ${after} and t.beliefs ?& ${needed}::text[]
      order by t.id limit ${page}`);
    for (const patient of rows) if (fits(filter, { event: null, patient, now })) found.push(patient.id);
    if (rows.length < page) return found;
    after = rows.at(-1)!.id;
  }
}

/** Ends the episodes of patients who are no longer found, and begins those of the others; answers the latter. */
async function episodes(
  tx: Transaction,
  { workspaceId, id }: Trigger,
  { patientIds, now }: { patientIds: string[]; now: Date },
): Promise<{ id: string; patientId: string }[]> {
  await tx.query(sql`delete from trigger_episode where workspace_id = ${workspaceId} and trigger_id = ${id}
    and patient_id <> all(${patientIds}::uuid[])`);
  return tx.query(sql`insert into trigger_episode (workspace_id, trigger_id, patient_id, id, began_at)
    select ${workspaceId}, ${id}, patient_id, gen_random_uuid(), ${now} from unnest(${patientIds}::uuid[]) patient_id
    on conflict do nothing returning id, patient_id as "patientId"`);
}

/** When the next schedule comes; null: none does. */
export async function nextTickAt(world: Pick<World, 'query'>): Promise<Date | null> {
  const [next] = await world.query<{ at: Date | null }>(
    sql`select min(next_fire_at) as at from outbound_trigger where next_fire_at is not null`,
  );
  return next?.at ?? null;
}
