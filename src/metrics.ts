import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Clock } from './clock.ts';
import type { Live } from './live.ts';
import type { Log } from './logger.ts';
import { openCounters } from './metrics/counters.ts';
import { watchState } from './metrics/state.ts';
import type { Stream } from './stream.ts';
import type { World } from './world.ts';

/** Figures for Prometheus; none of them names a person, a number or a call. What is counted begins with the program. */
export function openMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = openCounters(registry);
  return {
    counters,
    /** A log whose errors are counted. */
    counting:
      (log: Log): Log =>
      (line, error) => {
        if (error !== undefined) counters.errorLogged();
        log(line, error);
      },
    /** Adds what is read when it is asked for. The answer reads everything. */
    watch(inside: { world: World; live: Live; stream: Stream; clock: Clock }) {
      watchProcess(registry, inside);
      const refresh = watchState(registry, inside);
      return async () => {
        await refresh();
        return { contentType: registry.contentType, body: await registry.metrics() };
      };
    },
  };
}

/** Figures for Prometheus. */
export type Metrics = ReturnType<typeof openMetrics>;

/** What only this process knows. */
function watchProcess(
  registry: Registry,
  { world, live, stream }: { world: World; live: Live; stream: Stream },
): void {
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      name: `callwell_${name}`,
      help,
      registers: [registry],
      async collect() {
        this.set(await read());
      },
    });
  gauge('live_subscribers', 'Subscriptions that are open on this process', live.subscriberCount);
  gauge('live_cursor', 'The last event that this process has heard of', live.cursor);
  gauge('nats_connected', 'Whether this process reaches the nats-server', () => (stream.connected() ? 1 : 0));
  const pool = () => world.orm.em.getConnection().getNativeClient();
  gauge(
    'database_connections',
    'Connections to Postgres of this process',
    async () => (await pool()).totalCount,
  );
  gauge('database_waiting', 'What waits for one of them', async () => (await pool()).waitingCount);
}
