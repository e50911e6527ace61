import type { RunningClock } from './clock.ts';
import { table as callTable, type Call } from './domain/call.ts';
import type { Event } from './domain/event.ts';
import { sign } from './domain/signature.ts';
import { table as subscriptionTable, type Delivery, type EventSubscription } from './domain/subscription.ts';
import { arrived, claim, enqueueAfter, failed, nextDueAt } from './delivery/queue.ts';
import type { Poster } from './poster.ts';
import { ensureSecret, secretsOf } from './secret.ts';
import type { World } from './world.ts';

/** What is posted with. */
interface Tools {
  world: World;
  poster: Poster;
  clock: Pick<RunningClock, 'now' | 'busy'>;
  log: (line: string, error?: unknown) => void;
}

/** Posts what is queued for other systems. A receiver that is slow or down holds up nobody else. */
export function openDeliveries({ world, poster, clock, log }: Tools) {
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  let claiming: Promise<number> | null = null;
  let isWanted = false;

  /** Begins everything that may be posted now; answers how much. Whatever ends makes room for what comes next. */
  function run(): Promise<number> {
    if (stopping.signal.aborted) return Promise.resolve(0);
    isWanted = true;
    claiming ??= clock.busy(rounds()).finally(() => {
      claiming = null;
    });
    return claiming;
  }

  async function rounds(): Promise<number> {
    let count = 0;
    while (isWanted && !stopping.signal.aborted) {
      isWanted = false;
      const claimed = await claim(world, clock.now());
      for (const delivery of claimed) begin(delivery);
      count += claimed.length;
    }
    return count;
  }

  function begin(delivery: Delivery): void {
    const made = attempt(delivery).catch((error: unknown) =>
      log(`delivery ${delivery.id} is made again later`, error),
    );
    const done = clock.busy(made).finally(() => {
      underWay.delete(done);
      wake();
    });
    underWay.add(done);
  }

  const wake = () => void run().catch((error: unknown) => log('deliveries are left to the next tick', error));

  async function attempt(delivery: Delivery): Promise<void> {
    const message = await messageOf(delivery);
    const posted =
      message === null
        ? { error: 'There is nothing to post any more.' }
        : await poster.post(message.url, message, stopping.signal);
    if (stopping.signal.aborted) return; // whoever takes over tries again
    const now = clock.now();
    if ('status' in posted && posted.status >= 200 && posted.status < 300)
      return arrived(world, delivery, { ...posted, now });
    const told =
      'status' in posted
        ? { ...posted, error: `It answered ${posted.status}.` }
        : { ...posted, status: null };
    return failed(world, delivery, { ...told, now });
  }

  async function messageOf(delivery: Delivery) {
    const { workspaceId, ownerId, eventId, url } = delivery;
    const here = { workspaceId: { eq: workspaceId } };
    if (url) await ensureSecret(world, ownerId, { workspaceId, now: clock.now() });
    const [secrets, [event], subscription, call] = await Promise.all([
      secretsOf(world, ownerId, clock.now()),
      world.eventsOf(workspaceId, { ids: [eventId] }),
      url ? null : world.findOne<EventSubscription>(subscriptionTable, { ...here, id: { eq: ownerId } }),
      url ? world.findOne<Call>(callTable, { ...here, id: { eq: delivery.entityId } }) : null,
    ]);
    const target = url ?? subscription?.url;
    if (!event || !target) return null;
    const body = JSON.stringify(bodyOf(event, call));
    const headers = sign(
      { id: event.id, body, at: clock.now() },
      secrets.map(({ secret }) => secret),
    );
    return { url: target, headers, body };
  }

  return {
    run,
    wake,
    nextAt: () => nextDueAt(world),
    /** Queues what happened after a place in the log; answers how far it went, and how many deliveries there are. */
    async enqueueAfter(cursor: number): Promise<{ until: number; count: number }> {
      const queued = await enqueueAfter(world, cursor, clock.now());
      if (queued.count > 0) wake();
      return queued;
    },
    /** Begins nothing more, and lets go of what is under way. */
    async stop(): Promise<void> {
      stopping.abort();
      await claiming?.catch(() => {});
      await Promise.all(underWay);
    },
  };
}

/** Posts what is queued for other systems. */
export type Deliveries = ReturnType<typeof openDeliveries>;

/** What is told of an event: ids and statuses, and nothing that was said or found about a person. */
function bodyOf(event: Event, call: Call | null) {
  const { type, effectiveAt, id, entityType, entityId, version, patientId, recordedAt, cursor } = event;
  const ids = {
    id,
    cursor: cursor === null ? null : String(cursor),
    entityType,
    entityId,
    version,
    patientId,
  };
  const { causationId, correlationId } = event;
  const data = { ...ids, causationId, correlationId, recordedAt: recordedAt.toISOString() };
  return { type, timestamp: effectiveAt.toISOString(), data: call ? { ...data, ...statusOf(call) } : data };
}

const statusOf = ({ id, sid, status, endedReason, answeredBy, durationSeconds, outcome }: Call) => ({
  callId: id,
  sid,
  status,
  endedReason,
  answeredBy,
  durationSeconds,
  outcome,
});
