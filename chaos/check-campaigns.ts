import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import { countsOf } from '../src/campaign/counts.ts';
import * as runs from '../src/domain/campaign-run.ts';
import type { CampaignRun, Counts } from '../src/domain/campaign-run.ts';
import type { TaskStatus } from '../src/domain/task.ts';
import type { World } from '../src/world.ts';
import { newReason } from './campaigns.ts';
import type { Dial } from './check.ts';

/** How long after a pause a dial may come whose intent was recorded before it, in milliseconds: its turn, and repeated 429s. */
const lateDialMs = 10_000;

/** How long after an edit a claim may still use what it read before, in milliseconds. */
const claimMs = 5_000;

/** Whatever is not as it must be with campaigns, when all is quiet: each in one line. */
export async function violationsOfCampaigns(world: World, dials: readonly Dial[]): Promise<string[]> {
  const all = await world.find<CampaignRun>(runs.table, {});
  return [
    ...(await ofContacts(world, dials)),
    ...(await ofMembers(world)),
    ...(await ofCounts(world, all)),
    ...ofRuns(all),
    ...(await ofHolding(world, dials)),
    ...(await ofEdits(world)),
  ];
}

/** For one campaign and date the carrier began one dial to each patient at the most, and one task attempted it. */
export async function ofContacts(world: World, dials: readonly Dial[]): Promise<string[]> {
  const calls = await world.query<{ id: string; key: string }>(sql`
    select c.id, c.campaign_id || ' on ' || r.date || ' at patient ' || c.patient_id as key
    from call c join campaign_run r on r.id = c.campaign_run_id`);
  const keys = new Map(calls.map(({ id, key }) => [id, key]));
  const contacts = Map.groupBy(
    dials.filter(({ callId }) => keys.has(callId)),
    ({ callId }) => keys.get(callId)!,
  );
  const twice = [...contacts].filter(([, made]) => made.length > 1).map(([key]) => `campaign ${key} twice`);
  const attempted = await world.query<{ fault: string }>(sql`
    select 'patient ' || m.patient_id || ' was attempted by ' || count(*) || ' tasks of ' || m.campaign_id as fault
    from campaign_member m join outbound_task t on t.id = m.task_id where t.attempts > 0
    group by m.campaign_id, m.date, m.patient_id having count(*) > 1`);
  return [...twice, ...attempted.map(({ fault }) => fault)];
}

/** Each member is one person's on a date, with one task at the most; each task of a campaign is one member's. */
export async function ofMembers(world: World): Promise<string[]> {
  const found = await world.query<{ fault: string }>(sql`
    select 'run ' || r.id || ' has ' || count(m.run_id) || ' members of ' || r.eligible as fault
      from campaign_run r left join campaign_member m on m.run_id = r.id and m.reason is null
      group by r.id, r.eligible having count(m.run_id) <> r.eligible
    union all select 'task ' || t.id || ' has ' || count(m.run_id) || ' members'
      from outbound_task t left join campaign_member m on m.task_id = t.id and m.run_id = t.queue_id
        and m.patient_id = t.patient_id
      where t.campaign_id is not null group by t.id having count(m.run_id) <> 1
    union all select 'patient ' || patient_id || ' is ' || count(*) || ' members on ' || date
      from campaign_member where reason is null and not is_released
      group by campaign_id, date, patient_id having count(*) > 1`);
  return found.map(({ fault }) => fault);
}

interface Fate {
  runId: string;
  status: TaskStatus | null;
  attempts: number;
  outcome: string | null;
}

const nobodyAnswered = new Set(['busy', 'no_answer', 'canceled', 'completed_by_machine', 'completed']);

/** As what a member is counted, told from its task alone. */
function countedAs({ status, attempts, outcome }: Fate, isOver: boolean): keyof Counts {
  switch (status) {
    case null:
      return isOver ? 'cancelled' : 'pending';
    case 'SCHEDULED':
    case 'SNOOZED':
      return 'pending';
    case 'DISPATCHED':
    case 'RUNNING':
      return 'inFlight';
    case 'COMPLETED':
      return 'answered';
    case 'FAILED':
      return attempts > 0 && nobodyAnswered.has(outcome ?? '') ? 'unanswered' : 'failed';
    case 'TIMED_OUT':
      return attempts > 0 ? 'failed' : 'cancelled';
    case 'CANCELLED':
      return 'cancelled';
  }
}

