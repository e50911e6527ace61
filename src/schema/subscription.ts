import {
  statuses,
  type Delivery as DeliveryRow,
  type EventSubscription as Row,
} from '../domain/subscription.ts';
import { builder } from './builder.ts';
import { WorldEvent } from './event.ts';

const DeliveryStatus = builder.enumType('DeliveryStatus', { values: statuses });

export const EventSubscription = builder.objectRef<Row>('EventSubscription').implement({
  description:
    "Posts the workspace's events to another system: at least once, in order for each entity, signed as Standard Webhooks say. What is posted holds ids and statuses, and nothing that was said or found about a person.",
  authScopes: { scope: 'workspace:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    url: t.exposeString('url'),
    types: t.exposeStringList('types', { description: 'None: all.' }),
    active: t.exposeBoolean('active'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const Delivery = builder.objectRef<DeliveryRow>('Delivery').implement({
  description:
    'One event for one receiver: tried 14 times over more than a day, then DEAD. Later events of the same entity wait for it, those of others do not.',
  authScopes: { scope: 'workspace:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    event: t.field({
      type: WorldEvent,
      resolve: async ({ eventId }, _, { loaders }) => (await loaders.event.load(eventId))!,
    }),
    status: t.expose('status', { type: DeliveryStatus }),
    attempts: t.exposeInt('attempts'),
    lastStatusCode: t.exposeInt('lastStatusCode', { nullable: true }),
    lastError: t.exposeString('lastError', { nullable: true }),
    nextAttemptAt: t.expose('nextAttemptAt', { type: 'DateTime', nullable: true }),
  }),
});

export const DeliveryConnection = builder.connectionObject(
  { type: Delivery, name: 'DeliveryConnection' },
  { name: 'DeliveryEdge' },
);
