import type { Deliveries } from '../delivery.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';

/** What queueing needs. */
interface Tools {
  world: World;
  stream: Stream;
  deliveries: Deliveries;
}

const name = 'enqueue-deliveries';

/** Queues every event for whoever subscribes to it: each once, because a delivery is unique for its event. */
export function enqueueDeliveries({ world, stream, deliveries }: Tools, signal: AbortSignal): Promise<void> {
  const catchUp = async () => {
    for (;;) {
      const position = await world.position(name);
      const until = await deliveries.enqueueAfter(position);
      if (until <= position || signal.aborted) return;
      await world.advance(name, position, until);
    }
  };
  return stream.consume(name, catchUp, signal);
}
