/** What scheduleTask takes and refuses, field by field, and what it makes of it. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { tries } from '../support/exhaustive.ts';
import { addPatient, placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { schedule, scheduled, unlimited, upsert, type Input } from './tasks.ts';

/** Nothing is dispatched here: what is scheduled stays as it was made. */
const still = { ...unlimited, ROLE: 'api' };
const ours = '+14155550199';
const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';
const later = '2026-03-04T15:00:00.000Z';

/** What every refused request must leave as it was; what the carrier tells of a call meanwhile is left out. */
async function traces(app: App) {
  const [counts] = await app.world.query<Record<string, number>>(sql`select
    (select count(*)::int from event where source = 'api') as events, (select count(*)::int from outbound_task) as tasks,
    (select count(*)::int from patient) as patients, (select count(*)::int from contact) as contacts,
    (select count(*)::int from idempotency_key) as keys`);
  return counts!;
}

/** Answers what a request is answered, and fails when one that was refused has left something behind. */
async function tried(app: App, input: Input): Promise<Answer> {
  const before = await traces(app);
  const answer = await schedule(app, input);
  const isTaken = answer.data?.scheduleTask?.__typename === 'ScheduleTaskPayload';
  if (!isTaken) expect({ input, ...(await traces(app)) }).toEqual({ input, ...before });
  return answer;
}

/** What a refusal says: the type, the code and the fields at fault. */
function said({ data, errors }: Answer) {
  if (errors) return { error: errors.map(({ extensions }) => extensions?.['code']) };
  const { __typename, code, fields, id, state } = data.scheduleTask;
  return {
    __typename,
    code,
    ...(fields ? { paths: fields.map(({ path }: { path: string[] }) => path.join('.')) } : {}),
    ...(id === undefined ? {} : { id }),
    ...(state === undefined ? {} : { state }),
  };
}

const taken = { __typename: 'ScheduleTaskPayload', code: undefined };
const invalid = (...paths: string[]) => ({
  __typename: 'InputError',
  code: 'INVALID_INPUT',
  paths: paths.map((path) => `input.${path}`),
});
const notFound = (code: string, id: string | null) => ({ __typename: 'NotFoundError', code, id });

async function setPolicy(app: App, input: Input) {
  const { data } = await app.ask(
    'mutation ($input: PolicyInput!) { setPolicy(input: $input) { __typename } }',
    { input },
  );
  expect(data.setPolicy.__typename).toBe('PolicyPayload');
}

const astral = (count: number) => '😀'.repeat(count);
const listOf = <T>(count: number, made: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => made(i));
const pairs = (count: number) => Object.fromEntries(listOf(count, (i) => [`key${i}`, 'value']));

/** Text fields of the input with the fewest and the most characters that each may have. */
const texts: {
  field: string;
  least: number;
  most: number;
  input(text: string): Input;
  path(text: string): string;
}[] = [
  { field: 'reason', least: 1, most: 256, input: (reason) => ({ reason }), path: () => 'reason' },
  { field: 'goal', least: 0, most: 2_000, input: (goal) => ({ goal }), path: () => 'goal' },
  { field: 'tag', least: 1, most: 64, input: (tag) => ({ tags: [tag] }), path: () => 'tags.0' },
  {
    field: 'key',
    least: 1,
    most: 64,
    input: (key) => ({ metadata: { [key]: 'value' } }),
    path: (key) => `metadata.${key}`,
  },
  {
    field: 'value',
    least: 0,
    most: 256,
    input: (key) => ({ metadata: { key } }),
    path: () => 'metadata.key',
  },
  {
    field: 'idempotencyKey',
    least: 1,
    most: 128,
    input: (idempotencyKey) => ({ idempotencyKey }),
    path: () => 'idempotencyKey',
  },
];

