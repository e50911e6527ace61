import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Event } from '../domain/event.ts';
import type { Metrics } from '../metrics.ts';
import { watchDials } from '../metrics/dials.ts';
import { note } from '../scope.ts';
import { openTracing } from '../tracing.ts';
import type { Notice } from '../world/log.ts';

interface Opening {
  config: Config;
  clock: Clock;
  metrics: Metrics;
  opened(close: () => Promise<void>): void;
}

/** Whoever counts, traces and notes what happens: told of what was recorded, and of what has reached subscribers. */
export async function openWatch({ config, clock, metrics, opened }: Opening) {
  const { counters } = metrics;
  const tracing = await openTracing(config.tracing);
  opened(() => tracing.close());
  const dials = watchDials({ counters, tracing, clock });
  return {
    counters,
    tracing,
    dials,
    recorded: (events: readonly Event[]): void => {
      note(events);
      counters.recorded(events);
      dials.recorded(events);
      tracing.recorded(events);
    },
    delivered: (notices: readonly Notice[], subscribers: number): void => {
      for (const { recordedAt } of notices)
        counters.seen((clock.now().getTime() - recordedAt.getTime()) / 1000);
      tracing.delivered(notices, subscribers);
    },
  };
}
