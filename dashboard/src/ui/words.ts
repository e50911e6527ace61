import type { ContactBlock, LegalBasis } from '../operations.ts';
import { wordsOf } from './format.ts';

/** How a thing stands: how it is coloured, never the only way in which it is told. */
export type Tone = 'quiet' | 'good' | 'busy' | 'warn' | 'bad';

const tones: Record<string, Tone> = {
  QUEUED: 'quiet',
  RINGING: 'busy',
  IN_PROGRESS: 'good',
  COMPLETED: 'good',
  BUSY: 'warn',
  NO_ANSWER: 'warn',
  FAILED: 'bad',
  CANCELED: 'quiet',
  UNCERTAIN: 'bad',
  SCHEDULED: 'quiet',
  SNOOZED: 'quiet',
  DISPATCHED: 'busy',
  RUNNING: 'busy',
  CANCELLED: 'quiet',
  TIMED_OUT: 'bad',
  DRAFT: 'quiet',
  ACTIVE: 'good',
  PAUSED: 'warn',
  ARCHIVED: 'quiet',
  STOPPED_BY_BREAKER: 'bad',
  PENDING: 'busy',
  DELIVERED: 'good',
  NOT_DELIVERED: 'bad',
  SKIPPED: 'warn',
  SUCCEEDED: 'good',
  DEAD: 'bad',
  CLOSED: 'quiet',
  INACTIVE: 'warn',
  DECEASED: 'quiet',
  TEST: 'quiet',
};

/** The tone of a status. */
export const toneOf = (status: string): Tone => tones[status] ?? 'quiet';

const statuses: Record<string, string> = {
  IN_PROGRESS: 'Talking',
  QUEUED: 'Dialling',
  UNCERTAIN: 'Uncertain',
  COMPLETED: 'Completed',
  STOPPED_BY_BREAKER: 'Stopped by its breaker',
};

/** A status in words. */
export const statusOf = (status: string): string => statuses[status] ?? wordsOf(status);

/** Why someone may not be contacted, as one would say it to a colleague. */
export const blocks: Record<ContactBlock, string> = {
  OUTSIDE_CALLING_HOURS: 'It is outside of the hours in which the law lets us call where they may be.',
  OUTSIDE_TASK_WINDOW: 'It is outside of the hours that were set for this task.',
  OUTSIDE_PREFERRED_WINDOW: 'They asked to be contacted at other hours.',
  TIME_ZONE_UNKNOWN: 'We do not know what time it is where they are.',
  NO_LEGAL_BASIS: 'There is no consent or other legal basis for this purpose on this channel.',
  CONSENT_REVOKED: 'They have withdrawn their consent.',
  DO_NOT_CONTACT: 'They asked us not to contact them.',
  CHANNEL_BLOCKED: 'They do not want to be contacted this way.',
  FREQUENCY_CAP: 'They were contacted as often as allowed for now.',
  COOLDOWN: 'They were contacted a short while ago.',
  ATTEMPTS_EXHAUSTED: 'All attempts of this task have been made.',
  ACTIVE_CONTACT: 'Somebody is in contact with them right now.',
  PATIENT_INACTIVE: 'They are no longer a patient here.',
  PATIENT_DECEASED: 'They have died.',
  PATIENT_TEST: 'This is a test record.',
  PHONE_MISSING: 'We have no number of theirs.',
  PHONE_INVALID: 'Their number cannot be reached.',
  NOT_ALLOWLISTED: 'Their number is not on the list of those who may be contacted.',
  TASK_NO_LONGER_VALID: 'The task is past its time, or has become pointless.',
  OUTCOME_UNCERTAIN: 'How the last attempt ended is not known yet; we find out first.',
};

/** On what grounds someone may be contacted. */
export const bases: Record<LegalBasis, string> = {
  PRIOR_EXPRESS: 'They gave us this number for their care.',
  PRIOR_EXPRESS_WRITTEN: 'They agreed in writing.',
  HEALTHCARE_EXEMPTION: 'It is a healthcare message, within the limits of that exemption.',
  EMERGENCY: 'It is an emergency.',
  HUMAN_DIALED: 'A person dials it.',
};
