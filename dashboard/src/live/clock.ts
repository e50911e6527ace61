import { createStore, useStore } from './store.ts';

/** How far the server's clock is ahead of this machine's, in milliseconds: a simulated one may be days away. */
let aheadMs = 0;

/** Every second, for whatever shows how long something has been. */
const seconds = createStore(Date.now());
setInterval(() => seconds.set(now()), 1_000);

/** What the server's clock says, in milliseconds since 1970. */
export const now = (): number => Date.now() + aheadMs;

/** Takes over what the server's clock has just said. */
export function setClock(at: string): void {
  aheadMs = Date.parse(at) - Date.now();
  seconds.set(now());
}

/** Whatever was recorded has happened: a clock that was moved forward is followed. */
export function notBefore(at: string): void {
  if (Date.parse(at) > now() + 1_000) setClock(at);
}

/** The server's time, renewed each second. */
export const useNow = (): number => useStore(seconds);
