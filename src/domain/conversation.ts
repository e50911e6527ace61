/** A conversation by text with one person, from one of our numbers; its messages are told as its events. */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { CallOrigin } from './call.ts';
import type { ContactDecision, LegalBasis, Purpose } from './consent.ts';
import { partialIndex, rowColumns } from './event.ts';

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
    origin: p.text().$type<CallOrigin>(),
    taskId: p.uuid().nullable(),
    campaignId: p.uuid().nullable(),
    requestedBy: p.text(),
    basis: p.text().$type<LegalBasis>().nullable(),
    /** When the person last wrote; null: never. */
    heardAt: p.datetime().nullable(),
    createdAt: p.datetime(),
    closedAt: p.datetime().nullable(),
    closedReason: p.text().nullable(),
  },
  indexes: [
    { name: 'conversation_patient', properties: ['workspaceId', 'patientId', 'id'] },
    {
      name: 'conversation_open',
      expression: `create unique index conversation_open on conversation (workspace_id, contact_id, phone_from) where status = 'ACTIVE'`,
    },
  ],
});
/** One conversation. */
export interface Conversation extends InferEntity<typeof table> {}

/** Where a message stands: PENDING until the carrier has taken it, and one that the person wrote is RECEIVED. */
export const messageStatuses = ['PENDING', 'ACCEPTED', 'DELIVERED', 'UNDELIVERED', 'RECEIVED'] as const;
/** One of `messageStatuses`. */
export type MessageStatus = (typeof messageStatuses)[number];

/** The messages of conversations, as their events tell: written with them, so that they can be listed and looked up. */
export const messages = defineEntity({
  name: 'Message',
  tableName: 'message',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    conversationId: p.uuid(),
    patientId: p.uuid(),
    contactId: p.uuid(),
    direction: p.text().$type<'OUTBOUND' | 'INBOUND'>(),
    body: p.text(),
    status: p.text().$type<MessageStatus>(),
    statusAt: p.datetime(),
    /** The carrier's id; null until it has accepted the message. */
    sid: p.text().nullable(),
    carrierCode: p.text().nullable(),
    /** Of what we sent: whether it answers what the person has just written, and so is no contact of ours. */
    isReply: p.boolean(),
    taskId: p.uuid().nullable(),
    /** Of what we sent: what the gate decided. */
    decision: p.json().$type<ContactDecision>().nullable(),
    at: p.datetime(),
  },
  uniques: [{ properties: ['workspaceId', 'sid'] }],
  indexes: [
    { name: 'message_conversation', properties: ['workspaceId', 'conversationId', 'at', 'id'] },
    { name: 'message_patient', properties: ['workspaceId', 'patientId', 'at'] },
    partialIndex('message_open', 'message (status_at)', `status = 'PENDING'`),
    partialIndex('message_open_contact', 'message (workspace_id, contact_id)', `status = 'PENDING'`),
  ],
});
/** One message. */
export interface Message extends InferEntity<typeof messages> {}
