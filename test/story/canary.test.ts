/** What a person told us, or others of them, leaves the process only for who may have it: nothing else that leaves names it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { rmSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { connect } from '@nats-io/transport-node';
import { sql } from 'kysely';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { startNats } from '../../src/embedded/nats.ts';
import { sensitive } from '../../src/domain/sensitivity.ts';
import { openLogger, type Log } from '../../src/logger.ts';
import { fire, record, runsOf, trigger } from '../api/triggers.ts';
import { eventually } from '../support/eventually.ts';
import { quickFolder } from '../support/folder.ts';
import { isOver, placeCall, withApp, type Answer, type App } from '../support/program.ts';
import { withReceivers } from '../support/receiver.ts';
import { ours, send as write, setUpTexts, start, text } from '../support/texts.ts';
import { addUseCase, send as leave, upload } from '../support/voicemails.ts';

/** What is nowhere else in the world: each can only be here because somebody has told it. */
const told = {
  name: 'Zyzzyva Quokkaberg',
  canonicalId: 'ehr:Patient:canary4711',
  birthDate: '1931-07-19',
  city: 'Brumblewick',
  tag: 'frobnosed',
  fact: 'allergicnix',
  reason: 'Xylocanary visit',
  goal: 'Grobnaking',
  diagnosis: 'Qwibblosis',
  medication: 'Plonkadine',
  written: 'Mumblefritz is due',
  answered: 'Snorkelbane hurts',
  posted: 'Vexilloid',
  zone: 'Wobbleshire',
};
const phones = ['0100', '0105', '0110', '0113', '0115', '0132', '0133', '0143'].map(
  (end) => `+1212555${end}`,
);

/** What may be found: the words of what was told, and the digits of whom it is about. */
const words = Object.values(told).flatMap((value) =>
  value.split(/[ :]/).filter((word) => /[A-Z0-9]{1}.{5}/i.test(word)),
);
const canaries = [...words.filter((word) => word !== 'Patient'), ...phones.map((phone) => phone.slice(2))];

