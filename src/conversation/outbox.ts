import { sql } from 'kysely';
import { openAttempts, recentAttempts } from '../attempt/circumstances.ts';
import type { ContactDecision, Purpose } from '../domain/consent.ts';
import type { Contact } from '../domain/contact.ts';
import * as contacts from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation, Message } from '../domain/conversation.ts';
import { isReplyAt, mustBeActive, noSuchConversation } from '../domain/conversation-progress.ts';
import type { By } from '../domain/event.ts';
import { closingOf, decide, type Question } from '../domain/gate.ts';
import { firstTextOf } from '../domain/message-text.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import { ContactBlocked, StateRefusal } from '../domain/refusal.ts';
import * as workspaces from '../domain/workspace.ts';
import type { Workspace } from '../domain/workspace.ts';
import { claimKey, findKey, inProgress } from '../idempotency.ts';
import { findService } from '../provision.ts';
import { contactOf, findPatient } from '../registry.ts';
import { newId } from '../clock.ts';
import type { Transaction, World } from '../world.ts';
import { intendText, type Intended } from './intent.ts';
import { lineOf, occupied, textNumbersOf } from './line.ts';

/** A conversation that is asked for, checked field by field, before anything named in it is looked up. */
export interface WantedConversation {
  patientId: string;
  /** Null: the patient's own number. */
  phone: string | null;
  /** Null: the numbers of the default service. */
  useCaseId: string | null;
  reason: string;
  purpose: Purpose;
  instruction: string | null;
  /** Null: that there is a message, and from whom. */
  opening: string | null;
  idempotencyKey: string | null;
}

/** What is written to a person, as far as the gate must know. */
export interface Texted {
  patient: Patient;
  contact: Contact | null;
  phone: string | null;
  purpose: Purpose;
  workspace: Workspace | null;
  isReply: boolean;
  isConfirmation?: boolean;
}

const operation = 'startConversation';

/** What the gate says of a text, and when the hours that are open now close. Under the locks of the contact and the patient. */
export async function judge(
  tx: Transaction,
  texted: Texted,
  by: By,
): Promise<{ decision: ContactDecision; closesAt: Date | null }> {
  const { patient, contact, workspace, ...rest } = texted;
  const { workspaceId, now } = by;
  const open = contact ? await openAttempts(tx, [workspaceId], [contact.id]) : null;
  const recent = await recentAttempts(tx, { workspaceIds: [workspaceId], patientIds: [patient.id], now });
  const question: Question = {
    ...rest,
    patient,
    contact,
    channel: 'TEXT',
    claimed: null,
    open: open?.get(contact?.id ?? '') ?? [],
    recent: recent.get(patient.id) ?? [],
    policy: workspace?.policy ?? workspaces.openPolicy,
    ringSeconds: 0,
    now,
  };
  return { decision: decide(question), closesAt: closingOf(question) };
}

