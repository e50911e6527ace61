import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, isOver, placeCall, setUp, withApp, type Answer, type App } from '../support/program.ts';

/** Limits far above what a test asks for, so that only the test of a limit meets it. */
const unlimited = { SOURCE_NUMBER_CALLS_PER_MINUTE: '1000', API_KEY_REQUESTS_PER_MINUTE: '100000' };

/** Our number in every test. */
const ours = '+14155550199';

/** A number of the simulated carrier's block, by its last four digits; another area code is another line of the same kind. */
const line = (ending: string, area = '212') => `+1${area}555${ending}`;

/** Places a call to a number; the caller vouches for the grounds unless the input says otherwise. */
async function place(app: App, phoneTo: string, more: Record<string, unknown> = {}) {
  const person = { firstName: 'Grace', lastName: `Hopper ${phoneTo.slice(2)}` };
  const who = 'patientId' in more ? {} : { person };
  const from = 'useCaseId' in more ? {} : { phoneFrom: ours };
  const input = { phoneTo, ...who, ...from, reason: 'Check-up', basis: 'PRIOR_EXPRESS', ...more };
  const { data, errors } = await app.ask(placeCall, { input });
  expect(errors).toBeUndefined();
  return data.placeCall;
}

/** The calls of a filter, newest first. */
async function callsOf(app: App, filter: Record<string, unknown>) {
  const { data } = await app.ask(
    `query ($filter: CallFilter) { calls(first: 100, filter: $filter) { edges { node {
      id sid status answeredBy endedReason phoneTo phoneFrom answeredAt endedAt durationSeconds events { type } } } } }`,
    { filter },
  );
  return data.calls.edges.map((edge: Answer['data']) => edge.node);
}

/** How often the carrier was asked for a call to this number, and how often it agreed. */
async function creates(app: App, to: string) {
  const asked = (await app.ledger()).filter((entry) => entry.kind === 'create' && entry.to === to);
  return { asked: asked.length, accepted: asked.filter(({ accepted }) => accepted).length };
}

/** Watches callActivity from now on: each call's statuses by its number, without immediate repeats. */
async function watch(app: App, filter?: Record<string, unknown>) {
  const before = await subscribers(app);
  const seen = new Map<string, string[]>();
  const updates = app.client().iterate<{ callActivity: { phoneTo: string; status: string } }>({
    query: 'subscription ($filter: CallFilter) { callActivity(filter: $filter) { phoneTo status } }',
    variables: { filter },
  });
  void (async () => {
    for await (const { data } of updates) {
      const { phoneTo, status } = data!.callActivity;
      const statuses = seen.get(phoneTo) ?? [];
      seen.set(phoneTo, statuses);
      if (statuses.at(-1) !== status) statuses.push(status);
    }
  })();
  await eventually(async () => {
    expect(await subscribers(app)).toBeGreaterThan(before);
    return true;
  });
  return seen;
}

async function subscribers(app: App): Promise<number> {
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  return Number(/^callwell_live_subscribers (\d+)$/m.exec(metrics)?.[1]);
}

const answered = ['QUEUED', 'RINGING', 'IN_PROGRESS', 'COMPLETED'];

/**
 * What happens at each number, as the README's table has it. At a fast pace callbacks overtake one another, so that a status may
 * be passed over; none comes out of this order.
 */
const lines: Record<string, { way: string[]; sure?: string; answeredBy?: string; endedReason?: string }> = {
  '0100': { way: answered },
  '0101': { way: ['QUEUED', 'RINGING', 'BUSY'], endedReason: 'busy' },
  '0102': { way: ['QUEUED', 'RINGING', 'NO_ANSWER'], endedReason: 'no_answer' },
  '0103': { way: ['QUEUED', 'FAILED'], endedReason: 'failed_sip_404' },
  '0104': { way: answered, answeredBy: 'MACHINE' },
  '0105': { way: answered },
  '0106': { way: answered },
  '0107': { way: answered },
  '0108': { way: answered },
  '0109': { way: answered, answeredBy: 'MACHINE' },
  '0112': { way: answered },
  '0113': { way: ['QUEUED', 'UNCERTAIN', 'RINGING', 'IN_PROGRESS', 'COMPLETED'] },
  '0114': { way: ['QUEUED', 'UNCERTAIN', 'RINGING', 'IN_PROGRESS', 'COMPLETED'], sure: 'UNCERTAIN' },
  '0115': { way: ['QUEUED', 'UNCERTAIN', 'FAILED'], sure: 'UNCERTAIN', endedReason: 'never_reached_carrier' },
  '0116': { way: ['QUEUED', 'UNCERTAIN', 'RINGING', 'IN_PROGRESS', 'COMPLETED'] },
  '0117': { way: answered },
  '0118': { way: answered },
  '0119': { way: answered, sure: 'IN_PROGRESS' },
  '0120': { way: answered },
};

