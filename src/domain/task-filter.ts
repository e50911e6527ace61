import { named } from './id.ts';
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

/** The filter as conditions on rows; each has its index. What is no id is nobody's. */
export function conditions(filter: TaskFilter) {
  const { statuses, dueBefore, priorityAtMost, patientId, campaignId, triggerId } = filter;
  return {
    ...(statuses ? { status: { in: statuses } } : {}),
    ...(dueBefore ? { nextAttemptAt: { lt: dueBefore } } : {}),
    ...(priorityAtMost == null ? {} : { priority: { lt: Math.min(priorityAtMost, 10) + 1 } }),
    ...(patientId == null ? {} : { patientId: named(patientId) }),
    ...(campaignId == null ? {} : { campaignId: named(campaignId) }),
    ...(triggerId == null ? {} : { triggerId: named(triggerId) }),
  };
}
