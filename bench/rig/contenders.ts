import { versionOf } from './library.ts';
import type { Stage } from './stage.ts';
import type { Contender, Figures } from './workload.ts';
import type { Host } from './host.ts';

/** A contender that lives in a process and a database of its own: `take` is its turn. */
export async function contender(
  stage: Stage,
  who: { name: string; library?: string; file: string },
  take: (host: Host, round: number) => Promise<Figures>,
): Promise<Contender> {
  const host = stage.host(who.file);
  await host.call('open', await stage.database(who.name.replaceAll(/\W+/g, '_').toLowerCase()));
  return {
    who: who.name,
    version: who.library ? versionOf(who.library) : `Node ${process.versions.node}`,
    turn: (round) => take(host, round),
  };
}

/** The peers that take jobs, and the floor beneath them. */
export const dispatchers = [
  { name: 'graphile-worker', library: 'graphile-worker', file: 'peers/graphile-worker.ts' },
  { name: 'pg-boss', library: 'pg-boss', file: 'peers/pg-boss.ts' },
  { name: 'floor: Postgres and a timer', file: 'floors/dispatch.ts' },
] as const;
