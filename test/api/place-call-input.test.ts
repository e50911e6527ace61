import fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { tries } from '../support/exhaustive.ts';
import { addPatient, placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';

/** Limits far above what is asked for here. */
const unlimited = { SOURCE_NUMBER_CALLS_PER_MINUTE: '100000', API_KEY_REQUESTS_PER_MINUTE: '100000' };
const ours = '+14155550149';
const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';

type Input = Record<string, unknown>;

/** What every refused request must leave as it was; what the carrier tells of earlier calls meanwhile is left out. */
async function traces(app: App) {
  const [counts] = await app.world.query<Record<string, number>>(sql`select
    (select count(*)::int from event where source = 'api') as events, (select count(*)::int from call) as calls,
    (select count(*)::int from patient) as patients, (select count(*)::int from contact) as contacts,
    (select count(*)::int from idempotency_key) as keys`);
  return { ...counts, asked: (await app.ledger()).filter(({ kind }) => kind === 'create').length };
}

/** Answers what a request is answered, and fails when one that was refused has left something behind. */
async function place(app: App, input: Input) {
  const before = await traces(app);
  const answer = await app.ask(placeCall, { input });
  const taken = answer.data?.placeCall?.__typename === 'PlaceCallPayload';
  if (!taken) expect({ input, ...(await traces(app)) }).toEqual({ input, ...before });
  return answer;
}

/** What a refusal says: the type, the code and the fields at fault. */
function said({ data, errors }: Answer) {
  if (errors) return { error: errors.map(({ extensions }) => extensions?.['code']) };
  const { __typename, code, fields, id } = data.placeCall;
  return {
    __typename,
    code,
    ...(fields ? { paths: fields.map(({ path }: { path: string[] }) => path.join('.')) } : {}),
    ...(id === undefined ? {} : { id }),
  };
}

const invalid = (...paths: string[]) => ({
  __typename: 'InputError',
  code: 'INVALID_INPUT',
  paths: paths.map((path) => `input.${path}`),
});
const notFound = (code: string, id: string | null) => ({ __typename: 'NotFoundError', code, id });

const areas = [202, 212, 213, 303, 312, 404, 415, 503, 512, 602, 617, 702];

/** Makes requests that would be taken but for what is being tried, each to a number of its own that has no script. */
function maker() {
  let made = 0;
  return (more: Input = {}): Input => {
    const phoneTo = `+1${areas[Math.floor(made / 50)]}555${String(150 + (made % 50)).padStart(4, '0')}`;
    made += 1;
    const person = { firstName: 'Grace', lastName: 'Hopper' };
    const input = { person, phoneTo, phoneFrom: ours, reason: 'Check-up', basis: 'PRIOR_EXPRESS', ...more };
    return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  };
}

const taken = { __typename: 'PlaceCallPayload', code: undefined };

const astral = (count: number) => '😀'.repeat(count);
const pairs = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`key${i}`, 'value']));

/** Text fields of the input with the most characters that each may have, and the fewest. */
const texts: { field: string; path?: string; most: number; least: number }[] = [
  { field: 'reason', least: 1, most: 256 },
  { field: 'goal', least: 0, most: 2_000 },
  { field: 'systemPrompt', least: 0, most: 10_000 },
  { field: 'welcomeMessage', least: 0, most: 200 },
  { field: 'tags', path: 'tags.0', least: 1, most: 64 },
  { field: 'metadata key', path: 'metadata', least: 1, most: 64 },
  { field: 'metadata value', path: 'metadata.key', least: 0, most: 256 },
  { field: 'variables key', path: 'variables', least: 1, most: 64 },
  { field: 'variables value', path: 'variables.key', least: 0, most: 256 },
  { field: 'person.firstName', least: 1, most: 100 },
  { field: 'person.lastName', least: 1, most: 100 },
  { field: 'idempotencyKey', least: 1, most: 128 },
];

/** The input with a text in one of those fields. */
function withText(field: string, text: string): Input {
  if (field === 'tags') return { tags: [text] };
  const [name = '', part] = field.split(' ');
  if (part) return { [name]: part === 'key' ? { [text]: 'value' } : { key: text } };
  const [parent = '', child] = field.split('.');
  return child ? { [parent]: { firstName: 'Grace', lastName: 'Hopper', [child]: text } } : { [field]: text };
}

