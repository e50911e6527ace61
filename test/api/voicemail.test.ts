import { sql } from 'kysely';
/** Voicemails as they are asked for, told of, listed and watched. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';
import { eventually } from '../support/eventually.ts';
import {
  acceptedDrops,
  addUseCase,
  countsOf,
  dropsTo,
  ended,
  inputTo,
  send,
  setUpVoicemail,
  typesOf,
  upload,
  voicemailOf,
  type Setup,
  type Voicemail,
} from '../support/voicemails.ts';

let app: App;
let setup: Setup;
const over = Promise.withResolvers<void>();
let running: Promise<void>;

beforeAll(async () => {
  const opened = Promise.withResolvers<App>();
  running = withApp(
    async (started) => {
      opened.resolve(started);
      await over.promise;
    },
    { API_KEY_REQUESTS_PER_MINUTE: '100000' },
  );
  running.catch(opened.reject);
  app = await opened.promise;
  setup = await setUpVoicemail(app);
});

afterAll(async () => {
  over.resolve();
  await running;
});

/** What is answered to an input that must leave no trace: no event, no row, no question to the vendor. */
async function refused(input: Record<string, unknown>, key?: string) {
  await eventually(async () => {
    const [open] = await app.world.query(sql`select from voicemail where status = 'PENDING' limit 1`);
    return !open; // what an earlier test has sent still comes to its end
  }, 10_000);
  const before = await countsOf(app);
  const answer = await send(app, input, key);
  expect(await countsOf(app)).toEqual(before);
  return answer;
}

async function makeWorkspace(): Promise<string> {
  const { data } = await app.ask(
    `mutation { createWorkspace(name: "Clinic B") { ... on WorkspacePayload { secret } } }`,
  );
  return data.createWorkspace.secret as string;
}

/** A number of ours, registered with what is said of it; answers its id. */
async function register(phone: string, more = ''): Promise<string> {
  const { data } = await app.ask(
    `mutation { registerPhoneNumber(input: { phone: "${phone}" ${more} }) { ... on PhoneNumberPayload { phoneNumber { id } } } }`,
  );
  return data.registerPhoneNumber.phoneNumber.id as string;
}

