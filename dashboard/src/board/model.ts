import type { BoardCallFragment, BoardQuery, BoardTaskFragment } from '../operations.ts';
import type { Change } from '../live/feed.ts';

/** A call as the board shows it. */
export type BoardCall = BoardCallFragment & {
  /** Since when it has been in its state: an ISO instant. */
  sinceAt: string;
};

/** A task that waits. */
export type BoardTask = BoardTaskFragment;

/** What the carrier did with one request. */
export interface CarrierAnswer {
  at: string;
  type: string;
  callId: string;
  /** The carrier's own code of a refusal. */
  code: string | null;
}

/** Everything that the board shows. */
export interface Board {
  inFlight: BoardCall[];
  /** Newest first. */
  ended: BoardCall[];
  /** The next first. */
  ahead: BoardTask[];
  /** How many wait in all, `ahead` or not. */
  aheadCount: number;
  /** Newest first. */
  carrier: CarrierAnswer[];
}

/** The events by which the carrier's health is told. */
export const carrierTypes = ['call.accepted', 'call.rejected', 'call.uncertain'];

/** How many ended calls and answers of the carrier are kept. */
const keep = 300;

type Data = Record<string, unknown>;
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** The status that a call has after an event of this type; undefined: as before. */
const statusAfter: Record<string, BoardCall['status'] | undefined> = {
  'outbound.initiated': 'QUEUED',
  'call.uncertain': 'UNCERTAIN',
  'call.rejected': 'FAILED',
  'call.ringing': 'RINGING',
  'call.answered': 'IN_PROGRESS',
  'call.completed': 'COMPLETED',
  'call.busy': 'BUSY',
  'call.no_answer': 'NO_ANSWER',
  'call.failed': 'FAILED',
  'call.canceled': 'CANCELED',
};

/** The same for tasks: those that wait are ahead. */
const taskAfter: Record<string, BoardTask['status'] | undefined> = {
  'outbound.scheduled': 'SCHEDULED',
  'outbound.rescheduled': 'SCHEDULED',
  'outbound.snoozed': 'SNOOZED',
  'outbound.blocked': 'SCHEDULED',
  'outbound.dispatched': 'DISPATCHED',
  'outbound.running': 'RUNNING',
  'outbound.attempt_failed': 'SCHEDULED',
  'outbound.completed': 'COMPLETED',
  'outbound.failed': 'FAILED',
  'outbound.cancelled': 'CANCELLED',
  'outbound.timed_out': 'TIMED_OUT',
};

const isInFlight = ({ status }: Pick<BoardCall, 'status'>) =>
  ['QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN'].includes(status);

