/** A campaign, from the draft to the end of its run. */
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';

const campaign = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  runAt: '14:05',
  timeZone: 'America/New_York',
  audience: {},
  callsPerMinute: 600,
  maxConcurrentCalls: 50,
};

async function create(app: App, input: Record<string, unknown> = {}): Promise<string> {
  const { data } = await app.ask(
    `mutation ($input: CampaignInput!) { createCampaign(input: $input) {
      __typename ... on CampaignPayload { campaign { id status } } ... on Error { message }
    } }`,
    { input: { ...campaign, ...input } },
  );
  expect(data.createCampaign).toMatchObject({ campaign: { status: 'DRAFT' } });
  return data.createCampaign.campaign.id;
}

const runFields = `id status date manual eligible pending inFlight answered unanswered failed cancelled
  exclusions { reason count } startedAt finishedAt breakerReason`;

async function lastRun(app: App, id: string) {
  const { data } = await app.ask(
    `query ($id: ID!) { campaign(id: $id) { nextRunAt runs(first: 1) { edges { node { ${runFields} } } } } }`,
    { id },
  );
  return data.campaign.runs.edges[0]?.node;
}

test('an active campaign runs at its wall time, calls everybody it may, and is complete', () =>
  withApp(
    async (app) => {
      await setUp(app);
      await addPatient(app, '+12125550100', 'Ada Answers');
      await addPatient(app, '+12125550101', 'Bo Busy');
      await addPatient(app, '+12125550110', 'Cy Refused');
      await app.ask(
        `mutation { upsertPatient(input: { name: "Nora Number", sourceSystem: "ehr" }) { __typename } }`,
      );
      const id = await create(app);
      const preview = await app.ask(
        `query ($id: ID!) { campaignPreview(campaignId: $id) { eligible exclusions { reason count } sample { name } estimatedFinishAt finishesInWindow byHour { hour calls } } }`,
        { id },
      );
      expect(preview.data.campaignPreview).toMatchObject({
        eligible: 3,
        exclusions: [{ reason: 'PHONE_MISSING', count: 1 }],
        finishesInWindow: true,
      });
      const activated = await app.ask(
        `mutation ($id: ID!) { activateCampaign(id: $id) { ... on CampaignPayload { campaign { status nextRunAt } } ... on Error { message } } }`,
        { id },
      );
      expect(activated.data.activateCampaign).toEqual({
        campaign: { status: 'ACTIVE', nextRunAt: '2026-03-03T19:05:00.000Z' },
      });
      await app.ask('mutation { advanceClock(to: "2026-03-03T19:30:00Z") }');
      const run = await eventually(async () => {
        const run = await lastRun(app, id);
        return run?.status === 'COMPLETED' ? run : Promise.reject(new Error(JSON.stringify(run)));
      });
      expect(run).toMatchObject({
        date: '2026-03-03',
        manual: false,
        eligible: 3,
        pending: 0,
        inFlight: 0,
        answered: 1,
        unanswered: 1,
        failed: 1,
        cancelled: 0,
      });
      const { data } = await app.ask(
        `query ($id: ID!) { campaignRun(id: $id) { calls { edges { node { origin phoneTo campaign { name } tags } } } } }`,
        { id: run.id },
      );
      expect(data.campaignRun.calls.edges).toHaveLength(3);
      expect(data.campaignRun.calls.edges[0].node).toMatchObject({
        origin: 'CAMPAIGN',
        campaign: { name: 'Flu shots' },
        tags: ['Flu shots'],
      });
    },
    { SOURCE_NUMBER_CALLS_PER_MINUTE: '1000' },
  ));

test('a campaign that goes on after a pause calls at once, and only those who were not called', () =>
  withApp(
    async (app) => {
      await setUp(app);
      const areas = [212, 213, 214, 215, 216, 217];
      for (const area of areas) await addPatient(app, `+1${area}5550100`, `Ada of ${area}`);
      const id = await create(app, { maxConcurrentCalls: 1 });
      const tell = async (verb: string) => {
        const { data } = await app.ask(
          `mutation ($id: ID!) { answer: ${verb}(id: $id) { __typename ... on Error { message } } }`,
          { id },
        );
        expect(data.answer.message).toBeUndefined();
      };
      const dialled = async () =>
        (await app.ledger()).filter(({ kind, accepted }) => kind === 'create' && accepted);
      await tell('activateCampaign');
      await tell('runCampaign');
      await eventually(async () => (await dialled()).length > 1);
      await tell('pauseCampaign');
      const before = await eventually(async () => {
        const run = await lastRun(app, id);
        if (run.status !== 'PAUSED' || run.inFlight > 0) throw new Error(JSON.stringify(run));
        return dialled();
      });
      expect(before.length).toBeLessThan(areas.length);
      await tell('activateCampaign');
      await eventually(async () => (await dialled()).length > before.length, 3_000);
      await eventually(async () => (await lastRun(app, id)).status === 'COMPLETED', 10_000);
      const numbers = (await dialled()).map(({ to }) => to);
      expect(numbers.toSorted()).toEqual(areas.map((area) => `+1${area}5550100`));
    },
    { SOURCE_NUMBER_CALLS_PER_MINUTE: '1000' },
  ));
