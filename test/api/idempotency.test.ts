import { expect, test } from 'vitest';
import { addPatient, isOver, placeCall, setUp, withApp, type App } from '../support/program.ts';

const unlimited = { SOURCE_NUMBER_CALLS_PER_MINUTE: '1000', API_KEY_REQUESTS_PER_MINUTE: '100000' };
const ours = '+14155550199';

type Input = Record<string, unknown>;

/** A request for a call; every one of these is allowed. */
const call = (phoneTo: string, more: Input = {}): Input => ({
  phoneTo,
  phoneFrom: ours,
  reason: 'Check-up',
  basis: 'PRIOR_EXPRESS',
  ...('patientId' in more
    ? {}
    : {
        person: {
          firstName: 'Grace',
          lastName: 'Hopper',
        },
      }),
  ...more,
});

async function place(app: App, input: Input) {
  const { data, errors } = await app.ask(placeCall, { input });
  expect(errors).toBeUndefined();
  return data.placeCall;
}

/** How many calls to this number the carrier has accepted. */
const dials = async (app: App, to: string) =>
  (await app.ledger()).filter((entry) => entry.kind === 'create' && entry.accepted && entry.to === to).length;

async function countCalls(app: App): Promise<number> {
  const { data } = await app.ask('{ calls(first: 200) { edges { node { id } } } }');
  return data.calls.edges.length;
}

test('the same key and input are answered with the same call, which is dialled once', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const to = '+12125550101';
    const input = call(to, {
      idempotencyKey: 'one',
      tags: ['a', 'b'],
      metadata: {
        room: '1',
        floor: '2',
      },
      variables: {
        x: '1',
        y: '2',
      },
    });
    const first = await place(app, input);
    expect(first).toMatchObject({ __typename: 'PlaceCallPayload', replayed: false });
    const again = await place(app, input);
    expect(again).toMatchObject({ replayed: true, call: { id: first.call.id }, event: first.event });
    await app.follow(first.call.id, isOver);
    const later = await place(app, input);
    expect(later).toMatchObject({ replayed: true, call: { id: first.call.id, status: 'BUSY' } });
    // The order of an object's keys, and saying what is understood anyway, make no other input.
    const same = [
      { ...input, metadata: { floor: '2', room: '1' }, variables: { y: '2', x: '1' } },
      Object.fromEntries(Object.entries(input).toReversed()),
      { ...input, purpose: 'OTHER', goal: null, serviceId: null },
    ];
    for (const one of same) {
      expect(await place(app, one)).toMatchObject({ replayed: true, call: { id: first.call.id } });
    }
    expect(await dials(app, to)).toBe(1);
    expect(await countCalls(app)).toBe(1);
  }, unlimited));

test('the same key with another input is a conflict, whichever field differs', () =>
  withApp(async (app) => {
    const { serviceId } = await setUp(app, ours);
    const patientId = await addPatient(app, '+12135550100');
    const input = call('+12125550101', { idempotencyKey: 'one', tags: ['a', 'b'], metadata: { room: '1' } });
    const { person, ...others } = input;
    await place(app, input);
    const changed: Input[] = [
      { ...input, phoneTo: '+12135550101' },
      { ...input, person: { firstName: 'Grace', lastName: 'Hopper', birthDate: '1906-12-09' } },
      { ...others, patientId },
      { ...input, reason: 'check-up' },
      { ...input, goal: 'Confirm' },
      { ...input, purpose: 'SCHEDULING' },
      { ...input, systemPrompt: '' },
      { ...input, welcomeMessage: 'Hello' },
      { ...input, serviceId },
      { ...input, tags: ['b', 'a'] },
      { ...input, metadata: {} },
      { ...input, metadata: { room: '2' } },
      { ...input, variables: { room: '1' } },
      { ...input, callbackUrl: 'https://example.com' },
      { ...input, basis: 'PRIOR_EXPRESS_WRITTEN' },
    ];
    for (const other of changed) {
      expect({ other, answer: await place(app, other) }).toMatchObject({
        other,
        answer: {
          __typename: 'IdempotencyError',
          code: 'IDEMPOTENCY_CONFLICT',
        },
      });
    }
    // A key belongs to one mutation and one workspace.
    const event = { patientId, type: 'ext.note', data: {}, sourceSystem: 'ehr', idempotencyKey: 'one' };
    expect(await tell(app, event)).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    const { data } = await app.ask(
      `mutation { createWorkspace(name: "Other") { ... on WorkspacePayload { secret } } }`,
    );
    const elsewhere = await app.ask(placeCall, { input }, data.createWorkspace.secret);
    expect(elsewhere.data.placeCall).toMatchObject({ code: 'OUTBOUND_NOT_CONFIGURED' });
    expect(await countCalls(app)).toBe(1);
    expect(person).toBeDefined();
  }, unlimited));

