import { newId, type Clock } from '../clock.ts';
import { endOfVoicemail } from '../domain/attempt-end.ts';
import type { LegalBasis, Purpose } from '../domain/consent.ts';
import * as contacts from '../domain/contact.ts';
import type { By, Event } from '../domain/event.ts';
import { decide } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import { pickCallerId } from '../domain/caller-id.ts';
import { isOfTheUnitedStates } from '../domain/phone.ts';
import {
  CarrierRefusal,
  ContactBlocked,
  InputRefusal,
  NotFoundRefusal,
  StateRefusal,
} from '../domain/refusal.ts';
import * as tasks from '../domain/task.ts';
import * as voicemails from '../domain/voicemail.ts';
import type { Answer, Fact, Voicemail } from '../domain/voicemail.ts';
import { table as recordings, type VoicemailAudio } from '../domain/voicemail-audio.ts';
import * as workspaces from '../domain/workspace.ts';
import type { PhoneNumber, UseCase, Workspace } from '../domain/workspace.ts';
import { claimKey, findKey, inProgress, releaseKey } from '../idempotency.ts';
import { contactOf, findPatient } from '../registry.ts';
import type { Mailbox } from '../voicemail.ts';
import type { Transaction, World } from '../world.ts';
import { openAttempts, recentAttempts } from './circumstances.ts';
import { conclude } from './conclude.ts';

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

/** A voicemail with the event that recorded the request for it. */
export interface Sent {
  voicemail: Voicemail;
  event: Event;
  /** True when the idempotency key had already sent it. */
  replayed: boolean;
}

interface Tools {
  world: World;
  clock: Pick<Clock, 'now'>;
  /** Null: no vendor is configured. */
  mailbox: Mailbox | null;
}

const operation = 'sendVoicemail';

/** How old the gate's decision may be when the vendor is asked, in milliseconds. */
const decisionMs = 5_000;

