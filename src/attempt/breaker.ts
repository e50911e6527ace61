import { sql } from 'kysely';
import type { Call } from '../domain/call.ts';
import type { Campaign } from '../domain/campaign.ts';
import { table as campaigns } from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import type { By } from '../domain/event.ts';
import type { Transaction } from '../world.ts';

/** Twilio's codes for a refusal of this one number: invalid, unreachable, not permitted, blocked. They say nothing of the carrier. */
const aboutNumber = ['13223', '13224', '21211', '21214', '21215', '21216', '21217', '21610'];

/** Whether the carrier, and not the number or the person, is why this call did not come about. */
const isCarriers = ({ status, endedReason, carrierCode, sid }: Call): boolean =>
  sid === null &&
  (status === 'UNCERTAIN' ||
    endedReason === 'carrier_unavailable' ||
    endedReason === 'never_reached_carrier' ||
    (endedReason?.startsWith('carrier_rejected') === true && !aboutNumber.includes(carrierCode ?? '')));

/**
 * Stops a campaign's run when the carrier has failed so many times in a row since it was begun or resumed. What was done
 * is kept, and whoever was not dialled stays a member. `call` is as it has just become.
 */
export async function tripBreaker(tx: Transaction, call: Call, by: By): Promise<void> {
  if (!call.campaignRunId || !isCarriers(call)) return;
  const here = { workspaceId: { eq: call.workspaceId } };
  const campaign = await tx.findOne<Campaign>(campaigns, { ...here, id: { eq: call.campaignId } });
  if (!campaign) return;
  const { breakerThreshold } = campaign;
  const before = await tx.query<Call>(sql`
    select k.status, k.ended_reason as "endedReason", k.carrier_code as "carrierCode", k.sid from call k
    join campaign_run r on r.workspace_id = k.workspace_id and r.id = k.campaign_run_id
    where k.workspace_id = ${call.workspaceId} and k.campaign_run_id = ${call.campaignRunId} and k.id <> ${call.id}
      and k.queued_at >= r.resumed_at and not (k.sid is null and k.status = 'QUEUED')
      and (k.carrier_code is null or k.carrier_code <> all(${aboutNumber}))
    order by k.queued_at desc limit ${breakerThreshold}`);
  const firstTaken = before.findIndex((earlier) => !isCarriers(earlier));
  const inARow = 1 + (firstTaken === -1 ? before.length : firstTaken);
  if (inARow < breakerThreshold) return;
  const run = await tx.lock(runs, { ...here, id: { eq: call.campaignRunId } });
  const reason = `The carrier failed ${inARow} times in a row, last with ${call.endedReason ?? 'no answer'}.`;
  if (run) tx.decide(runs, run, runs.stop(run, reason), by);
}
