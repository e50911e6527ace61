import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import twilio from 'twilio';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { openPasses } from '../../src/agent/pass.ts';
import { eventually } from '../support/eventually.ts';
import { placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';

const ours = '+14155550199';
const accountSid = `AC${'0'.repeat(32)}`;
const token = 'simulated-carrier-token';
const passes = openPasses(createHmac('sha256', token).update('callwell agent').digest());

/** People who live as fast as in life: a phone that nobody answers rings for half a minute. */
const slow = { SIM_PACE: '1' };

/** A call that rings for as long as the test lasts. */
async function ringing(app: App, service: object = {}, ending = '0102') {
  await setUp(app, ours);
  const { data } = await app.ask(
    `mutation ($input: ServiceInput!) { createService(input: $input) { __typename ... on ServicePayload { service { id streamUrl } } ... on InputError { fields { path } } } }`,
    { input: { name: 'Care', systemPrompt: 'Be kind.', greeting: 'Hello.', ...service } },
  );
  const serviceId = data.createService.service.id;
  const person = { firstName: 'Rosa', lastName: 'Delgado', birthDate: '1951-03-14' };
  const input = {
    person,
    phoneTo: `+1212555${ending}`,
    phoneFrom: ours,
    serviceId,
    reason: 'Check-up',
    basis: 'PRIOR_EXPRESS',
  };
  const placed = await app.ask(placeCall, { input });
  const { id, sid } = placed.data.placeCall.call as { id: string; sid: string };
  await eventually(async () => (await callOf(app, id)).context);
  return { id, sid, pass: passes.of({ workspaceId: app.workspaceId, callId: id }) };
}

const callOf = async (app: App, id: string): Promise<Answer['data']> =>
  (
    await app.ask(`query ($id: ID!) { call(id: $id) { status outcome summary context { greeting } } }`, {
      id,
    })
  ).data.call;

const relayUrl = (app: App, pass: string) => `${app.url.replace('http', 'ws')}/agent/relay/${pass}`;

/** Knocks as the carrier does; the status that it is refused with, or the open socket. */
async function knock(
  url: string,
  signature: string | null = twilio.getExpectedTwilioSignature(token, url, {}),
) {
  const socket = new WebSocket(
    url,
    signature === null ? {} : { headers: { 'x-twilio-signature': signature } },
  );
  socket.on('error', () => {});
  return await new Promise<number | WebSocket>((resolve) => {
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
  });
}

/** A signed request of the carrier's about a call. */
async function post(app: App, id: string, topic: string, more: Record<string, string> = {}) {
  const url = `${app.url}/carrier/${app.workspaceId}/calls/${id}/${topic}`;
  const parameters = { AccountSid: accountSid, CallStatus: 'in-progress', ...more };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': twilio.getExpectedTwilioSignature(token, url, parameters),
    },
    body: new URLSearchParams(parameters),
  });
  return { status: response.status, body: await response.text() };
}

const setupOf = (callSid: string) => JSON.stringify({ type: 'setup', sessionId: 'VX1', accountSid, callSid });

test('nobody comes in without the pass of the very call and the signature of the account', () =>
  withApp(async (app) => {
    const { id, sid, pass } = await ringing(app);
    await post(app, id, 'twiml', { CallSid: sid });
    const url = relayUrl(app, pass);
    const other = passes.of({ workspaceId: app.workspaceId, callId: app.workspaceId });
    const changed = `${pass.slice(0, -1)}${pass.endsWith('A') ? 'B' : 'A'}`;
    expect(await knock(url, null)).toBe(403);
    expect(await knock(url, 'forged')).toBe(403);
    expect(await knock(url, twilio.getExpectedTwilioSignature('another token', url, {}))).toBe(403);
    for (const bad of [other, changed, '', 'x', id, `${pass}/`, `${pass}?a=b`]) {
      expect([bad, await knock(relayUrl(app, bad))]).toEqual([bad, 403]);
    }
    expect(await knock(`${app.url.replace('http', 'ws')}/elsewhere`)).toBe(400);

    const socket = (await knock(url)) as WebSocket;
    expect(await knock(url)).toBe(403); // somebody speaks already
    socket.send(setupOf(sid));
    const [frame] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(frame.toString())).toMatchObject({ type: 'text', last: false });
    socket.send('{"type":"nobody knows this"}');
    socket.send('no JSON');
    socket.send(JSON.stringify({ type: 'prompt', voicePrompt: 'Stop calling me.', last: true }));
    await eventually(async () => (await callOf(app, id)).outcome === 'opted_out');
    socket.close();
    await eventually(async () => (await knock(url)) === 403); // something has come of it
  }, slow));

