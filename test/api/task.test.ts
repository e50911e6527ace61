/** What can be done with a task that waits, what is refused, and how tasks are listed and watched. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';
import {
  becomes,
  inSeconds,
  schedule,
  scheduled,
  taskOf,
  typesOf,
  unlimited,
  type Input,
  type Task,
} from './tasks.ts';

const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057';
const later = '2026-03-04T15:00:00.000Z';
const laterStill = '2026-03-05T15:00:00.000Z';

const answer = `{ __typename
  ... on TaskPayload { task { id status nextAttemptAt nextAttemptReason scheduledFor } }
  ... on Error { code message } ... on InputError { fields { path } } ... on NotFoundError { id } ... on StateError { state } }`;

const verbs = {
  reschedule: `mutation ($id: ID!, $at: DateTime!) { done: rescheduleTask(id: $id, scheduledFor: $at) ${answer} }`,
  snooze: `mutation ($id: ID!, $at: DateTime!, $reason: String) { done: snoozeTask(id: $id, until: $at, reason: $reason) ${answer} }`,
  cancel: `mutation ($id: ID!, $reason: String) { done: cancelTask(id: $id, reason: $reason) ${answer} }`,
};

/** Does something with a task, and answers what is said of it. */
async function change(app: App, verb: keyof typeof verbs, variables: Input) {
  const { data, errors } = await app.ask(verbs[verb], variables);
  expect(errors).toBeUndefined();
  return data.done;
}

/** What a subscriber is told of a task, from now on. */
function watch(app: App, id: string): string[] {
  const seen: string[] = [];
  app.client().subscribe<{ taskUpdated: { status: string; nextAttemptAt: string | null } }>(
    { query: 'subscription ($id: ID!) { taskUpdated(id: $id) { status nextAttemptAt } }', variables: { id } },
    {
      next: ({ data, errors }) =>
        seen.push(
          errors
            ? String(errors[0]!.extensions?.['code'])
            : [data!.taskUpdated.status, data!.taskUpdated.nextAttemptAt].join(' ').trim(),
        ),
      error: (error) => seen.push(JSON.stringify(error)),
      complete: () => seen.push('complete'),
    },
  );
  return seen;
}

test('a waiting task is snoozed, rescheduled and cancelled, which is answered, read and seen, by its id in capitals too', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    for (const spell of [(id: string) => id, (id: string) => id.toUpperCase()]) {
      const made = await scheduled(app, {
        patientId,
        scheduledFor: later,
        validUntil: '2026-03-09T00:00:00Z',
      });
      const id = spell(made.id);
      const seen = watch(app, id);
      await eventually(() => seen.length === 1);
      const snoozed = { status: 'SNOOZED', nextAttemptAt: laterStill, scheduledFor: later };
      const why = { nextAttemptReason: 'Snoozed until then: on holiday.' };
      expect(await change(app, 'snooze', { id, at: laterStill, reason: 'on holiday' })).toEqual({
        __typename: 'TaskPayload',
        task: { id: made.id, ...snoozed, ...why },
      });
      expect(await taskOf(app, id)).toMatchObject({ ...snoozed, ...why });
      const at = '2026-03-06T15:00:00.000Z';
      expect((await change(app, 'snooze', { id, at })).task).toMatchObject({
        status: 'SNOOZED',
        nextAttemptAt: at,
        nextAttemptReason: 'Snoozed until then.',
      });
      const again = { status: 'SCHEDULED', nextAttemptAt: later, scheduledFor: later };
      expect((await change(app, 'reschedule', { id, at: later })).task).toMatchObject(again);
      expect(await taskOf(app, id)).toMatchObject(again);
      await change(app, 'reschedule', { id, at: laterStill });
      const over = { status: 'CANCELLED', nextAttemptAt: null, nextAttemptReason: null };
      expect((await change(app, 'cancel', { id, reason: 'moved away' })).task).toMatchObject(over);
      const task = await taskOf(app, id);
      expect(task).toMatchObject({ ...over, attempts: 0, calls: [], lastCall: null });
      expect(task.events.map(({ type, version }) => `${version} ${type}`)).toEqual([
        '1 outbound.scheduled',
        '2 outbound.snoozed',
        '3 outbound.snoozed',
        '4 outbound.rescheduled',
        '5 outbound.rescheduled',
        '6 outbound.cancelled',
      ]);
      expect(task.events.at(-1)!.data).toEqual({ reason: 'moved away' });
      await eventually(() => seen.length === 6);
      expect(seen).toEqual([
        `SCHEDULED ${later}`,
        `SNOOZED ${laterStill}`,
        `SNOOZED ${at}`,
        `SCHEDULED ${later}`,
        `SCHEDULED ${laterStill}`,
        'CANCELLED',
      ]);
    }
  }, unlimited));

