import { newId } from '../clock.ts';
import type { Tools, Placed } from '../attempt.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import * as contacts from '../domain/contact.ts';
import type { LegalBasis, Purpose } from '../domain/consent.ts';
import type { By } from '../domain/event.ts';
import { decide } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Contact } from '../domain/contact.ts';
import type { Patient } from '../domain/patient.ts';
import { ContactBlocked, InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask } from '../domain/task.ts';
import * as progress from '../domain/task-progress.ts';
import { checkUsage } from '../domain/usage.ts';
import * as workspaces from '../domain/workspace.ts';
import type { Service, UseCase, Workspace } from '../domain/workspace.ts';
import { claimKey, findKey, inProgress } from '../idempotency.ts';
import { openAttempts, recentAttempts } from './circumstances.ts';
import { chooseNumber, lockNumbers, useCaseOf, type PhoneSource } from './phone-source.ts';
import { findService } from '../provision.ts';
import { contactOf, findPatient, findPerson } from '../registry.ts';
import type { Transaction, World } from '../world.ts';

/** Who is to be called: exactly one of three ways to say it. */
type PatientReference =
  | { patientId: string }
  | { patientCanonicalId: string }
  | { person: { firstName: string; lastName: string; birthDate: string | null } };

/** A call that is asked for, checked field by field, before anything named in it is looked up. */
export interface Wanted {
  patient: PatientReference;
  /** Null: the patient's own number. */
  phoneTo: string | null;
  source: PhoneSource;
  reason: string;
  purpose: Purpose;
  goal: string | null;
  systemPrompt: string | null;
  welcomeMessage: string | null;
  serviceId: string | null;
  tags: string[];
  metadata: Record<string, string>;
  variables: Record<string, string>;
  derivedFromCallSid: string | null;
  taskId: string | null;
  callbackUrl: string | null;
  basis: LegalBasis | null;
  idempotencyKey: string | null;
}

type Reader = Pick<World, 'findOne'>;

const operation = 'placeCall';

/** Records intents: who is called, from which number, on what grounds; all in one transaction, and before any dial. */
export function openIntents({ world, callsPerMinute }: Tools) {
  /** The call that this key has already placed; null when it is free. Refuses the contract's IDEMPOTENCY codes. */
  async function replay(wanted: Wanted, by: By): Promise<Placed | null> {
    const id = await findKey(world, { ...wanted, operation, input: wanted, by });
    return id ? placed(id, by) : null;
  }

  /** What a call is set up with, read side by side before anything is locked. Refuses what is named and not there. */
  async function prepare(wanted: Wanted, by: By): Promise<Setting> {
    const known = 'person' in wanted.patient ? null : findPatient(world, wanted.patient, by);
    const [service, derivedFrom, workspace, patient, useCase] = await Promise.all([
      findService(world, wanted.serviceId, by.workspaceId),
      derivedFromOf(world, wanted, by),
      world.findOne<Workspace>(workspaces.table, { id: { eq: by.workspaceId } }),
      known,
      useCaseOf(world, wanted.source, by),
    ]);
    return { wanted, service, derivedFrom, workspace, patient, useCase };
  }

  /** Records the intent with the gate's decision, or refuses and leaves no trace. */
  async function record(setting: Setting, by: By): Promise<Placed> {
    const { wanted } = setting;
    const callId = newId(by.now);
    const correlated = { ...by, correlationId: callId };
    const outcome = await world.transact(async (tx) => {
      const claimed = claimKey(tx, { ...wanted, operation, input: wanted, by, resultId: callId });
      const locking = lockScene(tx, setting, by); // goes out with the claim
      locking.catch(() => {}); // of no concern where the key has placed a call before
      const earlier = await claimed;
      if (earlier) return { earlier };
      return { call: await initiate(tx, { ...setting, ...(await locking) }, { by: correlated, callId }) };
    });
    if ('earlier' in outcome) return placed(outcome.earlier, by);
    const { row, events } = outcome.call;
    return { call: row, event: events[0]!, replayed: false };
  }

  async function placed(callId: string, by: By): Promise<Placed> {
    const call = await world.findOne<Call>(calls.table, {
      workspaceId: { eq: by.workspaceId },
      id: { eq: callId },
    });
    const [event] = await world.history(by.workspaceId, callId);
    if (!call || !event) throw new Error(`call ${callId} has lost its rows`);
    if (calls.isBeingPlaced(call)) throw inProgress();
    return { call, event, replayed: true };
  }

  async function initiate(tx: Transaction, scene: Scene, { by, callId }: { by: By; callId: string }) {
    const { wanted, workspace, service, derivedFrom, contact, phone, task } = scene;
    checkUsage(workspace, by.now);
    const patient = scene.person ?? register(tx, wanted, by);
    if (task) checkTask(task, patient);
    const [recent, open, number] = await Promise.all([
      recentAttempts(tx, { workspaceIds: [by.workspaceId], patientIds: [patient.id], now: by.now }),
      contact && openAttempts(tx, [by.workspaceId], [contact.id]),
      chooseNumber(tx, scene.numbers, { by, callsPerMinute }),
    ]);
    const decision = decide({
      patient,
      phone,
      contact,
      open: open?.get(contact?.id ?? '') ?? [],
      recent: recent.get(patient.id) ?? [],
      policy: workspace?.policy ?? workspaces.openPolicy,
      channel: 'VOICE',
      purpose: wanted.purpose,
      claimed: wanted.basis,
      ringSeconds: calls.ringSeconds,
      now: by.now,
    });
    if (!decision.allowed || !contact || !phone) throw new ContactBlocked(decision);
    const previousId = derivedFrom?.id ?? task?.lastCallId ?? null;
    const chainId = derivedFrom?.chainId ?? task?.chainId ?? callId;
    if (task)
      tx.decide(tasks, task, progress.dispatch(task, { callId, phone, decision, chainId }, by.now), by);
    tx.decide(
      contacts,
      contact,
      contacts.attempt(contact, { phone, attemptId: callId, channel: 'VOICE' }),
      by,
    );
    const call = calls.blank(callId, by.workspaceId);
    const { reason, goal, systemPrompt, welcomeMessage, purpose, tags, metadata, variables, callbackUrl } =
      wanted;
    const intent: calls.Intent = {
      reason,
      goal,
      systemPrompt,
      welcomeMessage,
      purpose,
      tags,
      metadata,
      variables,
      callbackUrl,
      origin: 'API',
      patientId: patient.id,
      contactId: contact.id,
      phoneTo: phone,
      phoneFrom: number.phone,
      serviceId: service.id,
      useCaseId: 'useCaseId' in wanted.source ? wanted.source.useCaseId : null,
      taskId: task?.id ?? null,
      derivedFromId: previousId,
      chainId,
      requestedBy: by.actor,
      basis: decision.basis,
      decision,
    };
    return tx.decide(calls, call, calls.initiate(call, intent), by);
  }

  return { replay, prepare, record };
}

