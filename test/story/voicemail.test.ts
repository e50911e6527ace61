/** What becomes of voicemails, with a vendor that lives by the clock. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPatient, placeCall, withApp, type App } from '../support/program.ts';
import {
  acceptedDrops,
  dropsTo,
  inputTo,
  send,
  setUpVoicemail,
  typesOf,
  voicemailOf,
  type Setup,
} from '../support/voicemails.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

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
    { SIM_PACE: '1', API_KEY_REQUESTS_PER_MINUTE: '100000' },
  );
  running.catch(opened.reject);
  app = await opened.promise;
  setup = await setUpVoicemail(app);
});

afterAll(async () => {
  over.resolve();
  await running;
});

/** Moves the clock so many seconds on, and waits for all that falls due on the way. */
async function advance(seconds: number): Promise<void> {
  const to = new Date(app.clock.now().getTime() + seconds * 1000).toISOString();
  const { errors } = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to });
  expect(errors).toBeUndefined();
}

/** Asks for a voicemail to this number. */
const leave = async (phone: string) => send(app, await inputTo(app, setup, phone));

/** Asks for one that the vendor accepts, or may have. */
async function pending(phone: string) {
  const answer = await leave(phone);
  expect(answer).toMatchObject({ __typename: 'SendVoicemailPayload', voicemail: { status: 'PENDING' } });
  return answer.voicemail as Awaited<ReturnType<typeof voicemailOf>>;
}

const codesOf = async (phone: string) => (await send(app, await inputTo(app, setup, phone))).decision?.blocks;

test('a voicemail is requested, accepted, and delivered once the vendor says so', async () => {
  const to = '+12015550140';
  const answer = await leave(to);
  expect(answer).toMatchObject({
    __typename: 'SendVoicemailPayload',
    replayed: false,
    event: { type: 'voicemail.requested', version: 1 },
    voicemail: {
      status: 'PENDING',
      phoneTo: to,
      phoneFrom: '+14155550199',
      carrierReference: expect.stringMatching(UUID),
      failureReason: null,
      decision: { allowed: true, basis: 'PRIOR_EXPRESS' },
      audio: { id: setup.audioId },
      useCase: { id: setup.useCaseId },
    },
  });
  const { id, carrierReference } = answer.voicemail;
  await advance(15);
  const voicemail = await voicemailOf(app, id);
  expect(voicemail).toMatchObject({ status: 'DELIVERED', failureReason: null, carrierReference });
  expect(voicemail.events.map(({ type, actor }) => [type, actor])).toEqual([
    ['voicemail.requested', expect.any(String)],
    ['voicemail.accepted', 'voicemail-vendor'],
    ['voicemail.delivered', 'voicemail-vendor'],
  ]);
  const drop = (await dropsTo(app, to)).find(({ kind }) => kind === 'drop');
  expect(drop).toMatchObject({ accepted: true, messageId: carrierReference, from: '+14155550199' });
  // What the vendor is told of: numbers, and addresses that say nothing of the person.
  expect(Object.keys(drop!.params!).toSorted()).toEqual([
    'audio_url',
    'callback_url',
    'caller_id',
    'foreign_id',
    'to',
  ]);
  expect(drop!.params!['foreign_id']).toBe(id);
});

test.each([
  ['0141', 'NOT_DELIVERED', 'voicemail.not_delivered', /no mailbox, or it is full \(4001\)/],
  ['0142', 'SKIPPED', 'voicemail.skipped', /a rule of its own \(6011\)/],
  ['0143', 'FAILED', 'voicemail.failed', /failed to leave it \(3000\)/],
])('a voicemail to %s ends %s, and says why', async (ending, status, type, why) => {
  const { id } = await pending(`+1202555${ending}`);
  await advance(15);
  const voicemail = await voicemailOf(app, id);
  expect(voicemail).toMatchObject({ status, failureReason: expect.stringMatching(why) });
  expect(typesOf(voicemail)).toEqual(['voicemail.requested', 'voicemail.accepted', type]);
});

test('what the vendor has accepted and never speaks of again counts as not delivered after an hour, not before', async () => {
  const { id } = await pending('+12035550144');
  await advance(3_590);
  expect((await voicemailOf(app, id)).status).toBe('PENDING');
  expect(await codesOf('+12035550144')).toEqual(['ACTIVE_CONTACT']);
  await advance(20);
  const voicemail = await voicemailOf(app, id);
  expect(voicemail).toMatchObject({
    status: 'NOT_DELIVERED',
    failureReason: 'The vendor has said nothing of it for an hour.',
  });
  const [accepted, end] = voicemail.events.slice(1);
  expect(end).toMatchObject({ type: 'voicemail.not_delivered', actor: 'sweep-voicemails' });
  const waitedMs = Date.parse(end!.recordedAt) - Date.parse(accepted!.recordedAt);
  expect(waitedMs).toBeGreaterThanOrEqual(3_600_000);
  expect(waitedMs).toBeLessThan(3_606_000);
});

test('where the answer is lost and a callback comes, the callback decides', async () => {
  const { id } = await pending('+12055550113');
  expect(typesOf(await voicemailOf(app, id))).toEqual(['voicemail.requested', 'voicemail.uncertain']);
  expect(await codesOf('+12055550113')).toEqual(['OUTCOME_UNCERTAIN']);
  await advance(15);
  expect(await voicemailOf(app, id)).toMatchObject({ status: 'DELIVERED', failureReason: null });
  expect(await acceptedDrops(app, '+12055550113')).toBe(1);
});

