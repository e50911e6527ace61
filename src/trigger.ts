import { newId, type RunningClock } from './clock.ts';
import type { By } from './domain/event.ts';
import { InputRefusal, NotFoundRefusal, StateRefusal } from './domain/refusal.ts';
import * as triggers from './domain/trigger.ts';
import type { Settings, Trigger } from './domain/trigger.ts';
import { isRule, planFor } from './domain/trigger-plan.ts';
import { runs as runTable, type Payload, type TriggerRun } from './domain/trigger-run.ts';
import { patientIn } from './domain/webhook-body.ts';
import { claimKey, findKey } from './idempotency.ts';
import { findPatient } from './registry.ts';
import { addSecret, rotateSecret, type Rotated } from './secret.ts';
import { intentFor, outboundOf } from './schedule.ts';
import { abandon, enqueue } from './trigger/queue.ts';
import { openRunner } from './trigger/runner.ts';
import { patientsFor } from './trigger/tick.ts';
import type { World } from './world.ts';

/** What triggers are kept and run with. */
interface Tools {
  world: World;
  clock: Pick<RunningClock, 'now' | 'busy'>;
  log: (line: string, error?: unknown) => void;
}

/** A trigger; its webhook's secret where that was made just now. */
export interface Written {
  trigger: Trigger;
  secret: string | null;
}

/** What firing by hand is told; both null: what the schedule would find. */
interface Firing {
  patientId: string | null;
  data: Record<string, unknown> | null;
}

/** What firing would do. */
export interface TriggerPreview {
  /** Whom its filter finds now; of an EVENT or a WEBHOOK: the patient that was given. */
  patientIds: string[];
  /** The task of the first of them; null: there would be none. */
  plan: ReturnType<typeof planFor> | null;
  /** Why there would be none. */
  problem: string | null;
}

