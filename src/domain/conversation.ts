/**
 * A conversation by text with one person, from one of our numbers; its messages are told as its events.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> ACTIVE: conversation.started, by us or by the person
 *   ACTIVE --> CLOSED: by us, by an opt-out, or because its first message never got there
 * ```
 *
 * A message of ours is PENDING until the carrier has taken it, then ACCEPTED, then DELIVERED or UNDELIVERED; its status
 * only rises. One that the person wrote is RECEIVED.
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { ContactDecision, LegalBasis, Purpose } from './consent.ts';
import type { ConversationOrigin, Fact } from './conversation-fact.ts';
import { partialIndex, rowColumns, type Event } from './event.ts';

export const entityType = 'CONVERSATION';
export const foldVersion = 1;

/** Where a conversation stands. */
export const statuses = ['ACTIVE', 'CLOSED'] as const;
/** One of `statuses`. */
export type ConversationStatus = (typeof statuses)[number];

/** A conversation: the fold of its events. */
export const table = defineEntity({
  name: 'Conversation',
  tableName: 'conversation',
  properties: {
    ...rowColumns,
    status: p.text().$type<ConversationStatus>(),
    patientId: p.uuid(),
    contactId: p.uuid(),
    phone: p.text(),
    phoneFrom: p.text(),
    reason: p.text(),
    purpose: p.text().$type<Purpose>(),
    /** What whoever answers is told beside the service's own instructions. */
    instruction: p.text().nullable(),
    serviceId: p.uuid().nullable(),
    useCaseId: p.uuid().nullable(),
    origin: p.text().$type<ConversationOrigin>(),
    taskId: p.uuid().nullable(),
    campaignId: p.uuid().nullable(),
    requestedBy: p.text(),
    basis: p.text().$type<LegalBasis>().nullable(),
    /** How many messages it has, of both sides. */
    messageCount: p.integer(),
    /** When the person last wrote; null: never. */
    heardAt: p.datetime().nullable(),
    /** When somebody last wrote, of either side. */
    lastMessageAt: p.datetime(),
    /** Whether the person wrote last, and it is still open. */
    isUnanswered: p.boolean(),
    createdAt: p.datetime(),
    closedAt: p.datetime().nullable(),
    closedReason: p.text().nullable(),
  },
  indexes: [
    { name: 'conversation_patient', properties: ['workspaceId', 'patientId', 'id'] },
    { name: 'conversation_contact', properties: ['workspaceId', 'contactId', 'id'] },
    {
      name: 'conversation_open',
      expression: `create unique index conversation_open on conversation (workspace_id, contact_id, phone_from) where status = 'ACTIVE'`,
    },
    { name: 'conversation_newest', properties: ['workspaceId', 'lastMessageAt', 'id'] },
    partialIndex(
      'conversation_unanswered',
      'conversation (workspace_id, last_message_at, id)',
      'is_unanswered',
    ),
    partialIndex('conversation_line', 'conversation (workspace_id, phone, phone_from)', `status = 'ACTIVE'`),
  ],
});
/** One conversation. */
export interface Conversation extends InferEntity<typeof table> {}

/** Who wrote a message: we, or the person. */
export const messageDirections = ['OUTBOUND', 'INBOUND'] as const;

/** Where a message stands. */
export type MessageStatus = 'PENDING' | 'ACCEPTED' | 'DELIVERED' | 'UNDELIVERED' | 'RECEIVED';

/** The messages of conversations, as their events tell: written with them, so that they can be listed and looked up. */
export const messages = defineEntity({
  name: 'Message',
  tableName: 'message',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    conversationId: p.uuid(),
    /** The conversation's version when it was recorded: the order of its messages. */
    position: p.integer(),
    patientId: p.uuid(),
    contactId: p.uuid(),
    direction: p.text().$type<(typeof messageDirections)[number]>(),
    body: p.text(),
    segments: p.integer(),
    status: p.text().$type<MessageStatus>(),
    statusAt: p.datetime(),
    /** The carrier's id; null until it has accepted the message. */
    sid: p.text().nullable(),
    carrierCode: p.text().nullable(),
    /** Why it did not get there, as `Failure` tells; null: it did, or nobody knows yet. */
    failureReason: p.text().nullable(),
    /** Of what we sent: whether it answers what the person has just written, and so is no contact of ours. */
    isReply: p.boolean(),
    taskId: p.uuid().nullable(),
    /** Of what we sent: what the gate decided. */
    decision: p.json().$type<ContactDecision>().nullable(),
    /** Of what we sent: when the carrier must give up. */
    validUntil: p.datetime().nullable(),
    at: p.datetime(),
    /** When the carrier is asked about it next; null: never. No event tells it. */
    askAt: p.datetime().nullable(),
    asks: p.integer(),
  },
  uniques: [{ properties: ['workspaceId', 'sid'] }],
  indexes: [
    { name: 'message_conversation', properties: ['workspaceId', 'conversationId', 'position'] },
    { name: 'message_patient', properties: ['workspaceId', 'patientId', 'at'] },
    partialIndex('message_ask', 'message (ask_at)', 'ask_at is not null'),
    partialIndex('message_open_contact', 'message (workspace_id, contact_id)', `status = 'PENDING'`),
    partialIndex('message_task', 'message (workspace_id, task_id)', 'task_id is not null'),
  ],
});
/** One message. */
export interface Message extends InferEntity<typeof messages> {}

