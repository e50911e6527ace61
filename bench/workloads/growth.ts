import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../rig/host.ts';
import { residentKbOf } from '../rig/host.ts';
import { productVersion } from '../rig/library.ts';
import { addDueTasks, addPeople, patientIdOf } from '../rig/people.ts';
import { furnish, leadOf, startProduct, type Product } from '../rig/product.ts';
import { rowsOf, type Stage } from '../rig/stage.ts';
import { percentile } from '../rig/statistics.ts';
import { product, type Contender, type Figures, type Workload } from '../rig/workload.ts';

/** How many patients there are, the product itself being compared with itself. */
const sizes = [10_000, 100_000, 900_000];
const least = `${product}, 10,000 patients`;

/** How many tasks are due at once, and how often each question is asked. */
const allDue = 1_000;
const asks = 100;

/** The instant at which they are due: a morning in New York, on the product's clock. */
const dueAt = new Date('2026-03-03T16:00:00Z');

/** The same work among ever more patients. */
export const growth: Workload = {
  name: 'growth',
  about:
    '1,000 tasks due at once, a list and a timeline, among 10 thousand, 100 thousand and 900 thousand patients',
  measures: [
    {
      name: 'dispatched',
      unit: 'tasks/s',
      better: 'more',
      against: [least],
      atLeast: { times: 0.5, of: [least] },
      aim: { times: 0.9, of: [least] },
    },
    {
      name: 'list',
      unit: 'ms',
      better: 'less',
      against: [least],
      atLeast: { times: 2, of: [least] },
      aim: { times: 1.1, of: [least] },
    },
    {
      name: 'timeline',
      unit: 'ms',
      better: 'less',
      against: [least],
      atLeast: { times: 2, of: [least] },
      aim: { times: 1.1, of: [least] },
    },
    {
      name: 'memory',
      unit: 'MB',
      better: 'less',
      against: [least],
      atLeast: { times: 1.5, of: [least] },
      aim: { times: 1.1, of: [least] },
    },
  ],
  open: async (stage) => {
    const contenders: Contender[] = [];
    for (const size of sizes) contenders.push(await among(stage, size));
    return contenders;
  },
};

/** A database of so many patients; the product is started on a copy of it for each turn. The largest bears the product's name. */
async function among(stage: Stage, size: number): Promise<Contender> {
  const patients = stage.sized(size);
  const due = stage.sized(allDue);
  stage.say(`  making ${patients} patients`);
  const carrier = stage.host('rig/stub-carrier.ts');
  const carrierUrl = await carrier.call<string>('open');
  const template = await stage.database(`grown_${size}`);
  const natsFolder = join(stage.folder, `nats-grown-${size}`);
  const shiftMs = dueAt.getTime() - 3_600_000 - Date.now();
  const made = await startProduct(stage, { databaseUrl: template, carrierUrl, shiftMs, natsFolder });
  const workspaceId = await furnish(made);
  await made.stop();
  await addPeople(template, workspaceId, 1, patients);
  await addDueTasks(template, workspaceId, {
    from: 1,
    to: patients,
    dueAt: new Date(dueAt.getTime() + 86_400_000),
  });
  await addDueTasks(template, workspaceId, { from: 1, to: due, dueAt, another: 'due ' });
  await rowsOf(template, 'vacuum analyze');
  const turn = async (round: number) => {
    const databaseUrl = await stage.database('growth', { template: `grown_${size}` });
    const folder = join(stage.folder, `nats-grown-${size}-${round}`);
    cpSync(join(natsFolder, 'nats'), join(folder, 'nats'), { recursive: true });
    const options = { databaseUrl, carrierUrl, natsFolder: folder };
    const started = await startProduct(stage, {
      ...options,
      shiftMs: dueAt.getTime() - leadOf(made) - Date.now(),
    });
    try {
      return await figuresOf(started, carrier, { due, patients });
    } finally {
      await started.stop();
      await stage.drop('growth');
    }
  };
  const who = size === sizes.at(-1) ? product : `${product}, ${size.toLocaleString('en-US')} patients`;
  return { who, version: productVersion(), turn };
}

async function figuresOf(
  started: Product,
  carrier: Host,
  { due, patients }: { due: number; patients: number },
): Promise<Figures> {
  await carrier.call('forget');
  const begun = dueAt.getTime() - started.shiftMs;
  await carrier.call('until', due, begun + 60_000 - Date.now());
  const dispatched = (due * 1_000) / (Date.now() - begun);
  const list = await asked(() => started.ask('{ patients(first: 20) { edges { node { id name phone } } } }'));
  const step = Math.floor(patients / asks);
  const timeline = await asked((n) =>
    started.ask(
      'query ($id: ID!) { patient(id: $id) { id timeline(first: 20) { edges { node { id type } } } } }',
      { id: patientIdOf(1 + n * step) },
    ),
  );
  return { dispatched, list, timeline, memory: residentKbOf(started.pid) / 1_024 };
}

/** The median time of a question, asked again and again, in milliseconds. */
async function asked(ask: (n: number) => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let n = 0; n < asks; n += 1) {
    const begun = performance.now();
    await ask(n);
    taken.push(performance.now() - begun);
  }
  return percentile(taken, 0.5);
}