/** Where a refusal of such a text points. */
const pathOf = ({ field, path }: (typeof texts)[number], text: string) =>
  field.endsWith(' key') ? `${path}.${text}` : (path ?? field);

test('every text is taken at its limits and refused beyond them, counted in characters, not in code units', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const input = maker();
    for (const rule of texts) {
      const { field, least, most } = rule;
      const tries: [string, boolean][] = [
        ['x'.repeat(most), true],
        ['x'.repeat(most + 1), false],
        [astral(most), true],
        [astral(most + 1), false],
        ['', least === 0],
        ['   ', least === 0],
        ['a\0b', false],
        ['\0'.repeat(most + 1), false],
        ['a\uD800b', false],
        ['\uDC00', false],
        ['Zoë O’Néill 王芳 👩🏽‍⚕️', true],
      ];
      for (const [text, fine] of tries) {
        const answer = said(await place(app, input(withText(field, text))));
        const expected = fine ? taken : invalid(pathOf(rule, text));
        expect({ field, text: text.slice(0, 20), ...answer }).toEqual({
          field,
          text: text.slice(0, 20),
          ...expected,
        });
      }
    }
  }, unlimited));

test('every other field is taken at its limits and refused beyond them', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550150');
    const input = maker();
    const tries: [Input, object][] = [
      [{ tags: [] }, taken],
      [{ tags: Array.from({ length: 10 }, (_, i) => `tag${i}`) }, taken],
      [{ tags: Array.from({ length: 11 }, (_, i) => `tag${i}`) }, invalid('tags')],
      [{ tags: ['fine', '', 'x'.repeat(65)] }, invalid('tags.1', 'tags.2')],
      ...(['metadata', 'variables'] as const).flatMap((field): [Input, object][] => [
        [{ [field]: {} }, taken],
        [{ [field]: pairs(20) }, taken],
        [{ [field]: pairs(21) }, invalid(field)],
        [{ [field]: { constructor: 'x', toString: 'y' } }, taken],
        [{ [field]: { ['__proto__']: 'x', fine: 'y' } }, invalid(field)],
        [{ [field]: { number: 1 } }, invalid(`${field}.number`)],
        [{ [field]: { object: {} } }, invalid(`${field}.object`)],
        [{ [field]: { nothing: null } }, invalid(`${field}.nothing`)],
        [{ [field]: ['a'] }, invalid(field)],
        [{ [field]: 'text' }, invalid(field)],
        [{ [field]: 1 }, invalid(field)],
      ]),
      [{ phoneTo: '+1' }, { __typename: 'ContactBlockedError', code: 'CONTACT_BLOCKED' }],
      [{ phoneTo: `+${'9'.repeat(15)}` }, { __typename: 'ContactBlockedError', code: 'CONTACT_BLOCKED' }],
      [{ phoneTo: '+19005550150' }, { ...invalid('phoneTo'), code: 'DESTINATION_NOT_ALLOWED' }],
      ...[
        '',
        '+',
        '+0123',
        `+${'1'.repeat(16)}`,
        '12125550150',
        '+1 212 555 0150',
        '+1212555015a',
        '+1\n',
        '\0',
      ].flatMap((phone): [Input, object][] => [
        [{ phoneTo: phone }, invalid('phoneTo')],
        [{ phoneFrom: phone }, invalid('phoneFrom')],
      ]),
      ...['nonsense', '', '\0', `${unknownId}0`, unknownId.replaceAll('-', ''), 12].flatMap(
        (id): [Input, object][] => [
          [{ person: undefined, patientId: id }, invalid('patientId')],
          [{ phoneFrom: undefined, useCaseId: id }, invalid('useCaseId')],
          [{ serviceId: id }, invalid('serviceId')],
          [{ taskId: id }, invalid('taskId')],
        ],
      ),
      [{ person: undefined, patientCanonicalId: '' }, invalid('patientCanonicalId')],
      [{ person: undefined, patientCanonicalId: 'x'.repeat(257) }, invalid('patientCanonicalId')],
      [{ derivedFromCallSid: '' }, invalid('derivedFromCallSid')],
      [{ derivedFromCallSid: 'x'.repeat(65) }, invalid('derivedFromCallSid')],
      [{ derivedFromCallSid: 'CA\0' }, invalid('derivedFromCallSid')],
      ...['1906-12-09', '2024-02-29', '0001-01-01', '9999-12-31'].map((birthDate): [Input, object] => [
        { person: { firstName: 'Grace', lastName: `Hopper ${birthDate}`, birthDate } },
        taken,
      ]),
      ...[
        '2023-02-29',
        '1906-13-01',
        '1906-12-9',
        '12/09/1906',
        '',
        '0000-01-01',
        '1906-12-09T00:00:00Z',
      ].map((birthDate): [Input, object] => [
        { person: { firstName: 'Grace', lastName: 'Hopper', birthDate } },
        invalid('person.birthDate'),
      ]),
      [{ callbackUrl: 'https://example.com/x?y=1#z' }, taken],
      [{ callbackUrl: `https://example.com/${'x'.repeat(2_028)}` }, taken],
      ...[
        '',
        'example.com',
        'https://',
        'http://example.com',
        'ftp://example.com',
        'javascript:alert(1)',
        `https://example.com/${'x'.repeat(2_029)}`,
      ].map((callbackUrl): [Input, object] => [{ callbackUrl }, invalid('callbackUrl')]),
      // Several faults at once are told together, in the order of the fields.
      [
        { reason: '', goal: 'x'.repeat(2_001), tags: [''], phoneTo: 'me' },
        invalid('phoneTo', 'reason', 'goal', 'tags.0'),
      ],
      // Left out, null and absent are one.
      [
        {
          goal: null,
          purpose: null,
          systemPrompt: null,
          welcomeMessage: null,
          serviceId: null,
          tags: null,
          metadata: null,
          variables: null,
          derivedFromCallSid: null,
          taskId: null,
          callbackUrl: null,
          idempotencyKey: null,
          patientId: null,
          patientCanonicalId: null,
          useCaseId: null,
        },
        taken,
      ],
      [{ person: undefined, patientId, phoneTo: undefined }, taken],
    ];
    for (const [more, expected] of tries) {
      expect({ more, ...said(await place(app, input(more))) }).toEqual({ more, ...expected });
    }
  }, unlimited));

