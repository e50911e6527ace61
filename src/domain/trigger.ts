/**
 * When something happens, create a task: at a time (CRON), on an event (EVENT), when another system posts (WEBHOOK), or
 * when patients come to be in some state (MONITOR).
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { Channel, Purpose } from './consent.ts';
import { nextRun } from './cron.ts';
import { partialIndex, rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import { InputRefusal, NotFoundRefusal, StateRefusal } from './refusal.ts';
import type { Filter } from './trigger-filter.ts';

export const entityType = 'TRIGGER';
export const foldVersion = 1;

/** What fires a trigger. */
export const kinds = ['CRON', 'EVENT', 'WEBHOOK', 'MONITOR'] as const;
/** One of `kinds`. */
export type TriggerKind = (typeof kinds)[number];

/** The task to create; reason, goal and scheduleAt may hold placeholders. */
export interface Action {
  /** Null: the one that is likely to reach the person, and others after failed attempts. */
  channel: Channel | null;
  purpose: Purpose;
  reason: string;
  goal: string | null;
  /** 1 is the most urgent, 10 the least. */
  priority: number;
  /** A template of the instant that the delay is counted from; null: when its event was true, else when it fires. */
  scheduleAt: string | null;
  /** May be negative where there is a `scheduleAt`. */
  delaySeconds: number;
  maxAttempts: number;
  cancelOn: string[];
}

/** What a trigger is told. */
export interface Settings {
  name: string;
  kind: TriggerKind;
  /** A cron expression; null unless it is a CRON or a MONITOR. */
  schedule: string | null;
  timeZone: string;
  /** Null unless it is an EVENT. */
  eventType: string | null;
  filter: Filter;
  action: Action;
  /** Of a WEBHOOK; empty: any type, and none. */
  acceptedEventTypes: string[];
  /** How often a run is begun again after it could not be finished. */
  maxRetries: number;
  /** Runs beyond that wait for their minute. */
  maxRunsPerMinute: number;
}

/** A trigger: the fold of its events. */
export const table = defineEntity({
  name: 'Trigger',
  // trigger itself is a type of Postgres, and can be no table's.
  tableName: 'outbound_trigger',
  properties: {
    ...rowColumns,
    name: p.text(),
    kind: p.text().$type<TriggerKind>(),
    active: p.boolean(),
    schedule: p.text().nullable(),
    timeZone: p.text(),
    eventType: p.text().nullable(),
    filter: p.json().$type<Filter>(),
    action: p.json().$type<Action>(),
    acceptedEventTypes: p.array().columnType('text[]').$type<string[]>(),
    maxRetries: p.integer(),
    maxRunsPerMinute: p.integer(),
    /** When its schedule comes next; null while it is paused, and where there is none. */
    nextFireAt: p.datetime().nullable(),
    /** What happened before fires nothing. */
    activeSince: p.datetime(),
    createdAt: p.datetime(),
    /** It is paused for good; null: it is there. */
    deletedAt: p.datetime().nullable(),
  },
  indexes: [
    partialIndex('trigger_due', 'outbound_trigger (next_fire_at)', `next_fire_at is not null`),
    partialIndex('trigger_event', 'outbound_trigger (event_type, workspace_id)', `active and kind = 'EVENT'`),
  ],
});
/** One trigger. */
export interface Trigger extends InferEntity<typeof table> {}

/** When the schedule comes next, as an ISO instant; null: never. */
type Next = { nextFireAt: string | null };

/** What can happen to a trigger. */
export type Fact = AnyFact &
  (
    | { type: 'trigger.created' | 'trigger.updated'; data: Settings & Next }
    | { type: 'trigger.paused'; data: { isDeleted?: true } }
    | { type: 'trigger.resumed'; data: Next }
    | {
        type: 'trigger.fired';
        data: {
          /** Why: an event's id, a webhook's, an instant of the schedule, a request. */
          cause: string;
          firedBy: string;
          patientId?: string | null;
          runId?: string;
          /** How many runs an instant of the schedule has made, and when the next one comes. */
          runs?: number;
          nextFireAt?: string | null;
        };
      }
    | { type: 'trigger.completed'; data: Ended & { taskId: string | null } }
    | { type: 'trigger.failed'; data: Ended & { error: string } }
  );
type Ended = { runId: string; patientId: string | null };

