import { createReadStream } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import { handClock } from '../support/clock.ts';
import * as contacts from '../../src/domain/contact.ts';
import type { Contact } from '../../src/domain/contact.ts';
import * as events from '../../src/domain/event.ts';
import { foldOf, type Event } from '../../src/domain/event.ts';
import * as imports from '../../src/domain/import.ts';
import * as patients from '../../src/domain/patient.ts';
import type { Patient } from '../../src/domain/patient.ts';
import type { ImportedRow, ImportRecord, PatientRecord, ResourceRecord } from '../../src/domain/record.ts';
import { openImporter } from '../../src/importer.ts';
import { readRecords, type ImportFormat } from '../../src/records.ts';
import type { World } from '../../src/world.ts';
import { withWorld } from '../support/database.ts';

const now = new Date('2026-03-02T15:00:00Z');
const phone = '+15553104711';
const otherPhone = '+15553104712';
const counts = { rows: 0, accepted: 0, duplicates: 0, invalid: 0, errors: [] };

const ada: PatientRecord = {
  kind: 'patient',
  canonicalId: 'ehr:Patient:ada',
  name: 'Ada Lovelace',
  birthDate: '1957-03-09',
  phone,
  language: 'en',
  status: 'ACTIVE',
  address: {
    line: '1 Engine Lane',
    city: 'Olathe',
    state: 'KS',
    postalCode: null,
    country: 'US',
    latitude: 38.8,
  },
  timeZone: null,
  facts: { gender: 'female' },
  tags: [],
  effectiveAt: new Date('2026-01-15T10:00:00Z'),
};
const grace: PatientRecord = { ...ada, canonicalId: 'ehr:Patient:grace', name: 'Grace Hopper' };
const asthma: ResourceRecord = {
  kind: 'resource',
  reference: 'Condition/asthma',
  patientCanonicalId: 'ehr:Patient:ada',
  type: 'condition.recorded',
  effectiveAt: new Date('2020-05-01T00:00:00Z'),
  data: { text: 'Asthma' },
};

/** A workspace of its own in this world, into which rows are imported. */
function openSite(world: World) {
  const workspaceId = newId(now);
  const clock = handClock(now);
  const importer = openImporter({ world, clock });
  const by = { workspaceId, actor: 'test', source: 'api' as const, now };
  const here = { workspaceId: { eq: workspaceId } };
  const importRows = (rows: AsyncIterable<ImportedRow>) =>
    importer.importRows(rows, { by, sourceSystem: 'ehr' });
  return {
    workspaceId,
    clock,
    by,
    importRows,
    take: (...records: ImportRecord[]) => importRows(numbered(records)),
    takeFile: (name: string, format: ImportFormat) =>
      importRows(
        readRecords(createReadStream(new URL(`../support/fhir/${name}`, import.meta.url)), format, 'ehr'),
      ),
    patients: () => world.find<Patient>(patients.table, here),
    patient: (canonicalId: string) =>
      world.findOne<Patient>(patients.table, { ...here, canonicalId: { eq: canonicalId } }),
    contacts: () => world.find<Contact>(contacts.table, here),
    contact: (number: string) => world.findOne<Contact>(contacts.table, { ...here, phone: { eq: number } }),
    events: () => world.page<Event>(events.table, { where: here, order: ['position'], limit: 10_000 }),
    imported: () => world.find<imports.ImportedResource>(imports.table, here),
  };
}

async function* numbered(records: ImportRecord[]): AsyncGenerator<ImportedRow, void> {
  for (const [index, record] of records.entries()) yield { row: index + 1, ...record };
}

const inSite = (work: (site: ReturnType<typeof openSite>, world: World) => Promise<void>) =>
  withWorld((world) => work(openSite(world), world));