/** Waits until every one of these numbers has been seen to its end. */
const seenToTheEnd = (seen: Map<string, string[]>, endings: string[]) =>
  eventually(() => {
    const open = endings.filter((ending) => !isOver(seen.get(line(ending))?.at(-1) ?? ''));
    expect(open).toEqual([]);
    return true;
  }, 15_000);

test('every scripted number ends as its line says, and each call is dialled once', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const seen = await watch(app);
    const endings = Object.keys(lines);
    const followed = await Promise.all(
      endings.map(async (ending) => {
        const { __typename, replayed, call } = await place(app, line(ending));
        const payload = { __typename: 'PlaceCallPayload', replayed: false };
        expect({ ending, __typename, replayed }).toEqual({ ending, ...payload });
        return app.follow(call.id, isOver);
      }),
    );
    await seenToTheEnd(seen, endings);
    const placed = await callsOf(app, {});
    for (const [index, ending] of endings.entries()) {
      const { way, sure, answeredBy, endedReason } = lines[ending]!;
      const to = line(ending);
      const told = seen.get(to)!;
      expect([ending, ...told]).toEqual([ending, ...way.filter((status) => told.includes(status))]);
      expect([ending, told.at(0), told.at(-1)]).toEqual([ending, 'QUEUED', way.at(-1)]);
      if (sure) expect([ending, ...told]).toContain(sure);
      // callUpdated begins with the state that it finds, and then tells the same story to its end.
      expect([ending, ...told.slice(-followed[index]!.length)]).toEqual([ending, ...followed[index]!]);
      const dialled = { asked: ending === '0112' ? 3 : 1, accepted: ending === '0115' ? 0 : 1 };
      expect({ ending, ...(await creates(app, to)) }).toEqual({ ending, ...dialled });
      const [call, ...others] = placed.filter((one: Answer['data']) => one.phoneTo === to);
      expect(others).toEqual([]);
      expect(call).toMatchObject({ status: way.at(-1), endedReason: endedReason ?? 'completed' });
      expect([ending, call.answeredBy]).toEqual([ending, answeredBy ?? call.answeredBy]);
      expect(call.sid === null).toBe(dialled.accepted === 0);
    }
  }, unlimited));

test('calls are seen live from QUEUED to their ends, and those whose answer was lost settle through UNCERTAIN', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const seen = await watch(app);
      const { call } = await place(app, line('0100'));
      expect(call.status).toBe('QUEUED');
      const follows = app.follow(call.id, isOver);
      const lost = ['0113', '0116'];
      const ordinary = ['0101', '0103', '0104', '0108', '0109', '0112', '0118', '0120'];
      const placed = await Promise.all([...lost, ...ordinary].map((ending) => place(app, line(ending))));
      for (const { call } of placed.slice(0, lost.length)) expect(call.status).toBe('UNCERTAIN');
      expect(await follows).toEqual(answered);
      await seenToTheEnd(seen, ['0100', ...lost, ...ordinary]);
      for (const ending of ['0100', ...lost, ...ordinary]) {
        expect([ending, ...seen.get(line(ending))!]).toEqual([ending, ...lines[ending]!.way]);
      }
      const calls = await callsOf(app, { statuses: ['COMPLETED'] });
      const lasted = (ending: string) =>
        calls.find((one: Answer['data']) => one.phoneTo === line(ending)).durationSeconds;
      expect(lasted('0108')).toBe(3);
      expect(lasted('0100')).toBeGreaterThan(3);
    },
    { ...unlimited, SIM_PACE: '2' },
  ));

