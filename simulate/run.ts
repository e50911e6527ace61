import { sql } from 'kysely';
import { eventually } from '../test/support/eventually.ts';
import { Watch } from './check.ts';
import { Play } from './play.ts';
import { openStage, type Services, type Stage } from './stage.ts';
import { wordsOf, type Step, type Story } from './story.ts';

/** What came of a simulation. */
export interface Outcome {
  story: Story;
  events: number;
  contacts: number;
  /** How often a process died, froze, or lost its stream. */
  upsets: Stage['upsets'];
  /** Each in one line. */
  violations: string[];
  /** After how many steps they were found. */
  steps: number;
  /** Of this process, meanwhile; Postgres has its own. */
  cpuSeconds: number;
}

/** Gives every simulation services of its own. */
export type WithServices = <T>(work: (services: Services) => Promise<T>) => Promise<T>;

/** What is told of what goes wrong on the way. */
type Log = (line: string, error?: unknown) => void;

/** How long it takes at most until all is over once nothing new begins, in turns; a voicemail is given up after an hour. */
const turns = 40;
const turnMs = 600_000;

/** How often a story is told again with something left out, to find a shorter one. */
const shorterAt = 60;

/** Plays a story and looks after it; ends at the first step after which something is not as it must be. */
const simulate = (story: Story, withServices: WithServices, log?: Log): Promise<Outcome> =>
  withServices(async (services) => {
    const stage = await openStage(services, { ...story, ...(log ? { log } : {}) });
    const play = new Play(story, stage);
    const watch = new Watch(story, stage, play);
    const began = process.cpuUsage();
    const outcome = async (violations: string[], steps: number): Promise<Outcome> => {
      const { user, system } = process.cpuUsage(began);
      const found = { contacts: watch.contacts, violations, steps, cpuSeconds: (user + system) / 1e6 };
      return ofStory(story, stage, found);
    };
    let steps = 0;
    try {
      await play.furnish();
      for (const [index, step] of story.steps.entries()) {
        await reach(stage, story, step.at);
        await play.do(step, index);
        await stage.pass(1);
        steps = index + 1;
        await calm(stage);
        const violations = await watch.step();
        if (violations.length > 0) return await outcome(violations, steps);
      }
      await reach(stage, story, story.days * 86_400_000);
      await play.finish();
      await untilOver(stage, play);
      await calm(stage);
      return await outcome(await watch.end(), steps);
    } catch (error) {
      return await outcome([`it could not go on: ${(error as Error).stack ?? String(error)}`], steps);
    } finally {
      await stage.close();
    }
  });

async function ofStory(story: Story, stage: Stage, found: Omit<Outcome, 'story' | 'events' | 'upsets'>) {
  const [counted] = await stage.world.query<{ count: number }>(sql`select count(*)::int as count from event`);
  return { story, ...found, events: counted!.count, upsets: stage.upsets };
}

/** A step comes at its time, or later where one before it took long. */
async function reach({ clock }: Stage, { startAt }: Story, at: number): Promise<void> {
  const time = new Date(startAt.getTime() + at);
  if (time > clock.now()) await clock.advance(time);
}

/** Waits until what has happened has its place in the log and the stream, if anybody is there to see to that. */
async function calm(stage: Stage): Promise<void> {
  for (let times = 0; !stage.process(0) && times < turns; times += 1) await stage.pass(60_000);
  await eventually(async () => {
    const [left] = await stage.world.query<{ count: number }>(sql`select count(*)::int as count from outbox`);
    return left?.count === 0;
  }, 20_000);
}

async function untilOver(stage: Stage, play: Play): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await stage.pass(turnMs);
    const cancelled = await play.cancelWaiting();
    const [open] = await stage.world.query<{ count: number }>(sql`select (
      (select count(*) from outbound_task where status in ('SCHEDULED', 'SNOOZED', 'DISPATCHED', 'RUNNING'))
      + (select count(*) from call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN'))
      + (select count(*) from message where status = 'PENDING')
      + (select count(*) from campaign_run where status not in ('COMPLETED', 'CANCELLED')))::int as count`);
    if (cancelled === 0 && open!.count === 0) return;
  }
}

/** The shortest story that was found which still fails: parts of the steps are left out, half of them at first. */
export async function shorten(
  failed: Outcome,
  withServices: WithServices,
  tell: (line: string) => void,
): Promise<Outcome> {
  let shortest: Outcome = {
    ...failed,
    story: { ...failed.story, steps: failed.story.steps.slice(0, failed.steps) },
  };
  let tries = 0;
  for (
    let size = Math.ceil(shortest.story.steps.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < shortest.story.steps.length && tries < shorterAt;) {
      const kept: Step[] = shortest.story.steps.toSpliced(from, size);
      const outcome = await simulate({ ...shortest.story, steps: kept }, withServices);
      tries += 1;
      if (outcome.violations.length === 0) from += size;
      else {
        shortest = {
          ...outcome,
          story: { ...outcome.story, steps: kept.slice(0, outcome.steps || kept.length) },
        };
        tell(`${shortest.story.steps.length} steps: ${outcome.violations[0]}`);
      }
    }
  }
  return shortest;
}

/** Simulates one after another, in as many lanes as there are services, each with one at a time; ends early once `isEnough`. */
export async function simulateAll(
  stories: Iterable<Story>,
  lanes: readonly WithServices[],
  {
    ended,
    log,
  }: { ended: (outcome: Outcome, withServices: WithServices) => Promise<boolean>; log?: Log | undefined },
): Promise<void> {
  const left = stories[Symbol.iterator]();
  let isEnough = false;
  await Promise.all(
    lanes.map(async (withServices) => {
      for (let next = left.next(); !next.done && !isEnough; next = left.next()) {
        const outcome = await simulate(next.value, withServices, log);
        isEnough = !(await ended(outcome, withServices)) || isEnough;
      }
    }),
  );
}

/** The last line of a simulation. */
export const lastLine = ({ story: { seed, days }, events, contacts, violations }: Outcome): string =>
  `seed ${seed}: ${days} days, ${events} events, ${contacts} contacts, ${violations.length} violations`;

/** A failed simulation, to be read and played again. */
export const told = ({ story, violations }: Outcome): string =>
  [
    `seed ${story.seed}, from ${story.startAt.toISOString()}, ${story.processes} processes`,
    ...story.people.map(
      ({ name, phone, timeZone }) => `  ${name} at ${phone}${timeZone ? `, in ${timeZone}` : ''}`,
    ),
    ...story.campaigns.map((campaign) => `  ${JSON.stringify(campaign)}`),
    ...story.steps.map((step) => `  ${wordsOf(step)}`),
    ...violations.map((violation) => `violation: ${violation}`),
  ].join('\n');
