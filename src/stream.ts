import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  DeliverPolicy,
  RetentionPolicy,
  StorageType,
  jetstream,
  jetstreamManager,
  type ConsumerMessages,
  type JsMsg,
} from '@nats-io/jetstream';
import { headers } from '@nats-io/nats-core';
import { openConnection } from './stream/connection.ts';
import type { Notice } from './world/log.ts';

/** The name of the one stream. */
const name = 'world';

/** The header with the event's place in the log: consumers key on it, never on JetStream's own sequence. */
const cursorHeader = 'X-Seq';
const logHeader = 'X-Log';

/** Where the stream ends: its own sequence, and the event that stands there; cursor 0: it is empty. */
export interface Tail {
  sequence: number;
  cursor: number;
  eventId: string | null;
  logId: string | null;
}

/** A pull waits this long for messages (ms); with heartbeats every second a dead server is noticed in two. */
const pull = { max_messages: 500, expires: 4_000, idle_heartbeat: 1_000 };

/** How long the stream may be ahead of what was delivered before the consumer is made anew, in milliseconds. */
const stallMs = 3_000;

/** What a durable consumer does. */
export interface Reaction {
  /** Whoever consumes under one name shares the events. */
  name: string;
  react(): Promise<void>;
  /** The one type of event that wakes it; left out: every event does. */
  type?: string;
  /** How long more events are waited for, to be reacted to together, in milliseconds; 0 unless given. */
  gatherMs?: number;
}

/** Opens JetStream on a nats-server of version 2.9 or later. It carries envelopes only; Postgres stays the truth. */
export async function openStream(options: {
  url: string;
  log?: (line: string) => void;
  /** How many servers hold the stream; left out: one. */
  replicas?: number;
  /** Told of each event that is published; what it answers is the message's traceparent. */
  published?: (notice: Notice) => string | null;
}) {
  const { connection, isConnected } = await openConnection(options.url);
  const manager = await jetstreamManager(connection, { timeout: 2_000 });
  const js = jetstream(connection, { timeout: 2_000 });

  async function ensure(): Promise<void> {
    const config = {
      name,
      subjects: ['world.>'],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      num_replicas: options.replicas ?? 1,
    };
    const found = await manager.streams.info(name).catch(() => manager.streams.add(config));
    if (found.config.num_replicas !== config.num_replicas) await manager.streams.update(name, config);
  }

  /** What the stream itself says of its end: the relay keeps no other memory of what it has published. */
  async function tail(): Promise<Tail> {
    await ensure();
    const { state } = await manager.streams.info(name);
    const message =
      state.messages > 0 ? await manager.streams.getMessage(name, { seq: state.last_seq }) : null;
    return {
      sequence: state.last_seq,
      cursor: Number(message?.header.get(cursorHeader) ?? 0),
      eventId: message?.header.get('Nats-Msg-Id') || null,
      logId: message?.header.get(logHeader) || null,
    };
  }

  /**
   * Publishes notices in order behind the tail, all in flight at once. Each expects its predecessor to be the last
   * message, so a publisher that has been replaced without knowing it writes nothing. Throws when any was refused:
   * then the tail must be read again.
   */
  async function publish(notices: Notice[], end: Tail, logId: string): Promise<Tail> {
    const acknowledgements = await Promise.all(
      notices.map((notice, index) => {
        return js.publish(subjectOf(notice), JSON.stringify(notice), {
          msgID: notice.id,
          headers: headersOf(notice, logId, options.published?.(notice)),
          expect: { lastSequence: end.sequence + index },
        });
      }),
    );
    if (acknowledgements.some(({ duplicate }) => duplicate))
      throw new Error('the stream already holds some of these events');
    const last = notices.at(-1);
    return last
      ? { sequence: acknowledgements.at(-1)!.seq, cursor: last.cursor, eventId: last.id, logId }
      : end;
  }

  /**
   * Delivers every notice from now on, in order and each once, whatever happens to the server; `ready` is called when
   * nothing more can be missed. Ends when the signal is given.
   */
  async function follow(
    deliver: (notices: Notice[]) => void,
    signal: AbortSignal,
    ready: (cursor: number) => void,
  ) {
    let { sequence, cursor } = await tail();
    ready(cursor);
    while (!signal.aborted && !connection.isClosed()) {
      try {
        sequence = await followOnce({ sequence, deliver: take, signal });
      } catch (error) {
        options.log?.(`following the stream anew: ${(error as Error).message}`);
        await sleep(200);
      }
    }
    function take(message: JsMsg) {
      const notice = noticeOf(message);
      if (notice.cursor <= cursor) return;
      cursor = notice.cursor;
      deliver([notice]);
    }
  }

  async function followOnce(from: {
    sequence: number;
    deliver: (message: JsMsg) => void;
    signal: AbortSignal;
  }) {
    await ensure();
    const { state } = await manager.streams.info(name);
    let delivered = state.last_seq < from.sequence ? 0 : from.sequence; // the stream was made anew: begin with it
    const consumer = await js.consumers.get(name, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: delivered + 1,
    });
    const messages = await consumer.consume(pull);
    const stop = stopWith(messages, from.signal);
    const watchdog = watch(messages, () => delivered);
    try {
      for await (const message of messages) {
        delivered = message.seq;
        from.deliver(message);
      }
    } finally {
      clearInterval(watchdog);
      from.signal.removeEventListener('abort', stop);
      await consumer.delete().catch(() => {}); // else it lingers on the server for minutes
    }
    return delivered;
  }

  /** An ordered consumer can stall for most of a minute after a server was killed: one that is behind and still is begun anew. */
  function watch(messages: ConsumerMessages, delivered: () => number) {
    let seen = delivered();
    let movedAt = performance.now();
    return setInterval(() => {
      manager.streams
        .info(name)
        .then(({ state }) => {
          if (delivered() !== seen || state.last_seq === seen) movedAt = performance.now();
          else if (performance.now() - movedAt > stallMs) messages.stop();
          seen = delivered();
        })
        .catch(() => {});
    }, 1_000);
  }

  /**
   * A durable pull consumer: `react` is woken for every event that was published since it last returned, also by
   * another process or before a restart. A message is only a wake-up; what is to be done is read from the log.
   * Whatever fails is begun anew, `react` too. Ends when the signal is given.
   */
  async function consume(reaction: Reaction, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !connection.isClosed()) {
      try {
        await consumeOnce(reaction, signal);
      } catch (error) {
        options.log?.(`consuming as ${reaction.name} anew: ${(error as Error).message}`);
        await sleep(200);
      }
    }
  }

  async function consumeOnce(reaction: Reaction, signal: AbortSignal) {
    await ensure();
    const { type } = reaction;
    // What a consumer hears of is part of its name: nats-server loses messages where that is changed.
    const durable = [reaction.name, ...(type ? [type.replaceAll('.', '-')] : [])].join('-on-');
    await manager.consumers.add(name, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_deliver: -1,
      max_ack_pending: 1_000,
      ...(type ? { filter_subject: `world.*.*.*.${type}` } : {}),
    });
    const consumer = await js.consumers.get(name, durable);
    // A wiped stream has lost its consumers: end, and make it again.
    const messages = await consumer.consume({ ...pull, abort_on_missing_resource: true });
    const stop = stopWith(messages, signal);
    try {
      await reaction.react();
      await reactTo(messages, reaction);
    } finally {
      messages.stop();
      signal.removeEventListener('abort', stop);
    }
  }

  return {
    tail,
    publish,
    follow,
    consume,
    /** Makes the stream anew, so that the relay fills it from the log: emptying it would keep its memory of message ids. */
    renew: async () => {
      await manager.streams.delete(name);
    },
    connected: isConnected,
    close: () => connection.close(),
  };
}

