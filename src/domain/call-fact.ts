import type { AnsweredBy, CallOrigin } from './call.ts';
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
    | { type: 'call.answered'; data: { via: Via } }
    | { type: 'call.machine_detected'; data: { answeredBy: AnsweredBy; detail: string } }
    | {
        type: 'call.completed' | 'call.busy' | 'call.no_answer' | 'call.failed' | 'call.canceled';
        data: Ended;
      }
  );
