/** What events, opt-outs, direct calls and new numbers do to a task that waits, or is just being attempted. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, isOver, placeCall, setUp, withApp, type App } from '../support/program.ts';
import {
  becomes,
  dials,
  inSeconds,
  scheduled,
  taskOf,
  typesOf,
  unlimited,
  upsert,
  type Input,
  type Task,
} from './tasks.ts';

const ours = '+14155550199';
const later = '2026-03-04T15:00:00.000Z';
const cancelOn = ['appointment.cancelled'];
const areas = [202, 212, 213, 303, 312, 404, 415, 503, 512, 602, 617, 702];

const recordEvent = `mutation ($input: RecordEventInput!) {
  recordEvent(input: $input) { ... on RecordEventPayload { event { id } } ... on Error { code message } } }`;

/** Tells that something has happened to a patient; the event's id. */
async function tell(app: App, patientId: string, more: Input = {}): Promise<string> {
  const input = { patientId, type: 'appointment.cancelled', data: {}, sourceSystem: 'ehr', ...more };
  const { data, errors } = await app.ask(recordEvent, { input });
  expect(errors).toBeUndefined();
  return data.recordEvent.event.id as string;
}

/** How many transactions have written these events. */
async function transactionsOf(app: App, ids: string[]): Promise<number> {
  const [row] = await app.world.query<{ count: number }>(
    sql`select count(distinct xmin::text)::int as count from event where id = any(${ids})`,
  );
  return row!.count;
}

const ending = (task: Task) => {
  const { id: _id, version: _version, actor: _actor, ...event } = task.events.at(-1)!;
  return event;
};

test('an event that makes waiting tasks pointless cancels them in the transaction that records it, and no others', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [ada, bob] = [await addPatient(app, '+12125550100'), await addPatient(app, '+12125550100', 'Bob')];
    const make = (more: Input) => scheduled(app, { scheduledFor: later, ...more });
    const waiting = await make({ patientId: ada, cancelOn });
    const snoozed = await make({ patientId: ada, cancelOn: ['lab.result_received', ...cancelOn] });
    await app.ask(
      `mutation { snoozeTask(id: "${snoozed.id}", until: "2026-03-05T15:00:00Z") { __typename } }`,
    );
    const others = await Promise.all([
      make({ patientId: bob, cancelOn }),
      make({ patientId: ada }),
      make({ patientId: ada, cancelOn: ['appointment.booked', 'ext.appointment.cancelled'] }),
    ]);
    const cause = await tell(app, ada);
    const pointless = await Promise.all([taskOf(app, waiting.id), taskOf(app, snoozed.id)]);
    for (const task of pointless) {
      expect(task).toMatchObject({ status: 'CANCELLED', nextAttemptAt: null, attempts: 0 });
      expect(ending(task)).toEqual({
        type: 'outbound.cancelled',
        data: { reason: 'appointment.cancelled' },
        causationId: cause,
      });
    }
    expect(await transactionsOf(app, [cause, ...pointless.map((task) => task.events.at(-1)!.id)])).toBe(1);
    for (const { id } of others) expect((await taskOf(app, id)).status).toBe('SCHEDULED');
    const again = await tell(app, ada);
    expect(again).not.toBe(cause);
    for (const task of pointless) expect(await taskOf(app, task.id)).toEqual(task);
    await tell(app, ada, { type: 'ext.appointment.cancelled' });
    expect((await taskOf(app, others[2].id)).status).toBe('CANCELLED');
  }, unlimited));

