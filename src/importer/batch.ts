import { sql } from 'kysely';
import { newId } from '../clock.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import type { By, Event } from '../domain/event.ts';
import { hashOf } from '../domain/hash.ts';
import * as imports from '../domain/import.ts';
import type { ImportedResource } from '../domain/import.ts';
import * as patients from '../domain/patient.ts';
import type { Patient, PatientStatus } from '../domain/patient.ts';
import type { ImportedRow, PatientRecord, ResourceRecord } from '../domain/record.ts';
import { withdrawPointless } from '../withdraw.ts';
import type { Transaction } from '../world.ts';
import { toJson } from '../world/sql.ts';

/** Who imports, and the system that the rows come from. */
export type ImportBy = By & { sourceSystem: string };

/** A row about a person. */
export type Person = ImportedRow & PatientRecord;

/** A row about something that happened to one. */
export type Resource = ImportedRow & ResourceRecord;

/** What became of a row; unknown: its patient has not been read yet. */
export type Verdict = 'accepted' | 'duplicates' | 'unknown';

/** Decides on each row in memory, the patients first, so that a resource may stand before its own. */
export async function importBatch(tx: Transaction, rows: (Person | Resource)[], by: ImportBy) {
  const people = rows.filter((row): row is Person => row.kind === 'patient');
  const resources = rows.filter((row): row is Resource => row.kind === 'resource');
  const known = await load(tx, { people, resources, by });
  const decided = [
    ...people.map((row) => [row, takePerson(known, row)] as const),
    ...resources.map((row) => [row, takeResource(known, row)] as const),
  ];
  await withdrawPointless(tx, known.told, by);
  await saveImported(known);
  return decided;
}

interface Batch {
  people: Person[];
  resources: Resource[];
  by: ImportBy;
}

/** Everything that a batch may touch, locked; after each decision the maps hold the row as it has become. */
async function load(tx: Transaction, batch: Batch) {
  const { people, resources, by } = batch;
  const here = { workspaceId: { eq: by.workspaceId } };
  const phone = { in: present(people.map((person) => person.phone)) };
  const numbers = await tx.lockEach(contacts, { where: { ...here, phone }, limit: phone.in.length });
  const locked = await lockPatients(tx, batch);
  const references = [...resources.map((resource) => resource.reference), ...people.map(ownReference)];
  const origin = { sourceSystem: { eq: by.sourceSystem }, reference: { in: present(references) } };
  const found = await tx.find<ImportedResource>(imports.table, { ...here, ...origin });
  return {
    tx,
    by,
    roll: openRoll(locked),
    contacts: new Map<string, Contact>(numbers.map((contact) => [contact.phone, contact])),
    found: new Set(found),
    imported: new Map(found.map((entry) => [entry.reference, entry])),
    said: await statusesSaid(tx, batch, locked),
    /** What has happened to patients, as this batch tells. */
    told: [] as Event[],
  };
}
type Known = Awaited<ReturnType<typeof load>>;

const present = (values: (string | null)[]) => [...new Set(values.filter((value) => value !== null))];

/** By ids in one statement, because two that lock by different columns would break the order of locks. */
async function lockPatients(tx: Transaction, { people, resources, by }: Batch): Promise<Patient[]> {
  const named = [...people.map((row) => row.canonicalId), ...resources.map((row) => row.patientCanonicalId)];
  const phones = people.filter(({ canonicalId }) => canonicalId === null).map(({ phone }) => phone);
  const rows = await tx.query<{
    id: string;
  }>(sql`select id from patient where workspace_id = ${by.workspaceId}
    and (canonical_id = any(${present(named)}) or phone = any(${present(phones)}))`);
  const id = { in: rows.map((row) => row.id) };
  return tx.lockEach(patients, { where: { workspaceId: { eq: by.workspaceId }, id }, limit: id.in.length });
}

/** The status that this source has said last of each patient: saying it again does not undo what others said since. */
async function statusesSaid(tx: Transaction, { people, by }: Batch, locked: Patient[]) {
  const isPlain = people.every(({ status }) => status === 'ACTIVE');
  const ids = locked.filter(({ status }) => !isPlain || status !== 'ACTIVE').map(({ id }) => id);
  const rows = await tx.query<{ id: string; status: PatientStatus }>(sql`
    select distinct on (entity_id) entity_id as id, data->>'status' as status from event
    where workspace_id = ${by.workspaceId} and entity_id = any(${ids}) and type = 'patient.status_changed'
      and source_system = ${by.sourceSystem}
    order by entity_id, version desc`);
  return new Map(rows.map(({ id, status }) => [id, status]));
}

/** The batch's patients, found by canonical id, or by number, name and birth date. */
function openRoll(locked: Patient[]) {
  const byId = new Map<string, Patient>();
  const idsAt = new Map<string, Set<string>>();
  const keep = (patient: Patient) => {
    byId.set(patient.id, patient);
    for (const key of present([patient.canonicalId ?? null, patient.phone ?? null])) {
      idsAt.set(key, (idsAt.get(key) ?? new Set()).add(patient.id));
    }
  };
  for (const patient of locked) keep(patient);
  const at = (key: string | null) => [...(idsAt.get(key ?? '') ?? [])].map((id) => byId.get(id)!);
  const alike = (who: Person) =>
    at(who.phone).find((patient) => patient.phone === who.phone && patients.isNamed(patient, who));
  const named = (canonicalId: string) => at(canonicalId)[0];
  return { keep, named, find: (row: Person) => (row.canonicalId ? named(row.canonicalId) : alike(row)) };
}

