import { setTimeout as sleep } from 'node:timers/promises';
import type { Stream, Tail } from '../stream.ts';
import type { World } from '../world.ts';

/** How many events are placed or published at once. */
const batch = 500;

/** The safety net beneath the wake-ups, in milliseconds. */
const pollMs = 250;

/** How soon a stream that could not be reached or trusted is asked again, in milliseconds. */
const retryMs = 50;

/** After how many idle polls the stream is asked for its tail: it may have lost its end, or been wiped. */
const recheck = 8;

/** What the relay needs. */
interface Relay {
  world: World;
  stream: Stream;
  log: (line: string, error?: unknown) => void;
}

/**
 * Gives every appended event its place in the log and publishes the log to JetStream, each event once and in order.
 * One process at a time does it, for all; the others stand by. Ends when the signal is given.
 */
export async function relayEvents(relay: Relay, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await relay.world.lead('relay', signal, async (session) => {
        const copy: Copy = { tail: null, logId: null, trouble: null };
        let end = await relay.world.logEnd();
        let idle = 0;
        while (session.alive()) {
          const placing = await relay.world.sequence(end, batch);
          ({ end } = placing);
          const published = await publishMore(relay, copy, placing);
          idle = placing.placed.length + published === 0 ? idle + 1 : 0;
          if (idle > 0) await session.wait(copy.tail ? pollMs : retryMs);
          if (idle % recheck === recheck - 1) copy.tail = null;
        }
      });
    } catch (error) {
      if (signal.aborted) return;
      relay.log('the relay begins anew', error);
      await sleep(100);
    }
  }
}

type Placing = Awaited<ReturnType<World['sequence']>>;

/** What the leader remembers of the stream. */
interface Copy {
  /** Where it ends; null: ask it. */
  tail: Tail | null;
  /** Which log it is, once it has an event. */
  logId: string | null;
  /** Why it could not be reached or trusted: told once, not at every attempt. */
  trouble: string | null;
}

/**
 * Publishes what the stream lacks; answers how much. That is what was placed just now, unless it lacks more. A stream that
 * cannot be reached or trusted is asked for its tail again.
 */
async function publishMore(relay: Relay, copy: Copy, { placed, end }: Placing): Promise<number> {
  try {
    const next = copy.tail && copy.tail.cursor + 1;
    if (next === end.cursor + 1) return 0;
    copy.tail ??= await trustedTail(relay);
    const notices =
      next === placed[0]?.cursor ? placed : await relay.world.noticesAfter(copy.tail.cursor, batch);
    if (notices.length > 0) {
      copy.logId ??= await relay.world.logId();
      copy.tail = await relay.stream.publish(notices, copy.tail, copy.logId ?? '');
    }
    copy.trouble = null;
    return notices.length;
  } catch (error) {
    copy.tail = null;
    const trouble = String(error);
    if (trouble !== copy.trouble) relay.log('the stream is read again', error);
    copy.trouble = trouble;
    return 0;
  }
}

/** The stream's tail, once it is sure that the stream is a copy of this log and of no other. */
async function trustedTail({ world, stream, log }: Relay): Promise<Tail> {
  const tail = await stream.tail();
  if (tail.eventId === null || (await world.logHolds(tail.cursor, tail.eventId))) return tail;
  if (tail.logId !== (await world.logId())) {
    throw new Error(
      'the stream holds the events of another database; give this one a nats-server of its own',
    );
  }
  log('the stream is ahead of the log, as after a restored backup: it is filled anew');
  await stream.renew();
  return stream.tail();
}
