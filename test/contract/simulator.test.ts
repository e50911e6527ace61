import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type twilio from 'twilio';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';

import type { Carrier, CarrierOptions } from '../../src/simulator/carrier.ts';
import { openListener } from '../support/listener.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  clientOf,
  FROM,
  numberOf,
  raw,
  refusalOf,
  SIGNED_IN,
  withSimulatedCarrier,
} from '../support/simulated-carrier.ts';
import { HELLO, type Received, type Receiver } from '../support/simulator-receiver.ts';

const EVERY_EVENT = ['initiated', 'ringing', 'answered', 'completed'];

type CreateOptions = Parameters<twilio.Twilio['calls']['create']>[0];

/** A carrier, the official SDK pointed at it, and a customer that receives its webhooks. */
class Stage {
  readonly carrier: Carrier;
  readonly receiver: Receiver;
  readonly client: twilio.Twilio;

  constructor(carrier: Carrier, receiver: Receiver) {
    this.carrier = carrier;
    this.receiver = receiver;
    this.client = clientOf(carrier.url);
  }

  order(to: string, more: Partial<CreateOptions> = {}): CreateOptions {
    return {
      to: numberOf(to),
      from: FROM,
      url: `${this.receiver.url}/twiml`,
      statusCallback: `${this.receiver.url}/status?attempt=42`,
      statusCallbackEvent: EVERY_EVENT,
      ...more,
    };
  }

  create(to: string, more: Partial<CreateOptions> = {}) {
    return this.client.calls.create(this.order(to, more));
  }

  /** The statuses told about a call once it has ended, in order of arrival. */
  async story(sid: string): Promise<string[]> {
    await this.receiver.until(1, ({ params }) => params.CallSid === sid && params.CallDuration !== undefined);
    return this.told(sid).map(({ params }) => params.CallStatus ?? '');
  }

  told(sid: string): Received[] {
    return this.receiver.received.filter(({ path, params }) => path === '/status' && params.CallSid === sid);
  }

  /** Asks the API until the call is in a status. */
  async untilStatus(sid: string, status: string) {
    const deadline = performance.now() + 5000;
    for (;;) {
      const call = await this.client.calls(sid).fetch();
      if (call.status === status) return call;
      if (performance.now() > deadline) throw new Error(`waited for ${status}, it is ${call.status}`);
    }
  }
}

const withCarrier = (options: Partial<CarrierOptions>, play: (stage: Stage) => Promise<void>) =>
  withSimulatedCarrier(options, ({ carrier, receiver }) => play(new Stage(carrier, receiver)));

