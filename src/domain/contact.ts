import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import {
  carePurposes,
  channels,
  suffices,
  type Channel,
  type Consent,
  type ContactBlock,
  type ContactDecision,
  type LegalBasis,
  type Purpose,
} from './consent.ts';
import type { PatientStatus } from './patient.ts';
import { isValid } from './phone.ts';

export const entityType = 'CONTACT';
export const foldVersion = 1;

/** One attempt at this number, while it is recent. */
export interface Attempt {
  id: string;
  channel: Channel;
  startedAt: string;
  endedAt: string | null;
}

/** A phone number of the workspace's people: consents, opt-out and attempts belong to the number, not to a person (C-15). */
export const table = defineEntity({
  name: 'Contact',
  tableName: 'contact',
  properties: {
    ...rowColumns,
    phone: p.text(),
    consents: p.json().$type<Consent[]>(),
    /** When a person at this number asked not to be contacted again; null: nobody did. */
    optedOutAt: p.datetime().nullable(),
    attempts: p.json().$type<Attempt[]>(),
  },
  uniques: [{ properties: ['workspaceId', 'phone'] }],
});
/** One number. */
export interface Contact extends InferEntity<typeof table> {}

/** What can happen to a number. */
export type Fact = AnyFact &
  (
    | { type: 'contact.consent_granted'; data: Omit<Consent, 'id' | 'revokedAt' | 'revocation'> }
    | { type: 'contact.opted_out'; data: { phone: string; patientId: string; reason: string } }
    | {
        type: 'contact.consent_revoked';
        data: { phone: string; patientId: string; channels: Channel[]; reason: string };
      }
    | { type: 'contact.attempted'; data: { phone: string; attemptId: string; channel: Channel } }
    | { type: 'contact.attempt_ended'; data: { phone: string; attemptId: string; endedReason: string } }
  );

/** How many of the newest attempts the row keeps: the caps look back a week at most (C-25). */
const keptAttempts = 50;

export const blank = (id: string, workspaceId: string): Contact => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  phone: '',
  consents: [],
  optedOutAt: null,
  attempts: [],
});

export function evolve(contact: Contact, event: Event<Fact>): Contact {
  const { type, data } = event as unknown as Fact;
  const at = event.effectiveAt;
  const next = { ...contact, phone: data.phone };
  switch (type) {
    case 'contact.consent_granted':
      return {
        ...next,
        consents: [...contact.consents, { ...data, id: event.id, revokedAt: null, revocation: null }],
      };
    case 'contact.opted_out':
      return { ...next, optedOutAt: at };
    case 'contact.consent_revoked':
      return { ...next, consents: contact.consents.map((consent) => revoked(consent, data, at)) };
    case 'contact.attempted': {
      const attempt = {
        id: data.attemptId,
        channel: data.channel,
        startedAt: at.toISOString(),
        endedAt: null,
      };
      return { ...next, attempts: [...contact.attempts, attempt].slice(-keptAttempts) };
    }
    case 'contact.attempt_ended':
      return {
        ...next,
        attempts: contact.attempts.map((a) =>
          a.id === data.attemptId ? { ...a, endedAt: at.toISOString() } : a,
        ),
      };
  }
}

/** Consents and opt-outs stand on the patient's timeline; attempts do so as calls. */
export const patientOf = (_contact: Contact, fact: Fact): string | null =>
  'patientId' in fact.data ? fact.data.patientId : null;

/** Records that a patient gave this number to a provider, which is consent for matters of care (C-14). Once for each patient. */
export function giveToProvider(
  contact: Contact,
  given: { phone: string; patientId: string; source: string; at: Date },
): Fact[] {
  const known = contact.consents.some((consent) => consent.patientId === given.patientId);
  if (known) return [];
  return [
    {
      type: 'contact.consent_granted',
      effectiveAt: given.at,
      sourceSystem: given.source,
      data: {
        patientId: given.patientId,
        phone: given.phone,
        channels: [...channels],
        purposes: [...carePurposes],
        basis: 'PRIOR_EXPRESS',
        grantedAt: given.at.toISOString(),
        method: 'number given to the provider',
        evidence: given.source,
      },
    },
  ];
}

/** Records what the person agreed to, in their own later act or on paper: one more entry of the ledger. */
export const grant = (
  _contact: Contact,
  consent: Omit<Consent, 'id' | 'revokedAt' | 'revocation'>,
): Fact[] => [{ type: 'contact.consent_granted', effectiveAt: new Date(consent.grantedAt), data: consent }];

