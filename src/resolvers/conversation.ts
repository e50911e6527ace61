import { z } from 'zod';
import { purposes } from '../domain/consent.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation as Row } from '../domain/conversation.ts';
import { noSuchConversation } from '../domain/conversation-progress.ts';
import { named } from '../domain/id.ts';
import { longestBody } from '../domain/message-text.ts';
import {
  CarrierRefusal,
  ContactBlocked,
  IdempotencyRefusal,
  InputRefusal,
  LimitRefusal,
  NotFoundRefusal,
  StateRefusal,
} from '../domain/refusal.ts';
import { builder } from '../schema/builder.ts';
import { Purpose } from '../schema/contact.ts';
import { Conversation } from '../schema/conversation.ts';
import { answering } from '../schema/error.ts';
import { checked, idempotencyKey, isId, optional, phone, text, uuid } from '../schema/input.ts';

const StartConversationInput = builder.inputType('StartConversationInput', {
  fields: (t) => ({
    patientId: t.id({ required: true }),
    phone: t.field({ type: 'E164', description: "Left out: the patient's own number." }),
    useCaseId: t.id({
      description: 'A use case of the channel TEXT. Left out: the numbers of the default service.',
    }),
    reason: t.string({ required: true, description: '1-256 characters; never sent.' }),
    purpose: t.field({ type: Purpose, description: 'Left out: OTHER.' }),
    instruction: t.string({
      description:
        'At most 2,000 characters, never sent: what the agent is to achieve. It answers the person then, until somebody writes with sendMessage.',
    }),
    opening: t.string({
      description:
        'At most 1,600 characters, with who writes and how to opt out, which are added where they are missing. Left out: that there is a message, and from whom.',
    }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

const startRules = z.object({
  patientId: uuid,
  phone: optional(phone),
  useCaseId: optional(uuid),
  reason: text(1, 256),
  purpose: optional(z.enum(purposes)).transform((purpose) => purpose ?? 'OTHER'),
  instruction: optional(text(0, 2_000)),
  opening: optional(text(1, longestBody)),
  idempotencyKey,
});

const ConversationPayload = builder
  .objectRef<{ conversation: Row }>('ConversationPayload')
  .implement({ fields: (t) => ({ conversation: t.expose('conversation', { type: Conversation }) }) });

const ConversationResult = answering(
  'ConversationResult',
  ConversationPayload,
  InputRefusal,
  NotFoundRefusal,
  ContactBlocked,
  LimitRefusal,
  IdempotencyRefusal,
  StateRefusal,
  CarrierRefusal,
);

builder.mutationFields((t) => ({
  startConversation: t.field({
    type: ConversationResult,
    nullable: true,
    authScopes: { scope: 'conversations:write' },
    description:
      'Texts a patient now, and opens a conversation for what they answer. The message is recorded before the carrier is asked.',
    args: { input: t.arg({ type: StartConversationInput, required: true }) },
    resolve: async (_, { input }, { conversations: texts, by }) => ({
      conversation: await texts.startConversation(checked(startRules, input), by()),
    }),
  }),
  sendMessage: t.field({
    type: ConversationResult,
    nullable: true,
    authScopes: { scope: 'conversations:write' },
    description:
      'One more message in an open conversation, at most 1,600 characters. Within an hour of what the patient wrote it is an answer, which neither hours nor caps hold back.',
    args: { conversationId: t.arg.id({ required: true }), body: t.arg.string({ required: true }) },
    resolve: async (_, args, { conversations: texts, by }) => {
      const { body } = checked(z.object({ body: text(1, longestBody) }), args, []);
      if (!isId(args.conversationId)) throw noSuchConversation(args.conversationId);
      return { conversation: await texts.sendMessage(args.conversationId.toLowerCase(), body, by()) };
    },
  }),
  closeConversation: t.field({
    type: ConversationResult,
    nullable: true,
    authScopes: { scope: 'conversations:write' },
    description: 'What the patient writes after that opens another conversation.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, { conversations: texts, by }) => {
      if (!isId(id)) throw noSuchConversation(id);
      return { conversation: await texts.closeConversation(id.toLowerCase(), by()) };
    },
  }),
}));

builder.queryFields((t) => ({
  conversation: t.field({
    type: Conversation,
    nullable: true,
    authScopes: { scope: 'conversations:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { world, workspaceId }) =>
      world.findOne<Row>(conversations.table, { workspaceId: { eq: workspaceId }, id: named(id) }),
  }),
}));
