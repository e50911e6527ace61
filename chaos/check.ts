import { isDeepStrictEqual } from 'node:util';
import { DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { sql } from 'kysely';
import * as calls from '../src/domain/call.ts';
import * as campaigns from '../src/domain/campaign.ts';
import * as runs from '../src/domain/campaign-run.ts';
import * as contacts from '../src/domain/contact.ts';
import { foldOf, type Event, type Fact, type Kind, type Row } from '../src/domain/event.ts';
import * as patients from '../src/domain/patient.ts';
import * as tasks from '../src/domain/task.ts';
import type { LedgerEntry } from '../src/simulator/ledger.ts';
import type { World } from '../src/world.ts';
import { verifyLog } from '../src/world/verify.ts';

/** How many rows are folded anew at once. */
const batch = 500;

/** A dial that the carrier began. */
export interface Dial {
  callId: string;
  sid: string;
  at: Date;
}

/** The dials that the carrier began, each with our id for the call: its callbacks carry it. */
export const dialsOf = (ledger: readonly LedgerEntry[]): Dial[] =>
  ledger
    .filter(({ kind, accepted }) => kind === 'create' && accepted)
    .map(({ callSid, params, at }) => ({
      callId: /\/calls\/([0-9a-f-]{36})\/status/.exec(params?.['StatusCallback'] ?? '')?.[1] ?? 'unknown',
      sid: callSid ?? '',
      at: new Date(at),
    }));

/** Whatever is not as it must be, when all is quiet: each in one line. */
export async function violationsOf(given: {
  world: World;
  natsUrl: string;
  ledger: readonly LedgerEntry[];
  /** How many tasks were scheduled. */
  scheduled: number;
}): Promise<string[]> {
  const { world, natsUrl, ledger, scheduled } = given;
  return [
    ...(await ofDials(world, dialsOf(ledger))),
    ...(await ofEnds(world, scheduled)),
    ...(await ofLog(world)),
    ...(await ofStream(world, natsUrl)),
    ...(await ofFolds(world, tasks)),
    ...(await ofFolds(world, calls)),
    ...(await ofFolds(world, contacts)),
    ...(await ofFolds(world, patients)),
    ...(await ofFolds(world, campaigns)),
    ...(await ofFolds(world, runs)),
  ];
}

interface Attempted {
  callId: string;
  taskId: string;
  attempt: number;
  maxAttempts: number;
  sid: string | null;
}

/** No call, and no attempt of a task, is dialled twice; no task more often than it may be; no dial is forgotten. */
async function ofDials(world: World, dials: readonly Dial[]): Promise<string[]> {
  const attempted = await world.query<Attempted>(sql`
    select e.data->>'callId' as "callId", e.entity_id as "taskId", (e.data->>'attempt')::int as attempt,
      t.max_attempts as "maxAttempts", c.sid
    from event e join outbound_task t on t.id = e.entity_id left join call c on c.id = (e.data->>'callId')::uuid
    where e.type = 'outbound.dispatched'`);
  const byCall = new Map(attempted.map((attempt) => [attempt.callId, attempt]));
  const perCall = new Map<string, number>();
  const perAttempt = new Map<string, number>();
  const perTask = new Map<string, number>();
  const faults: string[] = [];
  for (const { callId, sid } of dials) {
    const known = byCall.get(callId);
    if (!known) {
      faults.push(`the carrier dialled ${callId}, which no task has dispatched`);
      continue;
    }
    const { taskId, attempt, maxAttempts } = known;
    if (count(perCall, callId) === 2) faults.push(`call ${callId} was dialled twice`);
    if (count(perAttempt, `${attempt} of task ${taskId}`) === 2)
      faults.push(`attempt ${attempt} of task ${taskId} was dialled twice`);
    if (count(perTask, taskId) === maxAttempts + 1)
      faults.push(`task ${taskId} was dialled more than ${maxAttempts} times`);
    if (known.sid !== sid) faults.push(`call ${callId} is ${sid} to the carrier, and ${known.sid} to us`);
  }
  return faults;
}

function count(counts: Map<string, number>, key: string): number {
  const next = (counts.get(key) ?? 0) + 1;
  counts.set(key, next);
  return next;
}

/** Every task is there and over, within its attempts; so is every call, and every attempt at a number. */
async function ofEnds(world: World, scheduled: number): Promise<string[]> {
  const counted = await world.count(tasks.table, { campaignId: { eq: null } });
  const open = await world.query<{ fault: string }>(sql`
    select 'task ' || id || ' is ' || status || ', next at ' || coalesce(next_attempt_at::text, 'never') as fault
      from outbound_task where status not in ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT')
        and queue_id not in (select id from campaign_run where status = 'PAUSED')
    union all select 'task ' || id || ' had ' || attempts || ' attempts of ' || max_attempts
      from outbound_task where attempts > max_attempts
    union all select 'call ' || id || ' is ' || status
      from call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')
    union all select 'an attempt at contact ' || c.id || ' never ended'
      from contact c, jsonb_array_elements(c.attempts) a where a->>'endedAt' is null`);
  const missing =
    counted === scheduled ? [] : [`${scheduled} tasks were scheduled, and ${counted} are there`];
  return [...missing, ...open.map(({ fault }) => fault)];
}

/** Each entity's events are numbered from 1 without a gap; each event has one place in the log, it has no holes, and its hashes fit. */
export async function ofLog(world: World): Promise<string[]> {
  const found = await world.query<{ fault: string }>(sql`
    select 'the versions of ' || entity_type || ' ' || entity_id || ' have gaps' as fault
      from event group by entity_type, entity_id having count(*) <> max(version) or min(version) <> 1
        or count(distinct version) <> count(*)
    union all select 'the log has holes: ' || count(*) || ' places up to ' || max(global_seq)
      from event_log having count(*) <> max(global_seq) or min(global_seq) <> 1
    union all select 'the log has events twice' from event_log having count(distinct position) <> count(*)
    union all select 'event ' || e.id || ' is not in the log'
      from event e left join event_log l on l.position = e.position where l.position is null
    union all select 'the outbox holds position ' || position from outbox`);
  const { fault } = await verifyLog(world);
  return [
    ...found.map(({ fault }) => fault),
    ...(fault ? [`event ${fault.eventId} at ${fault.cursor}: ${fault.what}`] : []),
  ];
}

/** JetStream holds the log: each event once, in order. */
async function ofStream(world: World, natsUrl: string): Promise<string[]> {
  const log = await world.query<{ id: string }>(
    sql`select e.id from event_log l join event e on e.position = l.position order by l.global_seq`,
  );
  const held = await idsIn(natsUrl);
  const first = log.findIndex(({ id }, index) => id !== held[index]);
  if (first === -1 && held.length === log.length) return [];
  return [`the stream holds ${held.length} events, the log ${log.length}; they differ from ${first} on`];
}

/** The ids of the events in the stream, in its order. */
export async function idsIn(natsUrl: string): Promise<string[]> {
  const connection = await connect({ servers: natsUrl });
  try {
    const { state } = await (await jetstreamManager(connection)).streams.info('world');
    const ids: string[] = [];
    if (state.messages === 0) return ids;
    const consumer = await jetstream(connection).consumers.get('world', {
      deliver_policy: DeliverPolicy.All,
    });
    for await (const message of await consumer.consume()) {
      ids.push(message.headers?.get('Nats-Msg-Id') ?? '');
      if (message.seq === state.last_seq) break;
    }
    return ids;
  } finally {
    await connection.close();
  }
}

/** Every row is the fold of its events. */
async function ofFolds<R extends Row, F extends Fact>(world: World, kind: Kind<R, F>): Promise<string[]> {
  const faults: string[] = [];
  let after: unknown[] | undefined;
  for (;;) {
    const rows = await world.page<R>(kind.table, { order: ['workspaceId', 'id'], limit: batch, after });
    const last = rows.at(-1);
    if (!last) return faults;
    after = [last.workspaceId, last.id];
    const events = await world.eventsOf(last.workspaceId, { entityIds: rows.map(({ id }) => id) });
    faults.push(...ofRows(kind, rows, events));
  }
}

/** These rows are the folds of these events. */
export function ofRows<R extends Row, F extends Fact>(
  kind: Kind<R, F>,
  rows: readonly R[],
  events: readonly Event[],
): string[] {
  const byRow = Map.groupBy(events, ({ entityId }) => entityId);
  return rows
    .filter(
      (row) =>
        !isDeepStrictEqual(
          row,
          foldOf(kind, row.id, row.workspaceId, (byRow.get(row.id) ?? []) as Event<F>[]),
        ),
    )
    .map(({ id }) => `${kind.entityType} ${id} is not the fold of its events`);
}
