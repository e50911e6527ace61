/** What is posted to other systems: the workspace's events to whoever subscribes, and the end of a call to its callback URL. */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { partialIndex } from './event.ts';

/** Where the workspace's events are posted. */
export const table = defineEntity({
  name: 'EventSubscription',
  tableName: 'event_subscription',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    url: p.text(),
    /** Empty: all. */
    types: p.array().columnType('text[]').$type<string[]>(),
    active: p.boolean(),
    createdAt: p.datetime(),
  },
});
/** One subscription. */
export interface EventSubscription extends InferEntity<typeof table> {}

/** Where a delivery stands. */
export const statuses = ['PENDING', 'DELIVERED', 'DEAD'] as const;
/** One of `statuses`. */
export type DeliveryStatus = (typeof statuses)[number];

/** One event for one receiver. */
export const deliveries = defineEntity({
  name: 'Delivery',
  tableName: 'delivery',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    /** Whose secret signs it: a subscription, or the workspace for callback URLs. */
    ownerId: p.uuid(),
    /** What its turn depends on: the subscription, or the host of the callback URL. */
    receiver: p.text(),
    /** A call's callback URL; null: the subscription's. */
    url: p.text().nullable(),
    eventId: p.uuid(),
    entityId: p.uuid(),
    /** The event's place in the log: the order within an entity. */
    cursor: p.bigint('number'),
    status: p.text().$type<DeliveryStatus>(),
    attempts: p.integer(),
    lastStatusCode: p.integer().nullable(),
    lastError: p.text().nullable(),
    nextAttemptAt: p.datetime().nullable(),
    /** Until when the present attempt may take; null: none is under way. */
    leaseUntil: p.datetime().nullable(),
    createdAt: p.datetime(),
    deliveredAt: p.datetime().nullable(),
  },
  uniques: [{ properties: ['workspaceId', 'ownerId', 'eventId'] }],
  indexes: [
    { name: 'delivery_list', properties: ['workspaceId', 'ownerId', 'cursor', 'id'] },
    { name: 'delivery_entity', properties: ['workspaceId', 'ownerId', 'entityId'] },
    partialIndex('delivery_due', 'delivery (workspace_id, receiver, next_attempt_at)', `status = 'PENDING'`),
    partialIndex(
      'delivery_order',
      'delivery (workspace_id, owner_id, entity_id, cursor)',
      `status = 'PENDING'`,
    ),
    partialIndex('delivery_dead', 'delivery (workspace_id)', `status = 'DEAD'`),
  ],
});
/** One delivery. */
export interface Delivery extends InferEntity<typeof deliveries> {}

/** A receiver that has failed lately is left alone for a while, so that it costs nobody else anything. */
export const receivers = defineEntity({
  name: 'Receiver',
  tableName: 'webhook_receiver',
  properties: {
    workspaceId: p.uuid().primary(),
    /** The subscription, or the host of callback URLs. */
    name: p.text().primary(),
    failures: p.integer(),
    retryAt: p.datetime(),
  },
});

/** How often a delivery is tried before it is dead. */
export const maxAttempts = 14;

/** The shortest and the longest wait, in milliseconds: 5 seconds tripling up to 6 hours is 34 hours in all. */
const [firstMs, longestMs] = [5_000, 21_600_000];

/** How long is waited after so many failures, in milliseconds; `chance` (0 to 1) makes it a fifth shorter or longer, so that not all come at once. */
export const backoffMs = (failures: number, chance: number): number =>
  Math.min(longestMs, firstMs * 3 ** (failures - 1)) * (0.8 + 0.4 * chance);