test('a task that is moved to an instant that has been is attempted at once, and so is one whose snooze is over', () =>
  withApp(async (app) => {
    await setUp(app);
    const [moved, slept] = await Promise.all(
      ['+12125550100', '+12135550100'].map(async (phone) =>
        scheduled(app, { patientId: await addPatient(app, phone), scheduledFor: later }),
      ),
    );
    const seen = watch(app, moved!.id);
    await eventually(() => seen.length === 1);
    const before = app.clock.now();
    const { task } = await change(app, 'reschedule', { id: moved!.id, at: '2020-01-01T00:00:00Z' });
    expect(Date.parse(task.scheduledFor)).toBeGreaterThanOrEqual(before.getTime());
    expect(task.nextAttemptAt).toBe(task.scheduledFor);
    await change(app, 'snooze', { id: slept!.id, at: inSeconds(app, 0.5) });
    const first = await becomes(app, moved!.id, 'COMPLETED');
    expect(typesOf(first).slice(1)).toEqual([
      'outbound.rescheduled',
      'outbound.dispatched',
      'outbound.running',
      'outbound.completed',
    ]);
    await eventually(() => seen.length === 5);
    expect(seen.slice(2)).toEqual(['DISPATCHED', 'RUNNING', 'COMPLETED']);
    const second = await becomes(app, slept!.id, 'COMPLETED');
    expect(typesOf(second).slice(1)).toEqual([
      'outbound.snoozed',
      'outbound.rescheduled',
      'outbound.dispatched',
      'outbound.running',
      'outbound.completed',
    ]);
    expect(second).toMatchObject({ scheduledFor: later, attempts: 1 });
  }, unlimited));

/** One task for each state in which nothing can be done with it. */
async function oneOfEach(app: App): Promise<Record<string, Task>> {
  const make = async (phone: string, more: Input = {}) =>
    scheduled(app, { patientId: await addPatient(app, phone, `P ${phone}`), ...more });
  const closed = { window: { opensAt: '09:00', closesAt: '10:00' }, validUntil: inSeconds(app, 3_600) };
  const completed = await make('+12125550108');
  const failed = await make('+12125550110');
  const timedOut = await make('+12125550100', closed);
  const running = await make('+12125550121');
  const cancelled = await make('+12135550100', { scheduledFor: later });
  await change(app, 'cancel', { id: cancelled.id });
  const ready = [
    becomes(app, completed.id, 'COMPLETED'),
    becomes(app, failed.id, 'FAILED'),
    becomes(app, timedOut.id, 'TIMED_OUT'),
    becomes(app, running.id, 'RUNNING'),
    becomes(app, cancelled.id, 'CANCELLED'),
  ];
  const tasks = await Promise.all(ready);
  const dispatched = await make('+12125550102');
  tasks.push(await becomes(app, dispatched.id, 'DISPATCHED'));
  return Object.fromEntries(tasks.map((task) => [task.status, task]));
}

test('nothing is done with a task that is over or being attempted, and it is told which', () =>
  withApp(
    async (app) => {
      await setUp(app);
      const tasks = await oneOfEach(app);
      expect(Object.keys(tasks).toSorted()).toEqual(
        ['CANCELLED', 'COMPLETED', 'DISPATCHED', 'FAILED', 'RUNNING', 'TIMED_OUT'].toSorted(),
      );
      for (const [state, task] of Object.entries(tasks).toReversed()) {
        for (const verb of ['reschedule', 'snooze', 'cancel'] as const) {
          const told = await change(app, verb, { id: task.id, ...(verb === 'cancel' ? {} : { at: later }) });
          expect({ verb, ...told }).toMatchObject({
            verb,
            __typename: 'StateError',
            code: 'ILLEGAL_TRANSITION',
            state,
          });
          const isOver = !['DISPATCHED', 'RUNNING'].includes(state);
          expect(told.message).toContain(isOver ? 'is over' : 'is being attempted');
        }
        expect(await taskOf(app, task.id)).toEqual(task);
      }
    },
    { ...unlimited, SIM_PACE: '5' },
  ));

