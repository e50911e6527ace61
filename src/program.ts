import { setTimeout as sleep } from 'node:timers/promises';
import { openAccess } from './access.ts';
import { openAgent, type Agent } from './agent.ts';
import { openDoor, type Door } from './agent/door.ts';
import { openMind } from './agent/mind.ts';
import { openPasses } from './agent/pass.ts';
import { openAttempts, type Attempts } from './attempt.ts';
import { openCampaigns } from './campaign.ts';
import { openCarrier } from './carrier.ts';
import { openClock, type RunningClock } from './clock.ts';
import type { Config } from './config.ts';
import { openDeliveries } from './delivery.ts';
import { openConversations, type Conversations } from './conversation.ts';
import { openImporter } from './importer.ts';
import { startJobs } from './jobs/index.ts';
import { openLive } from './live.ts';
import type { Log } from './logger.ts';
import { countRefusals } from './metrics/refusals.ts';
import { openMetrics, type Metrics } from './metrics.ts';
import { openServices } from './program/services.ts';
import { openSimulator, type Simulator } from './program/simulator.ts';
import { openWatch } from './program/watch.ts';
import { ensureWorkspace, openWorkspaces } from './provision.ts';
import { openHooks } from './hooks.ts';
import { openOutcomes } from './outcome.ts';
import { openOutreach } from './outreach/read.ts';
import { openPatientAccess } from './patient-access.ts';
import { openPoster } from './poster.ts';
import { openRegistry } from './registry.ts';
import { fillSample, isNightInTheUnitedStates, tenInNewYork } from './sample.ts';
import { openSchedule } from './schedule.ts';
import { openServer } from './server.ts';
import { openSigning } from './signing.ts';
import { openStream } from './stream.ts';
import { openSubscriptions } from './subscription.ts';
import { openTriggers } from './trigger.ts';
import { openUsage } from './usage.ts';
import { openDropCowboy, openMailbox, type Mailbox } from './voicemail.ts';
import { openVoicemailAudio } from './voicemail-audio.ts';
import { openVerbs } from './verbs.ts';
import { openWebhooks, type Webhooks } from './webhooks.ts';
import { openWorld, type World } from './world.ts';

/** A program that runs. */
export interface Program {
  url: string;
  world: World;
  clock: RunningClock;
  workspaceId: string;
  /** The first key, when it was made just now; null: it is configured, or was shown at an earlier start. */
  adminKey: string | null;
  simulatorUrl: string | null;
  /** Why the clock does not show real time; null: it does. */
  clockNote: string | null;
  stop(): Promise<void>;
}

/** How many connections to Postgres a process has at most. */
const poolSize = 20;

/** How long closing waits for reads that nobody waits for any more, in milliseconds. */
const idleMs = 3_000;

interface Opening {
  config: Config;
  log: Log;
  clock: RunningClock;
  metrics: Metrics;
  /** Remembers how to close what was just opened. */
  opened(close: () => Promise<void>): void;
}