describe('sendVoicemail refuses', () => {
  const fault = (field: string) => ({
    __typename: 'InputError',
    code: 'INVALID_INPUT',
    fields: [{ path: ['input', field] }],
  });

  test.each([
    ['patientId', 'nobody'],
    ['phoneTo', '2125550140'],
    ['useCaseId', ''],
    ['audioId', '7'],
    ['idempotencyKey', ''],
    ['idempotencyKey', 'x'.repeat(129)],
  ])('a %s such as %j', async (field, value) => {
    const input = await inputTo(app, setup, '+12125550140');
    expect(await refused({ ...input, [field]: value })).toMatchObject(fault(field));
  });

  test('a patient, a use case or a recording that is not there, or is another workspace’s', async () => {
    const key = await makeWorkspace();
    const theirs = await setUpVoicemail(app, '+14155550190', key);
    const theirPatient = await addPatient(app, '+12125550140', 'Bruno Beta', key);
    const input = await inputTo(app, setup, '+12125550140');
    for (const [patientId, useCaseId, audioId] of [
      [randomUUID(), randomUUID(), randomUUID()],
      [theirPatient, theirs.useCaseId, theirs.audioId],
    ]) {
      for (const [given, code] of [
        [{ patientId }, 'PATIENT_NOT_FOUND'],
        [{ useCaseId }, 'NOT_FOUND'],
        [{ audioId }, 'NOT_FOUND'],
      ] as const) {
        const [id] = Object.values(given);
        expect(await refused({ ...input, ...given })).toMatchObject({
          __typename: 'NotFoundError',
          code,
          id,
        });
      }
    }
  });

  test('a use case without a number of the United States that may leave voicemails', async () => {
    const input = await inputTo(app, setup, '+12125550140');
    const numbers = {
      text: await register('+14155550191', 'voice: false, text: true'),
      pending: await register('+14155550192', 'voicemailSender: PENDING'),
      rejected: await register('+14155550193', 'voicemailSender: REJECTED'),
      canadian: await register('+14165550194'),
    };
    const useCases = [
      await addUseCase(app, [setup.numberId], 'VOICE'),
      await addUseCase(app, [setup.numberId], 'TEXT'),
      await addUseCase(app, []),
      ...(await Promise.all(Object.values(numbers).map((id) => addUseCase(app, [id])))),
    ];
    for (const useCaseId of useCases) {
      expect(await refused({ ...input, useCaseId })).toMatchObject({
        __typename: 'NotFoundError',
        code: 'NO_NUMBER_AVAILABLE',
        id: useCaseId,
      });
    }
    await register('+14155550192', 'voicemailSender: REGISTERED');
    const answer = await send(app, { ...input, useCaseId: useCases[4]! });
    expect(answer).toMatchObject({ voicemail: { phoneFrom: '+14155550192' } });
  });

  test.each([
    ['of Canada', '+14165550140'],
    ['of Jamaica', '+18765550140'],
    ['of Britain', '+442079460140'],
    ['at a premium rate', '+19005550140'],
  ])('a number %s, the patient’s own as well as one that is named', async (_, phone) => {
    const answer = {
      __typename: 'InputError',
      code: 'DESTINATION_NOT_ALLOWED',
      fields: [{ path: ['input', 'phoneTo'], message: expect.any(String) }],
    };
    const input = await inputTo(app, setup, '+12125550140');
    expect(await refused({ ...input, phoneTo: phone })).toMatchObject(answer);
    expect(await refused(await inputTo(app, setup, phone))).toMatchObject(answer);
  });

  test('what the gate blocks, and says why', async () => {
    const blocksOf = async (input: Record<string, unknown>) => {
      const answer = await refused(input);
      expect(answer).toMatchObject({ __typename: 'ContactBlockedError', code: 'CONTACT_BLOCKED' });
      return answer.decision.blocks as string[];
    };
    const input = await inputTo(app, setup, '+12135550140');
    expect(await blocksOf({ ...input, purpose: 'MARKETING' })).toEqual(['NO_LEGAL_BASIS']);
    const prefer = `mutation ($id: ID!) { setContactPreferences(patientId: $id, input: { blockedChannels: [VOICEMAIL] }) { __typename } }`;
    await app.ask(prefer, { id: input.patientId });
    expect(await blocksOf(input)).toEqual(['CHANNEL_BLOCKED']);
    const stopped = await inputTo(app, setup, '+12145550140');
    const revoke = `mutation ($id: ID!) { revokeConsent(patientId: $id, reason: "asked") { __typename } }`;
    await app.ask(revoke, { id: stopped.patientId });
    expect(await blocksOf(stopped)).toEqual(['DO_NOT_CONTACT']);
    const { data } = await app.ask(
      `mutation { upsertPatient(input: { name: "No Number", sourceSystem: "ehr" }) { ... on PatientPayload { patient { id } } } }`,
    );
    const { useCaseId, audioId } = setup;
    const nowhere = { patientId: data.upsertPatient.patient.id, useCaseId, audioId, basis: 'PRIOR_EXPRESS' };
    expect(await blocksOf(nowhere)).toEqual(['PHONE_MISSING']);
  });
});

