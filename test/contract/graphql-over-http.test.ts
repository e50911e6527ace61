/** GraphQL over HTTP as a client meets it: the audit suite of graphql-http, limits, keys, and what is never told. */
import { randomUUID } from 'node:crypto';
import { serverAudits } from 'graphql-http';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { ask, testKey, withApp, type Answer, type App } from '../support/program.ts';

let app: App;
const over = Promise.withResolvers<void>();
let running: Promise<void>;

beforeAll(async () => {
  const opened = Promise.withResolvers<App>();
  running = withApp(
    async (started) => {
      opened.resolve(started);
      await over.promise;
    },
    { API_KEY_REQUESTS_PER_MINUTE: '100000' },
  );
  running.catch(opened.reject);
  app = await opened.promise;
});

afterAll(async () => {
  over.resolve();
  await running;
});

const authorization = `Bearer ${testKey}`;
const json = { authorization, 'content-type': 'application/json' };

/** A request to /graphql as it is given here, with nothing added. */
const request = (init: RequestInit, search = '') => fetch(`${app.url}/graphql${search}`, init);

const post = (body: BodyInit, headers: Record<string, string> = json) =>
  request({ method: 'POST', headers, body });

/** A mutation that leaves a trace, and whether it has. */
function tracer() {
  const name = `traced ${randomUUID()}`;
  return {
    mutation: `mutation { createService(input: { name: "${name}", systemPrompt: "x", greeting: "x" }) { __typename } }`,
    wasExecuted: async () => {
      const { data } = await app.ask('{ services { name } }');
      return data.services.some((service: { name: string }) => service.name === name);
    },
  };
}

const codes = ({ errors }: Answer) => errors?.map(({ extensions }) => extensions?.['code']);

test('passes the audit suite of graphql-http without an error or a warning', async () => {
  const audits = serverAudits({ url: `${app.url}/graphql` });
  const results = await Promise.all(audits.map((audit) => audit.fn()));
  const faults = results.filter(({ status }) => status === 'error' || status === 'warn');
  expect(faults.map(({ name, ...result }) => [name, 'reason' in result ? result.reason : null])).toEqual([]);
  expect(audits.length).toBeGreaterThan(50);
});

test('executes a mutation that is posted as JSON, so that the refusals below mean something', async () => {
  const { mutation, wasExecuted } = tracer();
  expect((await post(JSON.stringify({ query: mutation }))).status).toBe(200);
  expect(await wasExecuted()).toBe(true);
});

test('refuses a mutation by GET', async () => {
  const { mutation, wasExecuted } = tracer();
  const response = await request(
    { headers: { authorization } },
    `?${new URLSearchParams({ query: mutation })}`,
  );
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('POST');
  expect(await wasExecuted()).toBe(false);
});

test.each([
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded;charset=UTF-8',
  'Application/X-WWW-Form-Urlencoded',
  'text/plain',
  'text/plain;charset=UTF-8',
  '',
])('does not execute what a form of another site can send: content type %j', async (contentType) => {
  const { mutation, wasExecuted } = tracer();
  const bodies = [
    new URLSearchParams({ query: mutation }).toString(),
    JSON.stringify({ query: mutation }),
    mutation,
  ];
  for (const body of bodies) {
    const headers = { authorization, 'content-type': contentType, origin: 'https://elsewhere.example' };
    // As a Blob, because fetch gives a text without a content type one of its own.
    const response = await post(new Blob([body]), headers);
    expect(response.status).toBeGreaterThanOrEqual(400);
  }
  expect(await wasExecuted()).toBe(false);
});

test('a form with a file is refused without a key, whatever site it comes from', async () => {
  const { mutation, wasExecuted } = tracer();
  const form = new FormData();
  form.set('operations', JSON.stringify({ query: mutation }));
  form.set('map', '{}');
  const response = await request({ method: 'POST', body: form });
  expect(codes((await response.json()) as Answer)).toEqual(['UNAUTHENTICATED']);
  expect(await wasExecuted()).toBe(false);
});

