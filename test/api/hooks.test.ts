/** What other systems post to triggers: taken when it is signed, recent and accepted, and else nothing has happened. */
import { createHmac, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';
import { ranTimes, runsOf, setActive, trigger, advance } from './triggers.ts';

/** The default clock of tests. */
const start = Date.parse('2026-03-03T19:00:00Z');

interface Sent {
  body?: string | Buffer<ArrayBuffer>;
  id?: string;
  secret?: string;
  /** When it says that it was sent, in milliseconds from the clock's own time. */
  aheadMs?: number;
  headers?: Record<string, string>;
}

interface Hook {
  id: string;
  secret: string;
  webhook: { url: string };
}

let count = 0;

/** By the library of the standard, which knows only text. */
function signed(secret: string, { id, at, body }: { id: string; at: Date; body: string | Buffer }): string {
  if (typeof body === 'string') return new Webhook(secret).sign(id, at, body);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const start = `${id}.${Math.floor(at.getTime() / 1_000)}.`;
  return `v1,${createHmac('sha256', key).update(start).update(body).digest('base64')}`;
}

/** Posts as Standard Webhooks says; answers the status. */
async function post(app: App, hook: Hook, sent: Sent = {}): Promise<number> {
  const body = sent.body ?? JSON.stringify({ type: 'contact.updated', data: {} });
  const id = sent.id ?? `msg_${(count += 1)}`;
  const at = new Date(app.clock.now().getTime() + (sent.aheadMs ?? 0));
  const signature = signed(sent.secret ?? hook.secret, { id, at, body });
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': signature,
    ...sent.headers,
  };
  return (await fetch(hook.webhook.url, { method: 'POST', body, headers })).status;
}

const bare = async (hook: Hook, body: string | Buffer<ArrayBuffer>, headers: Record<string, string>) =>
  (await fetch(hook.webhook.url, { method: 'POST', body, headers })).status;

const crm = (app: App, more: object = {}): Promise<Hook> =>
  trigger(app, {
    kind: 'WEBHOOK',
    acceptedEventTypes: ['contact.updated'],
    action: { reason: 'Hello {{event.data.stage}}' },
    ...more,
  });

const about = (patientId: string, more: object = {}) =>
  JSON.stringify({ type: 'contact.updated', data: { patientId, stage: 'won' }, ...more });

test('what is signed as Standard Webhooks say fires once, however often it is sent', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const hook = await crm(app);
    expect(hook.webhook).toMatchObject({
      url: `${app.url}/hooks/${hook.id}`,
      acceptedEventTypes: ['contact.updated'],
    });
    const body = about(patientId);
    expect(await post(app, hook, { body, id: 'msg_a' })).toBe(202);
    expect(await post(app, hook, { body, id: 'msg_a' })).toBe(200);
    expect(await Promise.all([1, 2, 3].map(() => post(app, hook, { body, id: 'msg_b' })))).toEqual(
      expect.arrayContaining([202, 200, 200]),
    );
    const runs = await ranTimes(app, hook.id, 2);
    expect(runs).toMatchObject(
      [1, 2].map(() => ({
        status: 'SUCCEEDED',
        firedBy: 'webhook',
        task: { reason: 'Hello won', patient: { id: patientId } },
      })),
    );
  }));

test('a plain hex HMAC is taken too, with or without a signed timestamp, and its repetitions are known by the body', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const hook = await crm(app);
    const hex = (text: string, key: string | Buffer = hook.secret) =>
      createHmac('sha256', key).update(text).digest('hex');
    const body = about(patientId);
    expect(await bare(hook, body, { 'x-hub-signature-256': `sha256=${hex(body)}` })).toBe(202);
    expect(await bare(hook, body, { 'x-signature': hex(body) })).toBe(200);
    const other = about(patientId, { n: 2 });
    const bytes = Buffer.from(hook.secret.slice('whsec_'.length), 'base64');
    const timestamp = String(Math.floor(app.clock.now().getTime() / 1_000));
    expect(
      await bare(hook, other, {
        'x-signature': hex(`${timestamp}.${other}`, bytes),
        'webhook-timestamp': timestamp,
      }),
    ).toBe(202);
    const late = String(Number(timestamp) - 301);
    expect(
      await bare(hook, other, { 'x-signature': hex(`${late}.${other}`), 'webhook-timestamp': late }),
    ).toBe(403);
    expect(await bare(hook, other, { 'x-signature': hex(other), 'webhook-timestamp': timestamp })).toBe(403);
    expect(await bare(hook, other, { 'x-signature': hex(body) })).toBe(403);
    await ranTimes(app, hook.id, 2);
  }));

