/** What createCampaign and updateCampaign take and refuse, what may be done with a campaign, and when it runs next. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { addPatient, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { campaignOf, create, created, ends, flu, move, run, tell, update, type Verb } from './campaigns.ts';
import { unlimited, type Input } from './tasks.ts';

/** Nothing is run here by itself: what is made stays as it was made. */
const still = { ...unlimited, ROLE: 'api' };
const ours = '+14155550199';
const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';

/** What every refused request must leave as it was. */
async function traces(app: App) {
  const [counts] = await app.world.query<Record<string, number>>(sql`select
    (select count(*)::int from event) as events, (select count(*)::int from campaign) as campaigns,
    (select count(*)::int from campaign_run) as runs, (select count(*)::int from campaign_member) as members,
    (select count(*)::int from idempotency_key) as keys`);
  return counts!;
}

/** Both ways to tell a campaign what to do; each fails when what it has refused has left something behind. */
async function waysOf(app: App): Promise<[string, (input: Input) => Promise<Answer>][]> {
  const id = await created(app);
  const trying = (ask: (input: Input) => Promise<Answer>) => async (input: Input) => {
    const before = { ...(await traces(app)), campaign: await campaignOf(app, id) };
    const answer = await ask(input);
    const isTaken = answer.data?.result?.__typename === 'CampaignPayload';
    const after = async () => ({ ...(await traces(app)), campaign: await campaignOf(app, id) });
    if (!isTaken) expect({ input, ...(await after()) }).toEqual({ input, ...before });
    return answer;
  };
  return [
    ['create', trying((input) => create(app, input))],
    ['update', trying((input) => update(app, id, input))],
  ];
}

/** What a refusal says: the type, the code and the fields at fault. */
function said({ data, errors }: Answer) {
  if (errors) return { error: errors.map(({ extensions }) => extensions?.['code']) };
  const { __typename, code, fields, id, state } = data.result;
  return {
    __typename,
    code,
    ...(fields ? { paths: fields.map(({ path }: { path: string[] }) => path.join('.')) } : {}),
    ...(id === undefined ? {} : { id }),
    ...(state === undefined ? {} : { state }),
  };
}

const taken = { __typename: 'CampaignPayload', code: undefined };
const invalid = (...paths: string[]) => ({
  __typename: 'InputError',
  code: 'INVALID_INPUT',
  paths: paths.map((path) => `input.${path}`),
});
const illegal = (state: string) => ({ __typename: 'StateError', code: 'ILLEGAL_TRANSITION', state });
const notFound = (id: string | null, code = 'NOT_FOUND') => ({ __typename: 'NotFoundError', code, id });

const astral = (count: number) => '😀'.repeat(count);
const listOf = <T>(count: number, made: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => made(i));
const pairs = (count: number) => Object.fromEntries(listOf(count, (i) => [`key${i}`, 'value']));
const phoneAt = (i: number) => `+1212555${String(i).padStart(4, '0')}`;

/** Text fields of the input with the fewest and the most characters that each may have. */
const texts: {
  field: string;
  least: number;
  most: number;
  input(text: string): Input;
  path(text: string): string;
}[] = [
  { field: 'name', least: 1, most: 100, input: (name) => ({ name }), path: () => 'name' },
  { field: 'reason', least: 1, most: 256, input: (reason) => ({ reason }), path: () => 'reason' },
  { field: 'goal', least: 0, most: 2_000, input: (goal) => ({ goal }), path: () => 'goal' },
  {
    field: 'tag',
    least: 1,
    most: 64,
    input: (tag) => ({ audience: { tags: [tag] } }),
    path: () => 'audience.tags.0',
  },
  {
    field: 'sourceSystem',
    least: 1,
    most: 64,
    input: (system) => ({ audience: { sourceSystems: [system] } }),
    path: () => 'audience.sourceSystems.0',
  },
  {
    field: 'key',
    least: 1,
    most: 64,
    input: (key) => ({ audience: { facts: { [key]: 'value' } } }),
    path: (key) => `audience.facts.${key}`,
  },
  {
    field: 'value',
    least: 0,
    most: 2_000,
    input: (key) => ({ audience: { facts: { key } } }),
    path: () => 'audience.facts.key',
  },
  {
    field: 'idempotencyKey',
    least: 1,
    most: 128,
    input: (idempotencyKey) => ({ idempotencyKey }),
    path: () => 'idempotencyKey',
  },
];

