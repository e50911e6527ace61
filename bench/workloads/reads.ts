import { isDeepStrictEqual } from 'node:util';
import type { Load, Served } from '../clients/load.ts';
import { cpuMsOf, type Host } from '../rig/host.ts';
import { productVersion, versionOf } from '../rig/library.ts';
import { patientIdOf } from '../rig/people.ts';
import { key, startProduct } from '../rig/product.ts';
import { seedOf, type Seed } from '../rig/seed.ts';
import type { Stage } from '../rig/stage.ts';
import { randomFrom } from '../rig/statistics.ts';
import { product, type Contender, type Figures, type Measure, type Workload } from '../rig/workload.ts';

/** For how long each is asked, in seconds, and over how many connections. */
const seconds = 2;
const connections = [16, 64];

/** How many patients are asked for in turns. */
const asked = 500;

const peers = ['PostGraphile', 'Mercurius with jit'];

type Question = 'list' | 'one';

/** How each of them is asked the two questions; every answer holds the same patients, events and tasks. */
interface Dialect {
  list: string;
  one: (id: string) => string;
}
const event = 'id type version effectiveAt';
const task = 'id reason status scheduledFor';
const graphql = (query: string, variables?: object) => JSON.stringify({ query, variables });
const dialects: Record<'callwell' | 'postgraphile' | 'mercurius' | 'floor', Dialect> = {
  callwell: {
    list: graphql(`{ patients(first: 20) { edges { node { id name phone timeline(first: 5, types: ["ext.measured"]) { edges { node { ${event} } } }
      tasks(first: 2, statuses: [SCHEDULED]) { edges { node { ${task} } } } } } } }`),
    one: (id) =>
      graphql(
        `query ($id: ID!) { patient(id: $id) { id name phone timeline(first: 20, types: ["ext.measured"]) { edges { node { ${event} } } } } }`,
        { id },
      ),
  },
  postgraphile: {
    list: graphql(`
      {
        allPatients(first: 20, orderBy: PRIMARY_KEY_ASC) {
          nodes {
            id: rowId
            name
            phone
            events: eventsByPatientId(first: 5, orderBy: [EFFECTIVE_AT_DESC, ROW_ID_DESC]) {
              nodes {
                id: rowId
                type
                version
                effectiveAt
              }
            }
            tasks: tasksByPatientId(first: 2, condition: { status: "SCHEDULED" }) {
              nodes {
                id: rowId
                reason
                status
                scheduledFor
              }
            }
          }
        }
      }
    `),
    one: (id) =>
      graphql(
        `
          query ($id: UUID!) {
            patientByRowId(rowId: $id) {
              id: rowId
              name
              phone
              events: eventsByPatientId(first: 20, orderBy: [EFFECTIVE_AT_DESC, ROW_ID_DESC]) {
                nodes {
                  id: rowId
                  type
                  version
                  effectiveAt
                }
              }
            }
          }
        `,
        { id },
      ),
  },
  mercurius: {
    list: graphql(
      `{ patients(first: 20) { id name phone events(first: 5) { ${event} } tasks(first: 2) { ${task} } } }`,
    ),
    one: (id) =>
      graphql(`query ($id: ID!) { patient(id: $id) { id name phone events(first: 20) { ${event} } } }`, {
        id,
      }),
  },
  floor: { list: '{}', one: (id) => JSON.stringify({ id }) },
};

const workload = (name: Question, about: string): Workload => ({
  name,
  about,
  warmsUp: true,
  measures: [
    ...connections.map((count): Measure => ({
      name: `${count} connections`,
      unit: 'requests/s',
      better: 'more',
      against: peers,
      atLeast: { times: 1, of: peers },
      aim: { times: 1.6, of: peers },
    })),
    { name: 'p99 at 16', unit: 'ms', better: 'less', against: peers },
    { name: 'server CPU', unit: 'ms/request', better: 'less', against: peers },
  ],
  open: async (stage) => {
    const seed = await seedOf(stage);
    const servers = await openServers(stage, seed);
    const client = stage.host('clients/load.ts');
    await compare(servers, name);
    return servers.map((server): Contender => ({
      ...server,
      turn: () => turn(client, server, { question: name, patients: seed.patients }),
    }));
  },
});

