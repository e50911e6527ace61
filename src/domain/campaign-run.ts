import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import type { ContactBlock } from './consent.ts';
import { partialIndex, rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import { NotFoundRefusal, StateRefusal } from './refusal.ts';

export const entityType = 'CAMPAIGN_RUN';
export const foldVersion = 1;

/** Where a run stands. */
export const statuses = ['RUNNING', 'PAUSED', 'COMPLETED', 'STOPPED_BY_BREAKER', 'CANCELLED'] as const;
/** One of `statuses`. */
export type CampaignRunStatus = (typeof statuses)[number];

/** How many patients were left out for one reason. */
export interface Exclusion {
  reason: ContactBlock;
  count: number;
}

/** Where the members of a run are: the six sum to those who were eligible. */
export interface Counts {
  pending: number;
  inFlight: number;
  answered: number;
  unanswered: number;
  failed: number;
  cancelled: number;
}

/** How a run begins. */
export interface Start {
  campaignId: string;
  /** On its campaign's calendar. */
  date: string;
  manual: boolean;
  eligible: number;
  exclusions: Exclusion[];
}

/** A campaign's run on one date: the fold of its events. */
export const table = defineEntity({
  name: 'CampaignRun',
  tableName: 'campaign_run',
  properties: {
    ...rowColumns,
    campaignId: p.uuid(),
    date: p.date(),
    manual: p.boolean(),
    status: p.text().$type<CampaignRunStatus>(),
    eligible: p.integer(),
    exclusions: p.json().$type<Exclusion[]>(),
    startedAt: p.datetime(),
    /** Since when the carrier's failures count. */
    resumedAt: p.datetime(),
    finishedAt: p.datetime().nullable(),
    breakerReason: p.text().nullable(),
    /** As last told by an event; what is shown is counted anew. */
    counts: p.json().$type<Counts>().nullable(),
  },
  indexes: [
    { name: 'campaign_run_list', properties: ['workspaceId', 'campaignId', 'id'] },
    {
      // The database decides who runs a day: once, whatever the number of replicas.
      name: 'campaign_run_day',
      expression: `create unique index campaign_run_day on campaign_run (workspace_id, campaign_id, date) where not manual`,
    },
    partialIndex('campaign_run_finished', 'campaign_run (finished_at)', `finished_at is not null`),
    partialIndex(
      'campaign_run_open',
      'campaign_run (workspace_id, id)',
      `status in ('RUNNING', 'PAUSED', 'STOPPED_BY_BREAKER')`,
    ),
  ],
});
/** One run. */
export interface CampaignRun extends InferEntity<typeof table> {}

/** Who was looked at by a run: its members, and those left out with the reason. Not a fold: the run's own memory. */
export const members = defineEntity({
  name: 'CampaignMember',
  tableName: 'campaign_member',
  properties: {
    workspaceId: p.uuid().primary(),
    runId: p.uuid().primary(),
    patientId: p.uuid().primary(),
    campaignId: p.uuid(),
    date: p.date(),
    /** The number on a call list; null: the patient's own. */
    phone: p.text().nullable(),
    /** Why the patient was left out; null: is a member. */
    reason: p.text().$type<ContactBlock>().nullable(),
    /** What the member has become; null: not yet. */
    taskId: p.uuid().nullable(),
    /** Whether the run was cancelled before this member was dialled: another run of the date may take the patient. */
    isReleased: p.boolean(),
  },
  indexes: [
    {
      // Nobody is contacted twice for one campaign and date, however often it is run.
      name: 'campaign_member_day',
      expression: `create unique index campaign_member_day on campaign_member (workspace_id, campaign_id, date, patient_id) where reason is null and not is_released`,
    },
    partialIndex(
      'campaign_member_waiting',
      'campaign_member (workspace_id, run_id, patient_id)',
      `reason is null and task_id is null`,
    ),
  ],
});
/** One who was looked at. */
export interface CampaignMember extends InferEntity<typeof members> {}

/** What can happen to a run. */
export type Fact = AnyFact &
  (
    | { type: 'campaign_run.started'; data: Start }
    | { type: 'campaign_run.paused' | 'campaign_run.resumed'; data: object }
    | { type: 'campaign_run.progressed' | 'campaign_run.completed'; data: Counts }
    | { type: 'campaign_run.stopped' | 'campaign_run.cancelled'; data: { reason: string } }
  );

export const blank = (id: string, workspaceId: string): CampaignRun => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  campaignId: '',
  date: '',
  manual: false,
  status: 'RUNNING',
  eligible: 0,
  exclusions: [],
  startedAt: new Date(0),
  resumedAt: new Date(0),
  finishedAt: null,
  breakerReason: null,
  counts: null,
});