test('a session of another call is closed, and so is one that sends too much', () =>
  withApp(async (app) => {
    const { sid, pass } = await ringing(app);
    const stranger = (await knock(relayUrl(app, pass))) as WebSocket;
    stranger.send(setupOf(`CA${'9'.repeat(32)}`));
    expect((await once(stranger, 'close'))[0]).toBe(1008);
    const flooding = await eventually(async () => {
      const opened = await knock(relayUrl(app, pass));
      return opened instanceof WebSocket ? opened : null;
    });
    flooding.send(setupOf(sid));
    flooding.send('x'.repeat(100_000));
    expect((await once(flooding, 'close'))[0]).toBe(1009);
  }, slow));

test('an agent elsewhere is connected with its stream, and is given the context for its pass', () =>
  withApp(async (app) => {
    const streamUrl = 'wss://agent.example.test/media';
    const { id, pass } = await ringing(app, { streamUrl });
    const { body } = await post(app, id, 'twiml', {
      CallSid: (await app.ask(`query ($id: ID!) { call(id: $id) { sid } }`, { id })).data.call.sid,
    });
    expect(body).toContain(`<Stream url="${streamUrl}">`);
    expect(body).toContain(`<Parameter name="pass" value="${pass}"/>`);
    expect(body).toContain(`<Parameter name="contextUrl" value="${app.url}/agent/context"/>`);
    const ask = (authorization?: string) =>
      fetch(`${app.url}/agent/context`, authorization === undefined ? {} : { headers: { authorization } });
    const given = await ask(`Bearer ${pass}`);
    expect(await given.json()).toEqual({
      callId: id,
      greeting: 'Hello.',
      instructions: 'Be kind.\n\nThe goal of this call: Check-up',
      patientSummary: expect.stringMatching(/^Rosa Delgado, born 1951-03-14\n/),
    });
    for (const wrong of [undefined, 'Bearer', `Bearer ${pass.slice(1)}`, `Bearer ${app.key}`]) {
      expect((await ask(wrong)).status).toBe(403);
    }
    await app.ask(`mutation ($id: ID!) { cancelCall(id: $id) { __typename } }`, { id });
    await eventually(async () => (await ask(`Bearer ${pass}`)).status === 403);
  }, slow));

test.each(['http://agent.example.test', 'wss://agent.example.test/?a=b', 'agent'])(
  'a stream is no %s',
  (streamUrl) =>
    withApp(async (app) => {
      const { data } = await app.ask(
        `mutation ($input: ServiceInput!) { createService(input: $input) { ... on InputError { fields { path } } } }`,
        { input: { name: 'Care', systemPrompt: '', greeting: 'Hello.', streamUrl } },
      );
      expect(data.createService.fields).toEqual([{ path: ['input', 'streamUrl'] }]);
    }),
);

test('a line to the agent that breaks is apologized for, and the call is told as unresolved', () =>
  withApp(async (app) => {
    const { id, sid } = await ringing(app);
    await post(app, id, 'twiml', { CallSid: sid });
    const broken = await post(app, id, 'ended', { CallSid: sid, SessionId: 'VX1', SessionStatus: 'failed' });
    expect(broken.body).toContain('We will try again.');
    expect(broken.body).toContain('<Hangup/>');
    expect(await callOf(app, id)).toMatchObject({
      outcome: 'unresolved',
      summary: 'The connection to the agent was lost.',
    });
    const again = await post(app, id, 'ended', { CallSid: sid, SessionId: 'VX1', SessionStatus: 'failed' });
    expect(again.body).not.toContain('We will try again.');
  }, slow));

test('a session that ended as it should is hung up on', () =>
  withApp(async (app) => {
    const { id, sid } = await ringing(app);
    const { body } = await post(app, id, 'ended', {
      CallSid: sid,
      SessionId: 'VX1',
      HandoffData: '{"outcome":"confirmed"}',
    });
    expect(body).toMatch(/<Response><Hangup\/><\/Response>/);
    expect((await callOf(app, id)).outcome).toBeNull();
  }, slow));

test('what the carrier is sent tells nothing but where the agent is', () =>
  withApp(async (app) => {
    const { id, sid } = await ringing(app);
    const { body } = await post(app, id, 'twiml', { CallSid: sid });
    expect(body).toMatch(
      /<ConversationRelay url="ws:[^"]+\/agent\/relay\/[\w-]{75}" language="en-US" dtmfDetection="true" interruptible="any"\/>/,
    );
    expect(body).not.toMatch(/Check-up|1951|Rosa/);
  }, slow));
