import { z } from 'zod';
import { isEventType, unknownType } from '../domain/event-type.ts';
import { IdempotencyRefusal, InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import {
  deliveries,
  table,
  type Delivery as DeliveryRow,
  type EventSubscription as Row,
} from '../domain/subscription.ts';
import { builder, pageCost } from '../schema/builder.ts';
import { Call } from '../schema/call.ts';
import { answering } from '../schema/error.ts';
import { checked, idempotencyKey, isId, optional, text } from '../schema/input.ts';
import { page } from '../schema/page.ts';
import { Delivery, DeliveryConnection, EventSubscription } from '../schema/subscription.ts';
import { WebhookSecretResult } from '../schema/webhook.ts';

const EventSubscriptionInput = builder.inputType('EventSubscriptionInput', {
  fields: (t) => ({
    url: t.string({ required: true, description: 'https, and no private address.' }),
    types: t.stringList({
      description: 'At most 100 types of the closed list, or ext. types; none: all events.',
    }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

const rules = z.object({
  url: text(1, 2_048),
  types: optional(
    z
      .array(text(1, 64).refine(isEventType, { error: ({ input }) => unknownType(String(input)) }))
      .max(100, { error: 'Must be at most 100.' }),
  ).transform((types) => [...new Set(types ?? [])]),
  idempotencyKey,
});

const EventSubscriptionPayload = builder
  .objectRef<{ subscription: Row; secret: string | null }>('EventSubscriptionPayload')
  .implement({
    fields: (t) => ({
      subscription: t.expose('subscription', { type: EventSubscription }),
      secret: t.exposeString('secret', { nullable: true, description: 'Only where it was made just now.' }),
    }),
  });
const EventSubscriptionResult = answering(
  'EventSubscriptionResult',
  EventSubscriptionPayload,
  InputRefusal,
  NotFoundRefusal,
  IdempotencyRefusal,
);

const DeliveryPayload = builder
  .objectRef<{ delivery: DeliveryRow }>('DeliveryPayload')
  .implement({ fields: (t) => ({ delivery: t.expose('delivery', { type: Delivery }) }) });
const DeliveryResult = answering('DeliveryResult', DeliveryPayload, NotFoundRefusal);

const idOf = (id: string, noun: string): string => {
  if (isId(id)) return id.toLowerCase();
  throw new NotFoundRefusal('NOT_FOUND', `There is no such ${noun} in this workspace.`, id);
};

builder.mutationFields((t) => ({
  createEventSubscription: t.field({
    type: EventSubscriptionResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: 'Posts events to a URL from now on.',
    args: { input: t.arg({ type: EventSubscriptionInput, required: true }) },
    resolve: (_, { input }, { subscriptions, by }) => {
      const { idempotencyKey: key, ...given } = checked(rules, input);
      return subscriptions.subscribe(given, key, by());
    },
  }),
  deleteEventSubscription: t.field({
    type: EventSubscriptionResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: 'Nothing more is posted; its deliveries stay to be read.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, { subscriptions, by }) => ({
      subscription: await subscriptions.unsubscribe(idOf(id, 'subscription'), by()),
      secret: null,
    }),
  }),
  redeliver: t.field({
    type: DeliveryResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: 'Posts a delivery again, whatever came of it.',
    args: { deliveryId: t.arg.id({ required: true }) },
    resolve: async (_, { deliveryId }, { subscriptions, by }) => ({
      delivery: await subscriptions.redeliver(idOf(deliveryId, 'delivery'), by()),
    }),
  }),
  rotateCallbackSecret: t.field({
    type: WebhookSecretResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description:
      'A new secret, which signs what is posted to the callback URLs of calls. For a day the one before signs too.',
    resolve: (_, _args, { subscriptions, by }) => subscriptions.rotateCallbackSecret(by()),
  }),
}));

builder.queryField('eventSubscriptions', (t) =>
  t.field({
    type: [EventSubscription],
    authScopes: { scope: 'workspace:read' },
    complexity: { field: 1, multiplier: 5 },
    description: 'Those that are active, oldest first.',
    resolve: async (_, _args, { world, workspaceId }) =>
      (await world.find<Row>(table, { workspaceId: { eq: workspaceId }, active: { eq: true } })).toSorted(
        (a, b) => (a.id < b.id ? -1 : 1),
      ),
  }),
);

builder.objectField(EventSubscription, 'deliveries', (t) =>
  t.connection(
    {
      type: Delivery,
      complexity: pageCost,
      description: 'Newest event first.',
      resolve: ({ id }, args, { loaders }) =>
        page<DeliveryRow>(
          args,
          (delivery) => [delivery.cursor, delivery.id],
          ({ start, limit, inverted }) =>
            loaders.page(deliveries, ['ownerId', id], {
              order: ['cursor', 'id'],
              descending: !inverted,
              after: start,
              limit,
            }),
          ['whole', 'id'],
        ),
    },
    DeliveryConnection,
  ),
);

builder.objectField(Call, 'callbackDelivery', (t) =>
  t.field({
    type: Delivery,
    nullable: true,
    description: 'What came of posting its end to callbackUrl; null: it is not over, or has none.',
    resolve: ({ id, callbackUrl }, _, { loaders }) => (callbackUrl ? loaders.callbackOf.load(id) : null),
  }),
);
