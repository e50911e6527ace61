/** Calls are recorded where their service, the law and the patient allow it, and no longer than the workspace says (C-44). */
import { expect, test } from 'vitest';
import twilio from 'twilio';
import { eventually } from '../support/eventually.ts';
import { placeCall, withApp, type Answer, type App, type LedgerEntry } from '../support/program.ts';

const ours = '+14155550199';
const newYork = '+12125550100';
const california = '+14155550100';

interface Entry extends LedgerEntry {
  params?: Record<string, string>;
  url?: string;
  recordingSid?: string;
}

async function setUp(app: App, service: object = {}): Promise<void> {
  await app.ask(`mutation { registerPhoneNumber(input: { phone: "${ours}" }) { __typename } }`);
  const { data } = await app.ask(
    `mutation ($input: ServiceInput!) { createService(input: $input) { ... on ServicePayload { service { recordsCalls } } ... on InputError { fields { path message } } } }`,
    {
      input: { name: 'Care', systemPrompt: '', greeting: 'Hello from Care.', recordsCalls: true, ...service },
    },
  );
  expect(data.createService.service).toBeDefined();
}

/** Calls a patient of whom these facts are known. */
async function call(app: App, phone: string, facts: Record<string, string> = {}): Promise<string> {
  const input = { name: 'Rosa Diaz', birthDate: '1951-03-14', phone, facts, sourceSystem: 'ehr' };
  const { data } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
    { input },
  );
  const patientId = data.upsertPatient.patient.id;
  const placed = await app.ask(placeCall, { input: { patientId, phoneFrom: ours, reason: 'Check-up' } });
  expect(placed.data.placeCall.__typename).toBe('PlaceCallPayload');
  return placed.data.placeCall.call.id as string;
}

const query = `query ($id: ID!) { call(id: $id) { sid status outcome recording { allowed reason states announced }
  recordings { sid durationSeconds deletedAt } transcript { speaker text } events { type data }
  patient { facts { key value confidence } } } }`;

const read = async (app: App, id: string): Promise<Answer['data']> =>
  (await app.ask(query, { id })).data.call;

const ended = (app: App, id: string): Promise<Answer['data']> =>
  eventually(async () => {
    const found = await read(app, id);
    return found.status === 'COMPLETED' && found.outcome ? found : null;
  }, 40_000);

const recorded = (app: App, id: string) =>
  eventually(async () => ((await read(app, id)).recordings.length > 0 ? ended(app, id) : null), 40_000);

const ledgerOf = async (app: App, to: string): Promise<Entry[]> =>
  ((await app.ledger()) as Entry[]).filter((entry) => entry.to === to);

const typesOf = ({ events }: Answer['data']) => events.map(({ type }: { type: string }) => type);

async function advance(app: App, days: number): Promise<void> {
  const to = new Date(app.clock.now().getTime() + days * 86_400_000).toISOString();
  expect(
    (await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to })).errors,
  ).toBeUndefined();
}

/** People slow enough for a busy machine: who is not connected within eight seconds of theirs hangs up. */
const slow = { SIM_PACE: '5' };

test(
  'a call is recorded where one side may consent, and not where everybody must and nobody has; the call tells why',
  { timeout: 120_000 },
  () =>
    withApp(async (app) => {
      await setUp(app);
      const [here, there] = [await call(app, newYork), await call(app, california)];
      const taped = await recorded(app, here);
      expect(taped.recording).toEqual({
        allowed: true,
        reason: 'ONE_PARTY',
        states: ['NY'],
        announced: false,
      });
      expect(taped.recordings).toEqual([
        { sid: expect.stringMatching(/^RE/), durationSeconds: expect.any(Number), deletedAt: null },
      ]);
      expect(taped.transcript[0].text).not.toMatch(/recorded/);
      const free = await ended(app, there);
      expect(free).toMatchObject({
        recording: { allowed: false, reason: 'CONSENT_MISSING', states: ['CA'] },
        recordings: [],
      });
      expect((await ledgerOf(app, california)).filter(({ kind }) => kind === 'recording-callback')).toEqual(
        [],
      );
    }, slow),
);

test(
  'with the consent of the patient it is recorded there too, and whoever answers hears so first',
  { timeout: 120_000 },
  () =>
    withApp(async (app) => {
      await setUp(app);
      const taped = await recorded(app, await call(app, california, { recordingConsent: 'given' }));
      expect(taped.recording).toMatchObject({ allowed: true, reason: 'CONSENTED', announced: true });
      expect(taped.transcript[0].text).toMatch(/AI assistant.*Hello from Care\. This call is recorded\./);
    }, slow),
);