test('does not batch', async () => {
  const response = await post(JSON.stringify([{ query: '{ clock }' }, { query: '{ clock }' }]));
  expect(response.status).toBe(400);
});

const padded = (bytes: number) => {
  const frame = JSON.stringify({ query: '{ clock }', variables: { x: '' } }).length;
  return JSON.stringify({ query: '{ clock }', variables: { x: 'x'.repeat(bytes - frame) } });
};

test('takes a body of 256 KiB and answers 413 to one byte more', async () => {
  expect((await post(padded(262_144))).status).toBe(200);
  const refused = await post(padded(262_145));
  expect(refused.status).toBe(413);
  expect(await refused.text()).not.toContain('clock');
});

test('answers 413 to a body that comes in chunks and hides how long it is', async () => {
  const send = (bytes: number) =>
    request({
      method: 'POST',
      headers: json,
      body: new Blob([padded(bytes)]).stream(),
      duplex: 'half',
    } as RequestInit);
  expect((await send(200_000)).status).toBe(200);
  expect((await send(300_000)).status).toBe(413);
});

test.each([
  ['too many tokens', `{ ${'clock '.repeat(2_000)} }`, 'GRAPHQL_PARSE_FAILED'],
  [
    'too deep',
    `{ calls { edges { node { ${'derivedFrom { '.repeat(12)} id ${'}'.repeat(12)} } } } }`,
    'TOO_COMPLEX',
  ],
  [
    'too complex',
    '{ patients(first: 200) { edges { node { calls(first: 200) { edges { node { id sid } } } } } } }',
    'TOO_COMPLEX',
  ],
  ['too broad', `{ ${Array.from({ length: 401 }, (_, i) => `a${i}: clock`).join(' ')} }`, 'TOO_COMPLEX'],
  ['a page of 201', '{ patients(first: 201) { edges { node { id } } } }', 'INVALID_INPUT'],
  ['a last page of 201', '{ patients(last: 201) { edges { node { id } } } }', 'INVALID_INPUT'],
  ['a page of -1', '{ calls(first: -1) { edges { node { id } } } }', 'INVALID_INPUT'],
  ['a cursor of nobody', '{ events(after: "x") { edges { node { id } } } }', 'INVALID_INPUT'],
  [
    'introspection without an end',
    `{ __schema { types { ${'fields { type { '.repeat(4)} name ${'} }'.repeat(4)} } } }`,
    'GRAPHQL_VALIDATION_FAILED',
  ],
])('refuses %s', async (_, query, code) => {
  const answer = await app.ask(query);
  expect(codes(answer)).toContain(code);
  expect(answer.data ?? null).toBeNull();
});

const cursor = (...values: string[]) => Buffer.from(JSON.stringify(values)).toString('base64url');

test.each([
  '{ patients(after: "CURSOR") { edges { node { id } } } }',
  '{ calls(after: "CURSOR") { edges { node { id } } } }',
  '{ events(after: "CURSOR") { edges { node { id } } } }',
  '{ events(since: "yesterday") { edges { node { id } } } }',
  '{ calls(filter: { since: "yesterday" }) { edges { node { id } } } }',
  String.raw`{ calls(filter: { tag: "\u0000" }) { edges { node { id } } } }`,
  String.raw`{ call(sid: "\u0000") { id } }`,
  String.raw`{ patient(canonicalId: "\u0000") { id } }`,
  String.raw`{ events(types: ["\u0000"]) { edges { node { id } } } }`,
  '{ patient { id } }',
  '{ call(id: "x", sid: "y") { id } }',
])('a malformed value is the fault of the request and not of the program: %s', async (query) => {
  expect(codes(await app.ask(query.replace('CURSOR', cursor('x'))))).toEqual(['INVALID_INPUT']);
});

