/** Runs that are asked for: who is in them, how they are cancelled, and how they are watched. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';
import {
  campaignOf,
  cancelRun,
  created,
  ends,
  flu,
  memberOf,
  move,
  reaches,
  run,
  runOf,
  sumOf,
  tell,
  update,
  type Run,
} from './campaigns.ts';
import { dials, unlimited } from './tasks.ts';

const ours = '+14155550199';
const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';

/** Nothing is fed or dialled: a run stays as it was begun. */
const still = { ...unlimited, ROLE: 'api' };

/** Calls take seconds, so that something is under way when the test looks. */
const slow = { ...unlimited, SIM_PACE: '5' };

/** Numbers of people who answer and talk, each in another area. */
const talkers = ['212', '213', '312', '415', '617', '718', '303', '206'].map((area) => `+1${area}5550100`);

const addTalkers = async (app: App, count: number) => {
  const ids: string[] = [];
  for (const [i, phone] of talkers.slice(0, count).entries())
    ids.push(await addPatient(app, phone, `Talker ${i}`));
  return ids;
};

const isWhole = (seen: Run) => expect({ ...seen, sum: sumOf(seen) }).toEqual({ ...seen, sum: seen.eligible });

test('a campaign is run now by hand, and asked again meanwhile is the same run', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [patientId] = await addTalkers(app, 1);
    const id = await created(app);
    const first = await run(app, id);
    expect(first).toMatchObject({
      __typename: 'RunCampaignPayload',
      replayed: false,
      run: {
        status: 'RUNNING',
        manual: true,
        date: '2026-03-03',
        eligible: 1,
        pending: 1,
        exclusions: [],
        finishedAt: null,
        breakerReason: null,
        campaign: { id },
      },
    });
    expect(await run(app, id)).toMatchObject({ replayed: true, run: { id: first.run.id } });
    expect(await campaignOf(app, id)).toMatchObject({ status: 'DRAFT', nextRunAt: null }); // it is tried out
    const done = await ends(app, first.run.id);
    expect(done).toMatchObject({ answered: 1, finishedAt: expect.any(String), estimatedFinishAt: null });
    // Nobody twice on one date: who was a member today is left out of the next run.
    const again = await run(app, id);
    expect(again).toMatchObject({
      replayed: false,
      run: { status: 'COMPLETED', eligible: 0, exclusions: [{ reason: 'ACTIVE_CONTACT', count: 1 }] },
    });
    expect(await memberOf(app, again.run.id, patientId!)).toMatchObject({
      reason: 'ACTIVE_CONTACT',
      task: null,
    });
    expect(await dials(app, talkers[0]!)).toBe(1);
  }, unlimited));

test('a run that is asked for again with its key is the same one, also when it is over', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 1);
    const id = await created(app);
    const other = await created(app);
    const key = { idempotencyKey: 'today' };
    const first = await run(app, id, key);
    expect(first.replayed).toBe(false);
    expect(await run(app, id.toUpperCase(), key)).toMatchObject({
      replayed: true,
      run: { id: first.run.id },
    });
    const joined = await run(app, id, { idempotencyKey: 'joined' }); // by a key of its own, while it runs
    expect(joined).toMatchObject({ replayed: true, run: { id: first.run.id } });
    const conflict = { __typename: 'IdempotencyError', code: 'IDEMPOTENCY_CONFLICT' };
    expect(await run(app, other, key)).toMatchObject(conflict);
    expect(await run(app, id, { ...key, callList: [talkers[0]] })).toMatchObject(conflict);
    await cancelRun(app, first.run.id);
    for (const idempotencyKey of ['today', 'joined'])
      expect(await run(app, id, { idempotencyKey })).toMatchObject({
        replayed: true,
        run: { id: first.run.id, status: 'CANCELLED' },
      });
    const [rows] = await app.world.query<{ runs: number; keys: number }>(sql`select
      (select count(*)::int from campaign_run) as runs, (select count(*)::int from idempotency_key) as keys`);
    expect(rows).toEqual({ runs: 1, keys: 2 });
  }, still));

