import { sql, type RawBuilder } from 'kysely';
import type { CampaignRun } from './domain/campaign-run.ts';
import type { Channel } from './domain/consent.ts';
import type { By, Event } from './domain/event.ts';
import * as tasks from './domain/task.ts';
import { cancel, isWaiting } from './domain/task-progress.ts';
import type { Transaction, World } from './world.ts';

/** Cancels the tasks that wait and that these events on patients have made pointless, in the same transaction. */
export async function withdrawPointless(tx: Transaction, events: Event[], by: By): Promise<void> {
  const told = events.filter((event) => event.patientId !== null);
  if (told.length === 0) return;
  const ids = await idsOf(
    tx,
    sql`workspace_id = ${by.workspaceId} and patient_id = any(${told.map(({ patientId }) => patientId)})
      and cancel_on <> '{}' and cancel_on && ${told.map(({ type }) => type)}::text[]`,
  );
  await withdraw(tx, ids, by, (task) =>
    told.find(({ patientId, type }) => patientId === task.patientId && task.cancelOn.includes(type)),
  );
}

/**
 * Cancels the waiting tasks that would call a number whose person has opted out of these channels; of everything: null.
 * A task without a number of its own would call the patient's as it is now.
 */
export async function withdrawUnwanted(
  tx: Transaction,
  { phone, patientId, channels }: { phone: string; patientId: string; channels: Channel[] | null },
  { event, by }: { event: Event; by: By },
): Promise<void> {
  // An opt-out is the number's, whoever shares it; consent is one person's.
  const of = channels === null ? sql`` : sql`and patient_id = ${patientId} and channel = any(${channels})`;
  const ids = await idsOf(
    tx,
    sql`workspace_id = ${by.workspaceId} ${of} and (phone = ${phone} or patient_id = any(array(
      select id from patient where workspace_id = ${by.workspaceId} and phone = ${phone})))
      and ${phone} = case when is_phone_named then phone else coalesce((select p.phone from patient p
        where p.workspace_id = outbound_task.workspace_id and p.id = outbound_task.patient_id), phone) end`,
  );
  await withdraw(tx, ids, by, () => event);
}

/** How many tasks of a run that is over are cancelled at once. */
const batch = 500;

/** Cancels tasks that wait and whose run is over; answers how many. What somebody else holds is left to the next time. */
export const withdrawRun = (world: World, run: CampaignRun, by: By): Promise<number> =>
  world.transact(async (tx) => {
    const status = { in: [...tasks.waiting] };
    const where = { workspaceId: { eq: run.workspaceId }, queueId: { eq: run.id }, status };
    const found = await tx.lockEach(tasks, { where, limit: batch, skipLocked: true });
    for (const task of found)
      tx.decide(tasks, task, cancel(task, 'its run is over'), { ...by, correlationId: task.id });
    return found.length;
  });

const idsOf = async (tx: Transaction, where: RawBuilder<unknown>): Promise<string[]> =>
  (
    await tx.query<{ id: string }>(
      sql`select id from outbound_task where ${where} and status in ('SCHEDULED', 'SNOOZED')`,
    )
  ).map(({ id }) => id);

async function withdraw(
  tx: Transaction,
  ids: string[],
  by: By,
  causeOf: (task: tasks.OutboundTask) => Event | undefined,
): Promise<void> {
  if (ids.length === 0) return;
  const where = { workspaceId: { eq: by.workspaceId }, id: { in: ids } };
  for (const task of await tx.lockEach(tasks, { where, limit: ids.length })) {
    const cause = causeOf(task);
    if (!cause || !isWaiting(task)) continue; // it is being attempted: the attempt's end looks for the cause again
    const because = { ...by, causationId: cause.id, correlationId: task.id };
    tx.decide(tasks, task, cancel(task, cause.type), because);
  }
}
