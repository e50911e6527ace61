import { sql } from 'kysely';
import type { RecordingCarrier } from '../carrier/recording.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import { remove } from '../domain/call-recording.ts';
import type { World } from '../world.ts';

/** What deleting needs. */
interface Tools {
  world: World;
  carrier: Pick<RecordingCarrier, 'recordingsOf' | 'deleteRecording'>;
  log: (line: string, error?: unknown) => void;
}

/** The recordings of how many calls are deleted at once. */
const batch = 20;

/** How long a call waits whose recordings could not be deleted, in seconds. */
const againSeconds = 60;

/**
 * Deletes the recordings of calls at the carrier for which the workspace's days are over, or that somebody did not want:
 * all that the carrier has of a call, also what it never told of. Deleted twice is deleted. Answers of how many calls.
 */
export async function deleteRecordings({ world, carrier, log }: Tools, now: Date): Promise<number> {
  const due = await world.query<{ workspaceId: string; id: string }>(sql`
    select c.workspace_id as "workspaceId", c.id ${kept} and ${dueAt} <= ${now} order by ${dueAt} limit ${batch}`);
  for (const { workspaceId, id } of due) {
    const where = { workspaceId: { eq: workspaceId }, id: { eq: id } };
    const call = (await world.findOne<Call>(calls.table, where))!;
    const by = { workspaceId, actor: 'delete-recordings', source: 'job' as const, now, correlationId: id };
    try {
      const sids = call.sid ? await carrier.recordingsOf(call.sid) : [];
      for (const sid of sids) await carrier.deleteRecording(sid);
      await world.change(calls, id, (current) => remove(current, sids), by);
    } catch (error) {
      await postpone(world, call, now);
      log(`the recordings of call ${id} could not be deleted; it is tried again`, error);
    }
  }
  return due.length;
}

const postpone = (world: World, { workspaceId, id }: Call, now: Date) =>
  world.query(sql`
    insert into call_watch as w (workspace_id, call_id, asks, ask_at)
    values (${workspaceId}, ${id}, 0, ${now}::timestamptz + make_interval(secs => ${againSeconds}))
    on conflict (workspace_id, call_id) do update set ask_at = excluded.ask_at`);

/** When the next recordings are to be deleted, in whole milliseconds; null: none are kept. */
export async function nextDeletion({ world }: Pick<Tools, 'world'>): Promise<Date | null> {
  const [next] = await world.query<{ at: number | null }>(
    sql`select ceil(extract(epoch from min(${dueAt})) * 1000)::float8 as at ${kept}`,
  );
  return next?.at == null ? null : new Date(next.at);
}

const kept = sql`from call c join workspace w on w.id = c.workspace_id
  left join call_watch known on known.workspace_id = c.workspace_id and known.call_id = c.id
  where c.recordings_since is not null and c.ended_at is not null`;

/** What is to be deleted at once is kept since the year 1970. */
const dueAt = sql`greatest(known.ask_at, c.recordings_since + make_interval(days => (w.policy->>'recordingDays')::int))`;
