import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import { openClock } from '../../src/clock.ts';
import type { Carrier, CarrierOptions } from '../../src/simulator/carrier.ts';
import { openListener, type Listener } from '../support/listener.ts';
import { FROM, numberOf, withSimulatedCarrier } from '../support/simulated-carrier.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The vendor, and a customer that has an audio file and wants to know the result. */
class Stage {
  readonly carrier: Carrier;
  readonly listener: Listener;

  constructor(carrier: Carrier, listener: Listener) {
    this.carrier = carrier;
    this.listener = listener;
  }

  order(to: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      to: numberOf(to),
      audio_url: `${this.listener.url}/a.mp3`,
      caller_id: FROM,
      foreign_id: `attempt-${to}`,
      callback_url: `${this.listener.url}/result`,
      ...more,
    };
  }

  async send(order: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${this.carrier.url}/voicemail/rvm`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-key': 'key', 'x-secret': 'secret', ...headers },
      body: typeof order === 'string' ? order : JSON.stringify(order),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async results(wanted = 1): Promise<Record<string, unknown>[]> {
    const heard = await this.listener.until(wanted, '/result');
    return heard.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  }

  /** Sends one more voicemail and waits for its result: whatever was to come before has come. */
  async settle(): Promise<void> {
    await this.send(this.order('0140', { callback_url: `${this.listener.url}/settled` }));
    await this.listener.until(1, '/settled');
  }
}

async function withVendor(
  options: Partial<CarrierOptions>,
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const listener = await openListener();
  listener.answer('/a.mp3', () => ({ contentType: 'audio/mpeg', body: 'sound' }));
  try {
    await withSimulatedCarrier(options, ({ carrier }) => play(new Stage(carrier, listener)));
  } finally {
    await listener.close();
  }
}

describe('the life of a voicemail', () => {
  test('is accepted unseen, then its audio is fetched and its result told, unsigned', () =>
    withVendor({ now: () => new Date('2026-03-02T09:05:00.500Z') }, async (stage) => {
      const answer = await stage.send(stage.order('0140'));
      expect(answer).toEqual({
        status: 202,
        body: { status: 'queued', message_id: expect.stringMatching(UUID) },
      });
      const [result] = await stage.results();
      expect(result).toEqual({
        drop_id: expect.stringMatching(UUID),
        team_id: expect.stringMatching(UUID),
        session_id: expect.stringMatching(UUID),
        log_id: expect.stringMatching(UUID),
        contact_id: expect.stringMatching(UUID),
        phone_number: numberOf('0140'),
        caller_id: FROM,
        product_code: 'rvm',
        status: 'success',
        reason: '',
        reason_code: 0,
        quantity: 1,
        product_cost: 0.04,
        compliance_fee: 0,
        tts_fee: 0,
        dnc: false,
        attempt_date: '2026-03-02T09:05:00.500Z',
        foreign_id: 'attempt-0140',
        proof_of_delivery_url: expect.stringContaining('/receipts/'),
      });
      expect(JSON.stringify(result)).not.toContain(String(answer.body.message_id));
      expect(stage.listener.heard.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'GET /a.mp3',
        'POST /result',
      ]);
      expect(Object.keys(stage.listener.heard[1]?.headers ?? {}).toSorted()).toEqual([
        'connection',
        'content-length',
        'content-type',
        'host',
      ]);
    }));

  test.each([
    ['0100', 'success', 0],
    ['0102', 'success', 0],
    ['0141', 'failure', 4001],
    ['0142', 'failure', 6011],
    ['0143', 'failure', 3000],
  ])('ends at %s with %s %i', (to, status, code) =>
    withVendor({}, async (stage) => {
      await stage.send(stage.order(to));
      const [result] = await stage.results();
      expect(result).toMatchObject({ status, reason_code: code, foreign_id: `attempt-${to}` });
      if (code !== 0) expect(result?.reason).not.toBe('');
    }),
  );

  test('at 0144 nothing is heard of it again', () =>
    withVendor({}, async (stage) => {
      expect(await stage.send(stage.order('0144'))).toMatchObject({ status: 202 });
      await stage.settle();
      await expect.poll(() => stage.listener.heard.filter(({ path }) => path === '/a.mp3')).toHaveLength(2);
      expect(stage.listener.heard.filter(({ path }) => path === '/result')).toEqual([]);
    }));

  test('a result is told once, whatever the customer answers', () =>
    withVendor({}, async (stage) => {
      stage.listener.answer('/result', () => ({ status: 500 }));
      await stage.send(stage.order('0140'));
      await stage.results();
      await stage.settle();
      expect(await stage.results()).toHaveLength(1);
    }));
});

test('a voicemail is left, and its webhook tried again, as the clock is moved', () => {
  const clock = openClock(new Date('2026-03-02T09:00:00Z'));
  return withVendor({ clock, pace: 1 }, async (stage) => {
    const paths = () => stage.listener.heard.map(({ path }) => path);
    stage.listener.answer('/hook', () => ({ status: 500 }));
    stage.carrier.voicemailWebhooksTo(`${stage.listener.url}/hook`);
    await stage.send(stage.order('0140'));
    await clock.advance(new Date('2026-03-02T09:00:05Z'));
    expect(paths()).toEqual(['/a.mp3']);
    await clock.advance(new Date('2026-03-02T09:00:30Z'));
    expect(paths().toSorted()).toEqual(['/a.mp3', '/hook', '/result']);
    await clock.advance(new Date('2026-03-02T09:10:00Z'));
    expect(paths().filter((path) => path === '/hook')).toHaveLength(3);
  });
});

describe('what is wrong with a request is told by callback', () => {
  test.each<[string, Record<string, unknown>, number]>([
    ['audio that is not there', { audio_url: '/missing' }, 3001],
    ['audio of another type', { audio_url: '/page' }, 3001],
    ['audio that is empty', { audio_url: '/empty' }, 3001],
    ['no audio', { audio_url: undefined }, 3001],
    ['a file of the docs', { audio_url: undefined, media_id: '9c4e1a7f-3b6d-4f2a-8e5c-1d7b3f9a6e20' }, 3001],
    ['no line', { caller_id: undefined }, 4010],
    ['no number', { to: 'Jordan' }, 4004],
  ])('%s', (_what, change, code) =>
    withVendor({}, async (stage) => {
      stage.listener.answer('/missing', () => ({ status: 404, contentType: 'audio/mpeg', body: 'sound' }));
      stage.listener.answer('/page', () => ({ contentType: 'text/html', body: 'sound' }));
      stage.listener.answer('/empty', () => ({ contentType: 'audio/mpeg' }));
      const path = change.audio_url;
      const audio = typeof path === 'string' && { audio_url: `${stage.listener.url}${path}` };
      expect(await stage.send(stage.order('0140', { ...change, ...audio }))).toMatchObject({ status: 202 });
      expect(await stage.results()).toMatchObject([{ status: 'failure', reason_code: code }]);
    }),
  );

  test('a phone line is as good as a caller id', () =>
    withVendor({}, async (stage) => {
      await stage.send(stage.order('0140', { caller_id: undefined, phone_line_id: 'line' }));
      expect(await stage.results()).toMatchObject([{ reason_code: 0 }]);
    }));

  test.each([{ 'x-key': 'other' }, { 'x-secret': 'other' }])('wrong credentials %j', (headers) =>
    withVendor({ voicemailKey: 'key', voicemailSecret: 'secret' }, async (stage) => {
      expect(await stage.send(stage.order('0140'), headers)).toMatchObject({ status: 202 });
      expect(await stage.results()).toMatchObject([{ reason_code: 3007 }]);
      await stage.send(stage.order('0140'));
      expect((await stage.results(2))[1]).toMatchObject({ reason_code: 0 });
      expect(stage.carrier.ledger().filter(({ kind }) => kind === 'drop-audio')).toHaveLength(1);
    }),
  );

  test('only no credentials at all, and what is no JSON, are refused at once', () =>
    withVendor({}, async (stage) => {
      expect(await stage.send(stage.order('0140'), { 'x-key': '', 'x-secret': '' })).toMatchObject({
        status: 401,
        body: { title: 'Unauthorized', status: 401 },
      });
      expect(await stage.send('[]')).toMatchObject({ status: 400 });
      expect(stage.carrier.ledger()).toEqual([]);
    }));
});

describe('the idempotency key', () => {
  test('sends once, however often it comes, with its fields in any order', () =>
    withVendor({}, async (stage) => {
      const order = stage.order('0140');
      const key = { 'idempotency-key': 'attempt-1' };
      await stage.send(order, key);
      const reversed = Object.fromEntries(Object.entries(order).toReversed());
      expect(await stage.send(reversed, key)).toMatchObject({ status: 202, body: { status: 'queued' } });
      await stage.results();
      expect(await stage.send(order, key)).toMatchObject({ status: 202 });
      await stage.settle();
      expect(await stage.results()).toHaveLength(1);
      const asked = stage.carrier.ledger().filter(({ kind, to }) => kind === 'drop' && to === order.to);
      expect(asked.map(({ accepted, httpStatus, key }) => [accepted, httpStatus, key])).toEqual([
        [true, 202, 'attempt-1'],
        [false, 202, 'attempt-1'],
        [false, 202, 'attempt-1'],
        [true, 202, undefined],
      ]);
    }));

  test('sends again without a key, with another one, for another account, and a day later', () => {
    let now = new Date('2026-03-02T09:00:00Z');
    return withVendor({ now: () => now }, async (stage) => {
      const order = stage.order('0140');
      const key = { 'idempotency-key': 'k' };
      await stage.send(order, key);
      await stage.send(order);
      await stage.send(order, { 'idempotency-key': '' });
      await stage.send(order, { 'idempotency-key': 'other' });
      await stage.send(order, { ...key, 'x-key': 'other' });
      now = new Date('2026-03-03T08:59:59Z');
      await stage.send(order, key);
      now = new Date('2026-03-03T09:00:00Z');
      await stage.send(order, key);
      const results = await stage.results(6);
      expect(results.map(({ reason_code }) => reason_code)).toEqual([0, 0, 0, 0, 0, 0]);
    });
  });

  test.each([
    ['of another request', 'k', 3027],
    ['that is too long', 'x'.repeat(256), 3028],
    ['that is not ASCII', 'ké', 3028],
  ])('%s fails', (_what, key, code) =>
    withVendor({}, async (stage) => {
      await stage.send(stage.order('0140'), { 'idempotency-key': 'k' });
      await stage.results();
      const answer = await stage.send(stage.order('0100'), { 'idempotency-key': key });
      expect(answer).toMatchObject({ status: 202 });
      expect((await stage.results(2))[1]).toMatchObject({ status: 'failure', reason_code: code });
    }),
  );

  test('of 255 characters is a key', () =>
    withVendor({}, async (stage) => {
      await stage.send(stage.order('0140'), { 'idempotency-key': 'x'.repeat(255) });
      expect(await stage.results()).toMatchObject([{ reason_code: 0 }]);
    }));
});

describe('what goes wrong', () => {
  test('0112: the third request works, with the same key', () =>
    withVendor({}, async (stage) => {
      const key = { 'idempotency-key': 'k' };
      for (const _ of [1, 2]) {
        expect(await stage.send(stage.order('0112'), key)).toMatchObject({ status: 429 });
      }
      expect(await stage.send(stage.order('0112'), key)).toMatchObject({ status: 202 });
      expect(await stage.results()).toMatchObject([{ reason_code: 0 }]);
    }));

  test('0113: the answer is lost, and asking again with the key sends nothing more', () =>
    withVendor({}, async (stage) => {
      const key = { 'idempotency-key': 'k' };
      await expect(stage.send(stage.order('0113'), key)).rejects.toThrow('fetch failed');
      expect(await stage.send(stage.order('0113'), key)).toMatchObject({ status: 202 });
      await stage.settle();
      expect(await stage.results()).toMatchObject([{ reason_code: 0, foreign_id: 'attempt-0113' }]);
    }));

  test('0114: the answer and the result are lost', () =>
    withVendor({}, async (stage) => {
      await expect(stage.send(stage.order('0114'))).rejects.toThrow('fetch failed');
      await stage.settle();
      expect(stage.listener.heard.filter(({ path }) => path === '/result')).toEqual([]);
    }));

  test.each([
    ['0115', 503, { title: 'Service Unavailable', status: 503 }],
    ['0145', 200, { status: 'error', message: expect.any(String) }],
  ])('%s: answers %i, and nothing happens', (to, status, body) =>
    withVendor({}, async (stage) => {
      expect(await stage.send(stage.order(to))).toMatchObject({ status, body });
      await stage.settle();
      expect(stage.listener.heard.filter(({ path }) => path === '/result')).toEqual([]);
      expect(stage.carrier.ledger()[0]).toMatchObject({ kind: 'drop', accepted: false, httpStatus: status });
    }),
  );

  test('0116: answers 503, and it is left', () =>
    withVendor({}, async (stage) => {
      expect(await stage.send(stage.order('0116'))).toMatchObject({ status: 503 });
      expect(await stage.results()).toMatchObject([{ reason_code: 0 }]);
    }));

  test('0118: the result comes twice, the same', () =>
    withVendor({}, async (stage) => {
      await stage.send(stage.order('0118'));
      const [first, second] = await stage.results(2);
      expect(second).toEqual(first);
    }));

  test('0119: the result never comes', () =>
    withVendor({}, async (stage) => {
      await stage.send(stage.order('0119'));
      await stage.settle();
      expect(stage.listener.heard.filter(({ path }) => path === '/result')).toEqual([]);
    }));

  test('0120: the result comes before the answer', () =>
    withVendor({}, async (stage) => {
      expect(await stage.send(stage.order('0120'))).toMatchObject({ status: 202 });
      expect(stage.listener.heard.map(({ path }) => path)).toContain('/result');
    }));
});

describe('the signed webhook', () => {
  const secret = 'signing-secret';

  test('tells the result without foreign_id, signed over time and body', () =>
    withVendor({ voicemailWebhookSecret: secret }, async (stage) => {
      stage.carrier.voicemailWebhooksTo(`${stage.listener.url}/hook`);
      await stage.send(stage.order('0141'));
      const [hook] = await stage.listener.until(1, '/hook');
      const [result] = await stage.results();
      const { headers, body } = hook!;
      const event = JSON.parse(body) as Record<string, unknown>;
      expect(event).toEqual({
        event_id: headers['x-event-id'],
        event: 'contact.rvm.status',
        event_at: expect.any(Number),
        data: {
          team_id: result?.team_id,
          contact_id: result?.contact_id,
          drop_id: result?.drop_id,
          campaign_id: null,
          campaign_type: 'rvm',
          status: 'failure',
          reason: result?.reason,
          reason_code: 4001,
          to: numberOf('0141'),
          from: FROM,
        },
      });
      const signed = createHmac('sha256', secret).update(`${String(headers['x-timestamp'])}.${body}`);
      expect(headers).toMatchObject({
        'x-signature': `sha256=${signed.digest('hex')}`,
        'x-timestamp': expect.stringMatching(/^\d{10}$/),
        'x-attempt': '1',
      });
    }));

  test.each([
    [500, 3],
    [429, 3],
    [408, 3],
    [404, 1],
    [200, 1],
  ])('is answered %i and comes %i times', (status, times) =>
    withVendor({ pace: 2000 }, async (stage) => {
      stage.listener.answer('/hook', () => ({ status }));
      stage.carrier.voicemailWebhooksTo(`${stage.listener.url}/hook`);
      await stage.send(stage.order('0140'));
      const hooks = await stage.listener.until(times, '/hook');
      expect(hooks.map(({ headers }) => headers['x-attempt'])).toEqual(['1', '2', '3'].slice(0, times));
      expect(new Set(hooks.map(({ headers }) => headers['x-event-id'])).size).toBe(1);
      // Six minutes more of the vendor's time bring no other.
      const { length } = await stage.listener.until(times, '/hook');
      stage.carrier.voicemailWebhooksTo(`${stage.listener.url}/later`);
      stage.listener.answer('/later', () => ({ status: 500 }));
      await stage.send(stage.order('0100'));
      await stage.listener.until(3, '/later');
      expect(stage.listener.heard.filter(({ path }) => path === '/hook')).toHaveLength(length);
    }),
  );

  test('says nothing of wrong credentials', () =>
    withVendor({ voicemailKey: 'other' }, async (stage) => {
      stage.carrier.voicemailWebhooksTo(`${stage.listener.url}/hook`);
      await stage.send(stage.order('0140'));
      expect(await stage.results()).toMatchObject([{ reason_code: 3007 }]);
      await stage.send(stage.order('0140'), { 'x-key': 'other' });
      const [hook] = await stage.listener.until(1, '/hook');
      expect(JSON.parse(hook?.body ?? '')).toMatchObject({ data: { reason_code: 0 } });
    }));
});

test('the ledger lists what was asked, fetched and told, and no secret', () =>
  withVendor({}, async (stage) => {
    const { body } = await stage.send(stage.order('0143'), { 'idempotency-key': 'k', 'x-secret': 'hush' });
    await stage.results();
    await expect.poll(() => stage.carrier.ledger().at(-1)?.accepted).toBe(true);
    const about = { callSid: null, messageId: body.message_id, to: numberOf('0143'), from: FROM };
    expect(stage.carrier.ledger()).toMatchObject([
      { ...about, kind: 'drop', key: 'k', accepted: true, params: { foreign_id: 'attempt-0143' } },
      { ...about, kind: 'drop-audio', url: `${stage.listener.url}/a.mp3`, httpStatus: 200 },
      { ...about, kind: 'drop-callback', status: 'failure', code: 3000, httpStatus: 200, accepted: true },
    ]);
    expect(JSON.stringify(stage.carrier.ledger())).not.toContain('hush');
  }));
