import { stringifyDocument } from 'urql';
import { ChangesDocument, HeadDocument, type ChangesSubscription } from '../operations.ts';
import type { Api } from './client.ts';
import { notBefore, now, setClock } from './clock.ts';
import { createStore, type Store } from './store.ts';

/** Something that happened in the workspace. */
export type Change = ChangesSubscription['worldEvents'];

/** How the page stands to what happens. */
export interface FeedState {
  /** connecting: nothing is known yet; behind: what was missed is being read; live; offline: nobody can be reached. */
  phase: 'connecting' | 'behind' | 'live' | 'offline';
  /** When the newest change that was applied happened, on the server's clock; null: none yet. */
  lastChangeAt: number | null;
  /** When the connection was lost, on the server's clock; null: it was not. */
  lostAt: number | null;
  /** The newest change that was applied: where a lost connection goes on. */
  cursor: string | null;
  /** Why the API tells no changes, such as a key without the scope for it; null: it does. */
  trouble: string | null;
  /** How many changes were applied since the page was opened. */
  count: number;
}

/** The workspace's changes, each once and in order, however often the connection is lost. */
export interface Feed {
  state: Store<FeedState>;
  /** Tells of changes, those of at least a tenth of a second together. The answer ends that. */
  listen(listener: (changes: Change[]) => void): () => void;
  close(): void;
}

/** Changes are applied at most this often, in milliseconds: more could not be read, and less would be late. */
const applyEveryMs = 100;

/** The first pause before a lost connection is tried again, and the longest, in milliseconds. */
const pauseMs = 250;
const longestPauseMs = 5_000;

/** Follows the workspace's events. `onHead` is told where it begins, before the first change. */
export function openFeed({ client, sockets }: Api, onHead: () => void): Feed {
  const listeners = new Set<(changes: Change[]) => void>();
  const state = createStore<FeedState>({
    phase: 'connecting',
    lastChangeAt: null,
    lostAt: null,
    cursor: null,
    trouble: null,
    count: 0,
  });
  const update = (part: Partial<FeedState>) => state.set({ ...state.get(), ...part });
  const closed = new AbortController();
  let waiting: Change[] = [];
  let timer: ReturnType<typeof setTimeout> | null = null;
  let head = '0';

  function take(change: Change): void {
    waiting.push(change);
    timer ??= setTimeout(() => (document.hidden ? apply() : requestAnimationFrame(apply)), applyEveryMs);
  }

  function apply(): void {
    timer = null;
    const changes = waiting;
    waiting = [];
    const last = changes.at(-1);
    if (!last || closed.signal.aborted) return;
    notBefore(last.recordedAt);
    for (const listener of listeners) listener(changes);
    const cursor = last.cursor ?? state.get().cursor;
    const count = state.get().count + changes.length;
    update({
      cursor,
      count,
      trouble: null,
      lastChangeAt: Date.parse(last.recordedAt),
      phase: phaseAt(cursor),
    });
  }

  const phaseAt = (cursor: string | null) => (Number(cursor ?? '0') >= Number(head) ? 'live' : 'behind');

  /** Where the log ends now. */
  async function findHead(): Promise<string | null> {
    const { data } = await client.query(HeadDocument, {}, { requestPolicy: 'network-only' });
    if (!data) return null;
    setClock(data.clock);
    return data.events.edges[0]?.node.cursor ?? '0';
  }

  /** Follows from what was read last; the answer comes when the connection is lost. */
  async function follow(after: string): Promise<void> {
    const query = stringifyDocument(ChangesDocument);
    const changes = sockets.iterate<ChangesSubscription>({ query, variables: { after } });
    const ends = [
      // Live is who may be told, not who has asked.
      sockets.on('connected', () => update({ phase: phaseAt(state.get().cursor), lostAt: null })),
      onAbort(closed.signal, () => void changes.return?.()),
    ];
    try {
      for await (const { data, errors } of changes) {
        if (data) take(data.worldEvents);
        const refusal = errors?.find(({ extensions }) => extensions?.['code'] !== 'SLOW_SUBSCRIBER');
        if (refusal) update({ trouble: refusal.message });
      }
    } finally {
      for (const end of ends) end();
    }
  }

  async function run(): Promise<void> {
    let pause = pauseMs;
    while (!closed.signal.aborted) {
      const found = await findHead().catch(() => null);
      if (found !== null) {
        head = found;
        if (state.get().cursor === null) {
          update({ cursor: head });
          onHead();
        }
        const began = performance.now();
        await follow(waiting.at(-1)?.cursor ?? state.get().cursor ?? head).catch(() => null);
        if (performance.now() - began > longestPauseMs) pause = pauseMs;
      }
      if (closed.signal.aborted) return;
      update({ phase: 'offline', lostAt: state.get().lostAt ?? now() });
      await online(pause, closed.signal);
      pause = Math.min(pause * 2, longestPauseMs);
    }
  }
  void run();

  return {
    state,
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => closed.abort(),
  };
}

/** Listens for the end of everything; the answer ends that. */
function onAbort(signal: AbortSignal, listener: () => void): () => void {
  signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
}

/** After a pause, or at once when the network is there again. */
const online = (pause: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const proceed = () => {
      clearTimeout(timer);
      window.removeEventListener('online', proceed);
      resolve();
    };
    const timer = setTimeout(proceed, pause);
    window.addEventListener('online', proceed);
    signal.addEventListener('abort', proceed);
  });
