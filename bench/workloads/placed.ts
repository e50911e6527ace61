import { setTimeout as sleep } from 'node:timers/promises';
import { addPeople, patientIdOf } from '../rig/people.ts';
import { contender, dispatchers } from '../rig/contenders.ts';
import { productVersion } from '../rig/library.ts';
import { furnish, ourPhone, startProduct, type Product } from '../rig/product.ts';
import { rowsOf, type Stage } from '../rig/stage.ts';
import { spread } from '../rig/statistics.ts';
import type { Asked } from '../rig/stub-carrier.ts';
import type { Host } from '../rig/host.ts';
import { product, type Contender, type Figures, type Workload } from '../rig/workload.ts';
import { schedule } from './schedule.ts';

/** How many tasks, one after another, and how many first that are not counted. */
const count = 400;
const warmUp = 50;

/** How many placed calls come after them. */
const direct = 100;

const peer = ['graphile-worker'];

/** From before a request to schedule a call until the carrier is asked, everything durable first. */
export const placed: Workload = {
  name: 'placed',
  about: '400 tasks due now, one after another; from before the mutation until the carrier is asked',
  measures: [
    {
      name: 'p50',
      unit: 'ms',
      better: 'less',
      against: peer,
      atLeast: { value: 5 },
      aim: { times: 1.5, of: peer },
    },
    { name: 'p99', unit: 'ms', better: 'less', against: peer, atLeast: { value: 15 }, aim: { value: 5 } },
    { name: 'p50 of placeCall', unit: 'ms', better: 'less', against: [] },
    { name: 'p99 of placeCall', unit: 'ms', better: 'less', against: [] },
  ],
  open: async (stage, rounds) => [
    ...(await Promise.all(
      dispatchers.map((who) =>
        contender(stage, who, async (host) =>
          figuresOf((await host.call<number[]>('placed', count + warmUp)).slice(warmUp)),
        ),
      ),
    )),
    await ours(stage, rounds),
  ],
};

const figuresOf = (waits: readonly number[]): Figures => {
  const { p50, p99 } = spread(waits);
  return { p50, p99 };
};

async function ours(stage: Stage, rounds: number): Promise<Contender> {
  const carrier = stage.host('rig/stub-carrier.ts');
  const databaseUrl = await stage.database('callwell');
  const started = await startProduct(stage, { databaseUrl, carrierUrl: await carrier.call<string>('open') });
  const all = warmUp + count + direct;
  await addPeople(databaseUrl, await furnish(started), 1, rounds * all);
  return {
    who: product,
    version: productVersion(),
    turn: async (round) => {
      const first = (round - 1) * all + 1;
      const task = (n: number) => schedule(started, patientIdOf(n), null);
      const tasks = await waitsOf(carrier, { first, count: warmUp + count }, task);
      const call = (n: number) => place(started, patientIdOf(n));
      const calls = await waitsOf(carrier, { first: first + warmUp + count, count: direct }, call);
      await check(databaseUrl, round * all);
      const { p50, p99 } = spread(calls);
      return { ...figuresOf(tasks.slice(warmUp)), 'p50 of placeCall': p50, 'p99 of placeCall': p99 };
    },
  };
}

/** How long after each request the carrier was asked, in milliseconds, by a clock that all processes share. */
async function waitsOf(
  carrier: Host,
  { first, count }: { first: number; count: number },
  request: (n: number) => Promise<void>,
): Promise<number[]> {
  await carrier.call('forget');
  const left: number[] = [];
  for (let n = first; n < first + count; n += 1) {
    left.push(Number(process.hrtime.bigint()) / 1e6);
    await request(n);
    await carrier.call('until', left.length, 10_000);
    await sleep(2);
  }
  const asked = await carrier.call<Asked[]>('all');
  if (new Set(asked.map(({ to }) => to)).size !== count || asked.length !== count)
    throw new Error('not everybody was called once');
  return asked.map(({ tick }, index) => tick - left[index]!);
}

async function place({ ask }: Product, patientId: string): Promise<void> {
  const { placeCall } = await ask<{ placeCall: { __typename: string } }>(
    `mutation ($input: PlaceCallInput!) { placeCall(input: $input) {
      __typename ... on PlaceCallPayload { call { id } } ... on Error { code message } } }`,
    { input: { patientId, phoneFrom: ourPhone, reason: 'Check-up' } },
  );
  if (placeCall.__typename !== 'PlaceCallPayload') throw new Error(JSON.stringify(placeCall));
}

/** Every call has the gate's decision, and the carrier's answer is recorded. */
async function check(databaseUrl: string, count: number): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const [found] = await rowsOf<{ calls: number }>(
      databaseUrl,
      `select count(*)::int as calls from call where sid is not null and (decision->>'allowed')::boolean`,
    );
    if (found?.calls === count) return;
    if (tries === 100) throw new Error(`${found?.calls} of ${count} calls are recorded`);
    await sleep(50);
  }
}
