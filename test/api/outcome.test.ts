/** What the agent that held a call tells of it: the outcome, what was promised, learned and refused. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';

const tell = async (app: App, input: object) =>
  (
    await app.ask(
      `mutation ($input: ReportCallOutcomeInput!) { reportCallOutcome(input: $input) {
        __typename
        ... on ReportCallOutcomePayload {
          call { id outcome summary answeredBy transcript { speaker text at } }
          tasks { id status reason goal purpose scheduledFor priority calls { id } events { causationId } }
        }
        ... on Error { code message } ... on InputError { fields { path } } ... on StateError { state }
      } }`,
      { input },
    )
  ).data.reportCallOutcome;

/** A call that somebody has answered and that goes on. */
async function held(app: App, name = 'Ada Lovelace', phone = '+12125550121') {
  const patientId = await addPatient(app, phone, name);
  const input = {
    patientId,
    phoneFrom: '+14155550199',
    reason: 'Lab results',
    purpose: 'LAB_RESULTS',
    goal: 'Explain them',
  };
  const { data } = await app.ask(placeCall, { input });
  const callId: string = data.placeCall.call.id;
  await app.follow(callId, (status) => status === 'IN_PROGRESS');
  return { callId, patientId };
}

const promise = { at: '2026-03-04T15:00:00Z', reason: 'The results that I promised' };
const turn = { speaker: 'patient', text: 'Call me tomorrow at ten.', at: '2026-03-03T19:01:00.000Z' };

test('an agent reports once what came of its call, and promises become tasks of the same chain', () =>
  withApp(async (app) => {
    await setUp(app);
    const { callId, patientId } = await held(app);
    const input = {
      callId,
      outcome: 'callback_requested',
      summary: 'Wants the results tomorrow.',
      answeredBy: 'HUMAN',
      transcript: [turn],
      promises: [promise, { ...promise, reason: 'And the prescription', goal: 'Read it out' }],
      facts: { preferred_pharmacy: 'Main Street', mobility: { value: 'walks', confidence: 0.4 } },
    };
    const first = await tell(app, input);
    expect(first.call).toEqual({
      id: callId,
      outcome: 'callback_requested',
      summary: 'Wants the results tomorrow.',
      answeredBy: 'HUMAN',
      transcript: [turn],
    });
    const wanted = {
      status: 'SCHEDULED',
      purpose: 'LAB_RESULTS',
      priority: 2,
      scheduledFor: '2026-03-04T15:00:00.000Z',
    };
    expect(first.tasks).toMatchObject([
      { ...wanted, reason: promise.reason, goal: 'Explain them' },
      { ...wanted, reason: 'And the prescription', goal: 'Read it out' },
    ]);
    expect(await tell(app, input)).toEqual(first);
    expect(await tell(app, { ...input, outcome: 'confirmed' })).toMatchObject({ code: 'ILLEGAL_TRANSITION' });
    const { data } = await app.ask(
      `query ($id: ID!, $call: ID!) {
        patient(id: $id) { facts { key value confidence source } tasks { totalCount } }
        call(id: $call) { events { id type } }
      }`,
      { id: patientId, call: callId },
    );
    expect(data.patient.tasks.totalCount).toBe(2);
    expect(data.patient.facts).toEqual(
      expect.arrayContaining([
        { key: 'preferred_pharmacy', value: 'Main Street', confidence: 0.7, source: 'agent' },
        { key: 'mobility', value: 'walks', confidence: 0.4, source: 'agent' },
      ]),
    );
    const told = data.call.events.filter(({ type }: { type: string }) => type === 'call.outcome_reported');
    expect(told).toHaveLength(1);
    expect(first.tasks[0].events[0].causationId).toBe(told[0].id);

    await app.ask('mutation { advanceClock(to: "2026-03-04T15:05:00Z") }');
    const chain = await app.ask(
      'query ($id: ID!) { call(id: $id) { chain { id origin derivedFrom { id } } } }',
      {
        id: callId,
      },
    );
    expect(chain.data.call.chain.slice(0, 2)).toMatchObject([
      { id: callId, origin: 'API', derivedFrom: null },
      { origin: 'FOLLOW_THROUGH', derivedFrom: { id: callId } },
    ]);
  }));

test('an opt-out and a wrong person take effect with the report', () =>
  withApp(async (app) => {
    await setUp(app);
    const { callId, patientId } = await held(app);
    await app.ask(
      `mutation ($id: ID!) { scheduleTask(input: { patientId: $id, reason: "Later", scheduledFor: "2026-03-05T15:00:00Z" }) { __typename } }`,
      { id: patientId },
    );
    const report = await tell(app, { callId, outcome: 'declined', optOut: true, promises: [promise] });
    expect(report.tasks).toEqual([]);
    const stranger = await held(app, 'Bo Diddley', '+13125550121');
    await tell(app, { callId: stranger.callId, outcome: 'wrong_person', promises: [promise] });
    const { data } = await app.ask(
      `query ($id: ID!, $other: ID!) {
        patient(id: $id) { tasks { edges { node { status } } } canContact(channel: TEXT, purpose: BILLING) { blocks } }
        other: patient(id: $other) { tasks { totalCount } canContact(channel: VOICE, purpose: LAB_RESULTS) { blocks } }
      }`,
      { id: patientId, other: stranger.patientId },
    );
    expect(data.patient.tasks.edges).toEqual([{ node: { status: 'CANCELLED' } }]);
    expect(data.patient.canContact.blocks).toContain('DO_NOT_CONTACT');
    expect(data.other.tasks.totalCount).toBe(0);
    expect(data.other.canContact.blocks).toContain('CONSENT_REVOKED');
  }));

test('what cannot be reported is refused, and changes nothing', () =>
  withApp(async (app) => {
    await setUp(app);
    const { callId } = await held(app);
    const wrong: [object, string[]][] = [
      [{ outcome: 'confirmd' }, ['input', 'outcome']],
      [{ summary: 's'.repeat(4_001) }, ['input', 'summary']],
      [{ promises: Array.from({ length: 11 }, () => promise) }, ['input', 'promises']],
      [{ promises: [{ ...promise, reason: '' }] }, ['input', 'promises', '0', 'reason']],
      [{ facts: { phone: '+12125550100' } }, ['input', 'facts']],
      [{ facts: { colour: 7 } }, ['input', 'facts', 'colour']],
      [{ facts: { colour: { value: 'red', confidence: 2 } } }, ['input', 'facts', 'colour', 'confidence']],
    ];
    for (const [part, path] of wrong) {
      const { code, fields } = await tell(app, { callId, outcome: 'confirmed', ...part });
      expect({ part, code, path: fields[0].path }).toEqual({ part, code: 'INVALID_INPUT', path });
    }
    expect(await tell(app, { callId: randomUUID(), outcome: 'confirmed' })).toMatchObject({
      code: 'NOT_FOUND',
    });
    const patientId = await addPatient(app, '+12125550101', 'Bo Busy');
    const placed = await app.ask(placeCall, {
      input: { patientId, phoneFrom: '+14155550199', reason: 'Hello' },
    });
    const busy: string = placed.data.placeCall.call.id;
    await app.follow(busy, (status) => status === 'BUSY');
    const refused = await tell(app, { callId: busy, outcome: 'confirmed' });
    expect(refused).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'BUSY' });
    const { data } = await app.ask('query ($id: ID!) { call(id: $id) { outcome } }', { id: callId });
    expect(data.call.outcome).toBeNull();
  }));
