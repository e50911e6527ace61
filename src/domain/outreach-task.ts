/**
 * Tasks on their way from due to achieved, as the log tells of them. Projected beside the attempts at them, so that both
 * are counted in one way; nothing is decided from it.
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { localTimeAt } from './calendar.ts';
import type { CallOrigin } from './call.ts';
import type { Channel, Purpose } from './consent.ts';
import type { Attempt, Logged } from './outreach.ts';

/** One row for each task, in each generation of the projection. */
export const tasks = defineEntity({
  name: 'OutreachTask',
  tableName: 'outreach_task',
  properties: {
    workspaceId: p.uuid().primary(),
    generation: p.integer().primary(),
    id: p.uuid().primary(),
    /** When it was due first: once it has been tried that stays, whatever is retried when. */
    at: p.datetime(),
    /** When it was wanted, as its own events tell. */
    scheduledFor: p.datetime(),
    /** The person's; null: no decision has told it yet. */
    timeZone: p.text().nullable(),
    /** Of `at`, on the person's calendar; as long as their zone is unknown in UTC. */
    localDate: p.text(),
    /** 0 to 23, on the person's clock; null: their zone is unknown. */
    localHour: p.integer().nullable(),
    /** The first that is tried. */
    channel: p.text().$type<Channel>(),
    origin: p.text().$type<CallOrigin>(),
    campaignId: p.uuid().nullable(),
    purpose: p.text().$type<Purpose>(),
    serviceId: p.uuid().nullable(),
    /** Each once. */
    tags: p.array().columnType('text[]').$type<string[]>(),
    /** How many attempts there were. */
    attempts: p.integer(),
    /** Which of the attempts reached the person, 1 the first. */
    reachedBy: p.array().columnType('int[]').$type<number[]>(),
    /** How many attempts there were when it was achieved; null: it is not. */
    achievedBy: p.integer().nullable(),
    isCancelled: p.boolean(),
    /** It is counted: nobody took it away before it was tried. */
    due: p.boolean(),
    attempted: p.boolean(),
    /** An attempt reached the person, or it was achieved by what they were left. */
    reached: p.boolean(),
    achieved: p.boolean(),
    /** The attempt that reached them; null: none. */
    number: p.integer().nullable(),
  },
  indexes: [{ name: 'outreach_task_at', properties: ['workspaceId', 'generation', 'at'] }],
});
/** One task. */
export interface OutreachTask extends InferEntity<typeof tasks> {}

/** The events that tell of tasks themselves; attempts tell the rest. */
export const taskTypes = [
  'outbound.scheduled',
  'outbound.rescheduled',
  'outbound.snoozed',
  'outbound.blocked',
  'outbound.completed',
  'outbound.cancelled',
];

/** A task as it is scheduled. */
export function beginTask(
  { workspaceId, entityId: id, data, effectiveAt }: Logged,
  generation: number,
): OutreachTask {
  const at = data.scheduledFor ? new Date(data.scheduledFor) : effectiveAt;
  const { channel = 'VOICE', purpose = 'OTHER', campaignId = null, serviceId = null } = data;
  const about = { channel, purpose, campaignId, serviceId, origin: (data.origin ?? 'API') as CallOrigin };
  const nothing = { attempts: 0, reachedBy: [], achievedBy: null, isCancelled: false };
  const judged = { due: true, attempted: false, reached: false, achieved: false, number: null };
  const when = { at, scheduledFor: at, timeZone: null, ...localOf(at, null) };
  const tags = [...new Set(data.tags)];
  return { workspaceId, generation, id, ...about, tags, ...when, ...nothing, ...judged };
}

/** A task after one more event of its own; the same object when the event tells nothing new. */
export function evolveTask(task: OutreachTask, { type, data }: Logged): OutreachTask {
  switch (type) {
    case 'outbound.rescheduled': {
      const scheduledFor = data.scheduledFor ? new Date(data.scheduledFor) : task.scheduledFor;
      // What only goes on after a snooze, or on another channel, stays wanted for when it was.
      if (scheduledFor.getTime() === task.scheduledFor.getTime()) return task;
      return moved({ ...task, scheduledFor }, scheduledFor);
    }
    case 'outbound.snoozed':
      return data.nextAttemptAt ? moved(task, new Date(data.nextAttemptAt)) : task;
    case 'outbound.blocked':
      return zoned(task, data.decision?.timeZone);
    case 'outbound.completed':
      return judge({ ...task, achievedBy: task.attempts });
    case 'outbound.cancelled':
      return judge({ ...task, isCancelled: true });
    default:
      return task;
  }
}

/** A task of which an attempt has begun. */
export const triedTask = (task: OutreachTask, { data }: Logged): OutreachTask =>
  judge({ ...zoned(task, data.decision?.timeZone), attempts: task.attempts + 1 });

/** A task after more is known of an attempt at it: whether that reached the person. */
export function toldTask(task: OutreachTask, { number, reached }: Attempt): OutreachTask {
  if (number == null || task.reachedBy.includes(number) === reached) return task;
  const others = task.reachedBy.filter((other) => other !== number);
  const reachedBy = reached ? [...others, number].toSorted((one, other) => one - other) : others;
  return judge({ ...task, reachedBy });
}

const moved = (task: OutreachTask, at: Date): OutreachTask =>
  task.attempted ? task : { ...task, at, ...localOf(at, task.timeZone ?? null) };

function zoned(task: OutreachTask, timeZone: string | null | undefined): OutreachTask {
  if (task.timeZone || !timeZone) return task;
  return { ...task, timeZone, ...localOf(task.at, timeZone) };
}

function localOf(at: Date, zone: string | null) {
  const local = zone ? localTimeAt(at, zone) : at.toISOString();
  return { localDate: local.slice(0, 10), localHour: zone ? Number(local.slice(11, 13)) : null };
}

function judge(task: OutreachTask): OutreachTask {
  const { attempts, reachedBy, achievedBy, isCancelled } = task;
  const number = reachedBy[0] ?? achievedBy ?? null;
  const attempted = attempts > 0;
  return {
    ...task,
    due: attempted || !isCancelled,
    attempted,
    reached: number !== null,
    achieved: achievedBy != null,
    number,
  };
}