describe('a file', () => {
  test.each([
    ['people.ndjson', 'FHIR_NDJSON', { rows: 9, accepted: 7, invalid: 2 }],
    ['bundle.json', 'FHIR_BUNDLE', { rows: 5, accepted: 3, invalid: 2 }],
    ['people.csv', 'CSV', { rows: 5, accepted: 2, invalid: 3 }],
  ] as const)('imported twice changes nothing the second time: %s', (name, format, expected) =>
    inSite(async (site) => {
      const first = await site.takeFile(name, format);
      expect(first).toMatchObject({ ...expected, duplicates: 0 });
      const [before, rows] = [await site.events(), await site.patients()];
      site.clock.advance(86_400_000);
      const second = await site.takeFile(name, format);
      expect(second).toEqual({ ...first, accepted: 0, duplicates: first.accepted });
      expect(await site.events()).toEqual(before);
      expect(await site.patients()).toEqual(rows);
    }),
  );

  test('tells of each invalid row why, in the order of the rows', () =>
    inSite(async (site) => {
      const { errors } = await site.takeFile('bundle.json', 'FHIR_BUNDLE');
      expect(errors).toMatchObject([
        { row: 4, field: 'subject', code: 'INVALID_INPUT' },
        { row: 5, field: null, code: 'INVALID_INPUT' },
      ]);
    }));

  test('without rows imports nothing', () =>
    inSite(async (site) => {
      expect(await site.take()).toEqual(counts);
    }));

  test('with more than 1,000 invalid rows counts them all and keeps the first', () =>
    inSite(async (site) => {
      const wrong: ImportRecord = { kind: 'invalid', field: 'name', message: 'No name.' };
      const result = await site.take(...Array.from({ length: 1_200 }, () => wrong), ada);
      expect(result).toMatchObject({ rows: 1_201, accepted: 1, invalid: 1_200 });
      expect(result.errors).toHaveLength(1_000);
      expect(result.errors.at(-1)?.row).toBe(1_000);
    }));

  test('that breaks off keeps what was imported, and goes on from there the next time', () =>
    inSite(async (site) => {
      const all = Array.from({ length: 1_100 }, (_, i) => ({ ...asthma, reference: `Condition/${i}` }));
      async function* broken() {
        yield* numbered([ada, ...all].slice(0, 1_050));
        throw new Error('disk on fire');
      }
      await expect(site.importRows(broken())).rejects.toThrow('disk on fire');
      expect(await site.imported()).toHaveLength(999);
      expect(await site.take(ada, ...all)).toMatchObject({ accepted: 101, duplicates: 1_000 });
      expect(await site.imported()).toHaveLength(1_100);
    }));
});

describe('a patient', () => {
  test('is registered with all that the row says, and believed by its source', () =>
    inSite(async (site) => {
      await site.take({ ...ada, status: 'DECEASED', tags: ['vip'] });
      const patient = await site.patient('ehr:Patient:ada');
      expect(patient).toMatchObject({
        name: 'Ada Lovelace',
        phone,
        birthDate: '1957-03-09',
        status: 'DECEASED',
        tags: ['vip'],
        registeredAt: now,
      });
      expect(patient?.beliefs).toMatchObject({
        'address.city': [{ value: 'Olathe', source: 'ehr', effectiveAt: '2026-01-15T10:00:00.000Z' }],
        'address.latitude': [{ value: '38.8' }],
        gender: [{ value: 'female' }],
      });
      expect(patient?.beliefs).not.toHaveProperty('address.postalCode');
      for (const event of await site.events())
        expect(event).toMatchObject({ source: 'import', sourceSystem: 'ehr' });
    }));

  test('of several rows is the fold of them, in one batch as in many', () =>
    inSite(async (site) => {
      const moved = { ...ada, name: 'Ada King', effectiveAt: new Date('2026-02-01T00:00:00Z') };
      expect(await site.take(ada, moved, moved)).toMatchObject({ accepted: 2, duplicates: 1 });
      const [row] = await site.patients();
      expect(row).toMatchObject({ name: 'Ada King' });
      const history = (await site.events()).filter(({ entityId }) => entityId === row?.id);
      expect(foldOf(patients, row!.id, site.workspaceId, history as Event<patients.Fact>[])).toEqual(row);
      expect(await site.take(ada, moved)).toMatchObject({ accepted: 0, duplicates: 2 });
    }));

  test('without an id is found by number, name and birth date', () =>
    inSite(async (site) => {
      const nobody = { ...ada, canonicalId: null };
      const child = { ...nobody, name: 'Byron Lovelace' };
      const result = await site.take(nobody, { ...nobody, name: 'ADA  lovelace' }, child);
      expect(result).toMatchObject({ accepted: 3 });
      expect(await site.patients()).toHaveLength(2);
      expect(await site.take(nobody, { ...nobody, birthDate: '1990-01-01' })).toMatchObject({ accepted: 1 });
      expect(await site.patients()).toHaveLength(3);
    }));

  test('without id and number is registered once for the same row', () =>
    inSite(async (site) => {
      const nobody = { ...ada, canonicalId: null, phone: null };
      expect(await site.take(nobody, nobody)).toMatchObject({ accepted: 1, duplicates: 1 });
      expect(await site.take(nobody, { ...nobody, birthDate: null })).toMatchObject({
        accepted: 1,
        duplicates: 1,
      });
      expect(await site.patients()).toHaveLength(2);
    }));

  test('stays as others have left them when the source only repeats itself', () =>
    inSite(async (site, world) => {
      await site.take(ada);
      const { id } = (await site.patient('ehr:Patient:ada'))!;
      const dead = { attributes: { phone: otherPhone }, status: 'DECEASED' as const, source: 'nurse' };
      await world.change(patients, id, (row: Patient) => patients.state(row, dead), site.by);
      expect(await site.take(ada)).toMatchObject({ accepted: 0, duplicates: 1 });
      expect(await site.patient('ehr:Patient:ada')).toMatchObject({ status: 'DECEASED', phone: otherPhone });
    }));

  test('follows the status of the source when that says something new', () =>
    inSite(async (site) => {
      for (const status of ['INACTIVE', 'ACTIVE', 'DECEASED'] as const) {
        expect(await site.take({ ...ada, status })).toMatchObject({ rows: 1, invalid: 0 });
        expect(await site.patient('ehr:Patient:ada')).toMatchObject({ status });
      }
    }));
});