test('a task that is not there, and an instant or reason that is none, are refused and change nothing', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await scheduled(app, { patientId, scheduledFor: later, validUntil: laterStill });
    const before = await taskOf(app, id);
    for (const nobody of [unknownId, 'nonsense', '', '\0', `${id}0`, id.replaceAll('-', ''), patientId]) {
      const missing = { __typename: 'NotFoundError', code: 'NOT_FOUND', id: nobody };
      expect(await change(app, 'reschedule', { id: nobody, at: later })).toMatchObject(missing);
      expect(await change(app, 'snooze', { id: nobody, at: later })).toMatchObject(missing);
      expect(await change(app, 'cancel', { id: nobody })).toMatchObject(missing);
      const { data, errors } = await app.ask('query ($id: ID!) { outboundTask(id: $id) { id } }', {
        id: nobody,
      });
      expect([data, errors]).toEqual([{ outboundTask: null }, undefined]);
      const seen = watch(app, nobody);
      await eventually(() => seen.length > 0);
      expect(seen[0]).toContain('NOT_FOUND');
    }
    const faulty = (...path: string[]) => ({
      __typename: 'InputError',
      code: 'INVALID_INPUT',
      fields: [{ path }],
    });
    for (const at of [
      'tomorrow',
      '',
      '\0',
      '2026-02-30T00:00:00Z',
      '2026-03-04',
      '2026-03-04T15:00:00',
      laterStill,
    ]) {
      expect(await change(app, 'reschedule', { id, at })).toMatchObject(faulty('scheduledFor'));
      expect(await change(app, 'snooze', { id, at })).toMatchObject(faulty('until'));
    }
    for (const at of ['2026-03-03T18:59:59Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
      expect(await change(app, 'snooze', { id, at })).toMatchObject(faulty('until'));
    }
    for (const reason of ['x'.repeat(257), '\0', '\uD800']) {
      expect(await change(app, 'snooze', { id, at: later, reason })).toMatchObject(faulty('reason'));
      expect(await change(app, 'cancel', { id, reason })).toMatchObject(faulty('reason'));
    }
    for (const [verb, variables] of [
      ['reschedule', { id, at: 1 }],
      ['snooze', { id, at: null }],
      ['snooze', { id, at: later, reason: 1 }],
      ['cancel', { id: {} }],
    ] as const) {
      expect((await app.ask(verbs[verb], variables)).errors).toHaveLength(1);
    }
    expect(await taskOf(app, id)).toEqual(before);
    const fitting = { id, at: '2026-03-05T14:59:59.999Z', reason: '😀'.repeat(256) };
    expect((await change(app, 'snooze', fitting)).__typename).toBe('TaskPayload');
    expect((await change(app, 'cancel', { id, reason: '' })).__typename).toBe('TaskPayload');
    expect((await taskOf(app, id)).events.at(-1)!.data).toEqual({ reason: 'cancelled' });
  }, unlimited));

test('of ten who cancel, snooze and reschedule one task at once, each is done in turn or told that it is over', () =>
  withApp(async (app) => {
    await setUp(app);
    const { id } = await scheduled(app, {
      patientId: await addPatient(app, '+12125550100'),
      scheduledFor: later,
    });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        i % 3 === 0
          ? change(app, 'cancel', { id })
          : change(app, i % 3 === 1 ? 'snooze' : 'reschedule', { id, at: laterStill }),
      ),
    );
    const done = answers.filter(({ __typename }) => __typename === 'TaskPayload');
    const told = answers.filter(({ code }) => code === 'ILLEGAL_TRANSITION');
    expect(done.length + told.length).toBe(12);
    expect(done.filter(({ task }) => task.status === 'CANCELLED')).toHaveLength(1);
    const { status, events } = await taskOf(app, id);
    expect(status).toBe('CANCELLED');
    expect(events.map(({ version }) => version)).toEqual(events.map((_, i) => i + 1));
    expect(events).toHaveLength(1 + done.length);
  }, unlimited));