test('of many who run a campaign at once one begins it, whatever their keys', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 2);
    for (const keys of [[], ['one', 'one', 'one', 'one'], ['two', 'three', 'four', 'five']]) {
      const id = await created(app);
      const given = keys.length > 0 ? keys : [null, null, null, null];
      const answers = await Promise.all(given.map((idempotencyKey) => run(app, id, { idempotencyKey })));
      expect(new Set(answers.map((answer) => answer.run.id)).size).toBe(1);
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    }
    const [rows] = await app.world.query<{ runs: number; members: number }>(sql`select
      (select count(*)::int from campaign_run) as runs, (select count(*)::int from campaign_member) as members`);
    expect(rows).toEqual({ runs: 3, members: 6 });
  }, still));

test('a run of nobody is complete at once', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const id = await created(app, { audience: { tags: ['nobody'] } });
    const { run: empty } = await run(app, id);
    expect(empty).toMatchObject({
      status: 'COMPLETED',
      eligible: 0,
      pending: 0,
      cancelled: 0,
      exclusions: [],
    });
    expect(empty.finishedAt).not.toBeNull();
    expect(await runOf(app, empty.id)).toEqual(empty);
    expect(await cancelRun(app, empty.id)).toMatchObject({
      __typename: 'StateError',
      code: 'ILLEGAL_TRANSITION',
      state: 'COMPLETED',
    });
  }, still));

test('a call list is called whoever the audience is, and the law is kept', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [listed, unlisted] = await addTalkers(app, 2);
    await tell(app, { name: 'Member', phone: '+13035550100', tags: ['flu'] });
    const gone = await tell(app, { name: 'Died', phone: '+12155550100', status: 'DECEASED' });
    const optedOut = await addPatient(app, '+12165550100', 'Leave Me');
    await app.ask(`mutation { revokeConsent(patientId: "${optedOut}", reason: "stop") { __typename } }`);
    const id = await created(app, {
      audience: { tags: ['flu'] },
      allowlist: ['+13035550100'],
    });
    const callList = [talkers[0], '+12155550100', '+12165550100', talkers[0]];
    const asked = await run(app, id, { callList });
    expect(asked).toMatchObject({ replayed: false, run: { manual: true, eligible: 3, exclusions: [] } });
    const done = await ends(app, asked.run.id);
    expect(done).toMatchObject({ answered: 1, failed: 2, unanswered: 0, cancelled: 0, eligible: 3 });
    expect(await memberOf(app, done.id, listed!)).toMatchObject({
      reason: null,
      patient: { id: listed },
      task: { status: 'COMPLETED', attempts: 1, phone: talkers[0], decision: { allowed: true, blocks: [] } },
    });
    for (const [patientId, block] of [
      [gone, 'PATIENT_DECEASED'],
      [optedOut, 'DO_NOT_CONTACT'],
    ] as const) {
      const { reason, task } = await memberOf(app, done.id, patientId);
      expect({ reason, ...task }).toMatchObject({ reason: null, status: 'FAILED', attempts: 0, calls: [] });
      expect(task.decision.allowed).toBe(false);
      expect(task.decision.blocks).toContain(block);
    }
    expect(await memberOf(app, done.id, unlisted!)).toBeNull();
    const called = (await app.ledger()).filter(({ kind }) => kind === 'create').map(({ to }) => to);
    expect(called).toEqual([talkers[0]]);
    // Once on a date: the same list again finds everybody a member already.
    expect(await run(app, id, { callList })).toMatchObject({
      replayed: false,
      run: { status: 'COMPLETED', eligible: 0, exclusions: [{ reason: 'ACTIVE_CONTACT', count: 3 }] },
    });
  }, unlimited));

test('a call list that is wrong is refused, and nothing is begun', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 1);
    const id = await created(app);
    const missing = '+12125550187';
    const invalid = (...paths: string[][]) => ({
      __typename: 'InputError',
      code: 'INVALID_INPUT',
      fields: paths.map((path) => ({ path })),
    });
    const ask = (callList: unknown) => run(app, id, { callList, idempotencyKey: 'list' });
    expect(await ask([talkers[0], missing])).toMatchObject({
      __typename: 'NotFoundError',
      code: 'PATIENT_NOT_FOUND',
      message: expect.stringContaining(missing),
    });
    expect(await ask([])).toMatchObject(invalid(['callList']));
    expect(await ask(Array.from({ length: 1_001 }, () => talkers[0]))).toMatchObject(invalid(['callList']));
    expect(await ask([talkers[0], '', '212'])).toMatchObject(invalid(['callList', '1'], ['callList', '2']));
    for (const idempotencyKey of ['', 'x'.repeat(129), '\0'])
      expect(await run(app, id, { idempotencyKey })).toMatchObject(invalid(['idempotencyKey']));
    const [rows] = await app.world.query<{ runs: number; keys: number }>(sql`select
      (select count(*)::int from campaign_run) as runs, (select count(*)::int from idempotency_key) as keys`);
    expect(rows).toEqual({ runs: 0, keys: 0 });
    const thousand = Array.from({ length: 1_000 }, () => talkers[0]);
    expect(await ask(thousand)).toMatchObject({ replayed: false, run: { eligible: 1 } });
  }, still));