/** The 20 first patients with their newest events and their tasks. */
export const list = workload(
  'list',
  '20 patients, each with its 5 newest events and its scheduled tasks, in one query',
);

/** One patient with its timeline. */
export const one = workload('one', 'one patient of 50,000 with its 20 newest events');

interface Server {
  who: string;
  version: string;
  url: string;
  pid: number;
  dialect: Dialect;
  headers?: Record<string, string>;
}

async function openServers(stage: Stage, { databaseUrl, carrierUrl }: Seed): Promise<Server[]> {
  const of = async (file: string, more: Pick<Server, 'who' | 'version' | 'dialect'>): Promise<Server> => {
    const host = stage.host(file);
    return { ...more, pid: host.pid, url: await host.call<string>('open', databaseUrl) };
  };
  const started = await startProduct(stage, { databaseUrl, carrierUrl });
  return [
    await of('peers/postgraphile.ts', {
      who: peers[0]!,
      version: versionOf('postgraphile'),
      dialect: dialects.postgraphile,
    }),
    await of('peers/mercurius.ts', {
      who: peers[1]!,
      version: versionOf('mercurius'),
      dialect: dialects.mercurius,
    }),
    await of('floors/reads.ts', {
      who: 'floor: one SQL, text passed on',
      version: `Node ${process.versions.node}`,
      dialect: dialects.floor,
    }),
    {
      who: product,
      version: productVersion(),
      url: `${started.url}/graphql`,
      pid: started.pid,
      dialect: dialects.callwell,
      headers: { authorization: `Bearer ${key}` },
    },
  ];
}

async function turn(
  client: Host,
  { url, pid, dialect, headers }: Server,
  { question, patients }: { question: Question; patients: number },
): Promise<Figures> {
  const random = randomFrom(1);
  const ids = Array.from({ length: asked }, () => patientIdOf(1 + Math.floor(random() * patients)));
  const bodies = question === 'list' ? [dialect.list] : ids.map((id) => dialect.one(id));
  const figures: Figures = {};
  for (const count of connections) {
    const before = cpuMsOf(pid);
    const load: Load = { url, bodies, connections: count, seconds, ...(headers ? { headers } : {}) };
    const { perSecond, requests, p99 } = await client.call<Served>('ask', load);
    figures[`${count} connections`] = perSecond;
    if (count === 16)
      Object.assign(figures, { 'p99 at 16': p99, 'server CPU': (cpuMsOf(pid) - before) / requests });
  }
  return figures;
}

/** Everyone answers the same, field by field, before anyone is measured. */
async function compare(servers: readonly Server[], question: Question): Promise<void> {
  let reference: unknown;
  for (const { who, url, dialect, headers } of servers) {
    const body = question === 'list' ? dialect.list : dialect.one(patientIdOf(7));
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    const text = await response.text();
    const { data } = JSON.parse(text) as { data?: Record<string, unknown> };
    if (!data) throw new Error(`${who} answered ${text.slice(0, 500)}`);
    const plain = plainOf(Object.values(data)[0]);
    reference ??= plain;
    if (!isDeepStrictEqual(plain, reference))
      throw new Error(
        `${who} answers otherwise: ${JSON.stringify(plain).slice(0, 600)} and not ${JSON.stringify(reference).slice(0, 600)}`,
      );
  }
}

/** An answer without the wrappings of connections, in one order, its instants as numbers. */
function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf).toSorted((a, b) => idOf(a).localeCompare(idOf(b)));
  if (typeof value !== 'object' || value === null) return value;
  const { edges, nodes } = value as { edges?: { node: unknown }[]; nodes?: unknown[] };
  if (edges) return plainOf(edges.map(({ node }) => node));
  if (nodes) return plainOf(nodes);
  const entries = Object.entries(value).map(([name, held]) => [
    name === 'timeline' ? 'events' : name,
    /At$|For$/.test(name) ? Date.parse(String(held)) : plainOf(held),
  ]);
  return Object.fromEntries(entries);
}

const idOf = (value: unknown): string => String((value as { id?: unknown } | null)?.id);