/** What a call is set up with: nothing of it is locked, and none of it decides whether it may be placed, but the policy. */
interface Setting {
  wanted: Wanted;
  service: Service;
  derivedFrom: Call | null;
  workspace: Workspace | null;
  /** Null: a person, to be found or registered under the number's lock. */
  patient: Patient | null;
  /** Whose numbers may be called from; null: one is named. */
  useCase: UseCase | null;
}

/** Who and what is locked until the intent is recorded: of fifty who ask at once, one finds them free. */
interface Locked {
  phone: string | null;
  /** Null: no number is known to be called. */
  contact: Contact | null;
  /** Null: nobody of this name is known at this number. */
  person: Patient | null;
  task: OutboundTask | null;
  /** Our own, to be called from. */
  numbers: string[];
}

type Scene = Setting & Locked;

/** Locks everything with one round trip, in the order contact, patient, task, number of ours. */
async function lockScene(tx: Transaction, setting: Setting, by: By): Promise<Locked> {
  const { wanted, workspace, patient: known } = setting;
  const phone = wanted.phoneTo ?? known?.phone ?? null;
  if (phone) workspaces.checkReach(workspace, phone, 'phoneTo');
  const [contact, person, task, numbers] = await Promise.all([
    phone && contactOf(tx, phone, by),
    known ? lockPatient(tx, known) : findPerson(tx, personOf(wanted), by),
    lockTask(tx, wanted, by),
    lockNumbers(tx, { source: wanted.source, useCase: setting.useCase }, by),
  ]);
  return { phone, contact: contact || null, person, task, numbers };
}

const lockPatient = (tx: Transaction, { workspaceId, id }: Patient): Promise<Patient | null> =>
  tx.lock(patients, { workspaceId: { eq: workspaceId }, id: { eq: id } });

/** Someone who may be unknown: found by number, name and birth date. */
function personOf({ patient, phoneTo }: Wanted): { phone: string; name: string; birthDate: string | null } {
  const { person } = patient as Extract<PatientReference, { person: unknown }>;
  const { firstName, lastName, birthDate } = person;
  return { phone: phoneTo ?? '', name: `${firstName} ${lastName}`, birthDate };
}

/** Registers a person whom nobody knows yet with what the caller says. */
function register(tx: Transaction, wanted: Wanted, by: By): Patient {
  const { phone, name, birthDate } = personOf(wanted);
  const blank = patients.blank(newId(by.now), by.workspaceId);
  const attributes = { name, phone, ...(birthDate ? { birthDate } : {}) };
  return tx.decide(patients, blank, patients.state(blank, { attributes, source: 'api' }), by).row;
}

async function derivedFromOf(reader: Reader, { derivedFromCallSid }: Wanted, by: By): Promise<Call | null> {
  if (derivedFromCallSid === null) return null;
  const where = { workspaceId: { eq: by.workspaceId }, sid: { eq: derivedFromCallSid } };
  const call = await reader.findOne<Call>(calls.table, where);
  if (call) return call;
  throw new NotFoundRefusal(
    'NOT_FOUND',
    'There is no call with the sid that this one derives from.',
    derivedFromCallSid,
  );
}

/** The task that the call is an attempt at. */
async function lockTask(tx: Transaction, { taskId }: Wanted, by: By): Promise<OutboundTask | null> {
  if (taskId === null) return null;
  const task = await tx.lock(tasks, { workspaceId: { eq: by.workspaceId }, id: { eq: taskId } });
  if (!task) throw progress.noSuchTask(taskId);
  return task;
}

/** It must be about who is called, and wait for its next attempt. */
function checkTask(task: OutboundTask, patient: Patient): void {
  if (task.patientId !== patient.id)
    throw new InputRefusal([{ path: ['input', 'taskId'], message: 'This task is about another patient.' }]);
  progress.mustWait(task, 'attempted'); // before the gate, which would only name its own attempt
}