test("a number that the carrier refuses is told with the carrier's own code, and its call has failed", () =>
  withApp(async (app) => {
    await setUp(app, ours);
    for (const [ending, carrierCode] of [
      ['0110', '21211'],
      ['0111', '21216'],
    ] as const) {
      const answer = await place(app, line(ending));
      expect(answer).toMatchObject({
        __typename: 'CarrierError',
        code: 'CARRIER_REJECTED',
        carrierCode,
        retryable: false,
      });
      const call = (await callsOf(app, { statuses: ['FAILED'] })).find(
        (one: Answer['data']) => one.phoneTo === line(ending),
      );
      expect(call).toMatchObject({ sid: null, endedReason: `carrier_rejected_${carrierCode}` });
      expect(call.events.map((event: { type: string }) => event.type)).toEqual([
        'outbound.initiated',
        'call.rejected',
      ]);
      expect(await creates(app, line(ending))).toEqual({ asked: 1, accepted: 0 });
    }
  }, unlimited));

test('a number that is busy twice, or rings out once, is reached by the next call', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const story = async (ending: string, ends: string[]) => {
      for (const [index, end] of ends.entries()) {
        const { call } = await place(app, line(ending));
        expect((await app.follow(call.id, isOver)).at(-1)).toBe(end);
        expect(await creates(app, line(ending))).toEqual({ asked: index + 1, accepted: index + 1 });
      }
    };
    await Promise.all([
      story('0122', ['BUSY', 'BUSY', 'COMPLETED']),
      story('0123', ['NO_ANSWER', 'COMPLETED']),
    ]);
  }, unlimited));

const cancelCall = `mutation ($id: ID!) { cancelCall(id: $id) { __typename
  ... on CancelCallPayload { call { status endedReason } } ... on Error { code } ... on NotFoundError { id } ... on StateError { state } } }`;

test('a call goes on until it is canceled: talked to it completes, while it rings it is canceled', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const talking = await place(app, line('0121'));
      await app.follow(talking.call.id, (status) => status === 'IN_PROGRESS');
      const ringing = await place(app, line('0102'));
      await app.follow(ringing.call.id, (status) => status === 'RINGING');
      const end = async (id: string) => (await app.ask(cancelCall, { id })).data.cancelCall;
      const ended = (status: string) => ({
        __typename: 'CancelCallPayload',
        call: { status, endedReason: status.toLowerCase() },
      });
      expect(await end(talking.call.id)).toEqual(ended('COMPLETED'));
      expect(await end(ringing.call.id)).toEqual(ended('CANCELED'));
      expect((await app.follow(talking.call.id, isOver)).at(-1)).toBe('COMPLETED');
      expect((await app.follow(ringing.call.id, isOver)).at(-1)).toBe('CANCELED');
      expect(await end(ringing.call.id)).toEqual({
        __typename: 'StateError',
        code: 'ILLEGAL_TRANSITION',
        state: 'CANCELED',
      });
      const unknown = '01890a5d-ac96-774b-bcce-b302099a8057';
      for (const id of [unknown, 'nonsense', '\0']) {
        expect(await end(id)).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', id });
      }
    },
    { ...unlimited, SIM_PACE: '5' },
  ));

test('a chain of callbacks is told oldest first, from whichever of its calls one asks', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const chain: { id: string; sid: string }[] = [];
    // The third answers the first once more: the chain is a tree, told in the order of time.
    for (const parent of [null, 0, 0, 2]) {
      const derived = parent === null ? {} : { derivedFromCallSid: chain[parent]!.sid };
      const { call } = await place(app, line('0101'), derived);
      chain.push(call);
      await app.follow(call.id, isOver);
    }
    const { call: stranger } = await place(app, line('0100'));
    const ids = chain.map(({ id }) => id);
    for (const { id } of chain) {
      const { data } = await app.ask(
        'query ($id: ID!) { call(id: $id) { derivedFrom { id } chain { id } } }',
        {
          id,
        },
      );
      expect(data.call.chain.map((one: { id: string }) => one.id)).toEqual(ids);
      const parent = { 1: 0, 2: 0, 3: 2 }[ids.indexOf(id)];
      expect(data.call.derivedFrom).toEqual(parent === undefined ? null : { id: ids[parent] });
    }
    expect(stranger.chain).toEqual([{ id: stranger.id }]);
    expect(await place(app, line('0101'), { derivedFromCallSid: 'CAunknown' })).toMatchObject({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
      id: 'CAunknown',
    });
  }, unlimited));

