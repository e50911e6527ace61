import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../rig/host.ts';
import { productVersion, versionOf } from '../rig/library.ts';
import { addPeople, patientIdOf } from '../rig/people.ts';
import { furnish, ourPhone, startProduct, type Product } from '../rig/product.ts';
import { spread } from '../rig/statistics.ts';
import type { Asked } from '../rig/stub-carrier.ts';
import type { Stage } from '../rig/stage.ts';
import { product, type Contender, type Figures, type Measure, type Workload } from '../rig/workload.ts';
import { each, schedule } from './schedule.ts';

/** How many changes, how far apart, and how many calls the carrier tells of. */
const all = 400;
const apartMs = 5;
const allCalls = 200;

/** How many tasks are due meanwhile, under burst. */
const allBurst = 400;

const peer = ['Yoga with LISTEN/NOTIFY'];
const measure = (name: string, least: number, aim: number, against: readonly string[]): Measure => ({
  name,
  unit: 'ms',
  better: 'less',
  against,
  atLeast: { value: least },
  aim: { value: aim },
});

/** From a commit until the frame that tells of it has come. */
export const live: Workload = {
  name: 'live',
  about: '400 changes 5 ms apart, one watcher; from the commit until the frame has come',
  measures: [
    measure('p50', 5, 1, peer),
    measure('p99', 20, 3, peer),
    measure('p50 under burst', 5, 1, []),
    measure('p99 under burst', 20, 3, []),
    measure('p50 from callback', 5, 1, []),
    measure('p99 from callback', 20, 3, []),
  ],
  open: async (stage, rounds) => [
    await other(stage, {
      name: peer[0]!,
      file: 'peers/yoga-live.ts',
      opener: 'openPeer',
      version: versionOf('graphql-yoga'),
    }),
    await other(stage, {
      name: 'floor: NOTIFY to ws',
      file: 'floors/live.ts',
      opener: 'openFloor',
      version: versionOf('ws'),
    }),
    await ours(stage, rounds),
  ],
};

async function other(
  stage: Stage,
  who: { name: string; file: string; opener: string; version: string },
): Promise<Contender> {
  const databaseUrl = await stage.database(who.opener.toLowerCase());
  const url = await stage.host(who.file).call<string>('open', databaseUrl);
  const client = stage.host('clients/live.ts');
  await client.call(who.opener, { databaseUrl, url });
  return { who: who.name, version: who.version, turn: (round) => idle(client, round, stage.sized(all)) };
}

async function idle(client: Host, round: number, count: number): Promise<Figures> {
  const { p50, p99 } = spread(
    await client.call<number[]>('commits', { run: `idle ${round}`, count, apartMs }),
  );
  return { p50, p99 };
}

async function ours(stage: Stage, rounds: number): Promise<Contender> {
  const [count, calls, burst] = [stage.sized(all), stage.sized(allCalls), stage.sized(allBurst)];
  const carrier = stage.host('rig/stub-carrier.ts');
  const databaseUrl = await stage.database('live');
  const started = await startProduct(stage, { databaseUrl, carrierUrl: await carrier.call<string>('open') });
  const workspaceId = await furnish(started);
  await addPeople(databaseUrl, workspaceId, 1, 1 + rounds * (calls + burst));
  const url = `${started.url.replace('http', 'ws')}/graphql`;
  const client = stage.host('clients/live.ts');
  await client.call('openProduct', { databaseUrl, url, workspaceId, patientId: patientIdOf(1) });
  const caller = stage.host('clients/live.ts');
  await caller.call('watchCalls', url);
  return {
    who: product,
    version: productVersion(),
    turn: async (round) => {
      const first = 2 + (round - 1) * (calls + burst);
      const figures = await idle(client, round, count);
      const told = spread(await fromCallbacks({ started, carrier, caller, workspaceId }, first, calls));
      const dispatching = each(burst, (index) => schedule(started, patientIdOf(first + calls + index), null));
      const busy = spread(await client.call<number[]>('commits', { run: `burst ${round}`, count, apartMs }));
      await dispatching;
      return {
        ...figures,
        'p50 under burst': busy.p50,
        'p99 under burst': busy.p99,
        'p50 from callback': told.p50,
        'p99 from callback': told.p99,
      };
    },
  };
}

interface Scene {
  started: Product;
  carrier: Host;
  caller: Host;
  workspaceId: string;
}

/** Places calls, which are accepted; then the carrier says of each that it rings. */
async function fromCallbacks(
  { started, carrier, caller, workspaceId }: Scene,
  first: number,
  count: number,
): Promise<number[]> {
  await carrier.call('forget');
  for (let n = first; n < first + count; n += 1) {
    await started.ask(
      `mutation ($input: PlaceCallInput!) { placeCall(input: $input) { ... on PlaceCallPayload { call { id } } } }`,
      { input: { patientId: patientIdOf(n), phoneFrom: ourPhone, reason: 'Check-up' } },
    );
  }
  const asked = await carrier.call<Asked[]>('all');
  if (asked.length !== count) throw new Error(`${asked.length} of ${count} calls were placed`);
  await sleep(500); // what the placing has set off is over
  const calls = asked.map(({ callId, sid, to }) => ({
    url: `${started.url}/carrier/${workspaceId}/calls/${callId}/status`,
    sid,
    to,
  }));
  return caller.call<number[]>('callbacks', { calls, apartMs });
}
