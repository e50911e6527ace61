/**
 * graphql-transport-ws, written from the protocol's document (PROTOCOL.md of graphql-ws) with a raw WebSocket, so that
 * nothing of the server's own library vouches for it; then stock clients as foreign peers, over WebSocket and SSE.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { eventually } from '../support/eventually.ts';
import { addPatient, testKey, withApp, type App } from '../support/program.ts';

let app: App;
const over = Promise.withResolvers<void>();
let running: Promise<void>;
const peers: Peer[] = [];

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

afterEach(async () => {
  for (const { socket } of peers.splice(0)) socket.terminate();
  await subscribers(0);
});

afterAll(async () => {
  over.resolve();
  await running;
});

const authorization = `Bearer ${testKey}`;
const url = () => `${app.url.replace('http', 'ws')}/graphql`;

/** A message of the protocol, or anything else that a test sends. */
interface Message {
  type: string;
  id?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test reads whatever it has asked for
  payload?: any;
}

/** The client's end of a socket, which does only what it is told. */
interface Peer {
  socket: WebSocket;
  received: Message[];
  /** Sends a message, or a text as it is. */
  send(message: object | string): void;
  /** Waits for the first message that fits. */
  until(fits: (message: Message) => boolean): Promise<Message>;
  of(id: string): Message[];
  /** Resolves with the code once the server has closed the socket. */
  closed: Promise<number>;
}

async function connect(protocols: string[] = ['graphql-transport-ws'], headers = {}): Promise<Peer> {
  const socket = new WebSocket(url(), protocols, { headers });
  const received: Message[] = [];
  socket.on('message', (data: Buffer) => received.push(JSON.parse(data.toString('utf8')) as Message));
  const closed = once(socket, 'close').then(([code]) => code as number);
  const peer: Peer = {
    socket,
    received,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    until: (fits) => eventually(() => received.find((message) => fits(message))),
    of: (id) => received.filter((message) => message.id === id),
  };
  peers.push(peer);
  await once(socket, 'open');
  return peer;
}

/** A socket whose connection is acknowledged. */
async function connected(): Promise<Peer> {
  const peer = await connect();
  peer.send({ type: 'connection_init', payload: { authorization } });
  await peer.until(({ type }) => type === 'connection_ack');
  return peer;
}

const subscribe = (id: string, query: string, variables?: object) => ({
  id,
  type: 'subscribe',
  payload: { query, variables },
});

/** Waits until so many subscriptions are open on the server: it acknowledges none. */
const subscribers = (wanted: number) =>
  eventually(async () => {
    const text = await (await fetch(`${app.url}/metrics`)).text();
    const count = Number(/^callwell_live_subscribers (\d+)$/m.exec(text)?.[1]);
    if (count !== wanted) throw new Error(`${count} subscribers`);
    return true;
  });

/** Makes an event of a patient; answers the patient's id. */
const happen = () => addPatient(app, '+14155550100', `Patient ${randomBytes(6).toString('hex')}`);

const live = 'subscription { worldEvents(types: ["patient.registered"]) { cursor entityId } }';
const resumed = `subscription ($after: String) {
  worldEvents(after: $after, types: ["patient.registered"]) { cursor entityId }
}`;
const has = (type: string, id: string) => (message: Message) => message.type === type && message.id === id;

test('acknowledges a connection with a key in its parameters, under either spelling of the header', async () => {
  for (const payload of [{ authorization }, { Authorization: authorization }]) {
    const peer = await connect();
    expect(peer.socket.protocol).toBe('graphql-transport-ws');
    peer.send({ type: 'connection_init', payload });
    expect(await peer.until(() => true)).toEqual({ type: 'connection_ack' });
  }
});

test("acknowledges a connection with a key in the handshake's header", async () => {
  const peer = await connect(undefined, { authorization });
  peer.send({ type: 'connection_init' });
  expect(await peer.until(() => true)).toEqual({ type: 'connection_ack' });
});

test('chooses its sub-protocol among several', async () => {
  const peer = await connect(['graphql-ws', 'graphql-transport-ws', 'mqtt']);
  expect(peer.socket.protocol).toBe('graphql-transport-ws');
});

test('closes with 4406 a socket without a sub-protocol', async () => {
  expect(await (await connect([])).closed).toBe(4406);
});

