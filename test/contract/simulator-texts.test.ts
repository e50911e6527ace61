import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type twilio from 'twilio';
import { describe, expect, test } from 'vitest';

import { openClock } from '../../src/clock.ts';
import type { Carrier, CarrierOptions } from '../../src/simulator/carrier.ts';
import { segmentsOf } from '../../src/simulator/segments.ts';
import {
  ACCOUNT_SID,
  clientOf,
  FROM,
  numberOf,
  raw,
  refusalOf,
  SIGNED_IN,
  withSimulatedCarrier,
} from '../support/simulated-carrier.ts';
import type { Received, Receiver } from '../support/simulator-receiver.ts';

type CreateOptions = Parameters<twilio.Twilio['messages']['create']>[0];

const ENDS = new Set(['delivered', 'undelivered', 'failed']);

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

  create(to: string, more: Partial<CreateOptions> = {}) {
    const statusCallback = `${this.receiver.url}/status?attempt=42`;
    return this.client.messages.create({
      to: numberOf(to),
      from: FROM,
      body: 'Hello.',
      statusCallback,
      ...more,
    });
  }

  /** What was told about a text once it has ended, in order of arrival. */
  async story(sid: string): Promise<string[]> {
    await this.receiver.until(
      1,
      ({ params }) => params.MessageSid === sid && ENDS.has(params.MessageStatus ?? ''),
    );
    return this.told(sid).map(({ params }) => params.MessageStatus ?? '');
  }

  told(sid: string): Received[] {
    return this.receiver.received.filter(
      ({ path, params }) => path === '/status' && params.MessageSid === sid,
    );
  }

  texts(): Received[] {
    return this.receiver.received.filter(({ path }) => path === '/texts');
  }

  /** Makes a person text. */
  inbound(text: Record<string, unknown>) {
    const body = JSON.stringify({ from: numberOf('0100'), to: FROM, ...text });
    return raw(`${this.carrier.url}/inbound`, 'POST', {}, body);
  }

  async untilStatus(sid: string, status: string) {
    const deadline = performance.now() + 5000;
    for (;;) {
      const message = await this.client.messages(sid).fetch();
      if (message.status === status) return message;
      if (performance.now() > deadline) throw new Error(`waited for ${status}, it is ${message.status}`);
    }
  }
}

const withCarrier = (options: Partial<CarrierOptions>, play: (stage: Stage) => Promise<void>) =>
  withSimulatedCarrier(options, ({ carrier, receiver }) => {
    carrier.messagesTo(`${receiver.url}/texts`);
    return play(new Stage(carrier, receiver));
  });

