import { defineEntity, p } from '@mikro-orm/core';
import {
  isOver,
  rank,
  ringSeconds,
  terminalOf,
  type AnsweredBy,
  type Call,
  type CallStatus,
  type Ended,
  type Fact,
  type Rejection,
  type Via,
} from './call.ts';
import type { Prepared, Reported } from './call-fact.ts';
import { NotFoundRefusal, StateRefusal } from './refusal.ts';

/**
 * For how many milliseconds a status is believed without a word from the carrier; then the sweeper asks.
 * QUEUED covers the longest wait for the carrier's own answer, with its retries.
 */
export const patienceMs: Partial<Record<CallStatus, number>> = {
  QUEUED: 15_000,
  UNCERTAIN: 1_000,
  RINGING: (ringSeconds + 10) * 1000,
  IN_PROGRESS: 60_000,
};

/**
 * How long the carrier's list may lag behind what it has accepted, before a call that is not in it was never placed;
 * reckoned from when it was first read without the call: while the carrier is out of reach, a request may be on its way.
 * The list is eventually consistent by Twilio's documentation, without a figure; a minute is generous.
 */
export const listLagMs = 60_000;

/** What the carrier answered when it was asked to dial. */
export type Answer =
  | { outcome: 'accepted'; sid: string }
  | ({ outcome: 'rejected' } & Rejection)
  | { outcome: 'unknown'; cause: string };

/** Records the carrier's answer. What a callback told in the meantime stands: an answer never lowers a status. */
export function answer(call: Call, given: Answer): Fact[] {
  if (given.outcome === 'accepted') return accept(call, given.sid, 'answer');
  if (call.sid !== null || isOver(call)) return [];
  const { outcome, ...data } = given;
  if (outcome === 'rejected') return [{ type: 'call.rejected', data: data as Rejection }];
  return call.status === 'UNCERTAIN' ? [] : [{ type: 'call.uncertain', data: data as { cause: string } }];
}

/** Something the carrier said of a call, by callback or when asked; in its own words, with its own time. */
export interface Heard {
  sid: string;
  /** Twilio: CallStatus, or the status of its call resource. */
  status: string;
  at: Date;
  durationSeconds?: number | undefined;
  sipCode?: string | undefined;
  /** Twilio: AnsweredBy, such as human or machine_end_beep. */
  answeredBy?: string | undefined;
  via: Via;
}

/**
 * When something happened that the carrier stamps with whole seconds: the last instant of that second, but not later
 * than now; so that what happened in the same second keeps the order in which it was heard.
 */
export const withinSecond = (stamp: Date, now: Date): Date =>
  new Date(Math.min(now.getTime(), stamp.getTime() + 999));

/** What of it is news. Late, early, repeated and disordered words are all harmless: only a rise is recorded. */
export function hear(call: Call, heard: Heard): Fact[] {
  if (call.sid !== null && call.sid !== heard.sid) return [];
  const accepted = accept(call, heard.sid, heard.via);
  const told = tell[heard.status];
  if (!told || rank[told.status] <= rank[call.status]) return accepted;
  const effectiveAt = new Date(Math.max(heard.at.getTime(), (call.answeredAt ?? call.queuedAt).getTime()));
  if (rank[told.status] < 4) {
    return [...accepted, { type: told.type, data: { via: heard.via }, effectiveAt } as Fact];
  }
  const answeredBy = answererOf(heard.answeredBy);
  const data: Ended = {
    endedReason:
      told.type === 'call.failed' && heard.sipCode
        ? `failed_sip_${heard.sipCode}`
        : told.status.toLowerCase(),
    via: heard.via,
    ...(heard.durationSeconds === undefined ? {} : { durationSeconds: heard.durationSeconds }),
    ...(answeredBy ? { answeredBy } : {}),
  };
  return [...accepted, { type: told.type, data, effectiveAt } as Fact];
}

/** Records what whoever speaks is given. Once, and only while somebody may still answer. */
export const prepare = (call: Call, prepared: Prepared): Fact[] =>
  call.context || isOver(call) ? [] : [{ type: 'call.context_ready', data: prepared }];

/** Records what an agent says that was achieved. Told again it changes nothing; refuses another report, and one of a call that nobody answered. */
export function report(call: Call, reported: Reported): Fact[] {
  if (call.reportHash === reported.reportHash) return [];
  if (call.reportHash !== null)
    throw new StateRefusal('ILLEGAL_TRANSITION', 'The outcome of this call has been reported.', call.status);
  if (rank[call.status] === 4 && call.status !== 'COMPLETED')
    throw new StateRefusal('ILLEGAL_TRANSITION', 'Nobody answered this call.', call.status);
  if (call.status === 'QUEUED')
    throw new StateRefusal('ILLEGAL_TRANSITION', 'This call has not been answered yet.', call.status);
  return [{ type: 'call.outcome_reported', data: reported }];
}

