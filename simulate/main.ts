import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startNats } from '../src/embedded/nats.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import { openWorld } from '../src/world.ts';
import { lastLine, shorten, simulate, told, type WithServices } from './run.ts';
import { storyOf } from './story.ts';

/** Simulates: `npm run simulate -- --seed 7 --days 3`, or `--seeds 1..1000`. Exits with 1 when an invariant did not hold. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    days: { type: 'string', default: '1' },
    /** Tells what the processes log. */
    verbose: { type: 'boolean', default: false },
    /** A failure is told as it is, and not made shorter. */
    whole: { type: 'boolean', default: false },
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);
const days = Number(values.days);
const [first, last] = (values.seeds ?? values.seed ?? '1').split('..').map(Number);
const log = values.verbose
  ? (line: string, error?: unknown) => say(`  ${line}${error ? `: ${(error as Error).message}` : ''}`)
  : undefined;

const dataDir = mkdtempSync(join(tmpdir(), 'callwell-simulate-'));
chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const postgres = await startPostgres({ dataDir, log: () => {} });
const nats = await startNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
try {
  const withServices = await openServices();
  let failures = 0;
  for (let seed = first!; seed <= (last ?? first!); seed += 1) {
    const began = cpuSeconds();
    const outcome = await simulate(storyOf(seed, days), withServices, log);
    const cpu = (cpuSeconds() - began).toFixed(1);
    const { crashes, freezes, wipes } = outcome.upsets;
    say(
      `${outcome.steps} steps, ${crashes} crashes, ${freezes} freezes, ${wipes} wipes, ${cpu} CPU seconds here`,
    );
    if (outcome.violations.length > 0) {
      failures += 1;
      say(told(values.whole ? outcome : await shorten(outcome, withServices, say)));
    }
    say(lastLine(outcome));
  }
  process.exitCode = failures > 0 ? 1 : 0;
} finally {
  await nats.stop();
  await postgres.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

/** Each simulation begins with a copy of an empty, migrated database. */
async function openServices(): Promise<WithServices> {
  const named = (name: string) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href;
  // Commits survive every process here; no simulation pulls the machine's plug.
  for (const setting of ['fsync', 'full_page_writes']) await query(`alter system set ${setting} = off`);
  await query('select pg_reload_conf()');
  await query('create database template');
  const world = await openWorld({ databaseUrl: named('template') });
  await world.migrate();
  await world.close();
  return async (work) => {
    await query('create database simulation template template');
    try {
      return await work({ databaseUrl: named('simulation'), natsUrl: nats.url });
    } finally {
      await query('drop database simulation with (force)');
    }
  };
}

async function query(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}