/** What a run shows is what its members tell one by one, and they are as many as were eligible. */
export async function ofCounts(world: World, all: readonly CampaignRun[]): Promise<string[]> {
  const fates = await world.query<Fate>(sql`
    select m.run_id as "runId", t.status, coalesce(t.attempts, 0) as attempts, t.last_outcome as outcome
    from campaign_member m left join outbound_task t on t.id = m.task_id where m.reason is null`);
  const shown = await countsOf(world, all);
  const faults: string[] = [];
  for (const run of all) {
    const counts = { pending: 0, inFlight: 0, answered: 0, unanswered: 0, failed: 0, cancelled: 0 };
    for (const fate of fates) if (fate.runId === run.id) counts[countedAs(fate, runs.isOver(run))] += 1;
    const said = JSON.stringify(shown.get(run.id));
    if (!isDeepStrictEqual(counts, shown.get(run.id)))
      faults.push(`run ${run.id} shows ${said}, its members are ${JSON.stringify(counts)}`);
    if (run.status === 'COMPLETED' && !isDeepStrictEqual(counts, run.counts))
      faults.push(`run ${run.id} ended with ${JSON.stringify(run.counts)}, its members are ${said}`);
    if (Object.values(counts).reduce((sum, count) => sum + count, 0) !== run.eligible)
      faults.push(`run ${run.id} has ${said} of ${run.eligible} members`);
  }
  return faults;
}

/** Every run is over, but one that is held. A day has one run of its own. */
function ofRuns(all: readonly CampaignRun[]): string[] {
  const open = all.filter((run) => !runs.isOver(run) && run.status !== 'PAUSED');
  const held = all.filter(({ status }) => status === 'PAUSED');
  const days = Map.groupBy(
    all.filter(({ manual }) => !manual),
    ({ campaignId, date }) => `${campaignId} on ${date}`,
  );
  return [
    ...open.map(({ id, status }) => `run ${id} is ${status}`),
    ...(held.length > 1 ? [`${held.length} runs are held`] : []),
    ...(days.size === 0 ? ['no run began by itself'] : []),
    ...[...days].filter(([, own]) => own.length > 1).map(([key]) => `campaign ${key} began several runs`),
  ];
}

interface Step {
  type: string;
  runId: string;
  callId: string | null;
  at: Date;
}

/**
 * No call is intended by a run that does not run. Their events are stored in the order in which the run's lock was held,
 * so that no clock is needed; a call that was intended before may take its turn.
 */
async function ofHolding(world: World, dials: readonly Dial[]): Promise<string[]> {
  const steps = await world.query<Step>(sql`
    select type, coalesce(data->>'campaignRunId', entity_id::text) as "runId", effective_at as at,
      case when type = 'outbound.initiated' then entity_id end as "callId" from event
    where type like 'campaign_run.%' or (type = 'outbound.initiated' and data->>'campaignRunId' is not null)
    order by position`);
  const dialledAt = new Map(dials.map(({ callId, at }) => [callId, at.getTime()]));
  const running = new Map<string, boolean>();
  const intended = new Map<string, string[]>();
  const faults: string[] = [];
  for (const { type, runId, callId, at } of steps) {
    const earlier = intended.get(runId) ?? [];
    if (callId) {
      intended.set(runId, [...earlier, callId]);
      if (!running.get(runId)) faults.push(`call ${callId} was intended while its run ${runId} was held`);
    } else if (type !== 'campaign_run.progressed') {
      running.set(runId, ['campaign_run.started', 'campaign_run.resumed'].includes(type));
      for (const before of running.get(runId) ? [] : earlier)
        if ((dialledAt.get(before) ?? 0) > at.getTime() + lateDialMs)
          faults.push(`call ${before} was dialled long after its run ${runId} had ${type}`);
    }
  }
  return faults;
}

/** Whoever is called after an edit hears what was told last. */
async function ofEdits(world: World): Promise<string[]> {
  const found = await world.query<{ fault: string }>(sql`
    select 'call ' || c.id || ' came after an edit and says ' || c.reason as fault
    from call c join (select entity_id as id, min(effective_at) as at from event where type = 'campaign.updated'
      group by 1) edit on edit.id = c.campaign_id
    where c.queued_at > edit.at + ${`${claimMs} milliseconds`}::interval and c.reason <> ${newReason}`);
  return found.map(({ fault }) => fault);
}