test('a key that may only read tasks lists and watches them, and one without the scope does neither', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await scheduled(app, { patientId, scheduledFor: later });
    const keyWith = async (scopes: string[]) => {
      const { data } = await app.ask(
        'mutation ($scopes: [String!]!) { createApiKey(name: "x", scopes: $scopes) { ... on ApiKeyPayload { secret } } }',
        { scopes },
      );
      return data.createApiKey.secret as string;
    };
    const reader = await keyWith(['tasks:read']);
    const stranger = await keyWith(['patients:write', 'calls:read']);
    const read = await app.ask(
      `{ outboundTask(id: "${id}") { id } outboundTasks { totalCount } }`,
      {},
      reader,
    );
    expect(read.data).toEqual({ outboundTask: { id }, outboundTasks: { totalCount: 1 } });
    const codesOf = async (document: string, variables: Input, key: string) =>
      (await app.ask(document, variables, key)).errors?.map(({ extensions }) => extensions?.['code']);
    for (const key of [reader, stranger]) {
      expect(await codesOf(verbs.cancel, { id }, key)).toEqual(['FORBIDDEN']);
      expect(await codesOf(verbs.snooze, { id, at: laterStill }, key)).toEqual(['FORBIDDEN']);
      expect(await codesOf(verbs.reschedule, { id, at: laterStill }, key)).toEqual(['FORBIDDEN']);
      const { errors } = await schedule(app, { patientId }, key);
      expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    }
    expect(await codesOf(`{ outboundTask(id: "${id}") { id } }`, {}, stranger)).toEqual(['FORBIDDEN']);
    expect(await codesOf('{ outboundTasks { totalCount } }', {}, stranger)).toEqual(['FORBIDDEN']);
    expect(await codesOf('{ calls { edges { node { task { id } } } } }', {}, stranger)).toBeUndefined();
    expect((await taskOf(app, id)).events).toHaveLength(1);
  }, unlimited));