test('a list that is being called does not stand in the way of a run that was held', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 2);
    const id = await created(app, { audience: { tags: ['nobody'] } });
    const list = await run(app, id, { callList: [talkers[0]] });
    const other = await run(app, id, { callList: [talkers[1]] });
    expect(other.run.id).not.toBe(list.run.id);
    await app.world.query(
      sql`update campaign_run set status = 'STOPPED_BY_BREAKER' where id = ${other.run.id}`,
    );
    expect(await run(app, id)).toMatchObject({
      replayed: false,
      run: { id: other.run.id, status: 'RUNNING' },
    });
  }, still));

test('a list that is being called is not the run of the audience', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [listed, other] = await addTalkers(app, 2);
    const id = await created(app);
    const list = await run(app, id, { callList: [talkers[0]] });
    const audience = await run(app, id);
    expect(audience).toMatchObject({
      replayed: false,
      run: { status: 'RUNNING', eligible: 1, exclusions: [{ reason: 'ACTIVE_CONTACT', count: 1 }] },
    });
    expect(await memberOf(app, audience.run.id, listed!)).toMatchObject({ reason: 'ACTIVE_CONTACT' });
    expect(await memberOf(app, audience.run.id, other!)).toMatchObject({ reason: null });
    expect(await run(app, id)).toMatchObject({ replayed: true, run: { id: audience.run.id } });
    expect((await runOf(app, list.run.id)).status).toBe('RUNNING');
  }, still));

test('a call list in a sandbox reaches only whom the sandbox allows', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [allowed, other] = await addTalkers(app, 2);
    await app.ask(
      `mutation { setPolicy(input: { sandbox: true, allowlist: ["${talkers[0]}"] }) { __typename } }`,
    );
    const id = await created(app);
    const { run: begun } = await run(app, id, { callList: talkers.slice(0, 2) });
    expect(await ends(app, begun.id)).toMatchObject({ eligible: 2, answered: 1, failed: 1 });
    expect(await memberOf(app, begun.id, allowed!)).toMatchObject({ task: { status: 'COMPLETED' } });
    expect(await memberOf(app, begun.id, other!)).toMatchObject({
      reason: null,
      task: { status: 'FAILED', attempts: 0, calls: [], decision: { blocks: ['NOT_ALLOWLISTED'] } },
    });
    expect(await dials(app, talkers[1]!)).toBe(0);
  }, unlimited));

test("a run's date is its campaign's own", () =>
  withApp(async (app) => {
    await setUp(app, ours); // it is 19:00 in London on 3 March
    for (const [timeZone, date] of [
      ['Asia/Tokyo', '2026-03-04'],
      ['Pacific/Honolulu', '2026-03-03'],
    ])
      expect(await run(app, await created(app, { timeZone }))).toMatchObject({ run: { date } });
  }, still));

test('a run that is held or stopped is cancelled like one that runs, and tells why it was stopped', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 1);
    const held = await created(app);
    await move(app, 'activateCampaign', held);
    const { run: paused } = await run(app, held);
    await move(app, 'pauseCampaign', held);
    expect(await cancelRun(app, paused.id)).toMatchObject({
      run: { status: 'CANCELLED', cancelled: 1, pending: 0 },
    });
    await move(app, 'activateCampaign', held);
    expect(await runOf(app, paused.id)).toMatchObject({ status: 'CANCELLED', breakerReason: 'cancelled' });
    const { run: stopped } = await run(app, await created(app));
    await app.world.query(
      sql`update campaign_run set status = 'STOPPED_BY_BREAKER', breaker_reason = 'The carrier failed.' where id = ${stopped.id}`,
    );
    expect(await cancelRun(app, stopped.id)).toMatchObject({
      run: { status: 'CANCELLED', breakerReason: 'The carrier failed.' },
    });
  }, still));

