import { isOwed } from '../delivery/queue.ts';
import type { Deliveries } from '../delivery.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import { isIdle } from './follow-log.ts';

/** What queueing needs. */
interface Tools {
  world: World;
  stream: Stream;
  deliveries: Deliveries;
}

/** How many events that nobody subscribes to are passed over before that is written down. */
const passed = 100;

const name = 'enqueue-deliveries';

/** Queues every event for whoever subscribes to it: each once, because a delivery is unique for its event. */
export function enqueueDeliveries({ world, stream, deliveries }: Tools, signal: AbortSignal): Promise<void> {
  const catchUp = async () => {
    if (await isIdle(world, name, isOwed)) return;
    for (;;) {
      const position = await world.position(name);
      const { until, count } = await deliveries.enqueueAfter(position);
      const isWorthIt = count > 0 || until - position >= passed;
      if (!isWorthIt || signal.aborted) return;
      await world.advance(name, position, until);
    }
  };
  return stream.consume({ name, react: catchUp }, signal);
}