test('answers no origin with CORS headers', async () => {
  const origin = 'https://elsewhere.example';
  const preflight = { origin, 'access-control-request-method': 'POST' };
  const responses = [
    await post(JSON.stringify({ query: '{ clock }' }), { ...json, origin }),
    await request({ method: 'OPTIONS', headers: preflight }),
    await request({ headers: { origin, accept: 'text/html' } }),
    await fetch(`${app.url}/health/ready`, { headers: { origin } }),
  ];
  for (const { headers } of responses) {
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});

test('tells INTERNAL of a fault inside, and nothing else of it, in any environment', async () => {
  process.env['NODE_ENV'] = 'development'; // in which Yoga would tell the error and its stack
  try {
    await withApp(async (broken) => {
      await broken.world.query(sql`drop table patient cascade`);
      const query = '{ patients { edges { node { id } } } workspace { name } }';
      const response = await fetch(`${broken.url}/graphql`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ query }),
      });
      const text = await response.text();
      const message = 'Something went wrong here, and was logged. Try again.';
      expect((JSON.parse(text) as Answer).errors).toEqual([
        { message, path: ['patients'], extensions: { code: 'INTERNAL' } },
      ]);
      expect(text).not.toMatch(/relation|does not exist|select|stack|node_modules|\.ts/i);
      const alive = await broken.ask('{ workspace { name } }');
      expect(alive).toEqual({ data: { workspace: { name: 'Default' } } });
    });
  } finally {
    process.env['NODE_ENV'] = 'test';
  }
});