test('a run that is cancelled takes back whoever waits, and lets the calls in flight end', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 8);
    const id = await created(app, { maxConcurrentCalls: 2 });
    const { run: begun } = await run(app, id);
    await reaches(app, begun.id, ({ inFlight }) => inFlight === 2);
    const cancelled = await cancelRun(app, begun.id.toUpperCase());
    expect(cancelled).toMatchObject({
      __typename: 'RunCampaignPayload',
      replayed: false,
      run: { id: begun.id, status: 'CANCELLED', breakerReason: 'cancelled', estimatedFinishAt: null },
    });
    isWhole(cancelled.run);
    expect(await cancelRun(app, begun.id)).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'CANCELLED' });
    const done = await reaches(app, begun.id, ({ inFlight, pending }) => inFlight + pending === 0);
    const { answered } = done;
    expect(answered).toBeGreaterThanOrEqual(2);
    expect(answered).toBeLessThan(8);
    expect(done).toMatchObject({ status: 'CANCELLED', unanswered: 0, failed: 0, cancelled: 8 - answered });
    const { data } = await app.ask(
      '{ outboundTasks { edges { node { status campaign { id } } } } calls { edges { node { status } } } }',
    );
    const statuses = data.outboundTasks.edges.map(({ node }: { node: { status: string } }) => node.status);
    expect(statuses.toSorted()).toEqual([
      ...Array.from({ length: 8 - answered }, () => 'CANCELLED'),
      ...Array.from({ length: answered }, () => 'COMPLETED'),
    ]);
    const calls = data.calls.edges.map(({ node }: { node: { status: string } }) => node.status);
    expect(calls).toEqual(Array.from({ length: answered }, () => 'COMPLETED'));
  }, slow));

test('a campaign that is paused dials nobody new, and once active again whoever is left, each once', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 6);
    const id = await created(app, { maxConcurrentCalls: 1 });
    await move(app, 'activateCampaign', id);
    const { run: begun } = await run(app, id);
    await reaches(app, begun.id, ({ inFlight }) => inFlight === 1);
    await move(app, 'pauseCampaign', id);
    expect(await run(app, id)).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'PAUSED' });
    const held = await reaches(app, begun.id, ({ inFlight }) => inFlight === 0);
    expect(held).toMatchObject({
      status: 'PAUSED',
      cancelled: 0,
      pending: 6 - held.answered,
      finishedAt: null,
    });
    await move(app, 'activateCampaign', id);
    expect((await runOf(app, begun.id)).status).toBe('RUNNING');
    await app.ask('mutation { advanceClock(to: "2026-03-03T19:04:00Z") }');
    expect(await ends(app, begun.id)).toMatchObject({ answered: 6, cancelled: 0 });
    expect(await Promise.all(talkers.slice(0, 6).map((phone) => dials(app, phone)))).toEqual([
      1, 1, 1, 1, 1, 1,
    ]);
  }, slow));

test('whoever has not been called yet is called as a campaign is told meanwhile', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 3);
    const id = await created(app, { maxConcurrentCalls: 1 });
    const { run: begun } = await run(app, id);
    await reaches(app, begun.id, ({ inFlight }) => inFlight === 1);
    const told = { reason: 'Another reason', goal: 'A goal', purpose: 'POST_DISCHARGE_FOLLOW_UP' };
    const { data: updated } = await update(app, id, { ...told, maxConcurrentCalls: 2 });
    expect(updated.result.campaign).toMatchObject(told);
    await ends(app, begun.id);
    const { data } = await app.ask('{ calls { edges { node { reason goal purpose } } } }');
    const first = { reason: flu.reason, goal: null, purpose: flu.purpose };
    expect(data.calls.edges.map(({ node }: { node: object }) => node)).toEqual([told, told, first]);
  }, slow));

test('a campaign that is archived ends its runs', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 2);
    const id = await created(app);
    const { run: begun } = await run(app, id);
    await move(app, 'archiveCampaign', id);
    expect(await runOf(app, begun.id)).toMatchObject({
      status: 'CANCELLED',
      cancelled: 2,
      breakerReason: 'the campaign was archived',
    });
    expect(await run(app, id)).toMatchObject({ code: 'ILLEGAL_TRANSITION', state: 'ARCHIVED' });
  }, still));

