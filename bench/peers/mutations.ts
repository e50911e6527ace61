/** What everyone writes: a task and the event that scheduled it, in one transaction. */
import { randomUUID } from 'node:crypto';
import { rowsOf } from '../rig/stage.ts';

/** How much is written. */
export interface Mutations {
  count: number;
}

/** The tables of those that have none of their own. */
export const tables = `
  create table task (id uuid primary key, patient_id int not null, status text not null, reason text not null,
    scheduled_for timestamptz not null, version int not null);
  create index task_patient on task (patient_id, id);
  create table event (position bigserial, id uuid primary key, entity_id uuid not null, version int not null, type text not null,
    data jsonb not null, recorded_at timestamptz not null, unique (entity_id, version))`;

/** The n-th task and its event. */
export function rowOf(n: number) {
  const id = randomUUID();
  const at = new Date();
  const patientId = (n * 997) % 50_000;
  return {
    task: { id, patientId, status: 'SCHEDULED', reason: 'Check-up', scheduledFor: at, version: 1 },
    event: {
      id: randomUUID(),
      entityId: id,
      version: 1,
      type: 'outbound.scheduled',
      data: { patientId, reason: 'Check-up', scheduledFor: at.toISOString(), priority: 5, maxAttempts: 3 },
      recordedAt: at,
    },
  };
}

/** Writes them one after another; answers how many a second, once both rows of each are found. */
export async function told(
  url: string,
  { count }: Mutations,
  write: (row: ReturnType<typeof rowOf>) => Promise<void>,
): Promise<number> {
  await rowsOf(url, 'truncate task, event');
  const begun = performance.now();
  for (let n = 0; n < count; n += 1) await write(rowOf(n));
  const rate = (count * 1_000) / (performance.now() - begun);
  const [found] = await rowsOf<{ pairs: number }>(
    url,
    'select count(*)::int as pairs from task t join event e on e.entity_id = t.id and e.version = t.version',
  );
  if (found?.pairs !== count) throw new Error(`${found?.pairs} of ${count} tasks have their event`);
  return rate;
}