test("a patient's timeline tells the whole story of a call, newest first, forwards and backwards", () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const patientId = await addPatient(app, line('0100'));
      const { call, event } = await place(app, line('0100'), { patientId });
      await app.follow(call.id, isOver);
      const page = async (args: string) => {
        const { data } = await app.ask(
          `query ($id: ID!) { patient(id: $id) { timeline(${args}) {
          edges { cursor node { id type effectiveAt cursor patient { id } summary } }
          pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
          { id: patientId },
        );
        return data.patient.timeline;
      };
      const whole = await page('first: 50');
      const nodes = whole.edges.map((edge: Answer['data']) => edge.node);
      const types = nodes.map((node: { type: string }) => node.type);
      expect(types.toReversed().slice(0, 3)).toEqual([
        'patient.registered',
        'contact.consent_granted',
        'outbound.initiated',
      ]);
      expect(types.toSorted()).toEqual(
        [
          'patient.registered',
          'contact.consent_granted',
          'outbound.initiated',
          'call.accepted',
          'call.context_ready',
          'call.ringing',
          'call.answered',
          'call.outcome_reported',
          'call.completed',
        ].toSorted(),
      );
      const order = ['call.completed', 'call.answered', 'call.ringing', 'outbound.initiated'];
      expect(types.filter((type: string) => order.includes(type))).toEqual(order);
      const instants = nodes.map((node: { effectiveAt: string }) => node.effectiveAt);
      expect(instants).toEqual(instants.toSorted().toReversed());
      expect(nodes.every((node: Answer['data']) => node.patient.id === patientId)).toBe(true);
      expect(nodes.find((node: Answer['data']) => node.id === event.id).type).toBe('outbound.initiated');

      const forwards: string[] = [];
      for (let after = ''; ;) {
        const { edges, pageInfo } = await page(`first: 3${after}`);
        forwards.push(...edges.map((edge: Answer['data']) => edge.node.id));
        if (!pageInfo.hasNextPage) break;
        after = `, after: "${pageInfo.endCursor}"`;
      }
      const backwards: string[] = [];
      for (let before = ''; ;) {
        const { edges, pageInfo } = await page(`last: 3${before}`);
        backwards.unshift(...edges.map((edge: Answer['data']) => edge.node.id));
        if (!pageInfo.hasPreviousPage) break;
        before = `, before: "${pageInfo.startCursor}"`;
      }
      const ids = nodes.map((node: { id: string }) => node.id);
      expect(forwards).toEqual(ids);
      expect(backwards).toEqual(ids);
      const some = await page('first: 50, types: ["call.ringing", "call.answered"]');
      expect(some.edges.map((edge: Answer['data']) => edge.node.type)).toEqual([
        'call.answered',
        'call.ringing',
      ]);
    },
    { ...unlimited, SIM_PACE: '10' },
  ));

test('callActivity tells of the calls that its filter names and of no others', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const patientId = await addPatient(app, line('0100'));
      const filters = {
        all: {},
        tagged: { tag: 'recall' },
        over: { statuses: ['COMPLETED', 'BUSY'] },
        labelled: { metadata: { room: '12' } },
        patient: { patientId },
        campaign: { campaignId: '01890a5d-ac96-774b-bcce-b302099a8057' },
        both: { tag: 'recall', statuses: ['RINGING'] },
        past: { until: '2020-01-01T00:00:00Z' },
      };
      const seen: Partial<Record<keyof typeof filters, Map<string, string[]>>> = {};
      for (const [name, filter] of Object.entries(filters)) {
        seen[name as keyof typeof filters] = await watch(app, filter);
      }
      const [a, b, c] = [line('0100'), line('0101'), line('0101', '213')];
      await place(app, a, { patientId, tags: ['recall', 'x'] });
      await place(app, b, { metadata: { room: '12', floor: '3' } });
      await place(app, c, { tags: ['recall'], metadata: { room: '13' } });
      const busy = ['QUEUED', 'RINGING', 'BUSY'];
      const shown = (name: keyof typeof filters) => Object.fromEntries(seen[name]!);
      const everything = { [a]: answered, [b]: busy, [c]: busy };
      await eventually(() => {
        expect(shown('all')).toEqual(everything);
        return true;
      });
      // Every subscription is given an event before the next one, so that the others know by now too, or within an instant.
      await eventually(() => {
        expect(shown('tagged')).toEqual({ [a]: answered, [c]: busy });
        expect(shown('over')).toEqual({ [a]: ['COMPLETED'], [b]: ['BUSY'], [c]: ['BUSY'] });
        expect(shown('labelled')).toEqual({ [b]: busy });
        expect(shown('patient')).toEqual({ [a]: answered });
        expect(shown('both')).toEqual({ [a]: ['RINGING'], [c]: ['RINGING'] });
        return true;
      });
      expect(shown('campaign')).toEqual({});
      expect(shown('past')).toEqual({});
    },
    { ...unlimited, SIM_PACE: '10' },
  ));

test('calls are filtered by status, tag, metadata, patient and time, and paged in both directions', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const patientId = await addPatient(app, line('0100'));
    const placed: { id: string; queuedAt: string }[] = [];
    const wanted: [string, Record<string, unknown>][] = [
      [line('0101'), { tags: ['a', 'b'], metadata: { room: '1', floor: '2' } }],
      [line('0103'), { tags: ['b'], metadata: { room: '2', floor: '2' } }],
      [line('0100'), { patientId, tags: ['c'] }],
      [line('0101', '213'), { metadata: { room: '1' } }],
      [line('0103', '213'), { tags: ['b'] }],
    ];
    for (const [to, more] of wanted) {
      const { call } = await place(app, to, more);
      await app.follow(call.id, isOver);
      const { data } = await app.ask('query ($id: ID!) { call(id: $id) { id queuedAt } }', { id: call.id });
      placed.push(data.call);
    }
    const ids = placed.map(({ id }) => id);
    const found = async (filter: Record<string, unknown>) =>
      (await callsOf(app, filter)).map((call: { id: string }) => ids.indexOf(call.id));
    expect(await found({})).toEqual([4, 3, 2, 1, 0]);
    expect(await found({ statuses: ['BUSY'] })).toEqual([3, 0]);
    expect(await found({ statuses: ['BUSY', 'COMPLETED'] })).toEqual([3, 2, 0]);
    expect(await found({ statuses: [] })).toEqual([]);
    expect(await found({ origins: ['API'] })).toEqual([4, 3, 2, 1, 0]);
    expect(await found({ origins: ['TASK', 'CAMPAIGN'] })).toEqual([]);
    expect(await found({ tag: 'b' })).toEqual([4, 1, 0]);
    expect(await found({ tag: 'nobody' })).toEqual([]);
    expect(await found({ metadata: { floor: '2' } })).toEqual([1, 0]);
    expect(await found({ metadata: { floor: '2', room: '1' } })).toEqual([0]);
    expect(await found({ patientId })).toEqual([2]);
    expect(await found({ patientId: placed[0]!.id })).toEqual([]);
    expect(await found({ campaignId: patientId })).toEqual([]);
    expect(await found({ since: placed[3]!.queuedAt })).toEqual([4, 3]);
    expect(await found({ until: placed[3]!.queuedAt })).toEqual([2, 1, 0]);
    expect(await found({ since: placed[1]!.queuedAt, until: placed[3]!.queuedAt })).toEqual([2, 1]);
    expect(await found({ tag: 'b', statuses: ['FAILED'], since: placed[2]!.queuedAt })).toEqual([4]);

    const page = async (args: string) => {
      const { data, errors } = await app.ask(
        `{ calls(${args}) { edges { node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
      );
      expect(errors).toBeUndefined();
      const { edges, pageInfo } = data.calls;
      return { ...pageInfo, at: edges.map((edge: Answer['data']) => ids.indexOf(edge.node.id)) };
    };
    const first = await page('first: 2');
    expect(first).toMatchObject({ at: [4, 3], hasNextPage: true, hasPreviousPage: false });
    const second = await page(`first: 2, after: "${first.endCursor}"`);
    expect(second).toMatchObject({ at: [2, 1], hasNextPage: true });
    const third = await page(`first: 2, after: "${second.endCursor}"`);
    expect(third).toMatchObject({ at: [0], hasNextPage: false });
    const last = await page('last: 2');
    expect(last).toMatchObject({ at: [1, 0], hasPreviousPage: true, hasNextPage: false });
    const beforeLast = await page(`last: 2, before: "${last.startCursor}"`);
    expect(beforeLast).toMatchObject({ at: [3, 2], hasPreviousPage: true });
    expect(await page(`last: 2, before: "${beforeLast.startCursor}"`)).toMatchObject({
      at: [4],
      hasPreviousPage: false,
    });
    expect(await page(`first: 1, filter: { tag: "b" }`)).toMatchObject({ at: [4], hasNextPage: true });
  }, unlimited));

test('what names no call finds nothing, what cannot name one is refused, and neither breaks anything', () =>
  withApp(async (app) => {
    const one = 'query ($id: ID, $sid: String) { call(id: $id, sid: $sid) { id } }';
    const list = 'query ($filter: CallFilter) { calls(filter: $filter) { edges { node { id } } } }';
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8057';
    for (const [query, variables] of [
      [one, { sid: 'CAnone' }],
      [one, { sid: '' }],
      [one, { id: 'nonsense' }],
      [one, { id: unknown }],
      [list, { filter: { patientId: unknown } }],
      [list, { filter: { patientId: 'nonsense' } }],
      [list, { filter: { campaignId: 'nonsense' } }],
      [list, { filter: { tag: 'é😀' } }],
      [list, { filter: { metadata: { room: 12 } } }],
    ] as const) {
      const { data, errors } = await app.ask(query, variables);
      expect({ variables, errors }).toEqual({ variables, errors: undefined });
      expect(data.call ?? data.calls?.edges ?? []).toEqual([]);
    }
    for (const [query, variables] of [
      [one, {}],
      [one, { id: unknown, sid: 'CAnone' }],
      [one, { sid: '\0' }],
      [list, { filter: { metadata: 'room' } }],
      [list, { filter: { tag: '\0' } }],
      [list, { filter: { metadata: { room: '\0' } } }],
      [list, { filter: { metadata: { '\uD800': 'x' } } }],
      [list, { filter: { since: 'yesterday' } }],
      [list, { filter: { until: '2026-13-01T00:00:00Z' } }],
    ] as const) {
      const { errors } = await app.ask(query, variables);
      const codes = errors?.map((error) => error.extensions?.['code']);
      expect({ variables, codes }).toEqual({ variables, codes: ['INVALID_INPUT'] });
    }
  }, unlimited));

test('a use case spreads its calls over its numbers', () =>
  withApp(async (app) => {
    const { numberId } = await setUp(app, ours);
    const phones = [ours, '+14155550198', '+14155550197'];
    const numberIds = [numberId];
    for (const phone of phones.slice(1)) {
      const { data } = await app.ask(
        `mutation ($phone: E164!) { registerPhoneNumber(input: { phone: $phone }) {
          ... on PhoneNumberPayload { phoneNumber { id } } } }`,
        { phone },
      );
      numberIds.push(data.registerPhoneNumber.phoneNumber.id);
    }
    const { data } = await app.ask(
      `mutation ($numberIds: [ID!]!) { createUseCase(input: { name: "Recall", channel: VOICE, numberIds: $numberIds }) {
        ... on UseCasePayload { useCase { id } } } }`,
      { numberIds },
    );
    const useCaseId: string = data.createUseCase.useCase.id;
    const areas = ['201', '202', '203', '205', '206', '207', '208', '209', '210'];
    const seen = await watch(app);
    const placed = await Promise.all(areas.map((area) => place(app, line('0101', area), { useCaseId })));
    const from = placed.map(({ call }) => call.phoneFrom);
    for (const phone of phones) expect(from.filter((one) => one === phone)).toHaveLength(3);
    await eventually(() =>
      expect([...seen.values()].filter((told) => told.includes('BUSY'))).toHaveLength(9),
    );
  }, unlimited));

test('an id is the same in capitals', () =>
  withApp(async (app) => {
    const { numberId, serviceId } = await setUp(app, ours);
    const patientId = await addPatient(app, line('0101'));
    const { data } = await app.ask(
      `mutation ($numberIds: [ID!]!) { createUseCase(input: { name: "Recall", channel: VOICE, numberIds: $numberIds }) {
        ... on UseCasePayload { useCase { id numbers { id } } } } }`,
      { numberIds: [numberId.toUpperCase()] },
    );
    expect(data.createUseCase.useCase.numbers).toEqual([{ id: numberId }]);
    const useCaseId: string = data.createUseCase.useCase.id;
    const answer = await app.ask(
      `mutation ($input: PlaceCallInput!) { placeCall(input: $input) { ... on PlaceCallPayload {
        call { id patient { id } useCase { id } service { id } } } } }`,
      {
        input: {
          patientId: patientId.toUpperCase(),
          serviceId: serviceId.toUpperCase(),
          reason: 'Check-up',
          useCaseId: useCaseId.toUpperCase(),
        },
      },
    );
    expect(answer.errors).toBeUndefined();
    const { call } = answer.data.placeCall;
    expect(call).toMatchObject({
      patient: { id: patientId },
      useCase: { id: useCaseId },
      service: { id: serviceId },
    });
    expect((await app.follow(call.id.toUpperCase(), isOver)).at(-1)).toBe('BUSY');
  }, unlimited));

test('a number of ours makes ten calls a minute, and the eleventh is told when to come again', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const areas = ['201', '202', '203', '205', '206', '207', '208', '209', '210', '212', '213'];
    const answers = await Promise.all(areas.map((area) => place(app, line('0101', area))));
    expect(answers.filter(({ __typename }) => __typename === 'PlaceCallPayload')).toHaveLength(10);
    const limited = answers.find(({ __typename }) => __typename === 'LimitError');
    expect(limited.code).toBe('SOURCE_NUMBER_RATE_LIMITED');
    expect(limited.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect(limited.retryAfterSeconds).toBeLessThanOrEqual(60);
    expect((await app.ledger()).filter(({ kind }) => kind === 'create')).toHaveLength(10);
  }));