test('closes with 4406 a socket with another sub-protocol, and agrees to none', async () => {
  const handshake = request(`${app.url}/graphql`, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      'sec-websocket-protocol': 'graphql-ws',
    },
  });
  const upgraded = once(handshake, 'upgrade') as Promise<[{ headers: object }, NodeJS.Socket, Buffer]>;
  handshake.end();
  const [response, socket, head] = await upgraded;
  expect(response.headers).not.toHaveProperty('sec-websocket-protocol');
  const frame = head.length > 0 ? head : ((await once(socket, 'data')) as [Buffer])[0];
  expect(frame[0]).toBe(0x88); // a close frame, whole
  expect(frame.readUInt16BE(2)).toBe(4406);
  (socket as unknown as { destroy(): void }).destroy();
});

test('closes with 4408 a socket that does not ask for a connection within three seconds', async () => {
  const began = performance.now();
  const peer = await connect();
  expect(await peer.closed).toBe(4408);
  expect(performance.now() - began).toBeGreaterThan(2_900);
  expect(performance.now() - began).toBeLessThan(6_000);
});

test('closes with 4429 at a second request for a connection, before the answer and after it', async () => {
  const hasty = await connect();
  hasty.send({ type: 'connection_init', payload: { authorization } });
  hasty.send({ type: 'connection_init', payload: { authorization } });
  expect(await hasty.closed).toBe(4429);
  const late = await connected();
  late.send({ type: 'connection_init', payload: { authorization } });
  expect(await late.closed).toBe(4429);
});

test('closes with 4401 at an operation before the connection is acknowledged', async () => {
  const peer = await connect();
  peer.send(subscribe('1', '{ clock }'));
  expect(await peer.closed).toBe(4401);
  expect(peer.received).toEqual([]);
});

test.each([
  ['no key', undefined],
  ['a bad key', { authorization: 'Bearer nobody' }],
  ['a key that is no text', { authorization: { Bearer: testKey } }],
  ['a key in another scheme', { authorization: `Basic ${testKey}` }],
])('closes with 4403 at %s', async (_, payload) => {
  const peer = await connect();
  peer.send({ type: 'connection_init', ...(payload ? { payload } : {}) });
  expect(await peer.closed).toBe(4403);
  expect(peer.received).toEqual([]);
});

test('closes with 4409 at an id that an operation under way already has', async () => {
  const peer = await connected();
  peer.send(subscribe('1', live));
  await subscribers(1);
  peer.send(subscribe('1', '{ clock }'));
  expect(await peer.closed).toBe(4409);
});

test('lets an id be used again once its operation is complete', async () => {
  const peer = await connected();
  for (const count of [1, 2, 3]) {
    peer.send(subscribe('1', '{ clock }'));
    await eventually(() => peer.of('1').filter(({ type }) => type === 'complete').length === count);
  }
  expect(peer.of('1').map(({ type }) => type)).toEqual(
    Array.from({ length: 3 }, () => ['next', 'complete']).flat(),
  );
});

test.each([
  ['what is not JSON', 'hello'],
  ['half of JSON', '{"type":"ping"'],
  ['JSON that is no object', '[]'],
  ['null', 'null'],
  ['no type', '{"id":"1"}'],
  ['an unknown type', '{"type":"start","id":"1","payload":{"query":"{ clock }"}}'],
  ['a type of the server', '{"type":"connection_ack_","payload":{}}'],
  ['a subscribe without an id', '{"type":"subscribe","payload":{"query":"{ clock }"}}'],
  ['a subscribe with an empty id', '{"type":"subscribe","id":"","payload":{"query":"{ clock }"}}'],
  ['a subscribe with a number as its id', '{"type":"subscribe","id":1,"payload":{"query":"{ clock }"}}'],
  ['a subscribe without a payload', '{"type":"subscribe","id":"1"}'],
  ['a subscribe without a query', '{"type":"subscribe","id":"1","payload":{}}'],
  [
    'variables that are no object',
    '{"type":"subscribe","id":"1","payload":{"query":"{ clock }","variables":7}}',
  ],
  ['a complete without an id', '{"type":"complete"}'],
  ['a ping whose payload is no object', '{"type":"ping","payload":"hello"}'],
])('closes with 4400 at %s', async (_, text) => {
  const peer = await connected();
  peer.send(text);
  expect(await peer.closed).toBe(4400);
});

