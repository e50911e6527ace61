import type { Line } from './people.ts';

/** Where callbacks go out of: a call, a text, a voicemail. */
export interface Outbox {
  readonly line: Line;
  /** Callbacks that are kept back to be sent in the wrong order, the one to send first in front. */
  readonly heldBack: (() => void)[];
  /** Settles when every callback so far was delivered or given up. */
  posts: Promise<unknown>;
}

/** An outbox that nothing has gone out of. */
export function newOutbox(line: Line): Outbox {
  return { line, heldBack: [], posts: Promise.resolve() };
}

/** Delivers one after another, so that only the lines that are there for it disturb the order. */
export function deliver(
  outbox: Outbox,
  send: () => Promise<unknown>,
  { isLast }: { readonly isLast: boolean },
): void {
  function enqueue(): void {
    outbox.posts = outbox.posts.then(send);
  }
  switch (outbox.line.callbacks) {
    case 'none':
    case 'cut off':
      return;
    case 'last first':
      outbox.heldBack.unshift(enqueue);
      if (isLast) for (const next of outbox.heldBack.splice(0)) next();
      return;
    case 'twice':
      enqueue();
      enqueue();
      return;
    case 'in order':
      enqueue();
  }
}
