import type { RunningClock } from '../clock.ts';
import type { Notice } from '../world/log.ts';
import type { World } from '../world.ts';
import { awaitedTypes, match } from './match.ts';
import { begin, perform, putOff } from './perform.ts';
import { giveBack, isPassing, nextDueAt, type Claim } from './queue.ts';
import { nextTickAt, tick } from './tick.ts';

/** What running needs. */
interface Tools {
  world: World;
  clock: Pick<RunningClock, 'now' | 'busy'>;
  log: (line: string, error?: unknown) => void;
}

/** Runs what is queued. Any process may: each run is claimed by one of them, and begun anew when that one dies. */
export function openRunner({ world, clock, log }: Tools) {
  let running: Promise<number> | null = null;
  let isWanted = false;
  const stopping = new AbortController();

  /** Does everything that is due; answers how many runs it were. One at a time: who comes meanwhile shares it. */
  function run(): Promise<number> {
    if (stopping.signal.aborted) return running ?? Promise.resolve(0);
    isWanted = true;
    running ??= clock.busy(rounds()).finally(() => {
      running = null;
    });
    return running;
  }

  async function rounds(): Promise<number> {
    let count = 0;
    while (isWanted && !stopping.signal.aborted) {
      isWanted = false;
      const next = await nextDueAt(world);
      if (!next || next > clock.now()) continue; // who wants more meanwhile is served all the same
      await giveBack(world, clock.now());
      const claims = await begin(world, clock.now());
      for (const claim of claims) count += await attempt(claim);
      if (claims.length > 0) isWanted = true;
    }
    return count;
  }

  async function attempt(claim: Claim): Promise<number> {
    try {
      return await perform(world, claim, clock.now());
    } catch (error) {
      if (claim.runs.length > 1 && !isPassing(error)) return oneByOne(claim);
      log(`${claim.runs.length} runs of trigger ${claim.trigger.id} could not be finished`, error);
      return putOff(world, claim, error, clock.now());
    }
  }

  /** One run that cannot be made holds up none of the others. */
  async function oneByOne({ trigger, runs }: Claim): Promise<number> {
    let count = 0;
    for (const one of runs) count += await attempt({ trigger, runs: [one] });
    return count;
  }

  return {
    run,
    /** Does what is due without being waited for. */
    wake: () => void run().catch((error: unknown) => log('runs are left to the next tick', error)),
    nextRunAt: () => nextDueAt(world),
    /** Fires schedules whose time has come; answers how many. */
    async tick(): Promise<number> {
      const next = await nextTickAt(world);
      if (!next || next > clock.now()) return 0;
      const fired = await tick(world, clock.now());
      if (fired > 0) await run();
      return fired;
    },
    nextTickAt: () => nextTickAt(world),
    awaitedTypes: () => awaitedTypes(world),
    async match(notices: Notice[]): Promise<void> {
      if ((await match(world, notices, clock.now())) > 0) await run();
    },
    /** Begins nothing more, and resolves when what is under way is done. */
    async stop(): Promise<void> {
      stopping.abort();
      await running?.catch(() => {});
    },
  };
}
