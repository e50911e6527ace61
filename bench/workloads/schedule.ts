import type { Product } from '../rig/product.ts';

/** Schedules a call; refuses to go on when it was not taken. */
export async function schedule(
  { ask }: Pick<Product, 'ask'>,
  patientId: string,
  at: Date | null,
): Promise<void> {
  const { scheduleTask } = await ask<{ scheduleTask: { __typename: string } }>(scheduling, {
    input: {
      patientId,
      reason: 'Check-up',
      channel: 'VOICE',
      maxAttempts: 1,
      ...(at ? { scheduledFor: at.toISOString() } : {}),
    },
  });
  if (scheduleTask.__typename !== 'ScheduleTaskPayload') throw new Error(JSON.stringify(scheduleTask));
}

const scheduling = `mutation ($input: ScheduleTaskInput!) { scheduleTask(input: $input) {
  __typename ... on ScheduleTaskPayload { task { id status } } ... on Error { code message } ... on InputError { fields { path message } } } }`;
