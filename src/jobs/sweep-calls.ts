import { sql } from 'kysely';
import type { Attempts } from '../attempt.ts';
import type { Carrier } from '../carrier.ts';
import * as calls from '../domain/call.ts';
import type { Call, CallStatus } from '../domain/call.ts';
import * as progress from '../domain/call-progress.ts';
import type { By } from '../domain/event.ts';
import type { World } from '../world.ts';

/** What the sweep needs. */
export interface Sweep {
  world: World;
  carrier: Carrier;
  attempts: Attempts;
  /** How many times faster than life the carrier's people are: patience is shorter by as much. */
  pace: number;
  log: (line: string, error?: unknown) => void;
}

/** How many calls one sweep asks about. */
const batch = 50;

/** How long one asker has a call to itself, in milliseconds; then it is asked about again. Doubles with each ask up to a minute. */
const firstAskMs = 2_000;

/**
 * Asks the carrier about every call that has been silent for longer than its state may last, and records the answer:
 * lost callbacks, lost answers and processes that died between intent and dial all end here. Answers how many it asked about.
 */
export async function sweepCalls(sweep: Sweep, now: Date): Promise<number> {
  const stale = await claimStale(sweep, now);
  await Promise.all(
    stale.map(async (call) => {
      try {
        await settle(sweep, call, now);
      } catch (error) {
        sweep.log(`call ${call.id} could not be settled; it is asked about again`, error);
      }
    }),
  );
  return stale.length;
}

/** Claims each stale call for one asker, whatever the number of replicas. */
async function claimStale({ world, pace }: Sweep, now: Date): Promise<Call[]> {
  const silentSince = (status: CallStatus, scale: number) =>
    new Date(now.getTime() - (progress.patienceMs[status] ?? 0) / scale);
  const stale = sql.join(
    [
      // Our own request to the carrier takes its time however fast the simulated people are.
      sql`(c.status = 'QUEUED' and c.sid is null and c.status_at <= ${silentSince('QUEUED', 1)})`,
      sql`(c.status = 'QUEUED' and c.sid is not null and c.status_at <= ${silentSince('QUEUED', pace)})`,
      ...(['UNCERTAIN', 'RINGING', 'IN_PROGRESS'] as const).map(
        (status) => sql`(c.status = ${status} and c.status_at <= ${silentSince(status, pace)})`,
      ),
    ],
    sql` or `,
  );
  const claimed = await world.query<{ workspaceId: string; callId: string }>(sql`
    insert into call_watch as w (workspace_id, call_id, asks, ask_at)
    select c.workspace_id, c.id, 1, ${new Date(now.getTime() + firstAskMs / pace)}
    from call c left join call_watch known on known.workspace_id = c.workspace_id and known.call_id = c.id
    where c.status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN') and (${stale})
      and (known.ask_at is null or known.ask_at <= ${now})
    order by c.status_at limit ${batch}
    on conflict (workspace_id, call_id) do update set asks = w.asks + 1,
      ask_at = ${now}::timestamptz + make_interval(secs => least(60, ${firstAskMs / 1000}::float8 * power(2, least(w.asks, 5))) / ${pace}::float8)
      where w.ask_at <= ${now}
    returning workspace_id as "workspaceId", call_id as "callId"`);
  if (claimed.length === 0) return [];
  return world.find<Call>(calls.table, {
    workspaceId: { in: [...new Set(claimed.map(({ workspaceId }) => workspaceId))] },
    id: { in: claimed.map(({ callId }) => callId) },
  });
}

/** Asks the carrier how a call stands, and records what it knows; a call that it has never heard of is given up in time. */
export async function settle(
  { world, carrier, attempts, pace }: Sweep,
  call: Call,
  now: Date,
): Promise<void> {
  const by: By = { workspaceId: call.workspaceId, actor: 'sweep-calls', source: 'job', now };
  if (call.sid) {
    const heard = await carrier.lookUp(call.sid, now);
    await attempts.record(
      call,
      (current) => (heard ? progress.hear(current, heard) : progress.forget(current)),
      by,
    );
    return;
  }
  const lost = { outcome: 'unknown', cause: 'no_answer' } as const;
  const uncertain = await attempts.record(call, (current) => progress.answer(current, lost), by);
  const listed = await carrier.list(call.phoneTo, call.phoneFrom, now);
  const known = new Set(
    await knownSids(
      world,
      listed.map(({ sid }) => sid),
    ),
  );
  const ours = listed.find(
    ({ sid, createdAt }) => !known.has(sid) && createdAt.getTime() >= dialledAfter(call),
  );
  if (ours) await attempts.record(call, (current) => progress.hear(current, ours), by);
  else if (uncertain.status === 'UNCERTAIN') {
    const missingAt = await missingSince(world, call, now);
    if (now.getTime() - missingAt.getTime() >= progress.listLagMs / pace)
      await attempts.record(call, progress.giveUp, by);
  }
}

/** Since when the list has been read without this call in it: the first time that is now. */
async function missingSince(world: World, { workspaceId, id }: Call, now: Date): Promise<Date> {
  const [watch] = await world.query<{ at: Date }>(sql`
    insert into call_watch as w (workspace_id, call_id, asks, ask_at, missing_at)
    values (${workspaceId}, ${id}, 0, ${now}, ${now})
    on conflict (workspace_id, call_id) do update set missing_at = coalesce(w.missing_at, excluded.missing_at)
    returning missing_at as at`);
  return watch!.at;
}

/** The carrier's time has whole seconds, and its clock may differ from ours by a little. */
const dialledAfter = (call: Call) => call.queuedAt.getTime() - 5_000;

const knownSids = async (world: World, sids: string[]) =>
  (await world.query<{ sid: string }>(sql`select sid from call where sid = any(${sids})`)).map(
    ({ sid }) => sid,
  );

/** When the first open call will have been silent for too long, in whole milliseconds; null: none is open. */
export async function nextSweep({ world, pace }: Sweep): Promise<Date | null> {
  const seconds = (status: keyof typeof progress.patienceMs, scale: number) =>
    sql`${(progress.patienceMs[status] ?? 0) / 1000 / scale}::float8`;
  const [next] = await world.query<{ at: number | null }>(sql`
    select ceil(extract(epoch from min(greatest(known.ask_at, c.status_at + make_interval(secs => case
      when c.status = 'QUEUED' and c.sid is null then ${seconds('QUEUED', 1)}
      when c.status = 'QUEUED' then ${seconds('QUEUED', pace)}
      when c.status = 'UNCERTAIN' then ${seconds('UNCERTAIN', pace)}
      when c.status = 'RINGING' then ${seconds('RINGING', pace)}
      else ${seconds('IN_PROGRESS', pace)} end)))) * 1000)::float8 as at
    from call c left join call_watch known on known.workspace_id = c.workspace_id and known.call_id = c.id
    where c.status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`);
  return next?.at == null ? null : new Date(next.at);
}