test('exactly one way to say who is called, and from where', () =>
  withApp(async (app) => {
    const { numberId } = await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550150');
    const { data } = await app.ask(
      `mutation ($numberIds: [ID!]!) { createUseCase(input: { name: "Recall", channel: VOICE, numberIds: $numberIds }) {
        ... on UseCasePayload { useCase { id } } } }`,
      { numberIds: [numberId] },
    );
    const useCaseId: string = data.createUseCase.useCase.id;
    const input = maker();
    const person = { firstName: 'Grace', lastName: 'Hopper' };
    const patientCanonicalId = 'fhir:Patient:1';
    const noSource = { __typename: 'InputError', code: 'PHONE_SOURCE_INVALID', paths: ['input.phoneFrom'] };
    const tries: [Input, object][] = [
      [{ person: undefined }, invalid('patientId')],
      [{ person, patientId }, invalid('patientId')],
      [{ person, patientCanonicalId }, invalid('patientId')],
      [{ person: undefined, patientId, patientCanonicalId }, invalid('patientId')],
      [{ person, patientId, patientCanonicalId }, invalid('patientId')],
      [{ person, phoneTo: undefined }, invalid('phoneTo')],
      [{ phoneFrom: undefined }, noSource],
      [{ useCaseId }, noSource],
      [{ phoneFrom: undefined, useCaseId }, taken],
      [{ person: undefined, patientId }, taken],
    ];
    for (const [more, expected] of tries) {
      expect({ more, ...said(await place(app, input(more))) }).toEqual({ more, ...expected });
    }
  }, unlimited));

