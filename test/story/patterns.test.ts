/** How organizations reach their patients, each pattern from what happens to the call, on simulated time. */
import { Webhook } from 'standardwebhooks';
import { expect, test, vi } from 'vitest';
import { advance, ranTimes, record, runsOf, trigger } from '../api/triggers.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';
import { withReceivers } from '../support/receiver.ts';

vi.setConfig({ testTimeout: 60_000 }); // weeks go by in each

/** When somebody was dialled, to the minute, in order. */
async function dials(app: App, phone: string): Promise<string[]> {
  const entries = (await app.ledger()) as unknown as {
    kind: string;
    accepted: boolean;
    to: string;
    at: string;
  }[];
  return entries
    .filter(({ kind, accepted, to }) => kind === 'create' && accepted && to === phone)
    .map(({ at }) => at.slice(0, 16));
}

const learn = (app: App, phone: string, name: string, facts: object) =>
  app.ask(`mutation ($input: PatientInput!) { upsertPatient(input: $input) { __typename } }`, {
    input: { name, phone, facts, sourceSystem: 'ehr' },
  });

test('a reminder comes 48 hours before a visit, moves with it, and is gone when it is cancelled', () =>
  withApp(async (app) => {
    await setUp(app);
    const [ada, bo] = ['+12125550100', '+16465550100'];
    const ids = [await addPatient(app, ada), await addPatient(app, bo, 'Bo Diddley')];
    const reminder = {
      action: {
        reason: 'Your visit to {{event.data.clinic}}',
        purpose: 'APPOINTMENT_REMINDER',
        scheduleAt: '{{event.data.startsAt}}',
        delaySeconds: -172_800,
        cancelOn: ['appointment.rescheduled', 'appointment.cancelled'],
      },
    };
    const booked = await trigger(app, { eventType: 'appointment.booked', ...reminder });
    const moved = await trigger(app, { eventType: 'appointment.rescheduled', ...reminder });
    const visit = { clinic: 'Main Street', startsAt: '2026-03-12T16:00:00Z' };
    for (const id of ids) await record(app, id, { type: 'appointment.booked', data: visit });
    const made = await ranTimes(app, booked.id, 2);
    expect(made.map(({ task }: { task: { scheduledFor: string } }) => task.scheduledFor)).toEqual(
      ids.map(() => '2026-03-10T16:00:00.000Z'),
    );
    expect(made[0].task).toMatchObject({
      reason: 'Your visit to Main Street',
      validUntil: '2026-03-12T16:00:00.000Z',
    });
    await advance(app, '2026-03-06T15:00:00Z');
    await record(app, ids[0]!, {
      type: 'appointment.rescheduled',
      data: { ...visit, startsAt: '2026-03-19T16:00:00Z' },
    });
    const [again] = await ranTimes(app, moved.id, 1);
    expect(again.task).toMatchObject({ status: 'SCHEDULED', scheduledFor: '2026-03-17T16:00:00.000Z' });
    await advance(app, '2026-03-11T15:00:00Z');
    expect([await dials(app, ada), await dials(app, bo)]).toEqual([[], ['2026-03-10T16:00']]);
    await record(app, ids[0]!, { type: 'appointment.cancelled' });
    await advance(app, '2026-03-20T15:00:00Z');
    expect(await dials(app, ada)).toEqual([]);
    const ends = [...(await runsOf(app, booked.id)), ...(await runsOf(app, moved.id))];
    expect(ends.map(({ task }: { task: { status: string } }) => task.status).toSorted()).toEqual([
      'CANCELLED',
      'CANCELLED',
      'COMPLETED',
    ]);
  }));