export function evolve(run: CampaignRun, event: Event<Fact>): CampaignRun {
  const { type, data } = event as unknown as Fact;
  const at = event.effectiveAt;
  switch (type) {
    case 'campaign_run.started':
      return { ...run, ...data, startedAt: at, resumedAt: at };
    case 'campaign_run.paused':
      return { ...run, status: 'PAUSED' };
    case 'campaign_run.resumed':
      return { ...run, status: 'RUNNING', breakerReason: null, resumedAt: at };
    case 'campaign_run.progressed':
      return { ...run, counts: data };
    case 'campaign_run.completed':
      return { ...run, counts: data, status: 'COMPLETED', finishedAt: at };
    case 'campaign_run.stopped':
      return { ...run, status: 'STOPPED_BY_BREAKER', breakerReason: data.reason };
    case 'campaign_run.cancelled':
      return { ...run, status: 'CANCELLED', breakerReason: run.breakerReason ?? data.reason, finishedAt: at };
  }
}

export const patientOf = (): null => null;

/** Whether a run has come to its end. */
export const isOver = ({ status }: Pick<CampaignRun, 'status'>): boolean =>
  status === 'COMPLETED' || status === 'CANCELLED';

/** Begins a run. */
export const start = (_run: CampaignRun, begun: Start): Fact[] => [
  { type: 'campaign_run.started', data: begun },
];

/** Records a day on which it could not run. */
export const skip = (_run: CampaignRun, day: Pick<Start, 'campaignId' | 'date'>, reason: string): Fact[] => [
  { type: 'campaign_run.started', data: { ...day, manual: false, eligible: 0, exclusions: [] } },
  { type: 'campaign_run.cancelled', data: { reason } },
];

/** Holds a run: nothing new is dialled, its members stay. */
export const pause = (run: CampaignRun): Fact[] =>
  run.status === 'RUNNING' ? [{ type: 'campaign_run.paused', data: {} }] : [];

/** Lets a held or stopped run go on with those who have not been dialled. */
export const resume = (run: CampaignRun): Fact[] =>
  run.status === 'PAUSED' || run.status === 'STOPPED_BY_BREAKER'
    ? [{ type: 'campaign_run.resumed', data: {} }]
    : [];

/** Records how far it has come, if that is news. */
export const progress = (run: CampaignRun, counts: Counts): Fact[] =>
  isOver(run) || same(run.counts ?? null, counts) ? [] : [{ type: 'campaign_run.progressed', data: counts }];

/** Ends a run of which no member is open. */
export const complete = (run: CampaignRun, counts: Counts): Fact[] =>
  isOver(run) ? [] : [{ type: 'campaign_run.completed', data: counts }];

/** Stops a run because the carrier fails: resuming is explicit. */
export const stop = (run: CampaignRun, reason: string): Fact[] =>
  run.status === 'RUNNING' ? [{ type: 'campaign_run.stopped', data: { reason } }] : [];

/** Ends a run before its members are done. Refuses ILLEGAL_TRANSITION when it is over. */
export function cancel(run: CampaignRun, reason: string): Fact[] {
  if (run.version === 0) throw noSuchRun(run.id);
  if (isOver(run)) throw new StateRefusal('ILLEGAL_TRANSITION', 'This run is over.', run.status);
  return [{ type: 'campaign_run.cancelled', data: { reason } }];
}

/** There is none with this id. */
export const noSuchRun = (id: string): NotFoundRefusal =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such run in this workspace.', id);

const same = (a: Counts | null, b: Counts): boolean =>
  a !== null && (Object.keys(b) as (keyof Counts)[]).every((key) => a[key] === b[key]);
