import * as conversations from '../domain/conversation.ts';
import type { Conversation as Row, Message as MessageRow } from '../domain/conversation.ts';
import { readingOf } from './reading.ts';
import { builder, pageCost } from './builder.ts';
import { ContactDecision, Purpose } from './contact.ts';
import { WorldEvent } from './event.ts';
import { page } from './page.ts';
import { Patient } from './patient.ts';

const ConversationStatus = builder.enumType('ConversationStatus', { values: conversations.statuses });
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
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    closedAt: t.expose('closedAt', { type: 'DateTime', nullable: true }),
    events: t.field({
      type: [WorldEvent],
      complexity: { field: 1, multiplier: 10 },
      resolve: ({ id }, _, { loaders }) => loaders.history.load(id),
    }),
  }),
});
