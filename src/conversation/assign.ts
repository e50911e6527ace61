import { sql } from 'kysely';
import { newId } from '../clock.ts';
import { carePurposes } from '../domain/consent.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { By } from '../domain/event.ts';
import { table, type InboundMessage } from '../domain/inbound-message.ts';
import type { Patient } from '../domain/patient.ts';
import { InputRefusal, NotFoundRefusal, StateRefusal } from '../domain/refusal.ts';
import { phoneNumbers, type PhoneNumber } from '../domain/workspace.ts';
import { contactOf, findPatient } from '../registry.ts';
import type { Transaction, World } from '../world.ts';
import { heardBefore, unpark } from './parking.ts';
import { closeOpen } from './record.ts';
import { openFor } from './writer.ts';
import { write } from './write.ts';

/** What people do with parked texts: say whose they are, or that they need no answer. */
export function openParked({ world }: { world: World }) {
  /**
   * Makes parked texts messages of a patient's conversation on the numbers that they went between: of the one that is
   * open there, else of a new one. Refuses NOT_FOUND, PATIENT_NOT_FOUND, INVALID_INPUT where the texts went between
   * different numbers, and ILLEGAL_TRANSITION where somebody else's conversation is open there.
   */
  const assign = (ids: string[], patientId: string, by: By): Promise<Conversation> =>
    world.transact(async (tx) => {
      const { contact, rows } = await lockParked(tx, ids, by);
      const patient = await findPatient(tx, { patientId }, by);
      const number = await numberOf(tx, rows[0]!, by);
      return attach(tx, { contact: known(tx, contact, { rows, patient, by }), rows, patient, number }, by);
    });

  /** Puts parked texts away, which nobody is to answer. They are kept, and what the carrier repeats of them stays away. */
  const dismiss = (ids: string[], by: By): Promise<number> =>
    world.transact(async (tx) => {
      const { rows } = await lockParked(tx, ids, by);
      await tx.query(sql`update inbound_message set dismissed_at = ${by.now}, dismissed_by = ${by.actor}
        where workspace_id = ${by.workspaceId} and sid = any(${rows.map(({ sid }) => sid)})`);
      return rows.length;
    });

  return { assign, dismiss };
}

/** The texts, oldest first, under the lock of their number: whoever receives or takes in texts of it waits. */
async function lockParked(tx: Transaction, ids: string[], by: By) {
  const [first] = await parkedOf(tx, ids, by);
  const contact = await contactOf(tx, first!.phone, by);
  const rows = await parkedOf(tx, ids, by);
  if (rows.some(({ phone, phoneFrom }) => phone !== first!.phone || phoneFrom !== first!.phoneFrom)) {
    const message = 'Must be texts from one number to one number of ours.';
    throw new InputRefusal([{ path: ['ids'], message }]);
  }
  return { contact, rows };
}

async function parkedOf(tx: Transaction, ids: string[], by: By): Promise<InboundMessage[]> {
  const where = { workspaceId: { eq: by.workspaceId }, id: { in: ids }, dismissedAt: { eq: null } };
  const rows = await tx.find<InboundMessage>(table, where);
  const missing = ids.find((id) => !rows.some((row) => row.id === id));
  if (missing) throw noSuchText(missing);
  return rows.toSorted((one, other) => one.at.getTime() - other.at.getTime());
}

const noSuchText = (id: string) =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such parked text in this workspace.', id);

async function numberOf(tx: Transaction, { phoneFrom }: InboundMessage, by: By): Promise<PhoneNumber> {
  const where = { workspaceId: { eq: by.workspaceId }, phone: { eq: phoneFrom } };
  return (await tx.findOne<PhoneNumber>(phoneNumbers, where))!; // it came to a number that we have
}

/** A number that nobody has given before is the patient's who has written from it, for texts about their care. */
function known(
  tx: Transaction,
  contact: Contact,
  { rows, patient, by }: { rows: InboundMessage[]; patient: Patient; by: By },
): Contact {
  if (contact.version > 0) return contact;
  const { phone, sid, at } = rows[0]!;
  const consent = {
    patientId: patient.id,
    phone,
    channels: ['TEXT' as const],
    purposes: [...carePurposes],
    basis: 'PRIOR_EXPRESS' as const,
    grantedAt: at.toISOString(),
    method: 'text of the person',
    evidence: `text message ${sid}`,
  };
  return tx.decide(contacts, contact, contacts.grant(contact, consent), by).row;
}

/** What is attached to whom. */
interface Attaching {
  contact: Contact;
  rows: InboundMessage[];
  patient: Patient;
  number: PhoneNumber;
}

async function attach(
  tx: Transaction,
  { contact, rows, patient, number }: Attaching,
  by: By,
): Promise<Conversation> {
  const { phone: from, phoneFrom: to, sid, body, segments } = rows[0]!;
  const where = {
    workspaceId: { eq: by.workspaceId },
    contactId: { eq: contact.id },
    phoneFrom: { eq: to },
    status: { eq: 'ACTIVE' },
  };
  const open = await tx.lock(conversations, where);
  if (open && open.patientId !== patient.id) {
    const message = `Conversation ${open.id} with somebody else is open on these numbers. Close it first.`;
    throw new StateRefusal('ILLEGAL_TRANSITION', message, 'ACTIVE');
  }
  const conversation = open ?? conversations.blank(newId(by.now), by.workspaceId);
  const arrival = { text: { sid, from, to, body, segments }, number, by, wish: null };
  const started = open ? [] : await openFor(tx, { contact, arrival, patientId: patient.id });
  // A number that has opted out meanwhile has no open conversation.
  const closing = contact.optedOutAt ? closeOpen(conversation, 'opted_out') : [];
  const facts = [...started, ...heardBefore(conversation, rows), ...closing];
  const written = await write(tx, { conversation }, facts, by);
  await unpark(tx, rows);
  return written.conversation;
}