test('what is named and is not in this workspace is told by its own code and id', () =>
  withApp(async (app) => {
    const { numberId } = await setUp(app, ours);
    const input = maker();
    const unused = await app.ask(
      `mutation ($numberIds: [ID!]!) {
        register: registerPhoneNumber(input: { phone: "+14155550148", voice: false, text: true }) { ... on PhoneNumberPayload { phoneNumber { id } } }
        text: createUseCase(input: { name: "Text", channel: TEXT, numberIds: $numberIds }) { ... on UseCasePayload { useCase { id } } }
        empty: createUseCase(input: { name: "Nobody", channel: VOICE, numberIds: [] }) { ... on UseCasePayload { useCase { id } } }
        createWorkspace(name: "Other") { ... on WorkspacePayload { secret } }
      }`,
      { numberIds: [numberId] },
    );
    const { secret } = unused.data.createWorkspace;
    const elsewhere = await setUp(app, '+14155550147', secret);
    const stranger = await addPatient(app, '+12125550150', 'Ada', secret);
    const [text, empty] = [unused.data.text.useCase.id, unused.data.empty.useCase.id];
    const someone = { person: undefined };
    const tries: [Input, object][] = [
      [{ ...someone, patientId: unknownId }, notFound('PATIENT_NOT_FOUND', unknownId)],
      [{ ...someone, patientId: stranger }, notFound('PATIENT_NOT_FOUND', stranger)],
      [{ ...someone, patientCanonicalId: 'fhir:Patient:none' }, notFound('PATIENT_NOT_FOUND', null)],
      [{ ...someone, patientCanonicalId: astral(256) }, notFound('PATIENT_NOT_FOUND', null)],
      [{ serviceId: unknownId }, notFound('NOT_FOUND', unknownId)],
      [{ serviceId: elsewhere.serviceId }, notFound('NOT_FOUND', elsewhere.serviceId)],
      [{ phoneFrom: undefined, useCaseId: unknownId }, notFound('NOT_FOUND', unknownId)],
      [{ phoneFrom: undefined, useCaseId: text }, notFound('NO_NUMBER_AVAILABLE', text)],
      [{ phoneFrom: undefined, useCaseId: empty }, notFound('NO_NUMBER_AVAILABLE', empty)],
      [{ phoneFrom: '+12025550123' }, notFound('CALLER_ID_NOT_REGISTERED', null)],
      [{ phoneFrom: '+14155550147' }, notFound('CALLER_ID_NOT_REGISTERED', null)],
      [
        { phoneFrom: '+14155550148' },
        notFound('CALLER_ID_NOT_REGISTERED', unused.data.register.phoneNumber.id),
      ],
      [{ taskId: unknownId }, notFound('NOT_FOUND', unknownId)],
      [{ derivedFromCallSid: astral(64) }, notFound('NOT_FOUND', astral(64))],
      [{ idempotencyKey: 'key', serviceId: unknownId }, notFound('NOT_FOUND', unknownId)],
    ];
    for (const [more, expected] of tries) {
      expect({ more, ...said(await place(app, input(more))) }).toEqual({ more, ...expected });
    }
    expect(await traces(app)).toMatchObject({ calls: 0, keys: 0, asked: 0 });
  }, unlimited));

test('a value of the wrong kind is an error of the request', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const input = maker();
    const wrong: Input[] = [
      ...['reason', 'goal', 'systemPrompt', 'welcomeMessage', 'idempotencyKey', 'derivedFromCallSid'].flatMap(
        (field) => [{ [field]: 1 }, { [field]: true }, { [field]: {} }, { [field]: ['a'] }],
      ),
      ...['phoneTo', 'phoneFrom'].flatMap((field) => [{ [field]: 12125550150 }, { [field]: {} }]),
      ...['patientId', 'useCaseId', 'serviceId', 'taskId'].flatMap((field) => [
        { [field]: true },
        { [field]: {} },
        { [field]: 1.5 },
      ]),
      { reason: null },
      { reason: undefined },
      { purpose: 'PLEASURE' },
      { purpose: 1 },
      { basis: 'BECAUSE' },
      { tags: [1] },
      { tags: [null] },
      { tags: { a: 'b' } },
      { person: 'Grace Hopper' },
      { person: { firstName: 'Grace' } },
      { person: { firstName: 'Grace', lastName: null } },
      { person: { firstName: 'Grace', lastName: 'Hopper', birthDate: 1906 } },
      { person: { firstName: 'Grace', lastName: 'Hopper', middleName: 'Brewster' } },
      { unheardOf: 'field' },
    ];
    for (const more of wrong) {
      const { data, errors } = await place(app, input(more));
      expect({ more, data: data ?? null }).toEqual({ more, data: null });
      expect({ more, errors: errors?.length }).toEqual({ more, errors: 1 });
      expect({ more, code: errors![0]!.extensions?.['code'] }).not.toEqual({ more, code: 'INTERNAL' });
    }
  }, unlimited));

