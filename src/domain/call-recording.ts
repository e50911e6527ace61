/**
 * Whether a call is recorded (C-44): only if its service asks for it, and the law of the patient's place and the patient
 * allow it. Unknown means that everybody on the call must consent.
 */
import type { Belief } from './belief.ts';
import type { Call } from './call.ts';
import type { Fact } from './call-fact.ts';
import { whereaboutsOf, type Patient } from './patient.ts';
import { statesWithin } from './zone.ts';

/** Why a call is recorded or not. */
export type RecordingReason = 'NOT_ASKED' | 'REFUSED' | 'CONSENT_MISSING' | 'CONSENTED' | 'ONE_PARTY';

/** What was decided of recording a call, and why. */
export interface RecordingDecision {
  allowed: boolean;
  reason: RecordingReason;
  /** USPS codes of the states that the patient may be in; empty: unknown. */
  states: string[];
  /** Whether the person is told first that the call is recorded. */
  announced: boolean;
}

/** What is known of one recording at the carrier. */
export interface Recording {
  /** The carrier's id. */
  sid: string;
  durationSeconds: number | null;
  /** ISO instants; deletedAt is null as long as the carrier has it. */
  recordedAt: string;
  deletedAt: string | null;
}

/** What a patient's record says about being recorded: a fact of this key, `given` or anything else for a refusal. */
export const consentKey = 'recordingConsent';

/** Consent must be as sure as a system of record: what an agent has heard (0.7) is enough to refuse, and not to consent. */
const leastConfidence = 0.9;

/** How many days recordings are kept unless the workspace says otherwise. */
export const defaultKeptDays = 30;

/**
 * States where the consent of one side is enough, as everywhere under federal law (18 U.S.C. 2511(2)(d)); read 2026-11-20.
 * The others ask for everybody's, or sources disagree: Cal. Penal Code 632; Conn. Gen. Stat. 52-570d; 11 Del. C. 1335; Fla.
 * Stat. 934.03; 720 ILCS 5/14-2; Md. Cts. & Jud. Proc. 10-402; Mass. G.L. c. 272 s. 99; MCL 750.539c; Mont. Code 45-8-213; NRS
 * 200.620; N.H. RSA 570-A:2; ORS 165.540; 18 Pa.C.S. 5704; RCW 9.73.030; Vermont (no statute) and the territories.
 */
const oneParty = new Set(
  'AK AL AR AZ CO DC GA HI IA ID IN KS KY LA ME MN MO MS NC ND NE NJ NM NY OH OK RI SC SD TN TX UT VA WI WV WY'.split(
    ' ',
  ),
);

/** Decides whether a call to this number of a patient is recorded. */
export function decideRecording({
  isAsked,
  patient,
  phone,
}: {
  isAsked: boolean;
  patient: Pick<Patient, 'beliefs'>;
  phone: string;
}): RecordingDecision {
  const states = statesWithin({ ...whereaboutsOf(patient), phone });
  const isOneParty = states.length > 0 && states.every((state) => oneParty.has(state));
  const decided = (reason: RecordingReason): RecordingDecision => {
    const allowed = reason === 'CONSENTED' || reason === 'ONE_PARTY';
    return { allowed, reason, states, announced: allowed && !isOneParty };
  };
  if (!isAsked) return decided('NOT_ASKED');
  const consent = consentOf(patient.beliefs[consentKey] ?? []);
  if (consent !== null) return decided(consent);
  return decided(isOneParty ? 'ONE_PARTY' : 'CONSENT_MISSING');
}

/** A refusal wins over what was said before it or at the same time, however sure that was. */
function consentOf(beliefs: Belief[]): 'CONSENTED' | 'REFUSED' | null {
  const isConsent = ({ value }: Belief) => value.trim().toLowerCase() === 'given';
  const newest = (said: Belief[]) => Math.max(...said.map(({ effectiveAt }) => Date.parse(effectiveAt)));
  const refusedAt = newest(beliefs.filter((belief) => !isConsent(belief)));
  const sure = beliefs.filter((belief) => isConsent(belief) && belief.confidence >= leastConfidence);
  if (newest(sure) > refusedAt) return 'CONSENTED';
  return Number.isFinite(refusedAt) ? 'REFUSED' : null;
}

/** Records that the carrier has a recording of a call. Told again it changes nothing. */
export const record = (call: Call, recording: Pick<Recording, 'sid' | 'durationSeconds'>): Fact[] =>
  call.recordings.some(({ sid }) => sid === recording.sid)
    ? []
    : [{ type: 'call.recorded', data: { sid: recording.sid, durationSeconds: recording.durationSeconds } }];

/** Records that somebody on a call does not want it recorded; of one that is not recorded there is nothing to stop. */
export const stop = (call: Call): Fact[] =>
  call.context?.recording?.allowed && call.recordingsSince === null
    ? [{ type: 'call.recording_stopped', data: { reason: 'refused' } }]
    : [];

/** Records that the carrier has no recording of a call any more; `sids` are those that it had. */
export const remove = (call: Call, sids: string[]): Fact[] => {
  const all = [...new Set([...sids, ...undeleted(call)])];
  return call.recordingsSince === null ? [] : [{ type: 'call.recording_deleted', data: { sids: all } }];
};

const undeleted = ({ recordings }: Call): string[] =>
  recordings.filter(({ deletedAt }) => deletedAt === null).map(({ sid }) => sid);
