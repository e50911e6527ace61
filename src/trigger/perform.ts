import { sql } from 'kysely';
import type { By, Event } from '../domain/event.ts';
import type { Scene } from '../domain/event-path.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import { Refusal } from '../domain/refusal.ts';
import * as triggers from '../domain/trigger.ts';
import type { Fact, Trigger } from '../domain/trigger.ts';
import { isRule, planFor } from '../domain/trigger-plan.ts';
import { depthLimit, retryMs, type TriggerRun } from '../domain/trigger-run.ts';
import { addTask, intentFor, outboundOf, type Outbound } from '../schedule.ts';
import type { Transaction, World } from '../world.ts';
import { claim, finish, isPassing, putBack, type Claim, type Ending } from './queue.ts';

/** Who makes the tasks of triggers. */
const actor = 'run-triggers';

/** Claims runs that are due, and records that each has fired. */
export const begin = (world: World, now: Date): Promise<Claim[]> =>
  world.transact(async (tx) => {
    const claims = await claim(tx, now);
    for (const { trigger, runs } of claims) {
      let row = trigger;
      for (const run of runs.filter((fresh) => fresh.attempts === 1 && isTold(fresh)))
        row = tx.decide(triggers, row, fired(run), byOf(run, now)).row;
    }
    return claims;
  });

/** What a schedule has fired is told by its instant. */
const isTold = ({ firedBy }: TriggerRun): boolean => firedBy !== 'schedule';

function fired({ id, cause, firedBy, patientId, eventId }: TriggerRun): Fact[] {
  const data = { runId: id, cause, firedBy, patientId: patientId ?? null };
  // What no event has caused is caused by this one.
  return [{ type: 'trigger.fired', data, ...(firedBy === 'event' || !eventId ? {} : { id: eventId }) }];
}

/** Makes the tasks of claimed runs, in one transaction. What a rule refuses has failed; any other error is thrown. */
export const perform = (world: World, { trigger, runs }: Claim, now: Date): Promise<number> =>
  world.transact(async (tx) => {
    const ours = await stillOurs(tx, runs);
    const people = await lockPatients(tx, ours);
    const row = await tx.lock(triggers, here(trigger));
    if (!row || ours.length === 0) return 0;
    const events = await eventsOf(tx, ours);
    const patientIds = [...new Set([...people.values()].map(({ id }) => id))];
    const { workspaceId, action } = row;
    const outbound = await outboundOf(tx, { workspaceId, patientIds, purpose: action.purpose }).catch(
      asRefusal,
    );
    const reasons = await pointless(
      tx,
      row,
      ours.map((run) => ({ run, patient: people.get(run.id) })),
    );
    const endings = ours.map((run) =>
      end(
        tx,
        {
          trigger: row,
          run,
          patient: people.get(run.id),
          event: events.get(run.eventId ?? ''),
          outbound,
          reason: reasons.get(run.id),
        },
        now,
      ),
    );
    tell(tx, row, ours, { endings, people, now });
    await finish(tx, endings, now);
    return endings.length;
  });

/** Runs that another process has not taken over meanwhile. */
async function stillOurs(tx: Transaction, runs: TriggerRun[]): Promise<TriggerRun[]> {
  const held = await tx.query<{ id: string; attempts: number }>(sql`select id, attempts from trigger_run
    where id = any(${runs.map(({ id }) => id)}) and status = 'RUNNING' order by id for update`);
  const attempts = new Map(held.map((run) => [run.id, run.attempts]));
  return runs.filter((run) => attempts.get(run.id) === run.attempts);
}

/** The patients of runs, locked, by the runs' ids. */
async function lockPatients(tx: Transaction, runs: TriggerRun[]): Promise<Map<string, Patient>> {
  const [first] = runs;
  if (!first) return new Map();
  const { workspaceId } = first;
  const canonical = runs.flatMap(({ payload }) =>
    payload?.patient && 'patientCanonicalId' in payload.patient ? [payload.patient.patientCanonicalId] : [],
  );
  const known = await tx.query<{
    id: string;
    canonicalId: string;
  }>(sql`select id, canonical_id as "canonicalId"
    from patient where workspace_id = ${workspaceId} and canonical_id = any(${canonical})`);
  const idOf = ({ patientId, payload }: TriggerRun): string | null => {
    if (patientId) return patientId;
    const named = payload?.patient;
    if (!named) return null;
    if ('patientId' in named) return named.patientId;
    return known.find(({ canonicalId }) => canonicalId === named.patientCanonicalId)?.id ?? null;
  };
  const ids = new Map(runs.map((run) => [run.id, idOf(run)]));
  const id = { in: [...new Set([...ids.values()].filter((each) => each !== null))] };
  const where = { workspaceId: { eq: workspaceId }, id };
  const rows = await tx.lockEach(patients, { where, limit: id.in.length });
  return new Map(
    runs.flatMap((run) => rows.filter((row) => row.id === ids.get(run.id)).map((row) => [run.id, row])),
  );
}

async function eventsOf(tx: Transaction, runs: TriggerRun[]): Promise<Map<string, Event>> {
  const ids = runs.flatMap(({ eventId, firedBy }) => (firedBy === 'event' && eventId ? [eventId] : []));
  const found = await tx.query<Event>(sql`select id, type, data, effective_at as "effectiveAt" from event
    where workspace_id = ${runs[0]!.workspaceId} and id = any(${ids})`);
  return new Map(found.map((event) => [event.id, event]));
}

