/** What Postgres and a timer allow: the least that dispatching can be, with nothing decided and nobody asked. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { countedDown, openEvents, stored, type Burst } from '../peers/events.ts';

let pool: pg.Pool;
let connectionString = '';

/** Makes the table of what is due. */
export async function open(databaseUrl: string): Promise<void> {
  connectionString = databaseUrl;
  pool = new pg.Pool({ connectionString, max: 16 });
  await pool.query(`create table due (id int primary key, at timestamptz, status text not null default 'waiting');
    create index due_at on due (at) where status = 'waiting'`);
}

const claim = {
  name: 'claim',
  text: `update due set status = 'claimed' where id = any(array(
    select id from due where status = 'waiting' and at <= $1 order by at limit 100 for update skip locked)) returning id`,
};

/** Rows for these instants, claimed by a timer armed at the next one; answers how late each was claimed, in milliseconds. */
export async function lateness(inMs: readonly number[]): Promise<number[]> {
  await pool.query('truncate due');
  const from = Date.now();
  const dueAt = inMs.map((ms) => from + ms);
  await pool.query(
    'insert into due (id, at) select ord - 1, at from unnest($1::timestamptz[]) with ordinality u(at, ord)',
    [dueAt.map((at) => new Date(at))],
  );
  const late: number[] = [];
  while (late.length < dueAt.length) {
    const { rows } = await pool.query<{ at: Date }>(`select min(at) as at from due where status = 'waiting'`);
    await sleep(Math.max(0, rows[0]!.at.getTime() - Date.now()));
    const claimed = await pool.query<{ id: number }>({ ...claim, values: [new Date()] });
    for (const { id } of claimed.rows) late.push(Date.now() - dueAt[id]!);
  }
  return late;
}

/** Inserts with NOTIFY, one by one; answers how long until a listener knew of each, in milliseconds. */
export async function placed(count: number): Promise<number[]> {
  await pool.query('truncate due');
  const listener = new pg.Client({ connectionString });
  await listener.connect();
  await listener.query('listen due');
  const waits: number[] = [];
  let heard = () => {};
  listener.on('notification', () => heard());
  for (let n = 0; n < count; n += 1) {
    const next = new Promise<void>((resolve) => (heard = resolve));
    const begun = performance.now();
    await pool.query({
      name: 'tell',
      text: `with added as (insert into due (id, at) values ($1, now())) select pg_notify('due', '')`,
      values: [n],
    });
    await next;
    waits.push(performance.now() - begun);
    await sleep(2);
  }
  await listener.end();
  return waits;
}

const claimBatch = {
  name: 'claim_batch',
  text: `with claimed as (update due set status = 'claimed' where id = any(array(
      select id from due where status = 'waiting' order by at limit 100 for update skip locked)) returning id),
    told as (insert into bench_event (entity, type, data) select 'task ' || id, 'outbound.dispatched', '{"attempt":1}' from claimed)
    select id from claimed`,
};
const completeBatch = {
  name: 'complete_batch',
  text: `with done as (update due set status = 'done' where id = any($1::int[]) returning id)
    insert into bench_event (entity, type, data) select 'task ' || id, 'outbound.completed', '{"attempt":1}' from done`,
};

/** Rows claimed and completed by four workers in batches of 100, two events each in the same statements. */
export async function burst({ count }: Burst): Promise<number> {
  await openEvents(connectionString);
  await pool.query('truncate due');
  await pool.query(`insert into due (id, at) select n, now() from generate_series(1, ${count}) n`);
  await pool.query('analyze due');
  const { promise, done } = countedDown(4);
  const begun = performance.now();
  const worker = async () => {
    for (;;) {
      const { rows } = await pool.query<{ id: number }>(claimBatch);
      if (rows.length === 0) return done();
      await pool.query({ ...completeBatch, values: [rows.map(({ id }) => id)] });
    }
  };
  await Promise.all([...Array.from({ length: 4 }, worker), promise]);
  const seconds = (performance.now() - begun) / 1_000;
  await stored(connectionString, 2 * count);
  return count / seconds;
}
