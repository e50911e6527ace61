import { setTimeout as sleep } from 'node:timers/promises';
import { addPeople, patientIdOf } from '../rig/people.ts';
import { furnish, startProduct, type Product } from '../rig/product.ts';
import { productVersion, versionOf } from '../rig/library.ts';
import type { Asked } from '../rig/stub-carrier.ts';
import type { Host } from '../rig/host.ts';
import type { Stage } from '../rig/stage.ts';
import { product, type Contender, type Figures, type Measure, type Workload } from '../rig/workload.ts';
import { each, msPerTask, schedule, tried } from './schedule.ts';

/** How many calls a second are bought, and for how long it is watched, in seconds. */
const bought = [1, 5, 30];
const seconds = 20;

const peer = ['BullMQ'];
const used = (cps: number) => `used at ${cps}/s`;
const violations = (cps: number) => `violations at ${cps}/s`;

/** Calls at the pace that is bought: never more in any second, and hardly fewer. */
export const pacing: Workload = {
  name: 'pacing',
  about: 'more tasks due than 1, 5 and 30 calls a second allow; when the carrier is asked',
  measures: [30, 5, 1].flatMap((cps): Measure[] => [
    {
      name: used(cps),
      unit: '% of what is bought',
      better: 'more',
      against: peer,
      atLeast: { value: 95 },
      aim: { value: 99.5 },
    },
    {
      name: violations(cps),
      unit: 'seconds with more',
      better: 'less',
      against: peer,
      atLeast: { value: 0 },
      aim: { value: 0 },
    },
  ]),
  open: async (stage, rounds) => [
    await ours(stage, rounds),
    ...(await withRedis(stage)),
    {
      who: 'floor: a timer',
      version: `Node ${process.versions.node}`,
      turn: () => atEachPace(async (cps) => judged(cps, await timed(cps))),
    },
  ],
};

/** Every pace at the same time: none of them is work. */
async function atEachPace(work: (cps: number) => Promise<Figures>): Promise<Figures> {
  return Object.assign({}, ...(await Promise.all(bought.map(work)))) as Figures;
}

/** How much of it was used between the first and the last, and how often a second that follows a call held more than is bought. */
function judged(cps: number, at: readonly number[]): Figures {
  const sorted = at.toSorted((a, b) => a - b);
  const span = sorted.at(-1)! - sorted[0]!;
  const over = sorted.filter((from, index) => (sorted[index + cps] ?? Infinity) - from < 1_000).length;
  return { [used(cps)]: ((sorted.length - 1) * 100_000) / (span * cps), [violations(cps)]: over };
}

/** A product for each pace, with more to do than it may. */
async function ours(stage: Stage, rounds: number): Promise<Contender> {
  const products = new Map<number, { started: Product; carrier: Host; taskMs: number }>();
  for (const cps of bought) {
    const carrier = stage.host('rig/stub-carrier.ts');
    const databaseUrl = await stage.database(`pacing_${cps}`);
    const carrierUrl = await carrier.call<string>('open');
    const started = await startProduct(stage, {
      databaseUrl,
      carrierUrl,
      settings: { CARRIER_CPS: String(cps) },
    });
    await addPeople(databaseUrl, await furnish(started), 1, rounds * needed(cps) + tried);
    products.set(cps, { started, carrier, taskMs: await msPerTask(started, rounds * needed(cps) + 1) });
  }
  return {
    who: product,
    version: productVersion(),
    turn: (round) =>
      atEachPace(async (cps) => {
        const { started, carrier, taskMs } = products.get(cps)!;
        await carrier.call('forget');
        const first = (round - 1) * needed(cps) + 1;
        const leadMs = 1_000 + 3 * taskMs * needed(cps); // three are at it
        const at = new Date(Date.now() + leadMs + started.shiftMs);
        await each(needed(cps), (index) => schedule(started, patientIdOf(first + index), at));
        await carrier.call('until', needed(cps), leadMs + 3_000 * seconds);
        const asked = await carrier.call<Asked[]>('all');
        if (new Set(asked.map(({ to }) => to)).size !== asked.length)
          throw new Error('somebody was called twice');
        return judged(
          cps,
          asked.map(({ tick }) => tick),
        );
      }),
  };
}

/** By how much less often a timer goes off than it might: what a request's journey varies by must not make a second too full. */
const margin = 1.004;

/** As many as fill the time. */
const needed = (cps: number): number => cps * seconds;

async function timed(cps: number): Promise<number[]> {
  const at: number[] = [];
  const begun = performance.now();
  for (let n = 0; n < needed(cps); n += 1) {
    await sleep(Math.max(0, begun + (n * 1_000 * margin) / cps - performance.now()));
    at.push(performance.now());
  }
  return at;
}

/** BullMQ needs a Redis, which the project has none of: it takes part where one is installed. */
async function withRedis(stage: Stage): Promise<Contender[]> {
  const host = stage.host('peers/bullmq.ts');
  if (!(await host.call<boolean>('open', stage.folder))) {
    stage.say('  BullMQ is left out: no redis-server is on the PATH (apt-get install redis-server)');
    return [];
  }
  return [
    {
      who: peer[0]!,
      version: versionOf('bullmq'),
      turn: () =>
        atEachPace(async (cps) =>
          judged(cps, await host.call<number[]>('paced', { cps, count: needed(cps) })),
        ),
    },
  ];
}
