/** Somebody who is hard to reach is tried on one channel after the other, within hours and caps. */
import { expect, test } from 'vitest';
import { addPatient, withApp, type App } from '../support/program.ts';
import { setUpVoicemail } from '../support/voicemails.ts';

/** A clinic that can call, leave voicemails and text, and attempts nobody more than once a day. */
async function setUpAll(app: App): Promise<void> {
  await setUpVoicemail(app);
  const { errors } = await app.ask(`mutation {
    registerPhoneNumber(input: { phone: "+14155550198", voice: false, text: true }) { __typename }
    setPolicy(input: { attemptsPerDay: 1 }) { __typename }
  }`);
  expect(errors).toBeUndefined();
}

async function schedule(app: App, phone: string, input: Record<string, unknown> = {}) {
  const patientId = await addPatient(app, phone);
  const { data } = await app.ask(
    `mutation ($input: ScheduleTaskInput!) { scheduleTask(input: $input) { ... on ScheduleTaskPayload { task { id channel } }
      ... on Error { message } } }`,
    {
      input: {
        patientId,
        reason: 'Lab results are in',
        purpose: 'LAB_RESULTS',
        backoffSeconds: 60,
        ...input,
      },
    },
  );
  return { patientId, ...(data.scheduleTask.task as { id: string; channel: string }) };
}

const taskOf = async (app: App, id: string) =>
  (
    await app.ask(
      `query ($id: ID!) { outboundTask(id: $id) { status channel attempts lastOutcome
        events { type recordedAt data } } }`,
      { id },
    )
  ).data.outboundTask as {
    status: string;
    channel: string;
    lastOutcome: string;
    events: { type: string; recordedAt: string; data: Record<string, string> }[];
  };

const kinds = new Set(['create', 'drop', 'text']);

/** On which channels the outside was asked to reach a number, in order, with the local date in New York of each. */
const reached = async (app: App, phone: string) =>
  (await app.ledger())
    .filter(({ kind, accepted, to }) => kinds.has(kind) && accepted && to === phone)
    .map((entry) => {
      const at = new Date((entry as unknown as { at: string }).at);
      const [day, hour] = ['day', 'hour'].map((part) =>
        Number(
          new Intl.DateTimeFormat('en-US', {
            timeZone: 'America/New_York',
            [part]: 'numeric',
            hourCycle: 'h23',
          }).format(at),
        ),
      ) as [number, number];
      return { kind: entry.kind, day, hour };
    });

test('who never answers is rung, left a voicemail and texted: once a day, within hours, each time with its reason', () =>
  withApp(async (app) => {
    await setUpAll(app);
    const phone = '+12125550102'; // rings out
    const { id, channel } = await schedule(app, phone);
    expect(channel).toBe('VOICE');
    await app.ask('mutation { advanceClock(to: "2026-03-07T19:00:00Z") }');
    const steps = await reached(app, phone);
    expect(steps.map(({ kind }) => kind)).toEqual(['create', 'drop', 'text']);
    expect(new Set(steps.map(({ day }) => day)).size).toBe(3);
    for (const { hour } of steps) expect(hour >= 8 && hour < 21, `at ${hour}`).toBe(true);
    const { status, lastOutcome, events } = await taskOf(app, id);
    expect({ status, lastOutcome }).toEqual({ status: 'COMPLETED', lastOutcome: 'text_delivered' });
    const why = events.flatMap(({ data }) => data['nextAttemptReason'] ?? []);
    expect(why.join('\n')).toMatch(/no answer.*by voicemail, which has not been tried/i);
    expect(why.join('\n')).toMatch(/voicemail left.*by text, which has not been tried/i);
  }));

test('who prefers texts is texted first, and nothing of why is in the text', () =>
  withApp(async (app) => {
    await setUpAll(app);
    const phone = '+12125550130';
    const patientId = await addPatient(app, phone);
    await app.ask(
      `mutation ($id: ID!) { setContactPreferences(patientId: $id, input: { preferredChannel: TEXT }) { __typename } }`,
      { id: patientId },
    );
    const { id, channel } = await schedule(app, phone);
    expect(channel).toBe('TEXT');
    await app.ask('mutation { advanceClock(to: "2026-03-03T19:10:00Z") }');
    expect((await reached(app, phone)).map(({ kind }) => kind)).toEqual(['text']);
    expect(await taskOf(app, id)).toMatchObject({ status: 'COMPLETED', channel: 'TEXT' });
    const text = (await app.ledger()).find(({ kind, to }) => kind === 'text' && to === phone);
    const { Body: body } = (text as unknown as { params: Record<string, string> }).params;
    expect(body).toMatch(/Reply STOP to opt out/);
    expect(body).not.toMatch(/lab/i);
  }));

test('a text that cannot arrive there is followed by a call', () =>
  withApp(async (app) => {
    await setUpAll(app);
    const phone = '+12125550135'; // texts fail for a reason that nobody knows
    const patientId = await addPatient(app, phone);
    await app.ask(
      `mutation ($id: ID!) { setContactPreferences(patientId: $id, input: { preferredChannel: TEXT }) { __typename } }`,
      { id: patientId },
    );
    const { id } = await schedule(app, phone);
    await app.ask('mutation { advanceClock(to: "2026-03-05T19:00:00Z") }');
    expect((await reached(app, phone)).map(({ kind }) => kind).slice(0, 2)).toEqual(['text', 'create']);
    expect((await taskOf(app, id)).events.map(({ type }) => type)).toContain('outbound.attempt_failed');
  }));

test('two people at one number are not texted from one number of ours at once', () =>
  withApp(async (app) => {
    await setUpAll(app);
    const phone = '+12125550130';
    const first = await schedule(app, phone, { channel: 'TEXT' });
    const other = await app.ask(
      `mutation { upsertPatient(input: { name: "Somebody Else", phone: "${phone}", sourceSystem: "ehr" }) { ... on PatientPayload { patient { id } } } }`,
    );
    await app.ask('mutation { advanceClock(to: "2026-03-03T19:10:00Z") }');
    const { data } = await app.ask(
      `mutation ($input: ScheduleTaskInput!) { scheduleTask(input: $input) { ... on ScheduleTaskPayload { task { id } } } }`,
      {
        input: {
          patientId: other.data.upsertPatient.patient.id,
          reason: 'Lab results are in',
          channel: 'TEXT',
        },
      },
    );
    await app.ask('mutation { advanceClock(to: "2026-03-03T19:15:00Z") }');
    expect(await taskOf(app, first.id)).toMatchObject({ status: 'COMPLETED' });
    const second = await taskOf(app, data.scheduleTask.task.id as string);
    expect(second.status).toBe('SCHEDULED');
    expect(second.events.at(-1)).toMatchObject({ type: 'outbound.blocked' });
  }));
