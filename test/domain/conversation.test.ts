import { expect, test } from 'vitest';
import * as conversations from '../../src/domain/conversation.ts';
import type { Message } from '../../src/domain/conversation.ts';
import type { Fact } from '../../src/domain/conversation-fact.ts';
import * as progress from '../../src/domain/conversation-progress.ts';
import { namedBy } from '../../src/domain/inbound-message.ts';
import { firstTextOf, segmentsOf } from '../../src/domain/message-text.ts';
import { eventOf, given, now } from '../support/given.ts';

const beginning = {
  patientId: 'p',
  contactId: 'c',
  phone: '+12125550130',
  phoneFrom: '+14155550199',
  reason: 'Check-up',
  purpose: 'OTHER',
  instruction: null,
  serviceId: null,
  useCaseId: null,
  origin: 'API',
  taskId: null,
  campaignId: null,
  requestedBy: 'k',
  basis: null,
} as const;
const started: Fact = { type: 'conversation.started', data: beginning };
const sent: Fact = {
  type: 'message.sent',
  data: {
    messageId: 'm',
    body: 'Hello',
    segments: 1,
    isReply: false,
    decision: {} as never,
    taskId: null,
    validUntil: now.toISOString(),
  },
};
const received: Fact = {
  type: 'message.received',
  data: { messageId: 'i', sid: 'SM2', body: 'Hi', segments: 1 },
};
const closed: Fact = { type: 'conversation.closed', data: { reason: 'closed' } };

/** The message after these facts. */
const messageAfter = (...facts: Fact[]): Message =>
  facts.reduce(
    (message, fact, index) => conversations.evolveMessage(message, eventOf(fact, index + 3)),
    conversations.beginMessage(given(conversations)(started, sent).row, eventOf(sent, 2)),
  );
const accepted: Fact = { type: 'message.accepted', data: { messageId: 'm', sid: 'SM1', via: 'answer' } };
const delivered: Fact = { type: 'message.delivered', data: { messageId: 'm', via: 'callback' } };
const heard = (status: string, carrierCode: string | null = null, sid = 'SM1') => ({
  sid,
  status,
  carrierCode,
  via: 'callback' as const,
});
const typesOf = (facts: Fact[]) => facts.map(({ type }) => type);

test('a conversation is folded from its events: who wrote last, and that it is closed', () => {
  const { row } = given(conversations)(started, sent, received, closed);
  expect(row).toMatchObject({
    status: 'CLOSED',
    closedReason: 'closed',
    messageCount: 2,
    heardAt: now,
    patientId: 'p',
  });
  expect(given(conversations)(started, sent).row).toMatchObject({
    status: 'ACTIVE',
    messageCount: 1,
    heardAt: null,
  });
});

test('nothing is said in a conversation that is closed, nor is it closed twice', () => {
  given(conversations)(started, closed)
    .when((row) => progress.say(row, sent.data))
    .refused('ILLEGAL_TRANSITION');
  given(conversations)(started, closed)
    .when((row) => progress.close(row, 'x'))
    .refused('ILLEGAL_TRANSITION');
});

test('what is written within an hour of the person answers them', () => {
  const { row } = given(conversations)(started, sent, received);
  const after = (milliseconds: number) => new Date(now.getTime() + milliseconds);
  expect(progress.isReplyAt(row, after(3_600_000))).toBe(true);
  expect(progress.isReplyAt(row, after(3_600_001))).toBe(false);
  expect(progress.isReplyAt(given(conversations)(started, sent).row, now)).toBe(false);
});

/** What is heard of a message that has come so far, and what of it is news. */
const news: [known: Fact[], word: ReturnType<typeof heard>, expected: string[]][] = [
  [[], heard('queued'), ['message.accepted']],
  [[], heard('sent'), ['message.accepted']],
  [[], heard('delivered'), ['message.accepted', 'message.delivered']],
  [[], heard('undelivered', '30003'), ['message.accepted', 'message.undelivered']],
  [[accepted], heard('sent'), []],
  [[accepted], heard('delivered'), ['message.delivered']],
  [[accepted], heard('read'), ['message.delivered']],
  [[accepted], heard('failed', '30008'), ['message.undelivered']],
  [[accepted], heard('whatever'), []],
  [[accepted], heard('delivered', null, 'SM9'), []],
  [[accepted, delivered], heard('undelivered', '30003'), []],
  [[accepted, delivered], heard('sent'), []],
];