test('every text of a campaign is taken at its limits and refused beyond them, counted in characters', () =>
  withApp(async (app) => {
    for (const [way, ask] of await waysOf(app)) {
      for (const { field, least, most, input, path } of texts) {
        const tries: [string, boolean][] = [
          ['x'.repeat(most), true],
          ['x'.repeat(most + 1), false],
          [astral(most), true],
          [astral(most + 1), false],
          ['', least === 0],
          ['   ', least === 0],
          ['a\0b', false],
          ['a\uD800b', false],
          ['Zoë O’Néill 王芳 👩🏽‍⚕️', true],
        ];
        for (const [text, isFine] of tries) {
          const answer = said(await ask(input(text)));
          const what = { way, field, text: text.slice(0, 20) };
          expect({ ...what, ...answer }).toEqual({ ...what, ...(isFine ? taken : invalid(path(text))) });
        }
      }
    }
  }, still));

/** A whole number's field with its least and its most. */
const wholes: [field: string, least: number, most: number][] = [
  ['priority', 1, 10],
  ['maxAttempts', 1, 20],
  ['cooldownHours', 0, 8_760],
  ['callsPerMinute', 1, 600],
  ['maxConcurrentCalls', 1, 1_000],
  ['breakerThreshold', 1, 100],
];

const each = (field: string, values: unknown[], expected: object): [Input, object][] =>
  values.map((value) => [{ [field]: value }, expected]);
const eachOf = (field: string, values: unknown[], expected: object): [Input, object][] =>
  values.map((value) => [{ audience: { [field]: value } }, expected]);

const tries: [Input, object][] = [
  ...wholes.flatMap(([field, least, most]) => [
    ...each(field, [least, most, null], taken),
    ...each(field, [least - 1, most + 1, -1, 2 ** 31 - 1, -(2 ** 31)], invalid(field)),
  ]),
  ...each('runAt', ['00:00', '23:59'], taken),
  ...each('runAt', ['24:00', '8:00', '08:60', '08:00 ', '', '\0', '08:00:00'], invalid('runAt')),
  ...each('timeZone', ['Pacific/Honolulu', 'UTC', 'Asia/Kolkata'], taken),
  ...each('timeZone', ['', 'Mars/Olympus', 'New York', '\0', 'x'.repeat(999)], invalid('timeZone')),
  ...each('allowlist', [[], null, ['+1'], listOf(1_000, phoneAt)], taken),
  ...each('allowlist', [listOf(1_001, phoneAt)], invalid('allowlist')),
  ...each(
    'allowlist',
    [['+12125550100', '12125550100', '+0', '']],
    invalid('allowlist.1', 'allowlist.2', 'allowlist.3'),
  ),
  ...each('audience', [{}, { facts: null, sourceSystems: null, tags: null }], taken),
  ...eachOf('facts', [{}, pairs(20), { constructor: 'x', toString: 'y', "o'neill": "'" }], taken),
  ...eachOf('facts', [pairs(21), { ['__proto__']: 'x' }, ['a'], 'text', 1], invalid('audience.facts')),
  ...eachOf('facts', [{ key: 1 }, { key: {} }, { key: null }], invalid('audience.facts.key')),
  ...eachOf('sourceSystems', [[], listOf(20, (i) => `system${i}`)], taken),
  ...eachOf('sourceSystems', [listOf(21, (i) => `system${i}`)], invalid('audience.sourceSystems')),
  ...eachOf('tags', [[], listOf(10, (i) => `tag${i}`)], taken),
  ...eachOf('tags', [listOf(11, (i) => `tag${i}`)], invalid('audience.tags')),
  ...each('serviceId', [null], taken),
  ...each('serviceId', ['nonsense', '', '\0', `${unknownId}0`, 12], invalid('serviceId')),
  ...each('serviceId', [unknownId, unknownId.toUpperCase()], notFound(unknownId)),
  // Several faults at once are told together, in the order of the fields.
  [
    {
      name: '',
      goal: 'x'.repeat(2_001),
      priority: 0,
      runAt: 'noon',
      audience: { tags: [''] },
      breakerThreshold: 0,
    },
    invalid('name', 'goal', 'priority', 'runAt', 'audience.tags.0', 'breakerThreshold'),
  ],
];

