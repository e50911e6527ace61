/** What somebody tries who means harm: none of it gets through, none of it leaves a trace, and others do not notice. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createClient } from 'graphql-ws';
import { sql } from 'kysely';
import twilio from 'twilio';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { openLogger } from '../../src/logger.ts';
import { fire, runsOf, trigger } from '../api/triggers.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, isOver, placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';
import { newSid, ours, post as callBack } from '../support/texts.ts';

let app: App;
let patientId: string;
/** A subscription of somebody else, which goes on through all of it. */
let bystander: { told: string[]; end(): Promise<void> };
const lines: string[] = [];
const over = Promise.withResolvers<void>();
let running: Promise<void>;

beforeAll(async () => {
  const opened = Promise.withResolvers<App>();
  const log = openLogger({ level: 'trace', pretty: false, write: (line) => void lines.push(line) });
  running = withApp(
    async (started) => {
      opened.resolve(started);
      await over.promise;
    },
    { API_KEY_REQUESTS_PER_MINUTE: '100000', API_KEY_SOCKETS: '50', QUERY_SECONDS: '3' },
    log,
  );
  running.catch(opened.reject);
  app = await opened.promise;
  await setUp(app);
  patientId = await addPatient(app, '+12125550100');
  bystander = await listen(app);
});

afterAll(async () => {
  await bystander.end();
  over.resolve();
  await running;
});

// After each of them the product serves, and whoever listened before still hears.
afterEach(async () => {
  const began = performance.now();
  const served = await app.ask('{ workspace { name } }');
  const took = performance.now() - began;
  if (served.data?.workspace.name !== 'Default' || took > 1_000)
    throw new Error(`after ${took} ms others were answered ${JSON.stringify(served)}`);
  const { data } = await app.ask(
    `mutation ($id: ID!) { recordEvent(input: { patientId: $id, type: "ext.beat", data: {}, sourceSystem: "x" }) { ... on RecordEventPayload { event { id } } } }`,
    { id: patientId },
  );
  await eventually(() => bystander.told.includes(data.recordEvent.event.id as string));
});

async function listen(to: App) {
  const told: string[] = [];
  const client = createClient({
    url: `${to.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${to.key}` },
    retryAttempts: 0,
    lazy: false,
  });
  client.subscribe<{ worldEvents: { id: string } }>(
    { query: 'subscription { worldEvents { id } }' },
    {
      next: ({ data }) => void (data && told.push(data.worldEvents.id)),
      error: () => {},
      complete: () => {},
    },
  );
  await eventually(async () =>
    /^callwell_live_subscribers 1$/m.test(await (await fetch(`${to.url}/metrics`)).text()),
  );
  return { told, end: async () => client.dispose() };
}

/** How many things have happened so far. */
const happened = async (): Promise<number> =>
  (
    await app.world.query<{ count: number }>(
      sql`select count(*)::int as count from event where type <> 'ext.beat'`,
    )
  )[0]!.count;

/** What a server answers to exactly these bytes, and whether it closed the connection. */
async function raw(bytes: string | Buffer): Promise<string> {
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
  socket.setTimeout(5_000, () => socket.destroy());
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (piece) => (answer += piece.toString('latin1')));
  socket.end(bytes);
  await once(socket, 'close');
  return answer;
}

const json = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' });

test('callbacks that are forged or changed are refused, and those that are sent again change nothing', async () => {
  const placed = await app.ask(placeCall, { input: { patientId, reason: 'Check-up', phoneFrom: ours } });
  const { id, sid } = placed.data.placeCall.call;
  await app.follow(id as string, isOver);
  const path = `/carrier/calls/${id}/status`;
  const told = (await app.ledger()) as { kind: string; url?: string; params?: Record<string, string> }[];
  const genuine = told.findLast(({ kind, url }) => kind === 'callback' && url?.includes(id as string));
  expect(genuine).toBeDefined();
  const real = new URL(genuine!.url!).pathname;
  await eventually(async () => {
    const before = await happened();
    await app.ask('{ clock }');
    return (await happened()) === before;
  });
  const before = await happened();
  const forged = twilio.getExpectedTwilioSignature('another-token', `${app.url}${real}`, genuine!.params!);
  const changed = { ...genuine!.params!, CallStatus: 'failed' };
  const signature = twilio.getExpectedTwilioSignature(
    'simulated-carrier-token',
    `${app.url}${real}`,
    genuine!.params!,
  );
  expect(await callBack(app, real, genuine!.params!, forged)).toBe(403);
  expect(await callBack(app, real, genuine!.params!, '')).toBe(403);
  expect(await callBack(app, real, changed, signature)).toBe(403);
  expect(await callBack(app, `${real}?x=1`, genuine!.params!, signature)).toBe(403);
  expect(
    await callBack(
      app,
      path.replace(id as string, '019cb512-49bb-75c6-bcc5-850ea298a934'),
      genuine!.params!,
      signature,
    ),
  ).toBeGreaterThanOrEqual(403);
  // The genuine one, as often as anybody likes, and an older one after the end.
  for (let i = 0; i < 20; i += 1) expect(await callBack(app, real, genuine!.params!)).toBeLessThan(300);
  const late = { ...genuine!.params!, CallStatus: 'ringing', CallSid: sid as string, SequenceNumber: '0' };
  expect(await callBack(app, real, late)).toBeLessThan(300);
  expect(
    await callBack(
      app,
      '/carrier/messages',
      { MessageSid: newSid(), From: '+12125550100', To: ours, Body: 'STOP' },
      forged,
    ),
  ).toBe(403);
  expect(await happened()).toBe(before);
});

