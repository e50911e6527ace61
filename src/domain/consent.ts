/** How a person can be reached. */
export const channels = ['VOICE', 'TEXT', 'VOICEMAIL'] as const;
/** One of `channels`. */
export type Channel = (typeof channels)[number];

/** Why someone is contacted. The first eight are the purposes of the healthcare exemption (C-22). */
export const purposes = [
  'APPOINTMENT_REMINDER',
  'WELLNESS_CHECKUP',
  'PRE_REGISTRATION',
  'PRE_OP_INSTRUCTIONS',
  'LAB_RESULTS',
  'POST_DISCHARGE_FOLLOW_UP',
  'PRESCRIPTION',
  'HOME_HEALTHCARE',
  'CARE_PLAN',
  'SCHEDULING',
  'BILLING',
  'MARKETING',
  'OTHER',
] as const;
/** One of `purposes`. */
export type Purpose = (typeof purposes)[number];

/** Purposes under the healthcare exemption, 47 CFR 64.1200(a)(9)(iv)(C) (C-22). */
const exempt = new Set<Purpose>(purposes.slice(0, 8));

/** What a number given to a provider is consent for (C-14): all matters of care, never money or advertising. */
export const carePurposes = purposes.filter((purpose) => purpose !== 'BILLING' && purpose !== 'MARKETING');

/** The grounds of an attempt, stored with it (C-12). */
export const bases = [
  'PRIOR_EXPRESS',
  'PRIOR_EXPRESS_WRITTEN',
  'HEALTHCARE_EXEMPTION',
  'EMERGENCY',
  'HUMAN_DIALED',
] as const;
/** One of `bases`. */
export type LegalBasis = (typeof bases)[number];

/** Why the gate says no; values of the contract's ContactBlock that can occur so far. */
export const blocks = [
  'OUTSIDE_CALLING_HOURS',
  'OUTSIDE_TASK_WINDOW',
  'OUTSIDE_PREFERRED_WINDOW',
  'TIME_ZONE_UNKNOWN',
  'NO_LEGAL_BASIS',
  'CONSENT_REVOKED',
  'DO_NOT_CONTACT',
  'CHANNEL_BLOCKED',
  'FREQUENCY_CAP',
  'COOLDOWN',
  'ATTEMPTS_EXHAUSTED',
  'ACTIVE_CONTACT',
  'PATIENT_INACTIVE',
  'PATIENT_DECEASED',
  'PATIENT_TEST',
  'PHONE_MISSING',
  'PHONE_INVALID',
  'NOT_ALLOWLISTED',
  'TASK_NO_LONGER_VALID',
  'OUTCOME_UNCERTAIN',
] as const;
/** One of `blocks`. */
export type ContactBlock = (typeof blocks)[number];

/** What the gate decided, and why. Instants are ISO strings, because it is stored as JSON. */
export interface ContactDecision {
  allowed: boolean;
  blocks: ContactBlock[];
  basis: LegalBasis | null;
  localTime: string | null;
  timeZone: string | null;
  nextAllowedAt: string | null;
  policyVersion: string;
  decidedAt: string;
}

/** One entry of the consent ledger: for one number, some channels and some purposes. */
export interface Consent {
  id: string;
  patientId: string;
  phone: string;
  channels: Channel[];
  purposes: Purpose[];
  basis: LegalBasis;
  grantedAt: string;
  method: string;
  evidence: string | null;
  revokedAt: string | null;
  revocation: string | null;
}

/** Whether these grounds are enough for this purpose. */
export function suffices(basis: LegalBasis, purpose: Purpose): boolean {
  if (purpose === 'MARKETING') return basis === 'PRIOR_EXPRESS_WRITTEN'; // C-13
  if (basis === 'HEALTHCARE_EXEMPTION') return exempt.has(purpose); // C-17, C-22
  return true;
}
