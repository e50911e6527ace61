/** What Postgres allows: task and event in one prepared statement, or in a plain transaction of two. */
import pg from 'pg';
import { tables, told, type Mutations } from '../peers/mutations.ts';
import { rowsOf } from '../rig/stage.ts';

let url = '';
let client: pg.Client;

/** Makes the tables. */
export async function open(databaseUrl: string): Promise<void> {
  url = databaseUrl;
  await rowsOf(url, tables);
  client = new pg.Client({ connectionString: url });
  await client.connect();
}

const text = `with task as (insert into task (id, patient_id, status, reason, scheduled_for, version)
    values ($1, $2, $3, $4, $5, $6) returning id)
  insert into event (id, entity_id, version, type, data, recorded_at) select $7, id, $6, $8, $9, $5 from task`;

/** One statement for each; answers how many a second. */
export const mutate = (wanted: Mutations): Promise<number> =>
  told(url, wanted, async ({ task, event }) => {
    const { id, patientId, status, reason, scheduledFor, version } = task;
    const values = [
      id,
      patientId,
      status,
      reason,
      scheduledFor,
      version,
      event.id,
      event.type,
      JSON.stringify(event.data),
    ];
    await client.query({ name: 'mutate', text, values });
  });
