import { addPeople, patientIdOf, phoneOf } from '../rig/people.ts';
import { contender, dispatchers } from '../rig/contenders.ts';
import { productVersion } from '../rig/library.ts';
import { furnish, startProduct, type Product } from '../rig/product.ts';
import { randomFrom, spread } from '../rig/statistics.ts';
import type { Asked } from '../rig/stub-carrier.ts';
import type { Stage } from '../rig/stage.ts';
import type { Host } from '../rig/host.ts';
import { product, type Contender, type Workload } from '../rig/workload.ts';
import { each, msPerTask, schedule, tried } from './schedule.ts';

/** How many tasks, and within which time they are due, in milliseconds. */
const count = 300;
const [soonestMs, latestMs] = [2_000, 8_000];

const peers = ['graphile-worker', 'pg-boss'];

/** 300 tasks due at random instants: how late the carrier is asked. */
export const lateness: Workload = {
  name: 'lateness',
  about: '300 tasks due at random instants; from due until the carrier is asked',
  measures: [
    {
      name: 'p99',
      unit: 'ms',
      better: 'less',
      against: ['graphile-worker'],
      atLeast: { value: 20 },
      aim: { value: 5 },
    },
    { name: 'p50', unit: 'ms', better: 'less', against: peers },
    { name: 'max', unit: 'ms', better: 'less', against: peers },
  ],
  open: async (stage, rounds) => [
    ...(await Promise.all(
      dispatchers.map((who) =>
        contender(stage, who, async (host, round) =>
          spread(await host.call<number[]>('lateness', instants(round))),
        ),
      ),
    )),
    await ours(stage, rounds),
  ],
};

/** In how many milliseconds each is due: the same for everyone in a round. */
function instants(round: number): number[] {
  const random = randomFrom(round);
  return Array.from({ length: count }, () => Math.round(soonestMs + random() * (latestMs - soonestMs)));
}

async function ours(stage: Stage, rounds: number): Promise<Contender> {
  const carrier = stage.host('rig/stub-carrier.ts');
  const databaseUrl = await stage.database('callwell');
  const started = await startProduct(stage, { databaseUrl, carrierUrl: await carrier.call<string>('open') });
  await addPeople(databaseUrl, await furnish(started), 1, rounds * count + tried);
  const leadMs = count * (await msPerTask(started, rounds * count + 1));
  return {
    who: product,
    version: productVersion(),
    turn: async (round) => spread(await turn(started, carrier, { round, leadMs })),
  };
}

/** Tasks are scheduled one after another beforehand, so their instants are as much later. */
async function turn(
  product: Product,
  carrier: Host,
  { round, leadMs }: { round: number; leadMs: number },
): Promise<number[]> {
  await carrier.call('forget');
  const from = Date.now() + Math.round(leadMs);
  const inMs = instants(round);
  const first = (round - 1) * count + 1;
  await each(count, (index) =>
    schedule(product, patientIdOf(first + index), new Date(from + inMs[index]! + product.shiftMs)),
  );
  if (Date.now() > from + soonestMs) throw new Error('tasks were due before all of them were scheduled');
  await carrier.call('until', count, leadMs + latestMs + 30_000);
  const asked = await carrier.call<Asked[]>('all');
  const dueAt = new Map(inMs.map((ms, index) => [phoneOf(first + index), from + ms]));
  if (new Set(asked.map(({ to }) => to)).size !== count) throw new Error('somebody was called twice');
  return asked.map(({ to, at }) => at - dueAt.get(to)!);
}