test('every other field of a campaign is taken at its limits and refused beyond them', () =>
  withApp(async (app) => {
    for (const [way, ask] of await waysOf(app)) {
      for (const [more, expected] of tries) {
        expect({ way, more, ...said(await ask(more)) }).toEqual({ way, more, ...expected });
      }
    }
  }, still));

test('a value of the wrong kind in a campaign is an error of the request', () =>
  withApp(async (app) => {
    const textual = ['name', 'reason', 'goal', 'runAt', 'timeZone', 'idempotencyKey'];
    const wrong: Input[] = [
      ...textual.flatMap((field) => [{ [field]: 1 }, { [field]: true }, { [field]: {} }, { [field]: ['a'] }]),
      ...wholes.flatMap(([field]) => [
        { [field]: 1.5 },
        { [field]: '1' },
        { [field]: 2 ** 31 },
        { [field]: true },
      ]),
      ...['name', 'reason', 'purpose', 'runAt', 'timeZone', 'audience'].map((field) => ({ [field]: null })),
      ...['tags', 'sourceSystems'].flatMap((field) => [
        { audience: { [field]: [1] } },
        { audience: { [field]: [null] } },
        { audience: { [field]: { a: 'b' } } },
      ]),
      { audience: 'everybody' },
      { audience: { everybody: true } },
      { allowlist: [1] },
      { allowlist: [null] },
      { allowlist: { a: 'b' } },
      { serviceId: true },
      { serviceId: 1.5 },
      { purpose: 'PLEASURE' },
      { purpose: 1 },
      { unheardOf: 'field' },
    ];
    for (const [way, ask] of await waysOf(app)) {
      for (const more of wrong) {
        const { data, errors } = await ask(more);
        const what = { way, more };
        expect({ ...what, data: data ?? null, errors: errors?.length }).toEqual({
          ...what,
          data: null,
          errors: 1,
        });
        expect({ ...what, code: errors![0]!.extensions?.['code'] }).not.toEqual({
          ...what,
          code: 'INTERNAL',
        });
      }
    }
  }, still));

test('what is left out of a campaign has its default, and what is said twice counts once', () =>
  withApp(async (app) => {
    const { serviceId } = await setUp(app, ours);
    const { callsPerMinute: _pace, maxConcurrentCalls: _lines, ...least } = flu;
    const from = app.clock.now();
    const { data } = await create(app, { callsPerMinute: null, maxConcurrentCalls: null });
    const { campaign } = data.result;
    expect(campaign).toEqual({
      ...least,
      id: expect.any(String),
      status: 'DRAFT',
      goal: null,
      priority: 5,
      audience: { facts: {}, sourceSystems: [], tags: [] },
      allowlist: [],
      maxAttempts: 3,
      cooldownHours: 20,
      callsPerMinute: 10,
      maxConcurrentCalls: 5,
      breakerThreshold: 5,
      service: null,
      nextRunAt: null,
      createdAt: expect.any(String),
    });
    expect(Date.parse(campaign.createdAt)).toBeGreaterThanOrEqual(from.getTime());
    const told = {
      goal: 'Book one',
      priority: 1,
      audience: { facts: { ward: 'A' }, sourceSystems: ['ehr', 'ehr'], tags: ['b', 'a', 'b'] },
      allowlist: ['+12125550100', '+12125550100'],
      serviceId: serviceId.toUpperCase(),
    };
    const updated = (await update(app, campaign.id.toUpperCase(), told)).data.result.campaign;
    const { serviceId: _id, ...shown } = told;
    expect(updated).toMatchObject({
      ...shown,
      id: campaign.id,
      status: 'DRAFT',
      audience: { facts: { ward: 'A' }, sourceSystems: ['ehr'], tags: ['b', 'a'] },
      allowlist: ['+12125550100'],
      service: { id: serviceId },
      callsPerMinute: 600,
      createdAt: campaign.createdAt,
    });
    expect(await campaignOf(app, campaign.id.toUpperCase())).toEqual(updated);
    // What is left out of an update is not kept: it has its default.
    expect((await update(app, campaign.id)).data.result.campaign).toMatchObject({
      goal: null,
      service: null,
    });
  }, still));

