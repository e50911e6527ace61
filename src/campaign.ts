import { sql } from 'kysely';
import { newId } from './clock.ts';
import { previewRun, type Capacity, type Preview } from './campaign/preview.ts';
import { release, select, selectListed } from './campaign/select.ts';
import * as campaigns from './domain/campaign.ts';
import type { Campaign, Settings } from './domain/campaign.ts';
import * as runs from './domain/campaign-run.ts';
import type { CampaignRun } from './domain/campaign-run.ts';
import type { By } from './domain/event.ts';
import { InputRefusal, NotFoundRefusal } from './domain/refusal.ts';
import { table as workspaces, type Workspace } from './domain/workspace.ts';
import { claimKey, findKey } from './idempotency.ts';
import { findService } from './provision.ts';
import { callerIdsOf } from './schedule.ts';
import type { Transaction, World } from './world.ts';

/** Which day is run, and how. */
interface Day {
  date: string;
  manual: boolean;
  /** Exactly these numbers, whatever the audience; null: the audience. */
  callList: string[] | null;
}

/** A run that was asked for. */
export interface Asked {
  run: CampaignRun;
  /** True when it was running already, or the idempotency key had started it. */
  replayed: boolean;
}

/** Keeps campaigns, and begins, holds and ends their runs. */
export function openCampaigns({ world, ...capacity }: { world: World } & Omit<Capacity, 'numbers'>) {
  /** A new draft. Refuses NOT_FOUND for a service that is not there, and the IDEMPOTENCY codes. */
  async function createCampaign(
    settings: Settings,
    idempotencyKey: string | null,
    by: By,
  ): Promise<Campaign> {
    const keyed = { idempotencyKey, operation: 'createCampaign', input: settings, by };
    const earlier = await findKey(world, keyed);
    if (earlier) return campaignOf(world, earlier, by);
    await checkService(settings, by);
    const id = newId(by.now);
    const outcome = await world.transact(async (tx) => {
      const known = await claimKey(tx, { ...keyed, resultId: id });
      if (known) return known;
      const blank = campaigns.blank(id, by.workspaceId);
      return tx.decide(campaigns, blank, campaigns.create(blank, settings), by).row;
    });
    return typeof outcome === 'string' ? campaignOf(world, outcome, by) : outcome;
  }

  async function updateCampaign(id: string, settings: Settings, by: By): Promise<Campaign> {
    await checkService(settings, by);
    return (await world.change(campaigns, id, (campaign) => campaigns.update(campaign, settings), by)).row;
  }

  /** Lets it run daily. What is set up wrong is refused now: OUTBOUND_NOT_CONFIGURED, NO_NUMBER_AVAILABLE. */
  async function activateCampaign(id: string, by: By): Promise<Campaign> {
    await checkOutbound(id, by);
    return world.transact(async (tx) => {
      const campaign = await lockCampaign(tx, id, by);
      const { row } = tx.decide(campaigns, campaign, campaigns.activate(campaign), by);
      for (const run of await lockOpen(tx, id, by)) {
        if (run.status === 'PAUSED') tx.decide(runs, run, runs.resume(run), by);
      }
      return row;
    });
  }

  /** Holds it and its runs: nothing new is dialled from the commit on, and calls in flight end as they do. */
  async function pauseCampaign(id: string, by: By): Promise<Campaign> {
    return world.transact(async (tx) => {
      const campaign = await lockCampaign(tx, id, by);
      const { row } = tx.decide(campaigns, campaign, campaigns.pause(campaign), by);
      for (const run of await lockOpen(tx, id, by)) tx.decide(runs, run, runs.pause(run), by);
      return row;
    });
  }

  /** Puts it away; whoever has not been dialled is not. */
  async function archiveCampaign(id: string, by: By): Promise<Campaign> {
    return world.transact(async (tx) => {
      const campaign = await lockCampaign(tx, id, by);
      const { row } = tx.decide(campaigns, campaign, campaigns.archive(campaign), by);
      for (const run of await lockOpen(tx, id, by))
        tx.decide(runs, run, runs.cancel(run, 'the campaign was archived'), by);
      return row;
    });
  }

  /**
   * Runs it now. A run of today that was held or stopped goes on; one of the audience that is running is answered; else
   * a new one is begun, with whoever has not been a member today.
   */
  async function runCampaign(
    id: string,
    { callList, idempotencyKey }: { callList: string[] | null; idempotencyKey: string | null },
    by: By,
  ): Promise<Asked> {
    const runId = newId(by.now);
    const keyed = { idempotencyKey, operation: 'runCampaign', input: { id, callList }, by, resultId: runId };
    const earlier = await findKey(world, keyed);
    if (earlier) return { run: await runOf(world, earlier, by), replayed: true };
    await checkOutbound(id, by);
    return world.transact(async (tx) => {
      const known = await claimKey(tx, keyed);
      if (known) return { run: await runOf(tx, known, by), replayed: true };
      const campaign = await lockCampaign(tx, id, by);
      campaigns.mustRun(campaign);
      const date = campaigns.dateOf(campaign, by.now);
      if (callList) await checkListed(tx, callList, by);
      const open = callList ? [] : (await lockOpen(tx, id, by)).filter((run) => run.date === date);
      const today = open.find(({ status }) => status !== 'RUNNING') ?? (await ofAudience(tx, open));
      if (!today) {
        const day = { date, manual: true, callList };
        return { run: await begin(tx, { campaign, runId, day }, by), replayed: false };
      }
      const { row, events } = tx.decide(runs, today, runs.resume(today), by);
      if (idempotencyKey) await remember(tx, { idempotencyKey, runId: row.id }, by);
      return { run: row, replayed: events.length === 0 };
    });
  }

  /** Begins the run of a date, unless there is one. The database decides who does. */
  async function runDay(campaign: Campaign, date: string, by: By): Promise<CampaignRun | null> {
    return world.transact(async (tx) => {
      const current = await lockCampaign(tx, campaign.id, by);
      if (current.status !== 'ACTIVE' || (await hasRun(tx, campaign.id, date, by))) return null;
      const day = { date, manual: false, callList: null };
      return begin(tx, { campaign: current, runId: newId(by.now), day }, by);
    });
  }

  /** Records a date on which it could not run, unless there is a run of it. */
  async function skipDay(
    campaign: Campaign,
    date: string,
    reason: string,
    by: By,
  ): Promise<CampaignRun | null> {
    return world.transact(async (tx) => {
      await lockCampaign(tx, campaign.id, by);
      if (await hasRun(tx, campaign.id, date, by)) return null;
      const end = campaigns.dayEnd(campaign, date);
      const id = newId(end < by.now ? end : by.now); // runs are listed by id, and several days may be recorded at once
      const blank = runs.blank(id, by.workspaceId);
      return tx.decide(runs, blank, runs.skip(blank, { campaignId: campaign.id, date }, reason), by).row;
    });
  }

  /** Ends a run: whoever has not been dialled is not, unless another run of the date is asked for. */
  async function cancelRun(id: string, by: By): Promise<CampaignRun> {
    return world.transact(async (tx) => {
      const run = await tx.lock(runs, { workspaceId: { eq: by.workspaceId }, id: { eq: id } });
      if (!run) throw runs.noSuchRun(id);
      const { row } = tx.decide(runs, run, runs.cancel(run, 'cancelled'), by);
      await release(tx, row);
      return row;
    });
  }

  /** What a run that was started now would do, without doing it. */
  async function preview(campaign: Campaign, by: By): Promise<Preview> {
    const workspace = await workspaceOf(world, by);
    const service = await findService(world, campaign.serviceId ?? null, by.workspaceId);
    const numbers = await callerIdsOf(world, service);
    return previewRun(world, { campaign, workspace, now: by.now }, { ...capacity, numbers });
  }

  /** Somebody must speak, and a number must call: refuses OUTBOUND_NOT_CONFIGURED and NO_NUMBER_AVAILABLE. */
  async function checkOutbound(id: string, by: By): Promise<void> {
    const { serviceId } = await campaignOf(world, id, by);
    await callerIdsOf(world, await findService(world, serviceId ?? null, by.workspaceId));
  }

  async function checkService({ serviceId }: Settings, by: By): Promise<void> {
    if (serviceId) await findService(world, serviceId, by.workspaceId);
  }

  return {
    createCampaign,
    updateCampaign,
    activateCampaign,
    pauseCampaign,
    archiveCampaign,
    runCampaign,
    runDay,
    skipDay,
    cancelRun,
    preview,
  };
}

