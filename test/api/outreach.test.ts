/** outreachStats and Patient.engagement: what has come of calls, as anyone may read it. */
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, placeCall, setUp, withApp, type App } from '../support/program.ts';
import { scheduled } from './tasks.ts';

const statsQuery = `query ($since: DateTime!, $until: DateTime!, $groupBy: StatsGroup!) {
  outreachStats(since: $since, until: $until, groupBy: $groupBy) {
    key attempts answered completed failed voicemails texts talkSeconds answerRate due attempted reached achieved
  }
}`;
const engagementQuery = `query ($id: ID!) { patient(id: $id) { engagement {
  attempts answered voicemails texts lastAttemptAt lastAnsweredAt consecutiveUnanswered reachability bestHour asOf
} } }`;
const thatDay = { since: '2026-03-03T00:00:00Z', until: '2026-03-10T00:00:00Z' };

const stats = async (app: App, groupBy: string, span = thatDay) =>
  (await app.ask(statsQuery, { ...span, groupBy })).data.outreachStats;

const over = (status: string) => ['COMPLETED', 'BUSY'].includes(status);

/** Calls somebody, and waits for the end. */
async function call(app: App, phone: string, input: object = {}): Promise<{ patientId: string; id: string }> {
  const patientId = await addPatient(app, phone, `Patient ${phone}`);
  const { data } = await app.ask(placeCall, {
    input: { patientId, phoneFrom: '+14155550199', reason: 'Check-up', ...input },
  });
  const { id } = data.placeCall.call;
  await app.follow(id, over);
  return { patientId, id };
}

/** Waits until the projection has read to the end of the log. */
const caughtUp = (app: App, patientId: string) =>
  eventually(async () => {
    const { data } = await app.ask(engagementQuery, { id: patientId });
    const { data: log } = await app.ask('{ events(first: 1) { edges { cursor node { cursor } } } }');
    const told = data.patient.engagement;
    return Number(told.asOf) >= Number(log.events.edges[0].node.cursor) ? told : null;
  });