test('a campaign that is asked for again with its key is the same one, and another is a conflict', () =>
  withApp(async (app) => {
    const idempotencyKey = 'flu-2026';
    const first = await created(app, { idempotencyKey, audience: { facts: { a: '1', b: '2' } } });
    await update(app, first, { name: 'Renamed' });
    const again = { idempotencyKey, audience: { facts: { b: '2', a: '1' } } };
    expect((await create(app, again)).data.result.campaign).toMatchObject({ id: first, name: 'Renamed' });
    const conflict = { __typename: 'IdempotencyError', code: 'IDEMPOTENCY_CONFLICT' };
    const before = await traces(app);
    for (const more of [{ name: 'Other' }, { audience: { facts: { a: '1' } } }, { priority: 1 }])
      expect(said(await create(app, { ...again, ...more }))).toEqual(conflict);
    expect(await run(app, first, { idempotencyKey })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(await traces(app)).toEqual(before);

    const racing = await Promise.all(listOf(8, () => created(app, { idempotencyKey: 'racing' })));
    expect(new Set(racing).size).toBe(1);
    const rivals = await Promise.all(
      listOf(8, (i) => create(app, { idempotencyKey: 'rivals', name: `Rival ${i}` })),
    );
    const won = rivals.filter(({ data }) => data.result.__typename === 'CampaignPayload');
    expect(won).toHaveLength(1);
    expect(await traces(app)).toMatchObject({ campaigns: 3, keys: 3 });
    // A request that was refused has not used its key.
    expect(said(await create(app, { idempotencyKey: 'free', serviceId: unknownId }))).toEqual(
      notFound(unknownId),
    );
    await created(app, { idempotencyKey: 'free' });
  }, still));

const verbs: Record<Verb | 'updateCampaign', { from: string[]; to: string | null }> = {
  activateCampaign: { from: ['DRAFT', 'PAUSED'], to: 'ACTIVE' },
  pauseCampaign: { from: ['ACTIVE'], to: 'PAUSED' },
  archiveCampaign: { from: ['DRAFT', 'ACTIVE', 'PAUSED'], to: 'ARCHIVED' },
  updateCampaign: { from: ['DRAFT', 'ACTIVE', 'PAUSED'], to: null },
};
const waysTo: Record<string, Verb[]> = {
  DRAFT: [],
  ACTIVE: ['activateCampaign'],
  PAUSED: ['activateCampaign', 'pauseCampaign'],
  ARCHIVED: ['archiveCampaign'],
};

test('each verb is allowed in its statuses only, and is seen in what is read', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    for (const [status, way] of Object.entries(waysTo)) {
      for (const [verb, { from, to }] of Object.entries(verbs)) {
        const id = await created(app);
        for (const step of way) await move(app, step, id);
        const before = { ...(await traces(app)), campaign: await campaignOf(app, id) };
        expect(before.campaign.status).toBe(status);
        const result =
          verb === 'updateCampaign'
            ? (await update(app, id, { name: 'Renamed' })).data.result
            : await move(app, verb as Verb, id);
        const what = { status, verb };
        if (from.includes(status)) {
          const seen = await campaignOf(app, id);
          const expected = to ? { status: to, name: flu.name } : { status, name: 'Renamed' };
          expect({ ...what, seen }).toMatchObject({ ...what, seen: expected });
          expect(result).toEqual({ __typename: 'CampaignPayload', campaign: seen });
        } else {
          expect({ ...what, ...said({ data: { result } }) }).toEqual({ ...what, ...illegal(status) });
          expect({ ...(await traces(app)), campaign: await campaignOf(app, id) }).toEqual(before);
        }
      }
    }
    for (const [status, way] of Object.entries(waysTo)) {
      const id = await created(app);
      for (const step of way) await move(app, step, id);
      const asked = await run(app, id);
      if (['DRAFT', 'ACTIVE'].includes(status)) expect(asked).toMatchObject({ run: { manual: true } });
      else expect(said({ data: { result: asked } })).toEqual(illegal(status));
    }
  }, still));