test.each(news)('of %j then %j', (known, word, expected) => {
  expect(typesOf(progress.hear(messageAfter(...known), word))).toEqual(expected);
});

test('an answer is recorded unless a callback has told more, and none is no news', () => {
  const answers = (known: Fact[], answer: Parameters<typeof progress.answer>[1]) =>
    progress.answer(messageAfter(...known), answer);
  const refused = {
    outcome: 'rejected',
    message: '',
    carrierCode: '21610',
    reached: true,
    retryable: false,
  } as const;
  expect(typesOf(answers([], { outcome: 'accepted', sid: 'SM1' }))).toEqual(['message.accepted']);
  expect(answers([], { outcome: 'unknown', cause: 'econnreset' })).toEqual([]);
  expect(answers([], refused)).toMatchObject([
    {
      type: 'message.undelivered',
      data: { reason: 'carrier_rejected_21610', retryable: false, reached: true },
    },
  ]);
  expect(answers([accepted], refused)).toEqual([]);
  expect(answers([accepted, delivered], { outcome: 'accepted', sid: 'SM1' })).toEqual([]);
});

test('a message that nobody knows of is given up, once', () => {
  expect(progress.giveUp(messageAfter())).toMatchObject([
    { data: { reason: 'never_reached_carrier', reached: false } },
  ]);
  expect(progress.giveUp(messageAfter(accepted))).toMatchObject([{ data: { reason: 'unknown_to_carrier' } }]);
  expect(progress.giveUp(messageAfter(accepted, delivered))).toEqual([]);
});

test('a conversation whose first message did not get there has not begun', () => {
  const failed = progress.giveUp(messageAfter());
  const close = (...facts: Fact[]) =>
    progress.closeUnheard(given(conversations)(started, ...facts).row, failed);
  expect(close(sent)).toMatchObject([{ type: 'conversation.closed' }]);
  expect(close(sent, received)).toEqual([]);
  expect(close(sent, closed)).toEqual([]);
  expect(progress.closeUnheard(given(conversations)(started, sent).row, [delivered])).toEqual([]);
});

/** Texts with the segments that they take. */
const sizes: [name: string, text: string, segments: number][] = [
  ['nothing', '', 1],
  ['160 of GSM-7', 'a'.repeat(160), 1],
  ['161 of GSM-7', 'a'.repeat(161), 2],
  ['306 of GSM-7', 'a'.repeat(306), 2],
  ['307 of GSM-7', 'a'.repeat(307), 3],
  ['80 of the extension', '€'.repeat(80), 1],
  ['81 of the extension', '€'.repeat(81), 2],
  ['an extension that would be torn', `${'a'.repeat(152)}€${'a'.repeat(152)}`, 3],
  ['70 of UCS-2', 'á'.repeat(70), 1],
  ['71 of UCS-2', 'á'.repeat(71), 2],
  ['35 emojis', '🙂'.repeat(35), 1],
  ['36 emojis, none of them torn', '🙂'.repeat(67), 3],
];

test.each(sizes)('%s', (_, text, segments) => {
  expect(segmentsOf(text)).toBe(segments);
});

test('what we compose ourselves fits one segment, in both languages', () => {
  for (const language of ['en', 'es', 'es-MX', null])
    expect(segmentsOf(firstTextOf({ opening: null, sender: 'Care', language }))).toBe(1);
});

const people = ['Ada Byron', 'Bob Byron', 'Ada King', 'José Núñez'].map((name) => ({ name }));

/** Answers to the question who writes, and whom each names. */
const answers: [text: string, name: string | null][] = [
  ['Bob', 'Bob Byron'],
  ['bob byron', 'Bob Byron'],
  ['Hi, this is Bob.', 'Bob Byron'],
  ["It's Ada King", 'Ada King'],
  ['I’m jose', 'José Núñez'],
  ['Soy José Núñez', 'José Núñez'],
  ['Me llamo Jose', 'José Núñez'],
  ['Ada', null],
  ['Byron', null],
  ['Bob and Ada', null],
  ["Is it Bob's turn?", null],
  ['Bob King', null],
  ['Hello', null],
  ['', null],
  ['Zoe', null],
];

test.each(answers)('"%s" names %s', (text, name) => {
  expect(namedBy(text, people)?.name ?? null).toBe(name);
});