test('a discharge, a refill, a lab result, a referral and verified coverage each lead to their calls', () =>
  withApp(async (app) => {
    await setUp(app);
    const day = 86_400;
    await trigger(app, {
      eventType: 'encounter.discharged',
      action: { reason: 'How are you on day 3?', delaySeconds: 3 * day },
    });
    await trigger(app, {
      eventType: 'encounter.discharged',
      action: { reason: 'How are you on day 7?', delaySeconds: 7 * day },
    });
    await trigger(app, {
      eventType: 'medication.refill_due',
      action: { reason: 'Time to refill {{event.data.medication}}' },
    });
    await trigger(app, {
      eventType: 'lab.result_received',
      filter: { 'event.data.flag': { in: ['H', 'HH'] }, 'patient.facts.a1c_goal': { exists: true } },
      action: { reason: 'Your result is in', priority: 1 },
    });
    await trigger(app, {
      eventType: 'referral.approved',
      action: { reason: 'Your referral to {{event.data.to}}' },
    });
    await trigger(app, {
      eventType: 'coverage.verified',
      filter: { 'event.data.active': true },
      action: { reason: 'You are covered' },
    });
    const phones = ['212', '646', '917', '347', '929'].map((area) => `+1${area}5550100`);
    const people: string[] = [];
    for (const [n, phone] of phones.entries()) people.push(await addPatient(app, phone, `Patient ${n}`));
    await learn(app, phones[2]!, 'Patient 2', { a1c_goal: '7' });
    const [discharged, refill, lab, referred, covered] = people as [string, string, string, string, string];
    await record(app, discharged, { type: 'encounter.discharged', effectiveAt: '2026-03-03T16:00:00Z' });
    await record(app, refill, { type: 'medication.refill_due', data: { medication: 'metformin' } });
    await record(app, lab, { type: 'lab.result_received', data: { flag: 'N' } });
    await record(app, refill, { type: 'lab.result_received', data: { flag: 'H' } }); // has no goal
    await advance(app, '2026-03-03T19:05:00Z');
    await record(app, lab, { type: 'lab.result_received', data: { flag: 'H' } });
    await record(app, referred, { type: 'referral.approved', data: { to: 'Cardiology' } });
    await record(app, covered, { type: 'coverage.verified', data: { active: false } });
    await advance(app, '2026-03-03T19:10:00Z');
    await record(app, covered, { type: 'coverage.verified', data: { active: true } });
    await advance(app, '2026-03-12T19:00:00Z');
    expect(await Promise.all(phones.map((phone) => dials(app, phone)))).toEqual([
      ['2026-03-06T16:00', '2026-03-10T16:00'],
      [expect.stringMatching(/^2026-03-03T19:0/)],
      ['2026-03-03T19:05'],
      ['2026-03-03T19:05'],
      ['2026-03-03T19:10'],
    ]);
    const { data } = await app.ask(
      '{ calls { edges { node { reason origin task { trigger { eventType } } } } } }',
    );
    const reasons = data.calls.edges.map(({ node }: { node: { reason: string } }) => node.reason);
    expect(reasons).toEqual(
      expect.arrayContaining([
        'Time to refill metformin',
        'Your referral to Cardiology',
        'How are you on day 7?',
      ]),
    );
    expect(
      data.calls.edges.every(({ node }: { node: { origin: string } }) => node.origin === 'TRIGGER'),
    ).toBe(true);
  }));

test("a CRM's webhook calls whom it names", () =>
  withApp(async (app) => {
    await setUp(app);
    await app.ask(
      `mutation { upsertPatient(input: { canonicalId: "crm:Contact:42", name: "Ada Lovelace", phone: "+12125550100", sourceSystem: "crm" }) { __typename } }`,
    );
    const { id, secret, webhook } = await trigger(app, {
      kind: 'WEBHOOK',
      acceptedEventTypes: ['deal.stage_changed'],
      action: { reason: 'Your {{event.data.product}}' },
    });
    const body = JSON.stringify({
      event: 'deal.stage_changed',
      data: { patientCanonicalId: 'crm:Contact:42', product: 'hearing test' },
    });
    const at = app.clock.now();
    const headers = {
      'webhook-id': 'crm-1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(secret).sign('crm-1', at, body),
    };
    expect((await fetch(webhook.url, { method: 'POST', headers, body })).status).toBe(202);
    const [run] = await ranTimes(app, id, 1);
    expect(run.task.reason).toBe('Your hearing test');
    await eventually(async () => (await dials(app, '+12125550100')).length === 1);
  }));