describe('with an idempotency key', () => {
  test('a voicemail is left once, and told again as it is; another input is refused', async () => {
    const input = { ...(await inputTo(app, setup, '+12155550140')), idempotencyKey: randomUUID() };
    const first = await send(app, input);
    const { id } = first.voicemail;
    const again = await refused(input);
    expect(again).toMatchObject({ replayed: true, voicemail: { id }, event: first.event });
    await ended(app, id);
    expect(await refused(input)).toMatchObject({ replayed: true, voicemail: { id, status: 'DELIVERED' } });
    expect(await acceptedDrops(app, '+12155550140')).toBe(1);
    for (const other of [{ purpose: 'SCHEDULING' }, { audioId: await upload(app, 'other') }])
      expect((await refused({ ...input, ...other })).code).toBe('IDEMPOTENCY_CONFLICT');
    const call = { patientId: input.patientId, reason: 'x', idempotencyKey: input.idempotencyKey };
    const { data } = await app.ask(placeCall, { input: { ...call, phoneFrom: '+14155550199' } });
    expect(data.placeCall.code).toBe('IDEMPOTENCY_CONFLICT');
  });

  test('of many requests at once one leaves it, and the others are told so or to ask again', async () => {
    const to = '+12165550120'; // the callback comes before the vendor's own answer
    const input = { ...(await inputTo(app, setup, to)), idempotencyKey: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(app, input)));
    const told = answers.map(({ code, replayed }) => code ?? (replayed ? 'replayed' : 'sent'));
    expect(told.filter((word) => word === 'sent')).toHaveLength(1);
    expect(new Set(told)).toEqual(new Set(['sent', 'IDEMPOTENCY_IN_PROGRESS']));
    expect(await acceptedDrops(app, to)).toBe(1);
    const { voicemail } = await send(app, input);
    expect(voicemail).toMatchObject({ status: 'DELIVERED', carrierReference: null });
    expect(typesOf(voicemail)).toEqual(['voicemail.requested', 'voicemail.delivered']);
  });

  test('a refusal by the vendor is told again and the vendor not asked again, though it answered with 200', async () => {
    const to = '+12175550145';
    const input = { ...(await inputTo(app, setup, to)), idempotencyKey: randomUUID() };
    const answer = await send(app, input);
    expect(answer).toMatchObject({
      __typename: 'CarrierError',
      code: 'CARRIER_REJECTED',
      retryable: false,
      message: 'The voicemail vendor refused the voicemail. Nothing was sent.',
    });
    expect(await refused(input)).toEqual(answer);
    const { data } = await app.ask(
      `query ($id: ID!) { voicemails(patientId: $id) { edges { node { status carrierReference failureReason } } } }`,
      { id: input.patientId },
    );
    const node = { status: 'FAILED', carrierReference: null, failureReason: answer.message };
    expect(data.voicemails.edges).toEqual([{ node }]);
  });

  test('what the vendor was too busy for leaves the key free, and may be asked for again', async () => {
    const input = { ...(await inputTo(app, setup, '+12185550112')), idempotencyKey: randomUUID() };
    for (const _ of [1, 2]) {
      expect(await send(app, input)).toMatchObject({
        __typename: 'CarrierError',
        code: 'CARRIER_UNAVAILABLE',
        carrierCode: '429',
        retryable: true,
      });
    }
    const third = await send(app, input);
    expect(third).toMatchObject({ replayed: false, voicemail: { status: 'PENDING' } });
    expect((await ended(app, third.voicemail.id)).status).toBe('DELIVERED');
  });
});

