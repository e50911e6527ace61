import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readResource } from '../../src/domain/fhir.ts';
import type { PatientRecord } from '../../src/domain/record.ts';

const ada = { resourceType: 'Patient', id: 'ada', name: [{ family: 'Lovelace', given: ['Ada'] }] };
const asthma = {
  resourceType: 'Condition',
  id: 'c1',
  code: { text: 'Asthma' },
  subject: { reference: 'Patient/ada' },
  recordedDate: '2021-04-05',
};
const read = (resource: unknown) => readResource(resource, 'ehr');
const patient = (more: object) => read({ ...ada, ...more }) as PatientRecord;
const phones = (...telecom: object[]) => ({ telecom: telecom.map((each) => ({ system: 'phone', ...each })) });

describe('a Patient', () => {
  test('is read with nothing but an id and a name', () => {
    expect(read(ada)).toEqual({
      kind: 'patient',
      canonicalId: 'ehr:Patient:ada',
      name: 'Ada Lovelace',
      birthDate: null,
      phone: null,
      language: null,
      status: 'ACTIVE',
      address: null,
      timeZone: null,
      facts: {},
      tags: [],
      effectiveAt: null,
    });
  });

  test('is called by its official name, else its usual one, else the first', () => {
    const usual = { use: 'usual', text: 'Ada' };
    const official = { use: 'official', given: ['Ada', 'King'], family: 'Lovelace', prefix: ['Mrs.'] };
    expect(patient({ name: [{ text: 'Someone' }, usual, official] }).name).toBe('Ada King Lovelace');
    expect(patient({ name: [{ text: 'Someone' }, usual] }).name).toBe('Ada');
    expect(patient({ name: [{ use: 'official', given: 'Ada' }, usual] }).name).toBe('Ada');
    expect(patient({ name: [{ text: 'Someone' }] }).name).toBe('Someone');
  });

  test('without a name is invalid', () => {
    for (const name of [undefined, [], [{}], 'Ada', [{ given: [' '] }]]) {
      expect(read({ ...ada, name })).toMatchObject({ kind: 'invalid', field: 'name' });
    }
  });

  test('has the mobile number before the one at home, and none that is over', () => {
    const home = { value: '555-310-4700', use: 'home' };
    const mobile = { value: '555-310-4711', use: 'mobile' };
    const over = { value: '555-310-4799', use: 'mobile', period: { end: '2020-01-01' } };
    expect(patient(phones(home, over, mobile)).phone).toBe('+15553104711');
    expect(patient(phones({ ...home, use: 'work' }, over, home)).phone).toBe('+15553104700');
    expect(patient(phones({ ...home, use: 'old' }, over)).phone).toBeNull();
    expect(patient(phones({ ...mobile, rank: 2 }, { ...mobile, value: '555-310-4712', rank: 1 })).phone).toBe(
      '+15553104712',
    );
  });

  test('is kept when its number cannot be read, with the number as it was written', () => {
    expect(patient(phones({ value: 'ask the daughter' }))).toMatchObject({
      name: 'Ada Lovelace',
      phone: null,
      facts: { phoneAsWritten: 'ask the daughter' },
    });
  });

  test('has the number of the country it lives in', () => {
    const address = [{ country: 'GB' }];
    expect(patient({ address, ...phones({ value: '020 7946 0958' }) }).phone).toBe('+442079460958');
  });

  test('keeps a birth date that is not exact as a fact', () => {
    expect(patient({ birthDate: '1957-03-09' })).toMatchObject({ birthDate: '1957-03-09', facts: {} });
    expect(patient({ birthDate: '1957-03' })).toMatchObject({
      birthDate: null,
      facts: { birthDateAsWritten: '1957-03' },
    });
  });

  test.each(['1957-02-30', '9.3.1957', '1957-03-09T00:00:00Z', 1957, ''])(
    'with the birth date %s is invalid',
    (birthDate) => {
      expect(read({ ...ada, birthDate })).toMatchObject({ kind: 'invalid', field: 'birthDate' });
    },
  );

  test('is deceased, inactive or active', () => {
    expect(patient({ active: false, deceasedBoolean: true }).status).toBe('DECEASED');
    expect(patient({ deceasedDateTime: '2020' }).status).toBe('DECEASED');
    expect(patient({ active: false, deceasedBoolean: false }).status).toBe('INACTIVE');
    expect(patient({ link: [{ type: 'replaced-by', other: {} }] }).status).toBe('INACTIVE');
    expect(patient({ active: true }).status).toBe('ACTIVE');
  });

  test('speaks the language it prefers', () => {
    const speaks = (code: string) => ({ language: { coding: [{ code }], text: code } });
    expect(patient({ communication: [speaks('en'), { ...speaks('es-mx'), preferred: true }] }).language).toBe(
      'es-MX',
    );
    expect(patient({ communication: [speaks('en'), speaks('es')] }).language).toBe('en');
    expect(patient({ communication: [speaks('Spanish')] })).toMatchObject({
      language: null,
      facts: { languageAsWritten: 'Spanish' },
    });
  });

  test('lives at home, on the map and in a time zone', () => {
    const url = (name: string) => `http://hl7.org/fhir/StructureDefinition/${name}`;
    const coordinates = [
      { url: 'latitude', valueDecimal: 38.8 },
      { url: 'longitude', valueDecimal: -94.9 },
    ];
    const home = {
      use: 'home',
      line: ['1 Engine Lane', 'Apt 2'],
      city: 'Olathe',
      extension: [
        { url: url('geolocation'), extension: coordinates },
        { url: url('timezone'), valueCode: 'America/Chicago' },
      ],
    };
    const { address, timeZone } = patient({ address: [{ use: 'work', city: 'Topeka' }, home] });
    expect(address).toEqual({
      line: '1 Engine Lane, Apt 2',
      city: 'Olathe',
      state: null,
      postalCode: null,
      country: null,
      latitude: 38.8,
      longitude: -94.9,
    });
    expect(timeZone).toBe('America/Chicago');
    expect(patient({ address: [{ city: 'Topeka', extension: 'nowhere' }] }).address).not.toHaveProperty(
      'latitude',
    );
  });

  test('brings the facts worth believing, and no identity document', () => {
    const category = (name: string, text: string) => ({
      url: `http://hl7.org/fhir/us/core/StructureDefinition/us-core-${name}`,
      extension: [{ url: 'text', valueString: text }],
    });
    const { facts } = patient({
      gender: 'female',
      maritalStatus: { coding: [{ display: 'Married' }] },
      extension: [category('race', 'White'), category('ethnicity', 'Not Hispanic or Latino')],
      identifier: [{ system: 'http://hl7.org/fhir/sid/us-ssn', value: '999-94-5397' }],
    });
    expect(facts).toEqual({
      gender: 'female',
      maritalStatus: 'Married',
      race: 'White',
      ethnicity: 'Not Hispanic or Latino',
    });
  });

  test('is as old as its source says', () => {
    expect(patient({ meta: { lastUpdated: '2026-01-15T10:00:00Z' } }).effectiveAt).toEqual(
      new Date('2026-01-15T10:00:00Z'),
    );
    expect(patient({ meta: { lastUpdated: 'today' } })).toMatchObject({
      kind: 'invalid',
      field: 'meta.lastUpdated',
    });
  });
});