test('ten requests that race with one key place one call', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const numbers = ['+12125550100', '+12125550112', '+12125550113', '+12125550120', '+12125550115'];
    for (const to of numbers) {
      const input = call(to, { idempotencyKey: to });
      const answers = await Promise.all(Array.from({ length: 10 }, () => place(app, input)));
      const payloads = answers.filter(({ __typename }) => __typename === 'PlaceCallPayload');
      const waiting = answers.filter(({ code }) => code === 'IDEMPOTENCY_IN_PROGRESS');
      expect({ to, answered: payloads.length + waiting.length }).toEqual({ to, answered: 10 });
      expect(payloads.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(new Set(payloads.map(({ call }) => call.id)).size).toBe(1);
      const later = await place(app, input);
      expect(later).toMatchObject({ replayed: true, call: { id: payloads[0].call.id } });
      expect({ to, dials: await dials(app, to) }).toEqual({ to, dials: to.endsWith('0115') ? 0 : 1 });
    }
    expect(await countCalls(app)).toBe(numbers.length);
  }, unlimited));

test('two requests that race for one number place one call, also when nobody has ever heard of it', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    for (const [area, known] of [
      ['212', true],
      ['213', false],
    ] as const) {
      const to = `+1${area}5550121`;
      const patientId = known ? await addPatient(app, to) : null;
      const input = call(to, patientId ? { patientId } : {});
      const answers = await Promise.all([place(app, input), place(app, input)]);
      expect(answers.filter(({ __typename }) => __typename === 'PlaceCallPayload')).toHaveLength(1);
      const blocked = answers.find(({ __typename }) => __typename === 'ContactBlockedError');
      expect(blocked.decision.blocks).toEqual(['ACTIVE_CONTACT']);
      expect(await dials(app, to)).toBe(1);
    }
    const { data } = await app.ask('{ patients { totalCount } }');
    expect(data.patients.totalCount).toBe(2);
  }, unlimited));

test('a request that is refused frees its key, and one that the carrier refuses keeps its answer', () =>
  withApp(async (app) => {
    const to = '+12125550101';
    const input = call(to, { idempotencyKey: 'one' });
    expect((await place(app, input)).code).toBe('OUTBOUND_NOT_CONFIGURED');
    await setUp(app, ours);
    expect((await place(app, { ...input, basis: null })).code).toBe('CONTACT_BLOCKED');
    expect((await place(app, { ...input, phoneFrom: '+14155550198' })).code).toBe('CALLER_ID_NOT_REGISTERED');
    expect((await place(app, { ...input, reason: '' })).code).toBe('INVALID_INPUT');
    expect(await place(app, input)).toMatchObject({ __typename: 'PlaceCallPayload', replayed: false });
    expect(await dials(app, to)).toBe(1);

    const invalid = call('+12125550110', { idempotencyKey: 'two' });
    const refused = { __typename: 'CarrierError', carrierCode: '21211', retryable: false };
    for (let i = 0; i < 3; i += 1) expect(await place(app, invalid)).toMatchObject(refused);
    const asked = (await app.ledger()).filter(
      (entry) => entry.kind === 'create' && entry.to === '+12125550110',
    );
    expect(asked).toHaveLength(1);
    expect((await place(app, { ...invalid, goal: 'x' })).code).toBe('IDEMPOTENCY_CONFLICT');
  }, unlimited));

