import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { createVitest } from 'vitest/node';
import { randomOf } from '../chaos/random.ts';
import { mutantsOf, type Mutant } from './mutants.ts';

/**
 * Tries out whether the rules' tests die of what is wrong with the rules: `npm run mutate`, or `-- --only gate --only caps`,
 * or `-- --sample 200 --seed 1`. In a copy of the project each mutant is put into its file of src/domain, and the
 * tests of test/domain that read the file are run. Tells every mutant that survives, and at the end the share that was killed.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** A test that never ends is one that died, in milliseconds. */
const testTimeout = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'callwell-mutate-'));
for (const part of ['src', 'test', 'package.json', 'chaos'])
  cpSync(part, join(folder, part), { recursive: true });
symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const names = (under: string, ending: string) =>
  readdirSync(join(folder, under))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${under}/${name}`);

/** Every file that one imports, and those that they import. */
function closureOf(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, path] of read(file).matchAll(/from '(\.[^']+)'/g))
    closureOf(normalize(join(dirname(file), path!)), seen);
  return seen;
}

const tests = names('test/domain', '.test.ts').map((file) => ({ file, reads: closureOf(file) }));

/** The tests that read a file: its namesake first, because it is the likeliest to die. */
const testsOf = (file: string): string[] => {
  const name = file.replace('src/', 'test/').replace('.ts', '.test.ts');
  const reading = tests.filter(({ reads }) => reads.has(file)).map((test) => test.file);
  return reading.toSorted((a, b) => Number(b === name) - Number(a === name));
};

const isWanted = (file: string) =>
  values.only.length === 0 || values.only.some((name) => file === `src/domain/${name}.ts`);
const all = names('src/domain', '.ts')
  .filter(isWanted)
  .flatMap((file) => mutantsOf(file, read(file)).map((mutant) => ({ file, ...mutant })));

function sampled<T>(list: readonly T[]): T[] {
  const random = randomOf(Number(values.seed));
  const left = [...list];
  const count = Math.min(left.length, Number(values.sample ?? left.length));
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)[0]!);
}

const vitest = await createVitest('test', {
  root: folder,
  config: false,
  watch: false,
  pool: 'forks',
  maxWorkers: 2,
  bail: 1,
  testTimeout,
  include: ['test/domain/*.test.ts'],
  reporters: [{}],
  experimental: { viteModuleRunner: false },
});

const specifications = await vitest.globTestSpecifications();

/** Runs these tests; whether all of them passed. */
async function pass(files: readonly string[], isTold = false): Promise<boolean> {
  const wanted = specifications.filter(({ moduleId }) => files.includes(moduleId.slice(folder.length + 1)));
  if (wanted.length !== files.length) throw new Error(`${files.join(', ')} are not all there`);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(wanted);
  if (isTold)
    for (const module of testModules)
      for (const { message } of [
        ...module.errors(),
        ...[...module.children.allTests('failed')].flatMap((t) => t.result().errors ?? []),
      ])
        say(`${module.moduleId}: ${message}`);
  return unhandledErrors.length === 0 && testModules.length > 0 && testModules.every((module) => module.ok());
}

/** Whether the tests that read the file die of this mutant. */
async function isKilled(mutant: Mutant & { file: string }): Promise<boolean> {
  const source = read(mutant.file);
  writeFileSync(
    join(folder, mutant.file),
    source.slice(0, mutant.start) + mutant.text + source.slice(mutant.end),
  );
  try {
    for (const test of chunked(testsOf(mutant.file))) {
      if (!(await pass(test))) return true;
    }
    return false;
  } finally {
    writeFileSync(join(folder, mutant.file), source);
  }
}

/** The namesake alone, then all others. */
const chunked = ([first, ...others]: string[]): string[][] =>
  [first ? [first] : [], others].filter((chunk) => chunk.length > 0);

const lineOf = ({ file, start }: Mutant & { file: string }) => read(file).slice(0, start).split('\n').length;

if (
  !(await pass(
    tests.map(({ file }) => file),
    true,
  ))
)
  throw new Error('the tests fail without any mutant');
const scores = new Map<string, { killed: number; all: number }>();
const mutants = sampled(all);
say(`${mutants.length} of ${all.length} mutants`);
for (const mutant of mutants) {
  const score = scores.get(mutant.file) ?? { killed: 0, all: 0 };
  scores.set(mutant.file, score);
  score.all += 1;
  if (await isKilled(mutant)) score.killed += 1;
  else say(`survives: ${mutant.file}:${lineOf(mutant)}: ${mutant.name}`);
}
await vitest.close();
for (const [file, { killed, all }] of [...scores].toSorted(([one], [other]) => one.localeCompare(other)))
  say(`${file}: ${killed} of ${all}`);
const killed = [...scores.values()].reduce((sum, score) => sum + score.killed, 0);
const percent = Math.round((100 * killed) / Math.max(1, mutants.length));
say(`${killed} of ${mutants.length} mutants killed: ${percent} %`);
process.exitCode = percent < 85 ? 1 : 0;
process.exit();
