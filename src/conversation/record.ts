import { conclude } from '../attempt/conclude.ts';
import { endOfMessage, type AttemptEnd } from '../domain/attempt-end.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation, Message } from '../domain/conversation.ts';
import type { Fact } from '../domain/conversation-fact.ts';
import { close, closeUnheard, optedOutCode } from '../domain/conversation-progress.ts';
import type { By } from '../domain/event.ts';
import * as tasks from '../domain/task.ts';
import { withdrawUnwanted } from '../withdraw.ts';
import type { Transaction, World } from '../world.ts';
import { write } from './write.ts';

/** A message as it is after something was recorded of it. */
interface Recorded {
  conversation: Conversation;
  message: Message;
}

/** Records what is news of a message of ours, and what it means for its number, its task and its conversation: all or nothing. */
export function openRecords({ world }: { world: World }) {
  return async function record(
    message: Message,
    decideOn: (message: Message) => Fact[],
    by: By,
    atTheEnd?: (tx: Transaction) => Promise<void>,
  ): Promise<Message> {
    const expected = decideOn(message);
    if (expected.length === 0) return message;
    const hasOptedOut = expected.some(saysOptedOut);
    const isAttempt = !message.isReply && message.status === 'PENDING';
    return world.transact(async (tx) => {
      const here = { workspaceId: { eq: message.workspaceId } };
      const concerned = isAttempt || hasOptedOut || message.taskId !== null;
      let contact = concerned ? await tx.lock(contacts, { ...here, id: { eq: message.contactId } }) : null;
      if (contact && hasOptedOut) contact = await optOut(tx, contact, message, by);
      const task = message.taskId ? await tx.lock(tasks, { ...here, id: { eq: message.taskId } }) : null;
      const found = await lockMessage(tx, message);
      const facts = decideOn(found.message);
      const closing = hasOptedOut
        ? closeOpen(found.conversation, 'opted_out')
        : closeUnheard(found.conversation, facts);
      const written = await write(tx, found, [...facts, ...closing], by);
      const current = written.messages.at(-1)!;
      if (contact && !current.isReply && found.message.status === 'PENDING' && facts.length > 0) {
        const ended = { id: current.id, endedReason: current.failureReason ?? 'accepted' };
        contact = tx.decide(contacts, contact, contacts.endAttempt(contact, ended), by).row;
      }
      // Where a task is concluded whose message has just got there, or has not.
      const end = task && endOf(current, facts);
      if (task && contact && end) await conclude(tx, task, { end, contact, by });
      if (facts.length > 0) await atTheEnd?.(tx);
      return current;
    });
  };
}

/** How the attempt of a task has ended with these facts; null: it has not. */
function endOf({ id, sid, carrierCode = null }: Message, facts: Fact[]): AttemptEnd | null {
  const last = facts.find(({ type }) => type === 'message.delivered' || type === 'message.undelivered');
  if (!last) return null;
  const isDelivered = last.type === 'message.delivered';
  const isUntaken = last.type === 'message.undelivered' && sid === null && last.data.retryable;
  return endOfMessage({ id, isDelivered, carrierCode, isUntaken });
}

const saysOptedOut = (fact: Fact): boolean =>
  fact.type === 'message.undelivered' && fact.data.carrierCode === optedOutCode;

/** The carrier knows of a STOP that we have never heard: it counts for every channel, as if we had (C-38). */
async function optOut(tx: Transaction, contact: Contact, message: Message, by: By): Promise<Contact> {
  if (contact.optedOutAt) return contact;
  const { phone } = contact;
  const { patientId } = message;
  const reason = `the carrier says so (${optedOutCode})`;
  const facts = contacts.optOut(contact, { phone, patientId, reason });
  const { row, events } = tx.decide(contacts, contact, facts, by);
  await withdrawUnwanted(tx, { phone, patientId, channels: null }, { event: events[0]!, by });
  return row;
}

/** A message of ours with its conversation, locked. */
async function lockMessage(tx: Transaction, { workspaceId, id, conversationId }: Message): Promise<Recorded> {
  const here = { workspaceId: { eq: workspaceId } };
  const conversation = await tx.lock(conversations, { ...here, id: { eq: conversationId } });
  const message = await tx.findOne<Message>(conversations.messages, { ...here, id: { eq: id } });
  if (!conversation || !message) throw new Error(`message ${id} has lost its rows`);
  return { conversation, message };
}

/** Closes a conversation, unless it is closed. */
export const closeOpen = (conversation: Conversation, reason: string): Fact[] =>
  conversation.status === 'ACTIVE' ? close(conversation, reason) : [];
