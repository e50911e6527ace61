import { AsyncLocalStorage } from 'node:async_hooks';

const signals = new AsyncLocalStorage<AbortSignal>();

/** Does something that nobody waits for any more once the signal is given: Postgres does no more of it then. */
export const endingWith = <T>(signal: AbortSignal, work: () => T): T => signals.run(signal, work);

/** The signal that ends what is being done here; undefined: nothing does. */
export const ending = (): AbortSignal | undefined => signals.getStore();