test("a key's requests of a minute are limited, and the answer tells when to come again", () =>
  withApp(
    async (app) => {
      const answers: Answer[] = [];
      // A minute may begin in between: of eleven requests at least one is beyond a limit of five.
      for (let i = 0; i < 11; i += 1) answers.push(await app.ask('{ clock }'));
      const limited = answers.filter(({ errors }) => errors);
      expect(limited.length).toBeGreaterThanOrEqual(1);
      for (const { data, errors } of limited) {
        expect(data ?? null).toBeNull();
        const { code, retryAfterSeconds } = errors![0]!.extensions!;
        expect(code).toBe('RATE_LIMITED');
        expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
        expect(retryAfterSeconds).toBeLessThanOrEqual(60);
      }
    },
    { API_KEY_REQUESTS_PER_MINUTE: '5' },
  ));

/** What the gate says of a patient's own number in advance. */
async function mayContact(app: App, id: string, purpose = 'OTHER') {
  const { data } = await app.ask(
    `query ($id: ID!, $purpose: Purpose!) { patient(id: $id) {
      canContact(channel: VOICE, purpose: $purpose) { allowed blocks basis } } }`,
    { id, purpose },
  );
  return data.patient.canContact;
}

/** Expects the gate to say no, both in advance and when the call is asked for, and nobody to be dialled. */
async function expectBlocked(
  app: App,
  { patientId, to }: { patientId: string; to: string },
  blocks: string[],
  more = {},
) {
  const before = await creates(app, to);
  const answer = await place(app, to, { patientId, basis: null, ...more });
  expect(answer).toMatchObject({
    __typename: 'ContactBlockedError',
    code: 'CONTACT_BLOCKED',
    decision: {
      allowed: false,
      blocks,
    },
  });
  const { purpose = 'OTHER' } = more as { purpose?: string };
  expect(await mayContact(app, patientId, purpose)).toMatchObject({ allowed: false, blocks });
  expect(await creates(app, to)).toEqual(before);
}

