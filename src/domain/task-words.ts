/** What happened to an attempt or stands against one, as it is told to whoever looks after the patient. */
import type { ContactBlock } from './consent.ts';

const blockWords: Record<ContactBlock, string> = {
  OUTSIDE_CALLING_HOURS: 'outside calling hours',
  OUTSIDE_TASK_WINDOW: "outside the task's own hours",
  OUTSIDE_PREFERRED_WINDOW: 'outside the hours that the patient prefers',
  TIME_ZONE_UNKNOWN: "the patient's time zone is not known",
  NO_LEGAL_BASIS: 'there is no consent or other legal basis',
  CONSENT_REVOKED: 'consent was taken back',
  DO_NOT_CONTACT: 'this number has opted out',
  CHANNEL_BLOCKED: 'the patient does not want this channel',
  FREQUENCY_CAP: 'the patient was contacted as often as is allowed',
  COOLDOWN: 'the patient was contacted only a short while ago',
  ATTEMPTS_EXHAUSTED: 'no attempts are left',
  ACTIVE_CONTACT: 'another call to this number is under way',
  PATIENT_INACTIVE: 'the patient is inactive',
  PATIENT_DECEASED: 'the patient has died',
  PATIENT_TEST: 'the patient is a test record',
  PHONE_MISSING: 'the patient has no number',
  PHONE_INVALID: 'the number is not valid',
  NOT_ALLOWLISTED: 'the number is not on the allowlist',
  TASK_NO_LONGER_VALID: 'the time of the task is over',
  OUTCOME_UNCERTAIN: 'it is not known yet whether the last call to this number took place',
};

/** Why the gate said no. */
export const wordsOfBlocks = (blocks: readonly ContactBlock[]): string =>
  blocks.map((block) => blockWords[block]).join(', ');

const outcomeWords: Record<string, string> = {
  completed_by_machine: 'answered by a machine',
  completed_by_fax: 'answered by a fax machine',
  failed: 'could not be connected',
  canceled: 'the call was canceled',
  never_reached_carrier: 'the call never reached the carrier',
  unknown_to_carrier: 'the carrier lost the call',
  carrier_unavailable: 'the carrier could not be reached',
};

/** How an attempt ended, of `outcomeOf`'s word. Codes are kept for whoever looks into it. */
export function wordsOfOutcome(outcome: string): string {
  const [, what, code] = /^(failed_sip|carrier_rejected)(?:_(.+))?$/.exec(outcome) ?? [];
  if (what === 'failed_sip') return `could not be connected (SIP ${code})`;
  if (what) return `refused by the carrier${code ? ` (${code})` : ''}`;
  return outcomeWords[outcome] ?? outcome.replaceAll('_', ' ');
}

const units: [name: string, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** A length of time in its two largest units: 1 hour 30 minutes. */
export function wordsOfDuration(milliseconds: number): string {
  let rest = Math.round(milliseconds / 1000);
  const parts = units.map(([name, seconds]) => {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    return count === 0 ? '' : `${count} ${name}${count === 1 ? '' : 's'}`;
  });
  const first = parts.findIndex((part) => part !== '');
  return first < 0
    ? '0 seconds'
    : parts
        .slice(first, first + 2)
        .filter(Boolean)
        .join(' ');
}

/** Words as a sentence of their own. */
export const sentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
