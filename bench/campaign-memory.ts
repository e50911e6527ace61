import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCampaigns } from '../src/campaign.ts';
import { hear } from '../src/domain/call-progress.ts';
import * as runs from '../src/domain/campaign-run.ts';
import type { CampaignRun } from '../src/domain/campaign-run.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import { followRuns } from '../src/jobs/follow-runs.ts';
import { openWorld } from '../src/world.ts';
import { openClinic, sidOf, type Clinic } from '../test/jobs/clinic.ts';
import { addCampaign, crowd } from '../test/jobs/crowd.ts';

/**
 * Memory of one process that runs a campaign of 50,000 members from selection to the last call, with a carrier that
 * remembers nothing: `npm run bench -- campaign-memory`. Exits with 1 when the heap grows with the members who are done: when
 * the median of the last third is more than 1.2 times the middle third's. Its figures are of this machine.
 */
const most = 1.2;

/** Of these patients 50,016 are members: the others are test records, want no calls, or have opted out. */
const patients = 52_100;

/** How many members are called between two samples; a tenth of the samples is printed. */
const everyMembers = 1_000;

/** Faster than campaigns may be, so that it takes minutes; no more members are ready for that. */
const pace = { callsPerMinute: 6_000, maxConcurrentCalls: 1_000 };
const limits = { callsPerMinute: 1_000_000, callsPerSecond: 1_000_000 };

/** How calls end, by turns. */
const endings = ['completed', 'busy', 'no-answer', 'failed'];

/** What is in use once garbage is collected, in megabytes. */
interface Sample {
  members: number;
  heap: number;
  rss: number;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const collect = globalThis.gc;
if (!collect) throw new Error('Start it with --expose-gc.');

function sample(members: number): Sample {
  collect!();
  collect!();
  const { heapUsed, rss } = process.memoryUsage();
  const taken = { members, heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 };
  if (members % (10 * everyMembers) === 0) tell(taken);
  return taken;
}

const tell = ({ members, heap, rss }: Sample) =>
  say(`${String(members).padStart(8)} ${heap.toFixed(1).padStart(10)} ${rss.toFixed(1).padStart(10)}`);

/** A second: members become tasks, tasks calls, and calls end. Answers how many ended. */
async function second({ world, clock, carrier, attempts, by, dispatch }: Clinic): Promise<number> {
  clock.advance(1_000);
  await followRuns({ world, log: say }, clock.now());
  let ended = 0;
  for (;;) {
    const { dispatched } = await dispatch();
    if (dispatched.length === 0) return ended;
    await Promise.all(
      dispatched.map(({ call: placed }, index) => {
        const call = placed!;
        const heard = { sid: sidOf({ callId: call.id }), at: clock.now(), via: 'callback' as const };
        const status = endings[index % endings.length]!;
        return attempts.record(call, (current) => hear(current, { ...heard, status }), by());
      }),
    );
    ended += dispatched.length;
    carrier.orders.length = 0;
  }
}

/** Runs the campaign to its end. */
async function measure(clinic: Clinic): Promise<Sample[]> {
  const { world, workspaceId, by } = clinic;
  await crowd(world, workspaceId, patients);
  const campaign = await addCampaign(clinic, pace);
  const keeper = openCampaigns({ world, ...limits });
  say(` members  heap in MB   rss in MB`);
  const samples = [sample(0)];
  const begun = performance.now();
  const run = (await keeper.runDay(campaign, '2026-03-03', by()))!;
  const selectedMs = performance.now() - begun;
  let members = 0;
  while (members < run.eligible) {
    const ended = await second(clinic);
    if (ended === 0 && (await stateOf(clinic, run)).status !== 'RUNNING') break;
    const before = members;
    members += ended;
    const passed = Math.floor(members / everyMembers);
    if (passed > Math.floor(before / everyMembers)) samples.push(sample(passed * everyMembers));
  }
  await second(clinic);
  const { status, counts } = await stateOf(clinic, run);
  say(`selected in ${Math.round(selectedMs)} ms, all in ${Math.round((performance.now() - begun) / 1000)} s`);
  say(`${members} of ${run.eligible} members were called; the run is ${status}: ${JSON.stringify(counts)}`);
  if (status !== 'COMPLETED' || members < run.eligible) throw new Error('The run did not come to its end.');
  return samples;
}

const stateOf = async ({ world }: Clinic, { id }: CampaignRun): Promise<CampaignRun> =>
  (await world.findOne<CampaignRun>(runs.table, { id: { eq: id } }))!;

function medianOf(samples: Sample[]): number {
  const heaps = samples.map(({ heap }) => heap).toSorted((a, b) => a - b);
  return heaps[Math.floor(heaps.length / 2)]!;
}

const dataDir = mkdtempSync(join(tmpdir(), 'callwell-memory-'));
chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const postgres = await startPostgres({ dataDir, log: () => {} });
const world = await openWorld({ databaseUrl: postgres.url });
try {
  await world.migrate();
  const clinic = await openClinic({ world, databaseUrl: postgres.url, limits });
  const samples = await measure(clinic);
  const third = Math.floor(samples.length / 3);
  const [middle, last] = [medianOf(samples.slice(third, 2 * third)), medianOf(samples.slice(2 * third))];
  say(
    `median heap of the middle third ${middle.toFixed(1)} MB, of the last ${last.toFixed(1)} MB: ${(last / middle).toFixed(2)} times as much`,
  );
  process.exitCode = last > most * middle ? 1 : 0;
} finally {
  await world.close();
  await postgres.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
