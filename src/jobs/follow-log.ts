import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';

/** How many events are read at once. */
const batch = 500;

/** What following needs. */
interface Follower {
  world: World;
  stream: Stream;
}

/** How many events that are of no interest are passed over before that is written down: reading them again costs less. */
const passed = 100;

/**
 * Reacts to every event of some types, batch by batch, in the order of the log, whichever process is alive: the durable
 * consumer only wakes it, the log is what it reads, and how far it has come is kept in Postgres. A reaction may be repeated after a
 * crash, and by two processes at once, so it must be harmless when it is.
 */
export async function followLog(
  { world, stream }: Follower,
  reaction: { name: string; types: () => Promise<string[]>; react: (notices: Notice[]) => Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  const { name, types, react } = reaction;
  const catchUp = async () => {
    for (;;) {
      const position = await world.position(name);
      const { notices, until } = await world.noticesOf(types, position, batch);
      if (until <= position || signal.aborted) return;
      if (notices.length > 0) await react(notices);
      else if (until - position < passed) return;
      await world.advance(name, position, until);
    }
  };
  await stream.consume(name, catchUp, signal);
}