test('answers a ping at any time, with its payload, and takes a pong that nobody asked for', async () => {
  const peer = await connect();
  peer.send({ type: 'pong' });
  peer.send({ type: 'ping' });
  peer.send({ type: 'ping', payload: { at: 7 } });
  await eventually(() => peer.received.length === 2);
  expect(peer.received).toEqual([{ type: 'pong' }, { type: 'pong', payload: { at: 7 } }]);
});

test('answers queries and mutations over the socket: one next, then complete', async () => {
  const peer = await connected();
  peer.send(subscribe('q', 'query Named { clock }'));
  await peer.until(has('complete', 'q'));
  expect(peer.of('q').map(({ type }) => type)).toEqual(['next', 'complete']);
  expect(peer.of('q')[0]?.payload).toEqual({ data: { clock: expect.any(String) } });
  const mutation = `mutation ($input: PatientInput!) {
    upsertPatient(input: $input) { ... on PatientPayload { patient { name } } }
  }`;
  peer.send(subscribe('m', mutation, { input: { name: 'Grace Hopper', sourceSystem: 'ehr' } }));
  await peer.until(has('complete', 'm'));
  expect(peer.of('m')[0]?.payload).toEqual({
    data: { upsertPatient: { patient: { name: 'Grace Hopper' } } },
  });
});

test('sends an event to every subscription that wants it, and to no other', async () => {
  const peer = await connected();
  peer.send(subscribe('a', live));
  peer.send(subscribe('b', live));
  peer.send(subscribe('calls', 'subscription { callActivity { id } }'));
  await subscribers(3);
  const patientId = await happen();
  for (const id of ['a', 'b']) {
    const { payload } = await peer.until(has('next', id));
    expect(payload.data.worldEvents.entityId).toBe(patientId);
  }
  expect(peer.of('calls')).toEqual([]);
});

test('sends nothing more once the client has completed, and frees the place', async () => {
  const peer = await connected();
  peer.send(subscribe('left', live));
  peer.send(subscribe('stays', live));
  await subscribers(2);
  await happen();
  await peer.until(has('next', 'left'));
  peer.send({ type: 'complete', id: 'left' });
  await subscribers(1);
  const patientId = await happen();
  await peer.until(({ id, payload }) => id === 'stays' && payload.data.worldEvents.entityId === patientId);
  expect(peer.of('left').map(({ type }) => type)).toEqual(['next']);
});

test('ends its subscriptions when the client vanishes', async () => {
  const peer = await connected();
  peer.send(subscribe('1', live));
  peer.send(subscribe('2', 'subscription { callActivity { id } }'));
  await subscribers(2);
  peer.socket.terminate();
  await subscribers(0);
});

test('completing what is not there is nothing', async () => {
  const peer = await connected();
  peer.send({ type: 'complete', id: 'nobody' });
  peer.send(subscribe('1', '{ clock }'));
  await peer.until(has('complete', '1'));
});

test.each([
  ['a syntax error', '{ clock', 'Syntax Error'],
  ['an empty document', '', 'Syntax Error'],
  ['an unknown field', '{ cloc }', 'Cannot query field'],
  ['a missing variable type', 'query ($x: Nothing) { clock }', 'Unknown type'],
  ['too many tokens', `{ ${'clock '.repeat(2_000)} }`, 'tokens'],
  ['two operations and no name', 'query A { clock } query B { clock }', 'identify operation'],
  ['only a fragment', 'fragment F on Query { clock }', ''],
])('tells one operation of %s, and goes on with the others', async (_, query, message) => {
  const peer = await connected();
  peer.send(subscribe('stays', live));
  await subscribers(1);
  peer.send(subscribe('bad', query));
  const { payload } = await peer.until(has('error', 'bad'));
  expect(payload).toBeInstanceOf(Array);
  expect(payload[0].message).toContain(message);
  peer.send(subscribe('good', '{ clock }'));
  await peer.until(has('complete', 'good'));
  await happen();
  await peer.until(has('next', 'stays'));
  expect(peer.of('bad').map(({ type }) => type)).toEqual(['error']); // no complete after an error
});

