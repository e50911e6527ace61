/** What is texted, what is refused, and what becomes of it. */
import { expect, test } from 'vitest';
import { sql } from 'kysely';
import * as conversations from '../../src/domain/conversation.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';
import { inSeconds, unlimited, upsert } from './tasks.ts';
import {
  becomes,
  close,
  newSid,
  ours,
  send,
  setUpTexts,
  start,
  talk,
  talksOf,
  text,
  texted,
} from '../support/texts.ts';

const line = (ending: string, area = '212') => `+1${area}555${ending}`;

test('a patient is texted, answers, is answered, and the conversation is closed: told in order', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const patientId = await addPatient(app, line('0130'));
    const made = await start(app, { patientId, opening: 'Care here: your visit is on Monday.' });
    expect(made).toMatchObject({ __typename: 'ConversationPayload' });
    const { id } = made.talk;
    expect(made.talk).toMatchObject({
      status: 'ACTIVE',
      phone: line('0130'),
      phoneFrom: ours,
      patient: { id: patientId },
    });
    expect((await becomes(app, id, 'DELIVERED')).texts).toMatchObject([
      {
        direction: 'OUTBOUND',
        body: 'Care here: your visit is on Monday. Reply STOP to opt out.',
        segments: 1,
        decision: { allowed: true, basis: 'PRIOR_EXPRESS' },
      },
    ]);
    expect(await text(app, line('0130'), 'At what time?')).toBe(200);
    const replied = await send(app, id, 'At nine.');
    expect(
      replied.talk.texts.map(({ direction, body }: { direction: string; body: string }) => [direction, body]),
    ).toEqual([
      ['OUTBOUND', 'Care here: your visit is on Monday. Reply STOP to opt out.'],
      ['INBOUND', 'At what time?'],
      ['OUTBOUND', 'At nine.'],
    ]);
    await becomes(app, id, 'DELIVERED');
    expect((await close(app, id)).talk).toMatchObject({ status: 'CLOSED' });
    expect(await close(app, id)).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'CLOSED' });
    expect(await send(app, id, 'Hello?')).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'CLOSED' });
    expect((await talk(app, id)).events.map(({ type }) => type)).toEqual([
      'conversation.started',
      'message.sent',
      'message.accepted',
      'message.delivered',
      'message.received',
      'message.sent',
      'message.accepted',
      'message.delivered',
      'conversation.closed',
    ]);
    expect(await texted(app, line('0130'))).toMatchObject([{ accepted: true }, { accepted: true }]);
  }));

test('a first message says who writes and how to opt out, nothing of the reason when it is left out, and not too much', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const cases = [
      {
        area: '212',
        opening: undefined,
        body: 'Care: we have a message for you. Reply to this text to talk with us. Reply STOP to opt out.',
      },
      {
        area: '213',
        opening: 'Your visit is on Monday.',
        body: 'Care: Your visit is on Monday. Reply STOP to opt out.',
      },
      {
        area: '214',
        opening: 'From Care: call us. Text STOP to end.',
        body: 'From Care: call us. Text STOP to end.',
      },
    ];
    for (const { area, opening, body } of cases) {
      const patientId = await addPatient(app, line('0130', area), `P ${area}`);
      const { talk: made } = await start(app, { patientId, opening, reason: 'HIV result' });
      expect(made.texts).toMatchObject([{ body, segments: 1 }]);
      expect((await texted(app, line('0130', area)))[0]).toMatchObject({ from: ours, body });
      expect(JSON.stringify(await app.ledger())).not.toContain('HIV');
    }
    const patientId = await addPatient(app, line('0130', '215'), 'Long Lou');
    const tooLong = {
      __typename: 'InputError',
      code: 'INVALID_INPUT',
      fields: [{ path: ['input', 'opening'] }],
    };
    expect(await start(app, { patientId, opening: 'x'.repeat(1_600) })).toMatchObject(tooLong);
    const { talk: longest } = await start(app, {
      patientId,
      opening: `${'é'.repeat(1_557)} Care, STOP: opt out`,
    });
    expect(longest.texts).toMatchObject([{ segments: 11 }]);
    await text(app, line('0130', '215'), 'Ok');
    expect(await send(app, longest.id, 'x'.repeat(1_601))).toMatchObject({ fields: [{ path: ['body'] }] });
    expect(await send(app, longest.id, ' ')).toMatchObject({ fields: [{ path: ['body'] }] });
    expect((await send(app, longest.id, '漢'.repeat(71))).talk.texts.at(-1)).toMatchObject({ segments: 2 });
  }, unlimited));