test('forged, stale, oversized, malformed and unwanted webhooks are refused, and nothing has happened', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const hook = await crm(app);
    const other = await crm(app);
    const events = () => app.world.query(sql`select id from event order by position`);
    const before = await events();
    const body = about(patientId);
    const stranger = `whsec_${randomBytes(32).toString('base64')}`;
    const refused: [string, number, Promise<number>][] = [
      ['unsigned', 403, bare(hook, body, {})],
      ['forged', 403, post(app, hook, { body, secret: stranger })],
      ["with another hook's secret", 403, post(app, hook, { body, secret: other.secret })],
      [
        'another body',
        403,
        post(app, hook, {
          body,
          headers: { 'webhook-signature': new Webhook(hook.secret).sign('msg', new Date(start), '{}') },
        }),
      ],
      ['another id', 403, post(app, hook, { body, id: 'msg_1', headers: { 'webhook-id': 'msg_2' } })],
      [
        'no signature that can be read',
        403,
        post(app, hook, { body, headers: { 'webhook-signature': 'v1,' } }),
      ],
      ['stale', 403, post(app, hook, { body, aheadMs: -301_000 })],
      ['from the future', 403, post(app, hook, { body, aheadMs: 360_000 })],
      ['no timestamp', 403, post(app, hook, { body, headers: { 'webhook-timestamp': 'yesterday' } })],
      ['oversized', 413, post(app, hook, { body: about(patientId, { pad: 'x'.repeat(262_144) }) })],
      ['no JSON', 400, post(app, hook, { body: 'type=contact.updated' })],
      ['no object', 400, post(app, hook, { body: '["contact.updated"]' })],
      ['no UTF-8', 400, post(app, hook, { body: Buffer.from([0x7b, 0xff, 0x7d]) })],
      ['NUL', 400, post(app, hook, { body: '{"type":"contact.updated","x":"\\u0000"}' })],
      ['another type', 422, post(app, hook, { body: about(patientId, { type: 'contact.deleted' }) })],
      ['no type', 422, post(app, hook, { body: '{}' })],
      [
        'a type in a header only',
        422,
        post(app, hook, {
          body: '{}',
          headers: { 'x-event-type': 'contact.updated', 'webhook-type': 'contact.updated' },
        }),
      ],
      [
        'a type that the first key overrules',
        422,
        post(app, hook, { body: about(patientId, { type: 'x', event: 'contact.updated' }) }),
      ],
      ['nowhere', 404, post(app, { ...hook, webhook: { url: `${app.url}/hooks/${patientId}` } }, { body })],
      ['no id', 404, post(app, { ...hook, webhook: { url: `${app.url}/hooks/x` } }, { body })],
      ['not posted', 405, fetch(hook.webhook.url).then(({ status }) => status)],
    ];
    for (const [what, status, answer] of refused)
      expect({ what, status: await answer }).toEqual({ what, status });
    expect(await events()).toEqual(before);
    expect(await runsOf(app, hook.id)).toEqual([]);
  }));

test('the type is read from the body: type, event_type, event, action, in that order', () =>
  withApp(async (app) => {
    const hook = await crm(app, { acceptedEventTypes: ['a'] });
    for (const [body, status] of [
      [{ type: 'a', event_type: 'b' }, 202],
      [{ event_type: 'a', event: 'b' }, 202],
      [{ event: 'a', action: 'b' }, 202],
      [{ action: 'a' }, 202],
      [{ type: { name: 'a' }, event: 'a' }, 202],
      [{ event_type: 'b', action: 'a' }, 422],
    ] as const)
      expect([body, await post(app, hook, { body: JSON.stringify(body) })]).toEqual([body, status]);
    const [run] = await ranTimes(app, hook.id, 5);
    expect(run).toMatchObject({ status: 'FAILED', attempts: 1, error: expect.stringContaining('patientId') });
  }));

test('a rotated secret and the one before are believed for a day, and a paused webhook takes nothing', () =>
  withApp(async (app) => {
    const hook = await crm(app);
    const rotate = async () =>
      (
        await app.ask(
          `mutation ($id: ID!) { rotateWebhookSecret(triggerId: $id) { ... on WebhookSecretPayload { secret previousValidUntil } } }`,
          { id: hook.id },
        )
      ).data.rotateWebhookSecret;
    const { secret, previousValidUntil } = await rotate();
    expect(Date.parse(previousValidUntil) - app.clock.now().getTime()).toBeGreaterThan(86_300_000);
    expect(await post(app, hook)).toBe(202);
    expect(await post(app, hook, { secret })).toBe(202);
    const third = (await rotate()).secret;
    expect(await post(app, hook)).toBe(403); // of two secrets, the older one ends with the next rotation
    expect(await post(app, hook, { secret })).toBe(202);
    await advance(app, '2026-03-04T19:05:00Z');
    expect(await post(app, hook, { secret })).toBe(403);
    expect(await post(app, hook, { secret: third })).toBe(202);
    await setActive(app, hook.id, false);
    expect(await post(app, hook, { secret: third })).toBe(409);
    await setActive(app, hook.id, true);
    expect(await post(app, hook, { secret: third })).toBe(202);
    const { data } = await app.ask(
      'query ($id: ID!) { trigger(id: $id) { webhook { id } } events(first: 200) { edges { node { data } } } }',
      {
        id: hook.id,
      },
    );
    expect(JSON.stringify(data)).not.toContain('whsec_');
  }));
