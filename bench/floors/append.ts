/** What Postgres allows: one versioned append for each statement, and appends that wait a moment to be committed together. */
import pg from 'pg';
import { aFact, inFlight, streamOf, type Appends } from '../peers/appends.ts';

let pool: pg.Pool;

/** Makes the tables: streams with their versions, and events. */
export async function open(databaseUrl: string): Promise<void> {
  pool = new pg.Pool({ connectionString: databaseUrl, max: 20 });
  await pool.query(`create table stream (id text primary key, version int not null);
    create table event (position bigserial primary key, stream text not null, version int not null, type text not null,
      data jsonb not null, at timestamptz not null default now(), unique (stream, version))`);
}

const text = `with told as (select id, data, row_number() over (partition by id order by ord) as nth
    from unnest($1::text[], $2::jsonb[]) with ordinality u(id, data, ord)),
  raised as (insert into stream as s (id, version) select id, count(*) from told group by id order by id
    on conflict (id) do update set version = s.version + excluded.version returning id, version)
  insert into event (stream, version, type, data)
    select id, raised.version - count(*) over (partition by id) + nth, 'ext.measured', data from told join raised using (id)`;

const write = (streams: readonly string[], data: readonly string[]) =>
  pool.query({ name: 'append', text, values: [streams, data] });

/** Appends, each in a statement and commit of its own; answers how many a second. */
export async function append(wanted: Appends): Promise<number> {
  const rate = await inFlight(wanted, async (n) => {
    await write([streamOf(wanted, n)], [JSON.stringify(aFact)]);
  });
  await check(wanted);
  return rate;
}

/** Appends that share commits: who comes while one is written goes with the next; answers how many a second. */
export async function appendTogether(wanted: Appends): Promise<number> {
  let queue: { stream: string; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let writing = 0;
  const flush = async () => {
    while (queue.length > 0 && writing < 2) {
      writing += 1;
      const batch = queue;
      queue = [];
      try {
        await write(
          batch.map(({ stream }) => stream),
          batch.map(() => JSON.stringify(aFact)),
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      writing -= 1;
    }
  };
  const rate = await inFlight(
    wanted,
    (n) =>
      new Promise<void>((resolve, reject) => {
        queue.push({ stream: streamOf(wanted, n), resolve, reject });
        setImmediate(() => void flush());
      }),
  );
  await check(wanted);
  return rate;
}

async function check({ run, count }: Appends): Promise<void> {
  const { rows } = await pool.query<{ count: number; gaps: number }>(
    `select sum(count)::int as count, count(*) filter (where count <> last)::int as gaps from (
      select count(*) as count, max(version) as last from event where stream like $1 || ' %' group by stream) s`,
    [run],
  );
  if (rows[0]!.count !== count || rows[0]!.gaps > 0)
    throw new Error(`appends were lost: ${JSON.stringify(rows[0])}`);
}
