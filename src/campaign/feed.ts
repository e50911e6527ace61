import { sql } from 'kysely';
import { newId } from '../clock.ts';
import { pickCallerId } from '../domain/caller-id.ts';
import * as campaigns from '../domain/campaign.ts';
import type { Campaign } from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import type { CampaignRun } from '../domain/campaign-run.ts';
import type { By } from '../domain/event.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import * as tasks from '../domain/task.ts';
import type { Wanted } from '../domain/task-fact.ts';
import { schedule } from '../domain/task-progress.ts';
import { findService } from '../provision.ts';
import { callerIdsOf } from '../schedule.ts';
import type { Transaction, World } from '../world.ts';

/** For how many minutes of its pace a run has tasks ready: more would not be changed by an edit. */
const aheadMinutes = 2;

/** How many members become tasks at once, at the most. */
const most = 500;

/** How many tasks a run has ready. */
const readyOf = ({ callsPerMinute }: Campaign): number =>
  Math.min(most, Math.max(20, callsPerMinute * aheadMinutes));

interface Member {
  patientId: string;
  phone: string | null;
}

/**
 * Makes tasks of a run's next members, so that it has enough of them ready; the pace itself is kept at the dispatch.
 * Answers how many were made; null: another process feeds it just now, or it does not run.
 */
export const feedRun = (world: World, run: CampaignRun, by: By): Promise<number | null> =>
  world.transact(async (tx) => {
    const here = { workspaceId: { eq: run.workspaceId } };
    const where = { ...here, id: { eq: run.id }, status: { eq: 'RUNNING' } };
    const [locked] = await tx.lockEach(runs, { where, limit: 1, skipLocked: true });
    const campaign = await tx.findOne<Campaign>(campaigns.table, { ...here, id: { eq: run.campaignId } });
    if (!locked || !campaign) return null;
    const [ready] = await tx.query<{ count: number }>(sql`
      select count(*)::int as count from outbound_task where workspace_id = ${run.workspaceId}
        and queue_id = ${run.id} and status = 'SCHEDULED' and next_attempt_at <= ${by.now}`);
    const wanted = readyOf(campaign) - (ready?.count ?? 0);
    if (wanted < readyOf(campaign) / 2) return 0;
    const chosen = await tx.query<Member>(sql`
      select patient_id as "patientId", phone from campaign_member
      where workspace_id = ${run.workspaceId} and run_id = ${run.id} and reason is null and task_id is null
      order by patient_id limit ${wanted} for update`);
    if (chosen.length > 0) await makeTasks(tx, { run, campaign, chosen }, by);
    return chosen.length;
  });

async function makeTasks(
  tx: Transaction,
  { run, campaign, chosen }: { run: CampaignRun; campaign: Campaign; chosen: Member[] },
  by: By,
): Promise<void> {
  const service = await findService(tx, campaign.serviceId ?? null, run.workspaceId);
  const numbers = await callerIdsOf(tx, service);
  const ids = chosen.map(({ patientId }) => patientId);
  const found = await tx.find<Patient>(patients.table, {
    workspaceId: { eq: run.workspaceId },
    id: { in: ids },
  });
  const people = new Map(found.map((patient) => [patient.id, patient]));
  const made = chosen.map(({ patientId, phone }) => {
    const id = newId(by.now);
    const blank = tasks.blank(id, run.workspaceId);
    const wanted: Wanted = {
      ...attributesOf(campaign, run, by),
      patientId,
      phone: phone ?? people.get(patientId)?.phone ?? '',
      isPhoneNamed: phone !== null,
      phoneFrom: pickCallerId(numbers, patientId),
      serviceId: service.id,
    };
    tx.decide(tasks, blank, schedule(blank, wanted), { ...by, correlationId: id });
    return { patientId, id };
  });
  await tx.query(sql`
    update campaign_member m set task_id = made.id
    from unnest(${made.map(({ patientId }) => patientId)}::uuid[], ${made.map(({ id }) => id)}::uuid[]) as made(patient_id, id)
    where m.workspace_id = ${run.workspaceId} and m.run_id = ${run.id} and m.patient_id = made.patient_id`);
}

/** What all tasks of a run have in common. One attempt a day: tomorrow's run makes the next. */
const attributesOf = (campaign: Campaign, run: CampaignRun, by: By) => ({
  channel: 'VOICE' as const,
  isChannelNamed: true,
  reason: campaign.reason,
  goal: campaign.goal ?? null,
  purpose: campaign.purpose,
  priority: campaign.priority,
  scheduledFor: by.now.toISOString(),
  window: null,
  validUntil: campaigns.dayEnd(campaign, run.date).toISOString(),
  maxAttempts: 1,
  backoffSeconds: 0,
  campaignId: campaign.id,
  queueId: run.id,
  triggerId: null,
  origin: 'CAMPAIGN' as const,
  tags: [Array.from(campaign.name).slice(0, 64).join('')], // code points: half of one cannot be stored
  metadata: { campaignId: campaign.id, campaignRunId: run.id, date: run.date },
  cancelOn: [],
  requestedBy: by.actor,
});