test('every text of a task is taken at its limits and refused beyond them, counted in characters', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    for (const { field, least, most, input, path } of texts) {
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
      for (const [text, isFine] of tries) {
        const answer = said(await tried(app, { patientId, ...input(text) }));
        const what = { field, text: text.slice(0, 20) };
        expect({ ...what, ...answer }).toEqual({ ...what, ...(isFine ? taken : invalid(path(text))) });
      }
    }
  }, still));

test('every other field of a task is taken at its limits and refused beyond them', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    const each = (field: string, values: unknown[], expected: object): [Input, object][] =>
      values.map((value) => [{ [field]: value }, expected]);
    const least31 = -(2 ** 31);
    const tries: [Input, object][] = [
      ...each('priority', [1, 10, null], taken),
      ...each('priority', [0, 11, -1, 2 ** 31 - 1, least31], invalid('priority')),
      ...each('maxAttempts', [1, 20, null], taken),
      ...each('maxAttempts', [0, 21, -1, least31], invalid('maxAttempts')),
      ...each('backoffSeconds', [0, 604_800, null], taken),
      ...each('backoffSeconds', [-1, 604_801, 2 ** 31 - 1], invalid('backoffSeconds')),
      ...each('tags', [[], listOf(10, (i) => `tag${i}`), null], taken),
      ...each('tags', [listOf(11, (i) => `tag${i}`)], invalid('tags')),
      ...each('tags', [['fine', '', 'x'.repeat(65)]], invalid('tags.1', 'tags.2')),
      ...each('metadata', [{}, pairs(20), { constructor: 'x', toString: 'y' }, null], taken),
      ...each(
        'metadata',
        [pairs(21), { ['__proto__']: 'x', fine: 'y' }, ['a'], 'text', 1],
        invalid('metadata'),
      ),
      ...each('metadata', [{ key: 1 }, { key: {} }, { key: null }], invalid('metadata.key')),
      ...each(
        'cancelOn',
        [[], null, ['appointment.cancelled'], listOf(20, (i) => `ext.of_ours_${i}`)],
        taken,
      ),
      ...each('cancelOn', [listOf(21, (i) => `ext.of_ours_${i}`)], invalid('cancelOn')),
      ...each(
        'cancelOn',
        [
          '',
          ' ',
          '\0',
          'ext.',
          'ext.Upper',
          `ext.${'x'.repeat(61)}`,
          'call.completed',
          'outbound.failed',
        ].map((type) => ['ext.fine', type]),
        invalid('cancelOn.1'),
      ),
      ...each(
        'window',
        [
          null,
          {},
          { weekdays: [], opensAt: null, closesAt: null },
          { weekdays: [7, 6, 5, 4, 3, 2, 1], opensAt: '23:59', closesAt: '00:00' },
        ],
        taken,
      ),
      ...each('window', [{ weekdays: [1, 8] }], invalid('window.weekdays.1')),
      ...each('window', [{ weekdays: [0] }], invalid('window.weekdays.0')),
      ...each('window', [{ weekdays: listOf(8, () => 1) }], invalid('window.weekdays')),
      ...['24:00', '8:00', '08:60', '08:00 ', '', '\0', '08:00:00'].flatMap((time): [Input, object][] => [
        [{ window: { opensAt: time } }, invalid('window.opensAt')],
        [{ window: { closesAt: time } }, invalid('window.closesAt')],
      ]),
      ...each('channel', ['VOICE', null], taken),
      ...each('channel', ['TEXT', 'VOICEMAIL'], notFound('NO_NUMBER_AVAILABLE', null)),
      ...each('phone', ['+12135550100', null, '+1'], taken),
      ...each(
        'phone',
        [
          '',
          '+',
          '+0123',
          `+${'1'.repeat(16)}`,
          '12125550150',
          '+1 212 555 0150',
          '+1212555015a',
          '+1\n',
          '\0',
        ],
        invalid('phone'),
      ),
      ...each('serviceId', [null], taken),
      ...['nonsense', '', '\0', `${unknownId}0`, unknownId.replaceAll('-', ''), 12].flatMap(
        (id): [Input, object][] => [
          [{ patientId: id }, invalid('patientId')],
          [{ serviceId: id }, invalid('serviceId')],
        ],
      ),
      ...['', 'x'.repeat(257), '\0'].map((patientCanonicalId): [Input, object] => [
        { patientId: null, patientCanonicalId },
        invalid('patientCanonicalId'),
      ]),
      [{ patientId: null }, invalid('patientId')],
      [{ patientCanonicalId: 'ehr:Patient:1' }, invalid('patientId')],
      ...[
        'tomorrow',
        '',
        '\0',
        '2026-03-04',
        '2026-13-01T00:00:00Z',
        '2026-02-30T00:00:00Z',
        '2026-03-04T15:00:00',
        'x'.repeat(999),
      ].flatMap((instant): [Input, object][] => [
        [{ scheduledFor: instant }, invalid('scheduledFor')],
        [{ validUntil: instant }, invalid('validUntil')],
      ]),
      ...each(
        'scheduledFor',
        [null, later, '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-03-04T15:00+05:30'],
        taken,
      ),
      ...each('validUntil', [null, later, '9999-12-31T23:59:59.999Z'], taken),
      ...each('validUntil', ['2026-03-03T18:59:59Z', '0001-01-01T00:00:00Z'], invalid('validUntil')),
      [{ scheduledFor: later, validUntil: later }, invalid('validUntil')],
      [{ scheduledFor: later, validUntil: '2026-03-04T14:59:59.999Z' }, invalid('validUntil')],
      [{ scheduledFor: later, validUntil: '2026-03-04T15:00:00.001Z' }, taken],
      [{ scheduledFor: '2026-03-01T00:00:00Z', validUntil: later }, taken],
      [{ scheduledFor: '2026-03-01T00:00:00Z', validUntil: '2026-03-02T00:00:00Z' }, invalid('validUntil')],
      // Several faults at once are told together, in the order of the fields.
      [
        { reason: '', goal: 'x'.repeat(2_001), priority: 0, tags: [''], phone: 'me', scheduledFor: 'soon' },
        invalid('phone', 'reason', 'goal', 'priority', 'scheduledFor', 'tags.0'),
      ],
    ];
    for (const [more, expected] of tries) {
      expect({ more, ...said(await tried(app, { patientId, ...more })) }).toEqual({ more, ...expected });
    }
  }, still));