test('an imported resource that becomes such an event cancels the task, of its own patient only', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [ada, bob] = [await upsert(app, 'ada', '+12125550100'), await upsert(app, 'bob', '+12135550100')];
    const discharge = { cancelOn: ['encounter.discharged'], scheduledFor: later };
    const waiting = await scheduled(app, { patientId: ada, ...discharge });
    const others = [
      await scheduled(app, { patientId: bob, ...discharge }),
      await scheduled(app, { patientId: ada, ...discharge, cancelOn: ['condition.recorded'] }),
    ];
    const resource = {
      resourceType: 'Encounter',
      id: 'e1',
      status: 'finished',
      subject: { reference: 'Patient/ada' },
      period: { start: '2026-03-01T10:00:00Z', end: '2026-03-02T10:00:00Z' },
    };
    const query = `mutation ($file: File!) { importPatients(file: $file, format: FHIR_NDJSON, sourceSystem: "ehr") {
      ... on ImportPatientsPayload { accepted } ... on Error { code message } } }`;
    const form = new FormData();
    form.set('operations', JSON.stringify({ query, variables: { file: null } }));
    form.set('map', JSON.stringify({ 0: ['variables.file'] }));
    form.set('0', new File([JSON.stringify(resource)], 'encounters.ndjson'));
    const headers = { authorization: `Bearer ${app.key}` };
    const answer = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
    expect(await answer.json()).toMatchObject({ data: { importPatients: { accepted: 1 } } });
    const task = await taskOf(app, waiting.id);
    expect(task.status).toBe('CANCELLED');
    const { causationId, data } = ending(task);
    expect(data).toEqual({ reason: 'encounter.discharged' });
    expect(await transactionsOf(app, [causationId!, task.events.at(-1)!.id])).toBe(1);
    for (const { id } of others) expect((await taskOf(app, id)).status).toBe('SCHEDULED');
  }, unlimited));

test('an event that comes while the phone rings cancels what would be tried again, and nothing that was achieved', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const [nobody, person, other] = await Promise.all(
        ['+12125550102', '+12125550100', '+12135550102'].map((phone) => upsert(app, phone.slice(1), phone)),
      );
      const make = (patientId: string) => scheduled(app, { patientId, cancelOn });
      const [ringing, answered, unaware] = [await make(nobody!), await make(person!), await make(other!)];
      await eventually(async () =>
        (await Promise.all([ringing, answered, unaware].map(({ id }) => taskOf(app, id)))).every(
          ({ status }) => status !== 'SCHEDULED',
        ),
      );
      await tell(app, nobody!);
      await tell(app, person!);
      expect((await taskOf(app, ringing.id)).status).toBe('DISPATCHED');
      const task = await becomes(app, ringing.id, 'CANCELLED', 'SCHEDULED');
      expect(task).toMatchObject({
        status: 'CANCELLED',
        attempts: 1,
        lastOutcome: 'no_answer',
        nextAttemptAt: null,
      });
      expect(typesOf(task)).toEqual([
        'outbound.scheduled',
        'outbound.dispatched',
        'outbound.attempt_failed',
        'outbound.cancelled',
      ]);
      expect(ending(task).data).toEqual({ reason: 'appointment.cancelled' });
      expect((await becomes(app, answered.id, 'COMPLETED')).lastOutcome).toBe('completed');
      await eventually(async () => (await taskOf(app, unaware.id)).attempts === 1);
      await eventually(async () => (await taskOf(app, unaware.id)).status === 'SCHEDULED');
    },
    { ...unlimited, SIM_PACE: '10' },
  ));

test('an event that was told before the dial and recorded after it cancels what would be tried again', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const patientId = await addPatient(app, '+12125550102');
      // Somebody else holds the idempotency key until the phone rings.
      const holder = await app.world.orm.em.getConnection().getClient().startTransaction().execute();
      await sql`insert into idempotency_key (workspace_id, key, operation, input_hash, result_id, created_at)
      select id, 'held', 'recordEvent', '', gen_random_uuid(), now() from workspace`.execute(holder);
      const telling = tell(app, patientId, { idempotencyKey: 'held' });
      await eventually(async () => {
        const [row] = await app.world.query<{ waits: boolean }>(
          sql`select exists (select from pg_locks where not granted) as waits`,
        );
        return row!.waits;
      });
      const { id } = await scheduled(app, { patientId, cancelOn });
      await becomes(app, id, 'DISPATCHED');
      await holder.rollback().execute();
      await telling;
      expect(await becomes(app, id, 'CANCELLED', 'SCHEDULED')).toMatchObject({
        status: 'CANCELLED',
        attempts: 1,
      });
    },
    { ...unlimited, SIM_PACE: '10' },
  ));

test('of an event and the dispatcher that reach a task at once, either it is cancelled or it is dialled', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const ends = await Promise.all(
      areas.map(async (area, i) => {
        const phone = `+1${area}5550100`;
        const patientId = await addPatient(app, phone, `P ${i}`);
        const { id, scheduledFor } = await scheduled(app, {
          patientId,
          cancelOn,
          scheduledFor: inSeconds(app, 1),
        });
        await eventually(() => app.clock.now().getTime() >= Date.parse(scheduledFor) - 24 + 12 * i);
        await tell(app, patientId);
        const { status, attempts, calls } = await becomes(app, id, 'CANCELLED', 'COMPLETED');
        return { status, attempts, calls: calls.length, dials: await dials(app, phone) };
      }),
    );
    for (const end of ends) {
      const made = end.status === 'COMPLETED' ? 1 : 0;
      expect(end).toEqual({ status: end.status, attempts: made, calls: made, dials: made });
    }
  }, unlimited));

