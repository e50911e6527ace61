/** URLs that clients give us: never fetched on private addresses, whatever a name resolves to, nor where a receiver redirects. */
import type { LookupAddress } from 'node:dns';
import { expect, test } from 'vitest';
import { openPoster, type Lookup } from '../../src/poster.ts';
import { addPatient, placeCall, setUp, withApp } from '../support/program.ts';
import { withReceivers } from '../support/receiver.ts';

const message = { headers: {}, body: '{}' };
const never = new AbortController().signal;

/** A resolver that says what it is told, one answer after the other; the last one again and again. */
function resolving(...answers: string[][]): Lookup & { asked: string[] } {
  const asked: string[] = [];
  const lookup = (
    host: string,
    options: { all?: boolean },
    done: (error: Error | null, found: unknown, family?: number) => void,
  ) => {
    asked.push(host);
    const found = answers[Math.min(asked.length, answers.length) - 1]!;
    const all: LookupAddress[] = found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all) done(null, all);
    else done(null, all[0]!.address, all[0]!.family);
  };
  return Object.assign(lookup as unknown as Lookup, { asked });
}

const bad = [
  'http://example.com/x',
  'ftp://example.com',
  'example.com',
  '',
  'https://',
  'https://user:secret@example.com/',
  'https://127.0.0.1/',
  'https://127.1/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0.0.0.0/',
  'https://10.1.2.3/',
  'https://172.16.0.1/',
  'https://192.168.1.1:8443/',
  'https://169.254.169.254/latest/meta-data/',
  'https://100.64.0.1/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[fe80::1]/',
  'https://[fc00::1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://localhost/',
  `https://example.com/${'x'.repeat(2_048)}`,
];

test.each(bad)('%s is refused when it is written', async (url) => {
  const { faultOf } = openPoster({ allowPrivate: false });
  expect(await faultOf(url)).toMatch(/^Must /);
});

test('a name is refused when any of its addresses is private, and taken when none is or nothing is known of it', async () => {
  const fault = (...answers: string[][]) =>
    openPoster({ allowPrivate: false, lookup: resolving(...answers) }).faultOf('https://clinic.example/x');
  expect(await fault(['93.184.216.34', '10.0.0.1'])).toBe('Must not lead to a private address.');
  expect(await fault(['93.184.216.34', 'fd00::1'])).toBe('Must not lead to a private address.');
  expect(await fault(['93.184.216.34', '2606:2800:220:1::1'])).toBeNull();
  expect(await fault([])).toBeNull();
});

test('a name that leads elsewhere since it was checked is not connected to', () =>
  withReceivers(1, async (receiver) => {
    const { port } = new URL(receiver.url);
    const lookup = resolving(['93.184.216.34'], ['127.0.0.1']);
    const { faultOf, post } = openPoster({ allowPrivate: false, lookup });
    const url = `https://clinic.example:${port}/x`;
    expect(await faultOf(url)).toBeNull();
    expect(await post(url, message, never)).toEqual({ error: 'It leads to a private address.' });
    expect(lookup.asked).toEqual(['clinic.example', 'clinic.example']);
    for (const literal of [`https://127.0.0.1:${port}/`, `https://[::ffff:127.0.0.1]:${port}/`])
      expect(await post(literal, message, never)).toEqual({ error: 'It leads to a private address.' });
    expect(await post(receiver.url, message, never)).toEqual({ error: 'Only https is spoken.' });
    expect(receiver.got).toEqual([]);
  }));

test('a redirect is an answer, and not followed', () =>
  withReceivers(2, async (from, to) => {
    from.answer(307, { location: to.url });
    const { post } = openPoster({ allowPrivate: true });
    expect(await post(from.url, message, never)).toEqual({ status: 307 });
    expect([from.got.length, to.got.length]).toEqual([1, 0]);
    expect(await post('http://127.0.0.1:1/', message, never)).toEqual({
      error: 'The connection failed (ECONNREFUSED).',
    });
  }));

test('the API refuses such URLs, for subscriptions and for calls', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const subscribe = async (input: object) =>
      (
        await app.ask(
          `mutation ($input: EventSubscriptionInput!) { createEventSubscription(input: $input) {
            __typename ... on Error { code } ... on InputError { fields { path message } } } }`,
          { input },
        )
      ).data.createEventSubscription;
    for (const url of ['http://example.com/', 'https://localhost/x', 'https://10.0.0.1/'])
      expect(await subscribe({ url })).toMatchObject({
        code: 'INVALID_INPUT',
        fields: [{ path: ['input', 'url'] }],
      });
    const typo = await subscribe({ url: 'https://receiver.invalid/', types: ['call.complete'] });
    expect(typo).toMatchObject({
      fields: [{ path: ['input', 'types', '0'], message: expect.stringContaining('call.completed') }],
    });
    expect(await subscribe({ url: 'https://receiver.invalid/', idempotencyKey: 'k' })).toEqual({
      __typename: 'EventSubscriptionPayload',
    });
    expect(await subscribe({ url: 'https://other.invalid/', idempotencyKey: 'k' })).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    const input = {
      patientId,
      phoneFrom: '+14155550199',
      reason: 'x',
      callbackUrl: 'https://169.254.169.254/',
    };
    expect((await app.ask(placeCall, { input })).data.placeCall).toMatchObject({
      code: 'INVALID_INPUT',
      fields: [{ path: ['input', 'callbackUrl'] }],
    });
    expect(await app.ledger()).toEqual([]);
  }));