test('a value of the wrong kind in a task is an error of the request', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    const wrong: Input[] = [
      ...[
        'reason',
        'goal',
        'idempotencyKey',
        'patientCanonicalId',
        'phone',
        'scheduledFor',
        'validUntil',
      ].flatMap((field) => [{ [field]: 1 }, { [field]: true }, { [field]: {} }, { [field]: ['a'] }]),
      ...['patientId', 'serviceId'].flatMap((field) => [
        { [field]: true },
        { [field]: {} },
        { [field]: 1.5 },
      ]),
      ...['priority', 'maxAttempts', 'backoffSeconds'].flatMap((field) => [
        { [field]: 1.5 },
        { [field]: '1' },
        { [field]: 2 ** 31 },
        { [field]: true },
      ]),
      ...['tags', 'cancelOn'].flatMap((field) => [
        { [field]: [1] },
        { [field]: [null] },
        { [field]: { a: 'b' } },
      ]),
      { reason: null },
      { reason: undefined },
      { purpose: 'PLEASURE' },
      { purpose: 1 },
      { channel: 'PIGEON' },
      { window: '08:00' },
      { window: { weekdays: ['MONDAY'] } },
      { window: { weekdays: [null] } },
      { window: { opensAt: 8 } },
      { window: { opens: '08:00' } },
      { unheardOf: 'field' },
    ];
    for (const more of wrong) {
      const { data, errors } = await tried(app, { patientId, ...more });
      expect({ more, data: data ?? null, errors: errors?.length }).toEqual({ more, data: null, errors: 1 });
      expect({ more, code: errors![0]!.extensions?.['code'] }).not.toEqual({ more, code: 'INTERNAL' });
    }
  }, still));

