import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  calendarDate,
  instantOf,
  isFactKey,
  languageOf,
  normalizePhone,
  storable,
  type PatientRecord,
} from '../../src/domain/record.ts';
import { canonicalZone } from '../../src/domain/calendar.ts';

const ada: PatientRecord = {
  kind: 'patient',
  canonicalId: 'fhir:Patient:ada',
  name: 'Ada Lovelace',
  birthDate: null,
  phone: null,
  language: null,
  status: 'ACTIVE',
  address: null,
  timeZone: null,
  facts: {},
  tags: [],
  effectiveAt: new Date(0),
};

describe('a phone number', () => {
  test.each([
    ['555-310-4711', '+15553104711'],
    ['(555) 310–4711', '+15553104711'],
    ['+1 555 310 4711 ext. 12', '+15553104711'],
    ['555-310-4711 x12', '+15553104711'],
    ['tel:+1-555-310-4711', '+15553104711'],
    ['１５５５３１０４７１１', '+15553104711'],
    ['+44 20 7946 0958', '+442079460958'],
    ['011 44 20 7946 0958', '+442079460958'],
  ])('%s is read as %s', (text, phone) => {
    expect(normalizePhone(text)).toBe(phone);
  });

  test.each([
    ['15551230100', '+15551230100'],
    ['442079460958', '+442079460958'],
    ['5551230100.0', '+15551230100'],
  ])('%s, which a spreadsheet has spoilt, is read as %s', (text, phone) => {
    expect(normalizePhone(text)).toBe(phone);
  });

  test.each([
    '',
    'none',
    '911',
    '555-1234',
    '1.5551E+10',
    '1.5551E10',
    '1-800-FLOWERS',
    '+0123',
    '99999999999999999',
  ])('is not made out of "%s"', (text) => {
    expect(normalizePhone(text)).toBeNull();
  });

  test('is not made out of the first of two numbers', () => {
    expect(normalizePhone('555-310-4711 or 555-310-4712')).toBeNull();
    expect(normalizePhone('+1 555 310 4711 / 555 310 4712')).toBeNull();
  });

  test('is read as its country dials it at home', () => {
    expect(normalizePhone('020 7946 0958', 'GB')).toBe('+442079460958');
    expect(normalizePhone('0011 1 555 310 4711', 'au')).toBe('+15553104711');
    expect(normalizePhone('555-310-4711', 'United States')).toBe('+15553104711');
  });

  test('needs its plus in a country that is not known', () => {
    expect(normalizePhone('030 1234567', 'Germany')).toBeNull();
    expect(normalizePhone('+49 30 1234567', 'Germany')).toBe('+49301234567');
  });

  test('is E.164 or nothing, whatever the text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[+0-9 ().x-]{0,24}$/),
      fc.string(),
    );
    const country = fc.option(fc.constantFrom('US', 'GB', 'DE', 'Germany', '', 'constructor'), {
      nil: undefined,
    });
    fc.assert(
      fc.property(text, country, (written, home) => {
        const phone = normalizePhone(written, home);
        expect(phone ?? '+15553104711').toMatch(/^\+[1-9]\d{1,14}$/);
        expect(normalizePhone(phone ?? '+15553104711')).toBe(phone ?? '+15553104711');
      }),
      { numRuns: 500 },
    );
  });
});

describe('a date', () => {
  test('is a day that exists', () => {
    expect(calendarDate('2024-02-29')).toBe('2024-02-29');
    for (const text of [
      '2023-02-29',
      '2024-13-01',
      '0000-01-01',
      '2024-1-1',
      '20240101',
      '2024-01-01T00:00:00Z',
      '03/09/1957',
    ]) {
      expect(calendarDate(text)).toBeNull();
    }
  });

  test('is an instant in every precision that FHIR allows', () => {
    expect(instantOf('2020')).toEqual(new Date('2020-01-01T00:00:00Z'));
    expect(instantOf('2020-05')).toEqual(new Date('2020-05-01T00:00:00Z'));
    expect(instantOf('2020-05-06')).toEqual(new Date('2020-05-06T00:00:00Z'));
    expect(instantOf('2020-05-06T07:08:09.5-04:00')).toEqual(new Date('2020-05-06T11:08:09.500Z'));
  });

  test('is no instant without its offset, out of the calendar or out of the years that Postgres writes', () => {
    for (const text of [
      '',
      '20',
      '2020-05-06T07:08:09',
      '2020-02-30T00:00:00Z',
      '2020-05-06T25:00:00Z',
      '2020-13',
      '0000',
    ]) {
      expect(instantOf(text)).toBeNull();
    }
    expect(instantOf('0001-01-01T00:00:00+14:00')).toBeNull();
    expect(instantOf('9999-12-31T23:59:59-14:00')).toBeNull();
  });
});

test('a language is a BCP 47 tag in its canonical form', () => {
  expect(languageOf('en-us')).toBe('en-US');
  expect(languageOf('pt_BR')).toBe('pt-BR');
  expect(languageOf('spa')).toBe('es');
  for (const text of ['', 'Spanish', 'e', 'en-', 'x-klingon']) expect(languageOf(text)).toBeNull();
});

test('a time zone is an IANA name, and no abbreviation or offset', () => {
  expect(canonicalZone('America/Chicago')).toBe('America/Chicago');
  expect(canonicalZone('america/chicago')).toBe('America/Chicago');
  for (const text of ['', 'EST', '-05:00', 'Central', 'America/Kansas'])
    expect(canonicalZone(text)).toBeNull();
});

test('a fact cannot pass for an attribute of the patient, or for a property of every object', () => {
  expect(isFactKey('pharmacy')).toBe(true);
  for (const key of ['phone', 'birthDate', 'address.city', 'constructor', '__proto__', ' '])
    expect(isFactKey(key)).toBe(false);
});

describe('a record', () => {
  test('that the database can keep stays what it is', () => {
    expect(storable(ada)).toBe(ada);
  });

  test.each([
    ['NUL', 'a\0b'],
    ['half of a pair', 'a\uD83D'],
    ['too long', 'a'.repeat(2_001)],
  ])('with text that it cannot keep is invalid: %s', (_, text) => {
    expect(storable({ ...ada, name: text })).toMatchObject({ kind: 'invalid', field: 'name' });
    expect(storable({ ...ada, facts: { note: text } })).toMatchObject({
      kind: 'invalid',
      field: 'facts.note',
    });
    expect(storable({ ...ada, facts: { [text]: 'x' } })).toMatchObject({ kind: 'invalid', field: 'facts' });
  });
});
