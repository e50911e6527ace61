import * as conversations from '../domain/conversation.ts';
import type { Conversation as Row, Message as MessageRow } from '../domain/conversation.ts';
import { readingOf } from './reading.ts';
import { builder, pageCost } from './builder.ts';
import type { InboundMessage } from '../domain/inbound-message.ts';
import { ContactDecision, Purpose } from './contact.ts';
import { WorldEvent } from './event.ts';
import { page } from './page.ts';
import { Patient } from './patient.ts';

export const ConversationStatus = builder.enumType('ConversationStatus', { values: conversations.statuses });
const MessageDirection = builder.enumType('MessageDirection', { values: conversations.messageDirections });

const Message = builder.objectRef<MessageRow>('Message').implement({
  description: 'One text of a conversation.',
  fields: (t) => ({
    id: t.exposeID('id'),
    direction: t.expose('direction', { type: MessageDirection }),
    body: t.exposeString('body'),
    status: t.exposeString('status', {
      description:
        'Of ours: PENDING until the carrier has taken it, then ACCEPTED, then DELIVERED or UNDELIVERED. Of theirs: RECEIVED.',
    }),
    at: t.expose('at', { type: 'DateTime' }),
    carrierCode: t.exposeString('carrierCode', {
      nullable: true,
      description: "The carrier's own code of why it did not get there.",
    }),
    failureReason: t.exposeString('failureReason', {
      nullable: true,
      description: 'Why it did not get there, such as carrier_rejected_21211 or never_reached_carrier.',
    }),
    segments: t.exposeInt('segments', { description: 'In how many parts it travels, and is paid for.' }),
    decision: t.expose('decision', {
      type: ContactDecision,
      nullable: true,
      description: 'What the gate decided before it was sent; null for what the person wrote.',
    }),
  }),
});

const MessageConnection = builder.connectionObject(
  { type: Message, name: 'MessageConnection' },
  { name: 'MessageEdge' },
);

export const Conversation = builder.objectRef<Row>('Conversation');

Conversation.implement({
  description:
    'Texts with one patient from one of our numbers. Where several patients share a number each has a conversation of their own.',
  authScopes: readingOf<Row>('conversations:read', 'CONVERSATION', (conversation) => conversation.patientId),
  fields: (t) => ({
    id: t.exposeID('id'),
    status: t.expose('status', { type: ConversationStatus }),
    patient: t.field({
      type: Patient,
      resolve: async ({ patientId }, _, { loaders }) => (await loaders.patient.load(patientId))!,
    }),
    phone: t.expose('phone', { type: 'E164' }),
    phoneFrom: t.expose('phoneFrom', { type: 'E164' }),
    reason: t.exposeString('reason'),
    purpose: t.expose('purpose', { type: Purpose }),
    messages: t.connection(
      {
        type: Message,
        complexity: pageCost,
        description: 'Oldest first.',
        resolve: ({ id, workspaceId }, args, { world }) =>
          page<MessageRow>(
            args,
            ({ position }) => [position],
            ({ start, limit, inverted }) =>
              world.page(conversations.messages, {
                where: { workspaceId: { eq: workspaceId }, conversationId: { eq: id } },
                order: ['position'],
                descending: inverted,
                after: start,
                limit,
              }),
            ['whole'],
          ),
      },
      MessageConnection,
    ),
    isUnanswered: t.exposeBoolean('isUnanswered', {
      description: 'It is open, and the person wrote last.',
    }),
    lastMessageAt: t.expose('lastMessageAt', {
      type: 'DateTime',
      description: 'When somebody last wrote, of either side.',
    }),
    lastMessage: t.field({
      type: Message,
      nullable: true,
      resolve: ({ id }, _, { loaders }) => loaders.lastMessage.load(id),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    closedAt: t.expose('closedAt', { type: 'DateTime', nullable: true }),
    events: t.field({
      type: [WorldEvent],
      complexity: { field: 1, multiplier: 10 },
      resolve: ({ id }, _, { loaders }) => loaders.history.load(id),
    }),
  }),
});

/** How many a list holds, whatever the page. */
const totalOf = (connection: unknown) => (connection as { total: () => Promise<number> }).total();

export const ConversationConnection = builder.connectionObject(
  {
    type: Conversation,
    name: 'ConversationConnection',
    fields: (t) => ({ totalCount: t.int({ resolve: totalOf }) }),
  },
  { name: 'ConversationEdge' },
);

export const ParkedText = builder.objectRef<InboundMessage>('ParkedText').implement({
  description:
    'A text of somebody of whom it is not known who they are: nobody is known at the number, or several are.',
  authScopes: { scope: 'conversations:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    phone: t.expose('phone', { type: 'E164', description: 'Whose number it came from.' }),
    phoneFrom: t.expose('phoneFrom', { type: 'E164', description: 'The number of ours that it came to.' }),
    body: t.exposeString('body'),
    at: t.expose('at', { type: 'DateTime' }),
    question: t.exposeString('answer', {
      nullable: true,
      description: 'What was answered to it: who writes. Null: nothing.',
    }),
    people: t.field({
      type: [Patient],
      description: 'Whoever has this number now.',
      resolve: ({ phone }, _, { loaders }) => loaders.peopleAt.load(phone),
    }),
  }),
});

export const ParkedTextConnection = builder.connectionObject(
  {
    type: ParkedText,
    name: 'ParkedTextConnection',
    fields: (t) => ({ totalCount: t.int({ resolve: totalOf }) }),
  },
  { name: 'ParkedTextEdge' },
);