test('an unknown type in cancelOn is refused with the nearest one, and a channel without a sender with what to set up', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    const messageOf = async (input: Input) =>
      (await tried(app, { patientId, ...input })).data.scheduleTask.message;
    expect(await messageOf({ cancelOn: ['apointment.canceled'] })).toContain(
      'nearest is appointment.cancelled.',
    );
    expect(await messageOf({ cancelOn: ['lab.result_recieved'] })).toContain(
      'nearest is lab.result_received.',
    );
    expect(await messageOf({ channel: 'TEXT' })).toContain('text: true');
    expect(await messageOf({ channel: 'VOICEMAIL' })).toContain('recording named default');
    const began = performance.now();
    await tried(app, { patientId, cancelOn: ['a'.repeat(200_000)] });
    expect(performance.now() - began).toBeLessThan(1_000); // an endless name must not hold up everybody else
  }, still));

test('what is left out of a task has its default, and an instant that has been is now', () =>
  withApp(async (app) => {
    const { serviceId } = await setUp(app, ours);
    const patientId = await upsert(app, '1', '+12125550100');
    const nothing = Object.fromEntries(
      'phone channel goal purpose priority scheduledFor window validUntil maxAttempts backoffSeconds serviceId tags metadata cancelOn idempotencyKey'
        .split(' ')
        .map((field) => [field, null]),
    );
    const past = { scheduledFor: '2020-01-01T00:00:00Z' };
    const byCanonicalId = { patientCanonicalId: 'ehr:Patient:1' };
    for (const more of [{}, nothing, past, { patientId: patientId.toUpperCase() }, byCanonicalId]) {
      const input = 'patientCanonicalId' in more ? more : { patientId, ...more };
      const from = app.clock.now();
      const task = await scheduled(app, input);
      const until = app.clock.now();
      expect(task).toMatchObject({
        status: 'SCHEDULED',
        phone: '+12125550100',
        phoneFrom: ours,
        channel: 'VOICE',
        reason: 'Check-up',
        goal: null,
        purpose: 'OTHER',
        priority: 5,
        window: null,
        validUntil: null,
        maxAttempts: 3,
        backoffSeconds: 3_600,
        attempts: 0,
        lastOutcome: null,
        decision: null,
        tags: [],
        metadata: {},
        cancelOn: [],
        patient: { id: patientId },
        service: { id: serviceId },
        nextAttemptAt: task.scheduledFor,
        nextAttemptReason: 'Scheduled for then.',
      });
      expect(Date.parse(task.scheduledFor)).toBeGreaterThanOrEqual(from.getTime());
      expect(Date.parse(task.scheduledFor)).toBeLessThanOrEqual(until.getTime());
    }
  }, still));

test('what is named in a task and is not in this workspace is told by its own code and id', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    const made = await app.ask(
      'mutation { createWorkspace(name: "Other") { ... on WorkspacePayload { secret } } }',
    );
    const { secret } = made.data.createWorkspace;
    const elsewhere = await setUp(app, '+14155550147', secret);
    const stranger = await addPatient(app, '+12125550150', 'Ada', secret);
    const tries: [Input, object][] = [
      [{ patientId: unknownId }, notFound('PATIENT_NOT_FOUND', unknownId)],
      [{ patientId: stranger }, notFound('PATIENT_NOT_FOUND', stranger)],
      [{ patientId: null, patientCanonicalId: 'ehr:Patient:none' }, notFound('PATIENT_NOT_FOUND', null)],
      [{ patientId: null, patientCanonicalId: astral(256) }, notFound('PATIENT_NOT_FOUND', null)],
      [{ serviceId: unknownId }, notFound('NOT_FOUND', unknownId)],
      [{ serviceId: elsewhere.serviceId }, notFound('NOT_FOUND', elsewhere.serviceId)],
      [{ idempotencyKey: 'key', serviceId: unknownId }, notFound('NOT_FOUND', unknownId)],
    ];
    for (const [more, expected] of tries) {
      expect({ more, ...said(await tried(app, { patientId, ...more })) }).toEqual({ more, ...expected });
    }
    expect(await traces(app)).toMatchObject({ tasks: 0, keys: 0 });
  }, still));