describe('the life of a text', () => {
  test('is told from sent to delivered, and never that it is queued', () =>
    withCarrier({ now: () => new Date('2026-03-02T09:05:00.500Z') }, async (stage) => {
      const message = await stage.create('0130');
      expect(message).toMatchObject({ status: 'queued', direction: 'outbound-api', errorCode: null });
      expect(await stage.story(message.sid)).toEqual(['sent', 'delivered']);
      const [sent, delivered] = stage.told(message.sid);
      expect(sent?.query).toEqual({ attempt: '42' });
      const about = { MessageSid: message.sid, SmsSid: message.sid, From: FROM, To: numberOf('0130') };
      const params = { ...about, AccountSid: ACCOUNT_SID, ApiVersion: '2010-04-01' };
      expect(sent?.params).toEqual({ ...params, MessageStatus: 'sent', SmsStatus: 'sent' });
      expect(delivered?.params).toEqual({
        ...params,
        MessageStatus: 'delivered',
        SmsStatus: 'delivered',
        RawDlrDoneDate: '2603020905',
      });
    }));

  test.each([
    ['0131', ['sent', 'undelivered'], 30003, 'Unreachable destination handset'],
    ['0135', ['failed'], 30008, 'Unknown error'],
  ])('is not delivered at %s', (to, story, code, reason) =>
    withCarrier({}, async (stage) => {
      const message = await stage.create(to);
      expect(await stage.story(message.sid)).toEqual(story);
      expect(stage.told(message.sid).at(-1)?.params.ErrorCode).toBe(String(code));
      expect(stage.told(message.sid)[0]?.params.ErrorCode).toBe(
        story.length === 1 ? String(code) : undefined,
      );
      expect(await stage.client.messages(message.sid).fetch()).toMatchObject({
        status: story.at(-1),
        errorCode: code,
        errorMessage: reason,
      });
    }),
  );

  test('at 0133 the person answers YES, everybody else is silent', () =>
    withCarrier({}, async (stage) => {
      const silent = await stage.create('0100');
      await stage.create('0133');
      await stage.receiver.until(1, ({ path }) => path === '/texts');
      await stage.story(silent.sid);
      expect(stage.texts().map(({ params }) => [params.From, params.To, params.Body])).toEqual([
        [numberOf('0133'), FROM, 'YES'],
      ]);
    }));

  test('at 0134 the person answers STOP, and is not texted again from that number before they text START', () =>
    withCarrier({}, async (stage) => {
      await stage.create('0134');
      await stage.receiver.until(1, ({ path }) => path === '/texts');
      expect(stage.texts()[0]?.params.Body).toBe('STOP');
      expect(await refusalOf(stage.create('0134'))).toMatchObject({
        status: 400,
        code: 21610,
        message: 'Attempt to send to unsubscribed recipient',
      });
      expect(await stage.create('0134', { from: '+12025550198' })).toMatchObject({ status: 'queued' });
      await stage.inbound({ from: numberOf('0134'), body: ' start ' });
      expect(await stage.create('0134')).toMatchObject({ status: 'queued' });
      const replies = (await stage.client.messages.list({ from: FROM, to: numberOf('0134') })).filter(
        ({ direction }) => direction === 'outbound-reply',
      );
      expect(replies.map(({ status }) => status)).toEqual(['sent', 'sent']);
    }));

  test.each(['STOP', 'stopall', ' Unsubscribe ', 'CANCEL', 'end', 'Quit', 'revoke', 'OptOut'])(
    '%s opts out, told as any other text',
    (body) =>
      withCarrier({}, async (stage) => {
        const { response } = await stage.inbound({ body });
        expect(response.status).toBe(202);
        const [told] = await stage.receiver.until(1, ({ path }) => path === '/texts');
        expect(told?.params.Body).toBe(body);
        expect(told?.params.OptOutType).toBeUndefined();
        expect(await refusalOf(stage.create('0100'))).toMatchObject({ code: 21610 });
      }),
  );

  test.each(['Please stop', 'stop it', 'YES', 'HELP'])('%s does not', (body) =>
    withCarrier({}, async (stage) => {
      await stage.inbound({ body });
      expect(await stage.create('0100')).toMatchObject({ status: 'queued' });
    }),
  );
});

test('people text as the clock is moved', () => {
  const clock = openClock(new Date('2026-03-02T09:00:00Z'));
  return withCarrier({ clock, pace: 1 }, async (stage) => {
    const { sid } = await stage.create('0133');
    await clock.advance(new Date('2026-03-02T09:00:02Z'));
    expect(stage.told(sid).map(({ params }) => params.MessageStatus)).toEqual(['sent']);
    await clock.advance(new Date('2026-03-02T09:01:00Z'));
    expect(stage.told(sid)).toHaveLength(2);
    expect(stage.texts()).toHaveLength(1);
    expect((await stage.client.messages(sid).fetch()).dateUpdated.getTime()).toBeLessThan(
      Date.parse('2026-03-02T09:00:10Z'),
    );
  });
});

