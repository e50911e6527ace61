import { sql } from 'kysely';
import { newId } from '../clock.ts';
import type { Clock } from '../clock.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation } from '../domain/conversation.ts';
import { hearPerson } from '../domain/conversation-progress.ts';
import type { By } from '../domain/event.ts';
import { wishOf, type Wish } from '../domain/opt-out.ts';
import { phoneNumbers, type PhoneNumber } from '../domain/workspace.ts';
import { contactOf } from '../registry.ts';
import { withdrawUnwanted } from '../withdraw.ts';
import type { Transaction, World } from '../world.ts';
import { confirm } from './confirm.ts';
import type { Intended } from './intent.ts';
import { heardBefore, park, unpark, type Asked } from './parking.ts';
import { closeOpen } from './record.ts';
import { openFor, whoWrote, type Writer } from './writer.ts';
import { write } from './write.ts';

/** What a person has texted to a number of ours. */
export interface PersonsText {
  /** The carrier's id. */
  sid: string;
  from: string;
  to: string;
  body: string;
  segments: number;
}

/** A text on its way to where it belongs, with the number of ours that it came to. */
export interface Arrival {
  text: PersonsText;
  number: PhoneNumber;
  by: By;
  wish: Wish | null;
}

/** What is to be sent because of a text, once it is recorded. */
export interface Received {
  reply: Intended | null;
  question: Asked | null;
  by: By;
}

/** Takes what people text to our numbers: each once, whatever the carrier repeats, and in the order in which it comes. */
export function openInbox({ world, clock }: { world: World; clock: Clock }) {
  /** Records a text. Null: no workspace has the number that it came to. */
  async function receive(given: PersonsText): Promise<Received | null> {
    const text = { ...given, body: given.body.replaceAll('\0', '').toWellFormed() };
    const number = await numberAt(text.to);
    if (!number) return null;
    const by = byOf(number, clock);
    // Nearly all that people write goes on with an open conversation, which alone is locked for it.
    if (wishOf(text.body, true) === null && (await goOn({ text, number, by, wish: null })))
      return { reply: null, question: null, by };
    return world.transact((tx) => take(tx, text, number));
  }

  /**
   * The workspace's number. Where several workspaces have registered the same one, it is whose active one is the oldest:
   * nobody gets what is written to somebody else by registering their number.
   */
  async function numberAt(phone: string): Promise<PhoneNumber | null> {
    const found = await world.find<PhoneNumber>(phoneNumbers, { phone: { eq: phone } });
    const sorted = found.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    return sorted.find(({ active }) => active) ?? sorted[0] ?? null;
  }

  async function goOn({ text, number, by }: Arrival): Promise<boolean> {
    const here = { workspaceId: { eq: by.workspaceId } };
    const open = await world.findOne<Conversation>(conversations.table, {
      ...here,
      phone: { eq: text.from },
      phoneFrom: { eq: text.to },
      status: { eq: 'ACTIVE' },
    });
    if (!open) return false;
    return world.transact(async (tx) => {
      const conversation = await tx.lock(conversations, { ...here, id: { eq: open.id } });
      if (conversation?.status !== 'ACTIVE') return false;
      const now = byOf(number, clock);
      if (!(await isKnown(tx, text, now)))
        await write(tx, { conversation }, hearPerson(conversation, receiptOf(text, now)), now);
      return true;
    });
  }

  /** Under the contact's lock: whoever texts, opts out, or is called at this number waits for it. */
  async function take(tx: Transaction, text: PersonsText, number: PhoneNumber): Promise<Received> {
    const contact = await contactOf(tx, text.from, byOf(number, clock));
    const by = byOf(number, clock);
    const nothing = { reply: null, question: null, by };
    if (await isKnown(tx, text, by)) return nothing;
    const arrival = { text, number, by, wish: wishOf(text.body, !!contact.optedOutAt) };
    const writer = await whoWrote(tx, contact, arrival);
    const wished = await grantWish(tx, contact, { ...arrival, patientId: writer.patientId });
    if (!writer.current && !writer.patientId)
      return { ...nothing, question: await park(tx, wished, { ...arrival, people: writer.people }) };
    const conversation = await record(tx, wished, { arrival, writer });
    const isNews = arrival.wish?.wish === 'STOP' && !contact.optedOutAt;
    const unconfirmed = isNews && !arrival.wish?.isCarriers;
    const reply = unconfirmed ? await confirm(tx, { conversation, contact: wished }, by) : null;
    if (arrival.wish?.wish === 'STOP') await closeAll(tx, wished, reply?.conversation ?? conversation, by);
    else if (arrival.wish && !writer.current)
      await write(tx, { conversation }, closeOpen(conversation, 'keyword'), by);
    return { ...nothing, reply };
  }

  return { receive };
}