/** Opens everything in order, and closes it in reverse. What cannot be opened closes what was. `given`: its clock; left out, one of its own. */
export async function startProgram(config: Config, tell: Log, given?: RunningClock): Promise<Program> {
  const metrics = openMetrics();
  const log = metrics.counting(tell);
  const clock = given ?? openClock(config.clockStart, log);
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) {
      await close().catch((error: unknown) => log('closing failed', error));
    }
  };
  try {
    return {
      ...(await open({ config, log, clock, metrics, opened: (close) => void closers.push(close) }, stop)),
      clock,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function open(opening: Opening, stop: () => Promise<void>): Promise<Omit<Program, 'clock'>> {
  const { config, clock } = opening;
  const core = await openCore(opening);
  const { world, workspaces } = core;
  const workspace = await ensureWorkspace(world, clock.now());
  const empty = await core.isEmpty(workspace.id);
  const clockNote = config.demo && empty && !config.clockStart ? startByDay(clock) : null;
  const simulator = await openSimulator(opening, world);
  const outside = await openOutside({ ...opening, core, simulator });
  const adminKey = await workspaces.ensureAdminKey(workspace.id, config.adminApiKey?.reveal() ?? null);
  outside.ready();
  if (config.demo && empty)
    opening.opened(await fillSample({ ...core, ...outside, ...opening, workspaceId: workspace.id }));
  return {
    url: outside.url,
    world,
    workspaceId: workspace.id,
    adminKey,
    clockNote,
    simulatorUrl: simulator?.url ?? null,
    stop: () => {
      outside.stopping();
      return stop();
    },
  };
}

/** A first start is alive: where nobody may be called anywhere, the simulated clock begins in the morning. */
function startByDay(clock: RunningClock): string | null {
  if (!isNightInTheUnitedStates(clock.now())) return null;
  clock.set(tenInNewYork(clock.now()));
  return 'it is night all over the United States, so the simulated clock began at 10:00 in New York';
}

/** The world, the stream and what is built on them alone. */
async function openCore(opening: Opening) {
  const { config, log, clock, opened } = opening;
  const { databaseUrl, natsUrl } = await openServices(opening);
  const watched = await openWatch(opening);
  const world = await openWorld({ databaseUrl, poolSize });
  world.heed(watched.recorded);
  opened(() => closeWorld(world));
  await (config.production ? world.demandMigrated() : world.migrate());
  const stream = await openStream({
    url: natsUrl,
    log,
    published: watched.tracing.published,
    replicas: config.natsReplicas,
  });
  opened(() => stream.close());
  const triggers = openTriggers({ world, clock, log });
  opened(() => triggers.stop());
  const poster = openPoster({ allowPrivate: config.privateWebhooks });
  const deliveries = openDeliveries({ world, poster, clock, log });
  opened(() => deliveries.stop());
  const signing = openSigning({ world });
  const accesses = openPatientAccess({ world, clock, log });
  opened(() => accesses.close());
  return {
    world,
    stream,
    live: openLive({ world, stream, log, delivered: watched.delivered }),
    ...watched,
    workspaces: openWorkspaces({ world, clock }),
    registry: openRegistry({ world }),
    schedule: openSchedule({ world }),
    campaigns: openCampaigns({
      world,
      callsPerMinute: config.sourceNumberCallsPerMinute,
      callsPerSecond: config.carrier.callsPerSecond,
    }),
    outcomes: openOutcomes({ world }),
    outreach: openOutreach({ world }),
    triggers,
    deliveries,
    subscriptions: openSubscriptions({ world, poster, deliveries }),
    importer: openImporter({ world, clock }),
    signing,
    accesses,
    usages: openUsage({ world, clock, log }),
    recordings: openVoicemailAudio({ world, clock, signing }),
    isEmpty: async (workspaceId: string) => (await world.log({ workspaceId, limit: 1 })).length === 0,
  };
}

/**
 * Closes the world once its connections are idle. A request that was answered by an error may still have reads under
 * way, and Kysely never gives back a connection that arrives while it closes: pg's pool would wait for it for ever.
 */
async function closeWorld(world: World): Promise<void> {
  const pool = await world.orm.em.getConnection().getNativeClient();
  const deadline = performance.now() + idleMs;
  while (pool.totalCount + pool.waitingCount > pool.idleCount && performance.now() < deadline) await sleep(5);
  await world.close();
}

/** What the server asks that is made only after it, because the carrier must be told its URL. */
interface Made {
  attempts: Attempts | null;
  conversations: Conversations | null;
  webhooks: Webhooks | null;
  agent: Agent | null;
  door: Door | null;
}

const mindOf = ({ agent }: Config) =>
  agent && openMind({ ...agent, apiKey: agent.apiKey?.reveal() ?? 'none' });

/** What is opened beside the core. */
type Outside = Opening & { core: Awaited<ReturnType<typeof openCore>>; simulator: Simulator | null };

/** The server, the carrier, and the jobs between them. The carrier is told the URL that the server has got. */
async function openOutside(opening: Outside) {
  const { config, log, clock, opened, core } = opening;
  let state: 'starting' | 'ready' | 'stopping' = 'starting';
  const made: Made = { attempts: null, conversations: null, webhooks: null, agent: null, door: null };
  const hooks = openHooks({ ...core, clock });
  let publicUrl = config.publicUrl ?? '';
  const access = openAccess({
    ...core,
    clock,
    // Other processes of a deployment have clocks of their own: one that is moved would leave them behind.
    movableClock: config.simulation && config.role === 'all' ? clock : null,
    requestsPerMinute: config.apiKeyRequestsPerMinute,
    attempts: () => made.attempts,
    publicUrl: () => publicUrl,
    texts: () => made.conversations,
  });
  const server = await openServer(
    {
      ...access,
      webhook: (incoming) => made.webhooks?.handle(incoming) ?? Promise.resolve({ status: 503 }),
      hook: hooks,
      recording: core.recordings.serve,
      admit: (path, signature) => made.door?.admit(path, signature) ?? Promise.resolve(null),
      agentContext: (authorization) =>
        made.door?.contextFor(authorization) ?? Promise.resolve({ status: 503 }),
      leave: () => made.agent?.close() ?? Promise.resolve(),
      unready: () => (state === 'ready' ? null : state),
      metrics: opening.metrics.watch({ ...core, clock }),
      took: core.counters.requestTook,
      log,
    },
    config,
  );
  opened(() => server.close());
  publicUrl ||= server.url;
  const apiUrl = opening.simulator?.url ?? config.carrier.apiUrl;
  const carrier = core.dials.carrier(openCarrier({ account: config.carrier, apiUrl, publicUrl }));
  const mailbox = mailboxOf(opening, publicUrl);
  const { callsPerSecond, pace } = config.carrier;
  const limits = { callsPerMinute: config.sourceNumberCallsPerMinute, callsPerSecond };
  const conversations = openConversations({ ...core, carrier, clock, pace, log });
  const agent = openAgent({
    ...core,
    carrier,
    verbs: openVerbs(access.contextOfAgent),
    clock,
    mind: await mindOf(config),
    pace,
    log,
  });
  const outside = { carrier, mailbox, texts: conversations, prepare: agent.prepare };
  const attempts = countRefusals(openAttempts({ ...core, ...outside, clock, ...limits }), core.counters);
  const passes = openPasses(carrier.keyFor('agent'));
  made.agent = agent;
  made.door = openDoor({ agent, passes, carrier });
  const tools = { ...core, carrier, mailbox, attempts, conversations, clock, log };
  made.webhooks = openWebhooks({ ...tools, agent, passes, publicUrl });
  opening.simulator?.messagesTo?.(carrier.messageUrl);
  const following = new AbortController();
  opened(() => Promise.resolve(following.abort()));
  await core.live.start(following.signal);
  if (config.role !== 'api')
    opened(startJobs({ ...core, carrier, attempts, conversations, agent, clock, log, pace }));
  return {
    url: server.url,
    attempts,
    ready: () => {
      Object.assign(made, { attempts, conversations });
      state = 'ready';
    },
    stopping: () => {
      state = 'stopping';
    },
  };
}

/** The vendor of voicemails: the one that is configured, else the simulated one; null beside a real carrier. */
function mailboxOf({ config, clock, core, simulator }: Outside, publicUrl: string): Mailbox | null {
  const account = config.voicemail
    ? { ...config.voicemail, key: config.voicemail.key.reveal(), secret: config.voicemail.secret.reveal() }
    : simulator && { apiUrl: `${simulator.url}/voicemail`, key: 'simulated', secret: 'simulated' };
  if (!account) return null;
  return core.dials.mailbox(openMailbox({ ...core, vendor: openDropCowboy(account), clock, publicUrl }));
}