/** Keeps campaigns. */
export type Campaigns = ReturnType<typeof openCampaigns>;

type Reader = Pick<World, 'findOne'>;

async function begin(
  tx: Transaction,
  { campaign, runId, day }: { campaign: Campaign; runId: string; day: Day },
  by: By,
): Promise<CampaignRun> {
  const { date, manual, callList } = day;
  const workspace = await workspaceOf(tx, by);
  const selected = callList
    ? await selectListed(tx, { campaign, date, runId, phones: callList })
    : await select(tx, { campaign, workspace, date, now: by.now, runId });
  const blank = runs.blank(runId, by.workspaceId);
  const begun = { campaignId: campaign.id, date, manual, ...selected };
  const { row } = tx.decide(runs, blank, runs.start(blank, begun), by);
  if (row.eligible > 0) return row;
  const none = { pending: 0, inFlight: 0, answered: 0, unanswered: 0, failed: 0, cancelled: 0 };
  return tx.decide(runs, row, runs.complete(row, none), by).row;
}

async function workspaceOf(reader: Reader, by: By): Promise<Workspace> {
  return (await reader.findOne<Workspace>(workspaces, { id: { eq: by.workspaceId } }))!;
}

async function campaignOf(reader: Reader, id: string, by: By): Promise<Campaign> {
  const where = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
  const campaign = await reader.findOne<Campaign>(campaigns.table, where);
  if (!campaign) throw campaigns.noSuchCampaign(id);
  return campaign;
}