describe('a resource about a patient', () => {
  test('becomes an event with a few data', () => {
    expect(read({ ...asthma, extension: [{ url: 'x' }], note: [{ text: 'long' }] })).toEqual({
      kind: 'resource',
      reference: 'Condition/c1',
      patientCanonicalId: 'ehr:Patient:ada',
      type: 'condition.recorded',
      effectiveAt: new Date('2021-04-05T00:00:00Z'),
      data: { text: 'Asthma' },
    });
  });

  test.each([
    ['Patient/ada', 'ada'],
    ['Patient/ada/_history/2', 'ada'],
    ['https://ehr.example.org/fhir/Patient/ada', 'ada'],
    ['urn:uuid:0c3b', '0c3b'],
  ])('refers to it as %s', (reference, id) => {
    expect(read({ ...asthma, subject: { reference } })).toMatchObject({
      patientCanonicalId: `ehr:Patient:${id}`,
    });
  });

  test('refers by urn to the patients of its Bundle alone', () => {
    const about = (reference: string) =>
      readResource({ ...asthma, subject: { reference } }, 'ehr', new Map([['urn:uuid:0c3b', 'ada']]));
    expect(about('urn:uuid:0c3b')).toMatchObject({ patientCanonicalId: 'ehr:Patient:ada' });
    expect(about('urn:uuid:ffff')).toMatchObject({ kind: 'invalid', field: 'subject' });
    expect(about('Patient/grace')).toMatchObject({ patientCanonicalId: 'ehr:Patient:grace' });
  });

  test.each([undefined, 'Group/1', '#contained', 'Patient/', 'Patient?identifier=1', 'urn:uuid:', 7])(
    'that refers to %s is invalid',
    (reference) => {
      expect(read({ ...asthma, subject: { reference } })).toMatchObject({
        kind: 'invalid',
        field: 'subject',
      });
    },
  );

  test('happened when it was recorded, else at its onset', () => {
    const { recordedDate: _, ...undated } = asthma;
    expect(read({ ...undated, onsetDateTime: '2019' })).toMatchObject({
      effectiveAt: new Date('2019-01-01T00:00:00Z'),
    });
    expect(read({ ...undated, onsetPeriod: { start: '2018-02' } })).toMatchObject({
      effectiveAt: new Date('2018-02-01T00:00:00Z'),
    });
    expect(read({ ...undated, onsetString: 'childhood' })).toMatchObject({
      kind: 'invalid',
      field: 'recordedDate',
    });
    expect(read({ ...asthma, recordedDate: 'last week' })).toMatchObject({
      kind: 'invalid',
      field: 'recordedDate',
    });
    expect(read({ ...asthma, recordedDate: 2021 })).toMatchObject({ kind: 'invalid', field: 'recordedDate' });
  });

  test('discharges when an Encounter is finished', () => {
    const stay = { ...asthma, resourceType: 'Encounter', id: 'e1', class: { code: 'IMP' } };
    const period = { start: '2026-01-10', end: '2026-01-12' };
    expect(read({ ...stay, status: 'finished', period })).toMatchObject({
      type: 'encounter.discharged',
      effectiveAt: new Date('2026-01-12T00:00:00Z'),
      data: { class: 'IMP', startedAt: '2026-01-10', endedAt: '2026-01-12' },
    });
    expect(read({ ...stay, status: 'finished', period: { start: '2026-01-10' } })).toMatchObject({
      effectiveAt: new Date('2026-01-10T00:00:00Z'),
    });
    expect(read({ ...stay, status: 'in-progress', period })).toMatchObject({
      type: 'ext.encounter_recorded',
      effectiveAt: new Date('2026-01-10T00:00:00Z'),
    });
  });

  test('that never happened is invalid', () => {
    const shot = {
      ...asthma,
      resourceType: 'Immunization',
      patient: asthma.subject,
      occurrenceDateTime: '2021',
    };
    const order = { ...asthma, resourceType: 'MedicationRequest', authoredOn: '2021' };
    const mistake = { coding: [{ code: 'entered-in-error' }] };
    expect(read({ ...shot, status: 'completed' })).toMatchObject({ type: 'ext.immunization_given' });
    expect(read({ ...shot, status: 'not-done' })).toMatchObject({ kind: 'invalid', field: 'status' });
    expect(read({ ...order, status: 'active' })).toMatchObject({ type: 'medication.prescribed' });
    expect(read({ ...order, doNotPerform: true })).toMatchObject({ kind: 'invalid' });
    expect(read({ ...order, status: 'entered-in-error' })).toMatchObject({
      kind: 'invalid',
      field: 'status',
    });
    expect(read({ ...asthma, verificationStatus: mistake })).toMatchObject({
      kind: 'invalid',
      field: 'status',
    });
  });
});