test('a gap in care that persists is followed up once, and not when it is closed in time', () =>
  withApp(async (app) => {
    await setUp(app);
    const [ada, bo] = ['+12125550100', '+16465550100'];
    await learn(app, ada, 'Ada Lovelace', { mammogram: 'overdue' });
    await learn(app, bo, 'Bo Diddley', { mammogram: 'overdue' });
    await trigger(app, {
      kind: 'MONITOR',
      schedule: '0 10 * * *',
      timeZone: 'America/New_York',
      filter: { 'patient.facts.mammogram': { eq: 'overdue', heldForDays: 14 } },
      action: { reason: 'Your mammogram', purpose: 'WELLNESS_CHECKUP' },
    });
    await advance(app, '2026-03-10T19:00:00Z');
    await learn(app, bo, 'Bo Diddley', { mammogram: 'done' });
    await advance(app, '2026-03-25T19:00:00Z');
    expect([await dials(app, ada), await dials(app, bo)]).toEqual([['2026-03-18T14:00'], []]);
  }));

test('a promise made in a call is kept to the minute', () =>
  withApp(async (app) => {
    await setUp(app);
    const phone = '+12125550121';
    const patientId = await addPatient(app, phone);
    const placed = await app.ask(placeCall, {
      input: { patientId, phoneFrom: '+14155550199', reason: 'Lab results', purpose: 'LAB_RESULTS' },
    });
    const callId: string = placed.data.placeCall.call.id;
    await app.follow(callId, (status) => status === 'IN_PROGRESS');
    const { data } = await app.ask(
      `mutation ($id: ID!) {
        reportCallOutcome(input: { callId: $id, outcome: "callback_requested", promises: [
          { at: "2026-03-04T15:00:00Z", reason: "The results, tomorrow at 10" }
        ] }) { ... on ReportCallOutcomePayload { tasks { id } } ... on Error { message } }
        cancelCall(id: $id) { __typename }
      }`,
      { id: callId },
    );
    await advance(app, '2026-03-04T14:59:00Z');
    expect(await dials(app, phone)).toHaveLength(1);
    await advance(app, '2026-03-04T15:01:00Z');
    expect((await dials(app, phone))[1]).toBe('2026-03-04T15:00');
    const { data: then } = await app.ask(
      'query ($id: ID!) { outboundTask(id: $id) { calls { origin derivedFrom { id } } } }',
      { id: data.reportCallOutcome.tasks[0].id },
    );
    expect(then.outboundTask.calls).toEqual([{ origin: 'FOLLOW_THROUGH', derivedFrom: { id: callId } }]);
  }));

test('a task that failed after all its attempts is handed to the system of a human coordinator', () =>
  withReceivers(1, (coordinator) =>
    withApp(
      async (app) => {
        await setUp(app);
        await app.ask(
          'mutation ($url: String!) { createEventSubscription(input: { url: $url, types: ["outbound.failed"] }) { __typename } }',
          { url: coordinator.url },
        );
        const patientId = await addPatient(app, '+12125550101');
        const { id } = await trigger(app, { action: { reason: 'Your results', maxAttempts: 2 } });
        await record(app, patientId, { type: 'lab.result_received' });
        const [run] = await ranTimes(app, id, 1);
        await advance(app, '2026-03-06T19:00:00Z');
        expect(await dials(app, '+12125550101')).toHaveLength(2);
        expect(
          coordinator.got.map(({ json }) => [json.type, json.data.entityId, json.data.patientId]),
        ).toEqual([['outbound.failed', run.task.id, patientId]]);
      },
      { PRIVATE_WEBHOOKS: '1' },
    ),
  ));
