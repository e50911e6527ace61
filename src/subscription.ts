import { sql } from 'kysely';
import { newId } from './clock.ts';
import type { Deliveries } from './delivery.ts';
import type { By } from './domain/event.ts';
import { InputRefusal, NotFoundRefusal } from './domain/refusal.ts';
import {
  deliveries as deliveryTable,
  table,
  type Delivery,
  type EventSubscription,
} from './domain/subscription.ts';
import { claimKey, findKey } from './idempotency.ts';
import type { Poster } from './poster.ts';
import { addSecret, rotateSecret, type Rotated } from './secret.ts';
import type { World } from './world.ts';

/** A subscription; its secret where it was made just now. */
export interface Subscribed {
  subscription: EventSubscription;
  secret: string | null;
}

/** Keeps who is told of events. */
export function openSubscriptions({
  world,
  poster,
  deliveries,
}: {
  world: World;
  poster: Poster;
  deliveries: Deliveries;
}) {
  /** Refuses INVALID_INPUT for a URL that may not be posted to; `path` leads to it in the input. */
  async function checkUrl(url: string, path: string[]): Promise<void> {
    const message = await poster.faultOf(url);
    if (message !== null) throw new InputRefusal([{ path, message }]);
  }

  /** Tells a URL of events from now on. Refuses INVALID_INPUT and the IDEMPOTENCY codes. */
  async function subscribe(
    given: { url: string; types: string[] },
    idempotencyKey: string | null,
    by: By,
  ): Promise<Subscribed> {
    const keyed = { idempotencyKey, operation: 'createEventSubscription', input: given, by };
    const earlier = await findKey(world, keyed);
    if (earlier) return { subscription: await subscriptionOf(earlier, by), secret: null };
    await checkUrl(given.url, ['input', 'url']);
    const { workspaceId, now } = by;
    const id = newId(now);
    const outcome = await world.transact(async (tx) => {
      const known = await claimKey(tx, { ...keyed, resultId: id });
      if (known) return { known };
      await tx.insert(table, { ...given, workspaceId, id, active: true, createdAt: now });
      return { secret: await addSecret(tx, id, by) };
    });
    if ('known' in outcome) return { subscription: await subscriptionOf(outcome.known, by), secret: null };
    return { subscription: await subscriptionOf(id, by), ...outcome };
  }

  /** Ends a subscription: nothing more is posted, and what waits is dead. */
  async function unsubscribe(id: string, by: By): Promise<EventSubscription> {
    const before = await subscriptionOf(id, by);
    await world.transact(async (tx) => {
      const of = sql`workspace_id = ${by.workspaceId}`;
      await tx.query(sql`update event_subscription set active = false where ${of} and id = ${id}`);
      await tx.query(sql`update delivery set status = 'DEAD', last_error = 'The subscription was deleted.',
        next_attempt_at = null where ${of} and owner_id = ${id} and status = 'PENDING'`);
      await tx.query(sql`delete from webhook_receiver where ${of} and name = ${id}`);
    });
    return { ...before, active: false };
  }

  /** Posts a delivery again, whatever came of it; its receiver is asked at once. Refuses NOT_FOUND, also of what was deleted. */
  async function redeliver(id: string, by: By): Promise<Delivery> {
    const where = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
    const [found] = await world.query<{ receiver: string }>(sql`
      update delivery d set status = 'PENDING', attempts = 0, next_attempt_at = ${by.now}, lease_until = null
      where workspace_id = ${by.workspaceId} and id = ${id} and (url is not null or exists (
        select from event_subscription s where s.workspace_id = d.workspace_id and s.id = d.owner_id and s.active))
      returning receiver`);
    if (!found) throw new NotFoundRefusal('NOT_FOUND', 'There is no such delivery in this workspace.', id);
    await world.query(sql`delete from webhook_receiver
      where workspace_id = ${by.workspaceId} and name = ${found.receiver}`);
    deliveries.wake();
    return (await world.findOne<Delivery>(deliveryTable, where))!;
  }

  async function subscriptionOf(id: string, by: By): Promise<EventSubscription> {
    const where = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
    const found = await world.findOne<EventSubscription>(table, where);
    if (found) return found;
    throw new NotFoundRefusal('NOT_FOUND', 'There is no such subscription in this workspace.', id);
  }

  return {
    checkUrl,
    subscribe,
    unsubscribe,
    redeliver,
    /** A new secret for the callback URLs of calls; the one before goes on for a day. */
    rotateCallbackSecret: (by: By): Promise<Rotated> =>
      world.transact((tx) => rotateSecret(tx, by.workspaceId, by)),
  };
}

/** Keeps who is told of events. */
export type Subscriptions = ReturnType<typeof openSubscriptions>;
