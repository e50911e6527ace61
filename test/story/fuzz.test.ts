/** Whatever is sent to any door: it is answered in our words, nothing breaks, and nothing of the inside is told. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import {
  buildSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
  type GraphQLField,
  type GraphQLInputType,
} from 'graphql';
import twilio from 'twilio';
import { expect, test } from 'vitest';
import { readFrame } from '../../src/agent/relay.ts';
import { measure } from '../../src/domain/mp3.ts';
import { frames } from '../support/mp3.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';

/** How much is tried. By hand: FUZZ_RUNS=5000. */
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 150);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const how = { numRuns, seed, endOnFailure: false };

/** What only the inside knows: paths, stacks, statements, drivers, secrets. */
const inside =
  /node_modules|file:\/\/|\.ts:\d|\n\s+at |violates|syntax error at or near|relation "|pg_|ECONN|MikroORM|kysely|invalid byte sequence|out of range for type|simulated-carrier-token/i;

/** What an answer must be. */
async function expectSound(response: Response, sent: string): Promise<void> {
  const body = await response.text();
  const what = `${sent.slice(0, 2_000)}\n${response.status} ${body.slice(0, 2_000)}`;
  expect(response.status, what).toBeLessThan(500);
  expect(body.replaceAll(sent, ''), what).not.toMatch(inside);
  expect(body, what).not.toContain('INTERNAL');
}

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
const verbs = [schema.getQueryType()!, schema.getMutationType()!].flatMap((type) =>
  Object.values(type.getFields()).map((field) => ({ operation: type.name.toLowerCase(), field })),
);

/** Texts that break things. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    '\ud800',
    '%00',
    "'; drop table event; --",
    '{{event.data}}',
    '../../etc/passwd',
  ),
  fc.constantFrom(
    '+12125550100',
    '2026-02-30',
    '2026-03-03T19:00:00Z',
    '0000-00-00T99:99:99Z',
    'ZZ',
    '1e400',
    '* * * * *',
    '99:99',
  ),
  fc.uuid(),
  fc.string({ maxLength: 3_000 }),
);
const anything = fc.oneof(
  nasty,
  fc.maxSafeInteger(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>,
);

/** A value of a type: mostly of the right shape, with contents of any kind. */
function valueOf(type: GraphQLInputType, depth = 0): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return valueOf(type.ofType, depth);
  if (isListType(type)) return fc.array(valueOf(type.ofType, depth), { maxLength: 3 });
  if (isEnumType(type)) return fc.constantFrom(...type.getValues().map(({ name }) => name));
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const needed = fields.filter((field) => isNonNullType(field.type)).map(({ name }) => name);
    return fc.record(
      Object.fromEntries(fields.map((field) => [field.name, valueOf(field.type, depth + 1)])),
      { requiredKeys: depth > 3 ? [] : needed },
    );
  }
  const integers = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 1, 2 ** 31 - 1, -(2 ** 31)));
  const scalars: Record<string, fc.Arbitrary<unknown>> = {
    Int: integers,
    Float: fc.double({ noNaN: true, noDefaultInfinity: true }),
    Boolean: fc.boolean(),
    ID: fc.oneof(fc.uuid({ version: 7 }), nasty),
    E164: fc.oneof(fc.constantFrom('+12125550100', '+14155550199', '+1900'), nasty),
    DateTime: fc.oneof(
      fc.constantFrom(
        '2026-03-03T19:30:00Z',
        '9999-12-31T23:59:59Z',
        '0001-01-01T00:00:00Z',
        '+275760-09-13T00:00:00Z',
      ),
      nasty,
    ),
    JSONObject: fc.dictionary(nasty, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 }),
  };
  return fc.oneof({ weight: 6, arbitrary: scalars[type.name] ?? nasty }, { weight: 1, arbitrary: anything });
}

/** What of an answer is asked for. */
function selectionOf(field: GraphQLField<unknown, unknown>): string {
  const type = getNamedType(field.type);
  if (isUnionType(type)) return '{ __typename ... on Error { code message } }';
  return isObjectType(type) || isInterfaceType(type) ? '{ __typename }' : '';
}