test('where the answer is lost and nothing else comes, it is asked for no second time, and ends not delivered', async () => {
  const { id } = await pending('+12065550114');
  await advance(3_590);
  expect((await voicemailOf(app, id)).status).toBe('PENDING');
  await advance(20);
  const voicemail = await voicemailOf(app, id);
  expect(voicemail.status).toBe('NOT_DELIVERED');
  expect(typesOf(voicemail)).toEqual([
    'voicemail.requested',
    'voicemail.uncertain',
    'voicemail.not_delivered',
  ]);
  expect(await acceptedDrops(app, '+12065550114')).toBe(1);
});

test('an answer of 503 says nothing of whether it was taken: nobody asks again, and it ends by what is heard', async () => {
  const [refused, taken] = [await pending('+12075550115'), await pending('+12075550116')];
  await advance(15);
  expect((await voicemailOf(app, taken.id)).status).toBe('DELIVERED');
  expect((await voicemailOf(app, refused.id)).status).toBe('PENDING');
  await advance(3_600);
  expect((await voicemailOf(app, refused.id)).status).toBe('NOT_DELIVERED');
  const asked = await Promise.all(['+12075550115', '+12075550116'].map((to) => dropsTo(app, to)));
  expect(asked.map((lines) => lines.filter(({ kind }) => kind === 'drop').length)).toEqual([1, 1]);
});

test('a callback that comes twice is recorded once', async () => {
  const { id } = await pending('+12085550118');
  await advance(15);
  const voicemail = await voicemailOf(app, id);
  expect(typesOf(voicemail)).toEqual(['voicemail.requested', 'voicemail.accepted', 'voicemail.delivered']);
  const told = (await dropsTo(app, '+12085550118')).filter(({ kind }) => kind === 'drop-callback');
  expect(told.map(({ accepted }) => accepted)).toEqual([true, true]);
});

describe('a voicemail is a call', () => {
  test('of which one is under way at a number: no other voicemail and no call beside it, and none beside a call', async () => {
    const to = '+12095550140';
    const patientId = await addPatient(app, to);
    const { audioId, useCaseId } = setup;
    const call = { patientId, phoneFrom: '+14155550199', reason: 'Check-up' };
    const { voicemail } = await send(app, { patientId, audioId, useCaseId });
    expect(voicemail.status).toBe('PENDING');
    const blocked = await app.ask(placeCall, { input: call });
    expect(blocked.data.placeCall).toMatchObject({
      code: 'CONTACT_BLOCKED',
      decision: { blocks: ['ACTIVE_CONTACT'] },
    });
    expect((await send(app, { patientId, audioId, useCaseId })).decision.blocks).toEqual(['ACTIVE_CONTACT']);
    await advance(15);
    expect((await voicemailOf(app, voicemail.id)).status).toBe('DELIVERED');
    const placed = await app.ask(placeCall, { input: call });
    expect(placed.data.placeCall.__typename).toBe('PlaceCallPayload');
    expect((await send(app, { patientId, audioId, useCaseId })).decision.blocks).toEqual(['ACTIVE_CONTACT']);
  });

  test('that counts in the caps with the calls, unless the vendor refused it', async () => {
    const { data } = await app.ask(`mutation { setPolicy(input: { attemptsPerDay: 2 }) { __typename } }`);
    expect(data.setPolicy.__typename).toBe('PolicyPayload');
    const to = '+12105550145';
    const patientId = await addPatient(app, to);
    const input = { patientId, audioId: setup.audioId, useCaseId: setup.useCaseId };
    for (const _ of [1, 2, 3]) expect((await send(app, input)).__typename).toBe('CarrierError');
    const other = { ...input, phoneTo: '+12105550140', basis: 'PRIOR_EXPRESS' };
    expect((await send(app, other)).__typename).toBe('SendVoicemailPayload');
    await advance(15);
    const call = { patientId, phoneTo: '+12105550100', phoneFrom: '+14155550199', reason: 'Check-up' };
    const placed = await app.ask(placeCall, { input: { ...call, basis: 'PRIOR_EXPRESS' } });
    expect(placed.data.placeCall.__typename).toBe('PlaceCallPayload');
    await advance(60);
    const third = await send(app, other);
    expect(third).toMatchObject({ code: 'CONTACT_BLOCKED', decision: { blocks: ['FREQUENCY_CAP'] } });
    await app.ask(`mutation { setPolicy(input: { attemptsPerDay: 0 }) { __typename } }`);
  });

  test('that is left in no calling hours of the law: not at night', async () => {
    const to = '+12125550140';
    const input = await inputTo(app, setup, to);
    const midnight = new Date('2026-03-04T06:00:00Z');
    await advance((midnight.getTime() - app.clock.now().getTime()) / 1000);
    const blocked = await send(app, input);
    expect(blocked).toMatchObject({
      code: 'CONTACT_BLOCKED',
      decision: { allowed: false, blocks: ['OUTSIDE_CALLING_HOURS'] },
    });
    expect(await dropsTo(app, to)).toEqual([]);
  });
});
