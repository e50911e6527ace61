import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { v7 } from 'uuid';

/** The one source of time. Decisions are given `now`; whoever must ask, asks this. */
export interface Clock {
  now(): Date;
}

/** What has things due that are no timers of the clock: it is asked while the clock is moved. */
export interface Follower {
  /** When its next thing is due; null: nothing is. */
  nextAt(): Promise<Date | null>;
  /** Begins what is due; what that begins is counted by `busy`. */
  run(): void;
  /**
   * Whether whatever follows from what has happened so far has happened too; `atEnd`, when the move is over, also what
   * nothing else waits for.
   */
  isSettled(atEnd: boolean): Promise<boolean>;
}

/** A clock that runs at the ordinary speed, with timers that follow it; in simulation it may be set and moved forward. */
export interface RunningClock extends Clock {
  /** Sets it, before anything is timed by it. */
  set(at: Date): void;
  /** Runs something once, so many of its milliseconds from now (at least one, as setTimeout does). The answer cancels it. */
  after(milliseconds: number, run: () => void | Promise<void>): () => void;
  /** Counts work as under way: the clock is not moved on before it is done. Answers the work itself. */
  busy<T>(work: Promise<T>): Promise<T>;
  /** Lets what has things due of its own follow; the answer ends that. */
  follow(follower: Follower): () => void;
  /** How far it is from the machine's own, in milliseconds; 0 unless it is simulated. */
  shiftMs(): number;
  /** Whether it is just being moved; in between two instants it stands still. */
  isMoving(): boolean;
  /**
   * Moves it forward, from one due instant to the next: what is due is run in order, and what that starts settles
   * before the next. Moves one after another. Throws RangeError for a time that has been.
   */
  advance(to: Date): Promise<void>;
}

/** For how long it is waited, in real milliseconds, until what an instant has started settles. */
const settleMs = 5_000;

/** The longest delay that setTimeout knows; it fires at once for a longer one. */
const longestMs = 2 ** 31 - 1;

/** What a clock tells of what went wrong with what it has run. */
type ClockLog = (line: string, error?: unknown) => void;

/** Real time, unless it is told to start elsewhere. */
export function openClock(startAt: Date | null = null, log: ClockLog = () => {}): RunningClock {
  const time = new Time();
  if (startAt) time.runFrom(startAt.getTime());
  return clockOn(time, log);
}

/** A clock that stands still but while it is moved: nothing on it happens by itself. `patienceMs`: how long it waits until an instant settles. */
export const openStandingClock = (
  startAt: Date,
  patienceMs: number,
  log: ClockLog = () => {},
): RunningClock => clockOn(new StandingTime(startAt.getTime()), log, patienceMs);

function clockOn(time: Time, log: ClockLog, patienceMs = settleMs): RunningClock {
  const work = new Work(patienceMs);
  const followers = new Set<Follower>();
  const run = (task: Timer['task']) =>
    void work.count((async () => task())().catch((error: unknown) => log('a timer failed', error)));
  const timers = new Timers(time, run);
  if (time.stands()) timers.disarm();
  let lastMove: Promise<void> = Promise.resolve();
  return {
    now: () => at(time.read()),
    set: (given) => time.runFrom(given.getTime()),
    after: (milliseconds, task) => timers.add(time.read() + Math.max(1, Math.ceil(milliseconds)), task),
    busy: (given) => work.count(given),
    follow: (follower) => {
      followers.add(follower);
      return () => void followers.delete(follower);
    },
    shiftMs: () => time.shift(),
    isMoving: () => time.stands(),
    advance: (to) => {
      const moved = lastMove.then(() => move({ time, work, followers, timers, log }, to.getTime()));
      lastMove = moved.catch(() => {}); // who asked is told; the next one moves all the same
      return moved;
    },
  };
}

interface Parts {
  time: Time;
  timers: Timers;
  work: Work;
  followers: Iterable<Follower>;
  log: ClockLog;
}

async function move({ time, timers, work, followers, log }: Parts, to: number): Promise<void> {
  const start = time.read();
  if (!(to >= start)) {
    throw new RangeError(`The clock only moves forward, and it says ${at(start).toISOString()}.`);
  }
  time.standAt(start);
  timers.disarm();
  try {
    for (;;) {
      const settled = await work.settled(followers, false);
      if (!settled) log(`the clock moves on at ${at(time.read()).toISOString()}, though not all has settled`);
      const next = await earliest(timers, followers);
      if (!next || next.due > to) break;
      time.standAt(Math.max(time.read(), next.due));
      next.fire();
    }
    time.standAt(to);
    if (!(await work.settled(followers, true))) log('the clock has moved, though not all has settled');
  } finally {
    time.runFrom(time.read());
    if (!time.stands()) timers.arm();
  }
}