test('a webhook that is sent a hundred times at once fires once', async () => {
  const hook = await trigger(app, { kind: 'WEBHOOK', action: { delaySeconds: 86_400 } });
  await fire(app, hook.id, { patientId });
  const count = async () => (await runsOf(app, hook.id)).length;
  const before = await count();
  const { createHmac } = await import('node:crypto');
  const body = JSON.stringify({ type: 'ext.x', patientId, data: {} });
  const headers = { 'x-signature': createHmac('sha256', hook.secret).update(body).digest('hex') };
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => fetch(hook.webhook.url, { method: 'POST', body, headers })),
  );
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(99);
  const forged = await fetch(hook.webhook.url, {
    method: 'POST',
    body: body.replace('ext.x', 'ext.y'),
    headers,
  });
  expect(forged.status).toBe(403);
  await eventually(async () => (await count()) === before + 1);
});

test('nothing is posted, fetched or streamed to where only we can reach', async () => {
  let reached = 0;
  const inside = createServer((_, response) => {
    reached += 1;
    response.end('secret');
  }).listen(0);
  await once(inside, 'listening');
  const { port } = inside.address() as AddressInfo;
  const hosts = [
    '127.0.0.1',
    'localhost',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '127.0.0.1.',
    '①②⑦.0.0.1',
  ];
  const urls = [
    ...hosts.flatMap((host) => [`https://${host}:${port}/`, `http://${host}:${port}/`]),
    'https://169.254.169.254/latest/meta-data/',
    'https://[fd00:ec2::254]/',
    'https://10.0.0.1/',
    'https://192.168.1.1/',
    'https://172.16.0.1/',
    'https://100.64.0.1/',
    'https://[fe80::1]/',
    'https://[64:ff9b::7f00:1]/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_FLUSHALL',
    'javascript:alert(1)',
    `https://example.com@127.0.0.1:${port}/`,
  ];
  const before = await happened();
  for (const url of urls) {
    const { data } = await app.ask(
      `mutation ($url: String!) { createEventSubscription(input: { url: $url }) { __typename } }`,
      { url },
    );
    expect([url, data.createEventSubscription.__typename]).toEqual([url, 'InputError']);
    const placed = await app.ask(placeCall, { input: { patientId, reason: 'x', callbackUrl: url } });
    expect([url, placed.data.placeCall.__typename]).toEqual([url, 'InputError']);
  }
  expect(await happened()).toBe(before);
  expect(reached).toBe(0);
  inside.close();
});

/** Fragments that double at each step: 2^20 fields in a kilobyte. */
const doubling = [
  '{ patients { edges { node { ...f0 } } } }',
  ...Array.from(
    { length: 20 },
    (_, i) => `fragment f${i} on Patient { ...f${i + 1} a${i}: name ...f${i + 1} }`,
  ),
  'fragment f20 on Patient { name }',
].join('\n');

