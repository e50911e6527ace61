import type { AnsweredBy, CallOrigin } from './call.ts';
import type { Recording, RecordingDecision } from './call-recording.ts';
import type { ContactDecision, LegalBasis, Purpose } from './consent.ts';
import type { Fact as AnyFact } from './event.ts';

/** What is known when a call is asked for; fixed from then on. */
export interface Intent {
  origin: CallOrigin;
  patientId: string;
  contactId: string;
  phoneTo: string;
  phoneFrom: string;
  reason: string;
  goal: string | null;
  systemPrompt: string | null;
  welcomeMessage: string | null;
  purpose: Purpose;
  tags: string[];
  metadata: Record<string, string>;
  variables: Record<string, string>;
  serviceId: string | null;
  useCaseId: string | null;
  /** The task that it is an attempt at; null: none. */
  taskId: string | null;
  /** The campaign and its run that it belongs to. Left out: none. */
  campaignId?: string | null;
  campaignRunId?: string | null;
  derivedFromId: string | null;
  /** The first call of the chain of callbacks; its own id where it begins one. */
  chainId: string;
  requestedBy: string;
  callbackUrl: string | null;
  basis: LegalBasis | null;
  decision: ContactDecision;
}

/** How the carrier's knowledge reached us: its answer, its callback, or our own question. */
export type Via = 'answer' | 'callback' | 'lookup';

/** Why the carrier did not take a call. */
export interface Rejection {
  carrierCode: string | null;
  message: string;
  retryable: boolean;
  reached: boolean;
  /** Why it was not even asked. Left out: it was. */
  withheld?: 'held_up' | 'unwanted';
}

/** What can be achieved with a call. */
export const outcomes = [
  'confirmed',
  'declined',
  'callback_requested',
  'opted_out',
  'wrong_person',
  'left_message',
  'unresolved',
] as const;
/** One of `outcomes`. */
export type Outcome = (typeof outcomes)[number];

/** How sure an agent is of what it has heard when it says nothing else: less than any system of record. */
export const agentConfidence = 0.7;

/** What one side of a call said. */
export interface Turn {
  speaker: string;
  text: string;
  /** ISO instant. */
  at: string;
}

/** What whoever speaks is given while the phone rings. */
export interface Prepared {
  /** What to do and how; for whoever thinks freely. */
  instructions: string;
  /** Said to whoever answers. */
  greeting: string;
  /** What is known of the patient, in at most 4,000 characters, the most relevant first. */
  patientSummary: string;
  /** Whether the call is recorded, and why. */
  recording?: RecordingDecision;
}

/** How a conversation went, as far as its transcript does not tell. */
export interface Conduct {
  /** Name and birth date agreed. */
  identityVerified: boolean;
  /** How often the person spoke into the agent's words. */
  interruptions: number;
}

/** What the agent that held a call tells of it. */
export interface Reported {
  outcome: Outcome;
  summary: string | null;
  answeredBy: AnsweredBy | null;
  transcript: Turn[];
  /** The tasks that its promises have become. */
  taskIds: string[];
  reportHash: string;
  /** Left out: the agent does not tell. */
  conduct?: Conduct | null;
}

/** How a call ended. */
export type Ended = { endedReason: string; durationSeconds?: number; answeredBy?: AnsweredBy; via: Via };
/** What can happen to a call. */
export type Fact = AnyFact &
  (
    | { type: 'outbound.initiated'; data: Intent }
    | { type: 'call.accepted'; data: { sid: string; via: Via } }
    | {
        type: 'call.rejected';
        data: Rejection;
      }
    | { type: 'call.uncertain'; data: { cause: string } }
    | { type: 'call.ringing'; data: { via: Via } }
    | { type: 'call.context_ready'; data: Prepared }
    | { type: 'call.answered'; data: { via: Via } }
    | { type: 'call.outcome_reported'; data: Reported }
    | { type: 'call.recorded'; data: Omit<Recording, 'recordedAt' | 'deletedAt'> }
    | { type: 'call.recording_stopped'; data: { reason: 'refused' } }
    | { type: 'call.recording_deleted'; data: { sids: string[] } }
    | { type: 'call.machine_detected'; data: { answeredBy: AnsweredBy; detail: string } }
    | {
        type: 'call.completed' | 'call.busy' | 'call.no_answer' | 'call.failed' | 'call.canceled';
        data: Ended;
      }
  );
