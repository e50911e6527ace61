import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { dateOf as dateOfDay, dayAt, dayOf, instantOf } from './calendar.ts';
import type { Purpose } from './consent.ts';
import { partialIndex, rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import { NotFoundRefusal, StateRefusal } from './refusal.ts';

export const entityType = 'CAMPAIGN';
export const foldVersion = 1;

/** Where a campaign stands. */
export const statuses = ['DRAFT', 'ACTIVE', 'PAUSED', 'ARCHIVED'] as const;
/** One of `statuses`. */
export type CampaignStatus = (typeof statuses)[number];

/** Which patients: everything that is named must hold. */
export interface Audience {
  /** Facts that must be believed, each with its value. */
  facts: Record<string, string>;
  /** Systems of which one at least must have spoken of the patient; empty: any. */
  sourceSystems: string[];
  tags: string[];
}

/** What a campaign is told to do; all of it may be changed while it is active. */
export interface Settings {
  name: string;
  purpose: Purpose;
  reason: string;
  goal: string | null;
  /** 1 is the most urgent, 10 the least. */
  priority: number;
  /** Wall time "HH:MM" in `timeZone`. */
  runAt: string;
  timeZone: string;
  audience: Audience;
  /** When not empty, only these numbers are called. */
  allowlist: string[];
  /** Attempts at one patient, over all its days. */
  maxAttempts: number;
  /** Hours between the beginning of one attempt of its own at a patient and the next. */
  cooldownHours: number;
  callsPerMinute: number;
  maxConcurrentCalls: number;
  /** Failures of the carrier in a row that stop a run. */
  breakerThreshold: number;
  /** Null: the default service. */
  serviceId: string | null;
}

/** A campaign: the fold of its events. */
export const table = defineEntity({
  name: 'Campaign',
  tableName: 'campaign',
  properties: {
    ...rowColumns,
    status: p.text().$type<CampaignStatus>(),
    name: p.text(),
    purpose: p.text().$type<Purpose>(),
    reason: p.text(),
    goal: p.text().nullable(),
    priority: p.integer(),
    runAt: p.text(),
    timeZone: p.text(),
    audience: p.json().$type<Audience>(),
    allowlist: p.array().columnType('text[]').$type<string[]>(),
    maxAttempts: p.integer(),
    cooldownHours: p.integer(),
    callsPerMinute: p.integer(),
    maxConcurrentCalls: p.integer(),
    breakerThreshold: p.integer(),
    serviceId: p.uuid().nullable(),
    /** When it was last activated: days before are not caught up with. */
    activatedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
  indexes: [partialIndex('campaign_active', 'campaign (workspace_id, id)', `status = 'ACTIVE'`)],
});
/** One campaign. */
export interface Campaign extends InferEntity<typeof table> {}

/** What can happen to a campaign. */
export type Fact = AnyFact &
  (
    | { type: 'campaign.created' | 'campaign.updated'; data: Settings }
    | { type: 'campaign.activated' | 'campaign.paused' | 'campaign.archived'; data: object }
  );

export const blank = (id: string, workspaceId: string): Campaign => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  status: 'DRAFT',
  name: '',
  purpose: 'OTHER',
  reason: '',
  goal: null,
  priority: 5,
  runAt: '10:00',
  timeZone: 'America/New_York',
  audience: { facts: {}, sourceSystems: [], tags: [] },
  allowlist: [],
  maxAttempts: 1,
  cooldownHours: 0,
  callsPerMinute: 1,
  maxConcurrentCalls: 1,
  breakerThreshold: 1,
  serviceId: null,
  activatedAt: null,
  createdAt: new Date(0),
});

export function evolve(campaign: Campaign, event: Event<Fact>): Campaign {
  const { type, data } = event as unknown as Fact;
  switch (type) {
    case 'campaign.created':
      return { ...campaign, ...data, createdAt: event.effectiveAt };
    case 'campaign.updated':
      return { ...campaign, ...data };
    case 'campaign.activated':
      return { ...campaign, status: 'ACTIVE', activatedAt: event.effectiveAt };
    default:
      return { ...campaign, status: type === 'campaign.paused' ? 'PAUSED' : 'ARCHIVED' };
  }
}

export const patientOf = (): null => null;

/** How many of a number's calls in a minute campaigns may make: a fifth is left to direct calls and other tasks. */
export const campaignShareOf = (callsPerMinute: number): number =>
  Math.max(1, Math.floor(callsPerMinute * 0.8));

/** A draft: nobody is called before it is activated. */
export const create = (_campaign: Campaign, settings: Settings): Fact[] => [
  { type: 'campaign.created', data: settings },
];