const at = (milliseconds: number) => new Date(milliseconds);

/** What the clock says: it runs at the ordinary speed, or stands. */
class Time {
  #offset = 0;
  #standsAt: number | null = null;

  read(): number {
    return this.#standsAt ?? Date.now() + this.#offset;
  }

  shift(): number {
    return this.#standsAt === null ? this.#offset : this.#standsAt - Date.now();
  }

  stands(): boolean {
    return this.#standsAt !== null;
  }

  standAt(milliseconds: number): void {
    this.#standsAt = milliseconds;
  }

  runFrom(milliseconds: number): void {
    this.#offset = milliseconds - Date.now();
    this.#standsAt = null;
  }
}

/** What a clock says that never runs by itself. */
class StandingTime extends Time {
  constructor(milliseconds: number) {
    super();
    this.standAt(milliseconds);
  }

  override runFrom(milliseconds: number): void {
    this.standAt(milliseconds);
  }
}

interface Due {
  due: number;
  fire(): void;
}

/** What is due first; of what is due together, timers come first: what happens is known before it is looked after. */
async function earliest(timers: Timers, followers: Iterable<Follower>): Promise<Due | null> {
  let first: Due | null = timers.first();
  for (const follower of followers) {
    const due = (await follower.nextAt())?.getTime();
    if (due !== undefined && due < (first?.due ?? Infinity)) first = { due, fire: () => follower.run() };
  }
  return first;
}

interface Timer {
  due: number;
  task: () => void | Promise<void>;
  /** Of setTimeout; absent while the clock is moved. */
  handle?: NodeJS.Timeout;
}

/** Timers in the order of their making: of setTimeout while the clock runs, fired by hand while it is moved. */
class Timers {
  readonly #waiting = new Set<Timer>();
  readonly #time: Time;
  readonly #run: (task: Timer['task']) => void;
  #isArmed = true;

  constructor(time: Time, run: (task: Timer['task']) => void) {
    this.#time = time;
    this.#run = run;
  }

  add(due: number, task: Timer['task']): () => void {
    const timer: Timer = { due, task };
    this.#waiting.add(timer);
    if (this.#isArmed) this.#set(timer);
    return () => {
      this.#waiting.delete(timer);
      clearTimeout(timer.handle);
    };
  }

  first(): Due | null {
    let first: Timer | null = null;
    for (const timer of this.#waiting) if (timer.due < (first?.due ?? Infinity)) first = timer;
    return first && { due: first.due, fire: () => this.#fire(first) };
  }

  arm(): void {
    this.#isArmed = true;
    for (const timer of this.#waiting) this.#set(timer);
  }

  disarm(): void {
    this.#isArmed = false;
    for (const timer of this.#waiting) clearTimeout(timer.handle);
  }

  #set(timer: Timer): void {
    const delay = Math.max(1, Math.min(longestMs, timer.due - this.#time.read()));
    timer.handle = setTimeout(() => {
      // setTimeout may be a millisecond early, and knows no longer delay than its longest.
      if (timer.due > this.#time.read()) this.#set(timer);
      else this.#fire(timer);
    }, delay);
  }

  #fire(timer: Timer): void {
    this.#waiting.delete(timer);
    this.#run(timer.task);
  }
}

/** What is under way. */
class Work {
  #underWay = 0;
  readonly #patienceMs: number;
  /** How much has been begun so far: tells whether anything came in between. */
  #begun = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  async count<T>(work: Promise<T>): Promise<T> {
    this.#underWay += 1;
    this.#begun += 1;
    try {
      return await work;
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Waits until nothing is under way and every follower says so; false where that takes too long. */
  async settled(followers: Iterable<Follower>, atEnd: boolean): Promise<boolean> {
    const deadline = performance.now() + this.#patienceMs;
    while (!(await this.#isQuiet(followers, atEnd))) {
      if (performance.now() > deadline) return false;
      await sleep(1);
    }
    return true;
  }

  async #isQuiet(followers: Iterable<Follower>, atEnd: boolean): Promise<boolean> {
    const before = this.#begun;
    // What is done may be about to begin something else: that takes its promises a turn or two.
    for (let turns = 0; turns < 3; turns += 1) {
      await turn();
      if (this.#underWay > 0) return false;
    }
    for (const follower of followers) if (!(await follower.isSettled(atEnd))) return false;
    return this.#underWay === 0 && this.#begun === before;
  }
}

/** A new UUIDv7: unique, and sorted by the time of its making. */
export const newId = (now: Date): string => v7({ msecs: now.getTime() });