test(
  'nothing is recorded for a service that does not ask, nor against the will of the patient',
  { timeout: 120_000 },
  () =>
    withApp(async (app) => {
      await setUp(app, { recordsCalls: false });
      expect((await ended(app, await call(app, newYork))).recording).toMatchObject({ reason: 'NOT_ASKED' });
      await setUp(app, { isDefault: true });
      const refused = await ended(app, await call(app, '+12015550100', { recordingConsent: 'refused' }));
      expect(refused).toMatchObject({ recording: { allowed: false, reason: 'REFUSED' }, recordings: [] });
    }, slow),
);

test('what the carrier tells twice, or nobody has signed, adds nothing', { timeout: 120_000 }, () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await call(app, newYork);
    const { sid } = await recorded(app, id);
    const told = (await ledgerOf(app, newYork)).find(({ kind }) => kind === 'recording-callback')!;
    const post = async (params: Record<string, string>, token = 'simulated-carrier-token') => {
      const response = await fetch(told.url!, {
        method: 'POST',
        headers: {
          'x-twilio-signature': twilio.getExpectedTwilioSignature(token, told.url!, params),
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams(params),
      });
      return response.status;
    };
    expect(await post(told.params!)).toBe(204);
    expect(await post({ ...told.params!, RecordingSid: 'RE0' }, 'another token')).toBe(403);
    expect(await post({ ...told.params!, RecordingSid: 'RE0', RecordingStatus: 'absent' })).toBe(204);
    const after = await read(app, id);
    expect(after.sid).toBe(sid);
    expect(after.recordings).toHaveLength(1);
    expect(typesOf(after).filter((type: string) => type === 'call.recorded')).toHaveLength(1);
  }, slow),
);

test(
  'past the days of the workspace recordings are deleted at the carrier, also those it never told of',
  { timeout: 120_000 },
  () =>
    withApp(async (app) => {
      await setUp(app);
      const set = await app.ask(
        `mutation { setPolicy(input: { recordingDays: 2 }) { ... on PolicyPayload { workspace { recordingDays } } } }`,
      );
      expect(set.data.setPolicy.workspace.recordingDays).toBe(2);
      const told = await call(app, newYork);
      const untold = await call(app, '+12015550119'); // none of whose callbacks come
      await recorded(app, told);
      const sids = async () => {
        const { callSid } = (await ledgerOf(app, '+12015550119')).find(({ kind }) => kind === 'create')!;
        return callSid!;
      };
      await advance(app, 1);
      expect((await read(app, told)).recordings).toMatchObject([{ deletedAt: null }]);
      await advance(app, 1.5);
      const after = await read(app, told);
      expect(after.recordings).toMatchObject([{ deletedAt: expect.any(String) }]);
      expect(typesOf(after)).toContain('call.recording_deleted');
      const deleted = ((await app.ledger()) as Entry[]).filter(({ kind }) => kind === 'recording-delete');
      expect(new Set(deleted.map(({ callSid }) => callSid))).toEqual(new Set([after.sid, await sids()]));
      expect(typesOf(await read(app, untold))).toContain('call.recording_deleted');
      await advance(app, 3);
      expect(
        ((await app.ledger()) as Entry[]).filter(({ kind }) => kind === 'recording-delete'),
      ).toHaveLength(2);
    }, slow),
);

test(
  'who does not want it is not recorded any longer, now or later, and what there is is deleted',
  { timeout: 120_000 },
  () =>
    withApp(async (app) => {
      await setUp(app);
      const id = await call(app, '+12125550124');
      await ended(app, id);
      await advance(app, 0.001);
      const stopped = await read(app, id);
      expect(typesOf(stopped)).toContain('call.recording_deleted');
      expect(stopped.transcript.map(({ text }: { text: string }) => text).join('\n')).toMatch(
        /is not recorded/,
      );
      expect(stopped.patient.facts).toContainEqual({
        key: 'recordingConsent',
        value: 'refused',
        confidence: 0.7,
      });
      const asked = (await ledgerOf(app, '+12125550124')).filter(({ kind }) => kind.startsWith('recording-'));
      expect(asked.map(({ kind }) => kind)).toEqual([
        'recording-update',
        'recording-callback',
        'recording-delete',
      ]);
      expect(stopped.outcome).toBe('confirmed');
      expect((await ended(app, await call(app, '+12125550124'))).recording).toMatchObject({
        reason: 'REFUSED',
      });
    }, slow),
);
