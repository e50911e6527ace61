import { lengthOf, timeOf } from '../ui/format.ts';
import { useNow } from './clock.ts';
import type { FeedState } from './feed.ts';
import { useSession } from './session.tsx';
import { useStore } from './store.ts';

/** Whether what is shown is what there is, and how old the newest of it is. */
export function LiveStatus() {
  const state = useStore(useSession().feed.state);
  const now = useNow();
  return (
    <p
      className={`live ${state.phase}`}
      data-phase={state.phase}
      data-count={state.count}
      data-cursor={state.cursor ?? ''}
    >
      <span aria-hidden="true" className="dot" />
      <output>{wordFor(state)}</output>
      <small>{noteFor(state, now)}</small>
    </p>
  );
}

const words: Record<FeedState['phase'], string> = {
  connecting: 'Connecting',
  behind: 'Catching up',
  live: 'Live',
  offline: 'Not connected',
};

const wordFor = ({ phase, lostAt }: FeedState) =>
  phase === 'offline' && lostAt !== null ? `Not connected since ${timeOf(lostAt)}` : words[phase];

function noteFor({ phase, lastChangeAt, lostAt, trouble }: FeedState, now: number): string {
  if (trouble) return trouble;
  if (phase === 'offline') return lostAt === null ? '' : `What you see is ${lengthOf(now - lostAt)} old`;
  if (lastChangeAt === null) return phase === 'live' ? 'no change yet' : '';
  const age = lengthOf(now - lastChangeAt);
  return phase === 'behind' ? `${age} behind` : `last change ${age} ago`;
}