describe('the life of a call', () => {
  test('a person answers, hears the TwiML, and every event is told in order', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0100');
      expect(call).toMatchObject({ status: 'queued', direction: 'outbound-api', startTime: null });
      expect(await stage.story(call.sid)).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);

      const [initiated, ringing, , completed] = stage.told(call.sid);
      expect(initiated?.query).toEqual({ attempt: '42' });
      expect(initiated?.params).toMatchObject({
        AccountSid: ACCOUNT_SID,
        ApiVersion: '2010-04-01',
        CallbackSource: 'call-progress-events',
        Called: numberOf('0100'),
        Caller: FROM,
        Direction: 'outbound-api',
        SequenceNumber: '0',
        ToZip: '',
        ToCountry: 'US',
      });
      expect(initiated?.params.Timestamp).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/);
      expect(ringing?.params.CallDuration).toBeUndefined();
      expect(completed?.params).toMatchObject({ SequenceNumber: '3', SipResponseCode: '200', Duration: '1' });
      expect(completed?.params.AnsweredBy).toBeUndefined();

      const [asked] = await stage.receiver.until(1, ({ path }) => path === '/twiml');
      expect(asked?.params).toMatchObject({ CallSid: call.sid, CallStatus: 'in-progress', FromZip: '' });
    }));

  test.each([
    ['0101', ['initiated', 'ringing', 'busy'], '486'],
    ['0102', ['initiated', 'ringing', 'no-answer'], '487'],
    ['0103', ['initiated', 'failed'], '404'],
  ])('nobody answers at %s', (to, story, sip) =>
    withCarrier({}, async (stage) => {
      const call = await stage.create(to, { timeout: 20 });
      expect(await stage.story(call.sid)).toEqual(story);
      const last = stage.told(call.sid).at(-1)?.params;
      expect(last).toMatchObject({
        SipResponseCode: sip,
        CallDuration: '0',
        Duration: '0',
        SequenceNumber: String(story.length - 1),
      });
      const ended = await stage.client.calls(call.sid).fetch();
      expect(ended).toMatchObject({ status: story.at(-1), duration: null });
      expect(stage.receiver.received.filter(({ path }) => path === '/twiml')).toEqual([]);
    }),
  );

  test('only the events that were asked for are told, and numbered among all', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0100', { statusCallbackEvent: ['ringing', 'completed'] });
      expect(await stage.story(call.sid)).toEqual(['ringing', 'completed']);
      expect(stage.told(call.sid).map(({ params }) => params.SequenceNumber)).toEqual(['1', '3']);
      const { statusCallbackEvent: _, ...order } = stage.order('0108');
      const other = await stage.client.calls.create(order);
      expect(await stage.story(other.sid)).toEqual(['completed']);
    }));

  test('the person hangs up while the TwiML goes on: after 8 seconds, at 0108 after 3', () =>
    withCarrier({}, async (stage) => {
      stage.receiver.answer('/twiml', () => ({ body: '<Response><Pause length="600"/></Response>' }));
      const [patient, hasty] = await Promise.all([stage.create('0100'), stage.create('0108')]);
      await Promise.all([stage.story(patient.sid), stage.story(hasty.sid)]);
      const seconds = [patient, hasty].map(({ sid }) => Number(stage.told(sid).at(-1)?.params.CallDuration));
      expect(seconds[0]).toBeGreaterThanOrEqual(8);
      expect(seconds[1]).toBeGreaterThanOrEqual(3);
      expect(seconds[1]).toBeLessThan(seconds[0] ?? 0);
    }));

  test('0121 stays on the line until it is hung up', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0121');
      await stage.receiver.until(1, ({ path }) => path === '/twiml');
      const others = await Promise.all([stage.create('0100'), stage.create('0100')]);
      await Promise.all(others.map(({ sid }) => stage.story(sid)));
      expect(await stage.client.calls(call.sid).fetch()).toMatchObject({ status: 'in-progress' });
      expect(await stage.client.calls(call.sid).update({ status: 'completed' })).toMatchObject({
        status: 'completed',
      });
      expect(await stage.story(call.sid)).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
    }));

  test('TimeLimit ends a call, also one that an update brings', () =>
    withCarrier({}, async (stage) => {
      const limited = await stage.create('0121', { timeLimit: 5 });
      await stage.story(limited.sid);
      expect(Number(stage.told(limited.sid).at(-1)?.params.CallDuration)).toBeGreaterThanOrEqual(5);
      const unlimited = await stage.create('0121');
      await stage.untilStatus(unlimited.sid, 'in-progress');
      await stage.client.calls(unlimited.sid).update({ timeLimit: 1 });
      expect((await stage.story(unlimited.sid)).at(-1)).toBe('completed');
    }));

  test('0122 is busy twice and 0123 rings out once before a person is there', () =>
    withCarrier({}, async (stage) => {
      const ends: Record<string, string[]> = { '0122': [], '0123': [] };
      for (const to of ['0122', '0122', '0122', '0122', '0123', '0123']) {
        const call = await stage.create(to, { timeout: 10 });
        ends[to]?.push((await stage.story(call.sid)).at(-1) ?? '');
      }
      expect(ends).toEqual({
        '0122': ['busy', 'busy', 'completed', 'completed'],
        '0123': ['no-answer', 'completed'],
      });
    }));
});