/** Any input of the right kinds, most of it broken somewhere. */
const anyInput = (() => {
  const wild = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ maxLength: 12 }),
    fc.constantFrom('', ' ', '\0', '\uD800', '__proto__', 'constructor', 'toString', unknownId, ours),
  );
  const object = fc.dictionary(wild, fc.oneof(wild, fc.jsonValue({ maxDepth: 1 })), { maxKeys: 22 });
  const name = fc.record(
    { firstName: wild, lastName: wild, birthDate: wild },
    { requiredKeys: ['firstName', 'lastName'] },
  );
  return fc.record(
    {
      patientId: wild,
      patientCanonicalId: wild,
      person: name,
      phoneTo: wild,
      useCaseId: wild,
      goal: wild,
      phoneFrom: fc.oneof(wild, fc.constant(ours)),
      reason: fc.oneof(wild, fc.constant('Check-up')),
      purpose: fc.constantFrom('OTHER', 'MARKETING', 'BILLING', 'CARE_PLAN'),
      systemPrompt: wild,
      welcomeMessage: wild,
      serviceId: wild,
      derivedFromCallSid: wild,
      taskId: wild,
      tags: fc.array(wild, { maxLength: 12 }),
      metadata: object,
      variables: object,
      callbackUrl: wild,
      basis: fc.constantFrom('PRIOR_EXPRESS', 'EMERGENCY', null),
      idempotencyKey: wild,
    },
    { requiredKeys: ['reason'] },
  );
})();

test('whatever is sent is taken or refused in the words of the contract, and what is refused leaves no trace', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const allowed = new Set([
      'InputError',
      'NotFoundError',
      'ContactBlockedError',
      'PlaceCallPayload',
      'IdempotencyError',
    ]);
    await fc.assert(
      fc.asyncProperty(anyInput, async (input) => {
        const answer = await place(app, input);
        expect(answer.errors).toBeUndefined();
        const { __typename, code, fields } = answer.data.placeCall;
        expect(allowed).toContain(__typename);
        if (__typename !== 'InputError') return;
        expect(['INVALID_INPUT', 'PHONE_SOURCE_INVALID', 'DESTINATION_NOT_ALLOWED']).toContain(code);
        expect(fields.length).toBeGreaterThan(0);
        for (const { path, message } of fields) {
          expect(path[0]).toBe('input');
          expect(Object.keys(input).concat('patientId', 'phoneTo', 'phoneFrom')).toContain(path[1]);
          expect(message).toMatch(/\S/);
        }
      }),
      { numRuns: tries(150), endOnFailure: true },
    );
  }, unlimited));

/** Inputs that keep every rule; the longest texts are tried above. */
const goodInput = (() => {
  const text = (minLength: number, maxLength: number) =>
    fc
      .string({ unit: 'grapheme', minLength, maxLength })
      .filter((made) => made.isWellFormed() && !made.includes('\0') && Array.from(made).length <= maxLength)
      .filter((made) => minLength === 0 || made.trim() !== '');
  const key = text(1, 64).filter((made) => made !== '__proto__');
  const object = fc.dictionary(key, text(0, 256), { maxKeys: 20 });
  return fc.record(
    {
      reason: text(1, 256),
      goal: text(0, 1_000),
      systemPrompt: text(0, 1_000),
      welcomeMessage: text(0, 200),
      tags: fc.array(text(1, 64), { maxLength: 10 }),
      metadata: object,
      variables: object,
      person: fc.record({
        firstName: text(1, 100),
        lastName: text(1, 100),
      }),
    },
    { requiredKeys: ['reason', 'person'] },
  );
})();

test('whatever keeps the rules is taken, and is read back as it was sent', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const input = maker();
    await fc.assert(
      fc.asyncProperty(goodInput, async (more) => {
        const { data, errors } = await place(app, input(more));
        expect(errors).toBeUndefined();
        expect(data.placeCall).toMatchObject({ __typename: 'PlaceCallPayload' });
        const read = await app.ask(
          `query ($id: ID) { call(id: $id) {
            reason goal systemPrompt welcomeMessage tags metadata variables patient { name } } }`,
          { id: data.placeCall.call.id },
        );
        const { person, ...sent } = more;
        expect(read.data.call).toEqual({
          goal: null,
          systemPrompt: null,
          welcomeMessage: null,
          tags: [],
          metadata: {},
          variables: {},
          ...sent,
          patient: { name: `${person.firstName} ${person.lastName}` },
        });
      }),
      { numRuns: tries(40), endOnFailure: true },
    );
  }, unlimited));