test('what is set up wrong is refused when the task is scheduled, not when it is due', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const ask = async (more: Input = {}) => said(await tried(app, { patientId, ...more }));
    const notConfigured = {
      __typename: 'StateError',
      code: 'OUTBOUND_NOT_CONFIGURED',
      state: 'NOT_CONFIGURED',
    };
    const noNumber = notFound('NO_NUMBER_AVAILABLE', null);
    expect(await ask()).toEqual(notConfigured);
    await app.ask(
      `mutation { createService(input: { name: "Care", systemPrompt: "", greeting: "Hello" }) { __typename } }`,
    );
    expect(await ask()).toEqual(noNumber);
    await app.ask(
      `mutation { registerPhoneNumber(input: { phone: "+14155550148", voice: false, text: true }) { __typename } }`,
    );
    expect(await ask({ channel: 'VOICE' })).toEqual(noNumber);
    expect(await ask()).toEqual(taken); // by text
    await app.world.query(sql`delete from phone_number`);
    await app.ask(`mutation { registerPhoneNumber(input: { phone: "${ours}" }) { __typename } }`);
    await app.world.query(sql`update phone_number set active = false where phone = ${ours}`);
    expect(await ask()).toEqual(noNumber);
    await app.world.query(sql`update phone_number set active = true where phone = ${ours}`);
    expect(await ask()).toEqual(taken);

    const notAllowed = { ...invalid('phone'), code: 'DESTINATION_NOT_ALLOWED' };
    expect(await ask({ phone: '+19005550150' })).toEqual(notAllowed);
    const numberless = await upsert(app, 'numberless', null);
    expect(await ask({ patientId: numberless })).toEqual(invalid('phone'));
    expect(await ask({ patientId: numberless, phone: '+12125550100' })).toEqual(taken);
    await setPolicy(app, { sandbox: true, allowlist: ['+12125550101'] });
    expect(await ask()).toEqual(notAllowed);
    expect(await ask({ phone: '+12125550101' })).toEqual(taken);
  }, still));

test("the caller ID is one of the service's own numbers, else a free one, else any that can call", () =>
  withApp(async (app) => {
    const { data } = await app.ask(`mutation {
      own: createService(input: { name: "Own", systemPrompt: "", greeting: "Hello" }) { ... on ServicePayload { service { id } } }
      bare: createService(input: { name: "Bare", systemPrompt: "", greeting: "Hello", isDefault: true }) { ... on ServicePayload { service { id } } }
    }`);
    const [own, bare]: [string, string] = [data.own.service.id, data.bare.service.id];
    const register = (phone: string, serviceId: string | null) =>
      app.ask(`mutation ($input: PhoneNumberInput!) { registerPhoneNumber(input: $input) { __typename } }`, {
        input: { phone, serviceId },
      });
    const patientId = await addPatient(app, '+12125550100');
    const from = async (serviceId: string | null) =>
      (await scheduled(app, { patientId, serviceId })).phoneFrom;
    await register('+14155550141', own);
    expect(await from(own)).toBe('+14155550141');
    expect(await from(bare)).toBe('+14155550141');
    await register('+14155550142', null);
    expect(await from(own)).toBe('+14155550141');
    expect([await from(bare), await from(null)]).toEqual(['+14155550142', '+14155550142']);
    await app.world.query(sql`update phone_number set active = false where phone = '+14155550141'`);
    expect(await from(own)).toBe('+14155550142');
  }, still));

