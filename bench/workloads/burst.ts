import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Burst } from '../peers/events.ts';
import { contender, dispatchers } from '../rig/contenders.ts';
import type { Host } from '../rig/host.ts';
import { productVersion, versionOf } from '../rig/library.ts';
import { addDueTasks, addPeople } from '../rig/people.ts';
import { furnish, leadOf, startProduct, type Product } from '../rig/product.ts';
import { rowsOf, type Stage } from '../rig/stage.ts';
import type { Asked } from '../rig/stub-carrier.ts';
import { product, type Contender, type Figures, type Workload } from '../rig/workload.ts';

/** How many tasks are due at once; of a peer that asks the carrier too, fewer: it is told as a rate. */
const all = 100_000;
const allAsking = 20_000;

/** The instant at which they are due: a morning in New York, on the product's clock. */
const dueAt = new Date('2026-03-03T16:00:00Z');

/** How long after it the carrier is waited for, in milliseconds: what was done by then counts. */
const longestMs = 30_000;

const unit = 'tasks/s';
const asker = 'graphile-worker, carrier asked';
const carried = 'rate, the carrier asked';

/** 100,000 tasks due at one instant. */
export const burst: Workload = {
  name: 'burst',
  about:
    '100,000 tasks due at one instant, each through the gate, its decision, task, call and events stored, the carrier asked',
  measures: [
    {
      name: 'rate',
      unit,
      better: 'more',
      against: ['graphile-worker'],
      atLeast: { times: 1.5, of: ['graphile-worker'] },
      aim: { times: 2, of: ['pg-boss'] },
    },
    { name: carried, unit, better: 'more', against: [asker] },
  ],
  open: async (stage) => {
    const count = stage.sized(all);
    const carrier = stage.host('rig/stub-carrier.ts');
    const carrierUrl = await carrier.call<string>('open');
    const others = dispatchers.map((who) =>
      contender(stage, who, async (host) => ({
        rate: await host.call<number>('burst', { count } satisfies Burst),
      })),
    );
    return [
      ...(await Promise.all(others)),
      await withCarrier(stage, carrier, carrierUrl),
      await ours(stage, carrier, carrierUrl),
    ];
  },
};

/** The peer with one HTTP request for each job, as the product makes it: what a user's own handler would do. */
async function withCarrier(stage: Stage, carrier: Host, ask: string): Promise<Contender> {
  const asking = stage.sized(allAsking);
  const who = { name: asker, library: 'graphile-worker', file: 'peers/graphile-worker.ts' };
  const made = await contender(stage, who, async (host) => {
    await carrier.call('forget');
    const rate = await host.call<number>('burst', { count: asking, ask } satisfies Burst);
    if ((await carrier.call<number>('count')) !== asking)
      throw new Error('the carrier was not asked once for each job');
    return { [carried]: rate };
  });
  return { ...made, version: versionOf('graphile-worker') };
}
/** The product, started anew for each turn on a copy of a database in which everything waits. */
async function ours(stage: Stage, carrier: Host, carrierUrl: string): Promise<Contender> {
  const count = stage.sized(all);
  const natsFolder = join(stage.folder, 'nats-before');
  const template = await stage.database('waiting');
  const shiftMs = dueAt.getTime() - 3_600_000 - Date.now();
  const made = await startProduct(stage, { databaseUrl: template, carrierUrl, shiftMs, natsFolder });
  const workspaceId = await furnish(made);
  await made.stop();
  await addPeople(template, workspaceId, 1, count);
  await addDueTasks(template, workspaceId, { from: 1, to: count, dueAt });
  return {
    who: product,
    version: productVersion(),
    turn: async (round) => {
      await carrier.call('forget');
      const databaseUrl = await stage.database('burst', { template: 'waiting' });
      const folder = join(stage.folder, `nats-${round}`);
      cpSync(join(natsFolder, 'nats'), join(folder, 'nats'), { recursive: true });
      const options = { databaseUrl, carrierUrl, natsFolder: folder };
      const started = await startProduct(stage, {
        ...options,
        shiftMs: dueAt.getTime() - leadOf(made) - Date.now(),
      });
      try {
        return await turn(started, carrier, { databaseUrl, count });
      } finally {
        await started.stop();
        await stage.drop('burst');
      }
    },
  };
}

async function turn(
  started: Product,
  carrier: Host,
  { databaseUrl, count }: { databaseUrl: string; count: number },
): Promise<Figures> {
  const begun = dueAt.getTime() - started.shiftMs;
  if (Date.now() > begun) throw new Error('the product started too late for the burst');
  await carrier.call('until', count, begun + longestMs - Date.now()).catch(() => {});
  const isWhole = (await carrier.call<number>('count')) === count;
  const stored = await storedIn(databaseUrl, isWhole ? count : 0);
  const rate = (stored.calls * 1_000) / (Date.now() - begun);
  const asked = await carrier.call<Asked[]>('all');
  if (new Set(asked.map(({ to }) => to)).size !== asked.length) throw new Error('somebody was called twice');
  if (stored.calls === 0 || stored.tasks < stored.calls || stored.events < 2 * stored.calls)
    throw new Error(`not everything was stored: ${JSON.stringify(stored)}`);
  return { rate, [carried]: rate };
}

interface Stored {
  calls: number;
  tasks: number;
  events: number;
}

/** Calls that the carrier took, with the gate's decision; tasks of theirs that were dispatched; the events of both. So many are waited for. */
async function storedIn(databaseUrl: string, least: number): Promise<Stored> {
  const [found] = await rowsOf<Stored>(
    databaseUrl,
    `select (select count(*)::int from call where sid is not null and (decision->>'allowed')::boolean) as calls,
      (select count(*)::int from outbound_task where last_call_id is not null) as tasks,
      (select count(*)::int from event where type in ('outbound.dispatched', 'outbound.initiated')) as events`,
  );
  if (found!.calls >= least) return found!;
  await sleep(100);
  return storedIn(databaseUrl, least);
}