describe('machine detection', () => {
  test.each([
    ['0100', 'Enable', 'human'],
    ['0104', 'Enable', 'machine_start'],
    ['0104', 'DetectMessageEnd', 'machine_end_beep'],
    ['0109', 'DetectMessageEnd', 'machine_end_silence'],
  ])('at %s with %s the TwiML waits for the verdict %s', (to, machineDetection, answeredBy) =>
    withCarrier({}, async (stage) => {
      const call = await stage.create(to, { machineDetection });
      await stage.story(call.sid);
      const asked = stage.receiver.received.find(({ path }) => path === '/twiml');
      expect(asked?.params.AnsweredBy).toBe(answeredBy);
      expect(Number(asked?.params.MachineDetectionDuration)).toBeGreaterThan(1000);
      expect(stage.told(call.sid).at(-1)?.params.AnsweredBy).toBe(answeredBy);
      expect((await stage.client.calls(call.sid).fetch()).answeredBy).toBe(answeredBy);
    }),
  );

  test('asynchronous detection posts its verdict once, and the TwiML does not wait', () =>
    withCarrier({}, async (stage) => {
      stage.receiver.answer('/twiml', () => ({ body: '<Response><Pause length="20"/></Response>' }));
      const call = await stage.create('0104', {
        machineDetection: 'DetectMessageEnd',
        asyncAmd: 'true',
        asyncAmdStatusCallback: `${stage.receiver.url}/amd`,
      });
      await stage.story(call.sid);
      const order = stage.receiver.received.map(({ path }) => path).filter((path) => path !== '/status');
      expect(order).toEqual(['/twiml', '/amd']);
      const verdict = stage.receiver.received.find(({ path }) => path === '/amd');
      expect(verdict?.params).toEqual({
        AccountSid: ACCOUNT_SID,
        CallSid: call.sid,
        AnsweredBy: 'machine_end_beep',
        MachineDetectionDuration: '5000',
      });
    }));

  test('detection that runs out of time knows nothing', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0104', {
        machineDetection: 'DetectMessageEnd',
        machineDetectionTimeout: 3,
      });
      await stage.story(call.sid);
      expect(stage.told(call.sid).at(-1)?.params.AnsweredBy).toBe('unknown');
    }));
});

