import { expect, test } from 'vitest';
import { ask, placeCall, setUp, withApp, type App } from '../support/program.ts';

/** A Tuesday: 14:00 in New York, 9:00 in Honolulu. People live at the clock's own pace. */
const settings = {
  CLOCK_START: '2026-03-03T19:00:00Z',
  SIM_PACE: '1',
  SOURCE_NUMBER_CALLS_PER_MINUTE: '1000',
};

const ours = '+12125550199';

async function place(app: App, ending: string): Promise<string> {
  const person = { firstName: 'Grace', lastName: `Hopper ${ending}` };
  const input = {
    phoneTo: `+1212555${ending}`,
    phoneFrom: ours,
    person,
    reason: 'Check-up',
    basis: 'PRIOR_EXPRESS',
  };
  const answer = await app.ask(placeCall, { input });
  expect(answer).toMatchObject({ data: { placeCall: { __typename: 'PlaceCallPayload' } } });
  return answer.data.placeCall.call.id;
}

interface Story {
  status: string;
  answeredBy: string | null;
  endedReason: string | null;
  durationSeconds: number | null;
  events: { type: string; effectiveAt: string; recordedAt: string }[];
}

async function storyOf(app: App, id: string): Promise<Story> {
  const { data } = await app.ask(
    `query ($id: ID!) { call(id: $id) { status answeredBy endedReason durationSeconds
      events { type effectiveAt recordedAt } } }`,
    { id },
  );
  return data.call;
}

/** Moves the clock so many seconds on; answers the whole answer and how long it took in real milliseconds. */
async function advance(app: App, seconds: number) {
  const to = new Date(app.clock.now().getTime() + seconds * 1000).toISOString();
  const began = performance.now();
  const answer = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to });
  return { ...answer, to, tookMs: performance.now() - began };
}

const typesOf = ({ events }: Story) => events.map(({ type }) => type);

/** Seconds of the clock from the first event of a call to the first of a type. */
const secondsUntil = ({ events }: Story, type: string) =>
  (Date.parse(events.find((event) => event.type === type)!.recordedAt) - Date.parse(events[0]!.recordedAt)) /
  1000;

test('ten minutes pass in a second: calls happen in order, at their times, and lost ones are settled', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const ids = [await place(app, '0100'), await place(app, '0104'), await place(app, '0119')];
    const { data, errors, to, tookMs } = await advance(app, 600);
    expect(errors).toBeUndefined();
    expect(Date.parse(data.advanceClock) - Date.parse(to)).toBeLessThan(1_000);
    expect(tookMs).toBeLessThan(5_000);
    const [person, machine, silent] = await Promise.all(ids.map((id) => storyOf(app, id)));

    expect(person!.status).toBe('COMPLETED');
    expect(typesOf(person!)).toEqual([
      'outbound.initiated',
      'call.accepted',
      'call.context_ready',
      'call.ringing',
      'call.answered',
      'call.outcome_reported',
      'call.completed',
    ]);
    expect(secondsUntil(person!, 'call.ringing')).toBeGreaterThan(1);
    expect(secondsUntil(person!, 'call.ringing')).toBeLessThan(3);
    expect(secondsUntil(person!, 'call.answered') - secondsUntil(person!, 'call.ringing')).toBeCloseTo(
      2.5,
      1,
    );
    expect(secondsUntil(person!, 'call.completed') - secondsUntil(person!, 'call.answered')).toBeLessThan(40);
    expect(person!.durationSeconds).toBeGreaterThan(15);

    // Hung up as soon as the machine was known, not when its greeting was over.
    expect(machine).toMatchObject({ status: 'COMPLETED', answeredBy: 'MACHINE' });
    expect(secondsUntil(machine!, 'call.completed') - secondsUntil(machine!, 'call.machine_detected')).toBe(
      0,
    );

    // The sweeper asks when the call has been silent for as long as its status may last.
    expect(silent!.status).toBe('COMPLETED');
    expect(secondsUntil(silent!, 'call.completed') - secondsUntil(silent!, 'call.answered')).toBeCloseTo(
      60,
      0,
    );
    expect(silent!.durationSeconds).toBe(person!.durationSeconds);
  }, settings));

test('a call that is cut short by the end of a move goes on in the next one, and in real time', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const id = await place(app, '0108');
    await advance(app, 3);
    expect((await storyOf(app, id)).status).toBe('RINGING');
    await advance(app, 2);
    expect((await storyOf(app, id)).status).toBe('IN_PROGRESS');
    const rest = await app.follow(id, (status) => status === 'COMPLETED');
    expect(rest.at(-1)).toBe('COMPLETED');
  }, settings));

test('a call whose answer and callbacks are lost, and one that was never accepted, are settled on the way', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const [lost, refused] = [await place(app, '0114'), await place(app, '0115')];
    await advance(app, 600);
    expect(await storyOf(app, lost)).toMatchObject({ status: 'COMPLETED' });
    expect(await storyOf(app, refused)).toMatchObject({
      status: 'FAILED',
      endedReason: 'never_reached_carrier',
    });
  }, settings));

test('a call that stays open for hours ends by its limit; a week without calls is immediate', () =>
  withApp(async (app) => {
    await setUp(app, ours);
    const id = await place(app, '0121');
    const open = await advance(app, 6 * 3_600);
    expect(open.errors).toBeUndefined();
    expect(await storyOf(app, id)).toMatchObject({ status: 'COMPLETED' });
    const quiet = await advance(app, 7 * 86_400);
    expect(quiet.errors).toBeUndefined();
    expect(quiet.tookMs).toBeLessThan(1_000);
    const { data } = await app.ask('{ clock }');
    expect(Date.parse(data.clock)).toBeGreaterThanOrEqual(Date.parse(quiet.to));
  }, settings));

test('the clock is not moved back, not to nonsense, not without the scope, and not where other processes have others', async () => {
  const mutation = (to: string) => `mutation { advanceClock(to: "${to}") }`;
  await withApp(async (app) => {
    for (const to of ['2026-03-03T18:59:59Z', 'tomorrow']) {
      const { errors } = await app.ask(mutation(to));
      expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' }, path: ['advanceClock'] }]);
    }
    const made = await app.ask(
      `mutation { createApiKey(name: "reader", scopes: ["workspace:read"]) { ... on ApiKeyPayload { secret } } }`,
    );
    const reader = made.data.createApiKey.secret as string;
    const { errors } = await app.ask(mutation('2026-03-04T19:00:00Z'), {}, reader);
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  }, settings);
  await withApp(
    async (app) => {
      const { errors } = await ask<{ errors: unknown }>(app.url, {
        query: mutation('2026-03-04T19:00:00Z'),
        key: app.key,
      });
      expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
    },
    { ...settings, ROLE: 'api' },
  );
});
