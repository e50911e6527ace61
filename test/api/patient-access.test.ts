/** Who has read of a patient: remembered without holding up the read, and told to who may know. */
import { createClient } from 'graphql-ws';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';

interface Access {
  apiKey: { id: string; name: string };
  subject: string;
  purpose: string | null;
  reads: number;
}

/** The report about a patient, newest first. */
async function accessesOf(app: App, id: string, key = app.key): Promise<Access[]> {
  const { data, errors } = await app.ask(
    `query ($id: ID) { patient(id: $id) { accesses(first: 100) { edges { node {
      at subject purpose reads apiKey { id name } } } } } }`,
    { id },
    key,
  );
  expect(errors).toBeUndefined();
  return data.patient.accesses.edges.map(({ node }: { node: Access }) => node);
}

async function keyNamed(app: App, name: string, scopes: string[]): Promise<string> {
  const { data } = await app.ask(
    `mutation ($name: String!, $scopes: [String!]!) { createApiKey(name: $name, scopes: $scopes) { ... on ApiKeyPayload { secret } } }`,
    { name, scopes },
  );
  return data.createApiKey.secret;
}

/** How often a key has read what of a patient, and why. */
const counted = (accesses: Access[], name: string) =>
  [
    ...Map.groupBy(
      accesses.filter(({ apiKey }) => apiKey.name === name),
      ({ subject, purpose }) => `${subject} ${purpose}`,
    ),
  ]
    .map(([what, rows]): [string, number] => [what, rows.reduce((sum, { reads }) => sum + reads, 0)])
    .toSorted(([one], [other]) => (one < other ? -1 : 1));

test('every read of a patient is remembered with who, what and why, wherever the patient is shown', () =>
  withApp(async (app) => {
    await setUp(app);
    const id = await addPatient(app, '+12125550101');
    const other = await addPatient(app, '+12125550102', 'Grace Hopper');
    await app.ask(placeCall, { input: { patientId: id, reason: 'Check-up', phoneFrom: '+14155550199' } });
    const reader = await keyNamed(app, 'reader', ['patients:read', 'calls:read', 'events:read']);
    const reading = async (query: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${reader}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query, variables: { id } }),
      });
      expect(((await response.json()) as { errors?: unknown }).errors).toBeUndefined();
    };
    const why = { 'purpose-of-use': 'TREAT' };
    await reading('query ($id: ID) { patient(id: $id) { name } }', why);
    await reading('{ patients { edges { node { name } } } }', why);
    await reading('{ calls { edges { node { status patient { name } } } } }');
    await reading('query ($id: ID!) { events(entityId: $id, first: 1) { edges { node { type } } } }');
    await reading('{ patients { totalCount } }');
    await reading('query ($id: ID) { patient(id: $id) { name } }', { 'purpose-of-use': 'because\tI say so' });
    expect(counted(await accessesOf(app, id), 'reader')).toEqual([
      ['CALL null', 1],
      ['EVENT null', 1],
      ['PATIENT TREAT', 2],
      ['PATIENT null', 2],
    ]);
    expect(counted(await accessesOf(app, other), 'reader')).toEqual([['PATIENT TREAT', 1]]);
  }));

test('reads over a socket are remembered too, and so is who reads the report; who may not read leaves no trace and gets none', () =>
  withApp(async (app) => {
    const id = await addPatient(app, '+12125550101');
    const reader = await keyNamed(app, 'reader', ['patients:read']);
    const blind = await keyNamed(app, 'blind', ['calls:read']);
    const client = createClient({
      url: `${app.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${reader}`, purposeOfUse: 'HOPERAT' },
    });
    await client.iterate({ query: `{ patient(id: "${id}") { name } }` }).next();
    await client.dispose();
    const refused = await app.ask(`{ patient(id: "${id}") { name } }`, {}, blind);
    expect(refused.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    const report = await app.ask(
      `{ patient(id: "${id}") { accesses { edges { node { at } } } } }`,
      {},
      reader,
    );
    expect(report.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    await accessesOf(app, id);
    const accesses = await accessesOf(app, id);
    expect(counted(accesses, 'reader')).toContainEqual(['PATIENT HOPERAT', 1]);
    expect(counted(accesses, 'blind')).toEqual([]);
    expect(accesses.some(({ apiKey, subject }) => apiKey.name !== 'reader' && subject === 'PATIENT')).toBe(
      true,
    );
  }));

test('reads are written together, none waits for it, and what Postgres does not take is written when it does again', () =>
  withApp(async (app) => {
    const ids: string[] = [];
    for (let i = 0; i < 20; i += 1)
      ids.push(await addPatient(app, `+121255501${String(i).padStart(2, '0')}`, `Person ${i}`));
    await app.world.query(sql`alter table patient_access rename to away`);
    for (let i = 0; i < 10; i += 1) {
      const { data } = await app.ask('{ patients(first: 50) { edges { node { id } } } }');
      expect(data.patients.edges).toHaveLength(20);
    }
    const failing = await app.ask(`{ patient(id: "${ids[0]!}") { accesses { edges { node { at } } } } }`);
    expect(failing.errors?.[0]?.extensions?.['code']).toBe('INTERNAL');
    await app.world.query(sql`alter table away rename to patient_access`);
    const accesses = await accessesOf(app, ids[7]!);
    // One more for the answer to upsertPatient, which shows the patient.
    const reads = accesses
      .filter(({ subject }) => subject === 'PATIENT')
      .reduce((sum, row) => sum + row.reads, 0);
    expect(reads).toBeGreaterThanOrEqual(11);
    expect(accesses.length).toBeLessThan(8);
  }));