describe('anything else', () => {
  test('is invalid with its reason', () => {
    expect(read({ ...asthma, resourceType: 'Observation' })).toEqual({
      kind: 'invalid',
      field: 'resourceType',
      message: 'Observation is not imported.',
    });
    for (const resource of [null, undefined, 7, 'Patient', [ada]])
      expect(read(resource)).toMatchObject({ field: null });
    expect(read({})).toMatchObject({ field: 'resourceType' });
    expect(read({ resourceType: 'constructor', id: 'x' })).toMatchObject({ field: 'resourceType' });
    for (const id of [undefined, 7, '', 'a b', 'a/b'])
      expect(read({ ...ada, id })).toMatchObject({ field: 'id' });
  });

  test('with text that Postgres cannot keep is invalid', () => {
    expect(read({ ...ada, name: [{ text: 'A\0da' }] })).toMatchObject({ kind: 'invalid', field: 'name' });
    expect(read({ ...asthma, code: { text: '\uD83D' } })).toMatchObject({
      kind: 'invalid',
      field: 'data.text',
    });
  });

  test('is quoted in a form that can be kept', () => {
    const { message } = read({ resourceType: `Obs\0\uD83D${'x'.repeat(9_999)}` }) as { message: string };
    expect(message).toMatch(/^Obs\uFFFD\uFFFDx{200,}$/);
    expect(message).toHaveLength(300);
  });

  test('is read without throwing, whatever its elements are', () => {
    const keys = [
      'name',
      'telecom',
      'address',
      'period',
      'code',
      'communication',
      'extension',
      'deceasedDateTime',
      'meta',
      'status',
    ];
    const shape = fc.record(
      {
        resourceType: fc.constantFrom(
          'Patient',
          'Condition',
          'MedicationRequest',
          'Encounter',
          'AllergyIntolerance',
          'Immunization',
        ),
        id: fc.oneof(fc.constant('x'), fc.jsonValue()),
        subject: fc.oneof(fc.constant({ reference: 'Patient/ada' }), fc.jsonValue()),
        recordedDate: fc.oneof(fc.constant('2021'), fc.jsonValue()),
        ...Object.fromEntries(keys.map((key) => [key, fc.jsonValue()])),
      },
      { requiredKeys: ['resourceType'] },
    );
    fc.assert(
      fc.property(shape, (resource) => {
        expect(['patient', 'resource', 'invalid']).toContain(read(resource).kind);
      }),
    );
  });
});