/** Takes consent back, of some channels or of everything. */
async function revoke(app: App, patientId: string, channels: string[] | null): Promise<string> {
  const { data, errors } = await app.ask(
    `mutation ($id: ID!, $channels: [Channel!]) { revokeConsent(patientId: $id, channels: $channels, reason: "asked") {
      ... on PatientPayload { event { id } } ... on Error { code message } } }`,
    { id: patientId, channels },
  );
  expect(errors).toBeUndefined();
  return data.revokeConsent.event.id as string;
}

test('an opt-out cancels every waiting task at that number at once, whoever shares it', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const shared = '+12125550100';
    const [ada, bob] = [await addPatient(app, shared, 'Ada'), await addPatient(app, shared, 'Bob')];
    const cara = await addPatient(app, '+12135550100', 'Cara');
    const make = (more: Input) => scheduled(app, { scheduledFor: later, ...more });
    const gone = await Promise.all([
      make({ patientId: ada }),
      make({ patientId: bob }),
      make({ patientId: cara, phone: shared }),
    ]);
    const kept = await Promise.all([
      make({ patientId: cara }),
      make({ patientId: ada, phone: '+13035550100' }),
    ]);
    const cause = await revoke(app, ada, null);
    const ended = await Promise.all(gone.map(({ id }) => taskOf(app, id)));
    for (const task of ended) {
      expect(task.status).toBe('CANCELLED');
      expect(ending(task)).toEqual({
        type: 'outbound.cancelled',
        data: { reason: 'contact.opted_out' },
        causationId: cause,
      });
    }
    expect(await transactionsOf(app, [cause, ...ended.map((task) => task.events.at(-1)!.id)])).toBe(1);
    for (const { id } of kept) expect((await taskOf(app, id)).status).toBe('SCHEDULED');

    for (const patientId of [ada, bob]) {
      const late = await scheduled(app, { patientId });
      const task = await becomes(app, late.id, 'FAILED');
      expect(typesOf(task)).toEqual(['outbound.scheduled', 'outbound.blocked', 'outbound.failed']);
      expect(task.decision).toMatchObject({
        allowed: false,
        blocks: expect.arrayContaining(['DO_NOT_CONTACT']),
      });
      expect(task).toMatchObject({ attempts: 0, calls: [], nextAttemptAt: null });
    }
    expect(await dials(app, shared)).toBe(0);
  }, unlimited));

test("consent that is taken back for some channels cancels that patient's tasks on these, and nobody else's", () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const shared = '+12125550100';
    const [ada, bob] = [await addPatient(app, shared, 'Ada'), await addPatient(app, shared, 'Bob')];
    const mine = await scheduled(app, { patientId: ada, scheduledFor: later });
    const theirs = await scheduled(app, { patientId: bob, scheduledFor: later });
    await revoke(app, ada, ['TEXT', 'VOICEMAIL']);
    expect((await taskOf(app, mine.id)).status).toBe('SCHEDULED');
    const cause = await revoke(app, ada, ['TEXT', 'VOICE']);
    expect(ending(await taskOf(app, mine.id))).toEqual({
      type: 'outbound.cancelled',
      data: { reason: 'contact.consent_revoked' },
      causationId: cause,
    });
    expect((await taskOf(app, theirs.id)).status).toBe('SCHEDULED');
    const late = await becomes(app, (await scheduled(app, { patientId: ada })).id, 'FAILED');
    expect(late.decision).toMatchObject({ blocks: ['CONSENT_REVOKED'] });
    expect(await dials(app, shared)).toBe(0);
  }, unlimited));

test("an opt-out concerns the number that a task would call, which is the patient's own as it is now", () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [old, recent] = ['+12125550100', '+12135550100'];
    const ada = await upsert(app, 'ada', old);
    const stranger = await upsert(app, 'stranger', old);
    const follows = await scheduled(app, { patientId: ada, scheduledFor: later });
    const named = await scheduled(app, { patientId: ada, phone: old, scheduledFor: later });
    await upsert(app, 'ada', recent);
    await revoke(app, stranger, null);
    expect((await taskOf(app, named.id)).status).toBe('CANCELLED');
    expect((await taskOf(app, follows.id)).status).toBe('SCHEDULED');
    await revoke(app, ada, null);
    expect((await taskOf(app, follows.id)).status).toBe('CANCELLED');
  }, unlimited));

