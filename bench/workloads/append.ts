import { contender } from '../rig/contenders.ts';
import { productVersion } from '../rig/library.ts';
import { product, type Figures, type Goal, type Measure, type Workload } from '../rig/workload.ts';
import type { Host } from '../rig/host.ts';
import type { Appends } from '../peers/appends.ts';

const all = 20_000;
const emmett = ['emmett-postgresql'];

/** Each way of appending, and what is asked of the product there. */
const ways: Record<string, Omit<Appends, 'run' | 'count'>> = {
  '32 in flight': { atOnce: 32, streams: 0 },
  '256 in flight': { atOnce: 256, streams: 0 },
  '1,000 hot streams, 32 in flight': { atOnce: 32, streams: 1_000 },
};
const goals: Record<string, { atLeast: Goal; aim: Goal }> = {
  '32 in flight': { atLeast: { times: 2, of: emmett }, aim: { times: 8, of: emmett } },
  '256 in flight': { atLeast: { times: 2, of: emmett }, aim: { times: 8, of: emmett } },
};

/** Durable appends of one event each, with a version for each entity. */
export const append: Workload = {
  name: 'append',
  about: '20,000 durable appends of one event, each acknowledged after its commit',
  measures: Object.keys(ways).map((name): Measure => ({
    name,
    unit: 'events/s',
    better: 'more',
    against: emmett,
    ...goals[name],
  })),
  open: async (stage) => [
    await contender(
      stage,
      { name: 'emmett-postgresql', library: '@event-driven-io/emmett-postgresql', file: 'peers/emmett.ts' },
      turn(stage.sized(all), 'append'),
    ),
    {
      ...(await contender(stage, { name: product, file: 'rig/world.ts' }, turn(stage.sized(all), 'append'))),
      version: productVersion(),
    },
    await contender(
      stage,
      { name: 'floor: one statement each', file: 'floors/append.ts' },
      turn(stage.sized(all), 'append'),
    ),
    await contender(
      stage,
      { name: 'floor: commits shared', file: 'floors/append.ts' },
      turn(stage.sized(all), 'appendTogether'),
    ),
  ],
};

const turn =
  (count: number, name: string) =>
  async (host: Host, round: number): Promise<Figures> => {
    const figures: Figures = {};
    for (const [way, wanted] of Object.entries(ways)) {
      const appends: Appends = { ...wanted, count, run: `${round}-${way.replaceAll(/\W/g, '')}` };
      figures[way] = await host.call<number>(name, appends);
    }
    return figures;
  };
