import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import { InputRefusal } from './refusal.ts';
import { carePurposes, channels, type Channel, type Consent } from './consent.ts';

export const entityType = 'CONTACT';
export const foldVersion = 1;

/** Consent taken back for some channels. */
export interface Revocation {
  patientId: string;
  channels: Channel[];
  reason: string;
  /** ISO instant at which it was. */
  at: string;
}

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
    /** Consent that was taken back, by when it was; it outlives grants that are told of later. */
    revocations: p.json().$type<Revocation[]>(),
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
    | { type: 'contact.opted_out'; data: { phone: string; patientId: string | null; reason: string } }
    | {
        type: 'contact.consent_revoked';
        data: { phone: string; patientId: string; channels: Channel[]; reason: string };
      }
    | { type: 'contact.wrong_person'; data: { phone: string; patientId: string } }
    | { type: 'contact.attempted'; data: { phone: string; attemptId: string; channel: Channel } }
    | { type: 'contact.attempt_ended'; data: { phone: string; attemptId: string; endedReason: string } }
  );

/** How consent came about that a number given to the provider is (C-14). */
const providerMethod = 'number given to the provider';

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
  revocations: [],
  attempts: [],
});

export function evolve(contact: Contact, event: Event<Fact>): Contact {
  const { type, data } = event as unknown as Fact;
  const at = event.effectiveAt;
  const next = { ...contact, phone: data.phone };
  switch (type) {
    case 'contact.consent_granted': {
      const consent = { ...data, id: event.id, revokedAt: null, revocation: null };
      const optedOutAt = reopens(contact, data) ? null : contact.optedOutAt;
      return withRevocations({ ...next, optedOutAt, consents: [...contact.consents, consent] });
    }
    case 'contact.opted_out':
      return { ...next, optedOutAt: at };
    case 'contact.consent_revoked': {
      const { patientId, channels: taken, reason } = data;
      const revocation = { patientId, channels: taken, reason, at: at.toISOString() };
      return withRevocations({ ...next, revocations: [...contact.revocations, revocation] });
    }
    case 'contact.wrong_person': {
      const at = event.effectiveAt.toISOString();
      const revocation = { patientId: data.patientId, channels: [...channels], reason: 'wrong person', at };
      return withRevocations({ ...next, revocations: [...contact.revocations, revocation] });
    }
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
        method: providerMethod,
        evidence: given.source,
      },
    },
  ];
}

/** Records what the person agreed to. Of who has opted out, only with evidence of their own later act (C-39). */
export function grant(contact: Contact, consent: Omit<Consent, 'id' | 'revokedAt' | 'revocation'>): Fact[] {
  if (contact.optedOutAt && !reopens(contact, consent)) {
    const message =
      'This number has opted out: only evidence of what the person did since then can undo that.';
    throw new InputRefusal([{ path: ['input', 'evidence'], message }]);
  }
  return [{ type: 'contact.consent_granted', effectiveAt: new Date(consent.grantedAt), data: consent }];
}

/** Opts a number out of everything (C-27, C-38), whoever wrote it. `patientId` is null where nobody is known. */
export const optOut = (
  _contact: Contact,
  given: { phone: string; patientId: string | null; reason: string },
): Fact[] => [{ type: 'contact.opted_out', data: given }];

/**
 * Undoes an opt-out for texts alone, by what the person has written since (C-39): `evidence` names it. For the other
 * channels consent stays taken back, of everybody who had given any for this number.
 */
export function restartTexts(
  contact: Contact,
  given: { patientId: string; evidence: string; at: Date },
): Fact[] {
  if (!contact.optedOutAt) return [];
  const { phone } = contact;
  const reason = 'opted out; since then only texts were asked for';
  const people = new Set([given.patientId, ...contact.consents.map(({ patientId }) => patientId)]);
  const grantedAt = new Date(Math.max(given.at.getTime(), contact.optedOutAt.getTime() + 1));
  return [
    ...[...people].map((patientId): Fact => ({
      type: 'contact.consent_revoked',
      data: { phone, patientId, channels: ['VOICE', 'VOICEMAIL'], reason },
    })),
    ...grant(contact, {
      patientId: given.patientId,
      phone,
      channels: ['TEXT'],
      purposes: [...carePurposes],
      basis: 'PRIOR_EXPRESS',
      grantedAt: grantedAt.toISOString(),
      method: 'text of the person',
      evidence: given.evidence,
    }),
  ];
}

/** Takes consent back for some channels; for all of them it is an opt-out of everything (C-27, C-38). */
export function revoke(
  contact: Contact,
  revocation: { phone: string; patientId: string; channels: Channel[] | null; reason: string },
): Fact[] {
  const { channels: some, ...rest } = revocation;
  if (some === null) return optOut(contact, rest);
  return [{ type: 'contact.consent_revoked', data: { ...rest, channels: some } }];
}

/** Records that a stranger answers there: whatever the patient agreed to for this number no longer stands. */
export const disown = (_contact: Contact, given: { phone: string; patientId: string }): Fact[] => [
  { type: 'contact.wrong_person', data: given },
];

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

/** Whether consent stands for a channel: it was given, and not taken back since (a revocation wins by when it happened). */
export const stands = (contact: Contact, consent: Consent, channel: Channel): boolean =>
  consent.channels.includes(channel) && !contact.revocations.some((r) => takes(r, consent, channel));

const takes = (revocation: Revocation, { patientId, grantedAt }: Consent, channel: Channel): boolean =>
  revocation.patientId === patientId &&
  revocation.channels.includes(channel) &&
  Date.parse(revocation.at) >= Date.parse(grantedAt);

/** Whether somebody has opted out, or the person has taken back consent to this channel, since an attempt was allowed. */
export const isUnwanted = (
  { optedOutAt, revocations }: Contact,
  attempt: { patientId: string; channel: Channel; queuedAt: Date },
): boolean =>
  optedOutAt !== null ||
  revocations.some(
    ({ patientId, channels: taken, at }) =>
      patientId === attempt.patientId &&
      taken.includes(attempt.channel) &&
      Date.parse(at) >= attempt.queuedAt.getTime(),
  );

/** Shows as revoked what stands for no channel any more. */
function withRevocations(contact: Contact): Contact {
  const consents = contact.consents.map((consent) => {
    if (consent.channels.some((channel) => stands(contact, consent, channel))) return consent;
    const last = contact.revocations.findLast((r) =>
      consent.channels.some((channel) => takes(r, consent, channel)),
    );
    return { ...consent, revokedAt: last?.at ?? null, revocation: last?.reason ?? null };
  });
  return { ...contact, consents };
}

/** Only the person's own later act, with its evidence, undoes an opt-out; an import never does (C-39). */
const reopens = (
  { optedOutAt }: Contact,
  given: { grantedAt: string; method: string; evidence: string | null },
) =>
  !!optedOutAt &&
  given.method !== providerMethod &&
  !!given.evidence &&
  Date.parse(given.grantedAt) > optedOutAt.getTime();
