import type { Config } from '../config.ts';
import { startNats } from '../embedded/nats.ts';
import { startPostgres } from '../embedded/postgres.ts';
import type { Log } from '../logger.ts';

interface Opening {
  config: Config;
  log: Log;
  opened(close: () => Promise<void>): void;
}

/** Postgres and NATS: those that are configured, else children of this program, started side by side. */
export async function openServices({
  config,
  log,
  opened,
}: Opening): Promise<{ databaseUrl: string; natsUrl: string }> {
  const { dataDir, executablePath: path, natsServerBinary } = config;
  const binary = natsServerBinary ? { binary: natsServerBinary } : {};
  const [postgres, nats] = await Promise.allSettled([
    config.databaseUrl === null
      ? startPostgres({ dataDir, log })
      : { url: config.databaseUrl.reveal(), stop: null },
    config.natsUrl === null
      ? startNats({ dataDir, log, path, ...binary })
      : { url: config.natsUrl.reveal(), stop: null },
  ]);
  for (const service of [postgres, nats]) {
    const stop = service.status === 'fulfilled' ? service.value.stop : null;
    if (stop) opened(stop);
  }
  if (postgres.status === 'rejected') throw postgres.reason;
  if (nats.status === 'rejected') throw nats.reason;
  return { databaseUrl: postgres.value.url, natsUrl: nats.value.url };
}
