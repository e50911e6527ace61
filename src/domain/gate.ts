import { capsDecision, type Caps } from './caps.ts';
import { localTimeAt } from './calendar.ts';
import {
  suffices,
  type Channel,
  type ContactBlock,
  type ContactDecision,
  type LegalBasis,
  type Purpose,
} from './consent.ts';
import { stands, type Contact } from './contact.ts';
import { openingOf, timeDecision, type LocalWindow } from './hours.ts';
import { whereaboutsOf, type Patient } from './patient.ts';
import { isValid } from './phone.ts';
import { candidateZones, type Candidates } from './zone.ts';

/** What an organization allows itself, within the law. */
export interface Policy {
  /** Its own hours, read on the clock of the person; empty: the law's alone. */
  hours: LocalWindow[];
  caps: Caps;
  /** How many calls may be under way before its tasks wait; null: as many as the carrier allows. */
  maxConcurrentCalls: number | null;
  /** For how many days recordings of calls are kept. */
  recordingDays: number;
}

/** What the gate is asked. */
export interface Question {
  patient: Pick<Patient, 'id' | 'status' | 'beliefs' | 'blockedChannels' | 'windows'>;
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
  /** When the patient was attempted in the last eight days, on whatever channel and number. */
  recent: Date[];
  policy: Policy;
  /** False where only an allowlist may be contacted and this number is not on it. Left out: true. */
  isOnAllowlist?: boolean;
  /** The task that the attempt is for. Left out: none. */
  task?: { window?: LocalWindow | null; validUntil?: Date | null };
  /**
   * Whether it answers what the person has just written: then neither the time, nor caps, nor what else is under way
   * stands against it. Left out: false.
   */
  isReply?: boolean;
  /** Whether it is the one confirmation of an opt-out, made within five minutes of it (C-35). Left out: false. */
  isConfirmation?: boolean;
  /** How long it may ring; 0 for what does not ring. */
  ringSeconds: number;
  now: Date;
}

/** Which rules decided; changes with them. */
const policyVersion = '2026-11-20';

/** The clock that is shown for a person of whom no zone is known (C-03). */
const unknownZone = 'America/New_York';

/** The zone of the clock that a decision was shown on. */
export const zoneOf = ({ timeZone }: ContactDecision): string => timeZone ?? unknownZone;

/** May this contact be attempted now? Every reason against it is listed, in the order of the rules. Unknown means no. */
export function decide(question: Question): ContactDecision {
  const { phone, now, open } = question;
  const where = candidateZones({ ...whereaboutsOf(question.patient), phone });
  const zone = where.primary ?? unknownZone;
  const grounds = groundsOf(question);
  const time = question.isReply ? anyTime(now) : timeOf(question, where, grounds.basis);
  const reasons: ContactBlock[] = [...statusBlocks(question), ...phoneBlocks(question), ...grounds.blocks];
  if (hasOptedOut(question)) reasons.push('DO_NOT_CONTACT'); // C-27, C-38: for every channel, at once
  if (question.patient.blockedChannels.includes(question.channel)) reasons.push('CHANNEL_BLOCKED');
  reasons.push(...time.blocks);
  if (question.task?.validUntil && now >= question.task.validUntil) reasons.push('TASK_NO_LONGER_VALID');
  if (open.includes('ACTIVE') && !question.isReply) reasons.push('ACTIVE_CONTACT');
  if (open.includes('UNCERTAIN') && !question.isReply) reasons.push('OUTCOME_UNCERTAIN');
  return {
    allowed: reasons.length === 0,
    blocks: reasons,
    basis: grounds.basis,
    localTime: localTimeAt(now, zone),
    timeZone: where.primary,
    nextAllowedAt: time.nextAllowedAt,
    policyVersion,
    decidedAt: now.toISOString(),
  };
}

const anyTime = (now: Date): Pick<ReturnType<typeof timeOf>, 'blocks' | 'nextAllowedAt'> => ({
  blocks: [],
  nextAllowedAt: now.toISOString(),
});

/** 47 CFR 64.1200(a)(12): a confirmation within five minutes is covered by the consent before it. */
const confirmationMs = 300_000;

const hasOptedOut = ({ contact, isConfirmation, now }: Question): boolean =>
  !!contact?.optedOutAt &&
  !(isConfirmation && now.getTime() - contact.optedOutAt.getTime() <= confirmationMs);

/** When the hours that are open now close; null: they are closed, or nothing closes them. What is sent must be out by then. */
export function closingOf(question: Question): Date | null {
  const where = candidateZones({ ...whereaboutsOf(question.patient), phone: question.phone });
  const opening = openingOf({ ...hoursAsked(question, where, null), now: question.now });
  return opening && Number.isFinite(opening.until) ? new Date(opening.until) : null;
}

function hoursAsked(question: Question, where: Candidates, basis: LegalBasis | null) {
  const { policy, patient, channel, purpose, ringSeconds } = question;
  return {
    zones: where.zones,
    states: where.states,
    organization: policy.hours,
    preferred: patient.windows,
    task: question.task?.window ?? null,
    ringSeconds,
    channel,
    purpose,
    emergency: basis === 'EMERGENCY',
  };
}

/** What time alone says: hours in every zone that the person may be in, then caps; both must be open at once. */
function timeOf(question: Question, where: Candidates, basis: LegalBasis | null) {
  const { now, recent, policy } = question;
  const asked = hoursAsked(question, where, basis);
  const hours = timeDecision({ ...asked, now });
  const caps = capsDecision({
    now,
    attempts: recent,
    basis,
    caps: policy.caps,
    zone: where.primary ?? unknownZone,
  });
  const isNever = !Number.isFinite(caps.freeAt.getTime());
  const next = isNever ? null : timeDecision({ ...asked, now: caps.freeAt }).nextAllowedAt;
  return { blocks: [...hours.blocks, ...caps.blocks], nextAllowedAt: next };
}

function statusBlocks({ patient }: Question): ContactBlock[] {
  return patient.status === 'ACTIVE' ? [] : [`PATIENT_${patient.status}`];
}

function phoneBlocks({ phone, isOnAllowlist = true }: Question): ContactBlock[] {
  if (phone === null) return ['PHONE_MISSING'];
  if (!isValid(phone)) return ['PHONE_INVALID'];
  return isOnAllowlist ? [] : ['NOT_ALLOWLISTED'];
}

function groundsOf(question: Question): { basis: LegalBasis | null; blocks: ContactBlock[] } {
  const { purpose, channel, claimed, contact, patient } = question;
  const fitting = (contact?.consents ?? []).filter(
    ({ patientId, channels, purposes }) =>
      patientId === patient.id && channels.includes(channel) && purposes.includes(purpose),
  );
  const standing = fitting
    .filter((consent) => contact && stands(contact, consent, channel))
    .map(({ basis }) => basis);
  if (fitting.length > 0 && standing.length === 0) return { basis: null, blocks: ['CONSENT_REVOKED'] };
  const basis = [...(claimed ? [claimed] : []), ...standing].find((candidate) =>
    suffices(candidate, purpose),
  );
  return basis ? { basis, blocks: [] } : { basis: null, blocks: ['NO_LEGAL_BASIS'] };
}
