import { sql } from 'kysely';
import { newId } from '../clock.ts';
import type { Contact } from '../domain/contact.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { Fact } from '../domain/conversation-fact.ts';
import { hearPerson } from '../domain/conversation-progress.ts';
import { questionMs, table, type InboundMessage } from '../domain/inbound-message.ts';
import { whoWrites } from '../domain/message-text.ts';
import type { Patient } from '../domain/patient.ts';
import { table as workspaces, type Workspace } from '../domain/workspace.ts';
import type { Transaction } from '../world.ts';
import type { Arrival } from './inbox.ts';
import { judge } from './outbox.ts';
import { serviceAt } from './speaker.ts';

/** A question that is recorded, and that the carrier may be asked to send now. */
export interface Asked {
  workspaceId: string;
  sid: string;
  to: string;
  from: string;
  body: string;
}

/** What is parked on the way between these two numbers, oldest first. */
const parkedOn = async (tx: Transaction, { text, by }: Pick<Arrival, 'text' | 'by'>) =>
  (
    await tx.find<InboundMessage>(table, {
      workspaceId: { eq: by.workspaceId },
      phone: { eq: text.from },
      phoneFrom: { eq: text.to },
      dismissedAt: { eq: null },
    })
  ).toSorted((one, other) => one.at.getTime() - other.at.getTime());

/** The question who writes that waits for its answer, with everything that was written since it was put; null: none does. */
export async function openQuestion(
  tx: Transaction,
  arrival: Pick<Arrival, 'text' | 'by'>,
): Promise<{ parked: InboundMessage[] } | null> {
  const rows = (await parkedOn(tx, arrival)).filter(({ isShared }) => isShared);
  const asked = rows.findLast(({ answer }) => answer !== null);
  if (!asked || arrival.by.now.getTime() - asked.at.getTime() > questionMs) return null;
  return { parked: rows.slice(rows.indexOf(asked)) };
}

/**
 * Parks a text of which nobody knows whose it is. Where several people share the number they are asked once who writes;
 * answers the question, if it is to be put now.
 */
export async function park(
  tx: Transaction,
  contact: Contact,
  arrival: Arrival & { people: Patient[] },
): Promise<Asked | null> {
  const { text, by, wish, people } = arrival;
  const { sid, from: phone, to: phoneFrom, body, segments } = text;
  const { workspaceId } = by;
  const isShared = people.length > 1;
  const asks = isShared && !wish && !(await openQuestion(tx, arrival));
  const answer = asks ? await questionFor(tx, contact, arrival) : null;
  const last = (await parkedOn(tx, arrival)).at(-1);
  // Later than what is parked already, so that the order is kept.
  const at = new Date(Math.max(by.now.getTime(), (last?.at.getTime() ?? 0) + 1));
  const id = newId(by.now);
  const row = { workspaceId, sid, id, phone, phoneFrom, body, segments, at, isShared };
  await tx.insert(table, { ...row, answer, answerSid: null, dismissedAt: null, dismissedBy: null });
  return answer === null ? null : { workspaceId, sid, to: phone, from: phoneFrom, body: answer };
}

/** What was parked, as messages of a conversation at the times at which it was written. */
export const heardBefore = (conversation: Conversation, rows: InboundMessage[]): Fact[] =>
  rows.flatMap((row) =>
    hearPerson(conversation, { ...row, messageId: row.id }).map((fact) => ({ ...fact, effectiveAt: row.at })),
  );

/** Takes away what was parked and is part of a conversation now. */
export const unpark = (tx: Transaction, rows: InboundMessage[]) =>
  tx.query(sql`delete from inbound_message where workspace_id = any(${rows.map(({ workspaceId }) => workspaceId)})
    and sid = any(${rows.map(({ sid }) => sid)})`);

/** The question, if at least one of those who may have written may be answered. */
async function questionFor(
  tx: Transaction,
  contact: Contact,
  { people, number, by }: Arrival & { people: Patient[] },
): Promise<string | null> {
  const workspace = await tx.findOne<Workspace>(workspaces, { id: { eq: by.workspaceId } });
  const service = await serviceAt(tx, number);
  if (!service) return null;
  const about = { contact, phone: contact.phone, purpose: 'OTHER' as const, workspace, isReply: true };
  for (const patient of people) {
    const { decision } = await judge(tx, { ...about, patient }, by);
    if (decision.allowed) return whoWrites(service.name);
  }
  return null;
}