test('a number is not dialled while a call to it is open, or nobody knows whether it is', () =>
  withApp(
    async (app) => {
      await setUp(app, ours);
      const [stuck, lost] = [line('0121'), line('0115')];
      const talker = await addPatient(app, stuck);
      const unknown = await addPatient(app, lost);
      const { call } = await place(app, stuck, { patientId: talker });
      await expectBlocked(app, { patientId: talker, to: stuck }, ['ACTIVE_CONTACT']);
      const uncertain = await place(app, lost, { patientId: unknown });
      expect(uncertain.call.status).toBe('UNCERTAIN');
      await expectBlocked(app, { patientId: unknown, to: lost }, ['OUTCOME_UNCERTAIN']);
      await app.follow(call.id, (status) => status === 'IN_PROGRESS');
      await expectBlocked(app, { patientId: talker, to: stuck }, ['ACTIVE_CONTACT']);
      await app.ask(cancelCall, { id: call.id });
      expect(await mayContact(app, talker)).toEqual({ allowed: true, blocks: [], basis: 'PRIOR_EXPRESS' });
      const again = await place(app, stuck, { patientId: talker });
      expect(again.__typename).toBe('PlaceCallPayload');
      await app.ask(cancelCall, { id: again.call.id });
    },
    { ...unlimited, SIM_PACE: '5' },
  ));

