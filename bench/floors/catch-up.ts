/** The rows of the log in its order, read by a cursor, a thousand at a time. */
import pg from 'pg';

/** Nothing to open. */
export const open = (): void => {};

/** Reads so many events of another database; answers how many a second. */
export async function read(databaseUrl: string, count: number): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const begun = performance.now();
  let found = 0;
  await client.query('begin');
  await client.query(`declare log cursor for select l.global_seq, e.* from event_log l
    join event e on e.workspace_id = l.workspace_id and e.position = l.position order by l.global_seq`);
  while (found < count) {
    const { rows } = await client.query({ name: 'more', text: 'fetch 1000 from log' });
    if (rows.length === 0) throw new Error(`${found} of ${count} events are there`);
    found += rows.length;
  }
  const rate = (found * 1_000) / (performance.now() - begun);
  await client.end();
  return rate;
}