/** Keeps triggers and fires them. */
export function openTriggers(tools: Tools) {
  const { world } = tools;
  const runner = openRunner(tools);

  /** A new trigger, active at once. Refuses the IDEMPOTENCY codes. */
  async function createTrigger(settings: Settings, idempotencyKey: string | null, by: By): Promise<Written> {
    const keyed = { idempotencyKey, operation: 'createTrigger', input: settings, by };
    const earlier = await findKey(world, keyed);
    if (earlier) return { trigger: await triggerOf(world, earlier, by), secret: null };
    const id = newId(by.now);
    return world.transact(async (tx) => {
      const known = await claimKey(tx, { ...keyed, resultId: id });
      if (known) return { trigger: await triggerOf(tx, known, by), secret: null };
      const blank = triggers.blank(id, by.workspaceId);
      const { row } = tx.decide(triggers, blank, triggers.create(blank, settings, by.now), by);
      return { trigger: row, secret: settings.kind === 'WEBHOOK' ? await addSecret(tx, id, by) : null };
    });
  }

  const updateTrigger = async (id: string, settings: Settings, by: By): Promise<Written> => ({
    trigger: (await world.change(triggers, id, (trigger) => triggers.update(trigger, settings, by.now), by))
      .row,
    secret: null,
  });

  const setActive = async (id: string, active: boolean, by: By): Promise<Written> => ({
    trigger: (await world.change(triggers, id, (trigger) => triggers.setActive(trigger, active, by.now), by))
      .row,
    secret: null,
  });

  /** Takes a trigger away for good, with the runs of it that wait. Refuses NOT_FOUND. */
  const deleteTrigger = (id: string, by: By): Promise<Written> =>
    world.transact(async (tx) => {
      const here = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
      const trigger = (await tx.lock(triggers, here)) ?? triggers.blank(id, by.workspaceId);
      const { row } = tx.decide(triggers, trigger, triggers.remove(trigger), by);
      await abandon(tx, row, by.now);
      return { trigger: row, secret: null };
    });

  /** Fires now, whatever its filter says, for the patient that is given or that the data name; without either for whom a schedule finds. */
  async function fireTrigger(id: string, firing: Firing, by: By): Promise<TriggerRun> {
    const trigger = await triggerOf(world, id, by);
    triggers.mustBeActive(trigger);
    const of = { workspaceId: by.workspaceId, triggerId: id, firedBy: by.actor, depth: 1 };
    const wanted = (await patientIdsFor(trigger, firing, by)).map((patientId) => ({
      ...of,
      id: newId(by.now),
      eventId: newId(by.now),
      cause: `by hand ${newId(by.now)}`,
      patientId,
      payload: payloadFor(trigger, firing),
    }));
    await enqueue(world, wanted, by.now);
    await runner.run();
    return (await runOf(world, wanted[0]!.id, by))!;
  }

  /** Whom firing is for. Refuses PATIENT_NOT_FOUND, INVALID_INPUT where nobody is named, ILLEGAL_TRANSITION where a schedule finds nobody. */
  async function patientIdsFor(trigger: Trigger, { patientId, data }: Firing, by: By): Promise<string[]> {
    const named = patientId ? { patientId } : data && patientIn(data);
    if (named) return [(await findPatient(world, named, by)).id];
    if (trigger.schedule === null) {
      const message = 'Say whom it is about: here, or as patientId or patientCanonicalId in the data.';
      throw new InputRefusal([{ path: ['patientId'], message }]);
    }
    const found = await patientsFor(world, trigger, by.now);
    if (found.length > 0) return found;
    throw new StateRefusal('ILLEGAL_TRANSITION', 'Its filter finds no patient now.', 'NOBODY');
  }

  /** What firing would do now, without doing it. */
  async function preview(id: string, firing: Firing, by: By): Promise<TriggerPreview> {
    const trigger = await triggerOf(world, id, by);
    let patientIds: string[] = [];
    try {
      patientIds = await patientIdsFor(trigger, firing, by);
      const patient = await findPatient(world, { patientId: patientIds[0]! }, by);
      const payload = payloadFor(trigger, firing);
      const event = payload && { ...payload, effectiveAt: by.now };
      const plan = planFor(trigger, { event, patient, now: by.now }, by.now);
      const who = { workspaceId: by.workspaceId, patientIds: [patient.id], purpose: plan.purpose };
      intentFor({ ...plan, origin: 'TRIGGER' }, { patient, ...(await outboundOf(world, who)) }, by);
      return { patientIds, plan, problem: null };
    } catch (error) {
      if (isRule(error)) return { patientIds, plan: null, problem: error.message };
      throw error;
    }
  }

  /** A new secret for its webhook; the one before goes on for a day. Refuses NOT_FOUND for what has no webhook. */
  async function rotate(id: string, by: By): Promise<Rotated> {
    const trigger = await triggerOf(world, id, by);
    if (trigger.kind !== 'WEBHOOK')
      throw new NotFoundRefusal('NOT_FOUND', 'This trigger has no webhook.', id);
    return world.transact((tx) => rotateSecret(tx, id, by));
  }

  return { createTrigger, updateTrigger, setActive, deleteTrigger, fireTrigger, preview, rotate, ...runner };
}

/** Keeps triggers and fires them. */
export type Triggers = ReturnType<typeof openTriggers>;

/** What a trigger is told when it is fired by hand: what waits for events is given one. */
const payloadFor = ({ kind, eventType }: Trigger, { data }: Firing): Payload | null =>
  kind === 'EVENT' || kind === 'WEBHOOK' || data
    ? { type: eventType ?? null, data: data ?? {}, patient: null }
    : null;

type Reader = Pick<World, 'findOne'>;

async function triggerOf(reader: Reader, id: string, by: By): Promise<Trigger> {
  const where = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
  const trigger = await reader.findOne<Trigger>(triggers.table, where);
  if (!trigger || trigger.deletedAt) throw triggers.noSuchTrigger(id);
  return trigger;
}

const runOf = (reader: Reader, id: string, by: By): Promise<TriggerRun | null> =>
  reader.findOne<TriggerRun>(runTable, { workspaceId: { eq: by.workspaceId }, id: { eq: id } });