describe('a number', () => {
  test('that comes with its patient is consent for care, with the event as evidence', () =>
    inSite(async (site) => {
      await site.take(ada);
      const [patient] = await site.patients();
      const granted = (await site.events()).find(({ type }) => type === 'contact.consent_granted');
      expect(granted).toMatchObject({
        patientId: patient?.id,
        entityType: 'CONTACT',
        effectiveAt: ada.effectiveAt,
      });
      const [consent] = (await site.contact(phone))!.consents;
      expect(consent).toMatchObject({ id: granted?.id, patientId: patient?.id, basis: 'PRIOR_EXPRESS' });
      expect(consent?.purposes).not.toContain('MARKETING');
    }));

  test('may be shared by two patients, each with a consent of their own', () =>
    inSite(async (site) => {
      expect(await site.take(ada, grace)).toMatchObject({ accepted: 2 });
      const ids = (await site.patients()).map(({ id }) => id).toSorted();
      const contact = await site.contact(phone);
      expect(await site.contacts()).toHaveLength(1);
      expect(contact?.consents.map(({ patientId }) => patientId).toSorted()).toEqual(ids);
    }));

  test('that is new gets its own consent, and the old one keeps what it had', () =>
    inSite(async (site, world) => {
      await site.take(ada);
      const old = (await site.contact(phone))!;
      const { patientId } = old.consents[0]!;
      const stop = { phone, patientId, channels: null, reason: 'STOP' };
      await world.change(contacts, old.id, (row: Contact) => contacts.revoke(row, stop), site.by);
      const moved = { ...ada, phone: otherPhone, effectiveAt: new Date('2026-02-01T00:00:00Z') };
      expect(await site.take(moved)).toMatchObject({ accepted: 1 });
      expect(await site.contact(otherPhone)).toMatchObject({
        optedOutAt: null,
        consents: [{ phone: otherPhone, patientId, grantedAt: '2026-02-01T00:00:00.000Z' }],
      });
      expect(await site.contact(phone)).toMatchObject({ optedOutAt: now, consents: [{ phone }] });
      await site.take(ada);
      expect(await site.contact(phone)).toMatchObject({ optedOutAt: now, consents: [{ phone }] });
    }));
});

