import { sql } from 'kysely';
import type { AttemptEnd } from '../domain/attempt-end.ts';
import { ringSecondsOn } from '../domain/call.ts';
import type { Channel } from '../domain/consent.ts';
import type { Contact } from '../domain/contact.ts';
import type { By } from '../domain/event.ts';
import { decide, zoneOf } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask } from '../domain/task.ts';
import { endAttempt, isAttemptedBy, type Sequel } from '../domain/task-progress.ts';
import { sequelOf } from '../domain/task-retry.ts';
import { openPolicy } from '../domain/workspace.ts';
import { openSenders } from '../senders.ts';
import type { Transaction } from '../world.ts';
import { recentAttempts, workspacesOf } from './circumstances.ts';

/** An attempt that has ended, with the number that it was at. */
export interface Ended {
  end: AttemptEnd;
  contact: Contact;
  by: By;
}

/** Records what follows for a locked task from the end of its attempt, whatever the channel. */
export async function conclude(tx: Transaction, task: OutboundTask, ended: Ended): Promise<void> {
  const { end, by } = ended;
  if (!isAttemptedBy(task, end.id)) return;
  const sequel = await sequelFor(tx, task, ended);
  tx.decide(tasks, task, endAttempt(task, { callId: end.id, outcome: end.outcome }, sequel), by);
}

async function sequelFor(tx: Transaction, task: OutboundTask, { end, contact, by }: Ended): Promise<Sequel> {
  if (end.verdict === 'done') return { becomes: 'completed' };
  const { workspaceId, patientId } = task;
  const here = { workspaceId: { eq: workspaceId } };
  const exceptId = end.isUntaken ? { exceptId: end.id } : {};
  const asked = { workspaceIds: [workspaceId], patientIds: [patientId], now: by.now, ...exceptId };
  const [found, recent, workspaces] = await Promise.all([
    tx.findOne<Patient>(patients.table, { ...here, id: { eq: patientId } }),
    recentAttempts(tx, asked),
    workspacesOf(tx, [workspaceId]),
  ]);
  const patient = found!;
  const workspace = workspaces.get(workspaceId);
  const decisionAt = (now: Date, channel: Channel = task.channel) =>
    decide({
      patient,
      phone: contact.phone,
      contact,
      channel,
      purpose: task.purpose,
      claimed: null,
      open: [],
      recent: recent.get(patientId) ?? [],
      policy: workspace?.policy ?? openPolicy,
      task: { window: task.window ?? null, validUntil: task.validUntil ?? null },
      ringSeconds: ringSecondsOn[channel],
      now,
    });
  const choice = task.isChannelNamed ? noChoice : await choiceOf(tx, task, patient);
  const circumstances = { now: by.now, zone: zoneOf(decisionAt(by.now)), decisionAt, choice };
  const sequel = sequelOf(task, end, circumstances);
  if (sequel.becomes !== 'scheduled') return sequel;
  const type = await pointlessSince(tx, task);
  return type ? { becomes: 'cancelled', counted: sequel.counted, reason: type } : sequel;
}

/** Of a task whose channel was named. */
export const noChoice = { senders: [], preferred: null, worked: [] };

const choiceOf = async (tx: Transaction, task: OutboundTask, { preferredChannel }: Patient) =>
  (await openSenders(tx, [task])).choiceOf(task, preferredChannel ?? null);

/**
 * The event that has made a task pointless while it was attempted; null: none has. Told by the order of storage, which
 * the patient's lock keeps: a clock that differs by a little would miss what came just then.
 */
async function pointlessSince(tx: Transaction, { id, workspaceId, patientId, cancelOn }: OutboundTask) {
  if (cancelOn.length === 0) return null;
  const [event] = await tx.prepared<{ type: string }>(sql`
    select type from event where workspace_id = ${workspaceId} and patient_id = ${patientId} and type = any(${cancelOn})
      and position > (select max(position) from event
        where workspace_id = ${workspaceId} and entity_id = ${id} and type = 'outbound.dispatched') limit 1`);
  return event?.type ?? null;
}
