/** The events that a peer's handler stores: an identity and its payload, durable before the job is done. */
import { rowsOf } from '../rig/stage.ts';

/** What a burst is told. */
export interface Burst {
  count: number;
  /** Where the stub carrier is, if it is to be asked. */
  ask?: string;
}

/** An empty table of events. */
export async function openEvents(databaseUrl: string): Promise<void> {
  await rowsOf(
    databaseUrl,
    `drop table if exists bench_event; create table bench_event (position bigserial primary key, id uuid not null
      default gen_random_uuid(), entity text not null, type text not null, data jsonb not null, at timestamptz not null default now())`,
  );
}

/** One event, as a prepared statement. */
export const insertEvent = (n: number, type: string) => ({
  name: 'insert_event',
  text: 'insert into bench_event (entity, type, data) values ($1, $2, $3)',
  values: [
    `task ${n}`,
    type,
    JSON.stringify({ attempt: 1, channel: 'VOICE', phone: `+1212${2_000_000 + n}` }),
  ],
});

/** Makes sure that so many events were stored, each once. */
export async function stored(databaseUrl: string, count: number): Promise<void> {
  const [found] = await rowsOf<{ all: number; once: number }>(
    databaseUrl,
    'select count(*)::int as "all", count(distinct (entity, type))::int as once from bench_event',
  );
  if (found?.all !== count || found.once !== count)
    throw new Error(`${count} events were to be stored: ${JSON.stringify(found)}`);
}

/** A promise that is kept once something was done so many times. */
export function countedDown(count: number): { promise: Promise<void>; done: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = count;
  return {
    promise,
    done: () => {
      left -= 1;
      if (left === 0) resolve();
    },
  };
}
