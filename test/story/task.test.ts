/** A reason to reach someone, from the schedule to its end. */
import { expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { addPatient, setUp, withApp, type App } from '../support/program.ts';

const scheduleTask = `mutation ($input: ScheduleTaskInput!) {
  scheduleTask(input: $input) {
    __typename
    ... on ScheduleTaskPayload { replayed event { id type } task { id status phone phoneFrom nextAttemptAt nextAttemptReason } }
    ... on Error { code message }
    ... on InputError { fields { path message } }
  }
}`;

async function schedule(app: App, input: Record<string, unknown>) {
  const { data } = await app.ask(scheduleTask, { input: { reason: 'Lab results are in', ...input } });
  expect(data.scheduleTask).toMatchObject({ __typename: 'ScheduleTaskPayload' });
  return data.scheduleTask.task as { id: string; phoneFrom: string };
}

const taskOf = async (app: App, id: string) =>
  (
    await app.ask(
      `query ($id: ID!) { outboundTask(id: $id) {
        status attempts lastOutcome nextAttemptAt nextAttemptReason decision { allowed blocks }
        calls { id status origin task { id } chain { id } } lastCall { status } events { type version }
      } }`,
      { id },
    )
  ).data.outboundTask;

test('a task that is due is dispatched, answered and completed', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550100');
    const { id } = await schedule(app, { patientId });
    const task = await eventually(async () => {
      const task = await taskOf(app, id);
      return task.status === 'COMPLETED' ? task : Promise.reject(new Error(JSON.stringify(task)));
    });
    expect(task.events.map(({ type }: { type: string }) => type)).toEqual([
      'outbound.scheduled',
      'outbound.dispatched',
      'outbound.running',
      'outbound.completed',
    ]);
    expect(task.calls).toMatchObject([{ status: 'COMPLETED', origin: 'TASK', task: { id } }]);
  }));

test('a task that nobody answers is tried again at another part of the day, until no attempts are left', () =>
  withApp(async (app) => {
    await setUp(app);
    const patientId = await addPatient(app, '+12125550102');
    const { id } = await schedule(app, { patientId, maxAttempts: 3, backoffSeconds: 60 });
    await app.ask('mutation { advanceClock(to: "2026-03-05T19:00:00Z") }');
    const task = await taskOf(app, id);
    expect(task).toMatchObject({ status: 'FAILED', attempts: 3, lastOutcome: 'no_answer' });
  }));
