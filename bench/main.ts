/**
 * What is claimed about speed, measured: `npm run bench`, or `npm run bench -- NAME... [--rounds N]`. For trying: `--size
 * 0.1` does a tenth of each workload, `--busy` does not wait until the machine is idle. Peers, the product and
 * the raw floor take turns on one machine; README.md beside this file explains each workload.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { report } from './rig/report.ts';
import { openStage } from './rig/stage.ts';
import { takeTurns } from './rig/turns.ts';
import type { Workload } from './rig/workload.ts';
import { append } from './workloads/append.ts';
import { burst } from './workloads/burst.ts';
import { catchUp } from './workloads/catch-up.ts';
import { envelope } from './workloads/envelope.ts';
import { fanOut } from './workloads/fan-out.ts';
import { growth } from './workloads/growth.ts';
import { importing } from './workloads/import.ts';
import { lateness } from './workloads/lateness.ts';
import { live } from './workloads/live.ts';
import { mutation } from './workloads/mutation.ts';
import { pacing } from './workloads/pacing.ts';
import { placed } from './workloads/placed.ts';
import { list, one } from './workloads/reads.ts';

const workloads: readonly Workload[] = [
  lateness,
  placed,
  burst,
  append,
  mutation,
  list,
  one,
  envelope,
  fanOut,
  live,
  pacing,
  catchUp,
  importing,
  growth,
];

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Installs the peers when they are not there yet: nothing else needs them. */
function installPeers(): void {
  const installed = join(import.meta.dirname, 'node_modules', '.package-lock.json');
  const wanted = join(import.meta.dirname, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  say('Installing what is measured against (once, about a minute)');
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: import.meta.dirname,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('The peers could not be installed: npm ci in bench/ says why.');
}

/** Runs a measurement that has no peers: a file beside this one, with the arguments that follow its name. */
function runScript([name, ...given]: string[]): boolean {
  const file = join(import.meta.dirname, `${name}.ts`);
  if (!/^[a-z-]+$/.test(name ?? '') || name === 'main' || !existsSync(file)) return false;
  const { status } = spawnSync(process.execPath, ['--expose-gc', file, ...given], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
  return true;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      size: { type: 'string', default: '1' },
      busy: { type: 'boolean', default: false },
    },
  });
  if (runScript(positionals)) return;
  const rounds = Number(values.rounds);
  const unknown = positionals.filter((name) => !workloads.some((workload) => workload.name === name));
  if (unknown.length > 0 || !(rounds >= 1)) {
    throw new Error(
      `Usage: npm run bench -- [NAME...] [--rounds N]; names: ${workloads.map(({ name }) => name).join(', ')}`,
    );
  }
  const wanted = workloads.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  installPeers();
  const stage = await openStage(say, Number(values.size));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stage.close().finally(() => process.exit(130)));
  try {
    for (const workload of wanted) await measure(workload, { stage, rounds, waits: !values.busy });
  } finally {
    await stage.close();
  }
}

/** One workload from beginning to end. One that fails tells no figure, and does not keep the others from theirs. */
async function measure(workload: Workload, turns: Parameters<typeof takeTurns>[1]): Promise<void> {
  const begun = performance.now();
  say(`\n${workload.name}: ${workload.about}`);
  try {
    report(workload, await takeTurns(workload, turns), say);
  } catch (error) {
    say(`  FAILED: ${(error as Error).message}`);
    process.exitCode = 1;
  }
  await turns.stage.clear();
  say(`  (${Math.round((performance.now() - begun) / 1_000)} s)`);
}

process.setMaxListeners(0); // each process that is started is ended with this one
await main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
process.exit();
