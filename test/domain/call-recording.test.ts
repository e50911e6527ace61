import { expect, test } from 'vitest';
import type { Beliefs } from '../../src/domain/belief.ts';
import * as calls from '../../src/domain/call.ts';
import { decideRecording, record, remove, stop } from '../../src/domain/call-recording.ts';

const newYork = '+12125550100';
const california = '+14155550100';

/** What a source said of an attribute. */
const said = (key: string, value: string, confidence = 1, effectiveAt = '2026-01-01T00:00:00Z'): Beliefs => ({
  [key]: [{ value, confidence, effectiveAt, source: 'ehr', eventId: value }],
});

const consent = (value: string, confidence = 1) => said('recordingConsent', value, confidence);

const decided = (phone: string, beliefs: Beliefs = {}, isAsked = true) =>
  decideRecording({ isAsked, patient: { beliefs }, phone });

test('nothing is recorded that nobody asks to', () => {
  expect(decided(newYork, consent('given'), false)).toMatchObject({ allowed: false, reason: 'NOT_ASKED' });
});

test('where one side may consent a call is recorded, without an announcement', () => {
  expect(decided(newYork)).toEqual({ allowed: true, reason: 'ONE_PARTY', states: ['NY'], announced: false });
  expect(decided(newYork, consent('given'))).toMatchObject({ reason: 'CONSENTED', announced: false });
});

test('where everybody must, it is recorded only with consent, and says so first', () => {
  expect(decided(california)).toEqual({
    allowed: false,
    reason: 'CONSENT_MISSING',
    states: ['CA'],
    announced: false,
  });
  expect(decided(california, consent('given'))).toMatchObject({ allowed: true, announced: true });
});

test.each([
  ['an address in California with a number of New York', newYork, said('address.state', 'CA')],
  ['an address in New York with a number of California', california, said('address.state', 'NY')],
  ['a number of no place', '+18005550100', {}],
  ['another country', '+442079460100', {}],
  ['an address abroad', newYork, said('address.country', 'MX')],
  ['a stated time of another place', newYork, said('timeZone', 'America/Los_Angeles')],
  ['a postal code of Pennsylvania', newYork, said('address.postalCode', '19103')],
])('of %s everybody must consent', (_name, phone, beliefs) => {
  expect(decided(phone, beliefs)).toMatchObject({ allowed: false, reason: 'CONSENT_MISSING' });
});

test('a refusal counts everywhere, however unsure, and over consent that is as old', () => {
  expect(decided(newYork, consent('refused', 0.1))).toMatchObject({ allowed: false, reason: 'REFUSED' });
  const both = (first: string, later: string, laterConfidence: number): Beliefs => ({
    recordingConsent: [
      ...consent(first)['recordingConsent']!,
      ...said('recordingConsent', later, laterConfidence, '2026-02-01T00:00:00Z')['recordingConsent']!,
    ],
  });
  expect(decided(newYork, both('given', 'refused', 0.7)).reason).toBe('REFUSED');
  expect(decided(newYork, both('refused', 'given', 1)).reason).toBe('CONSENTED');
  // What an agent believes to have heard takes back no refusal.
  expect(decided(newYork, both('refused', 'given', 0.7)).reason).toBe('REFUSED');
  const atOnce = {
    recordingConsent: [...consent('given')['recordingConsent']!, ...consent('no')['recordingConsent']!],
  };
  expect(decided(newYork, atOnce).reason).toBe('REFUSED');
});

test('consent that only an agent has heard is none', () => {
  expect(decided(california, consent('given', 0.7)).reason).toBe('CONSENT_MISSING');
});

const call: calls.Call = {
  ...calls.blank('00000000-0000-7000-8000-00000000cccc', '00000000-0000-7000-8000-00000000aaaa'),
  context: { instructions: '', greeting: '', patientSummary: '', readyAt: '', recording: decided(newYork) },
};

test('a recording is known by its id, and told again it is the same', () => {
  const recording = { sid: 'RE1', durationSeconds: 3 };
  expect(record(call, recording)).toEqual([{ type: 'call.recorded', data: recording }]);
  const known = { ...call, recordings: [{ ...recording, recordedAt: '', deletedAt: null }] };
  expect(record(known, recording)).toEqual([]);
});

test('what is not recorded cannot be stopped, and what is gone not deleted', () => {
  expect(stop(call)).toHaveLength(1);
  expect(stop({ ...call, recordingsSince: new Date(0) })).toEqual([]);
  expect(stop({ ...call, context: null })).toEqual([]);
  expect(remove(call, ['RE1'])).toEqual([]);
  expect(remove({ ...call, recordingsSince: new Date(0) }, ['RE1'])).toMatchObject([
    { data: { sids: ['RE1'] } },
  ]);
});