describe('a resource', () => {
  test('becomes an event of its patient, wherever it stands', () =>
    inSite(async (site) => {
      const filler = Array.from({ length: 600 }, (_, i) => ({
        ...grace,
        canonicalId: `ehr:Patient:${i}`,
        phone: null,
      }));
      expect(await site.take(asthma, ...filler, ada)).toMatchObject({ accepted: 602, invalid: 0 });
      const patient = await site.patient('ehr:Patient:ada');
      const event = (await site.events()).find(({ type }) => type === 'condition.recorded');
      expect(event).toMatchObject({
        entityType: 'PATIENT',
        entityId: patient?.id,
        patientId: patient?.id,
        effectiveAt: asthma.effectiveAt,
        data: { text: 'Asthma' },
        supersedesId: null,
      });
      expect(await site.imported()).toMatchObject([{ reference: 'Condition/asthma', eventId: event?.id }]);
    }));

  test('of a patient whom nobody knows is invalid', () =>
    inSite(async (site) => {
      const result = await site.take(asthma, grace);
      expect(result).toMatchObject({
        rows: 2,
        accepted: 1,
        invalid: 1,
        errors: [{ row: 1, field: 'subject', code: 'PATIENT_NOT_FOUND' }],
      });
      expect(result.errors[0]?.message).toContain('Condition/asthma is about ehr:Patient:ada');
      expect(await site.take(ada)).toMatchObject({ accepted: 1 });
      expect(await site.take(asthma)).toMatchObject({ accepted: 1 });
    }));

  test('that has changed supersedes what was recorded of it, in one batch as in two', () =>
    inSite(async (site) => {
      const resolved = { ...asthma, data: { text: 'Asthma', clinicalStatus: 'resolved' } };
      const gone = { ...asthma, effectiveAt: new Date('2021-01-01T00:00:00Z') };
      expect(await site.take(ada, asthma, asthma)).toMatchObject({ accepted: 2, duplicates: 1 });
      expect(await site.take(resolved, resolved, gone)).toMatchObject({ accepted: 2, duplicates: 1 });
      const [first, second, third] = (await site.events()).filter(({ type }) => type === asthma.type);
      expect(second).toMatchObject({ supersedesId: first?.id, data: resolved.data });
      expect(third).toMatchObject({ supersedesId: second?.id, effectiveAt: gone.effectiveAt });
      expect(await site.imported()).toMatchObject([{ eventId: third?.id }]);
      expect(await site.take(gone)).toMatchObject({ duplicates: 1 });
    }));
});

test('imports that run at once record everything once', () =>
  inSite(async (site) => {
    const file = () => [grace, asthma, ada, { ...asthma, reference: 'Condition/2' }];
    const results = await Promise.all(Array.from({ length: 4 }, () => site.take(...file())));
    expect(results.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(4);
    expect(await site.patients()).toHaveLength(2);
    expect((await site.events()).filter(({ type }) => type === asthma.type)).toHaveLength(2);
    expect((await site.contact(phone))?.consents).toHaveLength(2);
  }));

test('whatever the order and however often a row comes, each is counted once and recorded once', () =>
  withWorld(async (world) => {
    const pool: ImportRecord[] = [
      ada,
      grace,
      { ...ada, phone: otherPhone, effectiveAt: new Date('2026-02-01T00:00:00Z') },
      { ...grace, canonicalId: null },
      { ...ada, canonicalId: null, phone: null },
      asthma,
      { ...asthma, reference: 'Condition/2', patientCanonicalId: 'ehr:Patient:grace' },
      { ...asthma, reference: 'Condition/3', patientCanonicalId: 'ehr:Patient:nobody' },
      { kind: 'invalid', field: null, message: 'Not JSON.' },
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...pool), { maxLength: 25 }), async (rows) => {
        const site = openSite(world);
        const first = await site.take(...rows);
        expect(first.rows).toBe(rows.length);
        expect(first.accepted + first.duplicates + first.invalid).toBe(rows.length);
        expect(first.accepted).toBeLessThanOrEqual(new Set(rows).size);
        const before = await site.events();
        expect(await site.take(...rows)).toMatchObject({ accepted: 0, invalid: first.invalid });
        expect(await site.events()).toEqual(before);
        for (const row of await site.patients()) {
          const history = before.filter(({ entityId }) => entityId === row.id) as Event<patients.Fact>[];
          expect(foldOf(patients, row.id, site.workspaceId, history)).toEqual(row);
        }
      }),
      { numRuns: 40 },
    );
  }));
