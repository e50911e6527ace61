import { sql } from 'kysely';
import * as calls from '../domain/call.ts';
import type { Call, Fact } from '../domain/call.ts';
import { ends } from '../domain/call-progress.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import type { By } from '../domain/event.ts';
import { decide, zoneOf } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask } from '../domain/task.ts';
import { endAttempt, isAttemptedBy, run, type Sequel } from '../domain/task-progress.ts';
import { outcomeOf, sequelOf, verdictOf } from '../domain/task-retry.ts';
import { openPolicy } from '../domain/workspace.ts';
import { recentAttempts, workspacesOf } from './circumstances.ts';
import type { Transaction, World } from '../world.ts';
import { tripBreaker } from './breaker.ts';

/** Records what is news of a call, and what it means for its number and its task: all or nothing. */
export function openRecords({ world }: { world: World }) {
  /**
   * Records what is news of a call; with its end, the end of the attempt at its number and of its task, and whatever
   * else ends with it.
   */
  return async function record(
    call: Call,
    decideOn: (call: Call) => Fact[],
    cause: By,
    atTheEnd?: (tx: Transaction) => Promise<void>,
  ): Promise<Call> {
    const by = { ...cause, correlationId: call.taskId ?? call.id };
    const alone = (current: Call) => unlessShared(current, decideOn(current));
    const simple = await world.change(calls, call, alone, by);
    if (simple.events.length > 0 || decideOn(simple.row).length === 0) return simple.row;
    return world.transact(async (tx) => {
      const here = { workspaceId: { eq: call.workspaceId } };
      const contact = await tx.lock(contacts, { ...here, id: { eq: call.contactId } });
      const task = call.taskId ? await tx.lock(tasks, { ...here, id: { eq: call.taskId } }) : null;
      const current = await tx.lock(calls, { ...here, id: { eq: call.id } });
      if (!contact || !current) throw new Error(`call ${call.id} has lost its rows`);
      const facts = decideOn(current);
      const { row, events } = tx.decide(calls, current, facts, by);
      const because = { ...by, causationId: events.at(-1)?.id ?? null };
      if (events.length > 0) await tripBreaker(tx, row, because);
      const hasEnded = facts.some(({ type }) => ends(type));
      const isUntaken = facts.some((fact) => fact.type === 'call.rejected' && fact.data.retryable);
      const answered = facts.some(({ type }) => type === 'call.answered');
      let attempted = task;
      if (task && answered) attempted = tx.decide(tasks, task, run(task, call.id), because).row;
      if (!hasEnded) return row;
      const ended = tx.decide(contacts, contact, contacts.endAttempt(contact, row), because);
      if (attempted) {
        await conclude(tx, attempted, { call: row, contact: ended.row, isUntaken, by: because });
      }
      await atTheEnd?.(tx);
      return row;
    });
  };
}

/** Facts that may change a number, a task or a run are recorded with what they change there, and not alone. */
const unlessShared = (call: Call, facts: Fact[]): Fact[] => (facts.some(isShared(call)) ? [] : facts);

const isShared =
  ({ taskId, campaignRunId }: Call) =>
  ({ type }: Fact): boolean =>
    ends(type) ||
    (taskId !== null && type === 'call.answered') ||
    (campaignRunId !== null && type === 'call.uncertain');

interface Conclusion {
  call: Call;
  contact: Contact;
  isUntaken: boolean;
  by: By;
}

/** Records what follows for a task from the end of its attempt. */
async function conclude(tx: Transaction, task: OutboundTask, conclusion: Conclusion): Promise<void> {
  const { call, by } = conclusion;
  if (!isAttemptedBy(task, call.id)) return;
  const sequel = await sequelFor(tx, task, conclusion);
  tx.decide(tasks, task, endAttempt(task, { callId: call.id, outcome: outcomeOf(call) }, sequel), by);
}

async function sequelFor(tx: Transaction, task: OutboundTask, conclusion: Conclusion): Promise<Sequel> {
  const { call, contact, isUntaken, by } = conclusion;
  if (!isUntaken && verdictOf(call, call.outcome ?? null) === 'done') return { becomes: 'completed' };
  const { workspaceId, patientId } = task;
  const here = { workspaceId: { eq: workspaceId } };
  const patient = await tx.findOne<Patient>(patients.table, { ...here, id: { eq: patientId } });
  const exceptId = isUntaken ? { exceptId: call.id } : {};
  const asked = { workspaceIds: [workspaceId], patientIds: [patientId], now: by.now, ...exceptId };
  const recent = await recentAttempts(tx, asked);
  const workspace = (await workspacesOf(tx, [workspaceId])).get(workspaceId);
  const decisionAt = (now: Date) =>
    decide({
      patient: patient!,
      phone: contact.phone,
      contact,
      channel: task.channel,
      purpose: task.purpose,
      claimed: null,
      open: [],
      recent: recent.get(patientId) ?? [],
      policy: workspace?.policy ?? openPolicy,
      task: { window: task.window ?? null, validUntil: task.validUntil ?? null },
      ringSeconds: calls.ringSeconds,
      now,
    });
  const circumstances = { now: by.now, zone: zoneOf(decisionAt(by.now)), decisionAt };
  const sequel = sequelOf(task, { ...call, isUntaken }, circumstances);
  if (sequel.becomes !== 'scheduled') return sequel;
  const type = await pointlessSince(tx, task);
  return type ? { becomes: 'cancelled', counted: sequel.counted, reason: type } : sequel;
}

/**
 * The event that has made a task pointless while it was attempted; null: none has. Told by the order of storage, which
 * the patient's lock keeps: a clock that differs by a little would miss what came just then.
 */
async function pointlessSince(tx: Transaction, { id, workspaceId, patientId, cancelOn }: OutboundTask) {
  if (cancelOn.length === 0) return null;
  const [event] = await tx.query<{ type: string }>(sql`
    select type from event where workspace_id = ${workspaceId} and patient_id = ${patientId} and type = any(${cancelOn})
      and position > (select max(position) from event
        where workspace_id = ${workspaceId} and entity_id = ${id} and type = 'outbound.dispatched') limit 1`);
  return event?.type ?? null;
}