const listed = `query ($filter: TaskFilter, $first: Int, $after: String, $last: Int, $before: String) {
  outboundTasks(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    totalCount edges { node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

interface Edges {
  edges: { node: { id: string } }[];
}
const idsOf = ({ edges }: Edges) => edges.map(({ node }) => node.id);

/** Tasks of three patients, in every state that waits or has been cancelled; newest first. */
async function manyTasks(app: App) {
  const patients = await Promise.all(
    ['+12125550100', '+12125550101', '+12125550102'].map((phone) => addPatient(app, phone, phone)),
  );
  const made: (Task & { patientId: string; campaignId?: string; triggerId?: string })[] = [];
  for (let i = 0; i < 18; i += 1) {
    const patientId = patients[i % 3]!;
    const at = i % 2 === 0 ? later : laterStill;
    const { id } = await scheduled(app, { patientId, priority: 1 + (i % 10), scheduledFor: at });
    if (i % 5 === 0) await change(app, 'cancel', { id });
    if (i % 5 === 1) await change(app, 'snooze', { id, at: '2026-03-07T15:00:00Z' });
    // Campaigns and triggers do not schedule tasks yet: what they will write is written here.
    if (i % 4 === 0)
      await app.world.query(sql`update outbound_task set campaign_id = ${unknownId} where id = ${id}`);
    if (i % 7 === 0)
      await app.world.query(sql`update outbound_task set trigger_id = ${unknownId} where id = ${id}`);
    made.unshift({
      ...(await taskOf(app, id)),
      patientId,
      ...(i % 4 === 0 ? { campaignId: unknownId } : {}),
      ...(i % 7 === 0 ? { triggerId: unknownId } : {}),
    });
  }
  return { patients, made };
}

test('tasks are listed newest first, by every filter alone and together, with the count of all', () =>
  withApp(async (app) => {
    await setUp(app);
    const { patients, made } = await manyTasks(app);
    const choices: Record<string, unknown[]> = {
      statuses: [undefined, ['SCHEDULED'], ['SNOOZED', 'CANCELLED']],
      patientId: [undefined, patients[1]!.toUpperCase()],
      campaignId: [undefined, unknownId],
      triggerId: [undefined, unknownId],
      dueBefore: [undefined, '2026-03-05T00:00:00Z'],
      priorityAtMost: [undefined, 4],
    };
    const filters = Object.entries(choices).reduce<Input[]>(
      (sofar, [name, values]) =>
        sofar.flatMap((filter) => values.map((value) => ({ ...filter, [name]: value }))),
      [{}],
    );
    const fits = (task: (typeof made)[number], filter: Input) =>
      (!filter['statuses'] || (filter['statuses'] as string[]).includes(task.status)) &&
      (!filter['patientId'] || task.patientId === patients[1]) &&
      (!filter['campaignId'] || task.campaignId === unknownId) &&
      (!filter['triggerId'] || task.triggerId === unknownId) &&
      (!filter['dueBefore'] || (task.nextAttemptAt !== null && task.nextAttemptAt < '2026-03-05')) &&
      (!filter['priorityAtMost'] || task.priority <= 4);
    expect(filters).toHaveLength(96);
    for (const filter of filters) {
      const { data, errors } = await app.ask(listed, { filter });
      const expected = made.filter((task) => fits(task, filter)).map(({ id }) => id);
      expect({
        filter,
        errors,
        ids: idsOf(data.outboundTasks),
        count: data.outboundTasks.totalCount,
      }).toEqual({
        filter,
        errors: undefined,
        ids: expected,
        count: expected.length,
      });
    }
  }, unlimited));

test('a filter of tasks at its extremes narrows as it says, and one that is none is refused in words', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    for (let i = 0; i < 3; i += 1) await scheduled(app, { patientId, scheduledFor: later, priority: i + 1 });
    const count = async (filter: Input) => {
      const { data, errors } = await app.ask(listed, { filter });
      expect({ filter, errors }).toEqual({ filter, errors: undefined });
      expect(data.outboundTasks.edges).toHaveLength(data.outboundTasks.totalCount);
      return data.outboundTasks.totalCount;
    };
    const nothing = { statuses: null, patientId: null, campaignId: null, triggerId: null };
    expect(await count({ ...nothing, dueBefore: null, priorityAtMost: null })).toBe(3);
    expect(await count({ statuses: [] })).toBe(0);
    expect(await count({ priorityAtMost: 2 ** 31 - 1 })).toBe(3);
    expect(await count({ priorityAtMost: 0 })).toBe(0);
    expect(await count({ priorityAtMost: -(2 ** 31) })).toBe(0);
    expect(await count({ dueBefore: later })).toBe(0);
    expect(await count({ dueBefore: '2026-03-04T15:00:00.001Z' })).toBe(3);
    expect(await count({ dueBefore: '9999-12-31T23:59:59.999Z' })).toBe(3);
    expect(await count({ dueBefore: '0000-01-01T00:00:00Z' })).toBe(0);
    for (const nobody of ['nonsense', '', '\0', unknownId]) {
      for (const field of ['patientId', 'campaignId', 'triggerId'])
        expect(await count({ [field]: nobody })).toBe(0);
    }
    for (const dueBefore of ['soon', '', '2026-02-30T00:00:00Z']) {
      const { errors } = await app.ask(listed, { filter: { dueBefore } });
      expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' }, path: ['outboundTasks'] }]);
      expect(errors![0]!.message).toContain('dueBefore');
    }
    for (const filter of [{ statuses: ['LOST'] }, { priorityAtMost: 1.5 }, { dueBefore: 1 }, { nobody: 1 }]) {
      expect((await app.ask(listed, { filter })).errors).toHaveLength(1);
    }
  }, unlimited));

test('tasks are paged forwards and backwards without repeat or loss, also while others are added', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const add = async () => (await scheduled(app, { patientId, scheduledFor: later })).id;
    const ids: string[] = [];
    for (let i = 0; i < 7; i += 1) ids.unshift(await add());
    const page = async (variables: Input) => {
      const { data, errors } = await app.ask(listed, variables);
      expect(errors).toBeUndefined();
      const { totalCount, pageInfo } = data.outboundTasks;
      return { ids: idsOf(data.outboundTasks), totalCount, ...pageInfo };
    };
    const forwards: string[][] = [];
    for (let after = null, more = true; more;) {
      const { ids: some, hasNextPage, endCursor, totalCount } = await page({ first: 3, after });
      expect(totalCount).toBe(7);
      forwards.push(some);
      [after, more] = [endCursor, hasNextPage];
    }
    expect(forwards.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(forwards.flat()).toEqual(ids);
    const backwards: string[][] = [];
    for (let before = null, more = true; more;) {
      const { ids: some, hasPreviousPage, startCursor } = await page({ last: 3, before });
      backwards.unshift(some);
      [before, more] = [startCursor, hasPreviousPage];
    }
    expect(backwards.map(({ length }) => length)).toEqual([1, 3, 3]);
    expect(backwards.flat()).toEqual(ids);
    expect((await page({ first: 200 })).ids).toEqual(ids);
    expect((await page({ first: 0 })).ids).toEqual([]);
    const { endCursor, ids: start } = await page({ first: 4 });
    const newest = await add();
    const rest = await page({ first: 200, after: endCursor });
    expect([...start, ...rest.ids]).toEqual(ids);
    expect((await page({ first: 1 })).ids).toEqual([newest]);
    for (const wrong of [
      { first: 201 },
      { first: -1 },
      { last: 201 },
      { first: 1, last: 1 },
      { last: 1, after: endCursor },
      { first: 1, before: endCursor },
      { after: 'nonsense' },
      { after: '' },
      { after: Buffer.from('["nobody"]').toString('base64url') },
    ]) {
      const { errors } = await app.ask(listed, wrong);
      expect({ wrong, code: errors?.[0]?.extensions?.['code'] }).toEqual({ wrong, code: 'INVALID_INPUT' });
    }
  }, unlimited));

test("a patient's tasks are listed by status, paged and counted", () =>
  withApp(async (app) => {
    await setUp(app);
    const { patients, made } = await manyTasks(app);
    const of = async (id: string, args: string) => {
      const { data, errors } = await app.ask(
        `query ($id: ID!) { patient(id: $id) { tasks${args} { totalCount edges { cursor node { id patient { id } } } pageInfo { endCursor hasNextPage } } } }`,
        { id },
      );
      expect(errors).toBeUndefined();
      return data.patient.tasks;
    };
    for (const id of patients) {
      const own = made.filter(({ patientId }) => patientId === id);
      const all = await of(id, '');
      expect([idsOf(all), all.totalCount]).toEqual([own.map((task) => task.id), own.length]);
      const waiting = await of(id, '(statuses: [SCHEDULED, SNOOZED])');
      expect(idsOf(waiting)).toEqual(
        own.filter(({ status }) => status !== 'CANCELLED').map((task) => task.id),
      );
      expect(waiting.totalCount).toBe(waiting.edges.length);
      expect((await of(id, '(statuses: [RUNNING])')).totalCount).toBe(0);
      const first = await of(id, '(first: 2)');
      const rest = await of(id, `(first: 200, after: "${first.pageInfo.endCursor}")`);
      expect([...idsOf(first), ...idsOf(rest)]).toEqual(own.map((task) => task.id));
    }
  }, unlimited));

test('a task shows its attempts as one chain of calls, each of which leads back to it', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550122'); // busy, busy, then a person
    const more = { backoffSeconds: 60, tags: ['a'], metadata: { room: '1' }, goal: 'Confirm' };
    const { id } = await scheduled(app, { patientId, ...more });
    await eventually(async () => (await taskOf(app, id)).lastOutcome === 'busy');
    const waiting = await taskOf(app, id);
    expect(waiting).toMatchObject({ status: 'SCHEDULED', attempts: 1, lastOutcome: 'busy' });
    expect(waiting.nextAttemptReason).toContain('Attempt 1 of 3: busy');
    await app.ask('mutation { advanceClock(to: "2026-03-06T19:00:00Z") }');
    const { data } = await app.ask(
      `query ($id: ID!) { outboundTask(id: $id) { status attempts calls { id status tags metadata goal origin
        derivedFrom { id } chain { id } task { id attempts } patient { id } } lastCall { id }
        events { type entityType entityId data patient { id } } } }`,
      { id },
    );
    const { calls, lastCall, events, ...task } = data.outboundTask;
    expect(task).toEqual({ status: 'COMPLETED', attempts: 3 });
    const ids = calls.map((call: { id: string }) => call.id);
    expect(calls).toMatchObject(
      ['BUSY', 'BUSY', 'COMPLETED'].map((status, i) => ({
        status,
        tags: ['a'],
        metadata: { room: '1' },
        goal: 'Confirm',
        origin: 'TASK',
        derivedFrom: i === 0 ? null : { id: ids[i - 1] },
        chain: ids.map((call: string) => ({ id: call })),
        task: { id, attempts: 3 },
        patient: { id: patientId },
      })),
    );
    expect(lastCall).toEqual({ id: ids[2] });
    const dispatched = events.filter(({ type }: { type: string }) => type === 'outbound.dispatched');
    expect(dispatched.map((event: { data: Input }) => [event.data['callId'], event.data['attempt']])).toEqual(
      ids.map((call: string, i: number) => [call, i + 1]),
    );
    expect(events[0]).toMatchObject({
      entityType: 'OUTBOUND_TASK',
      entityId: id,
      patient: { id: patientId },
    });
    const alone = await app.ask('{ calls(filter: {}) { edges { node { task { id } } } } }');
    expect(alone.data.calls.edges).toHaveLength(3);
    expect((await schedule(app, { patientId, reason: '' })).data.scheduleTask.code).toBe('INVALID_INPUT');
  }, unlimited));
