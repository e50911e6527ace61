import { sql } from 'kysely';
import { isStale } from './attempt/circumstances.ts';
import type { RunningClock } from './clock.ts';
import type { TextCarrier } from './carrier/text.ts';
import type { Answer } from './domain/call-progress.ts';
import * as contacts from './domain/contact.ts';
import type { Contact } from './domain/contact.ts';
import * as conversations from './domain/conversation.ts';
import type { Conversation, Message } from './domain/conversation.ts';
import * as progress from './domain/conversation-progress.ts';
import type { By } from './domain/event.ts';
import { releaseKey } from './idempotency.ts';
import { openParked } from './conversation/assign.ts';
import { openInbox, type PersonsText } from './conversation/inbox.ts';
import type { Intended } from './conversation/intent.ts';
import type { Asked } from './conversation/parking.ts';
import { openOutbox, type WantedConversation } from './conversation/outbox.ts';
import { openRecords } from './conversation/record.ts';
import { openSweep } from './conversation/sweep.ts';
import type { Transaction, World } from './world.ts';

/** What conversations are held with. */
export interface Tools {
  world: World;
  carrier: Pick<TextCarrier, 'text' | 'lookUpText' | 'listTexts'>;
  clock: Pick<RunningClock, 'now'>;
  /** How many times faster than life the carrier's people are: patience is shorter by as much. */
  pace: number;
  log: (line: string, error?: unknown) => void;
}

/** For how long the carrier may keep the question who writes, in seconds. */
const questionSeconds = 3_600;

/** What is recorded of a message that the carrier was not even asked about. */
const notAsked = (withheld: 'held_up' | 'unwanted'): Answer => ({
  outcome: 'rejected',
  carrierCode: null,
  message: '',
  retryable: withheld === 'held_up',
  reached: false,
  withheld,
});

