import * as calls from './domain/call.ts';
import * as runs from './domain/campaign-run.ts';
import type { Event, Fact, Kind, Row } from './domain/event.ts';
import * as tasks from './domain/task.ts';
import * as voicemails from './domain/voicemail.ts';
import type { Stream } from './stream.ts';
import type { World } from './world.ts';
import type { LogQuery, Notice } from './world/log.ts';
import { Queue, type Happening } from './live/queue.ts';

/** The kinds whose rows are told with their events. */
const watched = new Set<string>([calls.entityType, tasks.entityType, runs.entityType, voicemails.entityType]);

/** How many events are read and handed out at once: well below the limit, so that only who does not read reaches it. */
const deliverBatch = 100;

/** How many events a resuming subscriber is given at a time. */
const replayBatch = 500;

/** Opens the live hub: one consumer of the stream for this process, however many subscribers it has. */
export function openLive(options: {
  world: World;
  stream: Stream;
  log: (line: string, error?: unknown) => void;
  /** Told of what has reached so many subscribers. */
  delivered?: (notices: Notice[], subscribers: number) => void;
}) {
  const { world } = options;
  const subscribers = new Map<string, Set<Queue>>();
  const waiting: Notice[] = [];
  let busy = false;
  let heard = 0;

  /** Follows the stream until the signal is given, which ends all subscriptions; resolves once nothing more can be missed. */
  function start(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => {
      for (const queue of [...subscribers.values()].flatMap((peers) => [...peers])) void queue.return();
    });
    return new Promise((resolve, reject) => {
      const ready = (cursor: number) => {
        heard = cursor;
        resolve();
      };
      options.stream.follow(take, signal, ready).catch(reject);
    });
  }

  function take(notices: Notice[]): void {
    waiting.push(...notices);
    heard = notices.at(-1)?.cursor ?? heard;
    if (!busy) void drain();
  }

  /** One batch after the other: what arrives meanwhile is read together. */
  async function drain(): Promise<void> {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, deliverBatch);
      try {
        await deliver(batch);
      } catch (error) {
        options.log('live events are read again', error);
        waiting.unshift(...batch);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
    busy = false;
  }

  async function deliver(batch: Notice[]): Promise<void> {
    const wanted = batch.filter(({ workspaceId }) => subscribers.has(workspaceId));
    const byWorkspace = Map.groupBy(wanted, ({ workspaceId }) => workspaceId);
    for (const [workspaceId, notices] of byWorkspace) {
      const happenings = await enrich(workspaceId, notices);
      for (const queue of subscribers.get(workspaceId) ?? []) {
        for (const happening of happenings) queue.push(happening);
      }
      options.delivered?.(notices, subscribers.get(workspaceId)?.size ?? 0);
    }
  }

  /** The events of a workspace's notices, in their order; those of watched kinds with their rows as they were then. */
  async function enrich(workspaceId: string, notices: Notice[]): Promise<Happening[]> {
    const idsOf = (entityType: string) => [
      ...new Set(notices.filter((n) => n.entityType === entityType).map((n) => n.entityId)),
    ];
    const told = <R extends Row, F extends Fact>(kind: Kind<R, F>) => {
      const ids = idsOf(kind.entityType);
      return ids.length > 0 ? world.story(kind, workspaceId, ids) : [];
    };
    const plain = notices.filter(({ entityType }) => !watched.has(entityType)).map(({ id }) => id);
    const [callStories, taskStories, runStories, voicemailStories, others] = await Promise.all([
      told(calls),
      told(tasks),
      told(runs),
      told(voicemails),
      plain.length > 0 ? world.eventsOf(workspaceId, { ids: plain }) : [],
    ]);
    const stories = [...callStories, ...taskStories, ...runStories, ...voicemailStories];
    const found = new Map<string, { event: Event; row: Row | null }>(
      stories.map((story) => [story.event.id, story]),
    );
    for (const event of others) found.set(event.id, { event, row: null });
    return notices.flatMap((notice) => {
      const happening = found.get(notice.id);
      return happening ? [{ ...happening, event: { ...happening.event, cursor: notice.cursor } }] : [];
    });
  }

  function register(workspaceId: string, wants: (happening: Happening) => boolean): Queue {
    const peers = subscribers.get(workspaceId) ?? new Set<Queue>();
    subscribers.set(workspaceId, peers);
    const queue = new Queue(wants, () => {
      peers.delete(queue);
      if (peers.size === 0) subscribers.delete(workspaceId);
    });
    peers.add(queue);
    return queue;
  }

  /** What happens from now on and fits. */
  const watch = (
    workspaceId: string,
    wants: (happening: Happening) => boolean,
  ): AsyncIterableIterator<Happening> => register(workspaceId, wants);

  /** An entity's row now, then after each of its events. Null when there is none. */
  async function watchRow<R extends Row>(
    workspaceId: string,
    entityId: string,
    load: () => Promise<R | null>,
  ): Promise<AsyncIterableIterator<R> | null> {
    const queue = register(workspaceId, ({ event }) => event.entityId === entityId);
    const first = await load().catch((error: unknown) => {
      void queue.return();
      throw error;
    });
    if (!first) {
      await queue.return();
      return null;
    }
    let version: number | null = null;
    return iterate(queue, async () => {
      if (version === null) {
        ({ version } = first);
        return first;
      }
      for (;;) {
        const { value, done } = await queue.next();
        if (done) return null;
        if (value.event.version <= version) continue;
        ({ version } = value.event);
        return value.row as R;
      }
    });
  }

  /** A workspace's events: those after a cursor, then what happens; each once and in order. */
  function events(
    wanted: Pick<LogQuery, 'workspaceId' | 'after' | 'types' | 'patientId'>,
  ): AsyncIterableIterator<Event & { cursor: number }> {
    const { types, patientId } = wanted;
    const queue = register(
      wanted.workspaceId,
      ({ event }) => (!types || types.includes(event.type)) && (!patientId || event.patientId === patientId),
    );
    let cursor = wanted.after ?? 0;
    let replayed: (Event & { cursor: number })[] = [];
    let replaying = wanted.after !== undefined;
    return iterate(queue, async () => {
      while (replaying && replayed.length === 0 && !queue.closed()) {
        queue.keep();
        replayed = await world.log({ ...wanted, after: cursor, limit: replayBatch });
        // That was the log's end, and the queue has kept what came after it.
        if (replayed.length < deliverBatch && queue.skipTo(replayed.at(-1)?.cursor ?? cursor))
          replaying = false;
        else queue.pause();
      }
      const next = replayed.shift() ?? (await queue.next()).value?.event;
      if (next) ({ cursor } = next);
      return next ?? null;
    });
  }

  return {
    start,
    watch,
    watchRow,
    events,
    /** The last event that this process has heard of. */
    cursor: () => heard,
    subscriberCount: () => [...subscribers.values()].reduce((n, s) => n + s.size, 0),
  };
}

/** The live hub. */
export type Live = ReturnType<typeof openLive>;

/** An iterator by hand: unlike a generator, it ends at once when its consumer leaves, also while it waits. */
function iterate<T>(queue: Queue, next: () => Promise<T | null>): AsyncIterableIterator<T> {
  return {
    next: async () => {
      try {
        const value = queue.closed() ? null : await next();
        return value === null || queue.closed() ? { value: undefined, done: true } : { value, done: false };
      } catch (error) {
        await queue.return(); // nobody returns an iterator that has thrown
        throw error;
      }
    },
    return: async () => {
      await queue.return();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
