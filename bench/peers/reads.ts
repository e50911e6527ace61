/** What resolvers written by hand read: one prepared statement for each level, whatever the number of patients. */
import type pg from 'pg';

type Row = Record<string, unknown>;

async function rows(pool: pg.Pool, name: string, text: string, values: unknown[]): Promise<Row[]> {
  return (await pool.query<Row>({ name, text, values })).rows;
}

const patientColumns = 'id, name, phone';
const at = (column: string, name: string) => `to_json(${column}) #>> '{}' as "${name}"`;

/** The first patients by their ids. */
export const patientsOf = (pool: pg.Pool, first: number): Promise<Row[]> =>
  rows(pool, 'patients', `select ${patientColumns} from plain.patients order by id limit $1`, [first]);

/** One patient. */
export const patientOf = async (pool: pg.Pool, id: string): Promise<Row | null> =>
  (await rows(pool, 'patient', `select ${patientColumns} from plain.patients where id = $1`, [id]))[0] ??
  null;

/** The newest events of each patient. */
export const eventsOf = (pool: pg.Pool, ids: string[], first: number): Promise<Row[][]> =>
  perPatient(
    pool,
    { name: 'events', ids, first },
    `select id, type, version, ${at('effective_at', 'effectiveAt')}
    from plain.events e where e.patient_id = p.id order by e.effective_at desc, e.id desc limit $2`,
  );

/** The tasks of each patient that are scheduled. */
export const tasksOf = (pool: pg.Pool, ids: string[], first: number): Promise<Row[][]> =>
  perPatient(
    pool,
    { name: 'tasks', ids, first },
    `select id, reason, status, ${at('scheduled_for', 'scheduledFor')}
    from plain.tasks t where t.patient_id = p.id and t.status = 'SCHEDULED' order by t.id limit $2`,
  );

async function perPatient(
  pool: pg.Pool,
  { name, ids, first }: { name: string; ids: string[]; first: number },
  lateral: string,
): Promise<Row[][]> {
  const text = `select p.ord::int as ord, r.* from unnest($1::uuid[]) with ordinality p(id, ord), lateral (${lateral}) r`;
  const lists: Row[][] = ids.map(() => []);
  for (const row of await rows(pool, name, text, [ids, first])) lists[Number(row['ord']) - 1]!.push(row);
  return lists;
}