export const blank = (id: string, workspaceId: string): Conversation => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  status: 'ACTIVE',
  patientId: '',
  contactId: '',
  phone: '',
  phoneFrom: '',
  reason: '',
  purpose: 'OTHER',
  instruction: null,
  serviceId: null,
  useCaseId: null,
  origin: 'API',
  taskId: null,
  campaignId: null,
  requestedBy: '',
  basis: null,
  messageCount: 0,
  heardAt: null,
  lastMessageAt: new Date(0),
  isUnanswered: false,
  createdAt: new Date(0),
  closedAt: null,
  closedReason: null,
});

export function evolve(conversation: Conversation, event: Event<Fact>): Conversation {
  const { type, data } = event as unknown as Fact;
  const at = event.effectiveAt;
  const messageCount = conversation.messageCount + 1;
  // What was parked is written later than it was said.
  const lastMessageAt = at > conversation.lastMessageAt ? at : conversation.lastMessageAt;
  const heardAt = at > (conversation.heardAt ?? new Date(0)) ? at : conversation.heardAt;
  switch (type) {
    case 'conversation.started':
      return { ...conversation, ...data, createdAt: at, lastMessageAt: at };
    case 'conversation.closed':
      return {
        ...conversation,
        status: 'CLOSED',
        closedAt: at,
        closedReason: data.reason,
        isUnanswered: false,
      };
    case 'message.sent':
      return { ...conversation, messageCount, lastMessageAt, isUnanswered: false };
    case 'message.received':
      return { ...conversation, messageCount, heardAt, lastMessageAt, isUnanswered: true };
    default:
      return conversation;
  }
}

export const patientOf = (conversation: Conversation): string => conversation.patientId;

/** For how long the carrier's answer to our own request is waited for, in milliseconds: its time-out and retries. */
export const answerMs = 15_000;

/** A message that an event begins: of its conversation, as it is with the event. */
export function beginMessage(conversation: Conversation, event: Event): Message {
  const { type, data } = event as unknown as Fact & { type: 'message.sent' | 'message.received' };
  const { id: conversationId, workspaceId, patientId, contactId } = conversation;
  const { messageId: id, body, segments } = data;
  const common = {
    ...neverSent,
    workspaceId,
    id,
    conversationId,
    position: event.version,
    patientId,
    contactId,
    body,
    segments,
    statusAt: event.recordedAt,
    at: event.effectiveAt,
  };
  if (type === 'message.received')
    return { ...common, direction: 'INBOUND', status: 'RECEIVED', sid: data.sid };
  const { isReply, taskId, decision, validUntil } = data;
  const askAt = new Date(event.recordedAt.getTime() + answerMs);
  return { ...common, isReply, taskId, decision, validUntil: new Date(validUntil), askAt };
}

/** What a message has that nothing is known of yet. */
const neverSent = {
  direction: 'OUTBOUND',
  status: 'PENDING',
  sid: null,
  carrierCode: null,
  failureReason: null,
  isReply: false,
  taskId: null,
  decision: null,
  validUntil: null,
  askAt: null,
  asks: 0,
} as const;

/** A message after one more event of its conversation. */
export function evolveMessage(message: Message, event: Event): Message {
  const { type, data } = event as unknown as Fact;
  const next = { ...message, statusAt: event.recordedAt };
  switch (type) {
    case 'message.accepted':
      return { ...next, status: 'ACCEPTED', sid: data.sid };
    case 'message.delivered':
      return { ...next, status: 'DELIVERED', askAt: null };
    case 'message.undelivered': {
      const { carrierCode, reason: failureReason } = data;
      return { ...next, status: 'UNDELIVERED', carrierCode, failureReason, askAt: null };
    }
    default:
      return message;
  }
}