test('what two do to a campaign at once happens once', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const id = await created(app);
    const answers = await Promise.all(listOf(6, () => move(app, 'activateCampaign', id)));
    const done = answers.filter(({ __typename }) => __typename === 'CampaignPayload');
    expect(done).toHaveLength(1);
    expect(answers.filter(({ code }) => code === 'ILLEGAL_TRANSITION')).toHaveLength(5);
    await Promise.all(listOf(6, (i) => update(app, id, { name: `Name ${i}` })));
    const [{ version }] = (await app.world.query<{ version: number }>(
      sql`select version from campaign where id = ${id}`,
    )) as [{ version: number }];
    expect(version).toBe(8);
  }, still));

test('a campaign that is not there is not found by any verb, and an id that is none neither', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    for (const id of [unknownId, 'nonsense', '', '\0', `${unknownId}0`]) {
      const results = [
        ...(await Promise.all(
          (['activateCampaign', 'pauseCampaign', 'archiveCampaign'] as const).map((verb) =>
            move(app, verb, id),
          ),
        )),
        (await update(app, id)).data.result,
        await run(app, id),
        await run(app, id, { callList: [], idempotencyKey: 'key' }),
      ];
      for (const result of results) expect(said({ data: { result } })).toEqual(notFound(id));
      expect(await campaignOf(app, id)).toBeNull();
      const preview = await app.ask('query ($id: ID!) { campaignPreview(campaignId: $id) { eligible } }', {
        id,
      });
      expect(said(preview)).toEqual({ error: ['NOT_FOUND'] });
      const { data } = await app.ask('query ($id: ID!) { campaignRun(id: $id) { id } }', { id });
      expect(data.campaignRun).toBeNull();
    }
    expect(await traces(app)).toMatchObject({ campaigns: 0, runs: 0, keys: 0 });
  }, still));

test('a campaign that nobody could call for is neither activated nor run', () =>
  withApp(async (app) => {
    const id = await created(app);
    const both = async () =>
      [await move(app, 'activateCampaign', id), await run(app, id, { idempotencyKey: 'key' })].map((result) =>
        said({ data: { result } }),
      );
    const before = await traces(app);
    const notConfigured = {
      __typename: 'StateError',
      code: 'OUTBOUND_NOT_CONFIGURED',
      state: 'NOT_CONFIGURED',
    };
    expect(await both()).toEqual([notConfigured, notConfigured]);
    const service = '{ name: "Care", systemPrompt: "", greeting: "Hello" }';
    await app.ask(`mutation { createService(input: ${service}) { __typename } }`);
    const noNumber = notFound(null, 'NO_NUMBER_AVAILABLE');
    expect(await both()).toEqual([noNumber, noNumber]);
    await app.ask(
      `mutation { registerPhoneNumber(input: { phone: "${ours}", voice: false, text: true }) { __typename } }`,
    );
    expect(await both()).toEqual([noNumber, noNumber]);
    expect({ ...(await traces(app)) }).toEqual(before);
    await app.ask(`mutation { registerPhoneNumber(input: { phone: "${ours}" }) { __typename } }`);
    expect(await both()).toMatchObject([taken, { __typename: 'RunCampaignPayload' }]);
  }, still));

const nextOf = async (app: App, id: string): Promise<string | null> => (await campaignOf(app, id)).nextRunAt;

/** Activates a campaign of this time and zone; when it runs next. */
async function nextAt(app: App, runAt: string, timeZone: string): Promise<string | null> {
  const id = await created(app, { runAt, timeZone });
  await move(app, 'activateCampaign', id);
  return nextOf(app, id);
}