/** Holds conversations by text. Nothing else in the product texts. */
export function openConversations(tools: Tools) {
  const { world, carrier, clock, log } = tools;
  const record = openRecords(tools);
  const outbox = openOutbox(tools);
  const inbox = openInbox(tools);
  const parked = openParked(tools);

  /**
   * Starts a conversation with its first message. Once that is recorded it is sent at most once, whatever happens: of one
   * whose answer never comes the sweep finds out. Refuses every code of the contract's ConversationResult; with the same
   * patient at the same number there is one open conversation at a time.
   */
  async function startConversation(wanted: WantedConversation, by: By): Promise<Conversation> {
    const earlier = await outbox.replay(wanted, by);
    if (earlier) return answered(earlier);
    const recorded = await outbox.start(wanted, by);
    if ('earlier' in recorded) return answered(recorded.earlier);
    const free = (tx: Transaction) => releaseKey(tx, by.workspaceId, wanted.idempotencyKey);
    return answered(await ask(recorded, by, free));
  }

  /** Says something in an open conversation. What answers the person within an hour is not held back by time or caps. */
  async function sendMessage(conversationId: string, body: string, by: By): Promise<Conversation> {
    const intended = await outbox.send({ conversationId, body, answers: null }, by);
    return answered(await ask(intended!, by));
  }

  /** Answers what the person wrote, unless somebody has done so: `answers` is the conversation's version with it. */
  async function answer(
    conversationId: string,
    reply: { body: string; answers: number },
    by: By,
  ): Promise<void> {
    const intended = await outbox.send({ conversationId, ...reply }, by);
    if (intended) await ask(intended, by);
  }

  /** Closes a conversation; what the person writes after that begins another one. Refuses NOT_FOUND, ILLEGAL_TRANSITION. */
  async function closeConversation(id: string, by: By): Promise<Conversation> {
    const decide = (conversation: Conversation) => {
      if (conversation.version === 0) throw progress.noSuchConversation(id);
      return progress.close(conversation, 'closed');
    };
    return (await world.change(conversations, id, decide, { ...by, correlationId: id })).row;
  }

  /**
   * Asks the carrier about a message that is recorded, once, and records its answer; `free` when nothing was sent and the
   * same may be asked again. A message of a task is asked about in this way too.
   */
  async function ask(
    intended: Intended,
    by: By,
    free?: (tx: Transaction) => Promise<void>,
  ): Promise<Message> {
    const { message, event } = intended;
    const answer = await asked(intended);
    const now = clock.now();
    if (answer.outcome === 'unknown') await sweep.askSoon(message, now);
    const told: By = { ...by, actor: 'carrier', source: 'carrier', now, causationId: event.id };
    const atTheEnd = answer.outcome === 'rejected' && answer.retryable ? free : undefined;
    return record(message, (current) => progress.answer(current, answer), told, atTheEnd);
  }

  /** The carrier's answer; it is not asked where the decision has grown old, or the person has said no since. */
  async function asked({ conversation, message, isConfirmation = false }: Intended): Promise<Answer> {
    const { workspaceId, contactId, decision, validUntil, body } = message;
    const where = { workspaceId: { eq: workspaceId }, id: { eq: contactId } };
    const contact = await world.findOne<Contact>(contacts.table, where);
    if (contact && !isConfirmation && isUnwanted(message, contact)) return notAsked('unwanted');
    const now = clock.now();
    const validSeconds = ((validUntil ?? now).getTime() - now.getTime()) / 1000;
    if (!decision || isStale(decision, now) || validSeconds < 1) return notAsked('held_up');
    const { phone: to, phoneFrom: from } = conversation;
    return carrier.text({ workspaceId, messageId: message.id, to, from, body, validSeconds });
  }

  const sweep = openSweep({ ...tools, record });

  /** A message that the carrier did not take is a refusal, also when it is asked for again with its key. */
  async function answered(message: Message): Promise<Conversation> {
    const refusal = progress.refusalOf(message);
    if (refusal) throw refusal;
    const where = { workspaceId: { eq: message.workspaceId }, id: { eq: message.conversationId } };
    return (await world.findOne<Conversation>(conversations.table, where))!;
  }

  /** Records what the carrier tells of a message of ours. False: there is none with this id. */
  async function told(
    { workspaceId, messageId }: { workspaceId: string; messageId: string },
    heard: progress.Heard,
  ): Promise<boolean> {
    const where = { workspaceId: { eq: workspaceId }, id: { eq: messageId }, direction: { eq: 'OUTBOUND' } };
    const message = await world.findOne<Message>(conversations.messages, where);
    if (!message) return false;
    const by: By = { workspaceId, actor: 'carrier', source: 'carrier', now: clock.now() };
    await record(message, (current) => progress.hear(current, heard), by);
    return true;
  }

  /** Takes what a person has texted to a number of ours. False: no workspace has this number. */
  async function receive(text: PersonsText): Promise<boolean> {
    const received = await inbox.receive(text);
    if (!received) return false;
    const { reply, question, by } = received;
    try {
      if (reply) await ask(reply, by);
      if (question) await put(question);
    } catch (error) {
      log('an answer to a text is left to the sweep', error); // the text itself is recorded
    }
    return true;
  }

  /** Puts the question who writes, once: whether it got there is not looked for. */
  async function put({ sid, ...question }: Asked): Promise<void> {
    const answer = await carrier.text({ ...question, messageId: null, validSeconds: questionSeconds });
    if (answer.outcome !== 'accepted') return;
    await world.query(sql`update inbound_message set answer_sid = ${answer.sid}
      where workspace_id = ${question.workspaceId} and sid = ${sid}`);
  }

  return {
    startConversation,
    sendMessage,
    answer,
    closeConversation,
    ask,
    told,
    receive,
    assignTexts: parked.assign,
    dismissTexts: parked.dismiss,
    settle: sweep.settle,
    nextSettleAt: sweep.nextAt,
  };
}

/** Whether the person has opted out, or taken back their consent to texts, since this message was allowed. */
const isUnwanted = (message: Message, { optedOutAt, revocations }: Contact): boolean =>
  !!optedOutAt ||
  revocations.some(
    ({ patientId, channels, at }) =>
      patientId === message.patientId && channels.includes('TEXT') && Date.parse(at) >= message.at.getTime(),
  );

/** Conversations by text. */
export type Conversations = ReturnType<typeof openConversations>;