describe('a callback', () => {
  /** A voicemail that the vendor has accepted and says nothing of by itself, with the URL that only the vendor was given. */
  async function waiting(area: number) {
    const to = `+1${area}5550144`;
    const { voicemail } = await send(app, await inputTo(app, setup, to));
    expect(voicemail.status).toBe('PENDING');
    const drop = (await dropsTo(app, to)).find(({ kind }) => kind === 'drop');
    return { id: voicemail.id as string, url: drop!.params!['callback_url']! };
  }

  const post = async (url: string, body: unknown) =>
    (await fetch(url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }))
      .status;

  const success = (foreign_id: string) => ({ status: 'success', reason_code: 0, foreign_id });
  const failure = (foreign_id: string, said: object) => ({
    status: 'failure',
    reason: 'Call +12195550144 back',
    foreign_id,
    ...said,
  });

  test('that is forged, malformed or of another voicemail changes nothing', async () => {
    const [mine, other] = [await waiting(219), await waiting(224)];
    const before = await voicemailOf(app, mine.id);
    const signatureOf = (url: string) => url.split('/').at(-1)!;
    const signedBy = (signature: string) => mine.url.replace(signatureOf(mine.url), signature);
    const body = success(mine.id);
    const broken = signatureOf(mine.url).replace(/^./, (letter) => (letter === 'A' ? 'B' : 'A'));
    expect(await post(signedBy(broken), body)).toBe(403);
    expect(await post(signedBy(signatureOf(other.url)), body)).toBe(403);
    expect(await post(signedBy('x'), body)).toBe(403);
    expect(await post(mine.url.replace(app.workspaceId, randomUUID()), body)).toBe(403);
    expect(await post(mine.url.replace(mine.id, randomUUID()), body)).toBe(403);
    expect(await post(mine.url.replace(`/${signatureOf(mine.url)}`, ''), body)).toBe(404);
    expect(await post(mine.url, success(other.id))).toBe(400);
    const nonsense = [
      '',
      'null',
      '[]',
      '"success"',
      '{',
      '{}',
      '{"status":"done"}',
      '{"status":["success"]}',
    ];
    for (const text of [...nonsense, '{"foreign_id":7,"status":"success"}', '['.repeat(50_000)])
      expect([text.slice(0, 40), await post(mine.url, text)]).toEqual([text.slice(0, 40), 400]);
    expect(await post(mine.url, 'x'.repeat(70_000))).toBe(413);
    expect((await fetch(mine.url)).status).toBe(405);
    expect(await voicemailOf(app, mine.id)).toEqual(before);
    expect((await voicemailOf(app, other.id)).status).toBe('PENDING');
  });

  test('that is true ends it; told again, or told otherwise, it stays as it ended', async () => {
    const { id, url } = await waiting(225);
    expect(await Promise.all([1, 2, 3].map(() => post(url, success(id))))).toEqual([204, 204, 204]);
    const voicemail = await voicemailOf(app, id);
    expect(typesOf(voicemail)).toEqual(['voicemail.requested', 'voicemail.accepted', 'voicemail.delivered']);
    expect(await post(url, failure(id, { reason_code: 4001 }))).toBe(204);
    expect(await voicemailOf(app, id)).toEqual(voicemail);
  });

  test.each<[number, object, string, string]>([
    [228, { reason_code: 4002 }, 'NOT_DELIVERED', '(4002)'],
    [229, { reason_code: '4001' }, 'NOT_DELIVERED', '(4001)'],
    [231, { reason_code: 6011 }, 'SKIPPED', '(6011)'],
    [234, { reason_code: 3007, dnc: true }, 'SKIPPED', '(3007)'],
    [239, { reason_code: 9999 }, 'FAILED', '(9999)'],
    [240, { reason_code: undefined }, 'FAILED', 'leave it.'],
    [248, { reason_code: { secret: 'x' } }, 'FAILED', 'leave it.'],
  ])('in area %i with %j ends as it should, in our words', async (area, said, status, words) => {
    const { id, url } = await waiting(area);
    expect(await post(url, failure(id, said))).toBe(204);
    const voicemail = await voicemailOf(app, id);
    expect(voicemail.status).toBe(status);
    expect(voicemail.failureReason).toContain(words);
    expect(voicemail.failureReason).not.toContain('555');
  });
});

