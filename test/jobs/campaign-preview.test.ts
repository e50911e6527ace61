/** What a preview says, and then the run that it previews. */
import { expect, test } from 'vitest';
import * as calls from '../../src/domain/call.ts';
import type { Call } from '../../src/domain/call.ts';
import { eventually } from '../support/eventually.ts';
import { setUp, withApp, type App } from '../support/program.ts';

/** Area codes by where they are. */
const east = [
  201, 202, 203, 207, 212, 215, 216, 240, 301, 302, 315, 347, 401, 404, 410, 412, 413, 508, 516, 518, 540,
  603, 609, 610, 617, 646, 704, 716, 717, 718, 732, 757, 781, 802, 803, 804, 845, 856, 860, 908,
];
const west = [213, 310, 323, 415, 510, 619, 626, 650, 707, 714];
const hawaii = [808];

/** Numbers at which it rings for half a minute, and nobody answers. */
const quiet = (areaCodes: number[]): string[] => areaCodes.map((code) => `+1${code}5550102`);

/** Numbers of New York with people of all kinds. */
const mixed = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `+12122${String(340_000 + index * 7)}`);

const campaign = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  runAt: '10:00',
  timeZone: 'America/New_York',
  callsPerMinute: 600,
  maxConcurrentCalls: 1_000,
};

/** A number of ours calls 20 times a minute, 16 of them for campaigns; people live as fast as the clock. */
const environment = {
  SIM_PACE: '1',
  SOURCE_NUMBER_CALLS_PER_MINUTE: '20',
  API_KEY_REQUESTS_PER_MINUTE: '10000',
};

/** People of a campaign of their own, and three who are left out. */
async function gather(app: App, tag: string, phones: string[]): Promise<void> {
  const people = [
    ...phones.map((phone) => ({ name: `${tag} ${phone}`, phone })),
    { name: `${tag} Nora Number` },
    { name: `${tag} Tess Test`, phone: '+12125559999', status: 'TEST' },
    { name: `${tag} Ivy Invalid`, phone: '+15555551234' },
  ];
  for (const person of people) {
    const { data } = await app.ask(
      `mutation ($input: PatientInput!) { upsertPatient(input: $input) { __typename } }`,
      { input: { ...person, tags: [tag], sourceSystem: 'ehr' } },
    );
    expect(data.upsertPatient).toEqual({ __typename: 'PatientPayload' });
  }
}

const leftOut = ['PATIENT_TEST', 'PHONE_INVALID', 'PHONE_MISSING'].map((reason) => ({ reason, count: 1 }));

async function create(app: App, tag: string, more: Record<string, unknown>): Promise<string> {
  const { data } = await app.ask(
    `mutation ($input: CampaignInput!) { createCampaign(input: $input) {
      ... on CampaignPayload { campaign { id } } ... on Error { message } } }`,
    { input: { ...campaign, name: tag, audience: { tags: [tag] }, ...more } },
  );
  return data.createCampaign.campaign.id;
}

interface Previewed {
  eligible: number;
  exclusions: { reason: string; count: number }[];
  startsAt: string;
  estimatedFinishAt: string;
  finishesInWindow: boolean;
  byHour: { hour: string; calls: number }[];
}

async function preview(app: App, id: string): Promise<Previewed> {
  const { data } = await app.ask(
    `query ($id: ID!) { campaignPreview(campaignId: $id) { eligible exclusions { reason count } startsAt
      estimatedFinishAt finishesInWindow byHour { hour calls } } }`,
    { id },
  );
  return data.campaignPreview;
}

interface Ran extends Pick<Previewed, 'eligible' | 'exclusions'> {
  id: string;
  status: string;
  startedAt: string;
  finishedAt: string;
  cancelled: number;
}

/** Runs a campaign now, and moves the clock until it must be over. */
async function run(app: App, id: string, to: string): Promise<{ run: Ran; begun: Date[] }> {
  const { data } = await app.ask(
    `mutation ($id: ID!) { runCampaign(id: $id) { ... on RunCampaignPayload { run { id } } ... on Error { message } } }`,
    { id },
  );
  const runId = data.runCampaign.run.id;
  await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to });
  const found = await eventually(async () => {
    const answer = await app.ask(
      `query ($id: ID!) { campaignRun(id: $id) { id status startedAt finishedAt eligible cancelled
        exclusions { reason count } } }`,
      { id: runId },
    );
    const seen = answer.data.campaignRun as Ran;
    return seen.status === 'COMPLETED' ? seen : Promise.reject(new Error(JSON.stringify(seen)));
  });
  const where = { workspaceId: { eq: app.workspaceId }, campaignRunId: { eq: runId } };
  const made = await app.world.find<Call>(calls.table, where);
  return { run: found, begun: made.map(({ queuedAt }) => queuedAt) };
}

const hourOf = (at: Date) => `${at.toISOString().slice(0, 13)}:00:00.000Z`;

