import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Answer, App } from '../support/program.ts';
import type { Input } from './tasks.ts';

/** A campaign that calls everybody as fast as it can. */
export const flu = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  runAt: '14:05',
  timeZone: 'America/New_York',
  audience: {},
  callsPerMinute: 600,
  maxConcurrentCalls: 50,
};

const fields = `id name status purpose reason goal priority runAt timeZone audience { facts sourceSystems tags }
  allowlist maxAttempts cooldownHours callsPerMinute maxConcurrentCalls breakerThreshold service { id } nextRunAt
  createdAt`;

const runFields = `id status date manual eligible pending inFlight answered unanswered failed cancelled
  exclusions { reason count } startedAt finishedAt estimatedFinishAt breakerReason campaign { id }`;

/** A run as a test reads it. */
export interface Run {
  id: string;
  status: string;
  date: string;
  manual: boolean;
  eligible: number;
  pending: number;
  inFlight: number;
  answered: number;
  unanswered: number;
  failed: number;
  cancelled: number;
  exclusions: { reason: string; count: number }[];
  finishedAt: string | null;
  estimatedFinishAt: string | null;
  breakerReason: string | null;
}

const refusals = `... on Error { code message } ... on InputError { fields { path } } ... on NotFoundError { id }
  ... on StateError { state }`;
const ofCampaign = `{ __typename ... on CampaignPayload { campaign { ${fields} } } ${refusals} }`;
const ofRun = `{ __typename ... on RunCampaignPayload { replayed run { ${runFields} } } ${refusals} }`;

/** Asks for a campaign; the whole answer, its outcome as `result`. */
export const create = (app: App, input: Input = {}, key = app.key): Promise<Answer> =>
  app.ask(
    `mutation ($input: CampaignInput!) { result: createCampaign(input: $input) ${ofCampaign} }`,
    { input: { ...flu, ...input } },
    key,
  );

/** Creates a campaign, which must be taken; answers its id. */
export async function created(app: App, input: Input = {}): Promise<string> {
  const { data, errors } = await create(app, input);
  expect(errors).toBeUndefined();
  expect(data.result).toMatchObject({ __typename: 'CampaignPayload' });
  return data.result.campaign.id as string;
}

/** Tells a campaign anew what to do; the whole answer. */
export const update = (app: App, id: string, input: Input = {}): Promise<Answer> =>
  app.ask(
    `mutation ($id: ID!, $input: CampaignInput!) { result: updateCampaign(id: $id, input: $input) ${ofCampaign} }`,
    { id, input: { ...flu, ...input } },
  );

/** What may be done with a campaign by its id alone. */
export type Verb = 'activateCampaign' | 'pauseCampaign' | 'archiveCampaign';

/** Does it; what is answered. */
export const move = async (app: App, verb: Verb, id: string) =>
  (await app.ask(`mutation ($id: ID!) { result: ${verb}(id: $id) ${ofCampaign} }`, { id })).data.result;

/** Runs a campaign now; what is answered. */
export async function run(app: App, id: string, more: Input = {}) {
  const { data, errors } = await app.ask(
    `mutation ($id: ID!, $callList: [E164!], $idempotencyKey: String) {
      result: runCampaign(id: $id, callList: $callList, idempotencyKey: $idempotencyKey) ${ofRun} }`,
    { id, ...more },
  );
  expect(errors).toBeUndefined();
  return data.result;
}

/** Ends a run; what is answered. */
export const cancelRun = async (app: App, id: string) =>
  (await app.ask(`mutation ($id: ID!) { result: cancelCampaignRun(id: $id) ${ofRun} }`, { id })).data.result;

/** A campaign as it is now; null: there is none. */
export const campaignOf = async (app: App, id: string) =>
  (await app.ask(`query ($id: ID!) { campaign(id: $id) { ${fields} } }`, { id })).data.campaign;

/** A run as it is now. */
export async function runOf(app: App, id: string): Promise<Run> {
  const { data, errors } = await app.ask(`query ($id: ID!) { campaignRun(id: $id) { ${runFields} } }`, {
    id,
  });
  expect(errors).toBeUndefined();
  return data.campaignRun as Run;
}

/** How many members a run has by its six states. */
export const sumOf = ({ pending, inFlight, answered, unanswered, failed, cancelled }: Run): number =>
  pending + inFlight + answered + unanswered + failed + cancelled;

/** Waits until a run fits; on the way its states sum to the eligible. */
export const reaches = (app: App, id: string, fits: (run: Run) => boolean): Promise<Run> =>
  eventually(async () => {
    const run = await runOf(app, id);
    expect({ ...run, sum: sumOf(run) }).toEqual({ ...run, sum: run.eligible });
    if (fits(run)) return run;
    throw new Error(JSON.stringify(run));
  }, 15_000);

/** Waits until a run has this status. */
export const ends = (app: App, id: string, status = 'COMPLETED'): Promise<Run> =>
  reaches(app, id, (run) => run.status === status);

/** Whether and why a patient was in a run; null: nobody looked. */
export const memberOf = async (app: App, runId: string, patientId: string) =>
  (
    await app.ask(
      `query ($id: ID!, $patientId: ID!) { campaignRun(id: $id) { member(patientId: $patientId) {
        reason patient { id } task { id status attempts phone decision { allowed blocks } calls { id } }
      } } }`,
      { id: runId, patientId },
    )
  ).data.campaignRun.member;

/** A patient of whom a system says this much; answers its id. */
export async function tell(app: App, input: Input): Promise<string> {
  const { data, errors } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } ... on Error { message } } }`,
    { input: { name: 'Ada Lovelace', sourceSystem: 'ehr', ...input } },
  );
  expect(errors).toBeUndefined();
  return data.upsertPatient.patient.id as string;
}