test('tells an operation that cannot begin why, and goes on with the others', async () => {
  const peer = await connected();
  peer.send(
    subscribe('nobody', 'subscription { callUpdated(id: "01890a5d-ac96-774b-bcce-b302099a8057") { id } }'),
  );
  peer.send(subscribe('malformed', 'subscription { worldEvents(after: "x") { id } }'));
  peer.send(subscribe('patient', 'subscription { worldEvents(after: "0", patientId: "x") { id } }'));
  const codeOf = async (id: string) => {
    const { payload } = await peer.until((message) => message.id === id);
    return (payload.errors ?? payload)[0].extensions.code;
  };
  expect(await codeOf('nobody')).toBe('NOT_FOUND');
  expect(await codeOf('malformed')).toBe('INVALID_INPUT');
  expect(await codeOf('patient')).toBe('INVALID_INPUT');
  peer.send(subscribe('good', '{ clock }'));
  await peer.until(has('complete', 'good'));
});

test('has many operations on one socket', async () => {
  const peer = await connected();
  const ids = Array.from({ length: 90 }, (_, i) => `q${i}`);
  for (const id of ids)
    peer.send(subscribe(id, 'query ($i: String) { patients(search: $i) { totalCount } }', { i: id }));
  await eventually(() => peer.received.filter(({ type }) => type === 'complete').length === ids.length);
  for (const id of ids) expect(peer.of(id).map(({ type }) => type)).toEqual(['next', 'complete']);
});

test('refuses the hundred and first operation without closing the socket, and takes it when one has ended', async () => {
  const peer = await connected();
  for (let i = 0; i < 100; i++) peer.send(subscribe(`s${i}`, live));
  await subscribers(100);
  peer.send(subscribe('too many', live));
  const { payload } = await peer.until(has('error', 'too many'));
  expect(payload[0].extensions.code).toBe('TOO_MANY_OPERATIONS');
  peer.send({ type: 'complete', id: 's0' });
  await subscribers(99);
  peer.send(subscribe('s100', live));
  await subscribers(100);
  await happen();
  await peer.until(has('next', 's100'));
  await eventually(() => peer.received.filter(({ type }) => type === 'next').length === 100);
});

