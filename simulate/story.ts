/** What happens in a simulation, drawn from a seed: pure data, so that steps can be left out and the rest stays as it is. */
import { randomOf, type Random } from '../chaos/random.ts';
import type { Treatment } from '../test/support/front.ts';
import { peopleFrom, type Person } from './people.ts';

/** Something that is done, or goes wrong. People, tasks, campaigns and processes are numbers: whatever there is then. */
export type Act =
  | { do: 'schedule'; person: number; task: TaskWish; times: number }
  | { do: 'call'; person: number; times: number }
  | { do: 'text'; person: number }
  | { do: 'hear'; person: number; words: string }
  | { do: 'opt out'; person: number }
  | { do: 'record'; person: number; type: string; times: number }
  | { do: 'reschedule' | 'snooze'; task: number; inMinutes: number }
  | { do: 'cancel'; task: number }
  | { do: 'policy'; perDay: number | null; perWeek: number | null; cooldownMinutes: number }
  | { do: 'pause' | 'activate' | 'run' | 'edit'; campaign: number }
  | { do: 'import' }
  | { do: 'crash'; process: number; pieces: number; isAfter: boolean; downSeconds: number }
  | { do: 'freeze'; process: number; pieces: number; seconds: number }
  | { do: 'carrier'; treatments: Treatment[] }
  | { do: 'callbacks'; fates: ('twice' | 'pass' | { seconds: number })[] }
  | { do: 'wipe the stream' };

/** How a task is wished for. */
interface TaskWish {
  inMinutes: number;
  channel: 'VOICE' | 'TEXT' | null;
  priority: number;
  maxAttempts: number;
  backoffSeconds: number;
  validMinutes: number | null;
  cancelOn: boolean;
}

/** An act, so many milliseconds after the beginning. */
export type Step = Act & { at: number };

/** A simulation that is to be. */
export interface Story {
  seed: number;
  days: number;
  startAt: Date;
  /** How many processes run side by side. */
  processes: number;
  people: Person[];
  campaigns: Record<string, unknown>[];
  steps: Step[];
}

/** Mornings in New York: an ordinary Tuesday, the changes of the clocks, a holiday, the turn of a year. */
const mornings = [
  '2026-03-03T11:00:00Z',
  '2026-03-07T11:00:00Z',
  '2026-10-31T10:00:00Z',
  '2026-07-03T10:00:00Z',
  '2026-12-31T11:00:00Z',
];

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** What is done in a day, how often on average; the rest of the day nobody does anything. */
const stepsPerDay = 26;

/** The story of a seed. */
export function storyOf(seed: number, days: number): Story {
  const random = randomOf(Math.imul(seed, 0x9e3779b1)); // neighbours are strangers
  const startAt = new Date(random.pick(mornings));
  const count = Math.max(4, Math.round(days * stepsPerDay));
  const ats = Array.from({ length: count }, () => instantFrom(random, days)).toSorted((a, b) => a - b);
  return {
    seed,
    days,
    startAt,
    processes: 1 + random.below(2),
    people: peopleFrom(random, 8),
    campaigns: ['Morning', 'Noon'].slice(random.below(2)).map((name) => campaignFrom(random, name)),
    steps: ats.map((at) => ({ at, ...actFrom(random) })),
  };
}

/** Within the hours in which something is done: 6:00 to 20:00 in New York. */
function instantFrom(random: Random, days: number): number {
  const day = random.below(Math.ceil(days));
  const hours = Math.min(14, (days - day) * 24);
  return day * dayMs + random.below(hours * 3600) * 1000;
}

const campaignFrom = (random: Random, name: string) => ({
  name,
  purpose: 'WELLNESS_CHECKUP',
  reason: `Check-up of the ${name}`,
  audience: random.below(2) === 0 ? {} : { tags: ['red'] },
  runAt: random.pick(['09:30', '11:00', '12:15', '15:00']),
  timeZone: random.pick(['America/New_York', 'America/Chicago']),
  maxAttempts: 1 + random.below(3),
  callsPerMinute: random.pick([6, 30]),
  maxConcurrentCalls: 1 + random.below(4),
  breakerThreshold: random.pick([2, 5]),
});