export const blank = (id: string, workspaceId: string): Trigger => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  name: '',
  kind: 'EVENT',
  active: true,
  schedule: null,
  timeZone: 'UTC',
  eventType: null,
  filter: {},
  action: {} as Action,
  acceptedEventTypes: [],
  maxRetries: 0,
  maxRunsPerMinute: 1,
  nextFireAt: null,
  activeSince: new Date(0),
  createdAt: new Date(0),
  deletedAt: null,
});

export function evolve(trigger: Trigger, event: Event<Fact>): Trigger {
  const { type, data } = event as unknown as Fact;
  switch (type) {
    case 'trigger.created':
      return {
        ...trigger,
        ...data,
        ...nextOf(data),
        activeSince: event.recordedAt,
        createdAt: event.recordedAt,
      };
    case 'trigger.updated':
      return { ...trigger, ...data, ...nextOf(data) };
    case 'trigger.paused':
      return {
        ...trigger,
        active: false,
        nextFireAt: null,
        deletedAt: data.isDeleted ? event.recordedAt : trigger.deletedAt,
      };
    case 'trigger.resumed':
      return { ...trigger, active: true, ...nextOf(data), activeSince: event.recordedAt };
    case 'trigger.fired':
      return data.nextFireAt === undefined
        ? trigger
        : { ...trigger, ...nextOf({ nextFireAt: data.nextFireAt }) };
    default:
      return trigger;
  }
}

const nextOf = ({ nextFireAt }: Next) => ({ nextFireAt: nextFireAt === null ? null : new Date(nextFireAt) });

/** What came of a run stands on its patient's timeline. */
export const patientOf = (_trigger: Trigger, { data }: Fact): string | null =>
  ('patientId' in data ? data.patientId : null) ?? null;

/** A new trigger, which is active at once. */
export const create = (_trigger: Trigger, settings: Settings, now: Date): Fact[] => [
  { type: 'trigger.created', data: { ...settings, nextFireAt: nextFireAt(settings, now) } },
];

/** Changes what it is told; of what kind it is stays. */
export function update(trigger: Trigger, settings: Settings, now: Date): Fact[] {
  mustExist(trigger);
  if (settings.kind !== trigger.kind) {
    const message = `This trigger is of kind ${trigger.kind}, and stays so: create another one.`;
    throw new InputRefusal([{ path: ['input', 'kind'], message }]);
  }
  const next = trigger.active ? nextFireAt(settings, now) : null;
  return [{ type: 'trigger.updated', data: { ...settings, nextFireAt: next } }];
}

/** Pauses or resumes it. What happens while it is paused fires nothing, then or later. */
export function setActive(trigger: Trigger, active: boolean, now: Date): Fact[] {
  mustExist(trigger);
  if (trigger.active === active) return [];
  if (!active) return [{ type: 'trigger.paused', data: {} }];
  return [{ type: 'trigger.resumed', data: { nextFireAt: nextFireAt(trigger, now) } }];
}

/** Pauses it for good: from then on there is no such trigger, but in what it has made. */
export function remove(trigger: Trigger): Fact[] {
  mustExist(trigger);
  return [{ type: 'trigger.paused', data: { isDeleted: true } }];
}

/** Refuses ILLEGAL_TRANSITION for one that is paused. */
export function mustBeActive(trigger: Trigger): void {
  mustExist(trigger);
  if (trigger.active) return;
  throw new StateRefusal('ILLEGAL_TRANSITION', 'This trigger is paused. Resume it first.', 'PAUSED');
}

/** Records that an instant of the schedule has fired, what it made, and when the next one comes. */
export const tick = (trigger: Trigger, given: { at: Date; runs: number }, now: Date): Fact[] => [
  {
    type: 'trigger.fired',
    data: {
      cause: given.at.toISOString(),
      firedBy: 'schedule',
      runs: given.runs,
      nextFireAt: nextFireAt(trigger, now),
    },
  },
];

/** There is none with this id. */
export const noSuchTrigger = (id: string): NotFoundRefusal =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such trigger in this workspace.', id);

function mustExist(trigger: Trigger): void {
  if (trigger.version === 0 || trigger.deletedAt) throw noSuchTrigger(trigger.id);
}

const nextFireAt = (
  { schedule, timeZone }: { schedule?: string | null | undefined; timeZone: string },
  now: Date,
): string | null => (schedule ? (nextRun(schedule, timeZone, now)?.toISOString() ?? null) : null);