test('the same person always sees the same number, and a new number moves only its share of them', () =>
  withApp(async (app) => {
    await setUp(app, '+14155550140');
    const register = (phone: string) =>
      app.ask(`mutation { registerPhoneNumber(input: { phone: "${phone}" }) { __typename } }`);
    await register('+14155550141');
    await register('+14155550142');
    const people = await Promise.all(listOf(40, (i) => addPatient(app, `+12125550${150 + i}`, `P ${i}`)));
    const numbers = () =>
      Promise.all(people.map(async (patientId) => (await scheduled(app, { patientId })).phoneFrom));
    const first = await numbers();
    expect(await numbers()).toEqual(first);
    expect(new Set(first).size).toBe(3);
    await register('+14155550143');
    const then = await numbers();
    const moved = then.filter((phone, i) => phone !== first[i]);
    expect(moved.length).toBeLessThan(people.length);
    expect(new Set(moved)).toEqual(new Set(['+14155550143']));
  }, still));

/** Any input of the right kinds, most of it broken somewhere. */
const anyInput = (() => {
  const wild = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ maxLength: 12 }),
    fc.constantFrom('', ' ', '\0', '\uD800', '__proto__', 'constructor', unknownId, ours, later),
  );
  const number = fc.oneof(fc.integer(), fc.integer({ min: 0, max: 20 }));
  return fc.record(
    {
      patientId: wild,
      patientCanonicalId: wild,
      phone: wild,
      channel: fc.constantFrom('VOICE', 'TEXT', 'VOICEMAIL', null),
      reason: fc.oneof(wild, fc.constant('Check-up')),
      goal: wild,
      purpose: fc.constantFrom('OTHER', 'MARKETING', 'BILLING', null),
      priority: number,
      scheduledFor: fc.oneof(wild, fc.constant(later)),
      window: fc.record(
        { weekdays: fc.array(number, { maxLength: 9 }), opensAt: wild, closesAt: wild },
        { requiredKeys: [] },
      ),
      validUntil: fc.oneof(wild, fc.constant(later)),
      maxAttempts: number,
      backoffSeconds: number,
      serviceId: wild,
      tags: fc.array(wild, { maxLength: 12 }),
      metadata: fc.dictionary(wild, fc.oneof(wild, fc.jsonValue({ maxDepth: 1 })), { maxKeys: 22 }),
      cancelOn: fc.array(fc.oneof(wild, fc.constant('ext.x')), { maxLength: 22 }),
      idempotencyKey: wild,
    },
    { requiredKeys: ['reason'] },
  );
})();

test('whatever task is asked for is taken or refused in the words of the contract, and a refusal leaves no trace', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const known = await addPatient(app, '+12125550100');
    const answers = ['InputError', 'NotFoundError', 'IdempotencyError', 'ScheduleTaskPayload'];
    await fc.assert(
      fc.asyncProperty(anyInput, async ({ patientId = known, ...input }) => {
        const { data, errors } = await tried(app, { patientId, ...input });
        expect(errors).toBeUndefined();
        const { __typename, code, fields } = data.scheduleTask;
        expect(answers).toContain(__typename);
        if (__typename !== 'InputError') return;
        expect(['INVALID_INPUT', 'DESTINATION_NOT_ALLOWED']).toContain(code);
        for (const { path, message } of fields) {
          expect(path[0]).toBe('input');
          expect(['patientId', ...Object.keys(input)]).toContain(path[1]);
          expect(message).toMatch(/\S/);
        }
      }),
      { numRuns: tries(150), endOnFailure: true },
    );
  }, still));