test('a run that is not there is not cancelled', () =>
  withApp(async (app) => {
    for (const id of [unknownId, 'nonsense', '', '\0'])
      expect(await cancelRun(app, id)).toMatchObject({ __typename: 'NotFoundError', code: 'NOT_FOUND', id });
  }, still));

test('anybody can ask why a patient was not in a run', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const invited = { tags: ['flu'] };
    const member = await tell(app, { ...invited, name: 'Member', phone: '+12125550100' });
    const left: Record<string, string> = {
      PATIENT_INACTIVE: await tell(app, {
        ...invited,
        name: 'Moved',
        phone: '+12135550100',
        status: 'INACTIVE',
      }),
      PATIENT_DECEASED: await tell(app, {
        ...invited,
        name: 'Died',
        phone: '+12155550100',
        status: 'DECEASED',
      }),
      PATIENT_TEST: await tell(app, { ...invited, name: 'Test', phone: '+12165550100', status: 'TEST' }),
      PHONE_MISSING: await tell(app, { ...invited, name: 'No Number' }),
      PHONE_INVALID: await tell(app, { ...invited, name: 'Invalid', phone: '+1212' }),
      NOT_ALLOWLISTED: await tell(app, { ...invited, name: 'Premium', phone: '+19005550150' }),
      CONSENT_REVOKED: await tell(app, { ...invited, name: 'Revoked', phone: '+12175550100' }),
      CHANNEL_BLOCKED: await tell(app, { ...invited, name: 'No Voice', phone: '+12185550100' }),
    };
    const outsider = await tell(app, { name: 'Outsider', phone: '+12195550100' });
    await app.ask(
      `mutation { revokeConsent(patientId: "${left['CONSENT_REVOKED']}", channels: [VOICE], reason: "no") { __typename }
        setContactPreferences(patientId: "${left['CHANNEL_BLOCKED']}", input: { blockedChannels: [VOICE] }) { __typename } }`,
    );
    const id = await created(app, { audience: invited });
    const { run: begun } = await run(app, id);
    expect(begun).toMatchObject({ eligible: 1, pending: 1 });
    expect(begun.exclusions).toEqual(
      Object.keys(left)
        .toSorted()
        .map((reason) => ({ reason, count: 1 })),
    );
    expect(await memberOf(app, begun.id, member.toUpperCase())).toEqual({
      reason: null,
      patient: { id: member },
      task: null,
    });
    for (const [reason, patientId] of Object.entries(left))
      expect(await memberOf(app, begun.id, patientId)).toEqual({
        reason,
        patient: { id: patientId },
        task: null,
      });
    for (const patientId of [outsider, unknownId, 'nonsense', ''])
      expect(await memberOf(app, begun.id, patientId)).toBeNull();
  }, still));

test('calls and tasks tell their campaign and are found by it, and what is no id is nobody', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [patientId] = await addTalkers(app, 1);
    const other = await addPatient(app, '+12125550101', 'Bo Busy');
    const id = await created(app, { audience: {}, allowlist: [talkers[0]] });
    const { run: begun } = await run(app, id);
    await ends(app, begun.id);
    await app.ask('mutation ($input: PlaceCallInput!) { placeCall(input: $input) { __typename } }', {
      input: { patientId: other, phoneFrom: ours, reason: 'Check-up' },
    });
    const found = async (filter: object) => {
      const { data, errors } = await app.ask(
        `query ($calls: CallFilter, $tasks: TaskFilter) {
          calls(filter: $calls) { edges { node { patient { id } campaign { id } task { campaign { id } } } } }
          outboundTasks(filter: $tasks) { totalCount edges { node { patient { id } campaign { id } } } } }`,
        { calls: filter, tasks: filter },
      );
      expect({ filter, errors }).toEqual({ filter, errors: undefined });
      const nodes = (list: { edges: { node: object }[] }) => list.edges.map(({ node }) => node);
      return { calls: nodes(data.calls), tasks: nodes(data.outboundTasks) };
    };
    const ofCampaign = { patient: { id: patientId }, campaign: { id } };
    const fitting = { calls: [{ ...ofCampaign, task: { campaign: { id } } }], tasks: [ofCampaign] };
    for (const filter of [
      { campaignId: id },
      { campaignId: id.toUpperCase() },
      { campaignId: id, patientId: patientId!.toUpperCase() },
    ])
      expect({ filter, ...(await found(filter)) }).toEqual({ filter, ...fitting });
    expect(await found({ patientId: other })).toEqual({
      calls: [{ patient: { id: other }, campaign: null, task: null }],
      tasks: [],
    });
    const made = await app.ask(
      'mutation { createApiKey(name: "x", scopes: ["calls:read", "tasks:read"]) { ... on ApiKeyPayload { secret } } }',
    );
    for (const list of ['calls', 'outboundTasks']) {
      const document = `{ ${list}(filter: { campaignId: "${id}" }) { edges { node { campaign { id } } } } }`;
      const { data, errors } = await app.ask(document, {}, made.data.createApiKey.secret);
      expect(data[list].edges).toEqual([{ node: { campaign: null } }]);
      expect(errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['FORBIDDEN']);
    }
    for (const name of ['campaignId', 'patientId']) {
      for (const value of [unknownId, 'nonsense', '', '\0', `${id}0`, id.replaceAll('-', '')])
        expect({ name, value, ...(await found({ [name]: value })) }).toEqual({
          name,
          value,
          calls: [],
          tasks: [],
        });
    }
    expect(await found({ campaignId: id, patientId: other })).toEqual({ calls: [], tasks: [] });
  }, unlimited));

