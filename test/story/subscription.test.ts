/** What other systems are told of: at least once, in order for each entity, signed, and nobody held up by another. */
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { advance, record } from '../api/triggers.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';
import { withReceivers, type Got } from '../support/receiver.ts';

const beside = { PRIVATE_WEBHOOKS: '1' };

const subscribe = async (app: App, input: object) =>
  (
    await app.ask(
      `mutation ($input: EventSubscriptionInput!) { createEventSubscription(input: $input) {
        __typename ... on EventSubscriptionPayload { secret subscription { id url types active } }
        ... on Error { code message } ... on InputError { fields { path message } } } }`,
      { input },
    )
  ).data.createEventSubscription;

const deliveries = async (app: App, id: string) => {
  const { data, errors } = await app.ask(
    `{ eventSubscriptions { id deliveries(first: 50) { edges { node {
      id status attempts lastStatusCode lastError nextAttemptAt event { id type version } } } } } }`,
  );
  expect(errors).toBeUndefined();
  const found = data.eventSubscriptions.find((each: { id: string }) => each.id === id);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test reads whatever it has asked for
  return found.deliveries.edges.map(({ node }: any) => node).toReversed();
};

/** Whether what was taken of each entity came in the order of its versions, each at least once. */
function expectInOrder(taken: Got[]): void {
  const versions = Map.groupBy(taken, ({ json }) => json.data.entityId);
  for (const some of versions.values()) {
    const told = some.map(({ json }) => json.data.version);
    expect([...new Set(told)]).toEqual([...new Set(told)].toSorted((a, b) => a - b));
  }
}

test('a subscriber is told of events as they happen, signed, with ids and without what they say of a person', () =>
  withReceivers(2, (all, some) =>
    withApp(async (app) => {
      const { secret, subscription } = await subscribe(app, { url: all.url });
      await subscribe(app, { url: some.url, types: ['lab.result_received', 'outbound.failed'] });
      expect(subscription).toEqual({ id: subscription.id, url: all.url, types: [], active: true });
      const patientId = await addPatient(app, '+12125550100', 'Grace Hopper');
      const eventId = await record(app, patientId, {
        type: 'lab.result_received',
        data: { text: 'A1c is 11' },
      });
      const got = await eventually(() => all.got.find(({ json }) => json.type === 'lab.result_received'));
      expect(got.headers['webhook-id']).toBe(eventId);
      expect(got.json).toEqual({
        type: 'lab.result_received',
        timestamp: expect.any(String),
        data: {
          id: eventId,
          cursor: expect.any(String),
          entityType: 'PATIENT',
          entityId: patientId,
          version: 2,
          patientId,
          causationId: null,
          correlationId: null,
          recordedAt: expect.any(String),
        },
      });
      expect(JSON.stringify(all.got)).not.toMatch(/Grace|A1c|2125550100/);
      // The library of the standard, on its own clock, agrees about the signature.
      const at = Number(got.headers['webhook-timestamp']) * 1_000;
      const signed = new Webhook(secret).sign(eventId, new Date(at), got.body);
      expect(got.headers['webhook-signature']).toBe(signed);
      await eventually(() => some.got.length === 1);
      expect(all.got.map(({ json }) => json.type)).toContain('patient.registered');
      expect(
        (await deliveries(app, subscription.id)).map(({ status }: { status: string }) => status),
      ).toEqual(all.got.map(() => 'DELIVERED'));
    }, beside),
  ));

test('after an hour of failures everything arrives, in order for each entity, and nobody else was late', () =>
  withReceivers(2, (broken, well) =>
    withApp(async (app) => {
      const { subscription } = await subscribe(app, { url: broken.url });
      await subscribe(app, { url: well.url });
      broken.answer(500);
      const people = await Promise.all(
        ['0100', '0101', '0102'].map((ending) => addPatient(app, `+1212555${ending}`, `P ${ending}`)),
      );
      for (let minute = 1; minute <= 60; minute += 10) {
        for (const id of people) await record(app, id, { type: 'ext.step', data: { minute } });
        const before = well.got.length;
        await advance(app, new Date(Date.parse('2026-03-03T19:00:00Z') + minute * 60_000).toISOString());
        expect(well.got.length).toBeGreaterThan(before - 1);
        expect(well.got.filter(({ json }) => json.type === 'ext.step')).toHaveLength(
          3 * Math.ceil(minute / 10),
        );
      }
      expect(broken.taken()).toEqual([]);
      expect(broken.got.length).toBeLessThan(30); // it was left alone
      broken.answer(200);
      await advance(app, '2026-03-03T22:00:00Z');
      const steps = (got: Got[]) =>
        got.filter(({ json }) => json.type === 'ext.step').map(({ json }) => json.data.id);
      expect(new Set(steps(broken.taken()))).toEqual(new Set(steps(well.got)));
      expect(broken.taken()).toHaveLength(well.got.length);
      expectInOrder(broken.taken());
      expectInOrder(well.got);
      const all = await deliveries(app, subscription.id);
      expect(new Set(all.map(({ status }: { status: string }) => status))).toEqual(new Set(['DELIVERED']));
    }, beside),
  ));

