import { setTimeout as sleep } from 'node:timers/promises';
import type { Watching } from '../clients/sockets.ts';
import { question } from '../peers/fan-out.ts';
import { cpuMsOf, residentKbOf, type Host } from '../rig/host.ts';
import { productVersion, versionOf } from '../rig/library.ts';
import { addPeople, patientIdOf } from '../rig/people.ts';
import { furnish, key, startProduct } from '../rig/product.ts';
import type { Stage } from '../rig/stage.ts';
import { median } from '../rig/statistics.ts';
import { product, type Contender, type Figures, type Measure, type Workload } from '../rig/workload.ts';

/** How many watchers; with which of these the processor is looked at, and questions differ. */
const sizes = [5_000, 1_000, 100];
const looked = 1_000;

/** How many changes one after another, and how many at once. */
const changes = 7;
const together = 20;

const yoga = ['Yoga with graphql-ws'];
const peers = [...yoga, 'Mercurius'];
const floor = ['floor: raw ws'];
const toAll = (size: number) => `to ${size.toLocaleString('en-US')}`;

const times = sizes.map((size): Measure => ({
  name: toAll(size),
  unit: 'ms',
  better: 'less',
  against: yoga,
  ...(size === sizes[0] ? { atLeast: { times: 0.5, of: yoga }, aim: { times: 1.25, of: floor } } : {}),
}));

/** One change, and all who watch. */
export const fanOut: Workload = {
  name: 'fan-out',
  about: 'one change to 100, 1,000 and 5,000 watchers; from before the change until the last has its frame',
  measures: [
    ...times,
    { name: `to ${looked}, different questions`, unit: 'ms', better: 'less', against: yoga },
    { name: 'burst', unit: 'messages/s', better: 'more', against: yoga },
    {
      name: 'server CPU',
      unit: 'µs/message',
      better: 'less',
      against: yoga,
      atLeast: { times: 0.5, of: yoga },
    },
    { name: 'server CPU, different questions', unit: 'µs/message', better: 'less', against: yoga },
    {
      name: 'memory',
      unit: 'kB/watcher',
      better: 'less',
      against: peers,
      atLeast: { value: 25 },
      aim: { value: 15 },
    },
  ],
  open: async (stage) => {
    const client = stage.host('clients/sockets.ts');
    const peer = (who: string, version: string, file: string) => other(stage, client, { who, version, file });
    return [
      await peer(yoga[0]!, versionOf('graphql-yoga'), 'peers/yoga-fan-out.ts'),
      await peer('Mercurius', versionOf('mercurius'), 'peers/mercurius-fan-out.ts'),
      await peer(floor[0]!, versionOf('ws'), 'floors/fan-out.ts'),
      await ours(stage, client),
    ];
  },
};

/** A server with watchers: how it is made to tell them something. */
interface Server {
  stage: Stage;
  client: Host;
  pid: number;
  same: Watching;
  different: Watching;
  /** Makes changes; answers the instant before, by the clock that all processes share. */
  publish(count: number): Promise<number>;
}

async function other(
  stage: Stage,
  client: Host,
  { who, version, file }: { who: string; version: string; file: string },
): Promise<Contender> {
  const host = stage.host(file);
  const url = await host.call<string>('open');
  const query = who === floor[0] ? null : question;
  const server: Server = {
    stage,
    client,
    pid: host.pid,
    same: { url, query, variables: '{}' },
    different: { url, query, variables: '{"salt":"#"}' },
    publish: (count) => host.call<number>('publish', count),
  };
  return { who, version, turn: () => turn(server) };
}

async function ours(stage: Stage, client: Host): Promise<Contender> {
  const databaseUrl = await stage.database('fan_out');
  const started = await startProduct(stage, { databaseUrl, carrierUrl: 'http://127.0.0.1:9' });
  await addPeople(databaseUrl, await furnish(started), 1, 1);
  const url = `${started.url.replace('http', 'ws')}/graphql`;
  const query = `subscription ($types: [String!]) { worldEvents(types: $types) { id type version actor source effectiveAt recordedAt } }`;
  const record = `mutation { recordEvent(input: { patientId: "${patientIdOf(1)}", type: "ext.measured", data: { value: 128 }, sourceSystem: "bench" }) {
    ... on RecordEventPayload { event { id } } ... on Error { message } } }`;
  const authorization = `Bearer ${key}`;
  const server: Server = {
    stage,
    client,
    pid: started.pid,
    same: { url, query, authorization, variables: '{"types":["ext.measured"]}' },
    different: { url, query, authorization, variables: '{"types":["ext.measured","ext.other_#"]}' },
    publish: async (count) => {
      const at = Number(process.hrtime.bigint()) / 1e6;
      await Promise.all(Array.from({ length: count }, () => started.ask(record)));
      return at;
    },
  };
  return { who: product, version: productVersion(), turn: () => turn(server) };
}

async function turn(server: Server): Promise<Figures> {
  const { stage, client, pid } = server;
  const figures: Figures = {};
  const memory: { size: number; kb: number }[] = [];
  for (const size of sizes.toReversed().map((size) => stage.sized(size))) {
    await watch(server, server.same, size);
    await sleep(500); // what opening them has left behind is collected
    memory.push({ size, kb: residentKbOf(pid) });
    const told = await tell(server, size);
    figures[toAll(sizes.find((known) => stage.sized(known) === size)!)] = told.ms;
    if (size === stage.sized(looked))
      Object.assign(figures, { 'server CPU': told.cpu, burst: await burst(server, size) });
  }
  await client.call('close');
  const [first, last] = [memory[0]!, memory.at(-1)!];
  figures['memory'] = (last.kb - first.kb) / (last.size - first.size);
  await watch(server, server.different, stage.sized(looked));
  const told = await tell(server, stage.sized(looked));
  await client.call('close');
  return {
    ...figures,
    [`to ${looked}, different questions`]: told.ms,
    'server CPU, different questions': told.cpu,
  };
}

/** Opens watchers, and waits until each of them is told of a change: only then have all subscribed. */
async function watch(server: Server, watching: Watching, size: number): Promise<void> {
  await server.client.call('open', watching, size);
  for (let tries = 0; tries < 5; tries += 1) {
    const isTold = await change(server, 1, 5_000).then(
      () => true,
      () => false,
    );
    if (isTold) return;
  }
  await change(server, 1, 20_000);
}

/** Changes, and how long it took until everybody had a frame of each, in milliseconds. */
async function change({ client, publish }: Server, count: number, limitMs: number): Promise<number> {
  await client.call('arm', count); // before anything can come
  const at = await publish(count);
  return (await client.call<number>('armed', limitMs)) - at;
}

/** Changes one by one: the median time to all, and the server's processor time for each message. */
async function tell(server: Server, size: number): Promise<{ ms: number; cpu: number }> {
  const before = cpuMsOf(server.pid);
  const taken: number[] = [];
  for (let n = 0; n < changes; n += 1) taken.push(await change(server, 1, 30_000));
  return { ms: median(taken), cpu: ((cpuMsOf(server.pid) - before) * 1_000) / (changes * size) };
}

/** Changes at once: how many messages a second come. */
async function burst(server: Server, size: number): Promise<number> {
  return (together * size * 1_000) / (await change(server, together, 60_000));
}
