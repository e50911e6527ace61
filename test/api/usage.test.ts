/** Call minutes of a month: counted from the calls, limited, and told of before they are used up. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openLogger } from '../../src/logger.ts';
import { watchUsage } from '../../src/usage.ts';
import { eventually } from '../support/eventually.ts';
import { addPatient, isOver, placeCall, setUp, withApp, type App } from '../support/program.ts';
import { scheduled } from './tasks.ts';

const limit = async (app: App, args: string, key = app.key) =>
  app.ask(
    `mutation { setUsageLimit(${args}) { __typename ... on Error { code }
      ... on PolicyPayload { workspace { usage { month callMinutes limitMinutes alertPercents reachedPercent } } } } }`,
    {},
    key,
  );

const usageOf = async (app: App) =>
  (await app.ask('{ workspace { usage { month callMinutes limitMinutes alertPercents reachedPercent } } }'))
    .data.workspace.usage;

/** Places a call that somebody answers, and waits for its end. */
async function call(app: App, phone: string): Promise<void> {
  const patientId = await addPatient(app, phone, `Person ${phone}`);
  const { data } = await app.ask(placeCall, {
    input: { patientId, reason: 'Check-up', phoneFrom: '+14155550199', basis: 'PRIOR_EXPRESS' },
  });
  expect(data.placeCall.__typename).toBe('PlaceCallPayload');
  await app.follow(data.placeCall.call.id as string, isOver);
}

/** The minutes as the log has them, whatever rows say. */
async function recounted(app: App): Promise<number> {
  const [row] = await app.world.query<{ minutes: number }>(sql`
    select coalesce(sum(ceil((data ->> 'durationSeconds')::int / 60.0)), 0)::int as minutes from event
    where entity_type = 'CALL' and type in ('call.completed', 'call.busy', 'call.no_answer', 'call.failed', 'call.canceled')
      and data ? 'durationSeconds'`);
  return row!.minutes;
}

test('the minutes of a month are those of its calls, recounted from the log, and alerts are told once', () => {
  const lines: string[] = [];
  const log = openLogger({ level: 'info', pretty: false, write: (line) => void lines.push(line) });
  return withApp(
    async (app) => {
      await setUp(app);
      for (const phone of ['+12125550100', '+13125550100', '+12125550101', '+12125550108'])
        await call(app, phone);
      const used = await recounted(app);
      expect(used).toBeGreaterThanOrEqual(3);
      expect(await usageOf(app)).toEqual({
        month: '2026-03',
        callMinutes: used,
        limitMinutes: null,
        alertPercents: [],
        reachedPercent: null,
      });
      const set = await limit(app, `limitMinutes: ${used + 1}, alertPercents: [100, 50, 10]`);
      expect(set.data.setUsageLimit.workspace.usage).toEqual({
        month: '2026-03',
        callMinutes: used,
        limitMinutes: used + 1,
        alertPercents: [10, 50, 100],
        reachedPercent: 50,
      });
      await watchUsage({ world: app.world, log }, app.clock.now());
      await watchUsage({ world: app.world, log }, app.clock.now());
      expect(lines.filter((line) => line.includes('50 % of its call minutes'))).toHaveLength(1);
    },
    {},
    log,
  );
});

test('once the minutes are used up nobody is called, tasks wait for the next month, and then all goes on', () =>
  withApp(async (app) => {
    await setUp(app);
    await call(app, '+12125550100');
    await limit(app, 'limitMinutes: 1');
    const patientId = await addPatient(app, '+12125550122', 'Grace Hopper');
    const input = { patientId, reason: 'Check-up', phoneFrom: '+14155550199', basis: 'PRIOR_EXPRESS' };
    const refused = (await app.ask(placeCall, { input })).data.placeCall;
    expect(refused).toMatchObject({ __typename: 'LimitError', code: 'USAGE_LIMIT_EXCEEDED' });
    const april = Date.parse('2026-04-01T00:00:00Z');
    expect(refused.retryAfterSeconds).toBeCloseTo((april - app.clock.now().getTime()) / 1000, -2);
    const task = await scheduled(app, { patientId });
    const waiting = await eventually(async () => {
      const { data } = await app.ask(
        'query ($id: ID!) { outboundTask(id: $id) { status nextAttemptAt nextAttemptReason } }',
        {
          id: task.id,
        },
      );
      return Date.parse(data.outboundTask.nextAttemptAt as string) >= april ? data.outboundTask : null;
    });
    expect(waiting).toMatchObject({
      status: 'SCHEDULED',
      nextAttemptReason: expect.stringContaining('call minutes'),
    });
    expect((await app.ledger()).filter(({ kind }) => kind === 'create')).toHaveLength(1);
    const raised = await limit(app, 'limitMinutes: 0');
    expect(raised.data.setUsageLimit.workspace.usage.limitMinutes).toBeNull();
    expect((await app.ask(placeCall, { input })).data.placeCall.__typename).toBe('PlaceCallPayload');
  }));

test('only who keeps the organization sets limits, for any workspace, and bad ones change nothing', () =>
  withApp(async (app) => {
    const { data } = await app.ask(
      'mutation { createWorkspace(name: "B") { ... on WorkspacePayload { secret workspace { id } } } }',
    );
    const { secret, workspace } = data.createWorkspace;
    expect((await limit(app, 'limitMinutes: 9', secret)).errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    expect(
      (await limit(app, `workspaceId: "${workspace.id}", limitMinutes: 9`)).data.setUsageLimit.__typename,
    ).toBe('PolicyPayload');
    const theirs = await app.ask('{ workspace { usage { limitMinutes alertPercents } } }', {}, secret);
    expect(theirs.data.workspace.usage).toEqual({ limitMinutes: 9, alertPercents: [80, 100] });
    expect((await usageOf(app)).limitMinutes).toBeNull();
    const unknown = `workspaceId: "019cb512-49bb-75c6-bcc5-850ea298a934", limitMinutes: 9`;
    expect((await limit(app, unknown)).data.setUsageLimit.code).toBe('NOT_FOUND');
    for (const bad of [
      'limitMinutes: -1',
      'limitMinutes: 5, alertPercents: [0]',
      'limitMinutes: 5, alertPercents: [101]',
    ])
      expect((await limit(app, bad)).data.setUsageLimit.code).toBe('INVALID_INPUT');
    expect((await usageOf(app)).limitMinutes).toBeNull();
  }));