/** Changes what it is told to do, also while it is active: whoever has not been called yet is called as told now. */
export function update(campaign: Campaign, settings: Settings): Fact[] {
  mustBe(campaign, ['DRAFT', 'ACTIVE', 'PAUSED'], 'changed');
  return [{ type: 'campaign.updated', data: settings }];
}

/** Lets it run daily; a paused one goes on. */
export function activate(campaign: Campaign): Fact[] {
  mustBe(campaign, ['DRAFT', 'PAUSED'], 'activated');
  return [{ type: 'campaign.activated', data: {} }];
}

/** Stops it for a while: nothing new is dialled. */
export function pause(campaign: Campaign): Fact[] {
  mustBe(campaign, ['ACTIVE'], 'paused');
  return [{ type: 'campaign.paused', data: {} }];
}

/** Puts it away for good. */
export function archive(campaign: Campaign): Fact[] {
  mustBe(campaign, ['DRAFT', 'ACTIVE', 'PAUSED'], 'archived');
  return [{ type: 'campaign.archived', data: {} }];
}

/** Refuses a run by hand unless it is active, or a draft that is tried out. */
export const mustRun = (campaign: Campaign): void => mustBe(campaign, ['DRAFT', 'ACTIVE'], 'run');

/** There is none with this id. */
export const noSuchCampaign = (id: string): NotFoundRefusal =>
  new NotFoundRefusal('NOT_FOUND', 'There is no such campaign in this workspace.', id);

function mustBe(campaign: Campaign, allowed: CampaignStatus[], verb: string): void {
  if (campaign.version === 0) throw noSuchCampaign(campaign.id);
  if (allowed.includes(campaign.status)) return;
  const message = `A campaign that is ${campaign.status} cannot be ${verb}.`;
  throw new StateRefusal('ILLEGAL_TRANSITION', message, campaign.status);
}

/** A date so many days later. */
const laterDate = (date: string, days: number): string => dateOfDay(dayOf(date) + days);

/** The instant at which it runs on a date ("2026-11-20") of its zone: exact through both changes of the clock. */
const runInstant = ({ runAt, timeZone }: Pick<Campaign, 'runAt' | 'timeZone'>, date: string): Date =>
  instantOf(`${date}T${runAt}`, timeZone);

/** The first instant of its zone's next date: what a run has not done by then it leaves. */
export const dayEnd = ({ timeZone }: Pick<Campaign, 'timeZone'>, date: string): Date =>
  instantOf(`${laterDate(date, 1)}T00:00`, timeZone);

/** The date that its zone's calendar shows. */
export const dateOf = ({ timeZone }: Pick<Campaign, 'timeZone'>, at: Date): string =>
  dateOfDay(dayAt(at.getTime(), timeZone));

/** How far back missed days are recorded, in days. */
const lookBackDays = 31;

/** No call may ring from this wall time on (C-04): a run that is late is not begun any more. */
const closesAt = '20:00';

/** A run that is begun this soon, in milliseconds, is not late: who asks for 20:30 has people further west in mind. */
const punctualMs = 60_000;

/** The days that should have begun by now and have no run yet, oldest first; with why one is skipped, or null. */
export function dueDays(
  campaign: Campaign,
  lastDate: string | null,
  now: Date,
): { date: string; skipped: string | null }[] {
  const { status, activatedAt } = campaign;
  if (status !== 'ACTIVE' || !activatedAt) return [];
  const today = dateOf(campaign, now);
  const days = [];
  for (let date = laterDate(today, -lookBackDays); date <= today; date = laterDate(date, 1)) {
    if (lastDate !== null && date <= lastDate) continue;
    const at = runInstant(campaign, date);
    if (at > now || at < activatedAt) continue;
    const isLate = now.getTime() - at.getTime() > punctualMs;
    const isClosed = isLate && now >= instantOf(`${date}T${closesAt}`, campaign.timeZone);
    const reason = date < today ? 'the day had passed' : isClosed ? 'it was too late in the day' : null;
    days.push({ date, skipped: reason && `Skipped: ${reason} before it could be run.` });
  }
  return days;
}

/** When it runs next, given the last date that has a run of its own; null: never, as it stands. */
export function nextRunAt(campaign: Campaign, lastDate: string | null, now: Date): Date | null {
  if (campaign.status !== 'ACTIVE') return null;
  const today = dateOf(campaign, now);
  const first = lastDate !== null && lastDate >= today ? laterDate(lastDate, 1) : today;
  const next = runInstant(campaign, first);
  const isMissed = next < now && (campaign.activatedAt?.getTime() ?? 0) > next.getTime();
  return isMissed ? runInstant(campaign, laterDate(first, 1)) : next;
}