/** Records that no person answered. A verdict that comes after the end still tells who answered. */
export function detect(call: Call, detail: string, at: Date): Fact[] {
  const answeredBy = answererOf(detail);
  if (answeredBy === null || answeredBy === 'HUMAN' || call.answeredBy !== null) return [];
  return [{ type: 'call.machine_detected', data: { answeredBy, detail }, effectiveAt: at }];
}

/** Gives a call up that the carrier has never heard of: it was not dialled, and is not dialled again. */
export function giveUp(call: Call): Fact[] {
  if (isOver(call) || call.sid !== null) return [];
  return [{ type: 'call.failed', data: { endedReason: 'never_reached_carrier', via: 'lookup' } }];
}

/** Records that the carrier no longer knows a call that it once accepted. */
export function forget(call: Call): Fact[] {
  return isOver(call)
    ? []
    : [{ type: 'call.failed', data: { endedReason: 'unknown_to_carrier', via: 'lookup' } }];
}

/** How the carrier is asked to end this call. Refuses ILLEGAL_TRANSITION when it is over or its outcome is unknown. */
export function ending(call: Call): { sid: string; status: 'canceled' | 'completed' } {
  if (isOver(call)) throw new StateRefusal('ILLEGAL_TRANSITION', 'This call is already over.', call.status);
  if (!call.sid) {
    const message = 'The carrier has not confirmed this call yet. Try again when its status has changed.';
    throw new StateRefusal('ILLEGAL_TRANSITION', message, call.status);
  }
  return { sid: call.sid, status: call.status === 'IN_PROGRESS' ? 'completed' : 'canceled' };
}

const accept = (call: Call, sid: string, via: Via): Fact[] =>
  call.sid === null && !isOver(call) ? [{ type: 'call.accepted', data: { sid, via } }] : [];

/** The carrier's words for what happened, and ours. `queued` and `initiated` tell nothing but that it was accepted. */
const tell: Record<string, { status: CallStatus; type: Fact['type'] } | undefined> = {
  ringing: { status: 'RINGING', type: 'call.ringing' },
  'in-progress': { status: 'IN_PROGRESS', type: 'call.answered' },
  completed: { status: 'COMPLETED', type: 'call.completed' },
  busy: { status: 'BUSY', type: 'call.busy' },
  'no-answer': { status: 'NO_ANSWER', type: 'call.no_answer' },
  failed: { status: 'FAILED', type: 'call.failed' },
  canceled: { status: 'CANCELED', type: 'call.canceled' },
};

/** Twilio: human, machine_start, machine_end_beep, machine_end_silence, machine_end_other, fax, unknown. */
function answererOf(detail: string | undefined): AnsweredBy | null {
  if (!detail) return null;
  if (detail.startsWith('machine')) return 'MACHINE';
  return detail === 'human' ? 'HUMAN' : detail === 'fax' ? 'FAX' : 'UNKNOWN';
}

/** When the sweeper may ask the carrier about a call again; a row for each call that it has asked about. */
export const watches = defineEntity({
  name: 'CallWatch',
  tableName: 'call_watch',
  properties: {
    workspaceId: p.uuid().primary(),
    callId: p.uuid().primary(),
    asks: p.integer(),
    askAt: p.datetime(),
    /** Since when the carrier's list has been read without this call in it; null: not yet. */
    missingAt: p.datetime().nullable(),
  },
});

/** There is none with this id. */
export const noSuchCall = (id: string): NotFoundRefusal =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such call in this workspace.', id);

/** Whether an event of this type ends a call. */
export const ends = (type: string): boolean => type === 'call.rejected' || type in terminalOf;

/** Twilio's codes for a refusal of this one number: invalid, unreachable, not permitted, blocked. They say nothing of the carrier. */
export const aboutNumber = ['13223', '13224', '21211', '21214', '21215', '21216', '21217', '21610'];

/**
 * Whether the carrier, and not the number or the person, is why this call did not come about, as far as is known: it
 * could not be asked, refused the account, did not answer, or was looked through and knew of no such call. Once the call
 * is over nothing has rung; while it is UNCERTAIN it may have. What the carrier has accepted is none of it, however it ended.
 */
export const isCarriersFailure = ({
  status,
  endedReason,
  carrierCode,
  sid,
}: Pick<Call, 'status' | 'endedReason' | 'carrierCode' | 'sid'>): boolean =>
  sid === null &&
  (status === 'UNCERTAIN' ||
    endedReason === 'carrier_unavailable' ||
    endedReason === 'never_reached_carrier' ||
    (endedReason?.startsWith('carrier_rejected') === true && !aboutNumber.includes(carrierCode ?? '')));
