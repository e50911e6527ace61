import type { Event, Row } from '../domain/event.ts';

/** Something that has just happened, read once for all who wait for it; with the row after it, where it has one. */
export interface Happening {
  event: Event & { cursor: number };
  row: Row | null;
}

/** How many happenings may wait for one subscriber before it is cut off. */
const queueLimit = 256;

/** A subscriber did not keep up. It resumes after the cursor and has lost nothing. */
export class SlowSubscriber extends Error {
  /** The last event that it was given; null: none yet. */
  readonly cursor: number | null;

  constructor(cursor: number | null) {
    super('This subscription did not keep up and was ended. Subscribe again after the cursor.');
    this.cursor = cursor;
  }
}

/** What waits for one subscriber: bounded, and closed with the last cursor when it overflows. */
export class Queue implements AsyncIterableIterator<Happening> {
  readonly #wants: (happening: Happening) => boolean;
  readonly #leave: () => void;
  #items: Happening[] = [];
  /** The last event that was given. */
  #cursor: number | null = null;
  /** The last event that was kept, or need not be. */
  #newest = 0;
  #state: 'open' | 'paused' | 'overflowed' | 'closed' = 'open';
  #wake = () => {};

  constructor(wants: (happening: Happening) => boolean, leave: () => void) {
    this.#wants = wants;
    this.#leave = leave;
  }

  push(happening: Happening): void {
    if (this.#state !== 'open' || happening.event.cursor <= this.#newest || !this.#wants(happening)) return;
    // What waits is still given; then the subscriber is told where to resume.
    if (this.#items.length >= queueLimit) this.#state = 'overflowed';
    else {
      this.#items.push(happening);
      this.#newest = happening.event.cursor;
    }
    this.#wake();
  }

  closed(): boolean {
    return this.#state === 'closed';
  }

  /** Keeps nothing, because it is read from the log. */
  pause(): void {
    if (!this.closed()) this.#state = 'paused';
    this.#items = [];
  }

  /** Keeps what happens from now on. */
  keep(): void {
    if (!this.closed()) this.#state = 'open';
    this.#items = [];
  }

  /** Leaves out what happened up to here; false when it has not kept everything. */
  skipTo(cursor: number): boolean {
    this.#newest = Math.max(this.#newest, cursor);
    this.#items = this.#items.filter(({ event }) => event.cursor > cursor);
    return this.#state === 'open';
  }

  async next(): Promise<IteratorResult<Happening, undefined>> {
    while (this.#items.length === 0) {
      if (this.#state === 'closed') return { value: undefined, done: true };
      if (this.#state === 'overflowed') {
        await this.return();
        throw new SlowSubscriber(this.#cursor);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = this.#items.shift()!;
    this.#cursor = value.event.cursor;
    return { value, done: false };
  }

  return(): Promise<IteratorResult<Happening, undefined>> {
    this.#state = 'closed';
    this.#items = [];
    this.#leave();
    this.#wake();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