/** Leaves ringless voicemails: the intent is recorded, the vendor asked once, its answer recorded. A drop is a call (C-11). */
export function openVoicemails({ world, clock, mailbox }: Tools) {
  /** Leaves one voicemail. Refuses every code of the contract's SendVoicemailResult. */
  async function sendVoicemail(wanted: WantedVoicemail, by: By): Promise<Sent> {
    const keyed = { ...wanted, operation, input: wanted, by };
    const earlier = await findKey(world, keyed);
    if (earlier) return replay(earlier, by);
    if (!mailbox) throw notConfigured();
    const setting = await prepare(wanted, by);
    const voicemailId = newId(by.now);
    const outcome = await world.transact(async (tx) => {
      const known = await claimKey(tx, { ...keyed, resultId: voicemailId });
      return known ? { known } : request(tx, { ...setting, voicemailId, by });
    });
    if ('known' in outcome) return replay(outcome.known, by);
    const free = (tx: Transaction) => releaseKey(tx, by.workspaceId, wanted.idempotencyKey);
    return answered({ ...outcome, voicemail: await ask(outcome, by, free), replayed: false });
  }

  /** Asks the vendor about what is recorded, once, and records its answer; `free` when nothing was sent and it may be asked again. */
  async function ask(
    { voicemail, event }: Pick<Sent, 'voicemail' | 'event'>,
    by: By,
    free?: (tx: Transaction) => Promise<void>,
  ): Promise<Voicemail> {
    const isOld = clock.now().getTime() - Date.parse(voicemail.decision.decidedAt) > decisionMs;
    const answer = isOld || !mailbox ? tooLate : await mailbox.drop(voicemail);
    const told: By = {
      ...by,
      actor: 'voicemail-vendor',
      source: 'carrier',
      now: clock.now(),
      causationId: event.id,
    };
    const mayTryAgain = answer.outcome === 'rejected' && answer.retryable;
    return record(
      voicemail,
      (current) => voicemails.answer(current, answer),
      told,
      mayTryAgain ? free : undefined,
    );
  }

  /** Records what is news of a voicemail; with its end, the end of the attempt at its number and of its task. */
  async function record(
    voicemail: Voicemail,
    decideOn: (current: Voicemail) => Fact[],
    cause: By,
    atTheEnd?: (tx: Transaction) => Promise<void>,
  ): Promise<Voicemail> {
    const by = { ...cause, correlationId: voicemail.taskId ?? voicemail.id };
    return world.transact(async (tx) => {
      const here = { workspaceId: { eq: voicemail.workspaceId } };
      const contact = await tx.lock(contacts, { ...here, id: { eq: voicemail.contactId } });
      const task = voicemail.taskId ? await tx.lock(tasks, { ...here, id: { eq: voicemail.taskId } }) : null;
      const current = await tx.lock(voicemails, { ...here, id: { eq: voicemail.id } });
      if (!contact || !current) throw new Error(`voicemail ${voicemail.id} has lost its rows`);
      const facts = decideOn(current);
      const { row, events } = tx.decide(voicemails, current, facts, by);
      if (!voicemails.isOver(row) || events.length === 0) return row;
      const because = { ...by, causationId: events.at(-1)!.id };
      const attempt = { ...row, endedReason: row.status.toLowerCase() };
      const ended = tx.decide(contacts, contact, contacts.endAttempt(contact, attempt), because);
      const isUntaken = facts.some((fact) => fact.type === 'voicemail.failed' && fact.data.retryable);
      if (task) {
        const end = endOfVoicemail(row, { isUntaken, isAllThatWasWanted: task.isChannelNamed });
        await conclude(tx, task, { end, contact: ended.row, by: because });
      }
      await atTheEnd?.(tx);
      return row;
    });
  }

  async function prepare(wanted: WantedVoicemail, by: By): Promise<Setting> {
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

  async function replay(voicemailId: string, by: By): Promise<Sent> {
    const where = { workspaceId: { eq: by.workspaceId }, id: { eq: voicemailId } };
    const voicemail = await world.findOne<Voicemail>(voicemails.table, where);
    const [event] = await world.history(by.workspaceId, voicemailId);
    if (!voicemail || !event) throw new Error(`voicemail ${voicemailId} has lost its rows`);
    if (voicemails.isBeingSent(voicemail)) throw inProgress();
    return answered({ voicemail, event, replayed: true });
  }

  /** A voicemail that the vendor refused at once is a refusal, also when it is asked for again with its key. */
  async function answered(sent: Sent): Promise<Sent> {
    const { voicemail } = sent;
    if (voicemail.status !== 'FAILED' || voicemail.carrierReference) return sent;
    const history = await world.history(voicemail.workspaceId, voicemail.id);
    const failed = history.find(({ type }) => type === 'voicemail.failed');
    const { via, reason, ...details } = failed!.data as unknown as Refused;
    if (via !== 'answer') return sent;
    throw new CarrierRefusal(reason, details);
  }

  return { sendVoicemail, ask, record };
}

/** Leaves ringless voicemails. */
export type Voicemails = ReturnType<typeof openVoicemails>;

type Refused = voicemails.Ended & { reached: boolean; retryable: boolean };

/** What a voicemail is set up with: nothing of it is locked, and none of it decides whether it may be left. */
interface Setting {
  wanted: WantedVoicemail;
  patient: Patient;
  workspace: Workspace | null;
  phone: string | null;
  phoneFrom: string;
}

type Request = Setting & { voicemailId: string; by: By };

/** Records the intent with the gate's decision, or refuses and leaves no trace. */
async function request(tx: Transaction, asked: Request) {
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
): Pick<Sent, 'voicemail' | 'event'> {
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

/** The answer to who comes too late: nothing was sent. */
const tooLate: Answer = {
  outcome: 'rejected',
  carrierCode: null,
  message: 'The voicemail was held up for too long after it was allowed, and was not sent. Ask again.',
  retryable: true,
  reached: false,
};

const missing = (noun: string, id: string) =>
  new NotFoundRefusal('NOT_FOUND', `There is no such ${noun} in this workspace.`, id);

const abroad = () =>
  new InputRefusal(
    [{ path: ['input', 'phoneTo'], message: 'Voicemails are left at numbers of the United States only.' }],
    'DESTINATION_NOT_ALLOWED',
  );

const notConfigured = () =>
  new StateRefusal(
    'OUTBOUND_NOT_CONFIGURED',
    'No voicemail vendor is configured: set VOICEMAIL_API_KEY and VOICEMAIL_API_SECRET.',
    'NOT_CONFIGURED',
  );