test.each([
  ['aliases', `{ ${Array.from({ length: 450 }, (_, i) => `a${i}: workspace { id }`).join(' ')} }`],
  [
    'aliases of changes',
    `mutation { ${Array.from({ length: 401 }, (_, i) => `a${i}: revokeApiKey(id: "x") { __typename }`).join(' ')} }`,
  ],
  [
    'fragments in a circle',
    '{ patients { edges { node { ...a } } } } fragment a on Patient { ...b } fragment b on Patient { ...a }',
  ],
  [
    'lists of lists',
    '{ patients(first: 200) { edges { node { calls(first: 200) { edges { node { events { id } } } } } } } }',
  ],
  [
    'depth',
    `{ patients { edges { node { ${'calls { edges { node { patient { '.repeat(8)} id ${'} } } }'.repeat(8)} } } } }`,
  ],
  ['directives without number', `{ clock ${'@skip(if: false) '.repeat(300)} }`],
  ['tokens', `{ ${'clock '.repeat(5_000)} }`],
  ['nested lists in a value', `{ patients(search: ${'['.repeat(900)}${']'.repeat(900)}) { totalCount } }`],
  ['braces without an end', '{'.repeat(1_999)],
])('a query bomb of %s is refused quickly, over HTTP and over a socket', async (_, query) => {
  const began = process.cpuUsage();
  const answer = await app.ask(query);
  expect(answer.errors?.length).toBeGreaterThan(0);
  expect(Object.values(answer.data ?? {}).every((value) => value === null)).toBe(true);
  const client = app.client();
  const told = await client
    .iterate({ query })
    .next()
    .then(({ value }) => (value as Answer).errors)
    .catch((errors: unknown) => errors as unknown[]);
  expect(told?.length).toBeGreaterThan(0);
  await client.dispose();
  const { user } = process.cpuUsage(began);
  expect(user / 1_000_000).toBeLessThan(2);
});

test('fragments that double at each step cost no more than what they are', async () => {
  const began = process.cpuUsage();
  await app.ask(doubling);
  expect(process.cpuUsage(began).user / 1_000_000).toBeLessThan(2);
});