test('patients who are not active are not called, nor is who has asked not to be', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const areas = { INACTIVE: '201', DECEASED: '202', TEST: '203' };
    for (const [status, area] of Object.entries(areas)) {
      const to = line('0100', area);
      const { data } = await app.ask(
        `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
        { input: { name: 'Ada', phone: to, sourceSystem: 'ehr', status } },
      );
      await expectBlocked(app, { patientId: data.upsertPatient.patient.id, to: to }, [`PATIENT_${status}`]);
    }
    const revoke = `mutation ($id: ID!, $channels: [Channel!]) {
      revokeConsent(patientId: $id, channels: $channels, reason: "asked") { __typename } }`;
    const leaving = await addPatient(app, line('0100'));
    await app.ask(revoke, { id: leaving });
    await expectBlocked(app, { patientId: leaving, to: line('0100') }, ['DO_NOT_CONTACT']);
    await expectBlocked(app, { patientId: leaving, to: line('0100') }, ['DO_NOT_CONTACT'], {
      basis: 'PRIOR_EXPRESS_WRITTEN',
    });
    const textOnly = await addPatient(app, line('0101'));
    await app.ask(revoke, { id: textOnly, channels: ['VOICE'] });
    await expectBlocked(app, { patientId: textOnly, to: line('0101') }, ['CONSENT_REVOKED']);
  }, unlimited));

test('nobody is called without grounds: what a number given to a provider covers is care, and advertising needs writing', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const stranger = line('0100');
    const none = await place(app, stranger, { basis: null });
    expect(none.decision).toEqual({ allowed: false, blocks: ['NO_LEGAL_BASIS'], basis: null });
    const { data } = await app.ask('{ patients { totalCount } }');
    expect(data.patients.totalCount).toBe(0);
    const vouched = await place(app, stranger, { basis: 'PRIOR_EXPRESS' });
    expect(vouched.__typename).toBe('PlaceCallPayload');

    const to = line('0101');
    const patientId = await addPatient(app, to);
    expect(await mayContact(app, patientId)).toEqual({ allowed: true, blocks: [], basis: 'PRIOR_EXPRESS' });
    for (const purpose of ['BILLING', 'MARKETING']) {
      await expectBlocked(app, { patientId: patientId, to: to }, ['NO_LEGAL_BASIS'], { purpose });
    }
    for (const [purpose, basis] of [
      ['MARKETING', 'PRIOR_EXPRESS'],
      ['MARKETING', 'EMERGENCY'],
      ['BILLING', 'HEALTHCARE_EXEMPTION'],
    ]) {
      await expectBlocked(app, { patientId: patientId, to: to }, ['NO_LEGAL_BASIS'], { purpose, basis });
    }
    const consent = `mutation ($input: ConsentInput!) { recordConsent(input: $input) { __typename } }`;
    const written = {
      patientId,
      phone: to,
      channels: ['VOICE'],
      purposes: ['MARKETING'],
      method: 'signed form',
    };
    await app.ask(consent, { input: { ...written, basis: 'PRIOR_EXPRESS' } });
    await expectBlocked(app, { patientId: patientId, to: to }, ['NO_LEGAL_BASIS'], { purpose: 'MARKETING' });
    await app.ask(consent, { input: { ...written, basis: 'PRIOR_EXPRESS_WRITTEN' } });
    expect(await mayContact(app, patientId, 'MARKETING')).toEqual({
      allowed: true,
      blocks: [],
      basis: 'PRIOR_EXPRESS_WRITTEN',
    });
    const { __typename, call } = await place(app, to, { patientId, purpose: 'MARKETING', basis: null });
    expect(__typename).toBe('PlaceCallPayload');
    const stored = await app.ask('query ($id: ID) { call(id: $id) { decision { allowed basis blocks } } }', {
      id: call.id,
    });
    expect(stored.data.call.decision).toEqual({
      allowed: true,
      blocks: [],
      basis: 'PRIOR_EXPRESS_WRITTEN',
    });
  }, unlimited));
