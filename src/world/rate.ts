import { sql } from 'kysely';
import { prepared, type Database } from './database.ts';

/** Which turns with the carrier are wanted. */
export interface Taking {
  account: string;
  callsPerSecond: number;
  /** For each that is wanted, in how many milliseconds it is at the soonest; 0: at once. They are taken in this order. */
  fromMs: number[];
  /** How long one is waited for at the most, in milliseconds. */
  limitMs: number;
  /** How far the clock is from Postgres's own, which all replicas share, in milliseconds; 0 unless it is simulated. */
  shiftMs: number;
}

/** The turns that were taken. */
export interface Turns {
  /** In how many milliseconds each is, in order: as many as come soon enough. */
  waitsMs: number[];
  /** In how many milliseconds another one may be taken. */
  againMs: number;
}

/** Turns further ahead than this were taken by a clock that has since been set back, in seconds. */
const strayedSeconds = 60;

/** Takes the account's next starts, as many as come soon enough; 1/callsPerSecond apart, and none before it is wanted. */
export async function takeTurns(database: Database, taking: Taking): Promise<Turns> {
  const { account, callsPerSecond, fromMs, limitMs, shiftMs } = taking;
  const stepMs = 1000 / callsPerSecond;
  const now = sql`clock_timestamp() + make_interval(secs => ${shiftMs / 1000}::float8)`;
  for (;;) {
    const rows = await database.run<{ aheadMs: number; waitsMs: number[] | null }>(
      prepared(sql`
      with held as (select account, n.now, case when next_at < n.now + make_interval(secs => ${strayedSeconds})
          then greatest(next_at, n.now) else n.now end as next_at
        from carrier_pace, (select ${now} as now) n where account = ${account} for update of carrier_pace),
      pace as (select *, extract(epoch from next_at - now)::float8 * 1000 as ahead from held),
      turn as (select n, greatest(ahead, max(soonest - (n - 1) * ${stepMs}::float8) over (order by n)) + (n - 1) * ${stepMs}::float8 as wait
        from pace, unnest(${fromMs}::float8[]) with ordinality as wanted(soonest, n)),
      taken as (select max(wait) as last, array_agg(wait order by n) as waits from turn where wait < ${limitMs}::float8)
      update carrier_pace c set next_at = coalesce(now + make_interval(secs => (last + ${stepMs}::float8) / 1000), p.next_at)
        from pace p, taken where c.account = p.account
      returning p.ahead as "aheadMs", taken.waits as "waitsMs"`),
    );
    const taken = rows[0];
    if (taken) {
      const waitsMs = taken.waitsMs ?? [];
      const last = waitsMs.at(-1);
      const nextMs = last === undefined ? taken.aheadMs : last + stepMs;
      return { waitsMs, againMs: Math.max(1, nextMs - limitMs) };
    }
    await database.run(
      sql`insert into carrier_pace (account, next_at) values (${account}, ${now}) on conflict do nothing`,
    );
  }
}

/** Limits that all replicas share. They live in unlogged tables: cheap to write, and empty after a crash of Postgres. */
export function openRates(database: Database) {
  /** Counts requests of a key that may come in a minute; answers how many that makes in this minute. */
  async function takeRequests(
    key: { workspaceId: string; id: string },
    { minute, count }: { minute: Date; count: number },
  ): Promise<number> {
    const [row] = await database.run<{ used: number }>(
      prepared(sql`
      insert into request_window as w (workspace_id, key_id, started_at, used)
      values (${key.workspaceId}, ${key.id}, ${minute}, ${count})
      on conflict (workspace_id, key_id) do update
        set used = case when w.started_at = excluded.started_at then w.used else 0 end + excluded.used,
          started_at = excluded.started_at
      returning used`),
    );
    return row!.used;
  }

  return { takeTurns: (taking: Taking) => takeTurns(database, taking), takeRequests };
}
