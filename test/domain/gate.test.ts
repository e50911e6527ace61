import { expect, test } from 'vitest';
import { carePurposes, purposes, type LegalBasis, type Purpose } from '../../src/domain/consent.ts';
import * as contacts from '../../src/domain/contact.ts';
import type { Fact } from '../../src/domain/contact.ts';
import { decide, type Question } from '../../src/domain/gate.ts';
import * as patients from '../../src/domain/patient.ts';
import { openPolicy } from '../../src/domain/workspace.ts';
import { after, given, now } from '../support/given.ts';

const patientId = '00000000-0000-7000-8000-00000000cccc';
const phone = '+12125550100';
const givenToProvider = contacts.giveToProvider(after(contacts), {
  phone,
  patientId,
  source: 'ehr',
  at: now,
});
const attempted: Fact = { type: 'contact.attempted', data: { phone, attemptId: 'a1', channel: 'VOICE' } };
const contact = given(contacts);
/** 14:00 in New York, 9:00 in Honolulu: open wherever somebody may be. */
const later = new Date('2026-03-02T19:00:00Z');

const patient = after(patients, { type: 'patient.registered', data: { canonicalId: null, attributes: {} } });
const ask = (facts: Fact[], more: Partial<Question> = {}) =>
  decide({
    patient: { ...patient, id: patientId },
    phone,
    contact: facts.length > 0 ? after(contacts, ...facts) : null,
    channel: 'VOICE',
    purpose: 'LAB_RESULTS',
    claimed: null,
    open: [],
    recent: [],
    policy: openPolicy,
    ringSeconds: 30,
    now: later,
    ...more,
  });
const written = (basis: LegalBasis, ...covered: Purpose[]): Fact[] =>
  contacts.grant(after(contacts), {
    patientId,
    phone,
    channels: ['VOICE' as const],
    purposes: covered,
    basis,
    grantedAt: now.toISOString(),
    method: 'form',
    evidence: null,
  });

test('a number given to the provider is consent for matters of care, not for money or advertising (C-14)', () => {
  for (const purpose of purposes) {
    const decision = ask(givenToProvider, { purpose });
    expect(decision.allowed, purpose).toBe((carePurposes as string[]).includes(purpose));
  }
  expect(ask(givenToProvider)).toMatchObject({
    allowed: true,
    blocks: [],
    basis: 'PRIOR_EXPRESS',
    decidedAt: later.toISOString(),
  });
});

test('a number is given once, however often it is imported (C-16)', () =>
  contact(...givenToProvider)
    .when((row) => contacts.giveToProvider(row, { phone, patientId, source: 'ehr', at: later }))
    .then());

test('nothing is known of a number: no (C-10)', () => expect(ask([]).blocks).toEqual(['NO_LEGAL_BASIS']));

test("consent is the patient's own: who shares the number has none (C-15)", () =>
  expect(ask(givenToProvider, { patient: { ...patient, id: 'somebody else' } }).blocks).toEqual([
    'NO_LEGAL_BASIS',
  ]));

test('grounds that the caller vouches for are enough, but not for advertising (C-12, C-13)', () => {
  expect(ask([], { claimed: 'PRIOR_EXPRESS' })).toMatchObject({ allowed: true, basis: 'PRIOR_EXPRESS' });
  expect(ask([], { claimed: 'PRIOR_EXPRESS', purpose: 'MARKETING' }).blocks).toEqual(['NO_LEGAL_BASIS']);
  expect(ask([], { claimed: 'PRIOR_EXPRESS_WRITTEN', purpose: 'MARKETING' }).allowed).toBe(true);
  expect(ask(written('PRIOR_EXPRESS', 'MARKETING'), { purpose: 'MARKETING' }).blocks).toEqual([
    'NO_LEGAL_BASIS',
  ]);
  expect(ask(written('PRIOR_EXPRESS_WRITTEN', 'MARKETING'), { purpose: 'MARKETING' }).allowed).toBe(true);
});

test('the healthcare exemption has its eight purposes and no other (C-17, C-22)', () => {
  const exempt = purposes.filter((purpose) => ask([], { purpose, claimed: 'HEALTHCARE_EXEMPTION' }).allowed);
  expect(exempt).toEqual(purposes.slice(0, 8));
});

test('who took consent back for calls is not called, whatever the caller vouches for', () => {
  const revoked = contacts.revoke(after(contacts), {
    phone,
    patientId,
    channels: ['VOICE'],
    reason: 'asked',
  });
  const facts = [...givenToProvider, ...revoked.map((fact) => ({ ...fact, effectiveAt: later }))];
  expect(ask(facts).blocks).toEqual(['CONSENT_REVOKED']);
  expect(ask(facts, { claimed: 'PRIOR_EXPRESS' }).blocks).toEqual(['CONSENT_REVOKED']);
});

test('who asked not to be contacted again is not, on any channel and by anybody (C-27, C-38)', () => {
  const optedOut = [
    ...givenToProvider,
    ...contacts.revoke(after(contacts), { phone, patientId, channels: null, reason: 'stop' }),
  ];
  for (const channel of ['VOICE', 'TEXT', 'VOICEMAIL'] as const) {
    expect(ask(optedOut, { channel, claimed: 'EMERGENCY' }).blocks).toContain('DO_NOT_CONTACT');
  }
});

test('only an active patient is contacted', () => {
  for (const status of ['INACTIVE', 'DECEASED', 'TEST'] as const) {
    expect(ask(givenToProvider, { patient: { ...patient, id: patientId, status } }).blocks).toEqual([
      `PATIENT_${status}`,
    ]);
  }
});