test('under the healthcare exemption a message has 160 characters at most, with who writes and how to opt out (C-24)', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const { data } =
      await app.ask(`mutation { placeCall(input: { person: { firstName: "Ex", lastName: "Empt" }, phoneTo: "${line('0130')}",
      phoneFrom: "${ours}", reason: "x", basis: HEALTHCARE_EXEMPTION, purpose: LAB_RESULTS }) { ... on PlaceCallPayload { call { patient { id } } } } }`);
    const patientId = data.placeCall.call.patient.id;
    await app.ask(`mutation { recordConsent(input: { patientId: "${patientId}", phone: "${line('0130')}", channels: [TEXT],
      purposes: [LAB_RESULTS], basis: HEALTHCARE_EXEMPTION, method: "exempt" }) { __typename } }`);
    await app.ask(`mutation { advanceClock(to: "${inSeconds(app, 86_400)}") }`);
    const sized = (length: number) => `Care: ${'x'.repeat(length - 'Care:  STOP'.length)} STOP`;
    const wanted = { patientId, purpose: 'LAB_RESULTS' };
    expect(await start(app, { ...wanted, opening: sized(161) })).toMatchObject({
      fields: [{ path: ['input', 'opening'] }],
    });
    expect((await start(app, { ...wanted, opening: sized(160) })).talk.texts).toMatchObject([
      { decision: { basis: 'HEALTHCARE_EXEMPTION' } },
    ]);
  }, unlimited));

test('what is named and not there, or cannot text, is refused before anything is recorded', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, line('0130'));
    expect(await start(app, { patientId })).toMatchObject({ code: 'OUTBOUND_NOT_CONFIGURED' });
    const { numberId } = await setUp(app); // a number that can only call
    expect(await start(app, { patientId })).toMatchObject({ code: 'NO_NUMBER_AVAILABLE' });
    const useCase = async (channel: string) => {
      const { data } = await app.ask(
        `mutation ($input: UseCaseInput!) { createUseCase(input: $input) { ... on UseCasePayload { useCase { id } } } }`,
        { input: { name: channel, channel, numberIds: [numberId] } },
      );
      return data.createUseCase.useCase.id as string;
    };
    const [voice, texts] = [await useCase('VOICE'), await useCase('TEXT')];
    await app.ask(
      `mutation { registerPhoneNumber(input: { phone: "+14155550177", text: true }) { __typename } }`,
    );
    for (const useCaseId of [voice, texts])
      expect(await start(app, { patientId, useCaseId })).toMatchObject({
        code: 'NO_NUMBER_AVAILABLE',
        id: useCaseId,
      });
    expect(await start(app, { patientId, useCaseId: patientId })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await start(app, { patientId: voice })).toMatchObject({ code: 'PATIENT_NOT_FOUND' });
    const bad = {
      patientId: 'x',
      phone: '12',
      reason: '',
      opening: '',
      useCaseId: 'y',
      instruction: 'x'.repeat(2_001),
    };
    expect((await start(app, bad)).fields.map(({ path }: { path: string[] }) => path[1]).toSorted()).toEqual(
      Object.keys(bad).toSorted(),
    );
    expect(await start(app, { patientId, phone: '+19005550100' })).toMatchObject({
      code: 'DESTINATION_NOT_ALLOWED',
    });
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8057';
    for (const id of [unknown, 'x']) {
      expect(await send(app, id, 'Hello')).toMatchObject({ code: 'NOT_FOUND', id });
      expect(await close(app, id)).toMatchObject({ code: 'NOT_FOUND', id });
    }
    const nobody = await upsert(app, 'nobody', null);
    expect(await start(app, { patientId: nobody })).toMatchObject({
      decision: { blocks: expect.arrayContaining(['PHONE_MISSING']) },
    });
    expect(await texted(app, line('0130'))).toEqual([]);
    expect(await app.world.count(conversations.table, {})).toBe(0);
    expect(await app.world.query(sql`select 1 from contact where attempts <> '[]'`)).toEqual([]);
    expect((await start(app, { patientId })).talk).toMatchObject({ phoneFrom: '+14155550177' });
  }, unlimited));

