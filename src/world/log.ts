import { sql, type RawBuilder } from 'kysely';
import { table as eventTable, type Envelope, type Event } from '../domain/event.ts';
import { chain } from './chain.ts';
import { prepared, type Database } from './database.ts';
import { shapeOf } from './sql.ts';

/** An event without what was said or found about a person: what travels through JetStream. */
export type Notice = Envelope & { cursor: number; type: string; traceparent?: string };

/** An event that has no place in the log yet. */
type Pending = Omit<Notice, 'cursor'> & { position: number; dataHash: string };

/** Where the log ends: its last place, 0 while it is empty, and the hash there. */
export interface LogEnd {
  cursor: number;
  hash: string;
}

/** Which events are wanted from the log. */
export interface LogQuery {
  workspaceId: string;
  after?: number | undefined;
  before?: number | undefined;
  types?: readonly string[] | null | undefined;
  patientId?: string | null | undefined;
  entityId?: string | null | undefined;
  since?: Date | null | undefined;
  descending?: boolean;
  limit: number;
}

const eventColumns = shapeOf(eventTable).select;
const noticeColumns = shapeOf(eventTable)
  .columns.filter(({ property }) => !['data', 'dataHash', 'position'].includes(property))
  .map(({ column, property }) => `t."${column}" as "${property}"`)
  .join(', ');

/** How many places of the log are looked through at once for what is wanted there. */
const lookAhead = 10_000;

/** The log: the one order of all events, assigned by the leader and read by everyone. */
export function openLog(database: Database) {
  const query = <T>(statement: RawBuilder<unknown>) => database.run<T>(prepared(statement));

  /** Where the log ends. */
  const logEnd = async (): Promise<LogEnd> =>
    (
      await query<LogEnd>(
        sql`select global_seq as cursor, hash from event_log order by global_seq desc limit 1`,
      )
    )[0] ?? { cursor: 0, hash: '' };

  /**
   * Gives the oldest events of the outbox their places in the log: dense, without gaps, each hash over the one before.
   * Only the leader calls it, with the end as it left it; the log's primary key stops a leader that does not know it has
   * been replaced. Answers what was placed, in order, and the new end.
   */
  async function sequence(end: LogEnd, limit: number): Promise<{ placed: Notice[]; end: LogEnd }> {
    const pending =
      await query<Pending>(sql`select t.position, t.data_hash as "dataHash", ${sql.raw(noticeColumns)}
      from outbox o join event t on t.workspace_id = o.workspace_id and t.position = o.position
      order by o.position limit ${limit}`);
    if (pending.length === 0) return { placed: [], end };
    let { hash } = end;
    const entries = pending.map((event, index) => {
      hash = chain(hash, event);
      const { workspaceId, position } = event;
      return { global_seq: end.cursor + 1 + index, workspace_id: workspaceId, position, hash };
    });
    await query(sql`
      with entry as (select * from jsonb_to_recordset(${JSON.stringify(entries)}::jsonb)
          as e(global_seq bigint, workspace_id uuid, position bigint, hash text)),
        placed as (insert into event_log (global_seq, workspace_id, position, hash)
          select global_seq, workspace_id, position, hash from entry order by global_seq)
      delete from outbox where position = any(array(select position from entry))`);
    const placed = pending.map(({ position: _position, dataHash: _hash, ...notice }, index) => ({
      ...notice,
      cursor: end.cursor + 1 + index,
    }));
    return { placed, end: { cursor: end.cursor + pending.length, hash } };
  }

  /** What JetStream is told of the events after a place in the log, in order. */
  const noticesAfter = (cursor: number, limit: number) =>
    query<Notice>(sql`select l.global_seq as cursor, ${sql.raw(noticeColumns)}
      from event_log l join event t on t.workspace_id = l.workspace_id and t.position = l.position
      where l.global_seq > ${cursor} order by l.global_seq limit ${limit}`);

  /**
   * What happened after a place in the log and is of some types, in order; and how far that was looked for. The types are
   * asked for once the end is known: who waits for one since before an event is among those who are told of it.
   */
  const noticesOf = async (typesOf: () => Promise<string[]>, cursor: number, limit: number) => {
    const [end] = await query<{ cursor: number }>(
      sql`select coalesce(max(global_seq), 0)::int8 as cursor from event_log`,
    );
    const until = Math.min(end?.cursor ?? 0, cursor + lookAhead);
    const types = until <= cursor ? [] : await typesOf();
    const notices =
      types.length === 0
        ? []
        : await query<Notice>(sql`
      select l.global_seq as cursor, ${sql.raw(noticeColumns)}
      from event_log l join event t on t.workspace_id = l.workspace_id and t.position = l.position
      where l.global_seq > ${cursor} and l.global_seq <= ${until} and t.type = any(${types})
      order by l.global_seq limit ${limit}`);
    return { notices, until: notices.length < limit ? until : notices.at(-1)!.cursor };
  };

  /** A workspace's events in the order of the log. */
  const log = (wanted: LogQuery) =>
    query<Event & { cursor: number }>(sql`select l.global_seq as cursor, ${sql.raw(eventColumns)}
      from event_log l join event t on t.workspace_id = l.workspace_id and t.position = l.position
      where l.workspace_id = ${wanted.workspaceId} ${logConditions(wanted)}
      order by l.global_seq ${sql.raw(wanted.descending ? 'desc' : 'asc')} limit ${wanted.limit}`);

  /**
   * Patients' events by the time they were true, newest first unless `ascending`, for each patient in their order; those not
   * in the log yet included.
   */
  const timelines = async (patientIds: readonly string[], wanted: TimelineQuery) => {
    const order = sql`t.effective_at ${direction(wanted)}, t.position ${direction(wanted)}`;
    const events = await query<Event & { position: number }>(sql`
      select l.global_seq as cursor, ${sql.raw(eventColumns)}
      from unnest(${patientIds}::uuid[]) with ordinality as p(id, ord) cross join lateral (
        select * from event t where t.workspace_id = ${wanted.workspaceId} and t.patient_id = p.id
          ${timelineConditions(wanted)} order by ${order} limit ${wanted.limit}) t
      left join event_log l on l.position = t.position
      order by p.ord, ${order}`);
    const byPatient = Map.groupBy(events, ({ patientId }) => patientId);
    return patientIds.map((id) => byPatient.get(id) ?? []);
  };

  /** Events of entities, oldest first, with their places in the log where they have one. */
  const eventsOf = (workspaceId: string, by: { entityIds: readonly string[] } | { ids: readonly string[] }) =>
    query<Event>(sql`select l.global_seq as cursor, ${sql.raw(eventColumns)}
      from event t left join event_log l on l.position = t.position
      where t.workspace_id = ${workspaceId}
        and ${'ids' in by ? sql`t.id = any(${by.ids})` : sql`t.entity_id = any(${by.entityIds})`}
      order by t.entity_id, t.version`);

  /** The id of the first event: which log this is. Null while it is empty. */
  const logId = async () =>
    (
      await query<{
        id: string;
      }>(sql`select t.id from event_log l join event t on t.workspace_id = l.workspace_id and t.position = l.position
      where l.global_seq = 1`)
    )[0]?.id ?? null;

  /** Whether this event stands at this place. */
  const logHolds = async (cursor: number, eventId: string) =>
    (
      await query(sql`select 1 from event_log l join event t on t.workspace_id = l.workspace_id and t.position = l.position
      where l.global_seq = ${cursor} and t.id = ${eventId}`)
    ).length > 0;

  /** How far a follower of the log has come; 0: it begins. */
  const position = async (name: string) =>
    (await query<{ cursor: number }>(sql`select cursor from log_position where name = ${name}`))[0]?.cursor ??
    0;

  /** Moves a follower on, unless another process has done so already. */
  const advance = (name: string, from: number, to: number) =>
    query(sql`insert into log_position as p (name, cursor) values (${name}, ${to})
      on conflict (name) do update set cursor = excluded.cursor where p.cursor = ${from}`);

  return {
    position,
    advance,
    logEnd,
    sequence,
    noticesAfter,
    noticesOf,
    log,
    timelines,
    eventsOf,
    logId,
    logHolds,
  };
}