/** What is found in a text, without telling upper case from lower, nor what a URL hides. */
const foundIn = (given: string): string[] => {
  const plain = given.replaceAll(/%([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
  return canaries.filter((canary) => plain.toLowerCase().includes(canary.toLowerCase()));
};

/** What has left, by where it went. */
type Left = Record<
  'log' | 'console' | 'urls' | 'statements' | 'nats' | 'answers' | 'metrics' | 'webhooks',
  string[]
>;

/** Everything that leaves the process for the length of `work`, by where it goes. */
async function leaving(
  work: (left: Left, environment: Record<string, string>, log: Log) => Promise<void>,
): Promise<void> {
  const left = { log: [], console: [], urls: [], statements: [], nats: [] } as unknown as Left;
  const dataDir = quickFolder('canary');
  const nats = await startNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
  const listener = await connect({ servers: nats.url });
  void (async () => {
    for await (const message of listener.subscribe('>'))
      left.nats.push(
        `${message.subject} ${JSON.stringify([...(message.headers ?? [])])} ${message.string()}`,
      );
  })();
  const http = (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    left.urls.push(`${request.method} ${String(request.getHeader('host'))}${request.path}`);
  };
  const undici = (message: unknown) => {
    const { request } = message as { request: { method: string; origin: string; path: string } };
    left.urls.push(`${request.method} ${request.origin}${request.path}`);
  };
  subscribe('http.client.request.start', http);
  subscribe('undici:request:create', undici);
  const query = pg.Client.prototype.query;
  const spies = [
    vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function spied(
      this: pg.Client,
      ...given: unknown[]
    ) {
      const statement = given[0] as string | { text: string };
      left.statements.push(typeof statement === 'string' ? statement : statement.text);
      return (query as (...all: unknown[]) => unknown).apply(this, given);
    }),
    ...(['log', 'warn', 'error', 'info'] as const).map((kind) =>
      vi
        .spyOn(console, kind)
        .mockImplementation((...said: unknown[]) => void left.console.push(said.map(String).join(' '))),
    ),
  ];
  const log = openLogger({ level: 'trace', pretty: false, write: (line) => void left.log.push(line) });
  try {
    await work(left, { NATS_URL: nats.url }, log);
  } finally {
    for (const spy of spies) spy.mockRestore();
    unsubscribe('http.client.request.start', http);
    unsubscribe('undici:request:create', undici);
    await listener.close();
    await nats.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const isCarriersList = (url: string) =>
  /^GET [^/]+\/2010-04-01\/Accounts\/[^/]+\/(Calls|Messages)\.json\?/.test(url);

/** Every column that holds something of what was told, as table.column. */
async function columnsHolding(app: App): Promise<string[]> {
  const columns = await app.world.query<{ table: string; column: string }>(sql`
    select table_name as "table", column_name as "column" from information_schema.columns
    where table_schema = 'public' and data_type in ('text', 'jsonb', 'date', 'ARRAY')`);
  const wanted = canaries.map((canary) => `%${canary}%`);
  const found = await Promise.all(
    columns.map(async ({ table, column }) => {
      const rows = await app.world.query(
        sql`select 1 from ${sql.table(table)} where ${sql.ref(column)}::text ilike any(${wanted}::text[]) limit 1`,
      );
      return rows.length > 0 ? [`${table}.${column}`] : [];
    }),
  );
  return found.flat().toSorted();
}

async function seed(app: App) {
  const ids: string[] = [];
  for (const [index, phone] of phones.entries()) {
    const input = {
      name: told.name,
      canonicalId: `${told.canonicalId}${index}`,
      birthDate: told.birthDate,
      phone,
      tags: [told.tag],
      address: { city: told.city },
      facts: { allergy: told.fact },
      sourceSystem: 'ehr',
    };
    const { data, errors } = await app.ask(
      `mutation ($input: PatientInput!) { upsertPatient(input: $input) { __typename ... on InputError { message } ... on PatientPayload { patient { id } } } }`,
      { input },
    );
    expect(errors).toBeUndefined();
    ids.push(data.upsertPatient.patient.id);
    await record(app, ids[index]!, { type: 'condition.recorded', data: { display: told.diagnosis } });
    await record(app, ids[index]!, { type: 'medication.prescribed', data: { display: told.medication } });
  }
  return ids;
}

/** Calls, texts and voicemails of every end, to everybody. */
async function contact(app: App, ids: string[], callbackUrl: string): Promise<void> {
  const serviceId = await setUpTexts(app);
  const { data } = await app.ask('{ phoneNumbers { id } }');
  const useCaseId = await addUseCase(app, [data.phoneNumbers[0].id]);
  const audioId = await upload(app);
  for (const [index, patientId] of ids.entries()) {
    const input = {
      patientId,
      serviceId,
      phoneFrom: ours,
      reason: told.reason,
      goal: told.goal,
      callbackUrl,
      tags: [told.tag],
      basis: 'PRIOR_EXPRESS',
      metadata: { note: told.fact },
    };
    const placed = await app.ask(placeCall, { input });
    expect(placed.errors).toBeUndefined();
    if (index === 0) expect(placed.data.placeCall).toMatchObject({ __typename: 'PlaceCallPayload' });
    const { call } = placed.data.placeCall;
    if (call && index === 0) await app.follow(call.id, isOver);
    const talked = await start(app, {
      patientId,
      reason: told.reason,
      opening: told.written,
    });
    if (talked.talk) await write(app, talked.talk.id, told.written);
    expect(await text(app, phones[index]!, told.answered)).toBe(200);
    await leave(app, { patientId, useCaseId, audioId, basis: 'PRIOR_EXPRESS' });
  }
}

/** What is refused, forged, malformed and broken, with what was told in it. */
async function stumble(app: App, hookUrl: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  const documents: [string, Record<string, unknown>][] = [
    ['query ($x: ID) { patient(id: $x) { id } }', { x: told.name }],
    ['query ($x: String) { events(after: $x) { edges { node { id } } } }', { x: told.diagnosis }],
    [
      'mutation ($i: PatientInput!) { upsertPatient(input: $i) { __typename } }',
      {
        i: {
          name: told.name,
          birthDate: told.diagnosis,
          phone: told.written,
          timeZone: told.zone,
          sourceSystem: 'ehr',
        },
      },
    ],
    [
      'mutation ($i: PatientInput!) { upsertPatient(input: $i) { __typename } }',
      { i: { [told.fact]: told.name } },
    ],
    [`{ ${told.fact} }`, {}],
    [`{ "${told.name}" `, {}],
  ];
  for (const [query, variables] of documents) answers.push(await app.ask(query, variables));
  await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${app.key}` },
    body: `{"query": ${told.name}`,
  });
  await fetch(`${app.url}/carrier/messages`, {
    method: 'POST',
    body: new URLSearchParams({ Body: told.answered, From: phones[0]! }),
  });
  await fetch(hookUrl, { method: 'POST', body: `{"type": "ext.x", ${told.posted}` });
  await fetch(`${app.url}/agent/context`, { headers: { authorization: `Bearer ${told.name}` } });
  // What is broken within: a column that takes no text any more, and a table that is gone.
  await app.world.query(sql`alter table patient alter column name type int using 0`);
  answers.push(
    await app.ask('mutation ($i: PatientInput!) { upsertPatient(input: $i) { __typename } }', {
      i: { name: told.name, sourceSystem: 'ehr', birthDate: told.birthDate },
    }),
  );
  await app.world.query(sql`alter table message rename to gone`);
  await text(app, phones[0]!, told.answered);
  await app.world.query(sql`alter table gone rename to message`);
  return answers;
}

test(
  'nothing that leaves the process names a person or what is the matter with one, except to who may have it',
  () =>
    withReceivers(1, (receiver) =>
      leaving((left, environment, log) =>
        withApp(
          async (app) => {
            await app.ask(
              'mutation ($url: String!) { createEventSubscription(input: { url: $url }) { __typename } }',
              { url: receiver.url },
            );
            const ids = await seed(app);
            await contact(app, ids, receiver.url);
            const hook = await trigger(app, {
              kind: 'WEBHOOK',
              action: { reason: `${told.reason} {{event.data.x}}` },
            });
            await fire(app, hook.id, { patientId: ids[0]!, data: { x: told.posted } });
            await eventually(async () => (await runsOf(app, hook.id)).length > 0);
            // It was all told, and is there for who may have it.
            const { data } = await app.ask(
              'query ($id: ID) { patient(id: $id) { name birthDate phone timeline(first: 50) { edges { node { data } } } } }',
              { id: ids[0] },
            );
            expect(foundIn(JSON.stringify(data)).length).toBeGreaterThan(6);
            const marked = Object.entries(sensitive).flatMap(([table, columns]) =>
              Object.keys(columns).map((column) => `${table}.${column}`),
            );
            const holding = await columnsHolding(app);
            expect(holding.filter((column) => !marked.includes(column))).toEqual([]);
            expect(holding.length).toBeGreaterThan(25);
            const known = await app.world.query<{ name: string }>(
              sql`select table_name || '.' || column_name as name from information_schema.columns where table_schema = 'public'`,
            );
            expect(marked.filter((column) => !known.some(({ name }) => name === column))).toEqual([]);
            const made = await app.ask(
              'mutation { createWorkspace(name: "Another") { ... on WorkspacePayload { secret } } }',
            );
            const others = ids.map((id) =>
              app.ask(
                `query ($id: ID!, $name: String) { patient(id: $id) { name } call(id: $id) { id } conversation(id: $id) { id }
                outboundTask(id: $id) { reason } events(entityId: $id) { edges { node { data } } }
                patients(search: $name) { totalCount } }`,
                { id, name: told.name },
                made.data.createWorkspace.secret,
              ),
            );
            left.answers = (await Promise.all(others)).map((answer) => JSON.stringify(answer));
            expect(left.answers[0]).toContain('"totalCount":0');
            const own = await stumble(app, hook.webhook.url);
            expect(own.at(-1)?.errors?.[0]?.extensions).toEqual({ code: 'INVALID_INPUT' });
            left.metrics = [await (await fetch(`${app.url}/metrics`)).text()];
            await eventually(() => receiver.got.length > 20);
            left.webhooks = receiver.got.map(({ body, headers }) => JSON.stringify([body, headers]));
          },
          { ...environment, PRIVATE_WEBHOOKS: '1', SOURCE_NUMBER_CALLS_PER_MINUTE: '1000' },
          log,
        ).then(() => {
          // All of it went somewhere, and what went wrong was told.
          expect(left.urls.length).toBeGreaterThan(50);
          expect(left.statements.length).toBeGreaterThan(200);
          expect(left.nats.filter((message) => message.startsWith('world.')).length).toBeGreaterThan(100);
          expect(left.log.join('\n')).toMatch(/withheld/);
          expect(left.log.join('\n')).toContain(String.raw`relation \"message\" does not exist`);
          for (const [where, texts] of Object.entries(left)) {
            const found = texts
              .filter((sent) => !isCarriersList(sent))
              .flatMap((sent) => foundIn(sent).map((canary) => [canary, sent.slice(0, 300)]));
            expect({ where, found: found.slice(0, 3) }).toEqual({ where, found: [] });
          }
          // The carrier's own way to ask for its calls and texts with a number names that number, and nothing else.
          const lists = left.urls.filter(isCarriersList);
          expect(lists.length).toBeGreaterThan(0);
          for (const list of lists)
            expect(foundIn(list).filter((canary) => !phones.includes(`+1${canary}`))).toEqual([]);
        }),
      ),
    ),
  60_000,
);
