import type { Scene } from './event-path.ts';
import { Refusal } from './refusal.ts';
import { MissingValue, render } from './template.ts';
import type { Trigger } from './trigger.ts';

/** The most characters of a task's reason and goal. */
const longest = { reason: 256, goal: 2_000 };

/** An instant that a template should have been and is not. */
class NoInstant extends Error {}

/** Whether an error says that there can be no task, and not that something is broken. */
export const isRule = (error: unknown): error is Error =>
  error instanceof Refusal || error instanceof MissingValue || error instanceof NoInstant;

/** The task that a trigger would make of this. Throws MissingValue and NoInstant. `firedAt`: when, where no event tells. */
export function planFor({ action }: Pick<Trigger, 'action'>, scene: Scene, firedAt: Date) {
  const { scheduleAt, delaySeconds, reason, goal, channel, purpose, priority, maxAttempts, cancelOn } =
    action;
  const at = scheduleAt === null ? null : instantOf(render(scheduleAt, scene, 64));
  const from = at ?? scene.event?.effectiveAt ?? firedAt;
  return {
    channel,
    purpose,
    priority,
    maxAttempts,
    cancelOn,
    reason: render(reason, scene, longest.reason),
    goal: goal === null ? null : render(goal, scene, longest.goal),
    scheduledFor: new Date(from.getTime() + delaySeconds * 1_000),
    /** What comes before something is of no use once that is over. */
    validUntil: at !== null && delaySeconds < 0 ? at : null,
    phone: null,
    window: null,
    backoffSeconds: 3_600,
    serviceId: null,
    tags: [],
    metadata: {},
  };
}

function instantOf(text: string): Date {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? new Date(text)
    : null;
  if (at && !Number.isNaN(at.getTime())) return at;
  throw new NoInstant('scheduleAt is no instant such as 2026-03-02T15:00:00Z.');
}