test('the activity of a campaign is told by its id, also when it is written in capitals', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [patientId] = await addTalkers(app, 1);
    await addPatient(app, '+12125550101', 'Bo Busy');
    const id = await created(app, { allowlist: [talkers[0]] });
    const other = await created(app, { allowlist: ['+12125550101'] });
    const updates = app.client().iterate<{ callActivity: { status: string; campaign: { id: string } } }>({
      query:
        'subscription ($filter: CallFilter) { callActivity(filter: $filter) { status campaign { id } } }',
      variables: { filter: { campaignId: id.toUpperCase(), patientId: patientId!.toUpperCase() } },
    });
    const told: string[] = [];
    const listening = (async () => {
      for await (const { data } of updates) {
        told.push(`${data!.callActivity.campaign.id} ${data!.callActivity.status}`);
        if (data!.callActivity.status === 'COMPLETED') break;
      }
    })();
    await eventually(async () =>
      (await (await fetch(`${app.url}/metrics`)).text()).includes('callwell_live_subscribers 1'),
    );
    await ends(app, (await run(app, other)).run.id);
    await ends(app, (await run(app, id)).run.id);
    await listening;
    expect([...new Set(told.map((line) => line.split(' ')[0]))]).toEqual([id]);
    expect(told.at(0)).toBe(`${id} QUEUED`);
  }, unlimited));

test('a run is watched from what it is now to its end, and its counts sum all the way', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    await addTalkers(app, 5);
    const id = await created(app, { maxConcurrentCalls: 2 });
    const { run: begun } = await run(app, id);
    const updates = app.client().iterate<{ campaignRunUpdated: Run }>({
      query: `subscription ($id: ID!) { campaignRunUpdated(id: $id) {
        id status eligible pending inFlight answered unanswered failed cancelled finishedAt } }`,
      variables: { id: begun.id.toUpperCase() },
    });
    const seen: Run[] = [];
    for await (const { data, errors } of updates) {
      expect(errors).toBeUndefined();
      const told = data!.campaignRunUpdated;
      isWhole(told);
      seen.push(told);
      if (told.status === 'COMPLETED') break;
    }
    expect(seen[0]).toMatchObject({ id: begun.id, status: 'RUNNING', eligible: 5, finishedAt: null });
    expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED', answered: 5, finishedAt: expect.any(String) });
    const answered = seen.map((told) => told.answered);
    expect(answered).toEqual(answered.toSorted((a, b) => a - b));
    expect(seen.some(({ inFlight }) => inFlight > 0)).toBe(true);
    expect(seen.length).toBeGreaterThan(2);
    for (const unknown of [unknownId, 'nonsense', '']) {
      const nothing = app
        .client()
        .iterate({ query: `subscription { campaignRunUpdated(id: "${unknown}") { id } }` });
      const { value } = await nothing.next();
      expect(value.errors[0].extensions).toMatchObject({ code: 'NOT_FOUND' });
    }
  }, slow));
