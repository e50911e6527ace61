import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../src/embedded/postgres.ts';
import { areaCodes } from './load.ts';
import { runChaos } from './run.ts';

/** Runs the large chaos: `npm run chaos -- --tasks 500 --members 120 --minutes 4 --seed 7 --logs FILE`. Exits with 1 when a promise was broken. */
const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '5000' },
    members: { type: 'string', default: '600' },
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    logs: { type: 'string' },
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);
const tasks = Number(values.tasks);
const dataDir = mkdtempSync(join(tmpdir(), 'callwell-chaos-'));
chmodSync(dataDir, 0o755); // as root Postgres runs as somebody else, who must get there
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const postgres = await startPostgres({ dataDir, log: () => {} });
try {
  const { attempts, members, trips, kills, violations, statuses } = await runChaos({
    databaseUrl: postgres.url,
    tasks,
    members: Number(values.members),
    seed: Number(values.seed),
    roles: ['api', 'api', 'worker', 'worker', 'worker'],
    areas: areaCodes,
    maxAttempts: 3,
    mostKills: Infinity,
    natsKillsAt: [4_000, 20_000],
    databaseCrashAt: 12_000,
    withinMs: Number(values.minutes) * 60_000,
    tell: say,
    logFile: values.logs,
  });
  for (const violation of violations) say(violation);
  say(JSON.stringify(statuses));
  say(
    `${tasks} tasks, ${attempts} attempts, ${members} of them at members of campaigns, ${trips} runs stopped`,
  );
  say(`${kills} kills: ${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
} finally {
  await postgres.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
