/** How a run would go, played call by call: what a preview tells is reckoned here. */
import { openingOf, type TimeQuestion } from './hours.ts';

/** People of whom the clock is asked the same, and who are called from the same one of our numbers. */
export interface Group {
  question: TimeQuestion;
  number: string;
  /** Which places in line they have, in order. */
  places: number[];
}

/** What a run's calls have to keep to; instants and times in milliseconds. */
export interface Pace {
  now: number;
  /** Nobody is called at or after this instant. */
  end: number;
  /** Between two calls of the run. */
  stepMs: number;
  /** How many calls may be under way at once. */
  lines: number;
  /** For how long a call holds its line. */
  callMs: number;
  /** Between two calls from one of our numbers. */
  numberMs: number;
}

interface OurNumber {
  /** From when on it may call. */
  freeAt: number;
}

/** A group on its way. */
interface Line {
  group: Group;
  /** The time in which it may be called, now or next; null: none is left. */
  opening: ReturnType<typeof openingOf>;
  /** How many of it have been called. */
  called: number;
  number: OurNumber;
}

/** A call that may be made next. */
interface Next {
  line: Line;
  at: number;
  /** Since when it waits. */
  since: number;
  place: number;
}

/** When each call would begin, in order: who has waited longest is called first, as soon as everything has room. */
export function play(groups: Group[], pace: Pace): number[] {
  const times: number[] = [];
  const numbers = new Map<string, OurNumber>(groups.map(({ number }) => [number, { freeAt: pace.now }]));
  const lines = groups.map((group): Line => ({
    group,
    opening: openingOf(group.question),
    called: 0,
    number: numbers.get(group.number)!,
  }));
  for (;;) {
    const free = Math.max(
      pace.now,
      (times.at(-1) ?? -Infinity) + pace.stepMs,
      (times.at(-pace.lines) ?? -Infinity) + pace.callMs,
    );
    let first: Next | null = null;
    for (const line of lines) {
      const next = nextOf(line, free, pace);
      if (next && (!first || isBefore(next, first))) first = next;
    }
    if (!first) return times;
    times.push(first.at);
    first.line.number.freeAt = first.at + pace.numberMs;
    first.line.called += 1;
  }
}

/** The next call of a group, from an instant on; null: there is none. What the play has passed is forgotten. */
function nextOf(line: Line, free: number, { end }: Pace): Next | null {
  const { group, number, called } = line;
  const place = group.places[called];
  if (place === undefined || !line.opening) return null;
  const from = Math.max(free, number.freeAt);
  while (line.opening && line.opening.until <= from)
    line.opening = openingOf({ ...group.question, now: new Date(from) });
  const at = line.opening ? Math.max(from, line.opening.from) : Infinity;
  if (!line.opening || at >= end) {
    line.opening = null;
    return null;
  }
  return { line, at, since: line.opening.from, place };
}

const isBefore = (one: Next, other: Next): boolean =>
  (one.at - other.at || one.since - other.since || one.place - other.place) < 0;