/** Inputs that keep every rule. */
const goodInput = (() => {
  const text = (minLength: number, maxLength: number) =>
    fc
      .string({ unit: 'grapheme', minLength, maxLength })
      .filter((made) => made.isWellFormed() && !made.includes('\0') && Array.from(made).length <= maxLength)
      .filter((made) => minLength === 0 || made.trim() !== '');
  const time = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
  const instant = (from: string, to: string) =>
    fc.date({ min: new Date(from), max: new Date(to), noInvalidDate: true }).map((at) => at.toISOString());
  return fc.record(
    {
      reason: text(1, 256),
      goal: text(0, 1_000),
      purpose: fc.constantFrom('LAB_RESULTS', 'BILLING', 'MARKETING', 'OTHER'),
      priority: fc.integer({ min: 1, max: 10 }),
      scheduledFor: instant('2026-03-05T00:00:00Z', '2030-01-01T00:00:00Z'),
      validUntil: instant('2030-01-01T00:00:01Z', '2040-01-01T00:00:00Z'),
      window: fc.record({
        weekdays: fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 7 }),
        opensAt: time,
        closesAt: time,
      }),
      maxAttempts: fc.integer({ min: 1, max: 20 }),
      backoffSeconds: fc.integer({ min: 0, max: 604_800 }),
      tags: fc.array(text(1, 64), { maxLength: 10 }),
      metadata: fc.dictionary(
        text(1, 64).filter((made) => made !== '__proto__'),
        text(0, 256),
        { maxKeys: 20 },
      ),
      cancelOn: fc.uniqueArray(fc.constantFrom('ext.x', 'appointment.cancelled', 'lab.result_received')),
    },
    { requiredKeys: ['reason', 'scheduledFor'] },
  );
})();

test('whatever keeps the rules of a task is taken, and is read back as it was sent', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    await fc.assert(
      fc.asyncProperty(goodInput, async (input) => {
        const { id } = await scheduled(app, { patientId, ...input });
        const { data } = await app.ask(
          `query ($id: ID!) { outboundTask(id: $id) { reason goal purpose priority scheduledFor validUntil
            window { weekdays opensAt closesAt } maxAttempts backoffSeconds tags metadata cancelOn } }`,
          { id },
        );
        const defaults = {
          goal: null,
          purpose: 'OTHER',
          priority: 5,
          validUntil: null,
          window: null,
          maxAttempts: 3,
          backoffSeconds: 3_600,
          tags: [],
          metadata: {},
          cancelOn: [],
        };
        const { window } = input;
        const weekdays = [...new Set(window?.weekdays)].toSorted((a, b) => a - b);
        const expected = { ...defaults, ...input, ...(window ? { window: { ...window, weekdays } } : {}) };
        expect(data.outboundTask).toEqual(expected);
      }),
      { numRuns: tries(40), endOnFailure: true },
    );
  }, still));

test('the same key and input are answered with the same task, also when it has changed since', () =>
  withApp(async (app) => {
    const { serviceId } = await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    const input = {
      patientId,
      idempotencyKey: 'one',
      scheduledFor: later,
      tags: ['a', 'b'],
      metadata: { room: '1', floor: '2' },
    };
    const ask = async (more: Input) => (await schedule(app, more)).data.scheduleTask;
    const first = await ask(input);
    expect(first).toMatchObject({ replayed: false, event: { type: 'outbound.scheduled', version: 1 } });
    const same = [
      input,
      { ...input, metadata: { floor: '2', room: '1' } },
      Object.fromEntries(Object.entries(input).toReversed()),
      {
        ...input,
        priority: 5,
        purpose: 'OTHER',
        goal: null,
        serviceId: null,
        patientId: patientId.toUpperCase(),
      },
      { ...input, scheduledFor: '2026-03-04T10:00:00-05:00' },
    ];
    for (const one of same) expect(await ask(one)).toEqual({ ...first, replayed: true });
    await app.ask(`mutation { cancelTask(id: "${first.task.id}") { __typename } }`);
    const after = { replayed: true, event: first.event, task: { id: first.task.id, status: 'CANCELLED' } };
    expect(await ask(input)).toMatchObject(after);

    const other = await addPatient(app, '+12125550101', 'Grace Hopper');
    const changed: Input[] = [
      { patientId: other },
      { phone: '+12125550100' },
      { reason: 'check-up' },
      { goal: '' },
      { purpose: 'SCHEDULING' },
      { priority: 4 },
      { scheduledFor: '2026-03-04T15:00:00.001Z' },
      { scheduledFor: null },
      { window: {} },
      { validUntil: '2026-04-01T00:00:00Z' },
      { maxAttempts: 4 },
      { backoffSeconds: 0 },
      { serviceId },
      { tags: ['b', 'a'] },
      { metadata: {} },
      { cancelOn: ['ext.x'] },
    ];
    for (const more of changed) {
      expect({ more, ...said(await tried(app, { ...input, ...more })) }).toEqual({
        more,
        __typename: 'IdempotencyError',
        code: 'IDEMPOTENCY_CONFLICT',
      });
    }
    expect(await traces(app)).toMatchObject({ tasks: 1, keys: 1 });
  }, still));