test('the same key starts one conversation, however often it is asked; what the carrier did not take may be asked again', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const patientId = await addPatient(app, line('0130'));
    const input = { patientId, idempotencyKey: 'one' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => start(app, input)));
    const codes = answers.map(({ __typename, code }) => code ?? __typename);
    expect(codes.every((code) => ['ConversationPayload', 'IDEMPOTENCY_IN_PROGRESS'].includes(code))).toBe(
      true,
    );
    const again = await start(app, input);
    expect(again.talk.id).toBe(answers.find(({ talk: made }) => made)!.talk.id);
    expect(await texted(app, line('0130'))).toHaveLength(1);
    expect(await start(app, { ...input, reason: 'Another' })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    const wrong = await addPatient(app, line('0110'), 'Wrong Number');
    const refused = {
      __typename: 'CarrierError',
      code: 'CARRIER_REJECTED',
      carrierCode: '21211',
      retryable: false,
    };
    for (const idempotencyKey of ['two', 'two'])
      expect(await start(app, { patientId: wrong, idempotencyKey })).toMatchObject(refused);
    expect(await texted(app, line('0110'))).toHaveLength(1);
    // Its conversation has not begun, so it is in nobody's way.
    expect(
      (await talksOf(app, wrong)).map(({ status, texts }) => [
        status,
        texts[0]!.status,
        texts[0]!.carrierCode,
      ]),
    ).toEqual([['CLOSED', 'UNDELIVERED', '21211']]);
    expect(await start(app, { patientId: wrong, idempotencyKey: 'three' })).toMatchObject(refused);
  }, unlimited));

test('a text counts as a contact of its day, its carrier gives up when the hours close, and fifty who ask at once send one', () =>
  withApp(
    async (app) => {
      await setUpTexts(app);
      await app.ask(`mutation { setPolicy(input: { attemptsPerDay: 1 }) { __typename } }`);
      const patientId = await addPatient(app, line('0130'));
      const answers = await Promise.all(Array.from({ length: 50 }, () => start(app, { patientId })));
      const made = answers.filter(({ __typename }) => __typename === 'ConversationPayload');
      expect(made).toHaveLength(1);
      const [sent, ...others] = await texted(app, line('0130'));
      expect(others).toEqual([]);
      // 19:50 in New York, and nobody is contacted after eight.
      expect(Number(sent!.params!['ValidityPeriod'])).toBeGreaterThan(500);
      expect(Number(sent!.params!['ValidityPeriod'])).toBeLessThanOrEqual(600);
      await becomes(app, made[0]!.talk.id, 'DELIVERED');
      const blocked = { __typename: 'ContactBlockedError', decision: { blocks: ['FREQUENCY_CAP'] } };
      expect(await send(app, made[0]!.talk.id, 'One more thing')).toMatchObject(blocked);
      await close(app, made[0]!.talk.id);
      expect(await start(app, { patientId })).toMatchObject(blocked);
    },
    { ...unlimited, CLOCK_START: '2026-03-04T00:50:00Z' },
  ));

const listing = `query ($first: Int, $after: String, $filter: ConversationFilter) {
  conversations(first: $first, after: $after, filter: $filter) {
    totalCount pageInfo { hasNextPage endCursor }
    edges { node { id isUnanswered lastMessageAt lastMessage { direction body } } }
  }
}`;
const parkedList = `{ parkedTexts { totalCount edges { node { id phone phoneFrom body question people { name } } } } }`;
const assigning = `mutation ($ids: [ID!]!, $patientId: ID!) { done: assignParkedTexts(ids: $ids, patientId: $patientId) {
  __typename ... on ConversationPayload { conversation { id } } ... on Error { code message }
  ... on InputError { fields { path } } ... on StateError { state } } }`;
