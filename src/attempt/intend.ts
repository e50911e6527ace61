import { newId } from '../clock.ts';
import * as calls from '../domain/call.ts';
import type { Call } from '../domain/call.ts';
import type { Channel, ContactDecision } from '../domain/consent.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { Beginning } from '../domain/conversation-fact.ts';
import type { By, Event } from '../domain/event.ts';
import { firstTextOf } from '../domain/message-text.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask } from '../domain/task.ts';
import * as progress from '../domain/task-progress.ts';
import type { Voicemail } from '../domain/voicemail.ts';
import type { Service } from '../domain/workspace.ts';
import { intendText, type Intended as IntendedText } from '../conversation/intent.ts';
import type { Line } from '../conversation/line.ts';
import type { VoicemailKit } from '../senders.ts';
import type { Transaction } from '../world.ts';
import { intend as intendVoicemail } from './voicemail-intent.ts';

/** An attempt that may be made. */
export interface Allowed {
  task: OutboundTask;
  /** When it is due, or now where that has been. What is decided and recorded of it is so as of then. */
  at: Date;
  words: Words;
  phone: string;
  contact: Contact;
  decision: ContactDecision;
  /** What a voicemail is left with; null on other channels. */
  kit: VoicemailKit | null;
  /** What a text is sent with; null on other channels. */
  text: TextKit | null;
}

/** What a text is sent with. */
export interface TextKit {
  /** Who writes. */
  service: Service | undefined;
  line: Line;
  language: string | null;
  /** When the hours close; null: nothing closes them. */
  closesAt: Date | null;
}

/** What an attempt is about. */
export type Words = Pick<OutboundTask, 'reason' | 'goal' | 'purpose'>;

/** An attempt of a task whose intent is recorded. */
export type Intended = { taskId: string; event: Event } & (
  | { channel: 'VOICE'; call: Call; replayed: false }
  | { channel: 'VOICEMAIL'; call: null; voicemail: Voicemail }
  | { channel: 'TEXT'; call: null; text: IntendedText }
);

/** Records an attempt: of the task, of the number, and the call, voicemail or text that is about to be made. */
export async function intend(tx: Transaction, allowed: Allowed): Promise<Intended> {
  const { task, at, phone, decision } = allowed;
  const by = byOf(task, at);
  const attemptId = newId(at);
  const chainId = task.chainId ?? attemptId;
  const facts = progress.dispatch(task, { callId: attemptId, phone, decision, chainId }, at);
  const dispatched = tx.decide(tasks, task, facts, by);
  const because = { ...by, causationId: dispatched.events.at(-1)!.id };
  return on[task.channel](tx, { ...allowed, attemptId, by: because });
}

type Attempt = Allowed & { attemptId: string; by: By };

function call(tx: Transaction, attempt: Attempt): Intended {
  const { task, phone, contact, attemptId, by } = attempt;
  tx.decide(contacts, contact, contacts.attempt(contact, { phone, attemptId, channel: 'VOICE' }), by);
  const blank = calls.blank(attemptId, task.workspaceId);
  const { row, events } = tx.decide(calls, blank, calls.initiate(blank, intentOf(attempt)), by);
  return { channel: 'VOICE', taskId: task.id, call: row, event: events[0]!, replayed: false };
}

function voicemail(tx: Transaction, attempt: Attempt): Intended {
  const { task, words, phone, contact, decision, kit, attemptId, by } = attempt;
  const intent = {
    ...kit!,
    patientId: task.patientId,
    contactId: contact.id,
    phoneTo: phone,
    purpose: words.purpose,
    origin: task.origin,
    taskId: task.id,
    campaignId: task.campaignId ?? null,
    requestedBy: task.requestedBy,
    basis: decision.basis,
    decision,
  };
  const made = intendVoicemail(tx, { voicemailId: attemptId, contact, intent, by });
  return { channel: 'VOICEMAIL', taskId: task.id, call: null, ...made };
}

/** A text goes on in the person's open conversation, or begins one. It says that there is a message, and not why (C-50). */
async function text(tx: Transaction, attempt: Attempt): Promise<Intended> {
  const { task, contact, decision, text: kit, attemptId: messageId, by } = attempt;
  const { service, line, language, closesAt } = kit!;
  const open = line.open && (await tx.lock(conversations, idOf(line.open)));
  const where = open ? { conversation: open } : { id: newId(by.now), beginning: beginningOf(attempt) };
  const body = firstTextOf({ opening: null, sender: service!.name, language });
  const allowed = { contact, body, decision, closesAt, isReply: false, messageId, taskId: task.id };
  const made = await intendText(tx, where, { ...allowed, path: [] }, by);
  return { channel: 'TEXT', taskId: task.id, call: null, event: made.event, text: made };
}

const idOf = ({ workspaceId, id }: Conversation) => ({ workspaceId: { eq: workspaceId }, id: { eq: id } });

function beginningOf({ task, words, phone, contact, decision, text: kit }: Attempt): Beginning {
  return {
    patientId: task.patientId,
    contactId: contact.id,
    phone,
    phoneFrom: kit!.line.phoneFrom!,
    reason: words.reason,
    purpose: words.purpose,
    instruction: words.goal ?? null,
    serviceId: kit!.service!.id,
    useCaseId: null,
    origin: task.origin,
    taskId: task.id,
    campaignId: task.campaignId ?? null,
    requestedBy: task.requestedBy,
    basis: decision.basis,
  };
}

const on: Record<Channel, (tx: Transaction, attempt: Attempt) => Intended | Promise<Intended>> = {
  VOICE: call,
  VOICEMAIL: voicemail,
  TEXT: text,
};

/** The call of an attempt: all attempts of a task are one chain, each derived from the one before. */
function intentOf({ task, words, phone, contact, decision, attemptId }: Attempt): calls.Intent {
  const { patientId, phoneFrom, tags, metadata, serviceId, origin, requestedBy } = task;
  return {
    origin,
    patientId,
    contactId: contact.id,
    phoneTo: phone,
    phoneFrom,
    reason: words.reason,
    goal: words.goal ?? null,
    systemPrompt: null,
    welcomeMessage: null,
    purpose: words.purpose,
    tags,
    metadata,
    variables: {},
    serviceId: serviceId ?? null,
    useCaseId: null,
    taskId: task.id,
    campaignId: task.campaignId ?? null,
    campaignRunId: task.queueId === tasks.noQueue ? null : task.queueId,
    derivedFromId: task.lastCallId ?? task.derivedFromId ?? null,
    chainId: task.chainId ?? attemptId,
    requestedBy,
    callbackUrl: null,
    basis: decision.basis,
    decision,
  };
}

/** Who dispatches a task. */
export const byOf = ({ workspaceId, id }: OutboundTask, now: Date): By => ({
  workspaceId,
  actor: 'dispatch-tasks',
  source: 'job',
  now,
  correlationId: id,
});
