import type { Stream } from '../stream.ts';
import type { Triggers } from '../trigger.ts';
import type { World } from '../world.ts';
import { isAwaited } from '../trigger/match.ts';
import { followLog } from './follow-log.ts';

/** What matching needs. */
interface Tools {
  world: World;
  stream: Stream;
  triggers: Triggers;
}

/** Fires the triggers that wait for an event: each once for each event, because a run's cause is unique. */
export const matchEvents = ({ triggers, ...tools }: Tools, signal: AbortSignal): Promise<void> =>
  followLog(
    tools,
    { name: 'match-events', types: triggers.awaitedTypes, react: triggers.match, wants: isAwaited },
    signal,
  );
