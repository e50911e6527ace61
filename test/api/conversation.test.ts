/** What is texted, what is refused, and what becomes of it. */
import { expect, test } from 'vitest';
import { sql } from 'kysely';
import * as conversations from '../../src/domain/conversation.ts';
import { addPatient, setUp, withApp } from '../support/program.ts';
import { inSeconds, unlimited, upsert } from './tasks.ts';
import {
  becomes,
  close,
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
