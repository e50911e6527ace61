import { createHash } from 'node:crypto';
import * as contacts from '../../src/domain/contact.ts';
import { carePurposes, channels } from '../../src/domain/consent.ts';
import type { Table } from '../../src/domain/event.ts';
import * as patients from '../../src/domain/patient.ts';
import * as tasks from '../../src/domain/task.ts';
import { toJson } from '../../src/world/sql.ts';
import { ourPhone } from './product.ts';
import { rowsOf } from './stage.ts';

/** The number of the n-th patient, counted from 1: there are 999,999 in Manhattan. */
export const phoneOf = (n: number): string => `+1212${2_000_000 + n}`;

/** The id of the n-th patient. */
export const patientIdOf = (n: number): string => uuidOf(`patient ${n}`);

function uuidOf(text: string): string {
  const digest = createHash('md5').update(text).digest('hex');
  return digest.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

const version = { version: 1, foldVersion: 1 };
const nobody = '00000000-0000-7000-8000-000000000000';

/** Patients of New York with the numbers that they gave to their provider, from one to another: rows as their events would fold into. */
export async function addPeople(
  databaseUrl: string,
  workspaceId: string,
  from: number,
  to: number,
): Promise<void> {
  const people = `generate_series(${from}, ${to}) n, lateral (select '+1212' || (2000000 + n) as phone,
    md5('patient ' || n)::uuid as id, md5('contact ' || n)::uuid as contact_id) person`;
  await insert(databaseUrl, patients.table, {
    row: {
      ...patients.blank(nobody, workspaceId),
      ...version,
      name: 'Person',
      birthDate: '1960-01-01',
      phoneKind: 'OPEN',
      language: 'en',
      timeZone: 'America/New_York',
      beliefs: {},
      registeredAt: '2026-01-01T00:00:00Z',
    },
    own: `'id', id, 'phone', phone, 'canonical_id', 'ehr:Patient:' || n, 'name', 'Person ' || lpad(n::text, 7, '0'),
      'beliefs', jsonb_build_object(${['name', 'phone', 'birthDate', 'timeZone', 'language'].map(believed).join(', ')})`,
    people,
  });
  await insert(databaseUrl, contacts.table, {
    row: { ...contacts.blank(nobody, workspaceId), ...version },
    own: `'id', contact_id, 'phone', phone, 'consents', jsonb_build_array(jsonb_build_object('id', contact_id, 'patientId', id,
      'phone', phone, 'channels', '${JSON.stringify(channels)}'::jsonb, 'purposes', '${JSON.stringify(carePurposes)}'::jsonb,
      'basis', 'PRIOR_EXPRESS', 'grantedAt', '2026-01-01T00:00:00.000Z', 'method', 'number given to the provider',
      'evidence', 'ehr', 'revokedAt', null, 'revocation', null))`,
    people,
  });
  await rowsOf(databaseUrl, 'analyze patient, contact');
}

/** A task of each of these patients, all due at one instant; `another` tells a second one of each from the first. */
export async function addDueTasks(
  databaseUrl: string,
  workspaceId: string,
  { from, to, dueAt, another = '' }: { from: number; to: number; dueAt: Date; another?: string },
): Promise<void> {
  const people = `generate_series(${from}, ${to}) n, lateral (select '+1212' || (2000000 + n) as phone,
    md5('patient ' || n)::uuid as patient_id, md5('${another}task ' || n)::uuid as id) person`;
  const at = new Date(dueAt.getTime() - 3_600_000);
  await insert(databaseUrl, tasks.table, {
    row: {
      ...tasks.blank(nobody, workspaceId),
      ...version,
      phoneFrom: ourPhone,
      channel: 'VOICE',
      isChannelNamed: true,
      reason: 'Check-up',
      purpose: 'WELLNESS_CHECKUP',
      priority: 5,
      scheduledFor: dueAt,
      nextAttemptAt: dueAt,
      maxAttempts: 1,
      backoffSeconds: 3_600,
      requestedBy: 'bench',
      createdAt: at,
    },
    own: `'id', id, 'patient_id', patient_id, 'phone', phone`,
    people,
  });
  await rowsOf(databaseUrl, 'analyze outbound_task');
}

/** Rows that are alike but for what is their own. */
async function insert(
  databaseUrl: string,
  table: Table,
  { row, own, people }: { row: object; own: string; people: string },
): Promise<void> {
  const { tableName } = table.init().meta;
  await rowsOf(
    databaseUrl,
    `insert into ${tableName} select made.* from ${people},
      lateral jsonb_populate_record(null::${tableName}, $1::jsonb || jsonb_build_object(${own})) made`,
    [JSON.stringify(toJson(table, row))],
  );
}

/** What the patient's provider said of one of these. */
function believed(key: string): string {
  const values: Record<string, string> = {
    name: `'Person ' || lpad(n::text, 7, '0')`,
    phone: 'phone',
    birthDate: `'1960-01-01'`,
    timeZone: `'America/New_York'`,
    language: `'en'`,
  };
  return `'${key}', jsonb_build_array(jsonb_build_object('value', ${values[key]}, 'confidence', 1, 'source', 'ehr',
    'effectiveAt', '2026-01-01T00:00:00.000Z', 'eventId', id))`;
}
