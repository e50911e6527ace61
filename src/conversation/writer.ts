import type { Contact } from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { Fact } from '../domain/conversation-fact.ts';
import { start } from '../domain/conversation-progress.ts';
import { namedBy, type InboundMessage } from '../domain/inbound-message.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import type { Transaction } from '../world.ts';
import type { Arrival } from './inbox.ts';
import { openQuestion } from './parking.ts';
import { serviceAt } from './speaker.ts';

/** Who has written, as far as it can be told; it is never guessed. */
export interface Writer {
  /** The open conversation of this number and ours: whatever is written there belongs to it. Null: none is open. */
  current: Conversation | null;
  /** Null: nobody is known, or several are. */
  patientId: string | null;
  /** Everybody who is known at the number; left empty where a conversation is open. */
  people: Patient[];
  /** What the same person wrote before it was known who they are, in order. */
  parked: InboundMessage[];
}

/** Finds out who wrote: by the open conversation, else because one person alone is known at the number, else by the name that they were asked for. */
export async function whoWrote(tx: Transaction, contact: Contact, arrival: Arrival): Promise<Writer> {
  const { text, wish, by } = arrival;
  const nobody = { current: null, patientId: null, people: [], parked: [] };
  // A contact without a history is new: nobody has ever given this number.
  if (contact.version === 0) return nobody;
  const found = await tx.find<Conversation>(conversations.table, {
    workspaceId: { eq: by.workspaceId },
    contactId: { eq: contact.id },
  });
  const ours = found.filter(({ phoneFrom }) => phoneFrom === text.to);
  const current = ours.find(({ status }) => status === 'ACTIVE') ?? null;
  if (current) return { ...nobody, current, patientId: current.patientId };
  const people = await peopleAt(tx, text.from, found, by.workspaceId);
  if (people.length === 1) return { ...nobody, people, patientId: people[0]!.id };
  if (wish?.wish === 'START') return { ...nobody, people, patientId: stopperOf(ours) };
  const question = wish ? null : await openQuestion(tx, arrival);
  const named = question && namedBy(text.body, people);
  if (!named) return { ...nobody, people };
  return { ...nobody, people, patientId: named.id, parked: question.parked };
}

/** Whoever has this number now; where nobody has, whoever we have texted with there. */
async function peopleAt(tx: Transaction, phone: string, found: Conversation[], workspaceId: string) {
  const here = { workspaceId: { eq: workspaceId } };
  const people = await tx.find<Patient>(patients.table, { ...here, phone: { eq: phone } });
  if (people.length > 0 || found.length === 0) return people;
  const id = { in: [...new Set(found.map(({ patientId }) => patientId))] };
  return tx.find<Patient>(patients.table, { ...here, id });
}

/** Whose conversation was closed last by an opt-out: START answers that. */
function stopperOf(ours: Conversation[]): string | null {
  const stopped = ours.filter(({ closedReason }) => closedReason === 'opted_out');
  return stopped.toSorted((one, other) => (one.id < other.id ? 1 : -1))[0]?.patientId ?? null;
}

/** The beginning of a conversation that the person has begun, and not we. */
export async function openFor(
  tx: Transaction,
  { contact, arrival, patientId }: { contact: Contact; arrival: Arrival; patientId: string },
): Promise<Fact[]> {
  const { text, number, by } = arrival;
  const service = await serviceAt(tx, number);
  return start(conversations.blank('', by.workspaceId), {
    patientId,
    contactId: contact.id,
    phone: text.from,
    phoneFrom: text.to,
    reason: 'They wrote to us.',
    purpose: 'OTHER',
    instruction: null,
    serviceId: service?.id ?? null,
    useCaseId: null,
    origin: 'PERSON',
    taskId: null,
    campaignId: null,
    requestedBy: 'carrier',
    basis: null,
  });
}