/** Holds a run against its preview: the same people, the same hours, and a finish within a tenth of the time it took. */
function compare(previewed: Previewed, { run: ran, begun }: { run: Ran; begun: Date[] }): void {
  expect({ eligible: previewed.eligible, exclusions: previewed.exclusions }).toEqual({
    eligible: ran.eligible,
    exclusions: ran.exclusions,
  });
  const byHour = Map.groupBy(begun, hourOf);
  expect(Object.fromEntries(previewed.byHour.map(({ hour, calls: count }) => [hour, count]))).toEqual(
    Object.fromEntries([...byHour].map(([hour, list]) => [hour, list.length])),
  );
  const took = Date.parse(ran.finishedAt) - Date.parse(ran.startedAt);
  const estimated = Date.parse(previewed.estimatedFinishAt) - Date.parse(previewed.startsAt);
  expect(Math.abs(estimated - took) / took, `estimated ${estimated} ms, took ${took} ms`).toBeLessThan(0.1);
}

const callsOf = ({ byHour }: Previewed) => byHour.reduce((sum, { calls: count }) => sum + count, 0);

/** A preview and its run: of people who can all be called. */
async function previewAndRun(
  app: App,
  tag: string,
  given: { phones: string[]; to: string } & Record<string, unknown>,
): Promise<Previewed> {
  const { phones, to, ...settings } = given;
  await gather(app, tag, phones);
  const id = await create(app, tag, settings);
  const previewed = await preview(app, id);
  expect(previewed).toMatchObject({ eligible: phones.length, finishesInWindow: true });
  expect(previewed.exclusions).toEqual(leftOut);
  expect(callsOf(previewed)).toBe(phones.length);
  const ran = await run(app, id, to);
  expect(ran.run.cancelled).toBe(0);
  compare(previewed, ran);
  return previewed;
}

const secondsOf = ({ startsAt, estimatedFinishAt }: Previewed) =>
  (Date.parse(estimatedFinishAt) - Date.parse(startsAt)) / 1_000;

test(
  'a run takes as long as its preview says, whatever keeps its pace',
  () =>
    withApp(async (app) => {
      await setUp(app);
      await gather(app, 'first', quiet(east.slice(0, 3)));
      await run(app, await create(app, 'first', {}), '2026-03-03T19:10:00Z');

      const lines = { phones: quiet(east.slice(0, 8)), to: '2026-03-03T19:30:00Z', maxConcurrentCalls: 2 };
      expect(secondsOf(await previewAndRun(app, 'lines', lines))).toBeGreaterThan(3 * 31);

      const numbered = { phones: quiet(east.slice(0, 18)), to: '2026-03-03T20:00:00Z' };
      const onOneNumber = secondsOf(await previewAndRun(app, 'numbered', numbered));
      expect(onOneNumber).toBeGreaterThan(17 * 3.75);

      await app.ask(`mutation { registerPhoneNumber(input: { phone: "+14155550198" }) { __typename } }`);
      const shared = { phones: quiet(east.slice(0, 18)), to: '2026-03-03T20:30:00Z' };
      expect(secondsOf(await previewAndRun(app, 'shared', shared))).toBeLessThan(onOneNumber);

      const paced = { phones: mixed(14), to: '2026-03-03T21:00:00Z', callsPerMinute: 2 };
      expect(secondsOf(await previewAndRun(app, 'paced', paced))).toBeGreaterThan(13 * 30);
    }, environment),
  60_000,
);

test('whoever may be called later is called later, as the preview says', () =>
  withApp(
    async (app) => {
      await setUp(app);
      const phones = [...quiet(east.slice(0, 12)), ...quiet(west), ...quiet(hawaii)];
      const zones = { phones, to: '2026-03-03T22:00:00Z', callsPerMinute: 10 };
      const { byHour } = await previewAndRun(app, 'zones', zones);
      expect(byHour).toEqual([
        { hour: '2026-03-03T13:00:00.000Z', calls: 10 },
        { hour: '2026-03-03T14:00:00.000Z', calls: 2 },
        { hour: '2026-03-03T16:00:00.000Z', calls: 10 },
        { hour: '2026-03-03T18:00:00.000Z', calls: 1 },
      ]);
    },
    { ...environment, CLOCK_START: '2026-03-03T13:30:00Z' },
  ));

test('a preview says when not everybody can be called that day, and how many are', () =>
  withApp(
    async (app) => {
      await setUp(app);
      await gather(app, 'late', [...quiet(east.slice(0, 20)), ...quiet(west)]);
      const id = await create(app, 'late', { callsPerMinute: 4 });
      const previewed = await preview(app, id);
      expect(previewed).toMatchObject({ eligible: 30, finishesInWindow: false });
      expect(callsOf(previewed)).toBeLessThan(30);
      expect(callsOf(previewed)).toBeGreaterThan(10);
      const ran = await run(app, id, '2026-03-04T06:00:00Z');
      expect(ran.run.cancelled).toBe(30 - callsOf(previewed));
      compare(previewed, ran);
    },
    { ...environment, CLOCK_START: '2026-03-04T00:57:00Z' },
  ));

test(
  'of nobody a preview says that nothing is to be done',
  () =>
    withApp(async (app) => {
      await setUp(app);
      await gather(app, 'nobody', []);
      expect(await preview(app, await create(app, 'nobody', {}))).toMatchObject({
        eligible: 0,
        exclusions: leftOut,
        estimatedFinishAt: null,
        finishesInWindow: true,
        byHour: [],
      });
    }, environment),
  60_000,
);
