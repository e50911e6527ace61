import { sql } from 'kysely';
import type { Database } from './read.ts';

/** One minute, in milliseconds: the window of an API key's limit. */
const windowMs = 60_000;

/** Limits that all replicas share. They live in unlogged tables: cheap to write, and empty after a crash of Postgres. */
export function openRates(database: Database) {
  /**
   * Takes the account's next start, `callsPerSecond` apart. Answers how many milliseconds to wait for it, or null when
   * that is more than `limitMs`: then none was taken. Reckoned by Postgres's clock, which all replicas share.
   */
  async function takeTurn(account: string, callsPerSecond: number, limitMs: number): Promise<number | null> {
    const stepMs = 1000 / callsPerSecond;
    const { rows } = await sql<{ waitMs: number }>`
      insert into carrier_pace as p (account, next_at)
      values (${account}, clock_timestamp() + make_interval(secs => ${stepMs / 1000}))
      on conflict (account) do update
        set next_at = greatest(p.next_at, clock_timestamp()) + make_interval(secs => ${stepMs / 1000})
        where p.next_at < clock_timestamp() + make_interval(secs => ${limitMs / 1000})
      returning extract(epoch from (p.next_at - clock_timestamp()))::float8 * 1000 - ${stepMs}::float8 as "waitMs"`.execute(
      database,
    );
    const turn = rows[0];
    return turn ? Math.max(0, turn.waitMs) : null;
  }

  /** Counts one request of a key. Answers null, or in how many seconds its next minute begins when this one is used up. */
  async function takeRequest(
    key: { workspaceId: string; id: string },
    limit: number,
    now: Date,
  ): Promise<number | null> {
    const minute = new Date(Math.floor(now.getTime() / windowMs) * windowMs);
    const { rows } = await sql<{ used: number }>`
      insert into request_window as w (workspace_id, key_id, started_at, used)
      values (${key.workspaceId}, ${key.id}, ${minute}, 1)
      on conflict (workspace_id, key_id) do update
        set used = case when w.started_at = excluded.started_at then w.used + 1 else 1 end, started_at = excluded.started_at
      returning used`.execute(database);
    const used = rows[0]?.used ?? 0;
    return used <= limit
      ? null
      : Math.max(1, Math.ceil((minute.getTime() + windowMs - now.getTime()) / 1000));
  }

  /** Begun minutes of a workspace's calls that ended in this calendar month, UTC. No limit is set yet. */
  async function usage(workspaceId: string, now: Date) {
    const month = now.toISOString().slice(0, 7);
    const { rows } = await sql<{ callMinutes: number }>`
      select coalesce(sum(ceil(duration_seconds / 60.0)), 0)::int as "callMinutes" from call
      where workspace_id = ${workspaceId} and ended_at >= ${`${month}-01T00:00:00Z`}::timestamptz
        and ended_at < ${`${month}-01T00:00:00Z`}::timestamptz + interval '1 month'`.execute(database);
    return { month, callMinutes: rows[0]?.callMinutes ?? 0, limitMinutes: null };
  }

  return { takeTurn, takeRequest, usage };
}