const dismissing = `mutation ($ids: [ID!]!) { done: dismissParkedTexts(ids: $ids) {
  __typename ... on DismissParkedTextsPayload { dismissed } ... on Error { code } } }`;

/** The ids of what is parked, newest first, by what was written. */
async function parkedIds(app: App): Promise<Record<string, string>> {
  const { data } = await app.ask(parkedList);
  const nodes: { id: string; body: string }[] = data.parkedTexts.edges.map(
    ({ node }: { node: object }) => node,
  );
  return Object.fromEntries(nodes.map(({ id, body }) => [body, id]));
}

test('conversations are listed by who wrote last, those that wait for an answer apart, a page at a time', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const phones = ['0141', '0142', '0143'].map((ending) => line(ending));
    const people = [];
    for (const phone of phones) people.push(await addPatient(app, phone, `Person ${phone}`));
    for (const phone of phones) await text(app, phone, `From ${phone}`);
    const [first] = await talksOf(app, people[0]!);
    const list = async (variables: Record<string, unknown> = {}) =>
      (await app.ask(listing, variables)).data.conversations;
    const said = (found: { edges: { node: { lastMessage: { body: string } } }[] }) =>
      found.edges.map(({ node }) => node.lastMessage.body);
    const wrote = phones.map((phone) => `From ${phone}`).toReversed();
    expect(said(await list())).toEqual(wrote);
    await send(app, first!.id, 'We answer.');
    const all = await list();
    expect([all.totalCount, said(all)]).toEqual([3, ['We answer.', wrote[0], wrote[1]]]);
    expect(all.edges[0].node).toMatchObject({
      isUnanswered: false,
      lastMessage: { direction: 'OUTBOUND', body: 'We answer.' },
    });
    const waiting = await list({ filter: { unanswered: true } });
    expect([waiting.totalCount, said(waiting)]).toEqual([2, [wrote[0], wrote[1]]]);
    const { pageInfo } = await list({ first: 2 });
    expect(pageInfo.hasNextPage).toBe(true);
    expect(said(await list({ first: 2, after: pageInfo.endCursor }))).toEqual([wrote[1]]);
    // Who closes says that there is nothing to answer.
    const [second] = await talksOf(app, people[1]!);
    await close(app, second!.id);
    expect(said(await list({ filter: { unanswered: true } }))).toEqual([wrote[0]]);
    expect(said(await list({ filter: { statuses: ['CLOSED'] } }))).toEqual([wrote[1]]);
    expect(said(await list({ filter: { patientId: people[2]! } }))).toEqual([wrote[0]]);
    const { data } = await app.ask(
      'query ($id: ID!) { patient(id: $id) { conversations { totalCount edges { node { id } } } } }',
      { id: people[0]! },
    );
    expect(data.patient.conversations).toEqual({ totalCount: 1, edges: [{ node: { id: first!.id } }] });
  }));

