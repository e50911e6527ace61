/**
 * `npm run nightly`: every story that is told at full length on demand, and the large chaos, one after another. Says how
 * it goes, shows what a step said when it failed, and ends with one line: what was proved, or what was not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One thing that is run. */
interface Step {
  name: string;
  args: string[];
}

const root = join(import.meta.dirname, '..');

/** Whoever asks how far to go has more to tell, so that no list of them can be forgotten. */
const stories: Step[] = globSync('test/**/*.test.ts', { cwd: root })
  .filter((file) => readFileSync(join(root, file), 'utf8').includes('/exhaustive.ts'))
  .toSorted()
  .map((file) => ({ name: file, args: ['node_modules/vitest/vitest.mjs', 'run', file] }));

const steps: Step[] = [
  ...stories,
  { name: 'chaos', args: ['chaos/main.ts'] },
  { name: 'simulate', args: ['simulate/main.ts', '--seeds', '1..1000', '--days', '3', '--lanes', '3'] },
  { name: 'mutate', args: ['mutate/main.ts'] },
];

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Runs a step; answers what it said, and whether it went well. */
async function run({ args }: Step): Promise<{ isWell: boolean; said: string }> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, EXHAUSTIVE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => (said += piece.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { isWell: code === 0, said };
}

const minutesSince = (began: number): string => `${((performance.now() - began) / 60_000).toFixed(1)} min`;

const began = performance.now();
const failed: string[] = [];
for (const [index, step] of steps.entries()) {
  const stepBegan = performance.now();
  say(`${index + 1} of ${steps.length}: ${step.name}`);
  const { isWell, said } = await run(step);
  if (!isWell) failed.push(step.name);
  say(
    isWell ? `  well after ${minutesSince(stepBegan)}` : `${said}\n  FAILED after ${minutesSince(stepBegan)}`,
  );
}
say(
  failed.length === 0
    ? `nightly: all ${steps.length} went well in ${minutesSince(began)}`
    : `nightly: ${failed.length} of ${steps.length} FAILED: ${failed.join(', ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
