/**
 * One firing of a trigger, for one cause: whatever is told again makes no second one. A plain table and not events,
 * because it is a queue as well: what was decided is told by the trigger's events.
 */
import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { partialIndex } from './event.ts';

/** Where a run stands. FAILED: a rule said no. DEAD: it could not be finished as often as it may be tried, or is part of a loop. */
export const statuses = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'DEAD'] as const;
/** One of `statuses`. */
export type TriggerRunStatus = (typeof statuses)[number];

/** A run. The task that it makes has the run's own id, so that it cannot be made twice. */
export const runs = defineEntity({
  name: 'TriggerRun',
  tableName: 'trigger_run',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    triggerId: p.uuid(),
    /** Unique for the trigger. */
    cause: p.text(),
    status: p.text().$type<TriggerRunStatus>(),
    /** event, schedule, monitor, webhook, or the API key's id. */
    firedBy: p.text(),
    /** The event that is the cause; null: none is. */
    eventId: p.uuid().nullable(),
    patientId: p.uuid().nullable(),
    /** What a webhook or a request has brought; gone once the run is over. */
    payload: p.json().$type<Payload>().nullable(),
    /** How many runs in a row have led to this one, itself included. */
    depth: p.integer(),
    attempts: p.integer(),
    dueAt: p.datetime(),
    /** When it was begun first: what the cap on runs is reckoned from. */
    startedAt: p.datetime().nullable(),
    /** Until when whoever runs it may take; null: nobody does. */
    leaseUntil: p.datetime().nullable(),
    taskId: p.uuid().nullable(),
    error: p.text().nullable(),
    createdAt: p.datetime(),
    finishedAt: p.datetime().nullable(),
  },
  uniques: [{ properties: ['workspaceId', 'triggerId', 'cause'] }],
  indexes: [
    { name: 'trigger_run_list', properties: ['workspaceId', 'triggerId', 'id'] },
    partialIndex(
      'trigger_run_due',
      'trigger_run (workspace_id, trigger_id, due_at, id)',
      `status = 'QUEUED'`,
    ),
    partialIndex('trigger_run_lease', 'trigger_run (lease_until)', `status = 'RUNNING'`),
    partialIndex(
      'trigger_run_pace',
      'trigger_run (workspace_id, trigger_id, started_at)',
      `started_at is not null`,
    ),
    partialIndex('trigger_run_dead', 'trigger_run (workspace_id)', `status = 'DEAD'`),
  ],
});
/** One run. */
export interface TriggerRun extends InferEntity<typeof runs> {}

/** An event that is none of ours. */
export interface Payload {
  type: string | null;
  data: Record<string, unknown>;
  /** Whom it is about, as far as it says. */
  patient: { patientId: string } | { patientCanonicalId: string } | null;
}

/** The patients that are in the state that a monitor looks for: each row is one episode, and gone when it ends. */
export const episodes = defineEntity({
  name: 'TriggerEpisode',
  tableName: 'trigger_episode',
  properties: {
    workspaceId: p.uuid().primary(),
    triggerId: p.uuid().primary(),
    patientId: p.uuid().primary(),
    /** What the episode's run is the run of. */
    id: p.uuid(),
    beganAt: p.datetime(),
  },
});

/** How many runs in a row may lead to one another: a trigger that causes its own event goes no further. */
export const depthLimit = 5;

/** For how long a run may take, in milliseconds, before somebody else begins it anew. */
export const leaseMs = 20_000;

/** How long a run waits before it is begun again, in milliseconds: 1 second, doubling up to 10 minutes. */
export const retryMs = (attempts: number): number => Math.min(600_000, 1_000 * 2 ** (attempts - 1));

/** How late an instant of a schedule may fire, in milliseconds: after an outage the last one that was missed does, if it is younger than that. */
export const latestMs = 86_400_000;
