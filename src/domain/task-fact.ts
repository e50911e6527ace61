import type { CallOrigin } from './call.ts';
import type { Channel, ContactDecision, Purpose } from './consent.ts';
import type { Fact as AnyFact } from './event.ts';
import type { LocalWindow } from './hours.ts';

/** What is known when a task is scheduled. Instants are ISO strings, because it is stored as JSON. */
export interface Wanted {
  patientId: string;
  phone: string;
  /** Whether the number was named; else the task follows the patient's own as it changes. */
  isPhoneNamed: boolean;
  /** The caller ID, resolved at once. */
  phoneFrom: string;
  /** The first channel that is tried. */
  channel: Channel;
  /** Whether the channel was named; else others are tried as well. */
  isChannelNamed: boolean;
  reason: string;
  goal: string | null;
  purpose: Purpose;
  /** 1 is the most urgent, 10 the least. */
  priority: number;
  scheduledFor: string;
  window: LocalWindow | null;
  validUntil: string | null;
  maxAttempts: number;
  backoffSeconds: number;
  serviceId: string | null;
  campaignId: string | null;
  triggerId: string | null;
  /** The campaign's run that it is paced with. Left out: nobody's. */
  queueId?: string;
  origin: CallOrigin;
  /** The call in which it was promised, and the first one of that call's chain. Left out: it was not. */
  derivedFromId?: string;
  chainId?: string;
  tags: string[];
  metadata: Record<string, string>;
  /** Types of events on this patient that make it pointless. */
  cancelOn: string[];
  requestedBy: string;
}

/** When it is tried next, and why then. */
export interface Next {
  /** ISO instant. */
  nextAttemptAt: string;
  nextAttemptReason: string;
  /** The channel that it moves to, with the number that sends there. Left out: it stays. */
  channel?: Channel;
  phoneFrom?: string;
}

/** It is not tried again. */
export interface Never {
  nextAttemptAt: null;
  nextAttemptReason: null;
  channel?: never;
  phoneFrom?: never;
}

/** An attempt that is about to be made. */
export interface Attempt {
  /** The attempt's id: of its call, its voicemail, or its message. */
  callId: string;
  phone: string;
  decision: ContactDecision;
  /** The first call of the chain that it belongs to. */
  chainId: string;
}

/** An attempt as it is recorded: which one it is, and until when it may take. */
export type Dispatched = Attempt & { attempt: number; leaseUntil: string };

/** An attempt that did not achieve what it was for, and what follows. */
export type Failed = {
  callId: string;
  outcome: string;
  /** False when nothing was dialled: such an attempt does not count. */
  counted: boolean;
  /** True when the channel does not reach the person at this number. Left out: it may. */
  isDead?: boolean;
} & (Next | Never);

/** What can happen to a task. */
export type Fact = AnyFact &
  (
    | { type: 'outbound.scheduled'; data: Wanted }
    | { type: 'outbound.rescheduled'; data: Next & { scheduledFor: string } }
    | { type: 'outbound.snoozed'; data: Next }
    | { type: 'outbound.blocked'; data: { decision: ContactDecision } & (Next | Never) }
    | { type: 'outbound.dispatched'; data: Dispatched }
    | { type: 'outbound.running'; data: { callId: string } }
    | { type: 'outbound.attempt_failed'; data: Failed }
    | { type: 'outbound.completed'; data: { callId: string; outcome: string } }
    | { type: 'outbound.failed' | 'outbound.timed_out' | 'outbound.cancelled'; data: { reason: string } }
  );