test('what came of calls is counted by channel, origin, day, hour, tag and purpose, and told of each person', () =>
  withApp(async (app) => {
    await setUp(app);
    const { patientId, id } = await call(app, '+12125550100', { tags: ['a', 'b'], purpose: 'LAB_RESULTS' });
    await call(app, '+12125550101', { tags: ['b'] });
    const machine = await call(app, '+13105550104');
    const { data } = await app.ask(`{ call(id: "${id}") { durationSeconds queuedAt answeredAt } }`);
    const { durationSeconds: talkSeconds, queuedAt, answeredAt } = data.call;
    const engagement = await caughtUp(app, patientId);
    const noTask = { due: 0, attempted: 0, reached: 0, achieved: 0 };
    const reached = { attempts: 1, answered: 1, completed: 1, failed: 0, voicemails: 0, texts: 0, ...noTask };
    const everything = { ...reached, attempts: 3, completed: 2, talkSeconds, answerRate: 1 / 3 };
    expect(await stats(app, 'CHANNEL')).toEqual([{ key: 'VOICE', ...everything }]);
    expect(await stats(app, 'ORIGIN')).toEqual([{ key: 'API', ...everything }]);
    expect(await stats(app, 'DAY')).toEqual([{ key: '2026-03-03', ...everything }]);
    expect(await stats(app, 'HOUR')).toEqual([
      // Los Angeles, then New York
      { ...reached, key: '11', answered: 0, talkSeconds: 0, answerRate: 0 },
      { ...reached, key: '14', attempts: 2, talkSeconds, answerRate: 1 / 2 },
    ]);
    expect(await stats(app, 'TAG')).toEqual([
      { ...reached, key: 'b', attempts: 2, talkSeconds, answerRate: 1 / 2 },
      { ...reached, key: 'a', talkSeconds, answerRate: 1 },
    ]);
    expect((await stats(app, 'PURPOSE')).map(({ key }: { key: string }) => key)).toEqual([
      'OTHER',
      'LAB_RESULTS',
    ]);
    expect(await stats(app, 'CAMPAIGN')).toEqual([]);
    // To the instant: until is not part of the span, since is.
    const [before, from] = [
      { since: thatDay.since, until: queuedAt },
      { since: queuedAt, until: thatDay.until },
    ];
    expect(await stats(app, 'CHANNEL', before)).toEqual([]);
    expect(await stats(app, 'CHANNEL', from)).toMatchObject([{ attempts: 3 }]);
    expect(engagement).toEqual({
      attempts: 1,
      answered: 1,
      voicemails: 0,
      texts: 0,
      lastAttemptAt: queuedAt,
      lastAnsweredAt: answeredAt,
      consecutiveUnanswered: 0,
      reachability: 1,
      bestHour: 14,
      asOf: expect.stringMatching(/^\d+$/),
    });
    expect(await caughtUp(app, machine.patientId)).toMatchObject({
      answered: 0,
      lastAnsweredAt: null,
      consecutiveUnanswered: 1,
      reachability: 0,
      bestHour: null,
    });
    const nobody = await addPatient(app, '+13125550100', 'Never called');
    const { data: told } = await app.ask(engagementQuery, { id: nobody });
    expect(told.patient.engagement).toMatchObject({ attempts: 0, lastAttemptAt: null, reachability: null });

    // A clock that is moved has counted whatever it passed over.
    await scheduled(app, { patientId: nobody, scheduledFor: '2026-03-04T16:00:00Z', tags: ['late'] });
    const { errors } = await app.ask('mutation { advanceClock(to: "2026-03-04T17:00:00Z") }');
    expect(errors).toBeUndefined();
    expect(await stats(app, 'TAG')).toContainEqual(expect.objectContaining({ key: 'late', attempts: 1 }));
    expect(await stats(app, 'ORIGIN')).toContainEqual(expect.objectContaining({ key: 'TASK', attempts: 1 }));
    // From due to achieved, and by how many attempts: one was answered, one is for later, one was taken away.
    const later = await scheduled(app, {
      patientId: nobody,
      scheduledFor: '2026-03-05T16:00:00Z',
      tags: ['later'],
    });
    const gone = await scheduled(app, {
      patientId: nobody,
      scheduledFor: '2026-03-04T19:00:00Z',
      tags: ['gone'],
    });
    await app.ask('mutation ($id: ID!) { cancelTask(id: $id) { __typename } }', { id: gone.id });
    await app.ask(
      'mutation ($id: ID!) { snoozeTask(id: $id, until: "2026-03-07T16:00:00Z") { __typename } }',
      { id: later.id },
    );
    await caughtUp(app, nobody);
    const funnel = ({ key, due, attempted, reached: told, achieved }: Record<string, unknown>) => [
      key,
      due,
      attempted,
      told,
      achieved,
    ];
    const byTag = (await stats(app, 'TAG')).map(funnel);
    expect(byTag).toEqual(
      expect.arrayContaining([
        ['late', 1, 1, 1, 1],
        ['later', 1, 0, 0, 0],
      ]),
    );
    expect(byTag.map(([key]: string[]) => key)).not.toContain('gone');
    const days = (await stats(app, 'DAY')).map(funnel);
    expect(days).toContainEqual(['2026-03-04', 1, 1, 1, 1]);
    expect(days).toContainEqual(['2026-03-07', 1, 0, 0, 0]); // snoozed until then
    expect(
      (await stats(app, 'ATTEMPT')).map((row: { attempts: number }) => [
        row.attempts,
        ...funnel(row as never),
      ]),
    ).toEqual([[1, '01', 1, 1, 1, 1]]);

    // What cannot be told says why.
    const codes = async (variables: object, key?: string) =>
      (await app.ask(statsQuery, { ...thatDay, groupBy: 'DAY', ...variables }, key)).errors?.map(
        ({ extensions }) => extensions?.['code'],
      );
    expect(await codes({ since: '2026-03-11T00:00:00Z' })).toEqual(['INVALID_INPUT']);
    expect(await codes({ since: '2026-02-30T00:00:00Z' })).toEqual(['INVALID_INPUT']);
    expect(await codes({ until: thatDay.since })).toBeUndefined();
    const { data: made } = await app.ask(
      `mutation { createApiKey(name: "x", scopes: ["patients:read"]) { ... on ApiKeyPayload { secret } } }`,
    );
    expect(await codes({}, made.createApiKey.secret)).toEqual(['FORBIDDEN']);
    const { errors: refused } = await app.ask(engagementQuery, { id: patientId }, made.createApiKey.secret);
    expect(refused).toBeUndefined();
  }));
