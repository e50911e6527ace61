import { openAttempts } from './attempt.ts';
import { openCarrier } from './carrier.ts';
import { realClock, type Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Context } from './context.ts';
import { startNats } from './embedded/nats.ts';
import { startPostgres } from './embedded/postgres.ts';
import { openImporter } from './importer.ts';
import { startJobs } from './jobs/index.ts';
import { openLive } from './live.ts';
import { makeLoaders } from './loaders.ts';
import type { Log } from './logger.ts';
import { openMetrics } from './metrics.ts';
import { ensureWorkspace, openWorkspaces } from './provision.ts';
import { openRegistry } from './registry.ts';
import { failure } from './schema/builder.ts';
import { openServer } from './server.ts';
import { startCarrier } from './simulator/carrier.ts';
import { openStream } from './stream.ts';
import { openWebhooks, type Webhooks } from './webhooks.ts';
import { openWorld, type World } from './world.ts';

/** A program that runs. */
export interface Program {
  url: string;
  world: World;
  clock: Clock;
  workspaceId: string;
  /** The first key; null when it was shown at an earlier start. */
  adminKey: string | null;
  simulatorUrl: string | null;
  stop(): Promise<void>;
}

/** How many connections to Postgres a process has at most. */
const poolSize = 20;

/** Opens everything in order, and closes it in reverse. What cannot be opened closes what was. */
export async function startProgram(
  config: Config,
  log: Log,
  clock: Clock = realClock(config.clockStart),
): Promise<Program> {
  const closers: (() => Promise<void>)[] = [];
  const closing = async () => {
    for (const close of closers.toReversed())
      await close().catch((error: unknown) => log('closing failed', error));
  };
  try {
    return await open({ config, log, clock, opened: (close) => void closers.push(close), stop: closing });
  } catch (error) {
    await closing();
    throw error;
  }
}

interface Opening {
  config: Config;
  log: Log;
  clock: Clock;
  /** Remembers how to close what was just opened. */
  opened(close: () => Promise<void>): void;
  stop(): Promise<void>;
}

async function open(opening: Opening): Promise<Program> {
  const { config, log, clock, opened } = opening;
  const { databaseUrl, natsUrl } = await openServices(opening);
  const world = await openWorld({ databaseUrl, poolSize });
  opened(() => world.close());
  await world.migrate();
  const stream = await openStream({ url: natsUrl, log });
  opened(() => stream.close());
  const live = openLive({ world, stream, log });
  const workspaces = openWorkspaces({ world, clock });
  const registry = openRegistry({ world });
  const importer = openImporter({ world, clock });
  const simulator = await openSimulator(opening);

  let notReady: string | null = 'starting';
  let webhooks: Webhooks | null = null;
  const made: Partial<Pick<Context, 'attempts'>> = {};
  const metrics = openMetrics({ world, live });
  const keyOf = async (authorization: string | null) => {
    const secret = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
    return secret ? workspaces.authenticate(secret) : null;
  };

  async function contextOf(authorization: string | null): Promise<Context> {
    if (!made.attempts) throw failure('NOT_READY', 'The program is starting. Try again in a second.');
    const key = await keyOf(authorization);
    const workspaceId = key?.workspaceId ?? '00000000-0000-0000-0000-000000000000';
    if (key) await limitRequests(key);
    const context: Context = {
      ...{ key, workspaceId, world, live, registry, workspaces, importer, clock, attempts: made.attempts },
      loaders: makeLoaders(world, workspaceId),
      renew() {
        this.loaders = makeLoaders(world, workspaceId); // the context that is asked, which Yoga has made of this one
      },
      by: () => ({ workspaceId, actor: key?.id ?? '', source: 'api', now: clock.now() }),
      can: (scope) => {
        const writing = scope.replace(/:read$/, ':write');
        return (
          (key?.scopes as string[] | undefined)?.some((own) => own === scope || own === writing) ?? false
        );
      },
    };
    return context;
  }

  async function limitRequests(key: { workspaceId: string; id: string }): Promise<void> {
    const seconds = await world.takeRequest(key, config.apiKeyRequestsPerMinute, clock.now());
    if (seconds === null) return;
    const message = `This key has made its ${config.apiKeyRequestsPerMinute} requests of this minute.`;
    const http = { status: 429, headers: { 'retry-after': String(seconds) } };
    throw failure('RATE_LIMITED', message, { retryAfterSeconds: seconds, http });
  }

  const server = await openServer(
    {
      contextOf,
      isKey: async (authorization) => (await keyOf(authorization)) !== null,
      webhook: (incoming) => webhooks?.handle(incoming) ?? Promise.resolve({ status: 503 }),
      unready: () => notReady,
      metrics,
      log,
    },
    config,
  );
  opened(() => server.close());

  const publicUrl = config.publicUrl ?? server.url;
  const apiUrl = simulator?.url ?? config.carrier.apiUrl;
  const carrier = openCarrier({ account: config.carrier, apiUrl, publicUrl });
  const attempts = openAttempts({
    ...{ world, carrier, clock },
    callsPerMinute: config.sourceNumberCallsPerMinute,
    callsPerSecond: config.carrier.callsPerSecond,
  });
  webhooks = openWebhooks({ world, carrier, attempts, clock, log });
  const workspace = await ensureWorkspace(world, clock.now());
  const adminKey = await workspaces.ensureAdminKey(workspace.id, config.adminApiKey?.reveal() ?? null);
  const stopFollowing = new AbortController();
  opened(() => Promise.resolve(stopFollowing.abort()));
  await live.start(stopFollowing.signal);
  if (config.role !== 'api') {
    opened(startJobs({ ...{ world, stream, carrier, attempts, clock, log }, pace: config.carrier.pace }));
  }
  made.attempts = attempts;
  notReady = null;
  return {
    ...{ url: server.url, world, clock, workspaceId: workspace.id, adminKey },
    simulatorUrl: simulator?.url ?? null,
    stop: async () => {
      notReady = 'stopping';
      await opening.stop();
    },
  };
}

/** Postgres and NATS: those that are configured, else children of this program. */
async function openServices({
  config,
  log,
  opened,
}: Opening): Promise<{ databaseUrl: string; natsUrl: string }> {
  const { dataDir } = config;
  const [postgres, nats] = await Promise.allSettled([
    config.databaseUrl === null ? startPostgres({ dataDir, log }) : null,
    config.natsUrl === null
      ? startNats({
          dataDir,
          log,
          path: config.executablePath,
          ...(config.natsServerBinary ? { binary: config.natsServerBinary } : {}),
        })
      : null,
  ]);
  for (const service of [postgres, nats]) {
    if (service.status === 'fulfilled' && service.value) {
      const { stop } = service.value;
      opened(stop);
    }
  }
  if (postgres.status === 'rejected') throw postgres.reason;
  if (nats.status === 'rejected') throw nats.reason;
  return {
    databaseUrl: config.databaseUrl ?? postgres.value!.url,
    natsUrl: config.natsUrl ?? nats.value!.url,
  };
}

async function openSimulator({ config, clock, log, opened }: Opening) {
  if (!config.carrier.simulated) return null;
  const simulator = await startCarrier({
    port: config.simulator.port,
    accountSid: config.carrier.accountSid,
    authToken: config.carrier.authToken.reveal(),
    pace: config.simulator.pace,
    callsPerSecond: config.simulator.callsPerSecond,
    now: clock.now,
    log,
  });
  opened(() => simulator.close());
  return simulator;
}