function takePerson(known: Known, person: Person): Verdict {
  const { tx, by, imported, said, roll } = known;
  const reference = ownReference(person);
  if (reference && imported.has(reference)) return 'duplicates';
  const patient = roll.find(person) ?? patients.blank(newId(by.now), by.workspaceId);
  const isStatusNews = (said.get(patient.id) ?? 'ACTIVE') !== person.status;
  const status = isStatusNews ? person.status : null;
  const facts = patients.state(patient, { ...statementOf(person, patient, by.sourceSystem), status });
  const { row, events } = tx.decide(patients, patient, facts, by);
  roll.keep(row);
  said.set(patient.id, person.status);
  if (reference) imported.set(reference, entryOf(reference, reference.slice(-64), events[0]!));
  return takePhone(known, person, row.id) || events.length > 0 ? 'accepted' : 'duplicates';
}

/** A number that comes with its patient was given to the provider, which is consent to care (C-14). */
function takePhone({ tx, by, ...known }: Known, person: Person, patientId: string): boolean {
  const { phone, effectiveAt } = person;
  if (phone === null) return false;
  const contact = known.contacts.get(phone) ?? contacts.blank(newId(by.now), by.workspaceId);
  const given = { phone, patientId, source: by.sourceSystem, at: effectiveAt ?? by.now };
  const { row, events } = tx.decide(contacts, contact, contacts.giveToProvider(contact, given), by);
  known.contacts.set(phone, row);
  return events.length > 0;
}

function takeResource({ tx, by, imported, roll, told }: Known, resource: Resource): Verdict {
  const { reference, patientCanonicalId, type, data, effectiveAt } = resource;
  const patient = roll.named(patientCanonicalId);
  if (!patient) return 'unknown';
  const contentHash = hashOf({ type, data, effectiveAt, patientCanonicalId });
  const earlier = imported.get(reference);
  if (earlier?.contentHash === contentHash) return 'duplicates';
  const supersedesId = earlier?.eventId ?? null;
  const facts = patients.tell(patient, { type, data, effectiveAt, confidence: null, supersedesId });
  const { row, events } = tx.decide(patients, patient, facts, by);
  roll.keep(row);
  told.push(...events);
  imported.set(reference, entryOf(reference, contentHash, events[0]!));
  return 'accepted';
}

const entryOf = (reference: string, contentHash: string, event: Event): ImportedResource => ({
  workspaceId: event.workspaceId,
  sourceSystem: event.sourceSystem!,
  reference,
  contentHash,
  eventId: event.id,
});

/** A merge, unlike an upsert, fails when somebody else was first: then the batch is decided anew. */
async function saveImported({ tx, imported, found }: Known): Promise<void> {
  const news = [...imported.values()].filter((entry) => !found.has(entry));
  const rows = JSON.stringify(news.map((entry) => toJson(imports.table, entry)));
  await tx.query(sql`merge into imported_resource t
    using jsonb_populate_recordset(null::imported_resource, ${rows}::jsonb) i
    on (t.workspace_id, t.source_system, t.reference) = (i.workspace_id, i.source_system, i.reference)
    when matched then update set content_hash = i.content_hash, event_id = i.event_id
    when not matched then insert values (i.workspace_id, i.source_system, i.reference, i.content_hash, i.event_id)`);
}

/** Somebody without id and number is told from others by all that their row says; null for everybody else. */
const ownReference = ({ row: _row, ...record }: Person): string | null =>
  record.canonicalId === null && record.phone === null ? `Patient#${hashOf(record)}` : null;

/** What a row says of a patient, without what the source had said as of the same time: read again, it is no news. */
function statementOf(person: Person, { beliefs }: Patient, source: string): patients.Statement {
  const { canonicalId, name, birthDate, phone, language, timeZone, tags, effectiveAt } = person;
  const at = effectiveAt?.toISOString();
  const isNew = ([key, value]: [string, string]) =>
    !beliefs[key]?.some((b) => b.source === source && b.effectiveAt === at && b.value === value);
  const unsaid = (values: Record<string, string | number | null>) => {
    const given = Object.entries(values).filter(([, value]) => value !== null);
    return Object.fromEntries(given.map(([key, value]): [string, string] => [key, `${value}`]).filter(isNew));
  };
  const address = Object.entries(person.address ?? {}).map(([key, value]) => [`address.${key}`, value]);
  return {
    canonicalId,
    attributes: unsaid({ name, birthDate, phone, language, timeZone, ...Object.fromEntries(address) }),
    facts: unsaid(person.facts),
    // A file without tags says nothing of them.
    tags: tags.length > 0 ? tags : null,
    source,
    effectiveAt,
  };
}
