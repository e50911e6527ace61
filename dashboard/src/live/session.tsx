import { createContext, useContext, useEffect, useState, type ReactNode } from 'react';
import { Provider, type OperationResult } from 'urql';
import { carrierTypes, createBoard, type Board } from '../board/model.ts';
import {
  BoardDocument,
  InFlightDocument,
  type BoardCallFragment,
  type InFlightQuery,
} from '../operations.ts';
import { openApi, type Api } from './client.ts';
import { now } from './clock.ts';
import { openFeed, type Change, type Feed } from './feed.ts';
import { createStore, type Store } from './store.ts';

/** One key that is signed in, with everything that is open for it. */
export interface Session {
  api: Api;
  feed: Feed;
  /** Null until it has been read. */
  board: Store<Board | null>;
  /** Why the board could not be read; null: it could. */
  boardError: Store<string | null>;
  signOut(): void;
  close(): void;
}

/** How often the board is read anew, for what becomes due, in milliseconds. */
const rereadMs = 60_000;

/** How far back and ahead the board looks, in milliseconds. */
const boardMs = 3_600_000;

const fresh = { requestPolicy: 'network-only' } as const;

/** All calls in flight, page by page. */
async function readInFlight({ client }: Api) {
  const found: BoardCallFragment[] = [];
  let after: string | null = null;
  for (;;) {
    const { data, error }: OperationResult<InFlightQuery> = await client
      .query(InFlightDocument, { after }, fresh)
      .toPromise();
    if (!data) return { found, error };
    found.push(...data.inFlight.edges.map(({ node }) => node));
    if (!data.inFlight.pageInfo.hasNextPage) return { found, error };
    after = data.inFlight.pageInfo.endCursor;
  }
}

/** Opens what a key gives access to. `onRefused`: it gives none, or no longer. */
export function openSession(key: string, end: (why: 'signed-out' | 'refused') => void): Session {
  const api = openApi(key, () => end('refused'));
  const board = createStore<Board | null>(null);
  const boardError = createStore<string | null>(null);
  const kept = createBoard();
  /** What happens while the board is read: whether it is in what was read is not known, so it is folded in again. */
  let meanwhile: Change[] | null = null;

  async function read(): Promise<void> {
    meanwhile = [];
    const at = (ms: number) => new Date(now() + ms).toISOString();
    const variables = { since: at(-boardMs), dueBefore: at(boardMs), carrier: carrierTypes };
    const [calls, rest] = await Promise.all([
      readInFlight(api),
      api.client.query(BoardDocument, variables, fresh).toPromise(),
    ]);
    const error = calls.error ?? rest.error;
    if (!error && rest.data) {
      kept.begin(calls.found, rest.data);
      kept.fold(meanwhile);
      board.set(kept.show());
    }
    meanwhile = null;
    boardError.set(error ? error.message.replace('[GraphQL] ', '') : null);
  }

  const feed = openFeed(api, () => void read());
  const timer = setInterval(() => void (meanwhile ?? read()), rereadMs);
  feed.listen((changes) => {
    meanwhile?.push(...changes);
    kept.fold(changes);
    if (board.get()) board.set(kept.show());
  });

  return {
    api,
    feed,
    board,
    boardError,
    signOut: () => end('signed-out'),
    close: () => {
      clearInterval(timer);
      feed.close();
      void api.sockets.dispose();
    },
  };
}

const Context = createContext<Session | null>(null);

/** Gives the session to the views below. */
export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  return (
    <Context value={session}>
      <Provider value={session.api.client}>{children}</Provider>
    </Context>
  );
}

/** The session that is signed in. */
export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error('A view stands outside of its session.');
  return session;
}

/** A number that rises soon after something has happened that `concerns` this view: for what it asks to be asked again. */
export function useChanges(concerns: (change: Change) => boolean, everyMs = 400): number {
  const { feed } = useSession();
  const [version, setVersion] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const end = feed.listen((changes) => {
      if (timer || !changes.some(concerns)) return;
      timer = setTimeout(() => {
        timer = null;
        setVersion((before) => before + 1);
      }, everyMs);
    });
    return () => {
      end();
      if (timer) clearTimeout(timer);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what concerns a view follows from what it shows
  }, [feed, everyMs]);
  return version;
}