describe('what goes wrong', () => {
  test.each([
    ['0110', 400, 21211],
    ['0111', 400, 21612],
    ['0115', 503, 20503],
    ['0132', 400, 21610],
  ])('%s: create is refused and nothing happens', (to, status, code) =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create(to))).toMatchObject({ status, code });
      expect(await stage.client.messages.list()).toEqual([]);
      expect(stage.carrier.ledger()).toMatchObject([{ kind: 'text', accepted: false, code }]);
    }),
  );

  test('0112: create works the third time', () =>
    withCarrier({}, async (stage) => {
      for (const _ of [1, 2]) {
        expect(await refusalOf(stage.create('0112'))).toMatchObject({ status: 429, code: 20429 });
      }
      const message = await stage.create('0112');
      expect(await stage.story(message.sid)).toEqual(['sent', 'delivered']);
    }));

  test('0113: the answer is lost, the callbacks come', () =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create('0113'))).toMatchObject({ code: 'ECONNRESET' });
      const [first] = await stage.receiver.until(1, ({ path }) => path === '/status');
      expect(await stage.story(first?.params.MessageSid ?? '')).toEqual(['sent', 'delivered']);
      expect(stage.carrier.ledger()[0]).toMatchObject({ kind: 'text', accepted: true });
      expect(stage.carrier.ledger()[0]?.httpStatus).toBeUndefined();
    }));

  test('0114: the callbacks are lost too, the list knows', () =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create('0114'))).toMatchObject({ code: 'ECONNRESET' });
      const [message] = await stage.client.messages.list({ to: numberOf('0114') });
      await stage.untilStatus(message?.sid ?? '', 'delivered');
      expect(stage.receiver.received).toEqual([]);
    }));

  test('0116: create answers 503, the text is sent', () =>
    withCarrier({}, async (stage) => {
      expect(await refusalOf(stage.create('0116'))).toMatchObject({ status: 503, code: 20503 });
      const [message] = await stage.client.messages.list({ to: numberOf('0116') });
      expect(await stage.story(message?.sid ?? '')).toEqual(['sent', 'delivered']);
    }));

  test.each([
    ['0117', ['delivered', 'sent']],
    ['0118', ['sent', 'sent', 'delivered', 'delivered']],
  ])('%s: callbacks come as %s', (to, story) =>
    withCarrier({}, async (stage) => {
      const { sid } = await stage.create(to);
      await stage.receiver.until(story.length, ({ path }) => path === '/status');
      expect(stage.told(sid).map(({ params }) => params.MessageStatus)).toEqual(story);
    }),
  );

  test('0119: nothing is told', () =>
    withCarrier({}, async (stage) => {
      const { sid } = await stage.create('0119');
      await stage.untilStatus(sid, 'delivered');
      expect(stage.receiver.received).toEqual([]);
    }));

  test('0120: the first callback arrives before the answer', () =>
    withCarrier({}, async (stage) => {
      const { sid } = await stage.create('0120');
      expect(stage.told(sid)[0]?.params.MessageStatus).toBe('sent');
    }));
});

