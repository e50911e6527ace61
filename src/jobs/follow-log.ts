import { sql, type RawBuilder } from 'kysely';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';

/** How many events are read at once. */
const batch = 500;

/** Whether something after a place in the log is wanted. */
type Wants = (cursor: RawBuilder<unknown>) => RawBuilder<boolean>;

/** What following needs. */
interface Follower {
  world: World;
  stream: Stream;
}

/** How many events that are of no interest are passed over before that is written down: reading them again costs less. */
const passed = 100;

/** How far a follower of the log has come. */
export const cursorOf = (name: string) =>
  sql`coalesce((select cursor from log_position where name = ${name}), 0)`;

/** Whether nothing that a follower wants has happened, and too little else to write that down: asked with one statement. */
export async function isIdle(world: Pick<World, 'prepared'>, name: string, wants: Wants): Promise<boolean> {
  const [state] = await world.prepared<{ idle: boolean }>(sql`select not ${wants(cursorOf(name))}
    and coalesce((select max(global_seq) from event_log), 0) - ${cursorOf(name)} < ${passed} as idle`);
  return state!.idle;
}

/**
 * Reacts to every event of some types, batch by batch, in the order of the log, whichever process is alive: the durable
 * consumer only wakes it, the log is what it reads, and how far it has come is kept in Postgres. A reaction may be repeated after a
 * crash, and by two processes at once, so it must be harmless when it is.
 */
export async function followLog(
  { world, stream }: Follower,
  reaction: {
    name: string;
    /** The types of events; or the one, which alone wakes it. */
    types: string | (() => Promise<string[]>);
    react: (notices: Notice[]) => Promise<void>;
    wants?: Wants;
  },
  signal: AbortSignal,
): Promise<void> {
  const { name, types, react, wants } = reaction;
  const typesOf = typeof types === 'string' ? () => Promise.resolve([types]) : types;
  const catchUp = async () => {
    if (wants && (await isIdle(world, name, wants))) return;
    for (;;) {
      const position = await world.position(name);
      const { notices, until } = await world.noticesOf(typesOf, position, batch);
      if (until <= position || signal.aborted) return;
      if (notices.length > 0) await react(notices);
      else if (until - position < passed) return;
      await world.advance(name, position, until);
    }
  };
  const woken = typeof types === 'string' ? { type: types } : {};
  await stream.consume({ name, react: catchUp, ...woken }, signal);
}