test('the next run is told while a campaign is active, as its time and zone are told', () =>
  withApp(async (app) => {
    await setUp(app, ours); // it is 14:00 in New York
    const id = await created(app, { runAt: '15:00' });
    expect(await nextOf(app, id)).toBeNull();
    await move(app, 'activateCampaign', id);
    expect(await nextOf(app, id)).toBe('2026-03-03T20:00:00.000Z');
    await update(app, id, { runAt: '15:00', timeZone: 'America/Los_Angeles' });
    expect(await nextOf(app, id)).toBe('2026-03-03T23:00:00.000Z');
    await move(app, 'pauseCampaign', id);
    expect(await nextOf(app, id)).toBeNull();
    await move(app, 'activateCampaign', id);
    expect(await nextOf(app, id)).toBe('2026-03-03T23:00:00.000Z');
    // A run by hand is not the day's.
    expect(await run(app, id)).toMatchObject({ run: { status: 'COMPLETED', manual: true } });
    expect(await nextOf(app, id)).toBe('2026-03-03T23:00:00.000Z');
    await move(app, 'archiveCampaign', id);
    expect(await nextOf(app, id)).toBeNull();
    expect(await nextAt(app, '13:59', 'America/New_York')).toBe('2026-03-04T18:59:00.000Z'); // today's has passed
    expect(await nextAt(app, '00:00', 'Asia/Tokyo')).toBe('2026-03-04T15:00:00.000Z');
  }, still));

test("after today's run the next one is tomorrow's, also when its time is told anew", () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const id = await created(app, { runAt: '15:00' });
    await move(app, 'activateCampaign', id);
    await app.ask('mutation { advanceClock(to: "2026-03-03T20:01:00Z") }');
    const { data } = await app.ask(
      'query ($id: ID!) { campaign(id: $id) { nextRunAt runs { edges { node { status date manual } } } } }',
      { id },
    );
    expect(data.campaign).toEqual({
      nextRunAt: '2026-03-04T20:00:00.000Z',
      runs: { edges: [{ node: { status: 'COMPLETED', date: '2026-03-03', manual: false } }] },
    });
    await update(app, id, { runAt: '16:00' });
    expect(await nextOf(app, id)).toBe('2026-03-04T21:00:00.000Z');
  }, unlimited));

test('the next run keeps its wall time when the clocks change, and is not lost in the hour that is left out', async () => {
  await withApp(
    async (app) => {
      await setUp(app, ours);
      expect(await nextAt(app, '10:00', 'America/New_York')).toBe('2026-03-08T14:00:00.000Z'); // 15:00Z the day before
      expect(await nextAt(app, '10:00', 'America/Phoenix')).toBe('2026-03-08T17:00:00.000Z');
      expect(await nextAt(app, '02:30', 'America/New_York')).toBe('2026-03-08T07:00:00.000Z'); // as soon as it is past
      expect(await nextAt(app, '03:30', 'America/New_York')).toBe('2026-03-08T07:30:00.000Z');
    },
    { ...still, CLOCK_START: '2026-03-07T22:00:00Z' },
  );
  await withApp(
    async (app) => {
      await setUp(app, ours);
      expect(await nextAt(app, '10:00', 'America/New_York')).toBe('2026-11-01T15:00:00.000Z');
      expect(await nextAt(app, '01:30', 'America/New_York')).toBe('2026-11-01T05:30:00.000Z'); // the first of the two
    },
    { ...still, CLOCK_START: '2026-10-31T22:00:00Z' },
  );
});

test('campaigns and their runs are paged through newest first, forwards and backwards', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.unshift(await created(app, { name: `Campaign ${i}` }));
    const runs: string[] = [];
    for (let i = 0; i < 5; i += 1) runs.unshift((await run(app, ids[0]!)).run.id); // nobody: over at once
    const info = 'edges { node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';
    const takes = '$first: Int, $after: String, $last: Int, $before: String';
    const given = 'first: $first, after: $after, last: $last, before: $before';
    const lists: [string[], (variables: Input) => Promise<Answer['data']>][] = [
      [
        ids,
        async (page) =>
          (await app.ask(`query (${takes}) { campaigns(${given}) { ${info} } }`, page)).data.campaigns,
      ],
      [
        runs,
        async (page) =>
          (
            await app.ask(
              `query (${takes}) { campaign(id: "${ids[0]}") { runs(${given}) { ${info} } } }`,
              page,
            )
          ).data.campaign.runs,
      ],
    ];
    const idsOf = ({ edges }: { edges: { node: { id: string } }[] }) => edges.map(({ node }) => node.id);
    for (const [all, read] of lists) {
      const first = await read({ first: 2 });
      expect(idsOf(first)).toEqual(all.slice(0, 2));
      expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
      const second = await read({ first: 3, after: first.pageInfo.endCursor });
      expect(idsOf(second)).toEqual(all.slice(2));
      expect(second.pageInfo.hasNextPage).toBe(false);
      expect(idsOf(await read({ last: 2, before: second.pageInfo.startCursor }))).toEqual(all.slice(0, 2));
      expect(idsOf(await read({ last: 2 }))).toEqual(all.slice(3));
      expect(idsOf(await read({ first: 0 }))).toEqual([]);
    }
    for (const asked of [
      'campaigns(first: 201)',
      'campaigns(after: "nonsense")',
      'campaigns(last: 1, first: 1)',
    ])
      expect(said(await app.ask(`{ ${asked} { edges { cursor } } }`))).toEqual({ error: ['INVALID_INPUT'] });
  }, still));

