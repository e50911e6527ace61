import type { Contact } from '../domain/contact.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { By } from '../domain/event.ts';
import { confirmationOf } from '../domain/message-text.ts';
import { table as patients, type Patient } from '../domain/patient.ts';
import { table as workspaces, type Workspace } from '../domain/workspace.ts';
import type { Transaction } from '../world.ts';
import { intendText, type Intended } from './intent.ts';
import { judge } from './outbox.ts';
import { serviceOf } from './speaker.ts';

/**
 * Records the one confirmation of an opt-out that the carrier does not know of (C-35), in the transaction that records
 * the opt-out; null where even that is not allowed, or nobody would be named as who writes.
 */
export async function confirm(
  tx: Transaction,
  { conversation, contact }: { conversation: Conversation; contact: Contact },
  by: By,
): Promise<Intended | null> {
  const { workspaceId, patientId, phone, purpose, serviceId } = conversation;
  const here = { workspaceId: { eq: workspaceId } };
  const patient = await tx.findOne<Patient>(patients, { ...here, id: { eq: patientId } });
  const workspace = await tx.findOne<Workspace>(workspaces, { id: { eq: workspaceId } });
  const service = await serviceOf(tx, workspaceId, serviceId);
  if (!patient || !service) return null;
  const texted = { patient, contact, phone, purpose, workspace, isReply: true, isConfirmation: true };
  const { decision } = await judge(tx, texted, by);
  if (!decision.allowed) return null;
  const body = confirmationOf(service.name, patient.language);
  const allowed = { contact, body, decision, closesAt: null, isReply: true, taskId: null, path: ['body'] };
  return { ...(await intendText(tx, { conversation }, allowed, by)), isConfirmation: true };
}