/** Records messages of ours before the carrier is asked, with the gate's decision; or refuses, and leaves no trace. */
export function openOutbox({ world }: { world: World }) {
  /** The first message of the conversation that this key has already started; null when it is free. Refuses the IDEMPOTENCY codes. */
  async function replay(wanted: WantedConversation, by: By): Promise<Message | null> {
    const id = await findKey(world, { ...wanted, operation, input: wanted, by });
    return id ? firstMessage(id, by) : null;
  }

  async function firstMessage(conversationId: string, by: By): Promise<Message> {
    const [message] = await world.page<Message>(conversations.messages, {
      where: { workspaceId: { eq: by.workspaceId }, conversationId: { eq: conversationId } },
      order: ['position'],
      limit: 1,
    });
    if (!message) throw new Error(`conversation ${conversationId} has lost its messages`);
    const isBeingSent = by.now.getTime() - message.at.getTime() < conversations.answerMs;
    if (message.status === 'PENDING' && isBeingSent) throw inProgress();
    return message;
  }

  /** What a conversation is set up with, read side by side before anything is locked. Refuses what is named and not there. */
  async function settingOf(wanted: WantedConversation, by: By) {
    const [patient, service, workspace] = await Promise.all([
      findPatient(world, wanted, by),
      findService(world, null, by.workspaceId),
      world.findOne<Workspace>(workspaces.table, { id: { eq: by.workspaceId } }),
    ]);
    const phone = wanted.phone ?? patient.phone ?? null;
    if (phone) workspaces.checkReach(workspace, phone, 'phone');
    const numbers = await textNumbersOf(world, service, wanted.useCaseId);
    return { wanted, patient, service, workspace, phone, numbers };
  }

  /** Records a conversation with its first message, or refuses. */
  async function start(wanted: WantedConversation, by: By): Promise<Intended | { earlier: Message }> {
    const setting = await settingOf(wanted, by);
    const id = newId(by.now);
    const outcome = await world.transact(async (tx) => {
      const keyed = { ...wanted, operation, input: wanted, by, resultId: id };
      const earlier = await claimKey(tx, keyed);
      return earlier ? { earlier } : begin(tx, { ...setting, id }, by);
    });
    return 'earlier' in outcome ? { earlier: await firstMessage(outcome.earlier, by) } : outcome;
  }

  async function begin(
    tx: Transaction,
    setting: Awaited<ReturnType<typeof settingOf>> & { id: string },
    by: By,
  ): Promise<Intended> {
    const { wanted, service, workspace, phone, numbers, id } = setting;
    const { reason, purpose, instruction, useCaseId } = wanted;
    const contact = phone ? await contactOf(tx, phone, by) : null;
    const patient = await lockPatient(tx, setting.patient);
    const where = { workspaceId: by.workspaceId, contactId: contact?.id ?? id, patientId: patient.id };
    const line = await lineOf(tx, where, numbers);
    if (line.open) throw isOpen(line.open);
    const texted = { patient, contact, phone, purpose, workspace, isReply: false };
    const { decision, closesAt } = await judge(tx, texted, by);
    const { phoneFrom } = line;
    if (!phoneFrom) throw new ContactBlocked(occupied(decision));
    if (!decision.allowed || !contact || !phone) throw new ContactBlocked(decision);
    const sender = service.name;
    const body = firstTextOf({ opening: wanted.opening, sender, language: patient.language });
    const beginning = {
      patientId: patient.id,
      contactId: contact.id,
      phone,
      phoneFrom,
      reason,
      purpose,
      instruction,
      serviceId: service.id,
      useCaseId,
      origin: 'API' as const,
      taskId: null,
      campaignId: null,
      requestedBy: by.actor,
      basis: decision.basis,
    };
    const allowed = { contact, body, decision, closesAt, isReply: false, taskId: null };
    return intendText(tx, { id, beginning }, { ...allowed, path: ['input', 'opening'] }, by);
  }

  /**
   * Records one more message of ours in an open conversation, or refuses. `answers`: the conversation's version that it
   * answers; null when somebody has written since.
   */
  async function send(
    { conversationId, body, answers }: { conversationId: string; body: string; answers: number | null },
    by: By,
  ): Promise<Intended | null> {
    const here = { workspaceId: { eq: by.workspaceId } };
    const known = await world.findOne<Conversation>(conversations.table, {
      ...here,
      id: { eq: conversationId },
    });
    if (!known) throw noSuchConversation(conversationId);
    const workspace = await world.findOne<Workspace>(workspaces.table, { id: { eq: by.workspaceId } });
    return world.transact(async (tx) => {
      const contact = await tx.lock(contacts, { ...here, id: { eq: known.contactId } });
      const patient = await tx.lock(patients, { ...here, id: { eq: known.patientId } });
      const conversation = await tx.lock(conversations, { ...here, id: { eq: known.id } });
      if (!contact || !patient || !conversation)
        throw new Error(`conversation ${known.id} has lost its rows`);
      if (answers !== null && (await isAnswered(tx, conversation, answers))) return null;
      mustBeActive(conversation); // before the gate, which would only name the opt-out that has closed it
      const { phone, purpose } = conversation;
      const isReply = isReplyAt(conversation, by.now);
      const texted = { patient, contact, phone, purpose, workspace, isReply };
      const { decision, closesAt } = await judge(tx, texted, by);
      if (!decision.allowed) throw new ContactBlocked(decision);
      const allowed = { contact, body, decision, closesAt, isReply, taskId: null, path: ['body'] };
      return intendText(tx, { conversation }, allowed, by);
    });
  }

  return { replay, start, send };
}

const isAnswered = async (tx: Transaction, { workspaceId, id }: Conversation, since: number) =>
  (
    await tx.query(sql`select from message where workspace_id = ${workspaceId} and conversation_id = ${id}
      and position > ${since} limit 1`)
  ).length > 0;

const lockPatient = async (tx: Transaction, { workspaceId, id }: Patient): Promise<Patient> =>
  (await tx.lock(patients, { workspaceId: { eq: workspaceId }, id: { eq: id } }))!;

const isOpen = ({ id, status }: Conversation) =>
  new StateRefusal(
    'ILLEGAL_TRANSITION',
    `This patient is in an open conversation at this number: ${id}. Send a message there, or close it.`,
    status,
  );
