import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { becomes, scheduled } from '../api/tasks.ts';

const ours = '+14155550199';
/** People slow enough for a busy machine. */
const limits = {
  SOURCE_NUMBER_CALLS_PER_MINUTE: '100000',
  API_KEY_REQUESTS_PER_MINUTE: '100000',
  SIM_PACE: '10',
};

/** A patient with a number of the simulated carrier's block, whose person knows the date of birth. */
async function patientAt(app: App, phone: string): Promise<string> {
  const { data } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
    {
      input: {
        name: 'Rosa Delgado',
        phone,
        birthDate: '1951-03-14',
        timeZone: 'America/New_York',
        sourceSystem: 'ehr',
      },
    },
  );
  return data.upsertPatient.patient.id as string;
}

const read = async (app: App, id: string): Promise<Answer['data']> =>
  (
    await app.ask(
      `query ($id: ID!) { call(id: $id) { status outcome summary answeredBy
        insights { identityVerified goalReached interruptions silenceShare agentTalkShare personTalkShare firstWordMs }
        transcript { speaker text at } events { type actor source causationId }
        patient { canContact(channel: VOICE, purpose: OTHER) { blocks } tasks(first: 5) { edges { node { reason scheduledFor priority } } } } } }`,
      { id },
    )
  ).data.call;

/** What comes of a call to each of the scripted people. */
const people: Record<string, { outcome: string; answeredBy?: string; blocks?: string; tasks?: object[] }> = {
  '0100': { outcome: 'confirmed', answeredBy: 'HUMAN' },
  '0105': { outcome: 'opted_out', answeredBy: 'HUMAN', blocks: 'DO_NOT_CONTACT' },
  '0106': {
    outcome: 'callback_requested',
    answeredBy: 'HUMAN',
    tasks: [{ reason: 'Confirm the visit', scheduledFor: '2026-03-04T15:00:00.000Z', priority: 2 }],
  },
  '0107': { outcome: 'wrong_person', answeredBy: 'HUMAN', blocks: 'CONSENT_REVOKED' },
  '0108': { outcome: 'unresolved' },
};

test('each of the scripted people ends the call as their line says', { timeout: 60_000 }, () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const endings = Object.keys(people);
    const ids = await Promise.all(
      endings.map(async (ending) => {
        const patientId = await patientAt(app, `+1212555${ending}`);
        const input = { patientId, phoneFrom: ours, reason: 'Confirm the visit' };
        return (await app.ask(placeCall, { input })).data.placeCall.call.id as string;
      }),
    );
    for (const [index, ending] of endings.entries()) {
      const { outcome, answeredBy, blocks, tasks = [] } = people[ending]!;
      const call = await eventually(async () => {
        const found = await read(app, ids[index]!);
        return found.status === 'COMPLETED' && found.outcome ? found : null;
      }, 30_000);
      expect({ ending, outcome: call.outcome, status: call.status }).toEqual({
        ending,
        outcome,
        status: 'COMPLETED',
      });
      if (answeredBy) expect([ending, call.answeredBy]).toEqual([ending, answeredBy]);
      if (blocks)
        expect([ending, call.patient.canContact.blocks]).toEqual([ending, expect.arrayContaining([blocks])]);
      const promised = call.patient.tasks.edges.map(({ node }: Answer['data']) => node);
      expect([ending, promised]).toEqual([ending, tasks]);
      const reported = call.events.filter(({ type }: { type: string }) => type === 'call.outcome_reported');
      expect(reported).toMatchObject([{ actor: 'agent', source: 'agent' }]);
      expect(call.insights).toMatchObject({
        goalReached: ending === '0100',
        identityVerified: ending === '0100',
      });
    }
  }, limits),
);

test('who hangs up has answered: a task of theirs is done', { timeout: 60_000 }, () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await patientAt(app, '+12125550108');
    const { id } = await scheduled(app, { patientId, maxAttempts: 3 });
    const task = await becomes(app, id, 'COMPLETED');
    const call = await eventually(async () => {
      const found = await read(app, task.lastCall!.id);
      return found.outcome ? found : null;
    });
    expect(call.outcome).toBe('unresolved');
    expect(await becomes(app, id, 'COMPLETED')).toMatchObject({ attempts: 1 });
  }, limits),
);
