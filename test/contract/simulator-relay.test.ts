import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import twilio from 'twilio';
import { expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { personAt, type Act } from '../../src/simulator/people.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  FROM,
  clientOf,
  numberOf,
  withSimulatedCarrier,
} from '../support/simulated-carrier.ts';
import { eventually } from '../support/eventually.ts';

interface Heard {
  type: string;
  [name: string]: unknown;
}

/** A customer's WebSocket that writes down what it is told, and answers as the test says. */
async function openAgent(answer: (message: Heard, say: (text: string) => void, socket: WebSocket) => void) {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  const heard: Heard[] = [];
  const handshakes: IncomingMessage[] = [];
  sockets.on('connection', (socket, request) => {
    handshakes.push(request);
    const say = (token: string) => socket.send(JSON.stringify({ type: 'text', token, last: true }));
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as Heard;
      heard.push(message);
      answer(message, say, socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}/relay`,
    heard,
    handshakes,
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    },
  };
}

const end = (socket: WebSocket, handoffData = 'done') =>
  socket.send(JSON.stringify({ type: 'end', handoffData }));

/** Plays one call to a person who acts like this; gives what the agent heard, and the requests of the action. */
async function play(
  acts: Act[],
  answer: Parameters<typeof openAgent>[0],
  { url = '', ending = '0100' }: { url?: string; ending?: string } = {},
) {
  const agent = await openAgent(answer);
  const meet = () => ({ ...personAt('+14155550100', 1), staysSeconds: 300, says: acts });
  const birthDateOf = () => Promise.resolve('1951-03-14');
  try {
    return await new Promise<{
      heard: Heard[];
      handshakes: IncomingMessage[];
      action: Record<string, string>[];
      ended: Record<string, string>;
      sid: string;
      ledger: object[];
    }>((resolve, reject) => {
      withSimulatedCarrier({ meet, birthDateOf }, async ({ carrier, receiver }) => {
        receiver.answer('/twiml', () => ({
          body: `<Response><Connect action="${receiver.url}/action"><ConversationRelay url="${url || agent.url}"><Parameter name="a" value="1 &amp; 2"/></ConversationRelay></Connect><Hangup/></Response>`,
        }));
        receiver.answer('/action', () => ({ body: '<Response><Hangup/></Response>' }));
        const call = await clientOf(carrier.url).calls.create({
          to: numberOf(ending),
          from: FROM,
          url: `${receiver.url}/twiml`,
          statusCallback: `${receiver.url}/status`,
        });
        const last = await eventually(() =>
          receiver.received.find(
            ({ path, params }) => path === '/status' && params['CallStatus'] === 'completed',
          ),
        );
        resolve({
          heard: agent.heard,
          handshakes: agent.handshakes,
          action: receiver.received.filter(({ path }) => path === '/action').map(({ params }) => params),
          ended: last.params,
          sid: call.sid,
          ledger: carrier.ledger().filter(({ kind }) => kind === 'relay'),
        });
      }).catch(reject);
    });
  } finally {
    agent.close();
  }
}

test('connects with a signed handshake, tells the setup, and asks the action with the handoff', async () => {
  const { heard, handshakes, action, sid, ledger } = await play(['Hello?'], ({ type }, say, socket) => {
    if (type === 'setup') say('Good morning.');
    else end(socket, '{"a":1}');
  });
  const signature = handshakes[0]!.headers['x-twilio-signature'] as string;
  const url = `ws://${handshakes[0]!.headers.host}/relay`;
  expect(signature).toBe(twilio.getExpectedTwilioSignature(AUTH_TOKEN, url, {}));
  expect(heard).toMatchObject([
    {
      type: 'setup',
      callSid: sid,
      accountSid: ACCOUNT_SID,
      from: FROM,
      direction: 'outbound-api',
      customParameters: { a: '1 & 2' },
    },
    { type: 'prompt', voicePrompt: 'Hello?', last: true },
  ]);
  expect(action).toMatchObject([
    { CallSid: sid, SessionStatus: 'ended', HandoffData: '{"a":1}', CallStatus: 'in-progress' },
  ]);
  expect(action[0]!['SessionId']).toBe(heard[0]!['sessionId']);
  expect(ledger).toMatchObject([{ accepted: true, httpStatus: 101, greetedMs: expect.any(Number) }]);
});

test('a person hears a turn to its end, presses keys, interrupts, tells the date of birth, and hangs up', async () => {
  const acts: Act[] = [
    { presses: '12' },
    { interrupts: 'Wait!', afterSeconds: 0.3 },
    'Yes.',
    { hangsUp: true },
  ];
  const { heard, ended } = await play(acts, ({ type, digit, voicePrompt }, say, socket) => {
    if (type === 'setup') say('Press one and two.');
    if (digit === '2') {
      socket.send(JSON.stringify({ type: 'text', token: 'What is your ', last: false }));
      say('name, please?');
    }
    if (type === 'prompt') say(voicePrompt === 'Wait!' ? 'What is your date of birth?' : 'Thank you.');
  });
  expect(heard.slice(1, 6)).toEqual([
    { type: 'dtmf', digit: '1' },
    { type: 'dtmf', digit: '2' },
    { type: 'interrupt', utteranceUntilInterrupt: 'What ', durationUntilInterruptMs: 300 },
    { type: 'prompt', voicePrompt: 'Wait!', lang: 'en-US', last: true },
    { type: 'prompt', voicePrompt: 'It is March 14, 1951.', lang: 'en-US', last: true },
  ]);
  expect(ended['CallStatus']).toBe('completed');
});

test('a relay that cannot be reached, or breaks, has failed, which the action is told', async () => {
  const nowhere = await play(['Hello?'], () => {}, { url: 'ws://127.0.0.1:9/relay' });
  expect(nowhere.action).toMatchObject([{ SessionStatus: 'failed', CallStatus: 'in-progress' }]);
  expect(nowhere.action[0]).not.toHaveProperty('HandoffData');
  expect(nowhere.ledger).toMatchObject([{ accepted: false }]);
  const broken = await play(['Hello?'], (_message, _say, socket) => socket.terminate());
  expect(broken.action).toMatchObject([{ SessionStatus: 'failed' }]);
});

test('a carrier of its own is told who knows which date of birth, in the CSV that patients are imported from', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'callwell-people-'));
  const people = join(folder, 'people.csv');
  writeFileSync(
    people,
    `Name,Birth Date,Phone\nRosa,1951-03-14,${numberOf('0100')}\nBen,,${numberOf('0107')}\n`,
  );
  const agent = await openAgent(({ type }, say, socket) => {
    if (type === 'setup') say('What is your date of birth?');
    else end(socket);
  });
  const options = ['--port', '0', '--pace', '100', '--account-sid', ACCOUNT_SID, '--auth-token', AUTH_TOKEN];
  const child = spawn(process.execPath, ['src/simulator/main.ts', ...options, '--people', people], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const client = clientOf(/http:\S+/.exec(line.toString())![0]);
    const twiml = `<Response><Connect><ConversationRelay url="${agent.url}"/></Connect></Response>`;
    for (const ending of ['0100', '0107']) {
      await client.calls.create({ to: numberOf(ending), from: FROM, twiml });
      await eventually(
        () => agent.heard.at(-1)?.type === 'prompt' && agent.heard.at(-2)?.['to'] === numberOf(ending),
      );
    }
    const said = agent.heard.flatMap(({ voicePrompt }) => (voicePrompt ? [voicePrompt] : []));
    expect(said).toEqual(['It is March 14, 1951.', 'I would rather not say.']);
  } finally {
    child.kill('SIGKILL');
    agent.close();
    rmSync(folder, { recursive: true });
  }
});