const place = async (app: App, input: Input) => {
  const { data, errors } = await app.ask(placeCall, { input: { phoneFrom: ours, reason: 'Now', ...input } });
  expect(errors).toBeUndefined();
  return data.placeCall;
};

test('a direct call for a task is its attempt: it is dispatched with it and completed by it', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const patientId = await addPatient(app, '+12125550100');
      const { id } = await scheduled(app, { patientId, scheduledFor: later });
      const { call } = await place(app, { patientId, taskId: id.toUpperCase() });
      const task = await taskOf(app, id);
      expect(task).toMatchObject({
        status: 'DISPATCHED',
        attempts: 1,
        nextAttemptAt: null,
        phone: '+12125550100',
      });
      expect(task.calls).toMatchObject([{ id: call.id, origin: 'API', task: { id } }]);
      expect(task.decision).toMatchObject({ allowed: true, blocks: [] });
      for (const more of [{}, { phoneTo: '+13035550100', basis: 'PRIOR_EXPRESS' }]) {
        expect(await place(app, { patientId, taskId: id, ...more })).toMatchObject({
          __typename: 'StateError',
          code: 'ILLEGAL_TRANSITION',
          state: expect.stringMatching(/^(DISPATCHED|RUNNING)$/),
        });
      }
      const done = await becomes(app, id, 'COMPLETED');
      expect(done).toMatchObject({ attempts: 1, lastOutcome: 'completed', lastCall: { id: call.id } });
      expect(typesOf(done)).toEqual([
        'outbound.scheduled',
        'outbound.dispatched',
        'outbound.running',
        'outbound.completed',
      ]);
      expect(await place(app, { patientId, taskId: id })).toMatchObject({
        __typename: 'StateError',
        code: 'ILLEGAL_TRANSITION',
        state: 'COMPLETED',
      });
      expect(await dials(app, '+12125550100')).toBe(1);
    },
    { ...unlimited, SIM_PACE: '10' },
  ));

test('a direct call for a task that is not there, of somebody else, cancelled or snoozed is told or made', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [ada, bob] = [await addPatient(app, '+12125550100'), await addPatient(app, '+12135550100', 'Bob')];
    const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect(await place(app, { patientId: ada, taskId: unknownId })).toMatchObject({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
      id: unknownId,
    });
    const task = await scheduled(app, { patientId: ada, scheduledFor: later });
    for (const who of [
      { patientId: bob },
      { person: { firstName: 'Una', lastName: 'Known' }, phoneTo: '+12145550100' },
    ]) {
      expect(await place(app, { ...who, taskId: task.id, basis: 'PRIOR_EXPRESS' })).toMatchObject({
        __typename: 'InputError',
        code: 'INVALID_INPUT',
        fields: [{ path: ['input', 'taskId'] }],
      });
    }
    expect(await taskOf(app, task.id)).toMatchObject({ status: 'SCHEDULED', attempts: 0 });
    await app.ask(`mutation { cancelTask(id: "${task.id}") { __typename } }`);
    expect(await place(app, { patientId: ada, taskId: task.id })).toMatchObject({
      code: 'ILLEGAL_TRANSITION',
      state: 'CANCELLED',
    });
    const { data } = await app.ask('{ calls { edges { node { id } } } patients { totalCount } }');
    expect(data).toEqual({ calls: { edges: [] }, patients: { totalCount: 2 } });
    const snoozed = await scheduled(app, { patientId: ada, scheduledFor: later });
    await app.ask(
      `mutation { snoozeTask(id: "${snoozed.id}", until: "2026-03-05T15:00:00Z") { __typename } }`,
    );
    expect((await place(app, { patientId: ada, taskId: snoozed.id })).__typename).toBe('PlaceCallPayload');
    expect((await becomes(app, snoozed.id, 'COMPLETED')).attempts).toBe(1);
  }, unlimited));

