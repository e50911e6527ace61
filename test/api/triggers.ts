import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { App } from '../support/program.ts';

/** What triggers are written and fired with, and what is read of them. */
const triggerFields = `id name kind active schedule timeZone eventType filter nextFireAt upcoming(count: 3) maxRunsPerMinute
  action { channel purpose reason goal priority scheduleAt delaySeconds maxAttempts cancelOn }
  webhook { id url acceptedEventTypes maxRetries createdAt }`;

const answer = `__typename ... on TriggerPayload { secret trigger { ${triggerFields} } }
  ... on Error { code message } ... on InputError { fields { path message } } ... on NotFoundError { id }`;

/** Any trigger of a kind, with what a test wants otherwise. */
const anyTrigger = (more: Record<string, unknown> = {}) => ({
  name: 'A trigger',
  kind: 'EVENT',
  eventType: more['kind'] && more['kind'] !== 'EVENT' ? undefined : 'lab.result_received',
  ...more,
  action: {
    reason: 'Your results are in',
    purpose: 'LAB_RESULTS',
    ...(more['action'] as object | undefined),
  },
});

/** The whole answer to createTrigger. */
export const write = async (app: App, more: Record<string, unknown> = {}, key = app.key) =>
  (
    await app.ask(
      `mutation ($input: TriggerInput!) { createTrigger(input: $input) { ${answer} } }`,
      { input: anyTrigger(more) },
      key,
    )
  ).data.createTrigger;

/** The whole answer to updateTrigger. */
export const rewrite = async (app: App, id: string, more: Record<string, unknown> = {}) =>
  (
    await app.ask(
      `mutation ($id: ID!, $input: TriggerInput!) { updateTrigger(id: $id, input: $input) { ${answer} } }`,
      { id, input: anyTrigger(more) },
    )
  ).data.updateTrigger;

/** A new trigger, and its webhook's secret. */
export async function trigger(app: App, more: Record<string, unknown> = {}) {
  const { __typename, secret, ...rest } = await write(app, more);
  expect({ __typename, ...rest }).toMatchObject({ __typename: 'TriggerPayload' });
  return { ...rest.trigger, secret };
}

/** Pauses or resumes; the whole answer. */
export const setActive = async (app: App, id: string, active: boolean) =>
  (
    await app.ask(
      `mutation ($id: ID!, $active: Boolean!) { setTriggerActive(id: $id, active: $active) { ${answer} } }`,
      { id, active },
    )
  ).data.setTriggerActive;

/** Takes a trigger away; the whole answer. */
export const remove = async (app: App, id: string) =>
  (await app.ask(`mutation ($id: ID!) { deleteTrigger(id: $id) { ${answer} } }`, { id })).data.deleteTrigger;

const runFields = `id status firedBy attempts error createdAt trigger { id }
  task { id status reason goal purpose priority maxAttempts scheduledFor validUntil cancelOn patient { id } trigger { id } events { causationId } }`;

/** Fires by hand; the whole answer. */
export const fire = async (app: App, id: string, given: { patientId?: string; data?: object } = {}) =>
  (
    await app.ask(
      `mutation ($id: ID!, $patientId: ID, $data: JSONObject) { fireTrigger(id: $id, patientId: $patientId, data: $data) {
        __typename ... on TriggerRunPayload { run { ${runFields} } } ... on Error { code message } ... on StateError { state }
      } }`,
      { id, ...given },
    )
  ).data.fireTrigger;

/** The newest runs of a trigger, oldest first. */
export async function runsOf(app: App, id: string) {
  const { data } = await app.ask(
    `query ($id: ID!) { trigger(id: $id) { runs(first: 50) { edges { node { ${runFields} } } } } }`,
    { id },
  );
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test reads whatever it has asked for
  return data.trigger.runs.edges.map(({ node }: any) => node).toReversed();
}

/** Waits until a trigger has so many runs and none of them is still to be done. */
export const ranTimes = (app: App, id: string, count: number) =>
  eventually(async () => {
    const runs = await runsOf(app, id);
    const isDone = runs.every(({ status }: { status: string }) => !['QUEUED', 'RUNNING'].includes(status));
    if (!isDone || runs.length !== count) throw new Error(JSON.stringify(runs));
    return runs;
  });

/** Records an event of another system; answers its id. */
export async function record(
  app: App,
  patientId: string,
  event: { type: string; data?: object; effectiveAt?: string },
): Promise<string> {
  const answered = await app.ask(
    `mutation ($input: RecordEventInput!) { recordEvent(input: $input) {
      __typename ... on RecordEventPayload { event { id } } ... on Error { message } } }`,
    { input: { patientId, data: {}, sourceSystem: 'ehr', ...event } },
  );
  expect(answered.data.recordEvent).toMatchObject({ __typename: 'RecordEventPayload' });
  return answered.data.recordEvent.event.id;
}

/** Moves the clock forward. */
export async function advance(app: App, to: string): Promise<void> {
  const { errors } = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to });
  expect(errors).toBeUndefined();
}