describe('voicemails', () => {
  const list = `query ($first: Int, $after: String, $patientId: ID, $status: VoicemailStatus) {
    voicemails(first: $first, after: $after, patientId: $patientId, status: $status) {
      edges { node { id status } } pageInfo { hasNextPage endCursor } } }`;

  async function listed(variables: Record<string, unknown>, key?: string) {
    const { data, errors } = await app.ask(list, variables, key);
    expect(errors).toBeUndefined();
    const { edges, pageInfo } = data.voicemails;
    return { ids: edges.map(({ node }: { node: Voicemail }) => node.id) as string[], ...pageInfo };
  }

  test('are listed newest first, by patient and by status, in pages that leave nothing out', async () => {
    const patientId = await addPatient(app, '+12515550140');
    const ids: string[] = [];
    for (const area of [252, 253, 254, 256, 260]) {
      const phoneTo = `+1${area}5550${area === 254 ? '141' : '140'}`;
      const { useCaseId, audioId } = setup;
      const answer = await send(app, { patientId, useCaseId, audioId, phoneTo, basis: 'PRIOR_EXPRESS' });
      ids.unshift(answer.voicemail.id);
    }
    await Promise.all(ids.map((id) => ended(app, id)));
    expect((await listed({ patientId })).ids).toEqual(ids);
    expect((await listed({ patientId, status: 'NOT_DELIVERED' })).ids).toEqual([ids[2]]);
    expect((await listed({ patientId, status: 'PENDING' })).ids).toEqual([]);
    const seen: string[] = [];
    for (let after: string | null = null, more = true; more;) {
      const page = await listed({ patientId, first: 2, after });
      seen.push(...page.ids);
      [after, more] = [page.endCursor, page.hasNextPage];
    }
    expect(seen).toEqual(ids);
    const all = await listed({ first: 100 });
    expect(all.ids.slice(0, 5)).toEqual(ids);
    expect((await listed({ status: 'NOT_DELIVERED', first: 100 })).ids).toContain(ids[2]);
    expect((await listed({}, await makeWorkspace())).ids).toEqual([]);
    expect((await listed({ patientId: 'nobody' })).ids).toEqual([]);
  });

  test('are watched from the state they are in to their end, every change once', async () => {
    const { voicemail } = await send(app, await inputTo(app, setup, '+12675550140'));
    const seen: [string, string | null][] = [];
    const updates = app.client().iterate<{ voicemailUpdated: Voicemail }>({
      query:
        'subscription ($id: ID!) { voicemailUpdated(id: $id) { status carrierReference events { type } } }',
      variables: { id: voicemail.id },
    });
    for await (const { data } of updates) {
      const { status, carrierReference, events } = data!.voicemailUpdated;
      seen.push([status, carrierReference]);
      expect(events.length).toBeGreaterThan(0);
      if (status !== 'PENDING') break;
    }
    const { carrierReference } = voicemail;
    expect(seen.at(-1)).toEqual(['DELIVERED', carrierReference]);
    expect(new Set(seen.map(([status]) => status))).toEqual(new Set(['PENDING', 'DELIVERED']));
    expect(seen.length).toBeLessThanOrEqual(3);
  });

  test('stand on the timeline of the patient, as they happened', async () => {
    const input = await inputTo(app, setup, '+12695550140');
    const { voicemail } = await send(app, input);
    await ended(app, voicemail.id);
    const { data } = await app.ask(
      `query ($id: ID!) { patient(id: $id) { timeline { edges { node { type summary } } } } }`,
      { id: input.patientId },
    );
    const told = data.patient.timeline.edges
      .map(({ node }: { node: { type: string; summary: string } }) => node)
      .filter(({ type }: { type: string }) => type.startsWith('voicemail.'));
    expect(told.map(({ type }: { type: string }) => type).toSorted()).toEqual([
      'voicemail.accepted',
      'voicemail.delivered',
      'voicemail.requested',
    ]);
    for (const { summary } of told) expect(summary).toMatch(/^[A-Z][^.]*\.?$/);
  });

  test('need the scope: who may only read leaves none, who has another scope sees none', async () => {
    const keyWith = async (scope: string) => {
      const { data } = await app.ask(
        `mutation { createApiKey(name: "x", scopes: ["${scope}"]) { ... on ApiKeyPayload { secret } } }`,
      );
      return data.createApiKey.secret as string;
    };
    const input = await inputTo(app, setup, '+12705550140');
    const document = `mutation ($input: SendVoicemailInput!) { sendVoicemail(input: $input) { __typename } }`;
    const before = await countsOf(app);
    const reader = await keyWith('voicemails:read');
    const { errors } = await app.ask(document, { input }, reader);
    expect(errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    expect((await app.ask('{ voicemails { edges { node { id } } } }', {}, reader)).errors).toBeUndefined();
    const stranger = await app.ask(
      '{ voicemails { edges { node { id } } } }',
      {},
      await keyWith('calls:write'),
    );
    expect(stranger.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    expect({ ...(await countsOf(app)), keys: before['keys'] }).toEqual(before);
  });
});

test('a workspace without a use case for voicemail can leave none, and learns what is missing', async () => {
  const key = await makeWorkspace();
  await setUp(app, '+13035550199', key);
  const patientId = await addPatient(app, '+13035550140', 'Bruno Beta', key);
  const { data } = await app.ask(
    `mutation ($input: ScheduleTaskInput!) { scheduleTask(input: $input) { ... on Error { code message } } }`,
    { input: { patientId, channel: 'VOICEMAIL', reason: 'x' } },
    key,
  );
  expect(data.scheduleTask).toEqual({
    code: 'NO_NUMBER_AVAILABLE',
    message: expect.stringMatching(/use case for voicemail/),
  });
});
