import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../src/embedded/postgres.ts';
import { openWorld } from '../src/world.ts';
import { lastLine, shorten, simulateAll, told } from './run.ts';
import { openLanes, query } from './services.ts';
import { storyOf } from './story.ts';

/**
 * Simulates: `npm run simulate -- --seed 7 --days 3`, or `--seeds 1..1000`. Exits with 1 when an invariant did not hold.
 * `--lanes`: how many at once. `--bail`: ends with the first that fails. `--whole`: tells it as it is, and looks for none
 * that is shorter. `--verbose`: tells what the processes log.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    days: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '1' },
    bail: { type: 'boolean', default: false },
    whole: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);
const [first = 1, last = first] = (values.seeds ?? values.seed).split('..').map(Number);
const tell = (line: string, error?: unknown) =>
  say(`  ${line}${error ? `: ${(error as Error).message}` : ''}`);

const dataDir = mkdtempSync(join(tmpdir(), 'callwell-simulate-'));
chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const postgres = await startPostgres({ dataDir, log: () => {} });
try {
  // Commits survive every process here; no simulation pulls the machine's plug.
  for (const setting of ['fsync', 'full_page_writes'])
    await query(postgres.url, `alter system set ${setting} = off`);
  await query(postgres.url, 'select pg_reload_conf()');
  await query(postgres.url, 'create database simulations');
  const world = await openWorld({
    databaseUrl: Object.assign(new URL(postgres.url), { pathname: '/simulations' }).href,
  });
  await world.migrate();
  await world.close();
  const { lanes, close } = await openLanes(Number(values.lanes), {
    postgresUrl: postgres.url,
    template: 'simulations',
  });
  await simulateAll(stories(), lanes, {
    log: values.verbose ? tell : undefined,
    ended: async (outcome, withServices) => {
      const { steps, upsets, cpuSeconds } = outcome;
      const { crashes, freezes, wipes } = upsets;
      say(
        `${steps} steps, ${crashes} crashes, ${freezes} freezes, ${wipes} wipes, ${cpuSeconds.toFixed(1)} s of CPU`,
      );
      const isWell = outcome.violations.length === 0;
      if (!isWell) {
        process.exitCode = 1;
        say(told(values.whole ? outcome : await shorten(outcome, withServices, say)));
      }
      say(lastLine(outcome));
      return isWell || !values.bail;
    },
  });
  await close();
} finally {
  await postgres.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

function* stories() {
  for (let seed = first; seed <= last; seed += 1) yield storyOf(seed, Number(values.days));
}