test('a key is freed when the carrier could not be asked at all, so that the same request may succeed later', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const input = call('+12125550101', { idempotencyKey: 'one' });
      const unreachable = { __typename: 'CarrierError', code: 'CARRIER_UNAVAILABLE', retryable: true };
      const first = await place(app, input);
      expect(first).toMatchObject(unreachable);
      expect((await place(app, { ...input, goal: 'another input' })).code).toBe('CARRIER_UNAVAILABLE');
      expect(await place(app, input)).toMatchObject(unreachable);
      expect(await countCalls(app)).toBe(3);
    },
    // Nobody listens on port 1.
    {
      ...unlimited,
      TWILIO_API_URL: 'http://127.0.0.1:1',
      TWILIO_ACCOUNT_SID: `AC${'1'.repeat(32)}`,
      TWILIO_AUTH_TOKEN: 'token',
    },
  ));

const recordEvent = `mutation ($input: RecordEventInput!) { recordEvent(input: $input) { __typename
  ... on RecordEventPayload { replayed event { id type version data } } ... on Error { code message } } }`;

async function tell(app: App, input: Input) {
  const { data, errors } = await app.ask(recordEvent, { input });
  expect(errors).toBeUndefined();
  return data.recordEvent;
}

test('an event of another system is recorded once for one key', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const input = {
      patientId,
      type: 'lab.result_received',
      sourceSystem: 'lab',
      idempotencyKey: 'one',
      data: {
        code: 'A1c',
        value: {
          number: 5.4,
          unit: '%',
        },
      },
    };
    const first = await tell(app, input);
    expect(first).toMatchObject({ replayed: false, event: { type: 'lab.result_received', version: 2 } });
    const again = { ...input, data: { value: { unit: '%', number: 5.4 }, code: 'A1c' } };
    expect(await tell(app, again)).toEqual({ ...first, replayed: true });
    for (const other of [
      { ...input, type: 'ext.lab' },
      { ...input, data: {} },
      { ...input, confidence: 0.5 },
      { ...input, sourceSystem: 'other' },
      { ...input, effectiveAt: '2026-01-01T00:00:00Z' },
    ]) {
      expect(await tell(app, other)).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    }
    const racing = { ...input, idempotencyKey: 'two' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => tell(app, racing)));
    const payloads = answers.filter(({ __typename }) => __typename === 'RecordEventPayload');
    const waiting = answers.filter(({ code }) => code === 'IDEMPOTENCY_IN_PROGRESS');
    expect(payloads.length + waiting.length).toBe(10);
    expect(payloads.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(payloads.map(({ event }) => event.id)).size).toBe(1);

    const refused = { ...input, idempotencyKey: 'three', type: 'nonsense' };
    expect((await tell(app, refused)).code).toBe('INVALID_INPUT');
    const nobody = { ...refused, type: 'ext.x', patientId: '01890a5d-ac96-774b-bcce-b302099a8057' };
    expect((await tell(app, nobody)).code).toBe('PATIENT_NOT_FOUND');
    expect(await tell(app, { ...refused, type: 'ext.x' })).toMatchObject({ replayed: false });
    const keyless = { ...input, idempotencyKey: null };
    expect([await tell(app, keyless), await tell(app, keyless)]).toMatchObject([
      { replayed: false },
      { replayed: false },
    ]);
    const { data } = await app.ask(
      `query ($id: ID!) { patient(id: $id) { timeline(types: ["lab.result_received"]) { edges { node { id } } } } }`,
      { id: patientId },
    );
    expect(data.patient.timeline.edges).toHaveLength(4);
  }, unlimited));

test('a key has 1 to 128 characters', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    for (const idempotencyKey of ['', ' ', 'k'.repeat(129), '\0']) {
      expect((await place(app, call('+12125550101', { idempotencyKey }))).fields).toMatchObject([
        { path: ['input', 'idempotencyKey'] },
      ]);
    }
    const longest = '😀'.repeat(128);
    const input = call('+12125550101', { idempotencyKey: longest });
    expect(await place(app, input)).toMatchObject({ replayed: false });
    expect(await place(app, input)).toMatchObject({ replayed: true });
  }, unlimited));