describe('TwiML', () => {
  test('follows redirects, hangs up, and takes a document that came with the call', () =>
    withCarrier({}, async (stage) => {
      stage.receiver.answer('/next', () => ({
        body: '<Response><Hangup/><Redirect>/never</Redirect></Response>',
      }));
      const twiml = `<?xml version="1.0"?><Response><!-- first --><Redirect method="GET">${stage.receiver.url}/next?a=1&amp;b=2</Redirect></Response>`;
      const { url: _, ...order } = stage.order('0100');
      const call = await stage.client.calls.create({ ...order, twiml });
      await stage.story(call.sid);
      const asked = stage.receiver.received.filter(({ path }) => path !== '/status');
      expect(asked.map(({ path, method }) => `${method} ${path}`)).toEqual(['GET /next']);
      expect(asked[0]?.query).toMatchObject({ a: '1', b: '2', CallSid: call.sid });
    }));

  test('holds the line where a stream is connected', () =>
    withCarrier({}, async (stage) => {
      const agent = new WebSocketServer({ port: 0, host: '127.0.0.1' });
      await once(agent, 'listening');
      onTestFinished(() => agent.close());
      const { port } = agent.address() as AddressInfo;
      stage.receiver.answer('/twiml', () => ({
        body: `<Response><Connect><Stream url="ws://127.0.0.1:${port}/media"/></Connect><Hangup/></Response>`,
      }));
      const call = await stage.create('0100');
      const [line] = (await once(agent, 'connection')) as [WebSocket];
      await once(line, 'message');
      expect((await stage.client.calls(call.sid).fetch()).status).toBe('in-progress');
      expect(stage.told(call.sid).map(({ params }) => params.CallStatus)).not.toContain('completed');
      line.close();
      await stage.story(call.sid);
      expect(stage.told(call.sid).at(-1)?.params.CallStatus).toBe('completed');
    }));

  test.each([
    ['an error', { status: 500 }, '11200'],
    ['no XML', { body: 'oops < & >' }, '12100'],
    ['an unclosed verb', { body: '<Response><Say>Hello</Response>' }, '12100'],
    ['the wrong type', { contentType: 'application/json', body: '{}' }, '12300'],
  ])('%s instead of TwiML is asked again of FallbackUrl, and else ends the call', (_name, answer, code) =>
    withCarrier({}, async (stage) => {
      stage.receiver.answer('/twiml', () => answer);
      const lonely = await stage.create('0100');
      const call = await stage.create('0100', { fallbackUrl: `${stage.receiver.url}/fallback` });
      expect((await stage.story(lonely.sid)).at(-1)).toBe('completed');
      expect((await stage.story(call.sid)).at(-1)).toBe('completed');
      const asked = stage.receiver.received.filter(({ path }) => path === '/fallback');
      expect(asked.map(({ params }) => params)).toMatchObject([
        { CallSid: call.sid, ErrorCode: code, ErrorUrl: `${stage.receiver.url}/twiml` },
      ]);
    }),
  );

  test('an answer that takes too long counts as none', () =>
    withCarrier({ pace: 50 }, async (stage) => {
      stage.receiver.answer('/twiml', () => 'never');
      await stage.create('0121', {
        url: `${stage.receiver.url}/twiml#rt=100&rc=0`,
        fallbackUrl: `${stage.receiver.url}/fallback`,
      });
      const [asked] = await stage.receiver.until(1, ({ path }) => path === '/fallback');
      expect(asked?.params.ErrorCode).toBe('11200');
    }));
});

describe('a carrier that misbehaves', () => {
  test.each([
    ['0110', 400, 21211],
    ['0111', 400, 21216],
    ['0115', 503, 20503],
  ])('create to %s is refused with %i/%i', (to, status, code) =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create(to))).toMatchObject({ status, code });
      expect(await stage.client.calls.list()).toEqual([]);
      expect(stage.carrier.ledger()).toMatchObject([{ kind: 'create', accepted: false, code }]);
    }),
  );

  test('0112 is throttled twice, each number by itself', () =>
    withCarrier({}, async (stage) => {
      for (const to of ['+14155550112', '+12125550112']) {
        expect(await refusalOf(stage.create(to))).toMatchObject({ status: 429, code: 20429 });
        expect(await refusalOf(stage.create(to))).toMatchObject({ status: 429, code: 20429 });
        expect(await stage.create(to)).toMatchObject({ status: 'queued' });
      }
    }));

  test('0113: the answer is lost, the call happens', () =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create('0113'))).toMatchObject({ code: 'ECONNRESET' });
      const [first] = await stage.receiver.until(1, ({ path }) => path === '/status');
      expect((await stage.story(first?.params.CallSid ?? '')).at(-1)).toBe('completed');
    }));

  test('0114: nothing arrives, the list knows', () =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create('0114'))).toMatchObject({ code: 'ECONNRESET' });
      const [call] = await stage.client.calls.list({ to: numberOf('0114') });
      expect(await stage.untilStatus(call?.sid ?? '', 'completed')).toMatchObject({ sid: call?.sid });
      expect(stage.receiver.received).toEqual([]);
    }));

  test('0116: create answers 503, the call happens', () =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create('0116'))).toMatchObject({ status: 503, code: 20503 });
      const [first] = await stage.receiver.until(1, ({ path }) => path === '/status');
      expect((await stage.story(first?.params.CallSid ?? '')).at(-1)).toBe('completed');
      expect(stage.carrier.ledger()[0]).toMatchObject({ kind: 'create', accepted: true, httpStatus: 503 });
    }));

  test('0117: the last is told first', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0117');
      await stage.receiver.until(4, ({ path }) => path === '/status');
      expect(await stage.story(call.sid)).toEqual(['completed', 'in-progress', 'ringing', 'initiated']);
      expect(stage.told(call.sid).map(({ params }) => params.SequenceNumber)).toEqual(['3', '2', '1', '0']);
    }));

  test('0118: everything is told twice', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0118');
      await stage.receiver.until(8, ({ path }) => path === '/status');
      const sequence = stage.told(call.sid).map(({ params }) => params.SequenceNumber);
      expect(sequence).toEqual(['0', '0', '1', '1', '2', '2', '3', '3']);
    }));

  test('0119: nothing is told, the TwiML is asked for', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0119');
      await stage.untilStatus(call.sid, 'completed');
      expect(stage.receiver.received.map(({ path }) => path)).toEqual(['/twiml']);
    }));

  test('0120: the first callback arrives before the answer', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0120');
      expect(stage.told(call.sid).map(({ params }) => params.CallStatus)).toContain('initiated');
    }));
});

