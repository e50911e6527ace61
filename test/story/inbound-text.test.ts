/** What people write: to which conversation it belongs, in which order, and that it is kept once. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import * as conversations from '../../src/domain/conversation.ts';
import { unlimited } from '../api/tasks.ts';
import { addPatient, withApp, type App } from '../support/program.ts';
import {
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
  type Talk,
} from '../support/texts.ts';

const second = '+14155550198';
const bodies = ({ texts }: Talk) => texts.map(({ body }) => body);

/** What is parked, oldest first. */
const parked = (app: App) =>
  app.world.query<{ body: string; answer: string | null; answer_sid: string | null }>(
    sql`select body, answer, answer_sid from inbound_message order by at, id`,
  );

test(
  'of a thousand texts of a hundred people at once none is lost, none is kept twice, and each conversation is in order',
  () =>
    withApp(async (app) => {
      await setUpTexts(app);
      const people = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const phone = `+1${201 + index}5550100`;
          return { phone, patientId: await addPatient(app, phone, `Person ${index}`), index };
        }),
      );
      // Some are in a conversation already; the others begin one.
      await Promise.all(people.slice(0, 20).map(({ patientId }) => start(app, { patientId })));
      const say = async (phone: string, number: number) => {
        const sid = newSid();
        // The carrier repeats itself, sometimes before it was answered.
        const times = number % 3 === 0 ? 2 : 1;
        const answers = Array.from({ length: times }, () =>
          text(app, phone, `Text ${number}`, { MessageSid: sid }),
        );
        expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
      };
      const numbers = Array.from({ length: 10 }, (_, index) => index);
      await Promise.all(
        people.map(async ({ phone, index }) => {
          // The carrier tells what one person writes one after the other; of every other person here all at once.
          if (index % 2 === 0) for (const number of numbers) await say(phone, number);
          else await Promise.all(numbers.map((number) => say(phone, number)));
        }),
      );
      const wanted = numbers.map((number) => `Text ${number}`);
      const [counts] = await app.world
        .query(sql`select count(*)::int as messages, count(distinct sid)::int as sids,
      count(distinct conversation_id)::int as conversations from message where direction = 'INBOUND'`);
      expect(counts).toEqual({ messages: 1000, sids: 1000, conversations: 100 });
      expect(await parked(app)).toEqual([]);
      const kept = await app.world.query<{ patientId: string; said: string[]; times: Date[] }>(sql`
      select patient_id as "patientId", array_agg(body order by position) as said, array_agg(at order by position) as times
      from message where direction = 'INBOUND' group by patient_id`);
      for (const { patientId, index } of people) {
        const { said, times } = kept.find((one) => one.patientId === patientId)!;
        expect(index % 2 === 0 ? said : said.toSorted()).toEqual(wanted);
        expect(times).toEqual(times.toSorted((one, other) => one.getTime() - other.getTime()));
      }
      const [first] = await talksOf(app, people[0]!.patientId);
      expect(bodies(first!).slice(1)).toEqual(wanted);
    }, unlimited),
  60_000,
);

test('a number that two patients share is resolved by the open conversation, each on a number of ours', () =>
  withApp(async (app) => {
    await setUpTexts(app, [ours, second]);
    const shared = '+12125550130';
    const [ada, bob, cyd] = await Promise.all(
      ['Ada Byron', 'Bob Byron', 'Cyd Byron'].map((name) => addPatient(app, shared, name)),
    );
    const { talk: hers } = await start(app, { patientId: ada });
    expect(await start(app, { patientId: ada })).toMatchObject({
      __typename: 'StateError',
      code: 'ILLEGAL_TRANSITION',
      state: 'ACTIVE',
      message: expect.stringContaining(hers.id),
    });
    const { talk: his } = await start(app, { patientId: bob });
    expect(new Set([hers.phoneFrom, his.phoneFrom])).toEqual(new Set([ours, second]));
    // No number of ours is left on which an answer would tell whose it is.
    expect(await start(app, { patientId: cyd })).toMatchObject({
      __typename: 'ContactBlockedError',
      decision: { blocks: ['ACTIVE_CONTACT'] },
    });
    await text(app, shared, 'I am Bob', { To: hers.phoneFrom });
    await text(app, shared, 'And I as well', { To: his.phoneFrom });
    expect(bodies(await talk(app, hers.id)).at(-1)).toBe('I am Bob');
    expect(bodies(await talk(app, his.id)).at(-1)).toBe('And I as well');
    // Each keeps the sender that they know.
    await close(app, hers.id);
    await close(app, his.id);
    expect((await start(app, { patientId: bob })).talk.phoneFrom).toBe(his.phoneFrom);
    expect((await start(app, { patientId: ada })).talk.phoneFrom).toBe(hers.phoneFrom);
  }, unlimited));

