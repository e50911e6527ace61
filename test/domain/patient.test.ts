import fc from 'fast-check';
import { expect, test } from 'vitest';
import { believe, believed, isNews, type Beliefs } from '../../src/domain/belief.ts';
import * as patients from '../../src/domain/patient.ts';
import { nearest } from '../../src/domain/nearest.ts';
import { summarize } from '../../src/domain/summary.ts';
import { after, given } from '../support/given.ts';

const patient = given(patients);
const told =
  (name: string, more: Partial<patients.Statement> = {}) =>
  (row: patients.Patient) =>
    patients.state(row, { attributes: { name }, source: 'ehr', ...more });
const known = patients.state(after(patients), {
  attributes: { name: 'Ada', phone: '+12125550100' },
  source: 'ehr',
  canonicalId: 'ehr:Patient:1',
});

test('registers who is unknown, with what is said', () =>
  patient()
    .when(told('Ada', { canonicalId: 'ehr:Patient:1' }))
    .then({
      type: 'patient.registered',
      data: { canonicalId: 'ehr:Patient:1', attributes: { name: 'Ada' } },
      confidence: 1,
      sourceSystem: 'ehr',
    }));

test('says nothing when nothing is new', () =>
  patient(...known)
    .when(told('Ada'))
    .then());

test('a less sure source does not change what is believed, and what it said stays visible', () => {
  const doubt = told('Eda', { source: 'call', confidence: 0.4 })(after(patients, ...known));
  const row = after(patients, ...known, ...doubt);
  expect(row.name).toBe('Ada');
  expect(row.beliefs['name']!.map(({ value, source }) => [value, source])).toEqual([
    ['Ada', 'ehr'],
    ['Eda', 'call'],
  ]);
});

test('an equally sure source changes it when it is newer', () => {
  const news = told('Ada King', { source: 'portal', effectiveAt: new Date('2026-04-01T00:00:00Z') })(
    after(patients, ...known),
  );
  expect(after(patients, ...known, ...news).name).toBe('Ada King');
  const old = told('Ada Byron', { source: 'archive', effectiveAt: new Date('1999-01-01T00:00:00Z') })(
    after(patients, ...known),
  );
  expect(after(patients, ...known, ...old).name).toBe('Ada');
});

test('the believed value is the most confident, then the newest, in whatever order sources speak', () => {
  const belief = fc.record({
    value: fc.constantFrom('a', 'b', 'c'),
    confidence: fc.constantFrom(0.2, 0.5, 1),
    source: fc.constantFrom('x', 'y'),
    effectiveAt: fc
      .integer({ min: 0, max: 5 })
      .map((day) => new Date(Date.UTC(2026, 0, 1 + day)).toISOString()),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(belief, { maxLength: 8, selector: (b) => `${b.confidence} ${b.effectiveAt}` }),
      (said) => {
        const beliefs = said.reduce<Beliefs>(
          (all, b, i) => believe(all, 'k', { ...b, eventId: String(i) }),
          {},
        );
        const best = said.toSorted(
          (a, b) => b.confidence - a.confidence || (a.effectiveAt < b.effectiveAt ? 1 : -1),
        )[0];
        expect(believed(beliefs, 'k')).toBe(best?.value ?? null);
      },
    ),
  );
  expect(isNews({}, 'k', { value: 'a', confidence: 1, source: 'x' })).toBe(true);
});

test('is found by the beginnings of names without their accents, and by ends of the number', () => {
  const row = after(
    patients,
    ...patients.state(after(patients), {
      attributes: { name: 'José Müller-Østergård', phone: '+12125550100' },
      source: 'ehr',
    }),
  );
  expect(row.searchTerms).toEqual(expect.arrayContaining(['jose', 'muller', '2125550100', '0100']));
  expect(patients.termsOf('+1 (212) 555-0100')).toEqual(['1', '212', '555', '0100']);
});

test('knows the types of other systems, and the nearest to a mistaken one', () => {
  expect(patients.isExternalType('lab.result_received')).toBe(true);
  expect(patients.isExternalType('ext.fall_detected')).toBe(true);
  for (const type of [
    'lab.results_received',
    'patient.registered',
    'ext.',
    'ext.Bad',
    'outbound.initiated',
  ]) {
    expect(patients.isExternalType(type), type).toBe(false);
  }
  expect(nearest('lab.results_received', patients.externalTypes)).toBe('lab.result_received');
});

test('tells every event in one line', () => {
  expect(summarize({ type: 'patient.registered', data: {} })).toBe('Patient registered');
  expect(summarize({ type: 'call.failed', data: { endedReason: 'never_reached_carrier' } })).toBe(
    'Call failed: Never reached carrier',
  );
  expect(summarize({ type: 'medication.prescribed', data: { display: 'Metformin' } })).toBe(
    'Medication prescribed: Metformin',
  );
  expect(summarize({ type: 'ext.fall_detected', data: {} })).toBe('Fall detected');
});
