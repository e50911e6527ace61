import { describe, expect, test } from 'vitest';
import { readDataRecord } from '../../src/domain/csv.ts';

/** Reads one data record given as its cells by header. */
const read = (cells: Record<string, string>) =>
  readDataRecord(Object.keys(cells), Object.values(cells), 'crm');

describe('a data record', () => {
  test('becomes a patient', () => {
    const cells = {
      mrn: '0042',
      name: 'Zoë Quinn',
      phone: '(555) 310-4720',
      dob: '1961-12-24',
      language: 'en-us',
      status: 'inactive',
      time_zone: 'America/Chicago',
      address: '1 Engine Lane',
      city: 'Olathe',
      state: 'KS',
      zip: '66061',
      country: 'US',
      tags: 'diabetes; heart, vip ;heart',
      effective_at: '2026-01-31',
    };
    expect(read(cells)).toEqual({
      kind: 'patient',
      canonicalId: 'crm:Patient:0042',
      name: 'Zoë Quinn',
      birthDate: '1961-12-24',
      phone: '+15553104720',
      language: 'en-US',
      status: 'INACTIVE',
      address: { line: '1 Engine Lane', city: 'Olathe', state: 'KS', postalCode: '66061', country: 'US' },
      timeZone: 'America/Chicago',
      facts: {},
      tags: ['diabetes', 'heart', 'vip'],
      effectiveAt: new Date('2026-01-31T00:00:00Z'),
    });
  });

  test('needs nothing but a name', () => {
    expect(read({ name: ' Sam ' })).toMatchObject({
      name: 'Sam',
      canonicalId: null,
      phone: null,
      address: null,
      status: 'ACTIVE',
    });
    expect(read({ first_name: 'Sam', last_name: 'Poe' })).toMatchObject({ name: 'Sam Poe' });
    expect(read({ first_name: '', last_name: 'Poe' })).toMatchObject({ name: 'Poe' });
  });

  test('has headers in any case and spelling', () => {
    expect(
      read({
        'First Name': 'Sam',
        LAST_NAME: 'Poe',
        'Phone-Number': '5553104721',
        dateOfBirth: '1990-01-02',
      }),
    ).toMatchObject({
      name: 'Sam Poe',
      phone: '+15553104721',
      birthDate: '1990-01-02',
      facts: {},
    });
  });

  test('turns other columns into facts, and leaves out empty ones', () => {
    const { facts } = read({ name: 'Sam', 'fact.pharmacy': 'Main Street', Ward: '3B', note: '' }) as {
      facts: object;
    };
    expect(facts).toEqual({ pharmacy: 'Main Street', Ward: '3B' });
  });

  test('has one phone, the mobile one, and keeps the other as a fact that is not called phone', () => {
    expect(read({ name: 'Sam', phone: '5553104721', mobile: '5553104722' })).toMatchObject({
      phone: '+15553104722',
      facts: { 'other.phone': '5553104721' },
    });
    expect(read({ name: 'Sam', phone: '5553104721', mobile: '' })).toMatchObject({
      phone: '+15553104721',
      facts: {},
    });
  });

  test('has an id that may be canonical already', () => {
    expect(read({ name: 'Sam', canonical_id: 'fhir:Patient:ada' })).toMatchObject({
      canonicalId: 'fhir:Patient:ada',
    });
    expect(read({ name: 'Sam', canonical_id: 'ada' })).toMatchObject({ canonicalId: 'crm:Patient:ada' });
  });

  test('has a number of its own country', () => {
    expect(read({ name: 'Sam', phone: '020 7946 0958', country: 'GB' })).toMatchObject({
      phone: '+442079460958',
    });
  });
});

describe('an invalid data record', () => {
  test.each([
    ['name', { name: ' ', phone: '5553104721' }],
    ['phone', { name: 'Sam', phone: '1.5551E+10' }],
    ['birthDate', { name: 'Sam', dob: '1990-02-30' }],
    ['birthDate', { name: 'Sam', dob: '03/09/1957' }],
    ['timeZone', { name: 'Sam', time_zone: 'EST' }],
    ['language', { name: 'Sam', language: 'Spanish' }],
    ['status', { name: 'Sam', status: 'TEST' }],
    ['id', { name: 'Sam', mrn: '1.23457E+12' }],
    ['effectiveAt', { name: 'Sam', updated_at: 'yesterday' }],
    ['phone', { name: 'Sam', 'fact.phone': 'anything' }],
    ['constructor', { name: 'Sam', constructor: 'anything' }],
    ['facts.note', { name: 'Sam', note: 'a\0b' }],
    ['name', { name: 'Jos\uFFFD' }],
    [null, { name: 'Sam', '': 'no header' }],
  ])('names its field %s', (field, cells) => {
    expect(read(cells as Record<string, string>)).toMatchObject({ kind: 'invalid', field });
  });

  test('has another number of columns than the header', () => {
    expect(readDataRecord(['name', 'phone'], ['Sam'], 'crm')).toMatchObject({ kind: 'invalid', field: null });
    expect(readDataRecord(['name', 'phone'], ['Sam,1\nAnn,2\nIda'], 'crm')).toMatchObject({
      message: expect.stringContaining('is a quote left open?') as string,
    });
  });
});
