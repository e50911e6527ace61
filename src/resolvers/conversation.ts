import { z } from 'zod';
import type { Context } from '../context.ts';
import { purposes } from '../domain/consent.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation as Row } from '../domain/conversation.ts';
import { noSuchConversation } from '../domain/conversation-progress.ts';
import { named } from '../domain/id.ts';
import { table as parkedTable, type InboundMessage } from '../domain/inbound-message.ts';
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
import { builder, pageCost } from '../schema/builder.ts';
import { Purpose } from '../schema/contact.ts';
import {
  Conversation,
  ConversationConnection,
  ConversationStatus,
  ParkedText,
  ParkedTextConnection,
} from '../schema/conversation.ts';
import { answering } from '../schema/error.ts';
import { checked, idempotencyKey, isId, optional, phone, text, uuid } from '../schema/input.ts';
import { page } from '../schema/page.ts';
import { Patient } from '../schema/patient.ts';

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

const AssignParkedTextsResult = answering(
  'AssignParkedTextsResult',
  ConversationPayload,
  InputRefusal,
  NotFoundRefusal,
  StateRefusal,
);

const DismissParkedTextsPayload = builder
  .objectRef<{ dismissed: number }>('DismissParkedTextsPayload')
  .implement({
    fields: (t) => ({ dismissed: t.exposeInt('dismissed', { description: 'How many were put away.' }) }),
  });
const DismissParkedTextsResult = answering(
  'DismissParkedTextsResult',
  DismissParkedTextsPayload,
  InputRefusal,
  NotFoundRefusal,
);

const parkedIds = z.object({
  ids: z.array(uuid).min(1, 'Must name a text.').max(200, 'Must be at most 200.'),
});

builder.mutationFields((t) => ({
  assignParkedTexts: t.field({
    type: AssignParkedTextsResult,
    nullable: true,
    authScopes: { scope: 'conversations:write' },
    description:
      'Says who has written parked texts, from one number to one of ours: they become messages of the conversation with this patient that is open there, else of a new one. A number that nobody had given before is theirs for texts about their care.',
    args: { ids: t.arg.idList({ required: true }), patientId: t.arg.id({ required: true }) },
    resolve: async (_, args, { conversations: texts, by }) => {
      const { ids, patientId } = checked(parkedIds.extend({ patientId: uuid }), args, []);
      return { conversation: await texts.assignTexts([...new Set(ids)], patientId, by()) };
    },
  }),
  dismissParkedTexts: t.field({
    type: DismissParkedTextsResult,
    nullable: true,
    authScopes: { scope: 'conversations:write' },
    description: 'Puts parked texts away that nobody is to answer, from one number to one of ours.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: async (_, args, { conversations: texts, by }) => ({
      dismissed: await texts.dismissTexts([...new Set(checked(parkedIds, args, []).ids)], by()),
    }),
  }),
}));

const ConversationFilter = builder.inputType('ConversationFilter', {
  fields: (t) => ({
    statuses: t.field({ type: [ConversationStatus] }),
    patientId: t.id(),
    unanswered: t.boolean({
      description:
        'True: only those that are open and in which the person wrote last; false: only the others.',
    }),
  }),
});
type Filter = typeof ConversationFilter.$inferInput;

/** Conversations that fit, the one in which somebody wrote last first. */
async function listed(
  { world, workspaceId }: Pick<Context, 'world' | 'workspaceId'>,
  { statuses, patientId, unanswered }: Filter,
  args: Parameters<typeof page>[0],
) {
  const where = {
    workspaceId: { eq: workspaceId },
    ...(statuses ? { status: { in: statuses } } : {}),
    ...(patientId == null ? {} : { patientId: named(patientId) }),
    ...(unanswered == null ? {} : { isUnanswered: { eq: unanswered } }),
  };
  const found = await page<Row>(
    args,
    ({ lastMessageAt, id }) => [lastMessageAt.toISOString(), id],
    ({ start, limit, inverted }) =>
      world.page(conversations.table, {
        where,
        order: ['lastMessageAt', 'id'],
        descending: !inverted,
        after: start,
        limit,
      }),
    ['instant', 'id'],
  );
  return Object.assign(found, { total: () => world.count(conversations.table, where) });
}

builder.objectField(Patient, 'conversations', (t) =>
  t.connection(
    {
      type: Conversation,
      authScopes: { scope: 'conversations:read' },
      complexity: pageCost,
      description: 'The one in which somebody wrote last first.',
      resolve: ({ id: patientId }, args, context) => listed(context, { patientId }, args),
    },
    ConversationConnection,
  ),
);

builder.queryFields((t) => ({
  conversations: t.connection(
    {
      type: Conversation,
      authScopes: { scope: 'conversations:read' }, // an empty page tells as well
      args: { filter: t.arg({ type: ConversationFilter }) },
      complexity: pageCost,
      description: 'The one in which somebody wrote last first.',
      resolve: (_, { filter, ...args }, context) => listed(context, filter ?? {}, args),
    },
    ConversationConnection,
  ),
  parkedTexts: t.connection(
    {
      type: ParkedText,
      authScopes: { scope: 'conversations:read' },
      complexity: pageCost,
      description: 'Texts of which nobody knows yet who wrote them, newest first.',
      resolve: async (_, args, { world, workspaceId }) => {
        const where = { workspaceId: { eq: workspaceId }, dismissedAt: { eq: null } };
        const found = await page<InboundMessage>(
          args,
          ({ id }) => [id],
          ({ start, limit, inverted }) =>
            world.page(parkedTable, { where, order: ['id'], descending: !inverted, after: start, limit }),
        );
        return Object.assign(found, { total: () => world.count(parkedTable, where) });
      },
    },
    ParkedTextConnection,
  ),
  conversation: t.field({
    type: Conversation,
    nullable: true,
    authScopes: { scope: 'conversations:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { world, workspaceId }) =>
      world.findOne<Row>(conversations.table, { workspaceId: { eq: workspaceId }, id: named(id) }),
  }),
}));
