import { newId } from '../clock.ts';
import type { ContactDecision } from '../domain/consent.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation, Message } from '../domain/conversation.ts';
import type { Beginning, Fact } from '../domain/conversation-fact.ts';
import { replyMs, say, start } from '../domain/conversation-progress.ts';
import type { By, Event } from '../domain/event.ts';
import { checkLength, segmentsOf } from '../domain/message-text.ts';
import type { Transaction } from '../world.ts';
import { write } from './write.ts';

/** How long the carrier may keep a message that the hours do not end, in milliseconds: Twilio's longest, ten hours. */
const longestMs = 36_000_000;

/** A message that is to be sent, and that the gate has allowed. */
export interface Allowed {
  contact: Contact;
  body: string;
  decision: ContactDecision;
  /** When the hours close; null: nothing closes them. */
  closesAt: Date | null;
  /** Whether it answers what the person has just written. */
  isReply: boolean;
  /** Left out: a new one. */
  messageId?: string;
  /** The task that it is an attempt at; null: none. */
  taskId: string | null;
  /** Where the message stands in the input. */
  path: string[];
}

/** A message that is recorded, and that the carrier may be asked about now. */
export interface Intended {
  conversation: Conversation;
  message: Message;
  /** The event that recorded the message. */
  event: Event;
  /** Whether it confirms an opt-out, which it may follow. Left out: false. */
  isConfirmation?: boolean;
}

/**
 * Begins a conversation with its first message of ours, or goes on with one that is open and locked: in the transaction of
 * whoever holds the contact's lock. Refuses INVALID_INPUT for what is too long, and records nothing then.
 */
export async function intendText(
  tx: Transaction,
  where: { id: string; beginning: Beginning } | { conversation: Conversation },
  allowed: Allowed,
  by: By,
): Promise<Intended> {
  const { contact, body, decision, closesAt, isReply, taskId, path, messageId = newId(by.now) } = allowed;
  checkLength(body, decision.basis, path);
  const latest = by.now.getTime() + (isReply ? replyMs : longestMs);
  const validUntil = new Date(Math.min(latest, isReply ? latest : (closesAt?.getTime() ?? latest)));
  const begins = 'beginning' in where;
  const conversation = begins ? conversations.blank(where.id, by.workspaceId) : where.conversation;
  const sending = {
    messageId,
    body,
    segments: segmentsOf(body),
    isReply,
    decision,
    taskId,
    validUntil: validUntil.toISOString(),
  };
  if (!isReply) {
    const attempt = { phone: contact.phone, attemptId: messageId, channel: 'TEXT' as const };
    tx.decide(contacts, contact, contacts.attempt(contact, attempt), {
      ...by,
      correlationId: taskId ?? conversation.id,
    });
  }
  const facts: Fact[] = begins ? start(conversation, where.beginning) : [];
  const written = await write(tx, { conversation }, [...facts, ...say(conversation, sending)], by);
  return {
    conversation: written.conversation,
    message: written.messages.at(-1)!,
    event: written.events.at(-1)!,
  };
}
