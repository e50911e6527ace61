/** An agent elsewhere speaks on our calls, over Twilio Media Streams: with the context of its call, and a key for what came of it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { placeCall, setUp, withApp, type Answer, type App, type LedgerEntry } from '../support/program.ts';

const ours = '+14155550199';
/** People slow enough for a busy machine: who is not connected within eight seconds of theirs hangs up. */
const slow = { SIM_PACE: '5' };

interface Frame {
  event: string;
  sequenceNumber?: string;
  streamSid?: string;
  start?: {
    callSid: string;
    streamSid: string;
    tracks: string[];
    mediaFormat: object;
    customParameters: Given;
  };
  media?: { track: string; chunk: string; timestamp: string; payload: string };
  mark?: { name: string };
  stop?: { callSid: string };
}

type Given = Record<'callId' | 'pass' | 'contextUrl', string>;

/** A customer's agent: a WebSocket server that knows nothing of ours but what it is told on the line. */
async function openElsewhere(hold: (line: Line) => Promise<void>) {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  const lines: Line[] = [];
  const failures: unknown[] = [];
  sockets.on('connection', (socket) => {
    const line = lineOn(socket);
    lines.push(line);
    hold(line).catch((error: unknown) => {
      failures.push(error);
      socket.close();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/media`,
    lines,
    failures,
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    },
  };
}

type Line = ReturnType<typeof lineOn>;

/** The line as the agent has it: what simulated people say is its letters as samples, then silence. */
function lineOn(socket: WebSocket) {
  const frames: Frame[] = [];
  const heard: string[] = [];
  const closed = once(socket, 'close');
  socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString()) as Frame;
    frames.push(frame);
    const sound = Buffer.from(frame.media?.payload ?? '', 'base64').filter((sample) => sample !== 0xff);
    if (sound.length > 0) heard.push(Buffer.from(sound).toString());
  });
  const send = (message: object) =>
    socket.send(JSON.stringify({ ...message, streamSid: frames[1]!.streamSid }));
  const until = (event: string) => eventually(() => frames.find((frame) => frame.event === event), 20_000);
  return {
    frames,
    heard,
    closed,
    send,
    until,
    socket,
    say: (text: string) => {
      send({ event: 'media', media: { payload: Buffer.from(text).toString('base64') } });
      send({ event: 'mark', mark: { name: text } });
    },
    next: (count: number) => eventually(() => heard[count - 1], 20_000),
  };
}

async function contextAt({ contextUrl, pass }: Given) {
  const response = await fetch(contextUrl, { headers: { authorization: `Bearer ${pass}` } });
  return { status: response.status, body: response.ok ? await response.json() : null };
}

async function narrowKey(app: App): Promise<string> {
  const { data } = await app.ask(
    'mutation { createApiKey(name: "Their agent", scopes: ["outcomes:write"]) { ... on ApiKeyPayload { secret } } }',
  );
  return data.createApiKey.secret as string;
}

const reporting = `mutation ($input: ReportCallOutcomeInput!) { reportCallOutcome(input: $input) { __typename ... on Error { code } } }`;

/** Calls with the agent elsewhere; the stream's URL is without TLS here, which no service may be made with. */
async function call(app: App, url: string, ending = '0100'): Promise<string> {
  const { serviceId } = await setUp(app, ours);
  await app.world.query(sql`update service set stream_url = ${url} where id = ${serviceId}`);
  const person = { firstName: 'Rosa', lastName: 'Delgado', birthDate: '1951-03-14' };
  const input = {
    person,
    phoneTo: `+1212555${ending}`,
    phoneFrom: ours,
    reason: 'Check-up',
    basis: 'PRIOR_EXPRESS',
  };
  const { data } = await app.ask(placeCall, { input });
  return data.placeCall.call.id as string;
}

const ended = (app: App, id: string): Promise<Answer['data']> =>
  eventually(async () => {
    const query = `query ($id: ID!) { call(id: $id) { sid status outcome summary answeredBy transcript { speaker text } events { type actor source } } }`;
    const { call } = (await app.ask(query, { id })).data;
    return call.status === 'COMPLETED' ? call : null;
  }, 40_000);

test(
  'it is given the context of its call, talks, reports with a narrow key, and hangs up',
  { timeout: 120_000 },
  () =>
    withApp(async (app) => {
      const key = await narrowKey(app);
      const statuses: number[] = [];
      const elsewhere = await openElsewhere(async (line) => {
        const { start } = await line.until('start');
        const given = start!.customParameters;
        const { status, body } = await contextAt(given);
        statuses.push(status);
        const { callId, greeting, instructions } = body as Record<string, string>;
        expect(callId).toBe(given.callId);
        expect(instructions).toMatch(/Check-up/);
        line.say(`${greeting} May I speak with Rosa?`);
        await line.next(1);
        line.say('What is your date of birth?');
        await line.next(2);
        line.say('Will you come?');
        await line.next(3);
        const transcript = line.heard.map((text) => ({
          speaker: 'patient',
          text,
          at: '2026-03-03T19:00:00Z',
        }));
        const input = {
          callId,
          outcome: 'confirmed',
          summary: 'She comes.',
          answeredBy: 'HUMAN',
          transcript,
        };
        const told = await app.ask(reporting, { input }, key);
        expect(told.data.reportCallOutcome.__typename).toBe('ReportCallOutcomePayload');
        line.socket.close();
      });
      try {
        const id = await call(app, elsewhere.url);
        const done = await ended(app, id);
        expect(elsewhere.failures).toEqual([]);
        expect(done).toMatchObject({ outcome: 'confirmed', summary: 'She comes.', answeredBy: 'HUMAN' });
        expect(done.transcript.map(({ text }: { text: string }) => text)).toEqual([
          'Yes, speaking.',
          'It is March 14, 1951.',
          'Yes, that works for me.',
        ]);
        expect(statuses).toEqual([200]);
        const [line] = elsewhere.lines as [Line];
        const { frames } = line;
        expect(frames[0]).toEqual({ event: 'connected', protocol: 'Call', version: '1.0.0' });
        expect(frames[1]).toMatchObject({
          event: 'start',
          sequenceNumber: '1',
          start: {
            callSid: done.sid,
            tracks: ['inbound'],
            mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
          },
        });
        expect(frames.slice(1).map(({ sequenceNumber }) => Number(sequenceNumber))).toEqual(
          frames.slice(1).map((_, index) => index + 1),
        );
        expect(
          frames.every(({ media }) => !media || Buffer.from(media.payload, 'base64').length === 160),
        ).toBe(true);
        // Marks come back once what was said before them has been played.
        expect(frames.flatMap(({ mark }) => mark?.name ?? [])).toEqual([
          'Hello from the clinic. May I speak with Rosa?',
          'What is your date of birth?',
          'Will you come?',
        ]);
        // The pass was good for this call alone, and as long as it lasted.
        expect(await contextAt(frames[1]!.start!.customParameters)).toMatchObject({ status: 403 });
        const entries = (await app.ledger()) as (LedgerEntry & { greetedMs?: number })[];
        expect(entries.filter(({ kind }) => kind === 'stream')).toMatchObject([
          { accepted: true, greetedMs: expect.any(Number) },
        ]);
      } finally {
        elsewhere.close();
      }
    }, slow),
);

test('a narrow key reports outcomes, and can do and see nothing else', { timeout: 120_000 }, () =>
  withApp(async (app) => {
    const key = await narrowKey(app);
    await setUp(app, ours);
    for (const query of [
      'query { patients(first: 1) { edges { node { id } } } }',
      'query { calls(first: 1) { edges { node { id } } } }',
      `mutation { placeCall(input: { patientId: "x", reason: "x" }) { __typename } }`,
      `mutation { createApiKey(name: "more", scopes: ["calls:write"]) { __typename } }`,
    ]) {
      const { errors } = await app.ask(query, {}, key);
      expect([query, errors?.[0]?.extensions?.['code']]).toEqual([query, 'FORBIDDEN']);
    }
    const input = { callId: '00000000-0000-7000-8000-000000000000', outcome: 'confirmed' };
    expect((await app.ask(reporting, { input }, key)).data.reportCallOutcome.code).toBe('NOT_FOUND');
  }),
);

test(
  'who hangs up ends the stream with a stop, and the report may come after that',
  { timeout: 120_000 },
  () =>
    withApp(
      async (app) => {
        const key = await narrowKey(app);
        const elsewhere = await openElsewhere(async (line) => {
          const { start } = await line.until('start');
          await line.until('stop');
          await line.closed;
          const { callId } = start!.customParameters;
          const input = { callId, outcome: 'unresolved', summary: 'They hung up.' };
          const told = await app.ask(reporting, { input }, key);
          expect(told.data.reportCallOutcome.__typename).toBe('ReportCallOutcomePayload');
        });
        try {
          const id = await call(app, elsewhere.url, '0108');
          await ended(app, id);
          const told = await eventually(async () => {
            const found = await ended(app, id);
            return found.outcome ? found : null;
          });
          expect(told).toMatchObject({ outcome: 'unresolved', summary: 'They hung up.' });
          expect(elsewhere.lines[0]!.frames.at(-1)).toMatchObject({
            event: 'stop',
            stop: { callSid: told.sid },
          });
          expect(elsewhere.failures).toEqual([]);
        } finally {
          elsewhere.close();
        }
      },
      { SIM_PACE: '2' },
    ),
);

test('what is cleared is not played, and its marks come back at once', { timeout: 120_000 }, () =>
  withApp(async (app) => {
    const elsewhere = await openElsewhere(async (line) => {
      await line.until('start');
      line.send({ event: 'media', media: { payload: Buffer.alloc(8_000 * 500, 0x7f).toString('base64') } });
      line.send({ event: 'mark', mark: { name: 'long' } });
      line.send({ event: 'clear' });
      await line.until('mark');
      line.say('May I speak with Rosa?');
      await line.next(1);
      line.socket.close();
    });
    try {
      const id = await call(app, elsewhere.url);
      await ended(app, id);
      expect(elsewhere.failures).toEqual([]);
      expect(elsewhere.lines[0]!.heard).toEqual(['Yes, speaking.']);
    } finally {
      elsewhere.close();
    }
  }, slow),
);