test('what cannot be delivered for more than a day is dead, and may be delivered again by hand', () =>
  withReceivers(1, (receiver) =>
    withApp(async (app) => {
      const { subscription } = await subscribe(app, { url: receiver.url, types: ['ext.step'] });
      receiver.answer(302, { location: 'http://127.0.0.1:1/elsewhere' });
      const id = await addPatient(app, '+12125550100');
      await record(app, id, { type: 'ext.step' });
      await advance(app, '2026-03-04T19:00:00Z');
      expect(await deliveries(app, subscription.id)).toMatchObject([
        { status: 'PENDING', lastStatusCode: 302 },
      ]);
      await advance(app, '2026-03-06T19:00:00Z');
      const [dead] = await deliveries(app, subscription.id);
      expect(dead).toMatchObject({
        status: 'DEAD',
        attempts: 14,
        lastError: 'It answered 302.',
        nextAttemptAt: null,
      });
      receiver.answer(204);
      const { data } = await app.ask(
        'mutation ($id: ID!) { redeliver(deliveryId: $id) { ... on DeliveryPayload { delivery { id } } ... on Error { code } } }',
        { id: dead.id },
      );
      expect(data.redeliver).toEqual({ delivery: { id: dead.id } });
      await eventually(async () => (await deliveries(app, subscription.id))[0].status === 'DELIVERED');
      expect(receiver.taken()).toHaveLength(1);
      expect(new Set(receiver.got.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    }, beside),
  ));

test('a receiver that never answers holds up no other', () =>
  withReceivers(2, (silent, well) =>
    withApp(async (app) => {
      await subscribe(app, { url: silent.url });
      await subscribe(app, { url: well.url });
      silent.answer(0);
      const id = await addPatient(app, '+12125550100');
      for (let step = 0; step < 20; step += 1) await record(app, id, { type: 'ext.step' });
      await eventually(() => well.got.filter(({ json }) => json.type === 'ext.step').length === 20, 3_000);
      expectInOrder(well.got);
      expect(silent.got.length).toBeLessThanOrEqual(8);
    }, beside),
  ));

test("a call's own URL is posted once it has ended, with a signature of the workspace", () =>
  withReceivers(1, (receiver) =>
    withApp(async (app) => {
      await setUp(app);
      const rotated = await app.ask(
        'mutation { rotateCallbackSecret { ... on WebhookSecretPayload { secret previousValidUntil } } }',
      );
      const { secret } = rotated.data.rotateCallbackSecret;
      const patientId = await addPatient(app, '+12125550101');
      const { data } = await app.ask(placeCall, {
        input: { patientId, phoneFrom: '+14155550199', reason: 'Hello', callbackUrl: receiver.url },
      });
      const got = await eventually(() => receiver.got[0]);
      expect(got.json).toMatchObject({
        type: 'call.busy',
        data: { callId: data.placeCall.call.id, status: 'BUSY' },
      });
      const at = new Date(Number(got.headers['webhook-timestamp']) * 1_000);
      expect(got.headers['webhook-signature']).toBe(
        new Webhook(secret).sign(got.headers['webhook-id'] as string, at, got.body),
      );
      const call = await app.ask(
        'query ($id: ID!) { call(id: $id) { callbackDelivery { status attempts event { type } } } }',
        { id: data.placeCall.call.id },
      );
      expect(call.data.call.callbackDelivery).toEqual({
        status: 'DELIVERED',
        attempts: 1,
        event: { type: 'call.busy' },
      });
    }, beside),
  ));