/** Honours STOP, on every channel and at once (C-27, C-38), and START, for texts (C-39). */
async function grantWish(
  tx: Transaction,
  contact: Contact,
  { text, wish, by, patientId }: Arrival & { patientId: string | null },
): Promise<Contact> {
  const { from: phone, sid } = text;
  if (wish?.wish === 'STOP' && !contact.optedOutAt) {
    const reason = `wrote "${text.body.trim().slice(0, 200).toWellFormed()}"`;
    const facts = contacts.optOut(contact, { phone, patientId, reason });
    const { row, events } = tx.decide(contacts, contact, facts, by);
    const unwanted = { phone, patientId: patientId ?? '', channels: null };
    await withdrawUnwanted(tx, unwanted, { event: events[0]!, by });
    return row;
  }
  if (wish?.wish !== 'START' || !patientId) return contact;
  const given = { patientId, evidence: `text message ${sid}`, at: by.now };
  return tx.decide(contacts, contact, contacts.restartTexts(contact, given), by).row;
}

/** Records the text in the open conversation of who wrote it, or in one that it opens with what was parked before it. */
async function record(
  tx: Transaction,
  contact: Contact,
  { arrival, writer }: { arrival: Arrival; writer: Writer },
): Promise<Conversation> {
  const { text, by } = arrival;
  const here = { workspaceId: { eq: by.workspaceId } };
  const { current, parked } = writer;
  const locked = current && (await tx.lock(conversations, { ...here, id: { eq: current.id } }));
  const goesOn = locked?.status === 'ACTIVE';
  const conversation = goesOn ? locked : conversations.blank(newId(by.now), by.workspaceId);
  const started = goesOn
    ? []
    : await openFor(tx, { contact, arrival, patientId: (current ?? writer).patientId! });
  const heard = hearPerson(conversation, receiptOf(text, by));
  const written = await write(
    tx,
    { conversation },
    [...started, ...heardBefore(conversation, parked), ...heard],
    by,
  );
  if (parked.length > 0) await unpark(tx, parked);
  return written.conversation;
}

/** Closes every conversation with a number that has opted out. */
async function closeAll(tx: Transaction, contact: Contact, just: Conversation, by: By): Promise<void> {
  const status = { eq: 'ACTIVE' };
  const where = { workspaceId: { eq: by.workspaceId }, contactId: { eq: contact.id }, status };
  const others = await tx.lockEach(conversations, { where, limit: 100 });
  for (const conversation of [just, ...others.filter(({ id }) => id !== just.id)])
    await write(tx, { conversation }, closeOpen(conversation, 'opted_out'), by);
}

/** Whether a text has been recorded before. */
async function isKnown(tx: Transaction, { sid }: PersonsText, { workspaceId }: By): Promise<boolean> {
  const rows = await tx.query(sql`
    select 1 from message where workspace_id = ${workspaceId} and sid = ${sid}
    union all select 1 from inbound_message where workspace_id = ${workspaceId} and sid = ${sid}`);
  return rows.length > 0;
}

const receiptOf = ({ sid, body, segments }: PersonsText, by: By) => ({
  messageId: newId(by.now),
  sid,
  body,
  segments,
});

const byOf = ({ workspaceId }: PhoneNumber, clock: Clock): By => ({
  workspaceId,
  actor: 'carrier',
  source: 'carrier',
  now: clock.now(),
});
