import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { contender } from '../rig/contenders.ts';
import { productVersion } from '../rig/library.ts';
import { phoneOf } from '../rig/people.ts';
import { startProduct } from '../rig/product.ts';
import { rowsOf, type Stage } from '../rig/stage.ts';
import { product, type Contender, type Workload } from '../rig/workload.ts';

/** How many patients a file has. */
const all = 100_000;

const copy = ['floor: parse and COPY'];

/** 100,000 FHIR patients. */
export const importing: Workload = {
  name: 'import',
  about:
    '100,000 FHIR R4 patients as NDJSON, by `npm run import`; until every one is a patient with consent and events',
  measures: [
    {
      name: 'rate',
      unit: 'patients/s',
      better: 'more',
      against: copy,
      atLeast: { times: 0.1, of: copy },
      aim: { times: 0.3, of: copy },
    },
  ],
  open: async (stage) => {
    const count = stage.sized(all);
    const file = join(stage.folder, 'patients.ndjson');
    await writePatients(file, count);
    return [
      await contender(stage, { name: copy[0]!, file: 'floors/import.ts' }, async (host) => ({
        rate: await host.call<number>('load', file, count),
      })),
      await ours(stage, file, count),
    ];
  },
};

/** Patients as an EHR exports them: the elements that matter here, and some that do not. */
async function writePatients(file: string, count: number): Promise<void> {
  const stream = createWriteStream(file);
  for (let n = 1; n <= count; n += 1) {
    if (!stream.write(`${JSON.stringify(patientOf(n))}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
}

const patientOf = (n: number) => ({
  resourceType: 'Patient',
  id: `patient-${n}`,
  meta: { lastUpdated: '2026-01-01T00:00:00Z' },
  identifier: [{ system: 'urn:bench:mrn', value: String(n) }],
  active: true,
  name: [{ use: 'official', family: `Family${n}`, given: ['Ada'] }],
  telecom: [{ system: 'phone', value: phoneOf(n), use: 'mobile' }],
  gender: n % 2 === 0 ? 'female' : 'male',
  birthDate: `19${String(40 + (n % 50))}-03-${String(1 + (n % 28)).padStart(2, '0')}`,
  address: [{ line: [`${n} Broadway`], city: 'New York', state: 'NY', postalCode: '10001', country: 'US' }],
  communication: [{ language: { coding: [{ system: 'urn:ietf:bcp:47', code: 'en' }] }, preferred: true }],
});

/** A migrated database, copied for each turn, into which the command imports. */
async function ours(stage: Stage, file: string, count: number): Promise<Contender> {
  const started = await startProduct(stage, {
    databaseUrl: await stage.database('empty'),
    carrierUrl: 'http://127.0.0.1:9',
  });
  await started.stop();
  return {
    who: product,
    version: productVersion(),
    turn: async () => {
      const databaseUrl = await stage.database('import', { template: 'empty' });
      const begun = performance.now();
      await runImport(databaseUrl, file);
      const rate = (count * 1_000) / (performance.now() - begun);
      const [found] = await rowsOf<{ patients: number; contacts: number; events: number }>(
        databaseUrl,
        `select (select count(*)::int from patient) as patients, (select count(*)::int from contact where consents <> '[]') as contacts,
          (select count(*)::int from event where type = 'patient.registered') as events`,
      );
      await stage.drop('import');
      if (found?.patients !== count || found.contacts !== count || found.events !== count)
        throw new Error(`${count} patients were to be imported: ${JSON.stringify(found)}`);
      return { rate };
    },
  };
}

/** The command, as it is typed; its start is in the time. */
async function runImport(databaseUrl: string, file: string): Promise<void> {
  const command = join(import.meta.dirname, '..', '..', 'src', 'import.ts');
  const child = spawn(process.execPath, [command, '--source', 'ehr', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: databaseUrl },
  });
  let told = '';
  const hear = (piece: Buffer) => void (told = `${told}${piece.toString()}`.slice(-2_000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const abandon = () => child.kill('SIGKILL');
  process.once('exit', abandon);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('exit', abandon);
  if (code !== 0) throw new Error(`the import ended with ${code}: ${told}`);
}