test('texts of strangers wait until somebody says whose they are, or puts them away', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const ada = await addPatient(app, line('0150'), 'Ada Byron');
    const bob = await addPatient(app, line('0151'), 'Bob Byron');
    const [unknown, other] = [line('0160'), line('0161')];
    const sid = newSid();
    await text(app, unknown, 'It is my new number', { MessageSid: sid });
    await text(app, unknown, 'When do I come?');
    await text(app, other, 'Win a prize');
    const { data } = await app.ask(parkedList);
    expect(data.parkedTexts.totalCount).toBe(3);
    expect(data.parkedTexts.edges[2].node).toMatchObject({
      phone: unknown,
      phoneFrom: ours,
      body: 'It is my new number',
      question: null,
      people: [],
    });
    const ids = await parkedIds(app);
    const [one, two] = [ids['It is my new number']!, ids['When do I come?']!];
    const done = async (variables: Record<string, unknown>) =>
      (await app.ask(assigning, variables)).data.done;
    const prize = ids['Win a prize']!;
    expect(await done({ ids: [one, prize], patientId: ada })).toMatchObject({
      code: 'INVALID_INPUT',
      fields: [{ path: ['ids'] }],
    });
    expect(await done({ ids: [], patientId: ada })).toMatchObject({ code: 'INVALID_INPUT' });
    const put = async (list: string[]) => (await app.ask(dismissing, { ids: list })).data.done;
    expect(await put([prize])).toEqual({ __typename: 'DismissParkedTextsPayload', dismissed: 1 });
    expect(await put([prize])).toMatchObject({ code: 'NOT_FOUND' });
    expect(await done({ ids: [prize], patientId: ada })).toMatchObject({ code: 'NOT_FOUND' });

    const { conversation } = await done({ ids: [two, one], patientId: ada });
    expect((await talk(app, conversation.id)).texts.map(({ body }) => body)).toEqual([
      'It is my new number',
      'When do I come?',
    ]);
    expect(await talk(app, conversation.id)).toMatchObject({
      phone: unknown,
      phoneFrom: ours,
      patient: { id: ada },
      status: 'ACTIVE',
    });
    expect(await done({ ids: [one], patientId: bob })).toMatchObject({ code: 'NOT_FOUND' });
    expect((await app.ask(parkedList)).data.parkedTexts.totalCount).toBe(0);
    // What the carrier repeats is known, put away or not; what comes next belongs where the first did.
    await text(app, unknown, 'It is my new number', { MessageSid: sid });
    await text(app, unknown, 'Hello?');
    expect((await talk(app, conversation.id)).texts.map(({ body }) => body).at(-1)).toBe('Hello?');
    expect((await app.ask(parkedList)).data.parkedTexts.totalCount).toBe(0);
    expect(await send(app, conversation.id, 'On Monday.')).toMatchObject({
      __typename: 'ConversationPayload',
    });
    await close(app, conversation.id);
    await text(app, unknown, 'And on Tuesday?');
    expect((await talksOf(app, ada)).map(({ texts }) => texts[0]!.body)).toEqual([
      'It is my new number',
      'And on Tuesday?',
    ]);
  }));

test('texts from a shared number go to whom they are said to be of, unless somebody else is being talked with', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const shared = line('0170');
    const [ada, bob] = [
      await addPatient(app, shared, 'Ada Byron'),
      await addPatient(app, shared, 'Bob Byron'),
    ];
    await text(app, shared, 'Can I come earlier?');
    const { data } = await app.ask(parkedList);
    const [{ node }] = data.parkedTexts.edges;
    expect(node.question).toContain('name');
    expect(node.people.map(({ name }: { name: string }) => name).toSorted()).toEqual([
      'Ada Byron',
      'Bob Byron',
    ]);
    const { talk: his } = await start(app, { patientId: bob });
    const refused = await app.ask(assigning, { ids: [node.id], patientId: ada });
    expect(refused.data.done).toMatchObject({
      code: 'ILLEGAL_TRANSITION',
      state: 'ACTIVE',
      message: expect.stringContaining(his.id),
    });
    const taken = await app.ask(assigning, { ids: [node.id], patientId: bob });
    expect(taken.data.done).toMatchObject({ conversation: { id: his.id } });
    // It was written before we wrote: the time of what was said last does not go back.
    const [row] = await app.world.query(sql`select last_message_at = max(m.at) as kept from conversation c
      join message m on m.conversation_id = c.id where c.id = ${his.id} group by c.id, c.last_message_at`);
    expect(row).toEqual({ kept: true });
    await close(app, his.id);
    await text(app, shared, 'STOP');
    await text(app, shared, 'It was Ada');
    const ids = await parkedIds(app);
    const stopped = await app.ask(assigning, { ids: [ids['It was Ada']], patientId: ada });
    expect(await talk(app, stopped.data.done.conversation.id)).toMatchObject({ status: 'CLOSED' });
  }));