/** A board that is kept up to date by folding what happens into what was there. */
export function createBoard() {
  const calls = new Map<string, BoardCall>();
  const tasks = new Map<string, BoardTask>();
  let ended: BoardCall[] = [];
  let carrier: CarrierAnswer[] = [];
  /** Tasks that wait and are not in `tasks`, because they are due later than what was read. */
  let beyond = 0;

  /** Begins with what the API says is there now. */
  function begin(inFlight: BoardCallFragment[], now: BoardQuery): void {
    calls.clear();
    tasks.clear();
    for (const call of inFlight) calls.set(call.id, { ...call, sinceAt: call.answeredAt ?? call.queuedAt });
    ended = now.ended.edges.map(({ node }) => ({ ...node, sinceAt: node.endedAt ?? node.queuedAt }));
    for (const { node } of now.ahead.edges) tasks.set(node.id, node);
    beyond = now.ahead.totalCount - tasks.size;
    carrier = now.carrier.edges.map(({ node }) => answerOf(node));
  }

  /** Takes in what has happened. What is already there changes nothing. */
  function fold(changes: Change[]): void {
    for (const change of changes) {
      if (change.entityType === 'CALL') foldCall(change);
      if (change.entityType === 'OUTBOUND_TASK') foldTask(change);
      if (carrierTypes.includes(change.type)) carrier = [answerOf(change), ...carrier].slice(0, keep);
    }
  }

  function foldCall(change: Change): void {
    const { entityId, type, effectiveAt } = change;
    const data = change.data as Data;
    const before = calls.get(entityId);
    const done = ended.findIndex(({ id }) => id === entityId);
    if (done >= 0) {
      // How it ended is known; what came of it may be told later.
      if (type === 'call.outcome_reported')
        ended = ended.with(done, { ...ended[done]!, outcome: text(data['outcome']) });
      return;
    }
    const call = before ?? (type === 'outbound.initiated' ? begun(change) : null);
    if (!call) return;
    const status = statusAfter[type] ?? call.status;
    const after: BoardCall = {
      ...call,
      ...toldBy(data),
      status,
      sinceAt: status === call.status ? call.sinceAt : effectiveAt,
    };
    if (isInFlight(after)) return void calls.set(entityId, after);
    calls.delete(entityId);
    const reason = after.endedReason ?? (type === 'call.rejected' ? 'carrier_rejected' : null);
    ended = [{ ...after, endedAt: effectiveAt, endedReason: reason }, ...ended].slice(0, keep);
  }

  function foldTask(change: Change): void {
    const { entityId, type } = change;
    const data = change.data as Data;
    const before = tasks.get(entityId) ?? (type === 'outbound.scheduled' ? waiting(change) : null);
    if (!before) return;
    const isOver = type === 'outbound.attempt_failed' && data['nextAttemptAt'] === null;
    const status = isOver ? 'FAILED' : (taskAfter[type] ?? before.status);
    if (['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(status))
      return void tasks.delete(entityId);
    tasks.set(entityId, {
      ...before,
      status,
      attempts: typeof data['attempt'] === 'number' ? data['attempt'] : before.attempts,
      nextAttemptAt: text(data['nextAttemptAt']) ?? before.nextAttemptAt,
      nextAttemptReason: text(data['nextAttemptReason']) ?? before.nextAttemptReason,
    });
  }

  /** What is there now, as a value that does not change. */
  function show(): Board {
    const waits = [...tasks.values()].filter(({ status }) => status === 'SCHEDULED' || status === 'SNOOZED');
    return {
      inFlight: [...calls.values()].toSorted((a, b) => a.queuedAt.localeCompare(b.queuedAt)),
      ended,
      ahead: waits.toSorted(sooner),
      aheadCount: waits.length + beyond,
      carrier,
    };
  }

  return { begin, fold, show };
}

const sooner = (a: BoardTask, b: BoardTask) =>
  (a.nextAttemptAt ?? '').localeCompare(b.nextAttemptAt ?? '') || a.priority - b.priority;

const answerOf = ({
  type,
  entityId,
  data,
  recordedAt,
}: Pick<Change, 'type' | 'entityId' | 'data' | 'recordedAt'>) => ({
  at: recordedAt,
  type,
  callId: entityId,
  code: text(data['carrierCode']),
});

/** A call as the event that began it tells. */
function begun({ entityId, patient, effectiveAt, data }: Change): BoardCall | null {
  if (!patient) return null;
  return {
    id: entityId,
    patient,
    status: 'QUEUED',
    origin: data['origin'] as BoardCall['origin'],
    purpose: data['purpose'] as BoardCall['purpose'],
    reason: text(data['reason']) ?? '',
    phoneTo: text(data['phoneTo']) ?? '',
    queuedAt: effectiveAt,
    sinceAt: effectiveAt,
    answeredAt: null,
    answeredBy: null,
    endedAt: null,
    endedReason: null,
    outcome: null,
    durationSeconds: null,
  };
}

/** What an event of a call tells beside its type. */
function toldBy(data: Data): Partial<BoardCall> {
  return {
    ...(text(data['answeredBy']) ? { answeredBy: data['answeredBy'] as BoardCall['answeredBy'] } : {}),
    ...(text(data['endedReason']) ? { endedReason: text(data['endedReason']) } : {}),
    ...(text(data['outcome']) ? { outcome: text(data['outcome']) } : {}),
    ...(typeof data['durationSeconds'] === 'number' ? { durationSeconds: data['durationSeconds'] } : {}),
  };
}

/** A task as the event that scheduled it tells. */
function waiting({ entityId, patient, data }: Change): BoardTask | null {
  if (!patient) return null;
  return {
    id: entityId,
    patient,
    status: 'SCHEDULED',
    reason: text(data['reason']) ?? '',
    priority: Number(data['priority']),
    channel: data['channel'] as BoardTask['channel'],
    nextAttemptAt: text(data['scheduledFor']),
    nextAttemptReason: null,
    attempts: 0,
    maxAttempts: Number(data['maxAttempts']),
  };
}
