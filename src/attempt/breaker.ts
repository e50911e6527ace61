import { sql } from 'kysely';
import type { Call } from '../domain/call.ts';
import { aboutNumber, isCarriersFailure } from '../domain/call-progress.ts';
import type { Campaign } from '../domain/campaign.ts';
import { table as campaigns } from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import type { By } from '../domain/event.ts';
import type { Transaction } from '../world.ts';

/** Why a call ended of which the carrier was never asked. */
const unasked = ['held_up', 'unwanted'];

/**
 * Stops a campaign's run when the carrier has failed so many times in a row since it was begun or resumed. What was done
 * is kept, and whoever was not dialled stays a member. `call` is as it has just become. Failures of one run are counted
 * one after another, under its lock: those that come together would not see each other.
 */
export async function tripBreaker(tx: Transaction, call: Call, by: By): Promise<void> {
  if (!call.campaignRunId || !isCarriersFailure(call)) return;
  const here = { workspaceId: { eq: call.workspaceId } };
  const run = await tx.lock(runs, { ...here, id: { eq: call.campaignRunId } });
  if (run?.status !== 'RUNNING' || call.queuedAt < run.resumedAt) return;
  const campaign = await tx.findOne<Campaign>(campaigns, { ...here, id: { eq: run.campaignId } });
  if (!campaign) return;
  const { breakerThreshold } = campaign;
  const before = await tx.query<Call>(sql`
    select k.status, k.ended_reason as "endedReason", k.carrier_code as "carrierCode", k.sid from call k
    where k.workspace_id = ${call.workspaceId} and k.campaign_run_id = ${run.id} and k.id <> ${call.id}
      and k.queued_at >= ${run.resumedAt} and not (k.sid is null and k.status = 'QUEUED')
      and (k.carrier_code is null or k.carrier_code <> all(${aboutNumber}))
      and (k.ended_reason is null or k.ended_reason <> all(${unasked}))
    order by k.queued_at desc limit ${breakerThreshold}`);
  const firstTaken = before.findIndex((earlier) => !isCarriersFailure(earlier));
  const inARow = 1 + (firstTaken === -1 ? before.length : firstTaken);
  if (inARow < breakerThreshold) return;
  const reason = `The carrier failed ${inARow} times in a row, last with ${call.endedReason ?? 'no answer'}.`;
  tx.decide(runs, run, runs.stop(run, reason), by);
}