test('a direct call to a busy number leaves its task waiting with one attempt counted, and the next one goes on the chain', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550101');
    const { id } = await scheduled(app, { patientId, scheduledFor: later, maxAttempts: 2 });
    const { call } = await place(app, { patientId, taskId: id });
    await app.follow(call.id, isOver);
    const waiting = await becomes(app, id, 'SCHEDULED');
    expect(waiting).toMatchObject({ attempts: 1, lastOutcome: 'busy' });
    expect(Date.parse(waiting.nextAttemptAt!)).toBeGreaterThanOrEqual(Date.parse(later));
    const second = await place(app, { patientId, taskId: id });
    expect(second.call.chain).toEqual([{ id: call.id }, { id: second.call.id }]);
    expect(await becomes(app, id, 'FAILED')).toMatchObject({ attempts: 2, lastOutcome: 'busy' });
    expect(await place(app, { patientId, taskId: id })).toMatchObject({
      code: 'ILLEGAL_TRANSITION',
      state: 'FAILED',
    });
  }, unlimited));

test('a direct call that the carrier refuses for good ends its task', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, '+12125550110');
    const { id } = await scheduled(app, { patientId, scheduledFor: later });
    expect(await place(app, { patientId, taskId: id })).toMatchObject({
      __typename: 'CarrierError',
      code: 'CARRIER_REJECTED',
      retryable: false,
    });
    expect(await taskOf(app, id)).toMatchObject({ status: 'FAILED', attempts: 1, nextAttemptAt: null });
  }, unlimited));

test('a direct call that the carrier could not be asked for counts as no attempt of its task, which goes on waiting', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const patientId = await addPatient(app, '+12125550100');
      const { id } = await scheduled(app, { patientId, scheduledFor: later, maxAttempts: 1 });
      for (let i = 0; i < 2; i += 1) {
        expect(await place(app, { patientId, taskId: id })).toMatchObject({
          __typename: 'CarrierError',
          code: 'CARRIER_UNAVAILABLE',
          retryable: true,
        });
        expect(await taskOf(app, id)).toMatchObject({
          status: 'SCHEDULED',
          attempts: 0,
          nextAttemptAt: later,
        });
      }
    },
    // Nobody listens on port 1.
    {
      ...unlimited,
      TWILIO_API_URL: 'http://127.0.0.1:1',
      TWILIO_ACCOUNT_SID: `AC${'1'.repeat(32)}`,
      TWILIO_AUTH_TOKEN: 'token',
    },
  ));

test('of a direct call and the dispatcher that want a task at once, one dials', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    for (const [i, area] of areas.slice(0, 8).entries()) {
      const phone = `+1${area}5550100`;
      const patientId = await addPatient(app, phone, `P ${i}`);
      const { id } = await scheduled(app, { patientId, scheduledFor: inSeconds(app, 0.3) });
      const due = Date.parse((await taskOf(app, id)).nextAttemptAt ?? '');
      await eventually(() => app.clock.now().getTime() >= due - 10 - i);
      const answers = await Promise.all([
        place(app, { patientId, taskId: id }),
        place(app, { patientId, taskId: id }),
      ]);
      const made = answers.filter(({ __typename }) => __typename === 'PlaceCallPayload');
      expect(made.length).toBeLessThanOrEqual(1);
      const task = await becomes(app, id, 'COMPLETED');
      expect(task).toMatchObject({ attempts: 1 });
      expect(task.calls).toHaveLength(1);
      expect(await dials(app, phone)).toBe(1);
      for (const { __typename } of answers) {
        expect(['PlaceCallPayload', 'StateError', 'ContactBlockedError']).toContain(__typename);
      }
    }
  }, unlimited));

test("a task calls the patient's number as it is when the task is due, unless one was named", () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [old, recent] = ['+12125550100', '+12135550100'];
    const patientId = await upsert(app, 'ada', old);
    const scheduledFor = inSeconds(app, 600);
    const follows = await scheduled(app, { patientId, scheduledFor });
    const named = await scheduled(app, { patientId, phone: old, scheduledFor: inSeconds(app, 1_200) });
    await upsert(app, 'ada', recent);
    const { data } = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', {
      to: inSeconds(app, 3_000),
    });
    expect(data.advanceClock).toBeDefined();
    expect(await taskOf(app, follows.id)).toMatchObject({
      status: 'COMPLETED',
      phone: recent,
      calls: [{ phoneTo: recent }],
    });
    expect(await taskOf(app, named.id)).toMatchObject({
      status: 'COMPLETED',
      phone: old,
      calls: [{ phoneTo: old }],
    });
  }, unlimited));