describe('what people text', () => {
  test('is told signed, with all that Twilio says, and where it was last asked for', () =>
    withCarrier({}, async (stage) => {
      stage.carrier.messagesTo(`${stage.receiver.url}/elsewhere?n=1#rc=0`);
      const { response, body } = await stage.inbound({ body: 'Running late: 10 min €' });
      expect(response.status).toBe(202);
      expect(body).toEqual({ sid: expect.stringMatching(/^SM[0-9a-f]{32}$/) });
      const [told] = await stage.receiver.until(1, ({ path }) => path === '/elsewhere');
      expect(told).toMatchObject({ method: 'POST', query: { n: '1' } });
      expect(told?.params).toEqual({
        MessageSid: body.sid,
        SmsSid: body.sid,
        SmsMessageSid: body.sid,
        AccountSid: ACCOUNT_SID,
        ApiVersion: '2010-04-01',
        From: numberOf('0100'),
        To: FROM,
        Body: 'Running late: 10 min €',
        NumMedia: '0',
        NumSegments: '1',
        SmsStatus: 'received',
        FromCity: '',
        FromState: '',
        FromZip: '',
        FromCountry: 'US',
        ToCity: '',
        ToState: '',
        ToZip: '',
        ToCountry: 'US',
      });
      expect(await stage.client.messages(String(body.sid)).fetch()).toMatchObject({
        direction: 'inbound',
        status: 'received',
      });
    }));

  test('is told again by its sid, and is still one text', () =>
    withCarrier({}, async (stage) => {
      const { body } = await stage.inbound({ body: 'STOP' });
      const again = await stage.inbound({ body: 'STOP', sid: body.sid });
      expect(again.body).toEqual(body);
      await stage.inbound({ body: 'own sid', sid: `SM${'1'.repeat(32)}` });
      const told = await stage.receiver.until(3, ({ path }) => path === '/texts');
      expect(told.map(({ params }) => params.MessageSid)).toEqual([
        body.sid,
        body.sid,
        `SM${'1'.repeat(32)}`,
      ]);
      expect(new Set(told.map(({ token }) => token)).size).toBe(3);
      // Told again is not said again: it does not opt out once more.
      await stage.inbound({ body: 'START' });
      await stage.inbound({ body: 'STOP', sid: body.sid });
      expect(await stage.create('0100')).toMatchObject({ status: 'queued' });
      const inbound = (await stage.client.messages.list()).filter(({ direction }) => direction === 'inbound');
      expect(inbound).toHaveLength(3);
    }));

  test('is told one after another to each person, the next once all tries of the last are over', () =>
    withCarrier({}, async (stage) => {
      stage.carrier.messagesTo(`${stage.receiver.url}/texts#rt=100&rc=1&rp=rt`);
      stage.receiver.answer('/texts', ({ params }) => (params.Body === '0' ? 'never' : {}));
      const people = ['0100', '0101', '0102'].map((person) => numberOf(person));
      const bodies = Array.from({ length: 10 }, (_, index) => String(index));
      for (const body of bodies) for (const from of people) await stage.inbound({ from, body });
      const told = await stage.receiver.until(33, ({ path }) => path === '/texts');
      for (const person of people) {
        const heard = told.filter(({ params }) => params.From === person).map(({ params }) => params.Body);
        expect(heard).toEqual(['0', ...bodies]);
      }
    }));

  test('is lost when the customer fails, unless the fragment of the URL asks for more tries', () =>
    withCarrier({}, async (stage) => {
      stage.receiver.answer('/texts', () => ({ status: 500 }));
      const lost = await stage.inbound({ body: 'one' });
      await stage.receiver.until(1, ({ path }) => path === '/texts');
      stage.carrier.messagesTo(`${stage.receiver.url}/stubborn#rc=2&rp=5xx`);
      stage.receiver.answer('/stubborn', () => ({ status: 503 }));
      await stage.inbound({ body: 'two' });
      const tries = await stage.receiver.until(3, ({ path }) => path === '/stubborn');
      expect(new Set(tries.map(({ token }) => token)).size).toBe(1);
      const entries = stage.carrier.ledger().filter(({ messageSid }) => messageSid === lost.body.sid);
      expect(entries).toMatchObject([
        { kind: 'text-received', httpStatus: 500, accepted: false, status: 'received' },
      ]);
    }));

  test('is not lost with an idle connection that the customer closed', () =>
    withCarrier({}, async (stage) => {
      const used = new WeakSet();
      const heard: string[] = [];
      const customer = http.createServer((request, response) => {
        if (used.has(request.socket)) return request.socket.destroy();
        used.add(request.socket);
        void text(request).then((body) => {
          heard.push(new URLSearchParams(body).get('Body') ?? '');
          response.end();
        });
        return undefined;
      });
      await once(customer.listen(0, '127.0.0.1'), 'listening');
      stage.carrier.messagesTo(`http://127.0.0.1:${(customer.address() as AddressInfo).port}/#rc=0`);
      try {
        for (const body of ['1', '2', '3']) await stage.inbound({ body });
        await expect.poll(() => heard).toEqual(['1', '2', '3']);
      } finally {
        customer.close();
        customer.closeAllConnections();
      }
    }));

  test('has to make sense, and somewhere to go', () =>
    withCarrier({}, async (stage) => {
      for (const wrong of [
        {},
        { body: 1 },
        { from: 'me', body: 'x' },
        { to: '', body: 'x' },
        { body: 'x', sid: 1 },
      ]) {
        expect((await stage.inbound(wrong)).response.status).toBe(400);
      }
      await withSimulatedCarrier({}, async ({ carrier, receiver }) => {
        const deaf = new Stage(carrier, receiver);
        expect((await deaf.inbound({ body: 'x' })).response.status).toBe(409);
      });
    }));
});

