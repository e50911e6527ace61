import { sql } from 'kysely';
import * as conversations from '../domain/conversation.ts';
import type { Conversation, Message } from '../domain/conversation.ts';
import type { Fact } from '../domain/conversation-fact.ts';
import type { By, Event } from '../domain/event.ts';
import type { Transaction } from '../world.ts';

/** What was recorded of a conversation. */
export interface Written {
  conversation: Conversation;
  events: Event[];
  /** The messages that began, or the one that changed, as they are now; in their order. */
  messages: Message[];
}

/**
 * Records facts of a conversation that is locked, with the messages that they tell of. `message` is the one that they
 * change. The one place that writes messages.
 */
export async function write(
  tx: Transaction,
  given: { conversation: Conversation; message?: Message },
  facts: Fact[],
  by: By,
): Promise<Written> {
  const because = { ...by, correlationId: given.conversation.taskId ?? given.conversation.id };
  const { row, events } = tx.decide(conversations, given.conversation, facts, because);
  const begun = events.filter(({ type }) => type === 'message.sent' || type === 'message.received');
  const messages = begun.map((event) => conversations.beginMessage(row, event));
  for (const message of messages) await tx.insert(conversations.messages, message);
  if (given.message) {
    const changed = events.reduce(conversations.evolveMessage, given.message);
    if (changed !== given.message) await update(tx, changed);
    messages.push(changed);
  }
  return { conversation: row, events, messages };
}

const update = (tx: Transaction, message: Message) =>
  tx.query(sql`update message set status = ${message.status}, status_at = ${message.statusAt}, sid = ${message.sid},
      carrier_code = ${message.carrierCode}, failure_reason = ${message.failureReason}, ask_at = ${message.askAt}
    where workspace_id = ${message.workspaceId} and id = ${message.id}`);