test('a number must be there, and be one that can exist', () => {
  expect(ask([], { phone: null, claimed: 'PRIOR_EXPRESS' }).blocks).toEqual(['PHONE_MISSING']);
  expect(ask([], { phone: '+15555551234', claimed: 'PRIOR_EXPRESS' }).blocks).toEqual(['PHONE_INVALID']);
});

test('an attempt that is open, or of which nobody knows, blocks the next one', () => {
  expect(ask(givenToProvider, { open: ['ACTIVE'] }).blocks).toEqual(['ACTIVE_CONTACT']);
  expect(ask(givenToProvider, { open: ['UNCERTAIN'] }).blocks).toEqual(['OUTCOME_UNCERTAIN']);
});

test('every reason is told, in the order of the rules', () =>
  expect(
    ask([], {
      phone: '+15555551234',
      patient: { ...patient, id: patientId, status: 'DECEASED' },
      open: ['ACTIVE', 'UNCERTAIN'],
    }).blocks,
  ).toEqual(['PATIENT_DECEASED', 'PHONE_INVALID', 'NO_LEGAL_BASIS', 'ACTIVE_CONTACT', 'OUTCOME_UNCERTAIN']));

test('a number remembers its attempts and when they ended', () => {
  const row = after(
    contacts,
    attempted,
    ...contacts.endAttempt(after(contacts, attempted), { id: 'a1', endedReason: 'busy', endedAt: later }),
  );
  expect(row.attempts).toEqual([
    { id: 'a1', channel: 'VOICE', startedAt: now.toISOString(), endedAt: later.toISOString() },
  ]);
});

test('an answer is held back by what the person wants and by the law of consent, and by nothing else (C-27, C-38)', () => {
  const night = new Date('2026-03-03T07:00:00Z');
  const busy = { channel: 'TEXT', now: night, recent: [night], open: ['ACTIVE', 'UNCERTAIN'] } as const;
  const crowded: Partial<Question> = {
    ...busy,
    open: [...busy.open],
    recent: [...busy.recent],
    policy: { ...openPolicy, caps: { perDay: 1, perWeek: 1, cooldownMinutes: 60 } },
  };
  expect(ask(givenToProvider, crowded).blocks).toEqual([
    'OUTSIDE_CALLING_HOURS',
    'FREQUENCY_CAP',
    'COOLDOWN',
    'ACTIVE_CONTACT',
    'OUTCOME_UNCERTAIN',
  ]);
  const answer: Partial<Question> = { ...crowded, isReply: true };
  expect(ask(givenToProvider, answer)).toMatchObject({ allowed: true, nextAllowedAt: night.toISOString() });
  expect(ask([], answer).blocks).toEqual(['NO_LEGAL_BASIS']);
  const gone = { ...patient, id: patientId, status: 'DECEASED' } as const;
  expect(ask(givenToProvider, { ...answer, patient: gone }).blocks).toEqual(['PATIENT_DECEASED']);
  const unwilling = { ...patient, id: patientId, blockedChannels: ['TEXT' as const] };
  expect(ask(givenToProvider, { ...answer, patient: unwilling }).blocks).toEqual(['CHANNEL_BLOCKED']);
  const optedOut: Fact = {
    type: 'contact.opted_out',
    data: { phone, patientId, reason: 'STOP' },
    effectiveAt: night,
  };
  expect(ask([...givenToProvider, optedOut], answer).blocks).toEqual(['DO_NOT_CONTACT']);
});

test('an opt-out is confirmed within five minutes, and not a second later (C-35)', () => {
  const optedOut: Fact = {
    type: 'contact.opted_out',
    data: { phone, patientId, reason: 'no more' },
    effectiveAt: later,
  };
  const at = (seconds: number, more: Partial<Question> = {}) =>
    ask([...givenToProvider, optedOut], {
      channel: 'TEXT',
      isReply: true,
      isConfirmation: true,
      now: new Date(later.getTime() + seconds * 1000),
      ...more,
    }).blocks;
  expect(at(0)).toEqual([]);
  expect(at(300)).toEqual([]);
  expect(at(301)).toEqual(['DO_NOT_CONTACT']);
  expect(at(0, { isConfirmation: false })).toEqual(['DO_NOT_CONTACT']);
});

test('what the person writes undoes an opt-out for texts alone, and for everybody who shares the number calls stay refused (C-39)', () => {
  const other = '00000000-0000-7000-8000-00000000dddd';
  const shared = contacts.giveToProvider(after(contacts, ...givenToProvider), {
    phone,
    patientId: other,
    source: 'ehr',
    at: now,
  });
  const optedOut: Fact = {
    type: 'contact.opted_out',
    data: { phone, patientId, reason: 'STOP' },
    effectiveAt: now,
  };
  const before = [...givenToProvider, ...shared, optedOut];
  const row = after(contacts, ...before);
  const facts = contacts.restartTexts(row, { patientId, evidence: 'text message SM1', at: later });
  const restarted = [...before, ...facts.map((fact) => ({ effectiveAt: later, ...fact }))];
  const on = (channel: Question['channel'], id = patientId) =>
    ask(restarted, { channel, patient: { ...patient, id }, now: later }).blocks;
  expect([on('TEXT'), on('VOICE'), on('VOICEMAIL')]).toEqual([[], ['CONSENT_REVOKED'], ['CONSENT_REVOKED']]);
  expect([on('TEXT', other), on('VOICE', other)]).toEqual([[], ['CONSENT_REVOKED']]);
  // Nobody who has not opted out is given anything.
  expect(
    contacts.restartTexts(after(contacts, ...givenToProvider), { patientId, evidence: 'x', at: later }),
  ).toEqual([]);
});
