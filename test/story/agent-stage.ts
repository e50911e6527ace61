import { expect } from 'vitest';
import { startCarrier } from '../../src/simulator/carrier.ts';
import { personAt, type Person } from '../../src/simulator/people.ts';
import { eventually } from '../support/eventually.ts';
import { placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { ACCOUNT_SID, AUTH_TOKEN } from '../support/simulated-carrier.ts';
import type { Story } from './agent-corpus.ts';

const ours = '+14155550199';
const limits = { SOURCE_NUMBER_CALLS_PER_MINUTE: '100000', API_KEY_REQUESTS_PER_MINUTE: '100000' };

/** What nobody but the patient may hear. */
export const secrets = /mammogram|diabetes|metformin/i;

const numberOf = (index: number) => `+1212600${String(1000 + index)}`;

const ordinary = personAt('+12125550100', 1);
const box = personAt('+12125550104', 1);

function personOf({ does, machine }: Story): Person {
  if (machine) return { ...box, voice: `machine ${machine}` };
  return { ...ordinary, staysSeconds: 600, says: does };
}

async function call(app: App, index: number, { patient, model }: Story): Promise<string> {
  const phone = numberOf(index);
  const input = {
    canonicalId: `ehr:Patient:${index}`,
    name: 'Rosa Delgado',
    birthDate: '1951-03-14',
    timeZone: 'America/New_York',
    ...patient,
    phone,
    sourceSystem: 'ehr',
  };
  const { data } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
    { input },
  );
  const patientId = data.upsertPatient.patient.id;
  for (const [type, display] of [
    ['condition.recorded', 'Diabetes mellitus'],
    ['medication.prescribed', 'Metformin'],
  ]) {
    const event = { patientId, type, data: { display }, sourceSystem: 'ehr' };
    await app.ask(`mutation ($input: RecordEventInput!) { recordEvent(input: $input) { __typename } }`, {
      input: event,
    });
  }
  const reason = 'Come to the mammogram on Thursday';
  const goal = model === undefined ? {} : { goal: `MODEL:${model}` };
  const placed = await app.ask(placeCall, {
    input: { patientId, phoneFrom: ours, reason, basis: 'PRIOR_EXPRESS', ...goal },
  });
  expect(placed.data.placeCall).toMatchObject({ __typename: 'PlaceCallPayload' });
  return placed.data.placeCall.call.id as string;
}

const query = `query ($id: ID!) { call(id: $id) {
  status outcome summary answeredBy answeredAt transcript { speaker text at } context { readyAt patientSummary }
  insights { interruptions identityVerified goalReached } patient { id canContact(channel: VOICE, purpose: OTHER) { blocks }
    timeline(first: 5, types: ["appointment.confirmed"]) { edges { node { type data source actor confidence } } } }
  events { type } } }`;

const ended = (app: App, id: string, outcome: string | null): Promise<Answer['data']> =>
  eventually(async () => {
    const { call } = (await app.ask(query, { id })).data;
    const isDone = call.status === 'COMPLETED' && (call.outcome !== null || outcome === null);
    if (!isDone) throw new Error(JSON.stringify(call));
    return call;
  }, 40_000);

/** Plays all stories side by side, and gives what became of each. */
export async function playAll(all: Story[], environment: Record<string, string> = {}) {
  const people = new Map(all.map((story, index) => [numberOf(index), personOf(story)]));
  const carrier = await startCarrier({
    port: 0,
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    pace: 20,
    callsPerSecond: 100,
    meet: (number, attempt) => people.get(number) ?? personAt(number, attempt),
    birthDateOf: () => Promise.resolve('1951-03-14'),
  });
  try {
    return await withApp(
      async (app) => {
        await setUp(app, ours);
        const ids: string[] = [];
        for (const [index, story] of all.entries()) ids.push(await call(app, index, story));
        const calls = await Promise.all(ids.map((id, index) => ended(app, id, all[index]!.outcome)));
        const tasks = await app.ask(`{ outboundTasks(first: 200) { edges { node { id patient { id } } } } }`);
        return { calls, tasks: tasks.data.outboundTasks.edges, ledger: carrier.ledger() };
      },
      {
        ...limits,
        TWILIO_API_URL: carrier.url,
        TWILIO_ACCOUNT_SID: ACCOUNT_SID,
        TWILIO_AUTH_TOKEN: AUTH_TOKEN,
        SIM_PACE: '20',
        ...environment,
      },
    );
  } finally {
    await carrier.close();
  }
}

/** A call's transcript, line by line. */
export const saidIn = (call: Answer['data']): string[] =>
  call.transcript.map(({ speaker, text }: { speaker: string; text: string }) => `${speaker}: ${text}`);
