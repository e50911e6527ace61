import { sql } from 'kysely';
import * as campaigns from '../domain/campaign.ts';
import { campaignShareOf } from '../domain/campaign.ts';
import type { Campaign } from '../domain/campaign.ts';
import { ringSeconds } from '../domain/call.ts';
import { timeDecision, type LocalWindow } from '../domain/hours.ts';
import { whereaboutsOf, type Patient } from '../domain/patient.ts';
import { candidateZones } from '../domain/zone.ts';
import type { Workspace } from '../domain/workspace.ts';
import type { World } from '../world.ts';
import { candidates, countSelection, type Selected, type Selection } from './select.ts';

/** What a run that was started now would do. */
export interface Preview extends Selected {
  sampleIds: string[];
  startsAt: Date;
  /** Null: nobody would be called. */
  estimatedFinishAt: Date | null;
  finishesInWindow: boolean;
  byHour: { hour: Date; calls: number }[];
}

/** What else keeps a run's pace. */
export interface Capacity {
  /** Of one of our numbers. */
  callsPerMinute: number;
  /** How many numbers its service may call from. */
  numbers: number;
  /** Of the carrier's account. */
  callsPerSecond: number;
}

/** How long a call holds a line while nobody knows better, in seconds. */
const usualSeconds = 60;

/** Calls a minute that a run can make: by its own pace, its lines, our numbers and the account. */
function ratePerMinute(
  { callsPerMinute, maxConcurrentCalls }: Pick<Campaign, 'callsPerMinute' | 'maxConcurrentCalls'>,
  capacity: Capacity,
  secondsPerCall: number,
): number {
  return Math.min(
    callsPerMinute,
    (maxConcurrentCalls * 60) / secondsPerCall,
    capacity.numbers * campaignShareOf(capacity.callsPerMinute),
    capacity.callsPerSecond * 60,
  );
}

/** How long this workspace's calls have held a line in the last week, on average, in seconds. */
async function secondsPerCall(world: Pick<World, 'query'>, workspaceId: string, now: Date): Promise<number> {
  const [found] = await world.query<{ seconds: number | null }>(sql`
    select avg(extract(epoch from ended_at - queued_at))::float8 as seconds from call
    where workspace_id = ${workspaceId} and ended_at > ${now}::timestamptz - interval '7 days' and sid is not null`);
  return Math.max(0.1, found?.seconds ?? usualSeconds);
}

/** Selects without storing, and plays the day: everybody is called at the first lawful instant that the pace has room for. */
export async function previewRun(
  world: World,
  selection: Omit<Selection, 'date'> & { workspace: Workspace },
  capacity: Capacity,
): Promise<Preview> {
  const { campaign, workspace, now } = selection;
  const dated = { ...selection, date: campaigns.dateOf(campaign, now) };
  const selected = await countSelection(world, dated);
  const openings: number[] = [];
  const sampleIds: string[] = [];
  for await (const person of eligible(world, dated)) {
    if (sampleIds.length < 10) sampleIds.push(person.id);
    const at = openingOf(person, { campaign, hours: workspace.policy.hours, now });
    if (at !== null) openings.push(at);
  }
  const rate = ratePerMinute(campaign, capacity, await secondsPerCall(world, campaign.workspaceId, now));
  const times = play(
    openings.toSorted((a, b) => a - b),
    { now, stepMs: 60_000 / rate },
  );
  const end = campaigns.dayEnd(campaign, dated.date).getTime();
  const called = times.filter((at) => at < end);
  const last = called.at(-1);
  return {
    ...selected,
    sampleIds,
    startsAt: now,
    estimatedFinishAt: last === undefined ? null : new Date(last),
    finishesInWindow: called.length === selected.eligible,
    byHour: loads(called),
  };
}

type Person = Pick<Patient, 'id' | 'phone' | 'beliefs' | 'windows'>;

/** How many people are read at once. */
const batch = 2_000;

/** Those who would be members, page by page; of what is believed only where they are. */
async function* eligible(world: World, selection: Selection): AsyncIterable<Person> {
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const page = candidates({ ...selection, page: { after, limit: batch } });
    const people = await world.query<Person & { reason: string | null }>(sql`
      select p.id, k.reason, p.phone, p.windows, (
        select coalesce(jsonb_object_agg(b.key, b.value), '{}') from jsonb_each(p.beliefs) b
        where b.key = 'timeZone' or b.key like 'address.%') as beliefs
      from (${page}) k
      join patient p on p.workspace_id = ${selection.campaign.workspaceId} and p.id = k.patient_id order by p.id`);
    yield* people.filter(({ reason }) => reason === null);
    const last = people.at(-1);
    if (!last || people.length < batch) return;
    after = last.id;
  }
}

const openings = new Map<string, number | null>();

/** The first instant at which someone may be called, as far as the hours say; null: none within 60 days. */
function openingOf(
  person: Person,
  { campaign, hours, now }: { campaign: Campaign; hours: LocalWindow[]; now: Date },
): number | null {
  const where = candidateZones({ ...whereaboutsOf(person), phone: person.phone ?? null });
  const asked = {
    zones: where.zones,
    states: where.states,
    organization: hours,
    preferred: person.windows,
    task: null,
    ringSeconds,
    channel: 'VOICE' as const,
    purpose: campaign.purpose,
    now,
  };
  const key = JSON.stringify(asked);
  let at = openings.get(key);
  if (at === undefined) {
    if (openings.size > 10_000) openings.clear();
    const { nextAllowedAt } = timeDecision(asked);
    at = nextAllowedAt === null ? null : Date.parse(nextAllowedAt);
    openings.set(key, at);
  }
  return at;
}

/** One call each step, none before its opening. */
function play(openings: number[], { now, stepMs }: { now: Date; stepMs: number }): number[] {
  let free = now.getTime();
  return openings.map((opening) => {
    const at = Math.max(opening, free);
    free = at + stepMs;
    return at;
  });
}

const hourMs = 3_600_000;

function loads(times: number[]): { hour: Date; calls: number }[] {
  const byHour = Map.groupBy(times, (at) => Math.floor(at / hourMs) * hourMs);
  return [...byHour].map(([hour, calls]) => ({ hour: new Date(hour), calls: calls.length }));
}
