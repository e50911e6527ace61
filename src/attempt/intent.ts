import { newId } from '../clock.ts';
import type { Tools, Placed } from '../attempt.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import * as contacts from '../domain/contact.ts';
import type { LegalBasis, Purpose } from '../domain/consent.ts';
import type { By } from '../domain/event.ts';
import { decide, type Question } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import { ContactBlocked, InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import * as tasks from '../domain/task.ts';
import * as progress from '../domain/task-progress.ts';
import * as workspaces from '../domain/workspace.ts';
import type { Service, Workspace } from '../domain/workspace.ts';
import { claimKey, findKey, inProgress } from '../idempotency.ts';
import { openAttempts, recentAttempts } from './circumstances.ts';
import { chooseNumber, type PhoneSource } from './phone-source.ts';
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
    const [service, derivedFrom, workspace, patient] = await Promise.all([
      findService(world, wanted.serviceId, by.workspaceId),
      derivedFromOf(world, wanted, by),
      world.findOne<Workspace>(workspaces.table, { id: { eq: by.workspaceId } }),
      known,
    ]);
    return { wanted, service, derivedFrom, workspace, patient };
  }

  /** Records the intent with the gate's decision, or refuses and leaves no trace. */
  async function record(setting: Setting, by: By): Promise<Placed> {
    const { wanted } = setting;
    const callId = newId(by.now);
    const correlated = { ...by, correlationId: callId };
    const outcome = await world.transact(async (tx) => {
      const earlier = await claimKey(tx, { ...wanted, operation, input: wanted, by, resultId: callId });
      return earlier ? { earlier } : { call: await initiate(tx, { ...setting, by: correlated, callId }) };
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

  async function initiate(tx: Transaction, setting: Setting & { by: By; callId: string }) {
    const { wanted, service, derivedFrom, by, callId } = setting;
    const party = await partyOf(tx, setting, by);
    const task = await lockTask(tx, wanted, party.patient, by);
    const number = await chooseNumber(tx, { source: wanted.source, by, callsPerMinute });
    const decision = decide({
      ...party,
      channel: 'VOICE',
      purpose: wanted.purpose,
      claimed: wanted.basis,
      ringSeconds: calls.ringSeconds,
      now: by.now,
    });
    const { contact, phone } = party;
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
      patientId: party.patient.id,
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
}

/** Who is called, at which number, and what the gate must know of both. */
type Party = Pick<Question, 'patient' | 'phone' | 'contact' | 'open' | 'recent' | 'policy'>;

/**
 * Finds the patient, or registers a person nobody knows yet. The number and the patient are locked, in this order, until
 * the intent is recorded: of fifty who ask at once, one finds them free.
 */
async function partyOf(tx: Transaction, setting: Setting, by: By): Promise<Party> {
  const { wanted, workspace, patient: known } = setting;
  const { workspaceId, now } = by;
  const phone = wanted.phoneTo ?? known?.phone ?? null;
  if (phone) workspaces.checkReach(workspace, phone, 'phoneTo');
  const contact = phone ? await contactOf(tx, phone, by) : null;
  const patient = known ? await lockPatient(tx, known) : await person(tx, wanted, by);
  const open = contact ? await openAttempts(tx, [workspaceId], [contact.id]) : null;
  const recent = await recentAttempts(tx, { workspaceIds: [workspaceId], patientIds: [patient.id], now });
  return {
    patient,
    phone,
    contact,
    open: open?.get(contact?.id ?? '') ?? [],
    recent: recent.get(patient.id) ?? [],
    policy: workspace?.policy ?? workspaces.openPolicy,
  };
}

const lockPatient = async (tx: Transaction, { workspaceId, id }: Patient): Promise<Patient> =>
  (await tx.lock(patients, { workspaceId: { eq: workspaceId }, id: { eq: id } }))!;

/** Someone who may be unknown: found by number, name and birth date, else registered with what the caller says. */
async function person(tx: Transaction, wanted: Wanted, by: By): Promise<Patient> {
  const { firstName, lastName, birthDate } = (
    wanted.patient as Extract<PatientReference, { person: unknown }>
  ).person;
  const name = `${firstName} ${lastName}`;
  const known = await findPerson(tx, { phone: wanted.phoneTo ?? '', name, birthDate }, by);
  if (known) return known;
  const blank = patients.blank(newId(by.now), by.workspaceId);
  const attributes = { name, phone: wanted.phoneTo ?? '', ...(birthDate ? { birthDate } : {}) };
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

/** The task that the call is an attempt at. It is locked until the intent is recorded, and must wait for its next attempt. */
async function lockTask(tx: Transaction, { taskId }: Wanted, patient: Party['patient'], by: By) {
  if (taskId === null) return null;
  const task = await tx.lock(tasks, { workspaceId: { eq: by.workspaceId }, id: { eq: taskId } });
  if (!task) throw progress.noSuchTask(taskId);
  if (task.patientId !== patient.id)
    throw new InputRefusal([{ path: ['input', 'taskId'], message: 'This task is about another patient.' }]);
  progress.mustWait(task, 'attempted'); // before the gate, which would only name its own attempt
  return task;
}
