/** Triggers, from what fires them to the call. */
import { expect, test } from 'vitest';
import { addPatient, setUp, withApp } from '../support/program.ts';
import { advance, ranTimes, record, runsOf, trigger } from '../api/triggers.ts';

test('a schedule fires once at its time, and makes a task for everybody whom it finds', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id, nextFireAt, upcoming } = await trigger(app, {
      kind: 'CRON',
      schedule: '30 14 * * *',
      timeZone: 'America/New_York',
      action: { reason: 'Hello {{patient.firstName}}' },
    });
    expect([nextFireAt, upcoming[0]]).toEqual(['2026-03-03T19:30:00.000Z', '2026-03-03T19:30:00.000Z']);
    await advance(app, '2026-03-03T19:29:00Z');
    expect(await runsOf(app, id)).toEqual([]);
    await advance(app, '2026-03-03T19:40:00Z');
    const [run, ...others] = await runsOf(app, id);
    expect(others).toEqual([]);
    expect(run).toMatchObject({
      status: 'SUCCEEDED',
      firedBy: 'schedule',
      task: { status: 'COMPLETED', reason: 'Hello Ada', patient: { id: patientId }, trigger: { id } },
    });
    const told = await app.ask(
      'query ($id: ID!) { events(entityId: $id, types: ["trigger.fired"]) { edges { node { id data } } } }',
      { id },
    );
    // Its cause is the instant of the schedule.
    expect(told.data.events.edges).toMatchObject([
      { node: { id: run.task.events[0].causationId, data: { cause: '2026-03-03T19:30:00.000Z', runs: 1 } } },
    ]);
    const dials = (await app.ledger()).filter(({ kind }) => kind === 'create');
    expect(dials).toHaveLength(1);
  }));

test('an event fires the triggers that wait for it, once', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await trigger(app, {
      filter: { 'event.data.flag': 'H' },
      action: { reason: 'Your {{event.data.test}} is in', delaySeconds: 600 },
    });
    await record(app, patientId, { type: 'lab.result_received', data: { test: 'A1c', flag: 'N' } });
    const eventId = await record(app, patientId, {
      type: 'lab.result_received',
      data: { test: 'A1c', flag: 'H' },
    });
    const [run] = await ranTimes(app, id, 1);
    expect(run).toMatchObject({ status: 'SUCCEEDED', firedBy: 'event', task: { reason: 'Your A1c is in' } });
    expect(run.task.events[0].causationId).toBe(eventId);
  }));