describe('the API', () => {
  test('fetches the whole resource as Twilio writes it', () =>
    withCarrier({ now: () => new Date('2026-03-02T09:00:00.500Z') }, async (stage) => {
      const call = await stage.create('0100');
      await stage.story(call.sid);
      const path = `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls/${call.sid}`;
      const { response, body } = await raw(`${stage.carrier.url}${path}.json`, 'GET', SIGNED_IN);
      expect(response.status).toBe(200);
      expect(body).toMatchObject({
        sid: call.sid,
        to_formatted: '(415) 555-0100',
        status: 'completed',
        date_created: 'Mon, 02 Mar 2026 09:00:00 +0000',
        start_time: 'Mon, 02 Mar 2026 09:00:00 +0000',
        end_time: 'Mon, 02 Mar 2026 09:00:00 +0000',
        duration: expect.stringMatching(/^\d+$/),
        price: '-0.01400',
        price_unit: 'USD',
        queue_time: expect.stringMatching(/^\d+$/),
        answered_by: null,
        uri: `${path}.json`,
        subresource_uris: expect.objectContaining({
          user_defined_messages: `${path}/UserDefinedMessages.json`,
        }),
      });
      // The schema api.v2010.account.call has so many fields.
      expect(Object.keys(body)).toHaveLength(26);
    }));

  test('lists by number, status and time, newest first, page by page', () => {
    let now = new Date('2026-03-02T09:00:00Z');
    return withCarrier({ now: () => now }, async (stage) => {
      const sids: string[] = [];
      for (const to of ['0100', '0101', '0100', '0108', '0100']) {
        const { sid } = await stage.create(to);
        await stage.story(sid);
        sids.unshift(sid);
        now = new Date(now.getTime() + 3_600_000);
      }
      const { calls } = stage.client;
      const found = async (query: Parameters<typeof calls.list>[0]) =>
        (await calls.list(query)).map(({ sid }) => sids.indexOf(sid));
      expect(await found({ pageSize: 2 })).toEqual([0, 1, 2, 3, 4]);
      expect(await found({ to: numberOf('0100'), pageSize: 1 })).toEqual([0, 2, 4]);
      expect(await found({ from: '+12025550100' })).toEqual([]);
      expect(await found({ status: 'busy' })).toEqual([3]);
      expect(await found({ startTimeAfter: new Date('2026-03-02T11:00:00Z') })).toEqual([0, 1, 2]);
      expect(await found({ startTimeBefore: new Date('2026-03-02T10:00:00Z') })).toEqual([3, 4]);

      const first = await calls.page({ pageSize: 2 });
      const second = await first.nextPage();
      const back = await second?.previousPage();
      expect(second?.instances.map(({ sid }) => sid)).toEqual([sids[2], sids[3]]);
      expect(back?.instances.map(({ sid }) => sid)).toEqual([sids[0], sids[1]]);
      expect((await (await second?.nextPage())?.nextPage()) ?? 'no more').toBe('no more');
    });
  });

  test('redirects a call in progress, and refuses one that is not', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0121');
      const update = stage.client.calls(call.sid);
      await stage.untilStatus(call.sid, 'in-progress');
      await update.update({ url: `${stage.receiver.url}/elsewhere` });
      await stage.receiver.until(1, ({ path }) => path === '/elsewhere');
      await update.update({ twiml: `<Response><Redirect>${stage.receiver.url}/third</Redirect></Response>` });
      await stage.receiver.until(1, ({ path }) => path === '/third');
      // Twilio: `canceled` does not affect calls in progress.
      expect(await update.update({ status: 'canceled' })).toMatchObject({ status: 'in-progress' });
      await update.update({ status: 'completed' });
      const message = 'Call is not in-progress. Cannot redirect.';
      expect(await refusalOf(update.update({ status: 'completed' }))).toMatchObject({
        status: 400,
        code: 21220,
        message,
      });
      expect(await refusalOf(update.update({ twiml: HELLO }))).toMatchObject({ code: 21220 });
    }));

  test('cancels a ringing call and tells it, cancels a queued one and does not', () =>
    withCarrier({ callsPerSecond: 2 }, async (stage) => {
      const ringing = await stage.create('0102');
      const queued = await stage.create('0100');
      expect(Number(queued.queueTime)).toBeGreaterThan(0);
      expect(await stage.client.calls(queued.sid).update({ status: 'canceled' })).toMatchObject({
        status: 'canceled',
        startTime: null,
      });
      await stage.receiver.until(1, ({ params }) => params.CallStatus === 'ringing');
      await stage.client.calls(ringing.sid).update({ status: 'canceled' });
      expect(await stage.story(ringing.sid)).toEqual(['initiated', 'ringing', 'canceled']);
      const later = await stage.create('0101');
      await stage.story(later.sid);
      expect(stage.told(queued.sid)).toEqual([]);
    }));

  test('deletes what has ended', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0121');
      expect(await refusalOf(stage.client.calls(call.sid).remove())).toMatchObject({ code: 20009 });
      await stage.client.calls(call.sid).update({ status: 'completed' });
      expect(await stage.client.calls(call.sid).remove()).toBe(true);
      expect(await refusalOf(stage.client.calls(call.sid).fetch())).toMatchObject({
        status: 404,
        code: 20404,
        message: `The requested resource /2010-04-01/Accounts/${ACCOUNT_SID}/Calls/${call.sid}.json was not found`,
      });
    }));

  test.each<[string, Record<string, string>, number]>([
    ["No 'To' number is specified", { To: '' }, 21201],
    ["No 'From' number is specified", { From: '' }, 21213],
    ['The phone number you are attempting to call, 5551234, is not valid.', { To: '5551234' }, 21211],
    [`The phone number you are attempting to call, ${FROM}, is not valid.`, { To: FROM }, 21211],
    ['From is not a valid phone number: nobody', { From: 'nobody' }, 21212],
    ['Url parameter is required.', { Url: '' }, 21205],
    ['Url is not a valid URL: somewhere', { Url: 'somewhere' }, 21205],
    ['Twiml size exceeded maximum', { Url: '', Twiml: 'x'.repeat(4001) }, 32018],
    ['Invalid Timeout', { Timeout: '601' }, 21208],
    ['Invalid ApplicationSid', { Url: '', ApplicationSid: `AP${'0'.repeat(32)}` }, 21218],
    ['Invalid Method', { Method: 'PUT' }, 21209],
    ['StatusCallback is not a valid URL', { StatusCallback: 'http://under_score.test/' }, 21205],
    ['not valid', { To: '+15005550001' }, 21217],
    ['cannot be reached', { To: '+15005550002' }, 21214],
    ['Account not authorized to call +15005550003', { To: '+15005550003' }, 21215],
    ['Account not allowed to call +15005550004', { To: '+15005550004' }, 21216],
    ['not yet verified', { From: '+15005550000' }, 21210],
  ])('refuses with "%s"', (message, change, code) =>
    withCarrier({}, async (stage) => {
      const form = new URLSearchParams({
        To: numberOf('0100'),
        From: FROM,
        Url: `${stage.receiver.url}/twiml`,
        Unknown: 'ignored',
        ...change,
      });
      const { response, body } = await raw(
        `${stage.carrier.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`,
        'POST',
        { ...SIGNED_IN, 'content-type': 'application/x-www-form-urlencoded' },
        form.toString(),
      );
      expect(response.status).toBe(400);
      expect(body).toEqual({
        code,
        message: expect.stringContaining(message),
        more_info: `https://www.twilio.com/docs/errors/${code}`,
        status: 400,
      });
    }),
  );

  test('knows its one account by name and secret', () =>
    withCarrier({}, async (stage) => {
      const url = `${stage.carrier.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`;
      const nobody = await raw(url, 'GET', {});
      expect(nobody.response.status).toBe(401);
      expect(nobody.body).toMatchObject({
        code: 20003,
        message: 'Authentication Error - No credentials provided',
      });
      const wrong = await raw(url, 'GET', { authorization: `Basic ${btoa(`${ACCOUNT_SID}:wrong`)}` });
      expect(wrong.body).toEqual({
        code: 20003,
        detail: 'Your AccountSid or AuthToken was incorrect.',
        message: 'Authenticate',
        more_info: 'https://www.twilio.com/docs/errors/20003',
        status: 401,
      });
    }));

  test('starts calls in order and no faster than it may', () =>
    withCarrier({ callsPerSecond: 20 }, async (stage) => {
      const start = performance.now();
      const sids: string[] = [];
      for (let count = 0; count < 6; count += 1) sids.push((await stage.create('0101')).sid);
      const told = await stage.receiver.until(6, ({ params }) => params.CallStatus === 'initiated');
      // Six calls at 20 a second: five intervals of 50 ms.
      expect(performance.now() - start).toBeGreaterThanOrEqual(250);
      expect(told.map(({ params }) => params.CallSid)).toEqual(sids);
      const dialled = stage.carrier.ledger().filter(({ kind, accepted }) => kind === 'create' && accepted);
      expect(dialled.map(({ callSid }) => callSid)).toEqual(sids);
    }));

  test('shows the ledger and its health to anybody', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0101');
      await stage.story(call.sid);
      await refusalOf(stage.create('0110'));
      const ledger = (await (await fetch(`${stage.carrier.url}/ledger`)).json()) as unknown[];
      expect(ledger).toMatchObject([
        { kind: 'create', callSid: call.sid, to: numberOf('0101'), from: FROM, accepted: true },
        { kind: 'callback', callSid: call.sid, status: 'initiated', sequence: 0, httpStatus: 200 },
        { kind: 'callback', callSid: call.sid, status: 'ringing', sequence: 1, accepted: true },
        { kind: 'callback', callSid: call.sid, status: 'busy', sequence: 2 },
        { kind: 'create', callSid: null, accepted: false, code: 21211, httpStatus: 400 },
      ]);
      expect((await fetch(`${stage.carrier.url}/health`)).status).toBe(200);
    }));
});