test('where several people share a number and none is in a conversation, they are asked once who writes, and it is never guessed', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const shared = '+12125550130';
    const [ada] = await Promise.all(['Ada Byron', 'Bob Byron'].map((name) => addPatient(app, shared, name)));
    await text(app, shared, 'Can I come earlier?');
    await text(app, shared, 'Hello?');
    await text(app, shared, 'Byron');
    await text(app, shared, 'Ada and Bob');
    await text(app, shared, "Is it Ada's turn?");
    expect((await parked(app)).map(({ body }) => body)).toEqual([
      'Can I come earlier?',
      'Hello?',
      'Byron',
      'Ada and Bob',
      "Is it Ada's turn?",
    ]);
    const asked = await texted(app, shared);
    expect(asked).toMatchObject([
      { accepted: true, body: expect.stringContaining('reply with your full name') },
    ]);
    expect(asked[0]!.body).not.toMatch(/Ada|Bob/);
    expect((await parked(app))[0]).toMatchObject({
      answer: asked[0]!.body,
      answer_sid: expect.stringContaining('SM'),
    });
    await text(app, shared, 'Hi, this is ada');
    const [hers, ...others] = await talksOf(app, ada!);
    expect(others).toEqual([]);
    expect(hers).toMatchObject({ status: 'ACTIVE', reason: 'They wrote to us.', phoneFrom: ours });
    expect(bodies(hers!)).toEqual([
      'Can I come earlier?',
      'Hello?',
      'Byron',
      'Ada and Bob',
      "Is it Ada's turn?",
      'Hi, this is ada',
    ]);
    expect(await parked(app)).toEqual([]);
    expect(hers!.events[0]).toMatchObject({
      type: 'conversation.started',
      data: { origin: 'PERSON' },
      source: 'carrier',
    });
    await text(app, shared, 'So?');
    expect(bodies(await talk(app, hers!.id)).at(-1)).toBe('So?');
    // In time a new question may be asked: the next text is no answer to the old one.
    await close(app, hers!.id);
    await text(app, shared, 'Bob');
    expect((await parked(app)).map(({ body }) => body)).toEqual(['Bob']);
    expect(await texted(app, shared)).toHaveLength(2);
  }, unlimited));

test('whoever nobody knows is kept and not answered; their STOP counts all the same', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const phone = '+12125550130';
    await text(app, phone, 'Who are you?');
    await text(app, phone, 'STOP');
    await text(app, phone, 'START'); // of nobody whose consent it could be
    expect((await parked(app)).map(({ body, answer }) => [body, answer])).toEqual([
      ['Who are you?', null],
      ['STOP', null],
      ['START', null],
    ]);
    expect(await texted(app, phone)).toEqual([]);
    const patientId = await addPatient(app, phone);
    expect(await start(app, { patientId })).toMatchObject({
      code: 'CONTACT_BLOCKED',
      decision: { blocks: ['DO_NOT_CONTACT'] },
    });
    // What was written before anybody was known stays nobody's.
    await text(app, phone, 'It is me');
    expect((await talksOf(app, patientId)).map(bodies)).toEqual([['It is me']]);
  }));

test('where two workspaces have registered one number, what is written to it is whose number is the older one', () =>
  withApp(async (app) => {
    await setUpTexts(app);
    const { data } = await app.ask(
      `mutation { createWorkspace(name: "Other") { ... on WorkspacePayload { secret } } }`,
    );
    const key = data.createWorkspace.secret;
    await setUpTexts(app, [ours], key);
    const phone = '+12125550130';
    const stolen = await addPatient(app, phone, 'Eve', key);
    const patientId = await addPatient(app, phone);
    await text(app, phone, 'Hello');
    expect((await talksOf(app, patientId)).map(bodies)).toEqual([['Hello']]);
    expect(
      await app.world.count(conversations.table, {
        patientId: { eq: stolen },
      }),
    ).toBe(0);
  }, unlimited));

test('an answer within an hour is held back neither by the hours nor by caps, and a first word of ours is', () =>
  withApp(
    async (app) => {
      await setUpTexts(app);
      const phone = '+12125550130';
      const patientId = await addPatient(app, phone);
      expect(await start(app, { patientId })).toMatchObject({
        code: 'CONTACT_BLOCKED',
        decision: { blocks: ['OUTSIDE_CALLING_HOURS'], nextAllowedAt: '2026-03-03T13:00:00.000Z' },
      });
      await text(app, phone, 'Are you there?');
      const [mine] = await talksOf(app, patientId);
      for (const body of ['Yes.', 'How can we help?', 'Still here.'])
        expect(await send(app, mine!.id, body)).toMatchObject({ __typename: 'ConversationPayload' });
      // They are no attempts of ours.
      expect(await app.world.query(sql`select 1 from event where type = 'contact.attempted'`)).toEqual([]);
      await app.ask(
        `mutation { advanceClock(to: "${new Date(app.clock.now().getTime() + 3_601_000).toISOString()}") }`,
      );
      expect(await send(app, mine!.id, 'Good night.')).toMatchObject({
        code: 'CONTACT_BLOCKED',
        decision: { blocks: ['OUTSIDE_CALLING_HOURS'] },
      });
    },
    { ...unlimited, CLOCK_START: '2026-03-03T04:00:00Z' },
  ));
