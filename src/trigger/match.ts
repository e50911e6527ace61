import { sql, type RawBuilder } from 'kysely';
import { newId } from '../clock.ts';
import type { Event } from '../domain/event.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import * as triggers from '../domain/trigger.ts';
import type { Trigger } from '../domain/trigger.ts';
import { fits } from '../domain/trigger-filter.ts';
import { depthLimit } from '../domain/trigger-run.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';
import { enqueue, type NewRun } from './queue.ts';

/** The types of events that some trigger waits for. */
export async function awaitedTypes(world: Pick<World, 'query'>): Promise<string[]> {
  const found = await world.query<{ type: string }>(
    sql`select distinct event_type as type from outbound_trigger where active and kind = 'EVENT'`,
  );
  return found.map(({ type }) => type);
}

/** Whether something after a place in the log is of a type that some trigger waits for. */
export const isAwaited = (cursor: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`exists (
  select from event_log l join event e on e.workspace_id = l.workspace_id and e.position = l.position
    join outbound_trigger t on t.workspace_id = e.workspace_id and t.event_type = e.type
  where l.global_seq > ${cursor} and t.active and t.kind = 'EVENT')`;

/** Queues a run for every trigger that waits for one of these events and whose filter it fits; answers how many are new. */
export async function match(world: World, notices: Notice[], now: Date): Promise<number> {
  const waiting = await triggersFor(world, notices);
  if (waiting.length === 0) return 0;
  const scenes = await scenesOf(world, notices);
  const depths = await depthsOf(world, notices);
  const runs: NewRun[] = [];
  for (const notice of notices) {
    const depth = (depths.get(notice.correlationId ?? '') ?? 0) + 1;
    if (depth > depthLimit + 1) continue; // what is itself a dead letter of a loop leads to none
    for (const trigger of waiting) {
      if (!isFor(trigger, notice) || !isWanted(trigger, scenes.get(notice.id), now)) continue;
      runs.push(runOf(trigger, notice, { depth, now }));
    }
  }
  return (await enqueue(world, runs, now)).length;
}

const isFor = (trigger: Trigger, notice: Notice): boolean =>
  trigger.workspaceId === notice.workspaceId &&
  trigger.eventType === notice.type &&
  // Its own creation and resumption are from that very instant.
  (notice.recordedAt > trigger.activeSince ||
    (notice.recordedAt.getTime() === trigger.activeSince.getTime() && notice.entityId !== trigger.id));

function isWanted({ filter }: Trigger, found: Found | undefined, now: Date): boolean {
  if (!found) return false;
  if (found.patient) return fits(filter, { ...found, patient: found.patient, now });
  return Object.keys(filter).length === 0; // the run tells that the event is about nobody
}

const runOf = (trigger: Trigger, notice: Notice, { depth, now }: { depth: number; now: Date }): NewRun => ({
  workspaceId: trigger.workspaceId,
  id: newId(now),
  triggerId: trigger.id,
  cause: notice.id,
  firedBy: 'event',
  eventId: notice.id,
  patientId: notice.patientId,
  payload: null,
  depth,
});

function triggersFor(world: World, notices: Notice[]): Promise<Trigger[]> {
  return world.find<Trigger>(triggers.table, {
    workspaceId: { in: [...new Set(notices.map(({ workspaceId }) => workspaceId))] },
    kind: { eq: 'EVENT' },
    active: { eq: true },
    eventType: { in: [...new Set(notices.map(({ type }) => type))] },
  });
}

interface Found {
  event: Event;
  patient: Patient | null;
}

/** Each event with its patient as it is now. */
async function scenesOf(world: World, notices: Notice[]): Promise<Map<string, Found>> {
  const people = new Map<string, Patient>();
  const events: Event[] = [];
  for (const [workspaceId, some] of Map.groupBy(notices, (notice) => notice.workspaceId)) {
    events.push(...(await world.eventsOf(workspaceId, { ids: some.map(({ id }) => id) })));
    const ids = [...new Set(some.flatMap(({ patientId }) => patientId ?? []))];
    const where = { workspaceId: { eq: workspaceId }, id: { in: ids } };
    for (const row of await world.find<Patient>(patients.table, where)) people.set(row.id, row);
  }
  return new Map(
    events.map((event) => [event.id, { event, patient: people.get(event.patientId ?? '') ?? null }]),
  );
}

/**
 * How many runs in a row have led to what is correlated so. Everything that comes of a run is correlated with its task,
 * which has the run's id; what was promised in a call of that task comes of it too.
 */
async function depthsOf(world: World, notices: Notice[]): Promise<Map<string, number>> {
  const ids = [...new Set(notices.flatMap(({ correlationId }) => correlationId ?? []))];
  const found = await world.query<{ id: string; depth: number }>(sql`
    with recursive line (id, task, step) as (
      select id, id, 0 from unnest(${ids}::uuid[]) id
      union all
      select line.id, c.task_id, step + 1 from line join outbound_task t on t.id = line.task
        join call c on c.workspace_id = t.workspace_id and c.id = t.derived_from_id
      where c.task_id is not null and step < 20)
    select line.id, max(r.depth)::int as depth from line join trigger_run r on r.id = line.task group by line.id`);
  return new Map(found.map(({ id, depth }) => [id, depth]));
}
