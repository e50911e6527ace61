/** What a trigger is told, what it refuses, and what is seen of it. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { sql } from 'kysely';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';
import { eventually } from '../support/eventually.ts';
import {
  advance,
  fire,
  ranTimes,
  record,
  remove,
  rewrite,
  runsOf,
  setActive,
  trigger,
  write,
} from './triggers.ts';

test('a trigger is checked when it is written, as a whole, and every fault has its path', () =>
  withApp(async (app) => {
    const cron = { kind: 'CRON', schedule: '0 9 * * *' };
    const wrong: [object, string[]][] = [
      [{ name: '' }, ['name']],
      [{ name: 'n'.repeat(101) }, ['name']],
      [{ eventType: 'lab.result_recieved' }, ['eventType']],
      [{ eventType: 'ext.' }, ['eventType']],
      [{ eventType: null }, ['eventType']],
      [{ ...cron, eventType: 'lab.result_received' }, ['eventType']],
      [{ kind: 'CRON' }, ['schedule']],
      [{ kind: 'CRON', schedule: '0 25 * * *' }, ['schedule']],
      [{ kind: 'CRON', schedule: '* * * * * *' }, ['schedule']],
      [{ kind: 'CRON', schedule: '0 0 30 2 *' }, ['schedule']],
      [{ schedule: '0 9 * * *' }, ['schedule']],
      [{ ...cron, timeZone: 'EST' }, ['timeZone']],
      [{ ...cron, acceptedEventTypes: ['x'] }, ['acceptedEventTypes']],
      [{ ...cron, filter: { 'event.data.x': 1 } }, ['filter', 'event.data.x']],
      [{ ...cron, action: { reason: '{{event.data.x}}' } }, ['action', 'reason']],
      [{ kind: 'MONITOR' }, ['filter']],
      [{ filter: { 'patient.nam': 'x' } }, ['filter', 'patient.nam']],
      [{ filter: { 'facts.x': { like: 'y' } } }, ['filter', 'patient.facts.x']],
      [{ filter: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`facts.f${n}`, n])) }, ['filter']],
      [{ action: { reason: '' } }, ['action', 'reason']],
      [{ action: { reason: 'Hello {{patient.nme}}' } }, ['action', 'reason']],
      [{ action: { reason: 'Hello {{patient.name' } }, ['action', 'reason']],
      [{ action: { goal: '{{nobody.name}}' } }, ['action', 'goal']],
      [{ action: { priority: 11 } }, ['action', 'priority']],
      [{ action: { delaySeconds: -1 } }, ['action', 'delaySeconds']],
      [{ action: { delaySeconds: 31_536_001 } }, ['action', 'delaySeconds']],
      [{ action: { maxAttempts: 0 } }, ['action', 'maxAttempts']],
      [{ action: { cancelOn: ['appointment.canceled'] } }, ['action', 'cancelOn', '0']],
      [{ maxRetries: 21 }, ['maxRetries']],
      [{ maxRunsPerMinute: 0 }, ['maxRunsPerMinute']],
    ];
    for (const [more, path] of wrong) {
      const { code, fields } = await write(app, more as Record<string, unknown>);
      expect({ more, code, path: fields?.[0].path }).toEqual({
        more,
        code: 'INVALID_INPUT',
        path: ['input', ...path],
      });
    }
    const typo = await write(app, { eventType: 'appointment.canceled' });
    expect(typo.fields[0].message).toContain('appointment.cancelled');
    expect((await app.ask('{ triggers { id } }')).data.triggers).toEqual([]);
  }));

test('a trigger is created once for a key, changed, paused and resumed', () =>
  withApp(async (app) => {
    const more = { kind: 'CRON', schedule: '0 2 8 3 *', timeZone: 'America/New_York', idempotencyKey: 'k' };
    const first = await write(app, more);
    expect((await write(app, more)).trigger).toEqual(first.trigger);
    expect(await write(app, { ...more, name: 'Another' })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    const { id } = first.trigger;
    expect(first.trigger).toMatchObject({
      active: true,
      filter: {},
      maxRunsPerMinute: 1_000,
      upcoming: ['2026-03-08T07:00:00.000Z', '2027-03-08T07:00:00.000Z', '2028-03-08T07:00:00.000Z'],
      action: {
        channel: 'VOICE',
        purpose: 'LAB_RESULTS',
        priority: 5,
        delaySeconds: 0,
        maxAttempts: 3,
        cancelOn: [],
      },
    });
    expect((await setActive(app, id, false)).trigger).toMatchObject({ active: false, nextFireAt: null });
    const changed = await rewrite(app, id, { kind: 'CRON', schedule: '0 9 * * *', name: 'Daily' });
    expect(changed.trigger).toMatchObject({ name: 'Daily', timeZone: 'UTC', nextFireAt: null });
    expect((await setActive(app, id, true)).trigger.nextFireAt).toBe('2026-03-04T09:00:00.000Z');
    expect((await rewrite(app, id)).fields[0].path).toEqual(['input', 'kind']);
    const nobody = randomUUID();
    expect(await setActive(app, nobody, true)).toMatchObject({ code: 'NOT_FOUND', id: nobody });
    expect(await rewrite(app, 'x')).toMatchObject({ code: 'NOT_FOUND' });
    const history = await app.world.history(app.workspaceId, id);
    expect(history.map(({ type }) => type)).toEqual([
      'trigger.created',
      'trigger.paused',
      'trigger.updated',
      'trigger.resumed',
    ]);
  }));

const preview = async (app: App, triggerId: string, given: object = {}) =>
  (
    await app.ask(
      `query ($triggerId: ID!, $patientId: ID, $data: JSONObject) { triggerPreview(triggerId: $triggerId, patientId: $patientId, data: $data) {
        patients sample { id } reason goal scheduledFor problem } }`,
      { triggerId, ...given },
    )
  ).data.triggerPreview;

test('firing by hand does what a dry run has told, and a dry run does nothing', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await trigger(app, {
      filter: { 'event.data.flag': 'H' },
      action: {
        reason: 'Your {{event.data.test}}',
        goal: 'Speak with {{patient.firstName}}',
        delaySeconds: 3_600,
      },
    });
    expect(await preview(app, id, { patientId, data: { test: 'A1c' } })).toMatchObject({
      patients: 1,
      reason: null,
      problem: expect.stringContaining('no default service'),
    });
    await setUp(app);
    expect(await preview(app, id, { patientId })).toMatchObject({ problem: 'There is no event.data.test.' });
    const data = { test: 'A1c' };
    const told = await preview(app, id, { patientId, data });
    expect(told).toMatchObject({
      patients: 1,
      sample: [{ id: patientId }],
      reason: 'Your A1c',
      goal: 'Speak with Ada',
      problem: null,
    });
    expect(await runsOf(app, id)).toEqual([]);
    const { run } = await fire(app, id, { patientId, data });
    expect(run).toMatchObject({
      status: 'SUCCEEDED',
      attempts: 1,
      error: null,
      trigger: { id },
      task: { status: 'SCHEDULED', reason: told.reason, goal: told.goal, trigger: { id } },
    });
    const apart = Date.parse(run.task.scheduledFor) - Date.parse(told.scheduledFor);
    expect(apart).toBeLessThan(5_000);
    expect((await fire(app, id, { data: { ...data, patientId } })).run.status).toBe('SUCCEEDED');
    expect((await fire(app, id, { patientId })).run).toMatchObject({
      status: 'FAILED',
      task: null,
      error: 'There is no event.data.test.',
    });
    expect(await fire(app, id, { patientId: randomUUID() })).toMatchObject({ code: 'PATIENT_NOT_FOUND' });
    expect(await fire(app, id)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await fire(app, randomUUID(), { patientId })).toMatchObject({ code: 'NOT_FOUND' });
    await setActive(app, id, false);
    expect(await fire(app, id, { patientId, data })).toMatchObject({
      code: 'ILLEGAL_TRANSITION',
      state: 'PAUSED',
    });
    const filtered = await app.ask(
      'query ($filter: TaskFilter) { outboundTasks(filter: $filter) { totalCount } }',
      { filter: { triggerId: id } },
    );
    expect(filtered.data.outboundTasks.totalCount).toBe(2);
  }));

test('a schedule fired by hand is for everybody whom its filter finds, and says so when that is nobody', () =>
  withApp(async (app) => {
    await setUp(app);
    await addPatient(app, '+12125550100');
    await addPatient(app, '+12125550101', 'Bo Busy');
    const all = await trigger(app, { kind: 'CRON', schedule: '0 9 * * *' });
    expect(await preview(app, all.id)).toMatchObject({ patients: 2 });
    expect((await fire(app, all.id)).run.status).toBe('SUCCEEDED');
    expect(await runsOf(app, all.id)).toHaveLength(2);
    const nobody = await trigger(app, { kind: 'CRON', schedule: '0 9 * * *', filter: { 'facts.x': 'y' } });
    expect(await fire(app, nobody.id)).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'NOBODY' });
  }));

test('what happens while a trigger is paused, or before it was there, fires nothing', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const result = { type: 'lab.result_received' };
    await record(app, patientId, result);
    const { id } = await trigger(app);
    const first = await record(app, patientId, result);
    await ranTimes(app, id, 1);
    await setActive(app, id, false);
    await record(app, patientId, result);
    await advance(app, '2026-03-03T19:10:00Z');
    await setActive(app, id, true);
    const last = await record(app, patientId, result);
    const runs = await ranTimes(app, id, 2);
    const causes = runs.map(
      ({ task }: { task: { events: { causationId: string }[] } }) => task.events[0]!.causationId,
    );
    expect(causes).toEqual([first, last]);
  }));

test('a trigger runs no faster than its cap: what is more waits for its minute, and nothing is lost', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await trigger(app, { maxRunsPerMinute: 3, action: { reason: 'r', delaySeconds: 86_400 } });
    for (let n = 0; n < 8; n += 1) await record(app, patientId, { type: 'lab.result_received', data: { n } });
    const done = async () =>
      (await runsOf(app, id)).filter(({ status }: { status: string }) => status === 'SUCCEEDED').length;
    await eventually(async () => (await runsOf(app, id)).length === 8);
    await eventually(async () => (await done()) === 3);
    const start = app.clock.now().getTime();
    await advance(app, new Date(start + 65_000).toISOString());
    expect(await done()).toBe(6);
    await advance(app, new Date(start + 130_000).toISOString());
    expect(await done()).toBe(8);
  }));

test('a trigger that leads to itself stops at the depth limit, with a dead letter that says so', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const loop = await trigger(app, {
      eventType: 'outbound.scheduled',
      action: { reason: 'Again', delaySeconds: 86_400 },
    });
    const echo = await trigger(app, {
      eventType: 'trigger.failed',
      action: { reason: 'It failed', delaySeconds: 86_400 },
    });
    await app.ask(
      `mutation ($id: ID!) { scheduleTask(input: { patientId: $id, reason: "First", scheduledFor: "2026-03-10T15:00:00Z" }) { __typename } }`,
      { id: patientId },
    );
    const runs = await ranTimes(app, loop.id, 6);
    expect(runs.map(({ status }: { status: string }) => status)).toEqual([
      ...Array.from({ length: 5 }, () => 'SUCCEEDED'),
      'DEAD',
    ]);
    expect(runs.at(-1)).toMatchObject({ task: null, error: expect.stringContaining('5 times in a row') });
    await advance(app, '2026-03-03T19:30:00Z');
    expect(await runsOf(app, loop.id)).toHaveLength(6);
    expect(await runsOf(app, echo.id)).toEqual([]); // what a loop's dead letter leads to is nothing
    const { data } = await app.ask(
      'query ($id: ID!) { events(entityId: $id, types: ["trigger.failed"]) { edges { node { patient { id } data } } } }',
      { id: loop.id },
    );
    expect(data.events.edges).toMatchObject([
      { node: { patient: { id: patientId }, data: { error: runs.at(-1).error } } },
    ]);
  }));

test('a run that was begun and never finished is begun again, and is dead when that happens too often', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await trigger(app, { maxRetries: 1 });
    await setActive(app, id, false);
    const begin = (runId: string, attempts: number) =>
      app.world
        .query(sql`insert into trigger_run (workspace_id, id, trigger_id, cause, status, fired_by, patient_id, depth,
          attempts, due_at, started_at, lease_until, created_at, payload)
        values (${app.workspaceId}, ${runId}, ${id}, ${runId}, 'RUNNING', 'webhook', ${patientId}, 1, ${attempts},
          ${app.clock.now()}, ${app.clock.now()}, ${new Date(app.clock.now().getTime() + 60_000)}, ${app.clock.now()}, null)`);
    await begin(randomUUID(), 1);
    await begin(randomUUID(), 2);
    await setActive(app, id, true);
    await advance(app, new Date(app.clock.now().getTime() + 70_000).toISOString());
    const runs = await runsOf(app, id);
    expect(
      runs.map(({ status, attempts }: { status: string; attempts: number }) => [status, attempts]).toSorted(),
    ).toEqual([
      ['DEAD', 3],
      ['SUCCEEDED', 2],
    ]);
  }));

test('what is set up wrong fails the run at once, and says why', () =>
  withApp(async (app) => {
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await trigger(app);
    await record(app, patientId, { type: 'lab.result_received' });
    const [run] = await ranTimes(app, id, 1);
    expect(run).toMatchObject({
      status: 'FAILED',
      attempts: 1,
      error: expect.stringContaining('no default service'),
    });
    await setUp(app);
    const campaign = await trigger(app, { eventType: 'trigger.created' });
    await trigger(app);
    const [nobody] = await ranTimes(app, campaign.id, 1);
    expect(nobody).toMatchObject({ status: 'FAILED', error: 'This event is about no patient.' });
  }));

test('a trigger that is deleted is there no more, but in what it has made, and what waits makes nothing', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100', 'Ada Lovelace');
    const made = await trigger(app, { action: { delaySeconds: 86_400 } });
    await record(app, patientId, { type: 'lab.result_received' });
    const [{ task }] = await ranTimes(app, made.id, 1);
    // A second run waits, because it is paused by then.
    await app.world
      .query(sql`insert into trigger_run select r.* from trigger_run t, jsonb_populate_record(null::trigger_run,
      to_jsonb(t) || jsonb_build_object('id', ${randomUUID()}::text, 'cause', 'later', 'status', 'QUEUED', 'task_id', null,
        'finished_at', null, 'due_at', '2030-01-01T00:00:00Z')) r where t.trigger_id = ${made.id}`);
    expect(await remove(app, made.id)).toMatchObject({ trigger: { id: made.id, active: false } });
    const again = { __typename: 'NotFoundError', code: 'NOT_FOUND' };
    expect(await remove(app, made.id)).toMatchObject(again);
    expect(await setActive(app, made.id, true)).toMatchObject(again);
    expect(await rewrite(app, made.id)).toMatchObject(again);
    expect(await fire(app, made.id, { patientId })).toMatchObject(again);
    expect((await app.ask('{ triggers { id } }')).data.triggers).toEqual([]);
    await record(app, patientId, { type: 'lab.result_received' });
    const runs = await ranTimes(app, made.id, 2);
    expect(runs.map(({ status, error }: { status: string; error: string }) => [status, error])).toEqual([
      ['SUCCEEDED', null],
      ['FAILED', 'The trigger was deleted.'],
    ]);
    const { data } = await app.ask(
      'query ($id: ID!) { outboundTask(id: $id) { status trigger { name deletedAt } } }',
      { id: task.id },
    );
    expect(data.outboundTask).toEqual({
      status: 'SCHEDULED',
      trigger: { name: 'A trigger', deletedAt: expect.any(String) },
    });
    const hook = await trigger(app, { kind: 'WEBHOOK' });
    await remove(app, hook.id);
    const { status } = await fetch(hook.webhook.url, { method: 'POST', body: '{}' });
    expect(status).toBe(403); // who cannot sign learns nothing of it
  }));
