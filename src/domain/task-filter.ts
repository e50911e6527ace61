import type { TaskStatus } from './task.ts';

/** Which tasks are meant; what is left out, or null, does not narrow. */
export interface TaskFilter {
  statuses?: readonly TaskStatus[] | null | undefined;
  patientId?: string | null | undefined;
  campaignId?: string | null | undefined;
  triggerId?: string | null | undefined;
  /** Next attempted before this instant. */
  dueBefore?: Date | null | undefined;
  /** This urgent, or more. */
  priorityAtMost?: number | null | undefined;
}

const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The filter as conditions on rows; each has its index. What is no id is nobody's. */
export function conditions(filter: TaskFilter) {
  const { statuses, dueBefore, priorityAtMost, patientId, campaignId, triggerId } = filter;
  const named = Object.entries({ patientId, campaignId, triggerId }).filter(([, value]) => value != null);
  return {
    ...(statuses ? { status: { in: statuses } } : {}),
    ...(dueBefore ? { nextAttemptAt: { lt: dueBefore } } : {}),
    ...(priorityAtMost == null ? {} : { priority: { lt: Math.min(priorityAtMost, 10) + 1 } }),
    ...Object.fromEntries(
      named.map(([name, value]) => [name, id.test(value!) ? { eq: value } : { in: [] as string[] }]),
    ),
  };
}