async function runOf(reader: Reader, id: string, by: By): Promise<CampaignRun> {
  const where = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
  const run = await reader.findOne<CampaignRun>(runs.table, where);
  if (!run) throw runs.noSuchRun(id);
  return run;
}

async function lockCampaign(tx: Transaction, id: string, by: By): Promise<Campaign> {
  const campaign = await tx.lock(campaigns, { workspaceId: { eq: by.workspaceId }, id: { eq: id } });
  if (!campaign) throw campaigns.noSuchCampaign(id);
  return campaign;
}

/** The runs of a campaign that are not over, locked. */
const lockOpen = (tx: Transaction, campaignId: string, by: By): Promise<CampaignRun[]> =>
  tx.lockEach(runs, {
    where: {
      workspaceId: { eq: by.workspaceId },
      campaignId: { eq: campaignId },
      status: { in: ['RUNNING', 'PAUSED', 'STOPPED_BY_BREAKER'] },
    },
    limit: 1_000,
  });

const hasRun = async (tx: Transaction, campaignId: string, date: string, by: By): Promise<boolean> =>
  (
    await tx.query(sql`select 1 from campaign_run where workspace_id = ${by.workspaceId}
      and campaign_id = ${campaignId} and date = ${date}::date and not manual`)
  ).length > 0;

/** The first run whose members are the audience: those of a list have the list's numbers. */
async function ofAudience(tx: Transaction, open: CampaignRun[]): Promise<CampaignRun | undefined> {
  const listed = await tx.query<{ id: string }>(sql`select distinct run_id as id from campaign_member
    where workspace_id = any(${open.map(({ workspaceId }) => workspaceId)}) and run_id = any(${open.map(({ id }) => id)})
      and phone is not null`);
  return open.find((run) => !listed.some(({ id }) => id === run.id));
}

/** The key stands for the run that went on, and not for the one that was not begun. */
const remember = (tx: Transaction, given: { idempotencyKey: string; runId: string }, by: By) =>
  tx.query(sql`update idempotency_key set result_id = ${given.runId}
    where workspace_id = ${by.workspaceId} and key = ${given.idempotencyKey}`);

/** A list names people: a number that nobody has is a mistake of the list. */
async function checkListed(tx: Transaction, callList: string[], by: By): Promise<void> {
  if (callList.length === 0)
    throw new InputRefusal([{ path: ['callList'], message: 'Must name a number at least.' }]);
  const known = await tx.query<{ phone: string }>(sql`select distinct phone from patient
    where workspace_id = ${by.workspaceId} and phone = any(${callList})`);
  const phones = new Set(known.map(({ phone }) => phone));
  const missing = callList.find((phone) => !phones.has(phone));
  if (missing) throw new NotFoundRefusal('PATIENT_NOT_FOUND', `No patient has the number ${missing}.`, null);
}