/** JetStream: carries every event to whoever waits for it. */
export type Stream = Awaited<ReturnType<typeof openStream>>;

/** Stops reading when the signal is given, or has been. The answer is what listens for it. */
function stopWith(messages: ConsumerMessages, signal: AbortSignal): () => void {
  const stop = () => messages.stop();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  return stop;
}

/** Reacts once to all messages that came before the reaction began, and acknowledges them when it is done. */
async function reactTo(messages: ConsumerMessages, { react, gatherMs = 0 }: Reaction): Promise<void> {
  let waiting: JsMsg[] = [];
  let busy = false;
  let reacting = Promise.resolve();
  const drain = async () => {
    busy = true;
    while (waiting.length > 0) {
      if (gatherMs > 0) await sleep(gatherMs);
      const seen = waiting;
      waiting = [];
      await react();
      for (const message of seen) message.ack();
    }
    busy = false;
  };
  for await (const message of messages) {
    waiting.push(message);
    if (!busy) reacting = drain().catch((error: Error) => messages.stop(error));
  }
  await reacting;
}

function headersOf({ cursor }: Notice, logId: string, traceparent: string | null = null) {
  const header = headers();
  header.set(cursorHeader, String(cursor));
  header.set(logHeader, logId);
  if (traceparent) header.set('traceparent', traceparent);
  return header;
}

const subjectOf = ({ workspaceId, entityType, entityId, type }: Notice) =>
  `world.${workspaceId}.${entityType.toLowerCase()}.${entityId}.${type}`;

function noticeOf(message: JsMsg): Notice {
  const notice = message.json<Notice>();
  const traceparent = message.headers?.get('traceparent');
  return {
    ...notice,
    ...(traceparent && { traceparent }),
    effectiveAt: new Date(notice.effectiveAt),
    recordedAt: new Date(notice.recordedAt),
  };
}