describe('the delivery of webhooks', () => {
  test('a failed one is lost, unless the fragment of its URL asks for more tries', () =>
    withCarrier({}, async (stage) => {
      const tries: Record<string, number> = {};
      for (const path of ['/plain', '/stubborn']) {
        stage.receiver.answer(path, () => {
          tries[path] = (tries[path] ?? 0) + 1;
          return { status: tries[path] < 3 ? 500 : 200 };
        });
      }
      const statusCallbackEvent = ['completed'];
      await stage.create('0101', {
        statusCallbackEvent,
        statusCallback: `${stage.receiver.url}/stubborn?x=1#rc=5&rp=4xx,5xx`,
      });
      await stage.create('0101', { statusCallbackEvent, statusCallback: `${stage.receiver.url}/plain` });
      const stubborn = await stage.receiver.until(3, ({ path }) => path === '/stubborn');
      await stage.receiver.until(1, ({ path }) => path === '/plain');
      await stage.story((await stage.create('0101')).sid);
      expect(tries).toEqual({ '/plain': 1, '/stubborn': 3 });
      expect(new Set(stubborn.map(({ token }) => token)).size).toBe(1);
      const entries = stage.carrier.ledger().filter(({ url }) => url?.includes('/stubborn'));
      expect(entries.map(({ url, httpStatus, accepted }) => ({ url, httpStatus, accepted }))).toEqual(
        [500, 500, 200].map((httpStatus) => ({
          url: `${stage.receiver.url}/stubborn?x=1`,
          httpStatus,
          accepted: httpStatus === 200,
        })),
      );
    }));

  test('one that cannot connect is tried twice by default', () =>
    withCarrier({}, async (stage) => {
      const gone = createServer().listen(0, '127.0.0.1');
      await once(gone, 'listening');
      const { port } = gone.address() as AddressInfo;
      gone.close();
      await once(gone, 'close');
      const call = await stage.create('0101', {
        statusCallback: `http://127.0.0.1:${port}/`,
        statusCallbackEvent: ['completed'],
      });
      await stage.untilStatus(call.sid, 'busy');
      await stage.story((await stage.create('0101')).sid);
      const tries = stage.carrier.ledger().filter(({ url }) => url === `http://127.0.0.1:${port}/`);
      expect(tries.map(({ accepted, httpStatus }) => ({ accepted, httpStatus }))).toEqual([
        { accepted: false, httpStatus: undefined },
        { accepted: false, httpStatus: undefined },
      ]);
    }));

  test('goes by GET where that was asked, with everything in the query', () =>
    withCarrier({}, async (stage) => {
      const call = await stage.create('0101', {
        statusCallbackMethod: 'GET',
        statusCallbackEvent: ['completed'],
      });
      const [told] = await stage.receiver.until(1, ({ path }) => path === '/status');
      expect(told).toMatchObject({
        method: 'GET',
        params: {},
        query: { attempt: '42', CallSid: call.sid, CallStatus: 'busy', ToZip: '' },
      });
    }));
});

test('runs as a process of its own until SIGTERM', async () => {
  const listener = await openListener();
  const child = spawn(
    process.execPath,
    [
      'src/simulator/main.ts',
      '--port',
      '0',
      '--account-sid',
      ACCOUNT_SID,
      '--auth-token',
      AUTH_TOKEN,
      '--pace',
      '100',
      '--calls-per-second',
      '100',
      '--message-url',
      `${listener.url}/texts#rc=0`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /^simulated carrier on (http:\S+)\n$/.exec(line.toString())?.[1];
    const client = clientOf(url ?? '');
    const call = await client.calls.create({ to: numberOf('0121'), from: FROM, twiml: HELLO });
    expect(call.status).toBe('queued');
    await fetch(`${url}/inbound`, {
      method: 'POST',
      body: JSON.stringify({ from: numberOf('0100'), to: FROM, body: 'Hi.' }),
    });
    const [told] = await listener.until(1, '/texts');
    expect(new URLSearchParams(told?.body).get('Body')).toBe('Hi.');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    await listener.close();
  }
});