/** What of a patient's timeline is wanted. `after` is a place in it: an instant and a position. */
export interface TimelineQuery {
  workspaceId: string;
  types?: readonly string[] | null | undefined;
  since?: Date | null | undefined;
  until?: Date | null | undefined;
  after?: { effectiveAt: Date; position: number } | undefined;
  ascending?: boolean;
  limit: number;
}

const direction = (wanted: TimelineQuery) => sql.raw(wanted.ascending ? 'asc' : 'desc');

function timelineConditions({ types, since, until, after, ascending }: TimelineQuery) {
  return sql.join(
    [
      types ? sql`and t.type = any(${types})` : sql``,
      since ? sql`and t.effective_at >= ${since}` : sql``,
      until ? sql`and t.effective_at < ${until}` : sql``,
      after
        ? sql`and (t.effective_at, t.position) ${sql.raw(ascending ? '>' : '<')} (${after.effectiveAt}, ${after.position})`
        : sql``,
    ],
    sql` `,
  );
}

function logConditions(wanted: LogQuery) {
  return sql.join(
    [
      wanted.after === undefined ? sql`` : sql`and l.global_seq > ${wanted.after}`,
      wanted.before === undefined ? sql`` : sql`and l.global_seq < ${wanted.before}`,
      wanted.types ? sql`and t.type = any(${wanted.types})` : sql``,
      wanted.patientId ? sql`and t.patient_id = ${wanted.patientId}` : sql``,
      wanted.entityId ? sql`and t.entity_id = ${wanted.entityId}` : sql``,
      wanted.since ? sql`and t.recorded_at >= ${wanted.since}` : sql``,
    ],
    sql` `,
  );
}