describe('the API', () => {
  test('fetches the whole resource as Twilio writes it', () =>
    withCarrier({ now: () => new Date('2026-03-02T09:00:00.500Z') }, async (stage) => {
      const message = await stage.create('0100', { body: '€'.repeat(81) });
      const path = `/2010-04-01/Accounts/${ACCOUNT_SID}/Messages/${message.sid}`;
      await stage.story(message.sid);
      const { response, body } = await raw(`${stage.carrier.url}${path}.json`, 'GET', SIGNED_IN);
      expect(response.status).toBe(200);
      const date = 'Mon, 02 Mar 2026 09:00:00 +0000';
      // The schema api.v2010.account.message has just these fields.
      expect(body).toEqual({
        sid: message.sid,
        account_sid: ACCOUNT_SID,
        api_version: '2010-04-01',
        direction: 'outbound-api',
        to: numberOf('0100'),
        from: FROM,
        body: '€'.repeat(81),
        status: 'delivered',
        date_created: date,
        date_updated: date,
        date_sent: date,
        error_code: null,
        error_message: null,
        num_segments: '2',
        num_media: '0',
        price: '-0.01660',
        price_unit: 'USD',
        messaging_service_sid: null,
        uri: `${path}.json`,
        subresource_uris: { media: `${path}/Media.json` },
      });
    }));

  test('answers create with 201, not sent and without a price', () =>
    withCarrier({}, async (stage) => {
      expect(await stage.create('0100')).toMatchObject({
        status: 'queued',
        dateSent: null,
        price: null,
        numSegments: '1',
      });
    }));

  test('lists by number and day, newest first, page by page', () => {
    let now = new Date('2026-03-02T09:00:00Z');
    return withCarrier({ now: () => now }, async (stage) => {
      const sids: string[] = [];
      for (const to of ['0100', '0101', '0100']) {
        const { sid } = await stage.create(to);
        await stage.story(sid);
        sids.unshift(sid);
        now = new Date(now.getTime() + 86_400_000);
      }
      const { messages } = stage.client;
      const found = async (query: Parameters<typeof messages.list>[0]) =>
        (await messages.list(query)).map(({ sid }) => sids.indexOf(sid));
      expect(await found({ pageSize: 1 })).toEqual([0, 1, 2]);
      expect(await found({ to: numberOf('0100'), pageSize: 1 })).toEqual([0, 2]);
      expect(await found({ from: numberOf('0100') })).toEqual([]);
      expect(await found({ dateSent: new Date('2026-03-03') })).toEqual([1]);
      expect(await found({ dateSentAfter: new Date('2026-03-03') })).toEqual([0, 1]);
      expect(await found({ dateSentBefore: new Date('2026-03-03') })).toEqual([2]);
    });
  });

  test('redacts and deletes what is over', () =>
    withCarrier({}, async (stage) => {
      const { sid } = await stage.create('0100');
      const message = stage.client.messages(sid);
      expect(await refusalOf(message.update({ body: '' }))).toMatchObject({ code: 20009 });
      expect(await refusalOf(message.remove())).toMatchObject({ code: 20009 });
      await stage.story(sid);
      expect(await refusalOf(message.update({ body: 'other' }))).toMatchObject({ code: 20001 });
      expect(await refusalOf(message.update({ status: 'canceled' }))).toMatchObject({ code: 20001 });
      expect(await message.update({ body: '' })).toMatchObject({ body: '', status: 'delivered' });
      expect(await message.fetch()).toMatchObject({ body: '' });
      expect(await message.remove()).toBe(true);
      expect(await refusalOf(message.fetch())).toMatchObject({ status: 404, code: 20404 });
    }));

  test.each<[string, Record<string, string>, number]>([
    ["A 'To' phone number is required.", { To: '' }, 21604],
    ["A 'From' phone number is required.", { From: '' }, 21603],
    ['Message body is required.', { Body: '' }, 21602],
    ['exceeds the 1600 character limit', { Body: 'x'.repeat(1601) }, 21617],
    ["The 'To' number 5551234 is not a valid phone number.", { To: '5551234' }, 21211],
    ["'To' and 'From' number cannot be the same", { To: FROM }, 21266],
    ["The 'From' number nobody is not a valid", { From: 'nobody' }, 21212],
    ['Messaging Service does not exist', { MessagingServiceSid: `MG${'0'.repeat(32)}` }, 21701],
    ['Invalid validity period', { ValidityPeriod: '0' }, 21624],
    ['Invalid validity period', { ValidityPeriod: '36001' }, 21624],
    ['is not a valid URL', { StatusCallback: 'nowhere' }, 21609],
    ['is not a valid phone number', { To: '+15005550001' }, 21211],
    ['is not currently reachable', { To: '+15005550002' }, 21612],
    ['Permission to send an SMS has not been enabled', { To: '+15005550003' }, 21408],
    ['unsubscribed recipient', { To: '+15005550004' }, 21610],
    ['is not a mobile number', { To: '+15005550009' }, 21614],
    ['is not a valid, SMS-capable', { From: '+15005550007' }, 21606],
    ['is not a valid phone number', { From: '+15005550001' }, 21212],
    ['maximum number of queued messages', { From: '+15005550008' }, 21611],
  ])('refuses with "%s"', (message, change, code) =>
    withCarrier({}, async (stage) => {
      const form = new URLSearchParams({
        To: numberOf('0100'),
        From: FROM,
        Body: 'x'.repeat(1600),
        ValidityPeriod: '36000',
        Unknown: 'ignored',
        ...change,
      });
      const { response, body } = await raw(
        `${stage.carrier.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`,
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

  test('takes the longest body and period, and knows its account', () =>
    withCarrier({}, async (stage) => {
      const longest = { body: 'x'.repeat(1600), validityPeriod: 36_000 };
      expect(
        await stage.create('+15005550006', { ...longest, from: '+15005550006' }).catch(String),
      ).toContain('cannot be the same');
      expect(await stage.create('0100', { ...longest, from: '+15005550006' })).toMatchObject({
        numSegments: '11',
      });
      const nobody = await raw(
        `${stage.carrier.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`,
        'POST',
        {},
      );
      expect(nobody.response.status).toBe(401);
    }));

  test('enters all of it in the ledger, apart from calls', () =>
    withCarrier({}, async (stage) => {
      const { sid } = await stage.create('0133');
      await stage.receiver.until(1, ({ path }) => path === '/texts');
      await stage.client.messages(sid).update({ body: '' });
      await refusalOf(stage.create('0132'));
      const about = { callSid: null, messageSid: sid, to: numberOf('0133'), from: FROM };
      expect(stage.carrier.ledger()).toMatchObject([
        {
          ...about,
          kind: 'text',
          status: 'queued',
          accepted: true,
          httpStatus: 201,
          params: { Body: 'Hello.' },
        },
        { ...about, kind: 'text-callback', status: 'sent', accepted: true, httpStatus: 200 },
        { ...about, kind: 'text-callback', status: 'delivered', url: expect.stringContaining('/status?') },
        { kind: 'text-received', callSid: null, to: FROM, from: numberOf('0133'), status: 'received' },
        { ...about, kind: 'text-update', accepted: true },
        { kind: 'text', callSid: null, accepted: false, code: 21610, httpStatus: 400 },
      ]);
    }));
});

describe('segments', () => {
  test.each([
    ['x'.repeat(160), 1],
    ['x'.repeat(161), 2],
    ['x'.repeat(306), 2],
    ['x'.repeat(307), 3],
    // The extension table takes two septets, and its characters are not torn.
    ['€'.repeat(80), 1],
    ['€'.repeat(81), 2],
    [`${'x'.repeat(152)}€${'x'.repeat(152)}`, 3],
    ['ñ à É Ø \n ¿ §', 1],
    // One character outside GSM-7 makes all of it UCS-2.
    [`ç${'x'.repeat(69)}`, 1],
    [`ç${'x'.repeat(70)}`, 2],
    ['á'.repeat(134), 2],
    ['á'.repeat(135), 3],
    ['😀'.repeat(35), 1],
    ['😀'.repeat(36), 2],
    ['😀'.repeat(67), 3],
  ])('%j takes %i', (body, segments) => {
    expect(segmentsOf(body)).toBe(segments);
  });
});
