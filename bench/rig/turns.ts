import { untilIdle } from './idle.ts';
import type { Stage } from './stage.ts';
import type { Contender, Figures, Workload } from './workload.ts';

/** What every contender measured, round by round. */
export type Course = Map<Contender, Figures[]>;

/** Where turns are taken, and how many. */
interface Turns {
  stage: Stage;
  rounds: number;
  /** Whether a turn waits until the machine is mostly idle. */
  waits: boolean;
}

/** Lets everyone take turns; who begins changes from round to round, so that what drifts hits everyone alike. */
export async function takeTurns(workload: Workload, { stage, rounds, waits }: Turns): Promise<Course> {
  const contenders = await workload.open(stage, rounds);
  const course: Course = new Map(contenders.map((contender) => [contender, []]));
  let busy = 0;
  for (let round = workload.warmsUp ? 0 : 1; round <= rounds; round += 1) {
    for (const offset of contenders.keys()) {
      const contender = contenders[(round + offset) % contenders.length]!;
      await stage.settle();
      if (waits && round > 0 && !(await untilIdle())) busy += 1;
      const figures = await contender.turn(round);
      stage.say(`  ${round === 0 ? 'warm-up' : `round ${round}`} ${contender.who}: ${inWords(figures)}`);
      if (round > 0) course.get(contender)!.push(figures);
    }
  }
  if (busy > 0) stage.say(`  The machine was busy with something else at the beginning of ${busy} turns.`);
  return course;
}

const inWords = (figures: Figures): string =>
  Object.entries(figures)
    .map(([name, value]) => `${name} ${shown(value)}`)
    .join(', ');

/** A figure with three significant digits, thousands separated. */
export const shown = (value: number): string =>
  Number.isFinite(value)
    ? (value >= 1_000 ? Math.round(value) : Number(value.toPrecision(3))).toLocaleString('en-US')
    : '-';