test('a key belongs to one mutation and one workspace, and a refused task frees it', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const input = { patientId, idempotencyKey: 'one', scheduledFor: later };
    expect((await tried(app, input)).data.scheduleTask.code).toBe('OUTBOUND_NOT_CONFIGURED');
    await setUp(app, ours);
    expect((await tried(app, { ...input, reason: '' })).data.scheduleTask.code).toBe('INVALID_INPUT');
    expect((await tried(app, { ...input, serviceId: unknownId })).data.scheduleTask.code).toBe('NOT_FOUND');
    await scheduled(app, input);
    const call = { patientId, phoneFrom: ours, reason: 'Check-up', idempotencyKey: 'one' };
    const placed = await app.ask(placeCall, { input: call });
    expect(placed.data.placeCall.code).toBe('IDEMPOTENCY_CONFLICT');
    const dialled = await app.ask(placeCall, { input: { ...call, idempotencyKey: 'two' } });
    expect(dialled.data.placeCall.__typename).toBe('PlaceCallPayload');
    expect((await tried(app, { ...input, idempotencyKey: 'two' })).data.scheduleTask.code).toBe(
      'IDEMPOTENCY_CONFLICT',
    );
    const made = await app.ask(
      'mutation { createWorkspace(name: "Other") { ... on WorkspacePayload { secret } } }',
    );
    await setUp(app, '+14155550147', made.data.createWorkspace.secret);
    const { data } = await schedule(app, input, made.data.createWorkspace.secret);
    expect(data.scheduleTask.code).toBe('PATIENT_NOT_FOUND');
  }, still));

test('ten requests that race with one key schedule one task', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550100');
    for (const idempotencyKey of ['one', 'two', 'three']) {
      const input = { patientId, idempotencyKey, scheduledFor: later };
      const answers = await Promise.all(listOf(10, () => schedule(app, input)));
      const told = answers.map(({ data }) => data.scheduleTask);
      expect(told.filter(({ replayed }) => replayed === false)).toHaveLength(1);
      expect(told.filter(({ replayed }) => replayed === true)).toHaveLength(9);
      expect(new Set(told.map(({ task }) => task.id)).size).toBe(1);
    }
    expect(await traces(app)).toMatchObject({ tasks: 3, keys: 3 });
    const differing = await Promise.all(
      listOf(10, (i) => schedule(app, { patientId, idempotencyKey: 'four', priority: 1 + (i % 2) })),
    );
    const told = differing.map(({ data }) => data.scheduleTask);
    expect(told.filter(({ replayed }) => replayed === false)).toHaveLength(1);
    expect(told.filter(({ code }) => code === 'IDEMPOTENCY_CONFLICT')).toHaveLength(5);
    expect(await traces(app)).toMatchObject({ tasks: 4, keys: 4 });
  }, still));