test('values that would change objects of ours change none', async () => {
  const body = `{"query":"mutation ($i: RecordEventInput!) { recordEvent(input: $i) { __typename } }","variables":{"i":{
    "patientId":"${patientId}","type":"ext.x","sourceSystem":"x","data":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}},"__proto__":{"polluted":1}}}`;
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers: json(app.key), body });
  expect(response.status).toBe(200);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('sockets that flood, say nothing, or say nonsense are closed, and take nobody else’s place', async () => {
  const url = `${app.url.replace('http', 'ws')}/graphql`;
  const open = (init?: object | string) => {
    const socket = new WebSocket(url, 'graphql-transport-ws');
    socket.on('error', () => {});
    socket.on(
      'open',
      () => init !== undefined && socket.send(typeof init === 'string' ? init : JSON.stringify(init)),
    );
    return new Promise<number>((resolve) => socket.on('close', resolve));
  };
  const { data } = await app.ask(
    'mutation { createApiKey(name: "flood", scopes: ["patients:read"]) { ... on ApiKeyPayload { secret } } }',
  );
  const { secret } = data.createApiKey;
  const silent = Array.from({ length: 100 }, () => open());
  const nonsense = ['{', 'null', '[]', '{"type":"nothing"}', '\u0000', 'x'.repeat(70_000)].map((text) =>
    open(text),
  );
  const keys = Array.from({ length: 80 }, (_, i) =>
    open({ type: 'connection_init', payload: { authorization: `Bearer nobody${i}` } }),
  );
  const held = Array.from({ length: 60 }, () => {
    const socket = new WebSocket(url, 'graphql-transport-ws');
    socket.on('error', () => {});
    socket.on('open', () =>
      socket.send(
        JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${secret}` } }),
      ),
    );
    return { socket, closed: new Promise<number>((resolve) => socket.on('close', resolve)) };
  });
  // Meanwhile another key gets its socket.
  const other = app.client();
  expect((await other.iterate({ query: '{ clock }' }).next()).value.data.clock).toBeDefined();
  expect(new Set(await Promise.all(silent))).toEqual(new Set([4408]));
  expect((await Promise.all(nonsense)).every((code) => [4400, 1009, 1002, 1006, 1007].includes(code))).toBe(
    true,
  );
  expect(new Set(await Promise.all(keys))).toEqual(new Set([4403]));
  const isOpen = ({ socket }: { socket: WebSocket }) => socket.readyState === WebSocket.OPEN;
  await eventually(() => held.filter(isOpen).length === 50);
  const refused = await Promise.all(held.filter((one) => !isOpen(one)).map(({ closed }) => closed));
  expect(new Set(refused)).toEqual(new Set([4429]));
  for (const { socket } of held) socket.terminate();
  await other.dispose();
});

test('whatever is too large is refused before it is kept', async () => {
  const big = 'x'.repeat(300_000);
  const sized: [string, RequestInit, number[]][] = [
    [
      '/graphql',
      {
        method: 'POST',
        headers: json(app.key),
        body: JSON.stringify({ query: '{ clock }', variables: { big } }),
      },
      [413],
    ],
    [
      '/graphql',
      {
        method: 'POST',
        headers: json('nobody'),
        body: JSON.stringify({ query: '{ clock }', variables: { big } }),
      },
      [413],
    ],
    ['/carrier/messages', { method: 'POST', body: new URLSearchParams({ Body: big }) }, [413]],
    ['/hooks/019cb512-49bb-75c6-bcc5-850ea298a934', { method: 'POST', body: big }, [413, 404]],
    [`/graphql?query={clock}&x=${'x'.repeat(20_000)}`, { headers: json(app.key) }, [431]],
    [
      '/graphql',
      { method: 'POST', headers: { ...json(app.key), 'x-big': 'x'.repeat(20_000) }, body: '{}' },
      [431],
    ],
  ];
  for (const [path, init, statuses] of sized) {
    const { status } = await fetch(`${app.url}${path}`, init);
    expect([path.slice(0, 40), statuses.includes(status), status]).toEqual([path.slice(0, 40), true, status]);
  }
  const { data } = await app.ask(`mutation ($i: PatientInput!) { upsertPatient(input: $i) { __typename } }`, {
    i: { name: 'x'.repeat(200_000), sourceSystem: 'x' },
  });
  expect(data.upsertPatient.__typename).toBe('InputError');
});

test('requests that are two, or none, are refused', async () => {
  const host = 'Host: x\r\n';
  const both = `POST /graphql HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n${host}\r\n`;
  for (const bytes of [
    both,
    `GET / HTTP/1.1\r\n${host}X: a\nb: c\r\n d\r\n\r\n`,
    `GET /\u0000 HTTP/1.1\r\n${host}\r\n`,
    `POST /graphql HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
    `POST /graphql HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
    'nonsense\r\n\r\n',
    Buffer.from([22, 3, 1, 0, 200, 1, 0, 0]),
  ]) {
    const answer = await raw(bytes);
    expect(answer.startsWith('HTTP/1.1 400') || answer === '').toBe(true);
    expect(answer).not.toContain('callwell_');
  }
});

test('what is sent adds no header to an answer and no line to the log', async () => {
  const evil = '%0d%0aSet-Cookie:%20a=b%0d%0a{"level":30,"msg":"forged"}';
  const line = `{"level":30,"msg":"forged"}`;
  const paths = [
    `/${evil}`,
    `/graphql?query=${evil}`,
    `/carrier/calls/${evil}/status`,
    `/hooks/${evil}`,
    `/carrier/audio/${evil}`,
  ];
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const { headers } = await fetch(`${app.url}${path}`, {
        method,
        headers: { 'x-request-id': `a ${line}`, 'purpose-of-use': line, origin: 'https://evil.example' },
      });
      expect(headers.has('set-cookie')).toBe(false);
      expect([...headers.values()].join()).not.toContain('forged');
    }
  }
  await callBack(app, `/carrier/calls/${evil}/status`, { CallSid: `x\n${line}`, CallStatus: `y\n${line}` });
  await callBack(app, '/carrier/messages', {
    MessageSid: `x\n${line}`,
    From: `+1\n${line}`,
    To: `${ours}\n${line}`,
    Body: line,
  });
  await app.ask(`query ($id: ID) { patient(id: $id) { id } }`, { id: `x\n${line}` });
  for (const text of lines.flatMap((logged) => logged.split('\n')).filter((logged) => logged !== '')) {
    const entry = JSON.parse(text) as { msg: string; time: number };
    expect(entry.msg).not.toBe('forged');
    expect(entry.time).toBeGreaterThan(0);
  }
});

test('a key of another workspace finds nothing by any id, nor by who has read, nor by a cursor', async () => {
  const { data } = await app.ask(
    'mutation { createWorkspace(name: "Mallory") { ... on WorkspacePayload { secret workspace { id } } } }',
  );
  const { secret } = data.createWorkspace;
  const ownId = await addPatient(app, '+12125550101', 'Mallory', secret as string);
  const mine = await app.ask(`{ patient(id: "${patientId}") { accesses(first: 1) { edges { cursor } } } }`);
  const { cursor } = mine.data.patient.accesses.edges[0];
  const theirs = await app.ask(
    `{ patient(id: "${patientId}") { name } own: patient(id: "${ownId}") { accesses(after: "${cursor}") { edges { node { apiKey { name } } } } }
      workspace { name usage { callMinutes } } }`,
    {},
    secret as string,
  );
  expect(theirs.errors).toBeUndefined();
  expect(theirs.data.patient).toBeNull();
  const names = theirs.data.own.accesses.edges.map(
    ({ node }: { node: { apiKey: { name: string } } }) => node.apiKey.name,
  );
  expect(names.every((name: string) => name === 'first')).toBe(true);
  expect(theirs.data.workspace).toEqual({ name: 'Mallory', usage: { callMinutes: 0 } });
  const [own] = await app.world.query<{ id: string }>(sql`select id from workspace where name = 'Default'`);
  const limited = await app.ask(
    `mutation { setUsageLimit(workspaceId: "${own!.id}", limitMinutes: 1) { __typename } }`,
    {},
    secret as string,
  );
  expect(limited.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
});
