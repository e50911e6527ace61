import { z } from 'zod';
import { purposes } from '../domain/consent.ts';
import type { Event } from '../domain/event.ts';
import { nearest } from '../domain/nearest.ts';
import { externalTypes, isExternalType } from '../domain/patient.ts';
import { IdempotencyRefusal, InputRefusal, NotFoundRefusal, StateRefusal } from '../domain/refusal.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask as Row } from '../domain/task.ts';
import type { Fact } from '../domain/task-fact.ts';
import { cancel, noSuchTask, reschedule, snooze } from '../domain/task-progress.ts';
import type { Context } from '../context.ts';
import { builder } from '../schema/builder.ts';
import { Channel, LocalWindowInput, Purpose } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import { WorldEvent } from '../schema/event.ts';
import {
  checked,
  idempotencyKey,
  instant,
  isId,
  localWindow,
  optional,
  pairs,
  phone,
  taskChannel,
  text,
  uuid,
} from '../schema/input.ts';
import { renewed } from '../schema/page.ts';
import { watched } from '../schema/watch.ts';
import { OutboundTask } from '../schema/task.ts';

const ScheduleTaskInput = builder.inputType('ScheduleTaskInput', {
  description: 'Exactly one of patientId and patientCanonicalId.',
  fields: (t) => ({
    patientId: t.id(),
    patientCanonicalId: t.string(),
    phone: t.field({
      type: 'E164',
      description: "Left out: the patient's own number, also when it changes.",
    }),
    channel: t.field({
      type: Channel,
      description:
        'Left out: of the channels that we can send on and the patient may be tried on, the one that this task has tried least; of several the one that the patient prefers, then the one that reached them last, then call, voicemail, text. Chosen again after each failed attempt; nextAttemptReason says why.',
    }),
    reason: t.string({ required: true, description: '1-256 characters.' }),
    goal: t.string({ description: 'At most 2,000 characters.' }),
    purpose: t.field({ type: Purpose, description: 'Left out: OTHER.' }),
    priority: t.int({ description: '1, the most urgent, to 10; left out: 5.' }),
    scheduledFor: t.field({ type: 'DateTime', description: 'Left out, or an instant that has been: now.' }),
    window: t.field({ type: LocalWindowInput, description: "On the patient's clock; left out: any time." }),
    validUntil: t.field({ type: 'DateTime', description: 'Not attempted at or after this instant.' }),
    maxAttempts: t.int({ description: '1-20; left out: 3.' }),
    backoffSeconds: t.int({
      description:
        'After the first attempt, for priority 5: 0-604,800; left out: 3,600. Doubles with each attempt, and is shorter the more urgent.',
    }),
    serviceId: t.id({ description: "Left out: the workspace's default service." }),
    tags: t.stringList({ description: 'At most 10, each at most 64 characters.' }),
    metadata: t.field({
      type: 'JSONObject',
      description: 'At most 20 entries; keys at most 64 characters, values strings of at most 256.',
    }),
    cancelOn: t.stringList({
      description:
        'Event types on this patient that make the task pointless, such as appointment.cancelled. At most 20.',
    }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

/** A whole number from `least` to `most`; left out: `other`. */
const whole = (least: number, most: number, other: number) => {
  const error = `Must be ${least} to ${most}.`;
  return optional(z.int({ error }).min(least, { error }).max(most, { error })).transform(
    (value) => value ?? other,
  );
};

/** The rules of ScheduleTaskInput, field by field. */
const rules = z.object({
  patientId: optional(uuid),
  patientCanonicalId: optional(text(1, 256)),
  phone: optional(phone),
  channel: taskChannel,
  reason: text(1, 256),
  goal: optional(text(0, 2_000)),
  purpose: optional(z.enum(purposes)).transform((purpose) => purpose ?? 'OTHER'),
  priority: whole(1, 10, 5),
  scheduledFor: optional(instant),
  window: optional(localWindow),
  validUntil: optional(instant),
  maxAttempts: whole(1, 20, 3),
  backoffSeconds: whole(0, 604_800, 3_600),
  serviceId: optional(uuid),
  tags: optional(z.array(text(1, 64)).max(10, { error: 'Must be at most 10.' })).transform(
    (tags) => tags ?? [],
  ),
  metadata: optional(pairs({ entries: 20, key: 64, value: 256 })).transform((value) => value ?? {}),
  cancelOn: optional(
    z
      .array(
        text(1, 64).refine(isExternalType, {
          error: ({ input }) =>
            `Unknown type; the nearest is ${nearest(String(input), externalTypes)}. Types of your own begin with ext.`,
        }),
      )
      .max(20, { error: 'Must be at most 20.' }),
  ).transform((types) => [...new Set(types ?? [])]),
  idempotencyKey,
});

function wantedOf(value: unknown) {
  const { patientId, patientCanonicalId, ...rest } = checked(rules, value);
  if (!patientId === !patientCanonicalId) {
    const message = 'Give exactly one of patientId and patientCanonicalId.';
    throw new InputRefusal([{ path: ['input', 'patientId'], message }]);
  }
  return { ...rest, patient: patientId ? { patientId } : { patientCanonicalId: patientCanonicalId! } };
}

const ScheduleTaskPayload = builder
  .objectRef<{ task: Row; event: Event; replayed: boolean }>('ScheduleTaskPayload')
  .implement({
    fields: (t) => ({
      task: t.expose('task', { type: OutboundTask }),
      event: t.expose('event', { type: WorldEvent }),
      replayed: t.exposeBoolean('replayed'),
    }),
  });
const ScheduleTaskResult = answering(
  'ScheduleTaskResult',
  ScheduleTaskPayload,
  InputRefusal,
  NotFoundRefusal,
  IdempotencyRefusal,
  StateRefusal,
);

const TaskPayload = builder
  .objectRef<{ task: Row }>('TaskPayload')
  .implement({ fields: (t) => ({ task: t.expose('task', { type: OutboundTask }) }) });
const TaskResult = answering('TaskResult', TaskPayload, InputRefusal, NotFoundRefusal, StateRefusal);

/** Changes one task by its id. */
async function changed({ world, by }: Context, id: string, decide: (task: Row, now: Date) => Fact[]) {
  if (!isId(id)) throw noSuchTask(id);
  const who = by();
  const decided = (task: Row) => decide(task, who.now);
  return { task: (await world.change(tasks, id.toLowerCase(), decided, { ...who, correlationId: id })).row };
}

/** An instant of an argument, checked by the same rule as in an input. */
const instantOf = (name: string, value: unknown): Date =>
  checked(z.object({ [name]: instant }), { [name]: value }, [])[name]!;

const reasonOf = (reason: unknown): string | null =>
  checked(z.object({ reason: optional(text(0, 256)) }), { reason }, []).reason || null;

builder.mutationFields((t) => ({
  scheduleTask: t.field({
    type: ScheduleTaskResult,
    nullable: true,
    authScopes: { scope: 'tasks:write' },
    description:
      'Has someone called at some time. The caller ID is resolved now, so that what is set up wrong is refused now; whether the person may be called is decided when the task is due.',
    args: { input: t.arg({ type: ScheduleTaskInput, required: true }) },
    resolve: (_, { input }, { schedule, by }) => schedule.scheduleTask(wantedOf(input), by()),
  }),
  rescheduleTask: t.field({
    type: TaskResult,
    nullable: true,
    authScopes: { scope: 'tasks:write' },
    description: 'Moves a task that waits to another time; one that has been is now.',
    args: {
      id: t.arg.id({ required: true }),
      scheduledFor: t.arg({ type: 'DateTime', required: true }),
    },
    resolve: (_, { id, scheduledFor }, context) => {
      const at = instantOf('scheduledFor', scheduledFor);
      return changed(context, id, (task, now) => reschedule(task, at, now));
    },
  }),
  snoozeTask: t.field({
    type: TaskResult,
    nullable: true,
    authScopes: { scope: 'tasks:write' },
    description: 'Puts a task that waits aside until an instant in the future.',
    args: {
      id: t.arg.id({ required: true }),
      until: t.arg({ type: 'DateTime', required: true }),
      reason: t.arg.string({ description: 'At most 256 characters.' }),
    },
    resolve: (_, { id, until, reason }, context) => {
      const [at, why] = [instantOf('until', until), reasonOf(reason)];
      return changed(context, id, (task, now) => snooze(task, at, why, now));
    },
  }),
  cancelTask: t.field({
    type: TaskResult,
    nullable: true,
    authScopes: { scope: 'tasks:write' },
    description: 'Takes a waiting task away. One that is being attempted is ended by cancelCall.',
    args: {
      id: t.arg.id({ required: true }),
      reason: t.arg.string({ description: 'At most 256 characters.' }),
    },
    resolve: (_, { id, reason }, context) => changed(context, id, (task) => cancel(task, reasonOf(reason))),
  }),
}));

builder.subscriptionField('taskUpdated', (t) =>
  t.field({
    type: OutboundTask,
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    description: 'Every change of one task, first the state it is in now.',
    subscribe: (_, { id }, context) => watched<Row>(context, tasks.table, { id, noun: 'task' }),
    resolve: (task, _, context) => renewed(context, task),
  }),
);