/** Events that have made the task of a run pointless since its cause, by the runs' ids. */
async function pointless(
  tx: Transaction,
  { workspaceId, action }: Trigger,
  of: { run: TriggerRun; patient: Patient | undefined }[],
): Promise<Map<string, string>> {
  const asked = of.flatMap(({ run, patient }) =>
    patient ? [{ run: run.id, patient: patient.id, cause: causeOf(run), since: run.createdAt }] : [],
  );
  if (action.cancelOn.length === 0 || asked.length === 0) return new Map();
  const found = await tx.query<{ run: string; type: string }>(sql`
    select a.run, e.type from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
        as a(run uuid, patient uuid, cause uuid, since timestamptz)
      left join event c on c.workspace_id = ${workspaceId} and c.id = a.cause
      join event e on e.workspace_id = ${workspaceId} and e.patient_id = a.patient
        and e.type = any(${action.cancelOn})
        and case when c.position is null then e.recorded_at >= a.since else e.position > c.position end`);
  return new Map(found.map(({ run, type }) => [run, type]));
}

interface Performing {
  trigger: Trigger;
  run: TriggerRun;
  patient: Patient | undefined;
  event: Event | undefined;
  outbound: Outbound | Refusal;
  /** The event that has made it pointless; undefined: none has. */
  reason: string | undefined;
}

/** Makes the task of one run, or tells why there is none. */
function end(tx: Transaction, performing: Performing, now: Date): Ending {
  const { trigger, run, patient, reason, outbound } = performing;
  const ending = (status: Ending['status'], error: string | null, taskId: string | null = null) => ({
    id: run.id,
    status,
    error,
    taskId,
  });
  if (run.depth > depthLimit)
    return ending(
      'DEAD',
      `This trigger has led to itself ${depthLimit} times in a row: the loop is cut here.`,
    );
  if (run.attempts > trigger.maxRetries + 1)
    return ending('DEAD', 'It was begun as often as it may be, and never finished.');
  if (!patient) return ending('FAILED', noPatient(run));
  if (outbound instanceof Refusal) return ending('FAILED', outbound.message);
  if (reason) return ending('SUCCEEDED', `Not needed any more: ${reason}.`);
  try {
    const plan = planFor(trigger, sceneOf(performing, patient, now), run.createdAt);
    const by = byOf(run, now);
    const wanted = { ...plan, origin: 'TRIGGER' as const, triggerId: trigger.id };
    const intent = intentFor(wanted, { patient, ...outbound }, by);
    addTask(tx, { taskId: run.id, intent, by: { ...by, causationId: run.eventId ?? null } });
    return ending('SUCCEEDED', null, run.id);
  } catch (error) {
    if (isRule(error)) return ending('FAILED', error.message);
    throw error;
  }
}

function sceneOf({ run, event }: Performing, patient: Patient, now: Date): Scene {
  if (event) return { event, patient, now };
  const { payload } = run;
  return { event: payload ? { ...payload, effectiveAt: run.createdAt } : null, patient, now };
}

const noPatient = ({ payload, firedBy }: TriggerRun): string => {
  if (payload?.patient) return 'There is no such patient in this workspace.';
  return firedBy === 'event'
    ? 'This event is about no patient.'
    : 'It does not say whom it is about: give patientId or patientCanonicalId.';
};

/** Records what came of runs. */
function tell(
  tx: Transaction,
  trigger: Trigger,
  runs: TriggerRun[],
  { endings, people, now }: { endings: Ending[]; people: Map<string, Patient>; now: Date },
): void {
  let row = trigger;
  for (const [index, run] of runs.entries()) {
    const { status, taskId, error } = endings[index]!;
    const data = { runId: run.id, patientId: people.get(run.id)?.id ?? null };
    const fact: Fact =
      status === 'SUCCEEDED'
        ? { type: 'trigger.completed', data: { ...data, taskId } }
        : { type: 'trigger.failed', data: { ...data, error: error ?? '' } };
    row = tx.decide(triggers, row, [fact], { ...byOf(run, now), causationId: run.eventId ?? null }).row;
  }
}

/**
 * After an error: runs are begun again later where it was of the connection, as often as their trigger says; any other
 * error would come again. Answers how many are over.
 */
export const putOff = (world: World, { trigger, runs }: Claim, error: unknown, now: Date): Promise<number> =>
  world.transact(async (tx) => {
    const ours = await stillOurs(tx, runs);
    const isAgain = ({ attempts }: TriggerRun) => isPassing(error) && attempts <= trigger.maxRetries;
    for (const run of ours.filter(isAgain))
      await putBack(tx, run, new Date(now.getTime() + retryMs(run.attempts)));
    const over = ours.filter((run) => !isAgain(run));
    const row = await tx.lock(triggers, here(trigger));
    if (!row || over.length === 0) return 0;
    const status = isPassing(error) ? ('DEAD' as const) : ('FAILED' as const);
    const why = isPassing(error)
      ? 'The database could not be reached.'
      : 'Something went wrong here, and was logged.';
    const endings = over.map(({ id }) => ({ id, status, taskId: null, error: why }));
    tell(tx, row, over, { endings, people: new Map(), now });
    await finish(tx, endings, now);
    return over.length;
  });

/** Everything that a run leads to is correlated with it, and with its task, which has the same id. */
const byOf = (run: TriggerRun, now: Date): By => ({
  workspaceId: run.workspaceId,
  actor,
  source: 'trigger',
  now,
  causationId: causeOf(run),
  correlationId: run.id,
});

/** The event that came first; what fires otherwise is told of by an event that has the run's `eventId`. */
const causeOf = ({ firedBy, eventId }: TriggerRun): string | null =>
  firedBy === 'event' ? (eventId ?? null) : null;

const here = ({ workspaceId, id }: Trigger) => ({ workspaceId: { eq: workspaceId }, id: { eq: id } });

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}