/** Takes consent back for some channels; for all of them it is an opt-out of everything (C-27, C-38). */
export function revoke(
  _contact: Contact,
  revocation: { phone: string; patientId: string; channels: Channel[] | null; reason: string },
): Fact[] {
  const { channels: some, ...rest } = revocation;
  if (some === null) return [{ type: 'contact.opted_out', data: rest }];
  return [{ type: 'contact.consent_revoked', data: { ...rest, channels: some } }];
}

/** Records that an attempt at this number begins: before the carrier is asked. */
export const attempt = (
  _contact: Contact,
  given: { phone: string; attemptId: string; channel: Channel },
): Fact[] => [{ type: 'contact.attempted', data: given }];

/** Records that an attempt is over, and how it ended. */
export const endAttempt = (
  contact: Contact,
  ended: { id: string; endedReason?: string | null | undefined; endedAt?: Date | null | undefined },
): Fact[] => [
  {
    type: 'contact.attempt_ended',
    data: { phone: contact.phone, attemptId: ended.id, endedReason: ended.endedReason ?? '' },
    ...(ended.endedAt ? { effectiveAt: ended.endedAt } : {}),
  },
];

function revoked(
  consent: Consent,
  data: { patientId: string; channels: Channel[]; reason: string },
  at: Date,
): Consent {
  const touched =
    consent.patientId === data.patientId && consent.channels.some((c) => data.channels.includes(c));
  if (!touched || consent.revokedAt !== null || Date.parse(consent.grantedAt) > at.getTime()) return consent;
  return { ...consent, revokedAt: at.toISOString(), revocation: data.reason };
}

/** What the gate is asked. */
export interface Question {
  patient: { id: string; status: PatientStatus };
  /** Null when neither the caller nor the patient's record names a number. */
  phone: string | null;
  /** The number's own row; null when nothing is known of it. */
  contact: Contact | null;
  channel: Channel;
  purpose: Purpose;
  /** Grounds that the caller vouches for; null: only the ledger counts. */
  claimed: LegalBasis | null;
  /** States of attempts at this number that are not over. */
  open: ('ACTIVE' | 'UNCERTAIN')[];
  now: Date;
}

/** Which rules decided; changes with them. */
const policyVersion = '2026-11-20';

/** May this contact be attempted now? Every reason against it is listed, in the order of the rules. Unknown means no. */
export function decide(question: Question): ContactDecision {
  const grounds = groundsOf(question);
  const reasons = [...statusBlocks(question), ...phoneBlocks(question), ...grounds.blocks];
  if (question.contact?.optedOutAt) reasons.push('DO_NOT_CONTACT'); // C-27, C-38: for every channel, at once
  if (question.open.includes('ACTIVE')) reasons.push('ACTIVE_CONTACT');
  if (question.open.includes('UNCERTAIN')) reasons.push('OUTCOME_UNCERTAIN');
  return {
    allowed: reasons.length === 0,
    blocks: reasons,
    basis: grounds.basis,
    localTime: null,
    timeZone: null,
    nextAllowedAt: null,
    policyVersion,
    decidedAt: question.now.toISOString(),
  };
}

function statusBlocks({ patient }: Question): ContactBlock[] {
  return patient.status === 'ACTIVE' ? [] : [`PATIENT_${patient.status}`];
}

function phoneBlocks({ phone }: Question): ContactBlock[] {
  if (phone === null) return ['PHONE_MISSING'];
  return isValid(phone) ? [] : ['PHONE_INVALID'];
}

function groundsOf(question: Question): { basis: LegalBasis | null; blocks: ContactBlock[] } {
  const { purpose, channel, claimed, contact, patient } = question;
  const fitting = (contact?.consents ?? []).filter(
    (consent) =>
      consent.patientId === patient.id &&
      consent.channels.includes(channel) &&
      consent.purposes.includes(purpose),
  );
  const standing = fitting.filter((consent) => consent.revokedAt === null).map((consent) => consent.basis);
  if (fitting.length > 0 && standing.length === 0) return { basis: null, blocks: ['CONSENT_REVOKED'] };
  const basis = [...(claimed ? [claimed] : []), ...standing].find((candidate) =>
    suffices(candidate, purpose),
  );
  return basis ? { basis, blocks: [] } : { basis: null, blocks: ['NO_LEGAL_BASIS'] };
}