test('a key has so many sockets, however it is written, and may open another when one has ended', () =>
  withApp(
    async (limited) => {
      const open = async (authorization: string) => {
        const socket = new WebSocket(`${limited.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
        await once(socket, 'open');
        socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
        const told = once(socket, 'message').then(() => null);
        const closed = once(socket, 'close').then(([code, reason]) => [code, String(reason)] as const);
        return { socket, refused: await Promise.race([told, closed]), closed };
      };
      const first = await open(authorization);
      const second = await open(authorization.replace('Bearer', 'bEARER'));
      expect([first.refused, second.refused]).toEqual([null, null]);
      expect((await open(authorization)).refused).toEqual([4429, 'Too many sockets of this key']);
      expect((await open('Bearer nobody')).refused?.[0]).toBe(4403);
      first.socket.close();
      await first.closed;
      const third = await eventually(async () => {
        const tried = await open(authorization);
        return tried.refused === null ? tried : null;
      });
      for (const { socket } of [second, third]) socket.terminate();
    },
    { API_KEY_SOCKETS: '2' },
  ));

test('takes a frame of 64 KiB and closes with 1009 at one byte more', async () => {
  const framed = (bytes: number) => {
    const empty = JSON.stringify(subscribe('1', '{ clock }', { x: '' })).length;
    return JSON.stringify(subscribe('1', '{ clock }', { x: 'x'.repeat(bytes - empty) }));
  };
  const peer = await connected();
  peer.send(framed(65_536));
  await peer.until(has('complete', '1'));
  peer.send(framed(65_537));
  expect(await peer.closed).toBe(1009);
});

test('takes another path for nothing', async () => {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/elsewhere`, 'graphql-transport-ws');
  const [error] = (await once(socket, 'error')) as [Error];
  expect(error.message).toContain('400');
});

test('a subscription that asks for too much is told so and gives nothing', async () => {
  const peer = await connected();
  const deep = `patient { calls(first: 200) { edges { node { events { patient { calls(first: 200) { edges { node { id } } } } } } } } }`;
  peer.send(subscribe('deep', `subscription { worldEvents { ${deep} } }`));
  await subscribers(1);
  await happen();
  const { payload } = await peer.until(has('next', 'deep'));
  expect(payload).toMatchObject({ data: null, errors: [{ extensions: { code: 'TOO_COMPLEX' } }] });
});

/** A stock graphql-ws client, with the key in its parameters. */
function stockClient() {
  const client = createClient({
    url: url(),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  return { client, [Symbol.asyncDispose]: async () => client.dispose() };
}

const sseHeaders = { authorization, 'content-type': 'application/json', accept: 'text/event-stream' };

/** A stock graphql-sse client in distinct connections mode. */
function stockSseClient() {
  const client = createSseClient({ url: `${app.url}/graphql`, headers: { authorization }, retryAttempts: 0 });
  return { client, [Symbol.dispose]: () => client.dispose() };
}

/** The results of a subscription over SSE, read by hand; ends the request when its reader leaves. */
async function* overFetch(query: string, variables: object) {
  const leave = new AbortController();
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: sseHeaders,
    signal: leave.signal,
    body: JSON.stringify({ query, variables }),
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const frames = text.split('\n\n');
      text = frames.pop()!;
      for (const frame of frames) {
        const [, event, data] = /^event: (\w+)\ndata: ?(.*)$/s.exec(frame) ?? [];
        if (event === 'complete') return;
        if (event === 'next') yield JSON.parse(data!);
      }
    }
  } finally {
    leave.abort();
  }
}

interface Told {
  cursor: string;
  entityId: string;
}

/** Reads so many results, then leaves. */
async function read(results: AsyncIterable<unknown>, count: number): Promise<Told[]> {
  const told: Told[] = [];
  for await (const result of results) {
    told.push((result as { data: { worldEvents: Told } }).data.worldEvents);
    if (told.length === count) break;
  }
  return told;
}

test('a stock graphql-ws client queries, changes and listens', async () => {
  await using stock = stockClient();
  const { client } = stock;
  const clock = await client.iterate({ query: '{ clock }' }).next();
  expect(clock.value).toEqual({ data: { clock: expect.any(String) } });
  const results = client.iterate({ query: live });
  const first = results.next();
  await subscribers(1);
  const patientId = await happen();
  expect((await first).value).toMatchObject({ data: { worldEvents: { entityId: patientId } } });
  await results.return?.();
  await subscribers(0);
  const bad = client.iterate({ query: '{ nothing }' }).next();
  await expect(bad).rejects.toMatchObject([{ message: expect.stringContaining('Cannot query field') }]);
});

test('a stock graphql-sse client queries, listens and leaves', async () => {
  using stock = stockSseClient();
  const { client } = stock;
  const clock = await client.iterate({ query: '{ clock }' }).next();
  expect(clock.value).toEqual({ data: { clock: expect.any(String) } });
  const results = client.iterate({ query: live });
  const first = results.next();
  await subscribers(1);
  const patientId = await happen();
  expect((await first).value).toMatchObject({ data: { worldEvents: { entityId: patientId } } });
  await results.return?.();
  await subscribers(0);
});

test('SSE without a key says UNAUTHENTICATED and ends', async () => {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...sseHeaders, authorization: '' },
    body: JSON.stringify({ query: live }),
  });
  expect(await response.text()).toMatch(/^[^]*event: next\ndata: .*UNAUTHENTICATED[^]*event: complete\n/);
});

test('resumes by cursor over every transport, with nothing lost, nothing twice and all in order', async () => {
  const { data } = await app.ask('{ events(first: 1) { edges { node { cursor } } } }');
  const start: string = data.events.edges[0]?.node.cursor ?? '0';
  const made: string[] = [];
  const more = async (count: number) => {
    for (let i = 0; i < count; i++) made.push(await happen());
  };
  await using ws = stockClient();
  using sse = stockSseClient();
  const transports = [
    (after: string) => overFetch(resumed, { after }),
    (after: string) => sse.client.iterate({ query: resumed, variables: { after } }),
    (after: string) => ws.client.iterate({ query: resumed, variables: { after } }),
  ];
  const told: Told[] = [];
  for (let round = 0; round < 9; round++) {
    await more(3); // while nobody listens
    const meanwhile = more(6); // some are read from the log, and some are live
    told.push(...(await read(transports[round % 3]!(told.at(-1)?.cursor ?? start), 8)));
    await meanwhile;
  }
  told.push(...(await read(overFetch(resumed, { after: told.at(-1)!.cursor }), 9)));
  expect(told.map(({ entityId }) => entityId)).toEqual(made);
  const cursors = told.map(({ cursor }) => Number(cursor));
  expect(cursors).toEqual(cursors.toSorted((a, b) => a - b));
  expect(await read(overFetch(resumed, { after: start }), made.length)).toEqual(told);
});
