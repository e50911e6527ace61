import { setTimeout as sleep } from 'node:timers/promises';
import type { Stream, Tail } from '../stream.ts';
import type { World } from '../world.ts';

/** How many events are placed or published at once. */
const batch = 500;

/** The safety net beneath the wake-ups, in milliseconds. */
const pollMs = 250;

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
        let tail: Tail | null = null;
        while (session.alive()) {
          const placed = await relay.world.sequence(batch);
          const { published, end } = await publishMore(relay, tail);
          tail = end;
          if (placed === 0 && published === 0) await session.wait(tail ? pollMs : 50);
        }
      });
    } catch (error) {
      if (signal.aborted) return;
      relay.log('the relay begins anew', error);
      await sleep(100);
    }
  }
}

/** Publishes what the stream lacks. A stream that cannot be reached or trusted is asked for its tail again. */
async function publishMore(
  relay: Relay,
  known: Tail | null,
): Promise<{ published: number; end: Tail | null }> {
  try {
    const tail = known ?? (await trustedTail(relay));
    const notices = await relay.world.noticesAfter(tail.cursor, batch);
    if (notices.length === 0) return { published: 0, end: tail };
    const logId = (await relay.world.logId()) ?? '';
    return { published: notices.length, end: await relay.stream.publish(notices, tail, logId) };
  } catch (error) {
    relay.log('the stream is read again', error);
    return { published: 0, end: null };
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