/** What may be done, each as often as its weight. */
const acts: [number, (random: Random) => Act][] = [
  [
    22,
    (random) => ({
      do: 'schedule',
      person: random.below(99),
      task: taskFrom(random),
      times: 1 + random.below(3),
    }),
  ],
  [9, (random) => ({ do: 'call', person: random.below(99), times: 1 + random.below(3) })],
  [5, (random) => ({ do: 'text', person: random.below(99) })],
  [
    5,
    (random) => ({
      do: 'hear',
      person: random.below(99),
      words: random.pick(['STOP', 'START', 'Yes', 'Who is this?']),
    }),
  ],
  [3, (random) => ({ do: 'opt out', person: random.below(99) })],
  [
    8,
    (random) => ({
      do: 'record',
      person: random.below(99),
      type: random.pick(told),
      times: 1 + random.below(2),
    }),
  ],
  [4, (random) => ({ do: 'reschedule', task: random.below(99), inMinutes: 1 + random.below(300) })],
  [3, (random) => ({ do: 'snooze', task: random.below(99), inMinutes: 1 + random.below(300) })],
  [3, (random) => ({ do: 'cancel', task: random.below(99) })],
  [4, policyFrom],
  [3, (random) => ({ do: 'pause', campaign: random.below(9) })],
  [3, (random) => ({ do: 'activate', campaign: random.below(9) })],
  [2, (random) => ({ do: 'run', campaign: random.below(9) })],
  [2, (random) => ({ do: 'edit', campaign: random.below(9) })],
  [2, () => ({ do: 'import' })],
  [
    9,
    (random) => ({
      do: 'crash',
      process: random.below(9),
      pieces: few(random),
      isAfter: random.below(2) === 0,
      downSeconds: random.pick([1, 20, 400]),
    }),
  ],
  [
    6,
    (random) => ({
      do: 'freeze',
      process: random.below(9),
      pieces: few(random),
      seconds: random.pick([4, 8, 40, 1200]),
    }),
  ],
  [
    5,
    (random) => ({
      do: 'carrier',
      treatments: Array.from({ length: 1 + random.below(4) }, () => random.pick(troubles)),
    }),
  ],
  [
    4,
    (random) => ({
      do: 'callbacks',
      fates: Array.from({ length: 2 + random.below(6) }, () => random.pick(fates)),
    }),
  ],
  [1, () => ({ do: 'wipe the stream' })],
];

const told = ['appointment.cancelled', 'lab.result_received', 'appointment.booked'];
const troubles: Treatment[] = ['pass', 429, 503, 'masked', 'cut'];
const fates: ('twice' | 'pass' | { seconds: number })[] = ['pass', 'twice', { seconds: 2 }, { seconds: 45 }];

/** Often one of the next few, sometimes one long after. */
const few = (random: Random): number => 1 + random.below(random.pick([10, 60, 400]));

function actFrom(random: Random): Act {
  let drawn = random.below(acts.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, make] of acts) {
    if (drawn < weight) return make(random);
    drawn -= weight;
  }
  throw new Error('no act was drawn');
}

const taskFrom = (random: Random): TaskWish => ({
  inMinutes: random.pick([0, 0, 0, 5, 90, 600]),
  channel: random.pick(['VOICE', 'VOICE', 'TEXT', null]),
  priority: 1 + random.below(10),
  maxAttempts: 1 + random.below(3),
  backoffSeconds: random.pick([0, 60, 1800]),
  validMinutes: random.pick([null, null, 30, 600]),
  cancelOn: random.below(4) === 0,
});

function policyFrom(random: Random): Act {
  const perDay = random.pick([null, 1, 2, 3]);
  const perWeek = random.pick([null, 2, 5]);
  return { do: 'policy', perDay, perWeek, cooldownMinutes: random.pick([0, 0, 30]) };
}

/** A step in words. */
export const wordsOf = ({ at, ...act }: Step): string =>
  `${String(Math.floor(at / minuteMs)).padStart(5)} min: ${JSON.stringify(act)}`;
