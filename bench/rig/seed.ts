import { addDueTasks, addPeople } from './people.ts';
import { furnish, startProduct } from './product.ts';
import { rowsOf, type Stage } from './stage.ts';

/** How many patients there are, each with 20 events and two tasks of next year. */
const patientCount = 50_000;
const eventsEach = 20;

/** A database that holds the same patients, events and tasks twice: as the product keeps them, and plainly in `plain`. */
export interface Seed {
  databaseUrl: string;
  carrierUrl: string;
  workspaceId: string;
  patients: number;
}

const seeds = new WeakMap<Stage, Promise<Seed>>();

/** That database; made once for all workloads of a run. */
export function seedOf(stage: Stage): Promise<Seed> {
  const known = seeds.get(stage) ?? plant(stage);
  seeds.set(stage, known);
  return known;
}

async function plant(stage: Stage): Promise<Seed> {
  const patients = stage.sized(patientCount);
  stage.say(`  making ${patients} patients with ${patients * eventsEach} events and ${patients * 2} tasks`);
  const databaseUrl = await stage.database('reads', { isKept: true });
  const carrierUrl = 'http://127.0.0.1:9'; // nothing is dialled
  const started = await startProduct(stage, { databaseUrl, carrierUrl });
  const workspaceId = await furnish(started);
  await started.stop();
  await addPeople(databaseUrl, workspaceId, 1, patients);
  const dueAt = new Date(Date.now() + 400 * 86_400_000);
  await addDueTasks(databaseUrl, workspaceId, { from: 1, to: patients, dueAt });
  await addDueTasks(databaseUrl, workspaceId, { from: 1, to: patients, dueAt, another: 'second ' });
  await rowsOf(databaseUrl, events(workspaceId, patients));
  for (const statement of plain) await rowsOf(databaseUrl, statement);
  await rowsOf(databaseUrl, 'vacuum analyze');
  return { databaseUrl, carrierUrl, workspaceId, patients };
}

/** Twenty events of each patient, over the last year: in the order in which they would have happened. */
const events = (workspaceId: string, patients: number): string => `
  insert into event (workspace_id, id, entity_type, entity_id, version, type, data, data_hash, patient_id, source, source_system,
    actor, confidence, effective_at, recorded_at)
  select '${workspaceId}', md5('event ' || n || ' ' || v)::uuid, 'PATIENT', md5('patient ' || n)::uuid, v + 1, 'ext.measured',
    jsonb_build_object('value', n % 200, 'unit', 'mmHg'), '', md5('patient ' || n)::uuid, 'import', 'ehr', 'bench', 1, at, at
  from generate_series(1, ${eventsEach}) v, generate_series(1, ${patients}) n,
    lateral (select date_trunc('milliseconds', now()) - make_interval(days => 20 - v, mins => n % 1440) as at) moment`;

const plain = [
  'create schema plain',
  `create table plain.patients as select id, name, phone from patient`,
  'alter table plain.patients add primary key (id)',
  `create table plain.events as select id, patient_id, type, source, version, effective_at from event where type = 'ext.measured'`,
  'alter table plain.events add primary key (id), add foreign key (patient_id) references plain.patients (id)',
  'create index events_patient on plain.events (patient_id, effective_at desc, id desc)',
  `create table plain.tasks as select id, patient_id, status, reason, scheduled_for from outbound_task`,
  'alter table plain.tasks add primary key (id), add foreign key (patient_id) references plain.patients (id)',
  'create index tasks_patient on plain.tasks (patient_id, status, id)',
];
