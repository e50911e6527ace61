import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Answer, App } from '../support/program.ts';

/** Limits far above what is asked for in tests. */
export const unlimited = {
  SOURCE_NUMBER_CALLS_PER_MINUTE: '100000',
  API_KEY_REQUESTS_PER_MINUTE: '100000',
};

/** An input, or a part of one. */
export type Input = Record<string, unknown>;

const fields = `id status phone phoneFrom channel reason goal purpose priority scheduledFor nextAttemptAt
  nextAttemptReason window { weekdays opensAt closesAt } validUntil maxAttempts backoffSeconds attempts lastOutcome
  decision { allowed blocks } tags metadata cancelOn createdAt patient { id } service { id }`;

/** A task as a test reads it. */
export interface Task {
  id: string;
  status: string;
  phone: string;
  phoneFrom: string;
  priority: number;
  attempts: number;
  scheduledFor: string;
  nextAttemptAt: string | null;
  nextAttemptReason: string | null;
  lastOutcome: string | null;
  decision: { allowed: boolean; blocks: string[] } | null;
  calls: { id: string; status: string; origin: string; phoneTo: string; task: { id: string } }[];
  lastCall: { id: string } | null;
  events: {
    id: string;
    type: string;
    version: number;
    actor: string;
    causationId: string | null;
    data: Input;
  }[];
}

const scheduleTask = `mutation ($input: ScheduleTaskInput!) {
  scheduleTask(input: $input) {
    __typename
    ... on ScheduleTaskPayload { replayed event { id type version } task { ${fields} } }
    ... on Error { code message }
    ... on InputError { fields { path message } }
    ... on NotFoundError { id }
    ... on StateError { state }
  }
}`;

/** Asks for a task; the whole answer. */
export const schedule = (app: App, input: Input, key = app.key): Promise<Answer> =>
  app.ask(scheduleTask, { input: { reason: 'Check-up', ...input } }, key);

/** Schedules a task, which must be taken. */
export async function scheduled(app: App, input: Input): Promise<Task> {
  const { data, errors } = await schedule(app, input);
  expect(errors).toBeUndefined();
  expect(data.scheduleTask).toMatchObject({ __typename: 'ScheduleTaskPayload' });
  return data.scheduleTask.task as Task;
}

/** A task as it is now, with its calls and its events. */
export async function taskOf(app: App, id: string): Promise<Task> {
  const { data, errors } = await app.ask(
    `query ($id: ID!) { outboundTask(id: $id) { ${fields}
      calls { id status origin phoneTo task { id } } lastCall { id } events { id type version actor causationId data }
    } }`,
    { id },
  );
  expect(errors).toBeUndefined();
  return data.outboundTask as Task;
}

/** Types of a task's events, oldest first. */
export const typesOf = ({ events }: Task): string[] => events.map(({ type }) => type);

/** Waits until a task has one of these statuses. */
export const becomes = (app: App, id: string, ...statuses: string[]): Promise<Task> =>
  eventually(async () => {
    const task = await taskOf(app, id);
    if (statuses.includes(task.status)) return task;
    throw new Error(`${task.status}: ${JSON.stringify(task.events.at(-1))}`);
  }, 15_000);

/** A patient with a canonical id, so that its number can be changed; answers its id. */
export async function upsert(app: App, canonicalId: string, phone: string | null): Promise<string> {
  const { data } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { ... on PatientPayload { patient { id } } } }`,
    {
      input: {
        canonicalId: `ehr:Patient:${canonicalId}`,
        name: `P ${canonicalId}`,
        phone,
        sourceSystem: 'ehr',
      },
    },
  );
  return data.upsertPatient.patient.id as string;
}

/** An instant so many seconds from now, by the program's clock. */
export const inSeconds = (app: App, seconds: number): string =>
  new Date(app.clock.now().getTime() + seconds * 1000).toISOString();

/** How many calls to this number the carrier has accepted. */
export const dials = async (app: App, to: string): Promise<number> =>
  (await app.ledger()).filter((entry) => entry.kind === 'create' && entry.accepted && entry.to === to).length;
