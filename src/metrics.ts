import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { sql } from 'kysely';
import type { Live } from './live.ts';
import type { World } from './world.ts';

/** Figures for Prometheus; none of them names a person, a number or a call. */
export function openMetrics({ world, live }: { world: World; live: Live }) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        this.set(await read());
      },
    });
  const count = async (statement: string) =>
    (await world.query<{ count: number }>(sql.raw(`select count(*)::int as count from ${statement}`)))[0]
      ?.count ?? 0;
  gauge('callwell_live_subscribers', 'Subscriptions that are open on this process', live.subscriberCount);
  gauge('callwell_outbox_events', 'Events that have no place in the log yet', () => count('outbox'));
  gauge('callwell_open_calls', 'Calls that are not over', () =>
    count(`call where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`),
  );
  gauge('callwell_uncertain_calls', 'Calls of which nobody knows whether they were dialled', () =>
    count(`call where status = 'UNCERTAIN'`),
  );
  return async () => ({ contentType: registry.contentType, body: await registry.metrics() });
}
