import type { Load, Served } from '../clients/load.ts';
import { cpuMsOf, type Host } from '../rig/host.ts';
import { productVersion, versionOf } from '../rig/library.ts';
import { furnish, key, startProduct } from '../rig/product.ts';
import type { Stage } from '../rig/stage.ts';
import { product, type Contender, type Figures, type Workload } from '../rig/workload.ts';

/** Over how many connections, and for how long, in seconds. */
const connections = 16;
const seconds = 2;

const yoga = ['stock Yoga'];
const bare = 'floor: node:http';

/** What is asked of the product: the smallest query. */
const smallest = JSON.stringify({ query: '{ __typename }' });

/** The smallest query: what is left of a request when nothing is read. */
export const envelope: Workload = {
  name: 'envelope',
  about: 'the smallest query over 16 connections; what is left of a request when nothing is read',
  warmsUp: true,
  measures: [
    {
      name: 'rate',
      unit: 'requests/s',
      better: 'more',
      against: yoga,
      atLeast: { times: 2, of: yoga },
      aim: { times: 0.9, of: [bare] },
    },
    { name: 'server CPU', unit: 'ms/request', better: 'less', against: yoga },
  ],
  open: async (stage) => {
    const client = stage.host('clients/load.ts');
    return [
      await other(stage, client, {
        who: yoga[0]!,
        version: versionOf('graphql-yoga'),
        file: 'peers/yoga.ts',
        opener: 'open',
      }),
      await other(stage, client, {
        who: bare,
        version: `Node ${process.versions.node}`,
        file: 'floors/reads.ts',
        opener: 'openConstant',
      }),
      await ours(stage, client),
    ];
  },
};

async function other(
  stage: Stage,
  client: Host,
  { who, version, file, opener }: { who: string; version: string; file: string; opener: string },
): Promise<Contender> {
  const host = stage.host(file);
  const url = await host.call<string>(opener);
  const body = opener === 'open' ? JSON.stringify({ query: '{ hello }' }) : smallest;
  return { who, version, turn: () => turn(client, host.pid, { url, bodies: [body] }) };
}

async function ours(stage: Stage, client: Host): Promise<Contender> {
  const databaseUrl = await stage.database('envelope');
  const started = await startProduct(stage, { databaseUrl, carrierUrl: 'http://127.0.0.1:9' });
  await furnish(started);
  const headers = { authorization: `Bearer ${key}` };
  const url = `${started.url}/graphql`;
  return {
    who: product,
    version: productVersion(),
    turn: () => turn(client, started.pid, { url, bodies: [smallest], headers }),
  };
}

async function turn(
  client: Host,
  pid: number,
  load: Omit<Load, 'connections' | 'seconds'>,
): Promise<Figures> {
  const before = cpuMsOf(pid);
  const { perSecond, requests } = await client.call<Served>('ask', {
    ...load,
    connections,
    seconds,
  } satisfies Load);
  return { rate: perSecond, 'server CPU': (cpuMsOf(pid) - before) / requests };
}
