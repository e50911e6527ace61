import type { Mutations } from '../peers/mutations.ts';
import { contender } from '../rig/contenders.ts';
import type { Host } from '../rig/host.ts';
import { productVersion } from '../rig/library.ts';
import { addPeople, patientIdOf } from '../rig/people.ts';
import { furnish, startProduct } from '../rig/product.ts';
import { rowsOf, type Stage } from '../rig/stage.ts';
import { product, type Contender, type Workload } from '../rig/workload.ts';
import { schedule } from './schedule.ts';

const all = 600;
const peer = ['MikroORM'];
const whole = 'scheduleTask over HTTP';

/** A task and its event, by one client. */
export const mutation: Workload = {
  name: 'mutation',
  about: '600 tasks with their events, one after another by one client, each committed',
  warmsUp: true,
  measures: [
    {
      name: 'task and event',
      unit: 'tasks/s',
      better: 'more',
      against: peer,
      atLeast: { times: 1.5, of: peer },
      aim: { times: 3, of: peer },
    },
    { name: whole, unit: 'tasks/s', better: 'more', against: peer },
  ],
  open: async (stage, rounds) => {
    const count = stage.sized(all);
    const turn = turnOf(count);
    return [
      await contender(
        stage,
        { name: 'MikroORM', library: '@mikro-orm/postgresql', file: 'peers/mikro-orm.ts' },
        turn,
      ),
      await contender(stage, { name: 'floor: one statement', file: 'floors/mutation.ts' }, turn),
      await ours(stage, rounds, count),
    ];
  },
};

const turnOf = (count: number) => async (host: Host) => ({
  'task and event': await host.call<number>('mutate', { count } satisfies Mutations),
});

/** The write path by itself, as MikroORM is called; and the whole mutation: key, rules, caller ID and idempotency too. */
async function ours(stage: Stage, rounds: number, count: number): Promise<Contender> {
  const writing = await contender(stage, { name: product, file: 'rig/world.ts' }, turnOf(count));
  const carrier = stage.host('rig/stub-carrier.ts');
  const databaseUrl = await stage.database('mutation');
  const started = await startProduct(stage, { databaseUrl, carrierUrl: await carrier.call<string>('open') });
  await addPeople(databaseUrl, await furnish(started), 1, 50_000);
  const tomorrow = new Date(Date.now() + started.shiftMs + 86_400_000);
  return {
    who: product,
    version: productVersion(),
    turn: async (round) => {
      const figures = await writing.turn(round);
      const begun = performance.now();
      for (let n = 0; n < count; n += 1)
        await schedule(started, patientIdOf((((round * count + n) * 997) % 50_000) + 1), tomorrow);
      const rate = (count * 1_000) / (performance.now() - begun);
      const [found] = await rowsOf<{ pairs: number }>(
        databaseUrl,
        `select count(*)::int as pairs from outbound_task t join event e on e.entity_id = t.id and e.type = 'outbound.scheduled'`,
      );
      if (found!.pairs % count !== 0 || found!.pairs > (rounds + 1) * count)
        throw new Error(`${found!.pairs} tasks have their event`);
      return { ...figures, [whole]: rate };
    },
  };
}
