import { sql } from 'kysely';
import { pickCallerId } from '../domain/caller-id.ts';
import * as campaigns from '../domain/campaign.ts';
import { campaignShareOf } from '../domain/campaign.ts';
import { play, type Group, type Pace } from '../domain/campaign-play.ts';
import { ringSeconds, startsPerSecond } from '../domain/call.ts';
import type { ContactBlock } from '../domain/consent.ts';
import { whereaboutsOf, type Patient } from '../domain/patient.ts';
import { candidateZones } from '../domain/zone.ts';
import type { Workspace } from '../domain/workspace.ts';
import type { World } from '../world.ts';
import { candidates, selectedOf, type Selected, type Selection } from './select.ts';

/** What a run that was started now would do. */
export interface Preview extends Selected {
  sampleIds: string[];
  startsAt: Date;
  /** When the last call would end. Null: nobody would be called. */
  estimatedFinishAt: Date | null;
  finishesInWindow: boolean;
  byHour: { hour: Date; calls: number }[];
}

/** What else keeps a run's pace. */
export interface Capacity {
  /** Of one of our numbers. */
  callsPerMinute: number;
  /** The numbers that its service may call from. */
  numbers: string[];
  /** Of the carrier's account. */
  callsPerSecond: number;
}

/** How long a call holds a line while nobody knows better, in seconds. */
const usualSeconds = 60;

/** How long this workspace's calls have held a line in the last week, on average, in milliseconds. */
async function usualCallMs(world: Pick<World, 'query'>, workspaceId: string, now: Date): Promise<number> {
  const [found] = await world.query<{ seconds: number | null }>(sql`
    select avg(extract(epoch from ended_at - queued_at))::float8 as seconds from call
    where workspace_id = ${workspaceId} and ended_at > ${now}::timestamptz - interval '7 days' and sid is not null`);
  return 1_000 * Math.max(0, found?.seconds ?? usualSeconds);
}

/** Selects without storing, and plays the day: everybody is called at the first lawful instant that the pace has room for. */
export async function previewRun(
  world: World,
  selection: Omit<Selection, 'date'> & { workspace: Workspace },
  capacity: Capacity,
): Promise<Preview> {
  const { campaign, workspace, now } = selection;
  const date = campaigns.dateOf(campaign, now);
  const callMs = await usualCallMs(world, campaign.workspaceId, now);
  const pace: Pace = {
    now: now.getTime(),
    end: campaigns.dayEnd(campaign, date).getTime(),
    stepMs: Math.max(60_000 / campaign.callsPerMinute, 1_000 / startsPerSecond(capacity.callsPerSecond)),
    lines: Math.min(campaign.maxConcurrentCalls, workspace.policy.maxConcurrentCalls ?? Infinity),
    callMs,
    numberMs: Math.ceil(60_000 / campaignShareOf(capacity.callsPerMinute)),
  };
  const { selected, sampleIds, groups } = await lineUp(world, { ...selection, date }, capacity.numbers);
  const times = play(groups, pace);
  const last = times.at(-1);
  return {
    ...selected,
    sampleIds,
    startsAt: now,
    estimatedFinishAt: last === undefined ? null : new Date(last + callMs),
    finishesInWindow: times.length === selected.eligible,
    byHour: loads(times),
  };
}

/** Who is looked at, counted, and the members by what keeps them waiting: of each person no more than the place is kept. */
async function lineUp(
  world: World,
  selection: Selection & { workspace: Workspace },
  numbers: string[],
): Promise<{ selected: Selected; sampleIds: string[]; groups: Group[] }> {
  const counts = new Map<ContactBlock | null, number>();
  const sampleIds: string[] = [];
  const groups = new Map<string, Group>();
  for await (const person of people(world, selection)) {
    const place = counts.get(person.reason) ?? 0;
    counts.set(person.reason, place + 1);
    if (person.reason !== null) continue;
    if (place < 10) sampleIds.push(person.id);
    const number = numbers.length > 1 ? pickCallerId(numbers, person.id) : (numbers[0] ?? '');
    const question = questionOf(person, selection);
    const key = `${number} ${JSON.stringify([question.zones, question.states, question.preferred])}`;
    const group = groups.get(key) ?? { question, number, places: [] };
    groups.set(key, group);
    group.places.push(place);
  }
  const selected = selectedOf([...counts].map(([reason, count]) => ({ reason, count })));
  return { selected, sampleIds, groups: [...groups.values()] };
}

interface Person extends Pick<Patient, 'id' | 'phone' | 'beliefs' | 'windows'> {
  reason: ContactBlock | null;
}

/** How many people are read at once. */
const batch = 5_000;

/** Everybody who is looked at, page by page; of what is believed only where they are. */
async function* people(world: World, selection: Selection): AsyncIterable<Person> {
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const page = await world.query<Person>(candidates({ ...selection, page: { after, limit: batch } }));
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < batch) return;
    after = last.id;
  }
}

/** What the clock is asked about someone. */
function questionOf(
  { phone, beliefs, windows }: Person,
  { campaign, workspace, now }: Selection & { workspace: Workspace },
): Group['question'] {
  const { zones, states } = candidateZones({ ...whereaboutsOf({ beliefs }), phone: phone ?? null });
  return {
    now,
    zones,
    states,
    organization: workspace.policy.hours,
    preferred: windows,
    task: null,
    ringSeconds,
    channel: 'VOICE',
    purpose: campaign.purpose,
  };
}

const hourMs = 3_600_000;

function loads(times: number[]): Preview['byHour'] {
  const byHour = Map.groupBy(times, (at) => Math.floor(at / hourMs) * hourMs);
  return [...byHour].map(([hour, calls]) => ({ hour: new Date(hour), calls: calls.length }));
}