const request = fc
  .constantFrom(...verbs)
  .filter(({ field }) => field.name !== 'advanceClock') // it does as it is told
  .chain(({ operation, field }) => {
    const { args } = field;
    const declared = args.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
    const given = args.map(({ name }) => `${name}: $${name}`).join(', ');
    const query = `${operation} ${declared ? `(${declared})` : ''} { ${field.name}${given ? `(${given})` : ''} ${selectionOf(field)} }`;
    const needed = args.filter((argument) => isRequiredArgument(argument)).map(({ name }) => name);
    return fc
      .record(Object.fromEntries(args.map(({ name, type }) => [name, valueOf(type)])), {
        requiredKeys: needed,
      })
      .map((variables) => ({ query, variables }));
  });

const post = (app: App, body: string) =>
  fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${app.key}` },
    body,
  });

test(
  'any input of any query or mutation is answered, or refused in our words',
  () =>
    withApp(
      async (app) => {
        await setUp(app);
        await addPatient(app, '+12125550100');
        const sent = fc.asyncProperty(request, async (given) => {
          const body = JSON.stringify(given);
          await expectSound(await post(app, body), body);
        });
        await fc.assert(sent, { ...how, numRuns: 3 * numRuns });
      },
      { API_KEY_REQUESTS_PER_MINUTE: '1000000' },
    ),
  300_000,
);

/** Pieces of documents in any order. */
const document = fc
  .array(
    fc.oneof(
      fc.constantFrom('{', '}', '(', ')', '...', '@', '$x', ':', '!', '[', ']', '"""', '"', '#', '&', '|'),
      fc.constantFrom(
        'query',
        'mutation',
        'subscription',
        'fragment F on Patient',
        '...F',
        'on',
        'patient',
        'id',
        'name',
        '__schema',
        '__typename',
        '@skip(if: true)',
        '@defer',
      ),
      nasty,
    ),
    { maxLength: 60 },
  )
  .map((pieces) => pieces.join(' '));

test(
  'any document, and any body, is answered',
  () =>
    withApp(
      async (app) => {
        const documents = fc.asyncProperty(fc.oneof(document, nasty), async (query) => {
          const body = JSON.stringify({ query });
          await expectSound(await post(app, body), query);
        });
        await fc.assert(documents, how);
        await fc.assert(
          fc.asyncProperty(nasty, async (body) => expectSound(await post(app, body), body)),
          how,
        );
      },
      { API_KEY_REQUESTS_PER_MINUTE: '1000000' },
    ),
  300_000,
);

const account = 'simulated-carrier-token';

test(
  'any callback of the carrier, signed or not, is answered',
  () =>
    withApp(async (app) => {
      await setUp(app);
      const patientId = await addPatient(app, '+12125550121');
      const { data } = await app.ask(
        `mutation ($id: ID!) { placeCall(input: { patientId: $id, reason: "x", phoneFrom: "+14155550199" }) { ... on PlaceCallPayload { call { id } } } }`,
        { id: patientId },
      );
      const base = `/carrier/${app.workspaceId}/calls/${data.placeCall.call.id}`;
      const path = fc.oneof(
        fc.constantFrom(...['/status', '/twiml', '/amd', '/voice', '/action'].map((end) => base + end)),
        fc.constantFrom(
          '/carrier/messages',
          `/carrier/${app.workspaceId}/messages/${data.placeCall.call.id}/status`,
        ),
        fc.webPath().map((end) => `/carrier${end}`),
        fc.webPath().map((end) => `/hooks${end}`),
      );
      const names = fc.constantFrom(
        'CallSid',
        'CallStatus',
        'SequenceNumber',
        'Timestamp',
        'AnsweredBy',
        'CallDuration',
        'SipResponseCode',
        'MessageSid',
        'MessageStatus',
        'From',
        'To',
        'Body',
        'ErrorCode',
      );
      const words = fc.oneof(
        nasty,
        fc.constantFrom(
          'completed',
          'in-progress',
          'busy',
          'human',
          '-1',
          '99999999999999999999',
          'CA'.padEnd(34, '0'),
        ),
      );
      const parameters = fc.dictionary(names, words, { maxKeys: 8 });
      const callback = fc.asyncProperty(path, parameters, fc.boolean(), async (to, given, isSigned) => {
        const url = app.url + to;
        const sound = Object.fromEntries(
          Object.entries(given).map(([name, value]) => [name, value.toWellFormed()]),
        );
        const headers = isSigned
          ? { 'x-twilio-signature': twilio.getExpectedTwilioSignature(account, url, sound) }
          : {};
        const response = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(sound) });
        await expectSound(response, `${to} ${JSON.stringify(given)}`);
      });
      await fc.assert(callback, { ...how, numRuns: 2 * numRuns });
    }),
  300_000,
);

test(
  'any file of patients is imported or told what is wrong with it',
  () =>
    withApp(
      async (app) => {
        const cell = fc.oneof(
          nasty,
          fc.constantFrom('"', '""', ',', '\n', '\r\n', 'x', '1990-02-30', '(212) 555-0100'),
        );
        const csv = fc
          .array(cell, { maxLength: 40 })
          .map((cells) => `MRN,Name,Phone,DOB\n${cells.join(',')}`);
        const resource = fc.record(
          {
            resourceType: fc.constantFrom<unknown[]>(
              'Patient',
              'Bundle',
              'Appointment',
              'Observation',
              7,
              null,
            ),
            id: anything,
            name: fc.oneof(anything, fc.constant([{ given: ['Ada'], family: 'Poe' }])),
            telecom: fc.oneof(anything, fc.constant([{ system: 'phone', value: '+12125550100' }])),
            birthDate: anything,
            entry: anything,
            subject: anything,
            start: anything,
            meta: anything,
          },
          { requiredKeys: ['resourceType'] },
        );
        const files = fc.oneof(
          csv.map((text) => ({ text, format: 'CSV' })),
          fc.array(resource, { maxLength: 4 }).map((all) => ({
            text: all.map((one) => JSON.stringify(one)).join('\n'),
            format: 'FHIR_NDJSON',
          })),
          resource.map((one) => ({ text: JSON.stringify(one), format: 'FHIR_BUNDLE' })),
          nasty.map((text) => ({ text, format: 'FHIR_NDJSON' })),
        );
        const imported = fc.asyncProperty(files, async ({ text, format }) => {
          const query = `mutation ($file: File!) { importPatients(file: $file, format: ${format}, sourceSystem: "ehr") {
        __typename ... on ImportPatientsPayload { accepted errors { message } } ... on Error { code message } } }`;
          const form = new FormData();
          form.set('operations', JSON.stringify({ query, variables: { file: null } }));
          form.set('map', JSON.stringify({ 0: ['variables.file'] }));
          form.set('0', new File([text], 'x', { type: 'text/plain' }));
          const headers = { authorization: `Bearer ${app.key}` };
          await expectSound(await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form }), text);
        });
        await fc.assert(imported, how);
      },
      { API_KEY_REQUESTS_PER_MINUTE: '1000000' },
    ),
  300_000,
);

test('any bytes are a sound or none, and any frame is a message or none', () => {
  const good = Uint8Array.from(frames(20, { rate: 48_000 }));
  const broken = fc.tuple(fc.nat(good.length - 1), fc.uint8Array({ maxLength: 30 })).map(([at, piece]) => {
    const bytes = good.slice();
    bytes.set(piece.slice(0, good.length - at), at);
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 4_000 })), (bytes) => void measure(bytes)),
    { ...how, numRuns: 10 * numRuns },
  );
  const frame = fc.oneof(
    nasty,
    fc.json(),
    fc
      .record({
        type: fc.constantFrom('setup', 'prompt', 'interrupt', 'dtmf', 'error'),
        voicePrompt: anything,
        digit: anything,
        last: anything,
      })
      .map((one) => JSON.stringify(one)),
  );
  fc.assert(
    fc.property(frame, (text) => void readFrame(text)),
    { ...how, numRuns: 10 * numRuns },
  );
});