test('tells INTERNAL when the database has gone, and works again when it is back', () =>
  withApp(async (broken) => {
    const [{ name } = { name: '' }] = await broken.world.query<{ name: string }>(
      sql`select current_database() as name`,
    );
    expect(name).not.toBe('');
    await broken.world
      .query(
        sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()`,
      )
      .catch(() => []);
    const answers = await Promise.all(Array.from({ length: 20 }, () => broken.ask('{ workspace { name } }')));
    for (const { errors = [] } of answers) {
      for (const error of errors) expect(error.extensions).toEqual({ code: 'INTERNAL' });
      expect(JSON.stringify(errors)).not.toMatch(/terminat|connection|postgres/i);
    }
    expect((await broken.ask('{ workspace { name } }')).data.workspace.name).toBe('Default');
  }));

test.each([
  ['no key', {}],
  ['a bad key', { authorization: 'Bearer nobody' }],
  ['a key in another scheme', { authorization: `Basic ${testKey}` }],
  ['an empty key', { authorization: 'Bearer ' }],
])('answers UNAUTHENTICATED to %s, for every root field', async (_, headers: Record<string, string>) => {
  const documents = [
    '{ clock }',
    '{ patients { edges { node { id } } } }',
    'mutation { createService(input: { name: "x", systemPrompt: "x", greeting: "x" }) { __typename } }',
    'mutation { createWorkspace(name: "x") { __typename } }',
  ];
  for (const query of documents) {
    const response = await post(JSON.stringify({ query }), {
      ...headers,
      'content-type': 'application/json',
    });
    const answer = (await response.json()) as Answer;
    expect(codes(answer)).toEqual(['UNAUTHENTICATED']);
    expect(Object.values(answer.data ?? {}).every((value) => value === null)).toBe(true);
  }
});

test('answers FORBIDDEN to a key without the scope, and does nothing', async () => {
  const { data } = await app.ask(
    `mutation { createApiKey(name: "reader", scopes: ["patients:read"]) { ... on ApiKeyPayload { secret } } }`,
  );
  const key: string = data.createApiKey.secret;
  const { mutation, wasExecuted } = tracer();
  const forbidden = [
    mutation,
    '{ calls { edges { node { id } } } }',
    '{ services { id } }',
    '{ events { edges { node { id } } } }',
    'mutation { createWorkspace(name: "x") { __typename } }',
    'mutation { upsertPatient(input: { name: "x", sourceSystem: "x" }) { __typename } }',
  ];
  const has = { patients: '{ patients { totalCount edges { node { id } } } }' };
  expect((await app.ask(has.patients, {}, key)).errors).toBeUndefined();
  for (const query of forbidden) {
    const answer = await app.ask(query, {}, key);
    // A list without entries has nothing to forbid: its rows are guarded, and there are none.
    if (answer.errors) expect(codes(answer)).toEqual(['FORBIDDEN']);
    else expect(query).toContain('calls');
  }
  expect(await wasExecuted()).toBe(false);
});

test("answers a browser's GET with GraphiQL, and a program's GET with data", async () => {
  const page = await request({ headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(await page.text()).toContain('GraphiQL');
  const data = await request({ headers: { authorization, accept: 'application/json' } }, '?query={clock}');
  expect(data.headers.get('content-type')).toContain('application/json');
  expect(await data.json()).toEqual({ data: { clock: expect.any(String) } });
});

test('answers 404 where nothing is, and tells health and metrics without a key', async () => {
  const status = async (path: string) => (await fetch(`${app.url}${path}`)).status;
  expect(await status('/nowhere')).toBe(404);
  expect(await status('/graphql/')).toBe(404);
  expect(await status('/health/live')).toBe(200);
  expect(await status('/health/ready')).toBe(200);
  expect(await status('/metrics')).toBe(200);
});

test('counts the requests of one key and answers 429 with the seconds to wait', () =>
  withApp(
    async (limited) => {
      const answers: Answer[] = [];
      for (let i = 0; i < 6; i++) answers.push(await limited.ask('{ clock }'));
      expect(answers.flatMap((answer) => codes(answer) ?? [])).toEqual(['RATE_LIMITED']);
      const response = await fetch(`${limited.url}/graphql`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ query: '{ clock }' }),
      });
      expect(response.status).toBe(429);
      const seconds = Number(response.headers.get('retry-after'));
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(60);
      const { errors } = (await response.json()) as Answer;
      expect(errors?.[0]?.extensions?.['retryAfterSeconds']).toBe(seconds);
      expect(codes(await ask(limited.url, { query: '{ clock }' }))).toEqual(['UNAUTHENTICATED']);
    },
    { API_KEY_REQUESTS_PER_MINUTE: '5' },
  ));

test('tells with every answer how the key stands, also with one that is no GraphQL, and counts it', () =>
  withApp(
    async (limited) => {
      const bodies = [
        '{"query":"{ clock }"}',
        '{"query":"{ nothing }"}',
        '{"query":"{"}',
        '[]',
        JSON.stringify({ query: 'mutation { revokeApiKey(id: "x") { __typename } }' }),
      ];
      const told: (string | null)[] = [];
      for (const body of bodies) {
        const { headers } = await fetch(`${limited.url}/graphql`, { method: 'POST', headers: json, body });
        expect(headers.get('ratelimit-policy')).toBe('"key";q=6;w=60');
        told.push(headers.get('ratelimit'));
      }
      const seen = await fetch(`${limited.url}/graphql?query={clock}`, { headers: { authorization } });
      told.push(seen.headers.get('ratelimit'));
      expect(told.map((text) => Number(/^"key";r=(\d+);t=\d{1,2}$/.exec(text!)?.[1]))).toEqual([
        5, 4, 3, 2, 1, 0,
      ]);
      const refused = await fetch(`${limited.url}/graphql`, {
        method: 'POST',
        headers: json,
        body: bodies[0]!,
      });
      expect(refused.status).toBe(429);
      expect(refused.headers.get('ratelimit')).toBe(`"key";r=0;t=${refused.headers.get('retry-after')}`);
    },
    { API_KEY_REQUESTS_PER_MINUTE: '6' },
  ));

test('a query that takes too long is answered so, and Postgres no longer works on it', () =>
  withApp(
    async (slow) => {
      const working = () =>
        slow.world.query(sql`select 1 from pg_stat_activity where datname = current_database()
          and application_name = 'callwell' and state = 'active' and query like '%from "patient"%' and pid <> pg_backend_pid()`);
      const held = Promise.withResolvers<void>();
      const isHeld = Promise.withResolvers<void>();
      const holding = slow.world.transact(async (tx) => {
        await tx.query(sql`lock table patient in access exclusive mode`);
        isHeld.resolve();
        await held.promise;
      });
      await isHeld.promise;
      const query = '{ patients { edges { node { id } } } }';
      try {
        const asked = [
          slow.ask(query),
          fetch(`${slow.url}/graphql?${new URLSearchParams({ query })}`, { headers: { authorization } }).then(
            async (response) => (await response.json()) as Answer,
          ),
          slow
            .client()
            .iterate({ query })
            .next()
            .then(({ value }) => value as Answer),
        ];
        await eventually(async () => (await working()).length >= 3);
        for (const answer of await Promise.all(asked)) {
          expect(codes(answer)).toEqual(['TIMED_OUT']);
          expect(answer.data ?? null).toBeNull();
        }
        await eventually(async () => (await working()).length === 0, 1_000); // though the lock is still held
        expect((await slow.ask('{ workspace { name } }')).data).toEqual({ workspace: { name: 'Default' } });
      } finally {
        held.resolve();
        await holding;
      }
      expect((await slow.ask(query)).errors).toBeUndefined();
    },
    { QUERY_SECONDS: '0.5' },
  ));

test('with INTROSPECTION=0 nobody is told what can be asked, nor helped to guess it, nor shown GraphiQL', () =>
  withApp(
    async (closed) => {
      const refused = await closed.ask('{ __schema { types { name } } }');
      expect(refused.errors?.[0]?.message).toMatch(/introspection has been disabled/);
      const guesses: [string, Record<string, unknown>][] = [
        ['{ pacients { edges { node { id } } } }', {}],
        ['query ($i: ServiceInput!) { clock }', { i: { nam: 'x' } }],
        ['mutation ($i: ServiceInput!) { createService(input: $i) { __typename } }', { i: { nam: 'x' } }],
        ['{ patients(serch: "x") { totalCount } }', {}],
        ['{ calls(filter: { statuses: [QUEUE] }) { edges { node { id } } } }', {}],
      ];
      for (const [query, variables] of guesses) {
        const answers = [
          await closed.ask(query, variables),
          (
            await closed
              .client()
              .iterate({ query, variables })
              .next()
              .catch((errors: unknown) => ({ value: { errors } }))
          ).value as Answer,
        ];
        for (const { errors } of answers) {
          expect(errors?.length).toBeGreaterThan(0);
          expect(JSON.stringify(errors)).not.toContain('Did you mean');
        }
      }
      const page = await fetch(`${closed.url}/graphql`, { headers: { accept: 'text/html' } });
      expect(await page.text()).not.toContain('GraphiQL');
    },
    { INTROSPECTION: '0' },
  ));

test('a site that is allowed to may ask, and no other', () =>
  withApp(
    async (open) => {
      const asking = (origin: string, method: string) =>
        fetch(`${open.url}/graphql`, {
          method,
          headers: { ...(method === 'POST' ? json : {}), origin, 'access-control-request-method': 'POST' },
          ...(method === 'POST' ? { body: '{"query":"{ clock }"}' } : {}),
        });
      for (const method of ['POST', 'OPTIONS']) {
        const { headers, status } = await asking('https://app.example.com', method);
        expect(status).toBe(method === 'POST' ? 200 : 204);
        expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com');
        expect(headers.get('access-control-allow-headers')).toBe('authorization, content-type');
        expect(headers.has('access-control-allow-credentials')).toBe(false);
        expect(headers.get('vary')).toContain('origin');
        for (const origin of ['https://app.example.com.evil.example', 'http://app.example.com', 'null']) {
          const other = await asking(origin, method);
          expect([...other.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
        }
      }
    },
    { CORS_ORIGINS: 'https://app.example.com, https://desk.example.com' },
  ));

test('no answer may be framed, sniffed, cached or made to run anything, and GraphiQL loads nothing from elsewhere', async () => {
  for (const path of [
    '/graphql?query={clock}',
    '/metrics',
    '/nowhere',
    '/health/live',
    '/carrier/messages',
  ]) {
    const { headers } = await fetch(`${app.url}${path}`, { headers: { authorization } });
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe(path.startsWith('/graphql') ? 'no-store' : null);
  }
  const page = await request({ headers: { accept: 'text/html' } });
  const html = await page.text();
  expect(html).toContain('GraphiQL');
  expect(html).not.toMatch(/<(script|link|img|iframe)[^>]*(src|href)="?(https?:)?\/\//);
  expect(page.headers.get('content-security-policy')).not.toMatch(/https?:|\*/);
});
