import { patientIdOf } from '../rig/people.ts';
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

/** How many requests are under way at once while tasks are scheduled. */
const atOnce = 8;

/** How many tasks of the day after are scheduled to see how long it takes. */
export const tried = 30;

/** How long scheduling a task takes, and half as much again, in milliseconds: tried with so many patients from the n-th on. */
export async function msPerTask(product: Product, from: number): Promise<number> {
  const tomorrow = new Date(Date.now() + product.shiftMs + 86_400_000);
  const begun = performance.now();
  await each(tried, (index) => schedule(product, patientIdOf(from + index), tomorrow));
  return (1.5 * (performance.now() - begun)) / tried;
}

/** Does something for each index, a few at a time. */
export async function each(count: number, work: (index: number) => Promise<void>): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index).values();
  const worker = async () => {
    for (const index of indexes) await work(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
