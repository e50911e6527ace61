import { openCampaigns, type Campaigns } from '../../src/campaign.ts';
import type { Attempts } from '../../src/attempt.ts';
import * as calls from '../../src/domain/call.ts';
import type { Call } from '../../src/domain/call.ts';
import { hear } from '../../src/domain/call-progress.ts';
import type { Settings } from '../../src/domain/campaign.ts';
import * as runs from '../../src/domain/campaign-run.ts';
import type { CampaignRun } from '../../src/domain/campaign-run.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask } from '../../src/domain/task.ts';
import { followRuns } from '../../src/jobs/follow-runs.ts';
import { runCampaigns } from '../../src/jobs/run-campaigns.ts';
import { openRegistry } from '../../src/registry.ts';
import type { World } from '../../src/world.ts';
import { withClinic, type Clinic } from './clinic.ts';

/** What a campaign is told when a test says nothing else: at 14:00 in New York, when a clinic's clock begins. */
export const anyCampaign: Settings = {
  name: 'Flu shots',
  purpose: 'WELLNESS_CHECKUP',
  reason: 'Offer a flu shot',
  goal: null,
  priority: 5,
  runAt: '14:00',
  timeZone: 'America/New_York',
  audience: { facts: {}, sourceSystems: [], tags: [] },
  allowlist: [],
  maxAttempts: 3,
  cooldownHours: 20,
  callsPerMinute: 600,
  maxConcurrentCalls: 1_000,
  breakerThreshold: 5,
  serviceId: null,
};

/** A clinic that runs campaigns, with one number of ours that may call so often in a minute. */
export interface CampaignClinic extends Clinic {
  keeper: Campaigns;
  /** Creates a campaign and lets it run daily; answers its id. */
  campaign(settings?: Partial<Settings>): Promise<string>;
  /** A new patient at each of these numbers, with a tag; answers the numbers. */
  people(phones: string[], tag?: string): Promise<string[]>;
  runsOf(campaignId: string): Promise<CampaignRun[]>;
  /** The newest run of a campaign. */
  runOf(campaignId: string): Promise<CampaignRun>;
  membersOf(campaignId: string): Promise<OutboundTask[]>;
  /** What the jobs do at every tick: begins runs, feeds and ends them. */
  tick(on?: World): Promise<void>;
  /** Ends every call that is under way and has lasted so long, as the carrier would tell it. */
  endCalls(lastedMs?: number, status?: string): Promise<number>;
  /**
   * Lets so many seconds go by: at each of them the jobs tick, whoever dispatches does so until nothing is left to
   * claim, and calls that have lasted for `callMs` end. `each` is told once a second.
   */
  seconds(count: number, given?: Going): Promise<void>;
}

/** How time goes by. */
interface Going {
  by?: Attempts[];
  callMs?: number;
  status?: string;
  each?: (second: number) => Promise<unknown> | void;
}

/** A clinic with campaigns on a fresh database, for the length of `work`. */
export const withCampaigns = <T>(
  work: (clinic: CampaignClinic) => Promise<T>,
  limits: { callsPerMinute?: number; callsPerSecond?: number } = {},
): Promise<T> => withClinic((clinic) => work(campaignsOf(clinic, limits)), limits);

function campaignsOf(
  clinic: Clinic,
  { callsPerMinute = 10_000, callsPerSecond = 10_000 }: { callsPerMinute?: number; callsPerSecond?: number },
): CampaignClinic {
  const { world, workspaceId, by, clock } = clinic;
  const keeperOn = (on: World) => openCampaigns({ world: on, callsPerMinute, callsPerSecond });
  const keeper = keeperOn(world);
  const registry = openRegistry({ world });
  const here = { workspaceId: { eq: workspaceId } };
  const log = (line: string, error?: unknown) => {
    throw new Error(line, { cause: error });
  };

  async function tick(on = world): Promise<void> {
    await runCampaigns({ world: on, campaigns: keeperOn(on), log }, clock.now());
    await followRuns({ world: on, log }, clock.now());
  }

  async function endCalls(lastedMs = 0, status = 'completed'): Promise<number> {
    const before = clock.now().getTime() - lastedMs;
    const where = { ...here, status: { in: ['QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN'] } };
    const open = (await world.find<Call>(calls.table, where)).filter(
      ({ sid, queuedAt }) => sid && queuedAt.getTime() <= before,
    );
    for (const call of open) {
      const heard = { sid: call.sid!, status, at: clock.now(), via: 'callback' as const };
      await clinic.attempts.record(call, (current) => hear(current, heard), by());
    }
    return open.length;
  }

  /** As a dispatcher does: nothing is claimed before something is due. */
  async function dispatchAll(by: Attempts[]): Promise<void> {
    for (;;) {
      const next = await by[0]?.nextDueAt();
      if (!next || next > clock.now()) return;
      const rounds = await Promise.all(by.map((attempts) => clinic.dispatch(attempts)));
      if (rounds.every(({ dispatched, blocked }) => dispatched.length + blocked === 0)) return;
    }
  }

  const runsOf = async (campaignId: string) =>
    (await world.find<CampaignRun>(runs.table, { ...here, campaignId: { eq: campaignId } })).toSorted(
      (a, b) => (a.id < b.id ? -1 : 1),
    );

  return {
    ...clinic,
    keeper,
    tick,
    endCalls,
    runsOf,
    runOf: async (campaignId) => (await runsOf(campaignId)).at(-1)!,
    membersOf: (campaignId) =>
      world.find<OutboundTask>(tasks.table, { ...here, campaignId: { eq: campaignId } }),
    campaign: async (settings = {}) => {
      const { id } = await keeper.createCampaign({ ...anyCampaign, ...settings }, null, by());
      await keeper.activateCampaign(id, by());
      return id;
    },
    people: async (phones, tag) => {
      for (const phone of phones) {
        const attributes = { name: `Ada of ${phone}`, phone };
        await registry.state({ attributes, source: 'ehr', tags: tag ? [tag] : [] }, by());
      }
      return phones;
    },
    seconds: async (count, { by: attempts = [clinic.attempts], callMs = 0, status, each } = {}) => {
      for (let second = 0; second < count; second += 1) {
        await tick();
        await dispatchAll(attempts);
        if (callMs > 0) await endCalls(callMs, status);
        await each?.(second);
        clock.advance(1_000);
      }
    },
  };
}
