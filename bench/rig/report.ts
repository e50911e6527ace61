import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './statistics.ts';
import { shown, type Course } from './turns.ts';
import { product, type Goal, type Measure, type Workload } from './workload.ts';

/** What somebody reached. */
interface Row {
  who: string;
  version: string;
  min: number;
  median: number;
  max: number;
}

/** A goal in words, and whether it was reached; null: there was nobody to compare with. */
interface Verdict {
  goal: string;
  met: boolean | null;
}

/** What `bench/results/NAME.json` holds for each measure. */
interface Result {
  name: string;
  unit: string;
  rows: Row[];
  /** How many times better the product is than the one it is measured against; null: nobody took part. */
  ratio: number | null;
  atLeast: Verdict | null;
  aim: Verdict | null;
}

/** Prints what was measured, and keeps it: the first measure, the others below `others`. Answers whether each at-least was met. */
export function report(workload: Workload, course: Course, say: (line: string) => void): boolean {
  const results = workload.measures.map((measure) => resultOf(measure, course));
  for (const [index, result] of results.entries()) print(result, workload.measures[index]!, say);
  const [first, ...others] = results;
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  const kept = {
    ...first,
    name: workload.name,
    measure: first!.name,
    measuredAt: new Date().toISOString(),
    others,
  };
  writeFileSync(join(folder, `${workload.name}.json`), `${JSON.stringify(kept, null, 2)}\n`);
  return results.every(({ atLeast }) => atLeast?.met !== false);
}

function resultOf(measure: Measure, course: Course): Result {
  const rows = [...course].flatMap(([{ who, version }, turns]) => {
    const values = turns.flatMap((figures) => figures[measure.name] ?? []).filter(Number.isFinite);
    return values.length === 0
      ? []
      : [{ who, version, min: Math.min(...values), median: median(values), max: Math.max(...values) }];
  });
  const ours = rows.find(({ who }) => who === product)?.median;
  const theirs = bestOf(measure, rows, measure.against);
  const [better, worse] = measure.better === 'more' ? [ours, theirs] : [theirs, ours];
  const ratio = better === undefined || worse === undefined || worse === 0 ? null : better / worse;
  const judge = (goal: Goal | undefined) => (goal ? judged(measure, goal, rows, ours) : null);
  return {
    name: measure.name,
    unit: measure.unit,
    rows,
    ratio,
    atLeast: judge(measure.atLeast),
    aim: judge(measure.aim),
  };
}

/** The best median of some contenders. */
function bestOf({ better }: Measure, rows: readonly Row[], who: readonly string[]): number | undefined {
  const medians = rows.filter((row) => who.includes(row.who)).map((row) => row.median);
  if (medians.length === 0) return undefined;
  return better === 'more' ? Math.max(...medians) : Math.min(...medians);
}

function judged(measure: Measure, goal: Goal, rows: readonly Row[], ours: number | undefined): Verdict {
  const sign = measure.better === 'more' ? '≥' : '≤';
  const theirs = 'value' in goal ? goal.value : bestOf(measure, rows, goal.of);
  const limit = 'value' in goal ? goal.value : theirs === undefined ? undefined : theirs * goal.times;
  const met =
    limit === undefined || ours === undefined
      ? null
      : measure.better === 'more'
        ? ours >= limit
        : ours <= limit;
  const words = 'value' in goal ? `${goal.value} ${measure.unit}` : `${goal.times} × ${goal.of.join(' or ')}`;
  return { goal: `${sign} ${words}`, met };
}

function print(result: Result, measure: Measure, say: (line: string) => void): void {
  say(`\n  ${result.name}, ${result.unit} (${measure.better} is better)`);
  const width = Math.max(12, ...result.rows.map(({ who, version }) => who.length + version.length + 1));
  say(`  ${''.padEnd(width)} ${['min', 'median', 'max'].map((head) => head.padStart(11)).join(' ')}`);
  for (const { who, version, min, median, max } of result.rows) {
    const figures = [min, median, max].map((value) => shown(value).padStart(11)).join(' ');
    say(`  ${`${who} ${version}`.padEnd(width)} ${figures}`);
  }
  const { ratio, atLeast, aim } = result;
  if (ratio !== null) say(`  ${product} is ${shown(ratio)} times as good as ${measure.against.join(' or ')}`);
  for (const [name, verdict] of [
    ['at least', atLeast],
    ['aim', aim],
  ] as const) {
    if (verdict)
      say(
        `  ${name} ${verdict.goal}: ${verdict.met === null ? 'nobody to compare with' : verdict.met ? 'met' : 'MISSED'}`,
      );
  }
}
