import * as contacts from '../domain/contact.ts';
import type { LegalBasis, Purpose } from '../domain/consent.ts';
import type { By, Event } from '../domain/event.ts';
import { pickCallerId } from '../domain/caller-id.ts';
import { decide } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import { isOfTheUnitedStates } from '../domain/phone.ts';
import { ContactBlocked, InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import * as voicemails from '../domain/voicemail.ts';
import type { Voicemail } from '../domain/voicemail.ts';
import { table as recordings, type VoicemailAudio } from '../domain/voicemail-audio.ts';
import * as workspaces from '../domain/workspace.ts';
import type { PhoneNumber, UseCase, Workspace } from '../domain/workspace.ts';
import { contactOf, findPatient } from '../registry.ts';
import type { Transaction, World } from '../world.ts';
import { openAttempts, recentAttempts } from './circumstances.ts';

/** A voicemail that is asked for, checked field by field, before anything named in it is looked up. */
export interface WantedVoicemail {
  patientId: string;
  /** Null: the patient's own number. */
  phoneTo: string | null;
  useCaseId: string;
  audioId: string;
  purpose: Purpose;
  basis: LegalBasis | null;
  idempotencyKey: string | null;
}

/** A voicemail whose intent is recorded. */
export interface Requested {
  voicemail: Voicemail;
  event: Event;
}

/** What a voicemail is set up with: nothing of it is locked, and none of it decides whether it may be left. */
export interface Setting {
  wanted: WantedVoicemail;
  patient: Patient;
  workspace: Workspace | null;
  phone: string | null;
  phoneFrom: string;
}

/** What a voicemail is set up with, read side by side before anything is locked. Refuses what is named and not there. */
export async function prepare(world: World, wanted: WantedVoicemail, by: By): Promise<Setting> {
  const here = { workspaceId: { eq: by.workspaceId } };
  const [patient, workspace, useCase, audio] = await Promise.all([
    findPatient(world, { patientId: wanted.patientId }, by),
    world.findOne<Workspace>(workspaces.table, { id: { eq: by.workspaceId } }),
    world.findOne<UseCase>(workspaces.useCases, { ...here, id: { eq: wanted.useCaseId } }),
    world.findOne<VoicemailAudio>(recordings, { ...here, id: { eq: wanted.audioId } }),
  ]);
  if (!useCase) throw missing('use case', wanted.useCaseId);
  if (!audio) throw missing('recording', wanted.audioId);
  const phoneFrom = await numberOf(world, useCase, patient);
  const phone = wanted.phoneTo ?? patient.phone ?? null;
  if (phone) {
    workspaces.checkReach(workspace, phone, 'phoneTo');
    if (!isOfTheUnitedStates(phone)) throw abroad();
  }
  return { wanted, patient, workspace, phone, phoneFrom };
}

type Request = Setting & { voicemailId: string; by: By };

/** Records the intent with the gate's decision, or refuses and leaves no trace. */
export async function request(tx: Transaction, asked: Request) {
  const { wanted, patient, phone, phoneFrom, voicemailId, by } = asked;
  const { contact, decision } = await allow(tx, asked);
  if (!decision.allowed || !contact || !phone) throw new ContactBlocked(decision);
  const { purpose, audioId, useCaseId } = wanted;
  const intent: voicemails.Intent = {
    patientId: patient.id,
    contactId: contact.id,
    phoneTo: phone,
    phoneFrom,
    audioId,
    useCaseId,
    purpose,
    origin: 'API',
    taskId: null,
    campaignId: null,
    requestedBy: by.actor,
    basis: decision.basis,
    decision,
  };
  return intend(tx, { voicemailId, contact, intent, by: { ...by, correlationId: voicemailId } });
}

/** What the gate says, under the locks of number and patient. */
async function allow(tx: Transaction, { wanted, workspace, phone, patient: { id }, by }: Request) {
  const { workspaceId, now } = by;
  const contact = phone ? await contactOf(tx, phone, by) : null;
  const patient = (await tx.lock(patients, { workspaceId: { eq: workspaceId }, id: { eq: id } }))!;
  const open = contact ? await openAttempts(tx, [workspaceId], [contact.id]) : null;
  const recent = await recentAttempts(tx, { workspaceIds: [workspaceId], patientIds: [id], now });
  const decision = decide({
    patient,
    phone,
    contact,
    channel: 'VOICEMAIL',
    purpose: wanted.purpose,
    claimed: wanted.basis,
    open: open?.get(contact?.id ?? '') ?? [],
    recent: recent.get(id) ?? [],
    policy: workspace?.policy ?? workspaces.openPolicy,
    ringSeconds: 0,
    now,
  });
  return { contact, decision };
}

/** Records the intent of a voicemail that was allowed: at its number, and as its own beginning. */
export function intend(
  tx: Transaction,
  wanted: { voicemailId: string; contact: contacts.Contact; intent: voicemails.Intent; by: By },
): Requested {
  const { voicemailId, contact, intent, by } = wanted;
  const attempt = { phone: intent.phoneTo, attemptId: voicemailId, channel: 'VOICEMAIL' as const };
  tx.decide(contacts, contact, contacts.attempt(contact, attempt), by);
  const blank = voicemails.blank(voicemailId, by.workspaceId);
  const { row, events } = tx.decide(voicemails, blank, voicemails.request(blank, intent), by);
  return { voicemail: row, event: events[0]! };
}

/** The use case's number that this person sees. Refuses NO_NUMBER_AVAILABLE. */
async function numberOf(world: World, useCase: UseCase, patient: Patient): Promise<string> {
  const where = { workspaceId: { eq: useCase.workspaceId }, id: { in: useCase.numberIds } };
  const numbers =
    useCase.channel === 'VOICEMAIL' ? await world.find<PhoneNumber>(workspaces.phoneNumbers, where) : [];
  const able = numbers.filter((number) => workspaces.mayLeaveVoicemail(number));
  if (able.length > 0)
    return pickCallerId(
      able.map(({ phone }) => phone),
      patient.id,
    );
  const message =
    'This use case has no active United States number with voice that may leave voicemails, or is for another channel.';
  throw new NotFoundRefusal('NO_NUMBER_AVAILABLE', message, useCase.id);
}

const missing = (noun: string, id: string) =>
  new NotFoundRefusal('NOT_FOUND', `There is no such ${noun} in this workspace.`, id);

const abroad = () =>
  new InputRefusal(
    [{ path: ['input', 'phoneTo'], message: 'Voicemails are left at numbers of the United States only.' }],
    'DESTINATION_NOT_ALLOWED',
  );