test('a preview counts everybody, tells why some are left out, and does nothing', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const member = { tags: ['flu'], facts: { ward: 'A' } };
    const ids: string[] = [];
    for (let i = 0; i < 12; i += 1)
      ids.push(await tell(app, { ...member, phone: phoneAt(100 + i), name: `P ${i}` }));
    await tell(app, { ...member, name: 'No Number' });
    await tell(app, { ...member, name: 'Died', phone: '+12135550100', status: 'DECEASED' });
    await tell(app, { ...member, name: 'Test', phone: '+12135550101', status: 'TEST' });
    await tell(app, { name: 'Other Ward', phone: '+12135550102', tags: ['flu'], facts: { ward: 'B' } });
    await tell(app, { ...member, name: 'Other System', phone: '+12135550103', sourceSystem: 'demo' });
    await addPatient(app, '+12135550104', 'Nobody');
    const audience = { facts: { ward: 'A' }, sourceSystems: ['ehr'], tags: ['flu'] };
    const id = await created(app, { audience, callsPerMinute: 6, maxConcurrentCalls: 1_000 });
    const before = await traces(app);
    const { data } = await app.ask(
      `query ($id: ID!) { campaignPreview(campaignId: $id) { eligible exclusions { reason count } sample { id }
        startsAt estimatedFinishAt finishesInWindow byHour { hour calls } } }`,
      { id: id.toUpperCase() },
    );
    const { startsAt, estimatedFinishAt, sample, ...preview } = data.campaignPreview;
    expect(preview).toEqual({
      eligible: 12,
      exclusions: ['PATIENT_DECEASED', 'PATIENT_TEST', 'PHONE_MISSING'].map((reason) => ({
        reason,
        count: 1,
      })),
      finishesInWindow: true,
      byHour: [{ hour: '2026-03-03T19:00:00.000Z', calls: 12 }],
    });
    expect(sample.map((patient: { id: string }) => patient.id)).toEqual(ids.toSorted().slice(0, 10));
    expect(Date.parse(estimatedFinishAt) - Date.parse(startsAt)).toBeGreaterThanOrEqual(11 * 10_000);
    expect(await traces(app)).toEqual(before);
    const asked = (await run(app, id)).run;
    expect(asked).toMatchObject({ eligible: preview.eligible, exclusions: preview.exclusions });
  }, still));

test('a name that is longer than a tag may be is cut between two characters', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addPatient(app, '+12125550101');
    const id = await created(app, { name: `a${astral(99)}` });
    const asked = await run(app, id);
    await ends(app, asked.run.id);
    const { data } = await app.ask('{ calls { edges { node { tags } } } }');
    expect(data.calls.edges).toEqual([{ node: { tags: [`a${astral(63)}`] } }]);
  }, unlimited));

test('a preview tells what is set up wrong by its code', () =>
  withApp(async (app) => {
    const id = await created(app);
    const ask = async () => said(await app.ask(`{ campaignPreview(campaignId: "${id}") { eligible } }`));
    expect(await ask()).toEqual({ error: ['OUTBOUND_NOT_CONFIGURED'] });
    await app.ask(
      `mutation { createService(input: { name: "Care", systemPrompt: "", greeting: "Hello" }) { __typename } }`,
    );
    expect(await ask()).toEqual({ error: ['NO_NUMBER_AVAILABLE'] });
  }, still));
