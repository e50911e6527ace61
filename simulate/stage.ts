import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { IncomingMessage } from 'node:http';
import { openStandingClock, type RunningClock } from '../src/clock.ts';
import { startCarrier, type Carrier } from '../src/simulator/carrier.ts';
import { openWorld, type World } from '../src/world.ts';
import { openFront, type Treatment } from '../test/support/front.ts';
import { ask, testKey, type Answer } from '../test/support/program.ts';
import { startProcess, type SimulatedProcess } from './process.ts';

/** The services that a simulation has to itself: a migrated database that is empty, and a nats-server. */
export interface Services {
  databaseUrl: string;
  natsUrl: string;
}

/** A deployment on simulated time: its processes, the carrier that they share, and what is wrong between them. */
export interface Stage {
  readonly clock: RunningClock;
  readonly carrier: Carrier;
  /** Of the one who watches: nothing of it is ever cut. */
  readonly world: World;
  readonly natsUrl: string;
  /** Requests to the carrier fare so, one after another; then they pass. */
  readonly toCarrier: Treatment[];
  /** Callbacks of the carrier's fare so. */
  readonly callbacks: ('twice' | 'pass' | { seconds: number })[];
  /** What should not have happened. */
  readonly faults: string[];
  /** How often a process died, froze, or lost its stream. */
  readonly upsets: { crashes: number; freezes: number; wipes: number };
  process(index: number): SimulatedProcess | null;
  crash(process: SimulatedProcess, downSeconds: number): void;
  freeze(process: SimulatedProcess, seconds: number): void;
  wipeStream(): Promise<void>;
  /** Moves the clock on by so much. */
  pass(milliseconds: number): Promise<void>;
  /** One request, asked again until it is answered; answers `data`. */
  tell(query: string, variables?: Record<string, unknown>): Promise<Answer['data']>;
  /** As `tell`, for a body of another kind. */
  post(body: () => FormData): Promise<Answer['data']>;
  close(): Promise<void>;
}

const account = { sid: `AC${'1'.repeat(32)}`, token: 'a-token-of-the-simulation' };

/** How many times faster than life people are. */
const pace = 20;

const callsPerSecond = 20;

/**
 * How long it is waited, in real milliseconds, until what an instant has started settles: a process that has just died
 * leaves what it was told of to nats-server's own patience, which no simulated clock shortens.
 */
const patienceMs = 1_000;

/** How often a request is asked again, each time a second later, before that is a fault: a process is down for minutes. */
const askedAgain = 1_500;

/** Opens a deployment. */
export async function openStage(
  services: Services,
  options: { startAt: Date; processes: number; log?: (line: string, error?: unknown) => void },
): Promise<Stage> {
  const { log = () => {} } = options;
  await wipe(services.natsUrl);
  const world = await openWorld({ databaseUrl: services.databaseUrl, poolSize: 4 });
  const clock = openStandingClock(options.startAt, patienceMs, log);
  const toCarrier: Treatment[] = [];
  const callbacks: Stage['callbacks'] = [];
  const carrier = await startCarrier({
    port: 0,
    accountSid: account.sid,
    authToken: account.token,
    pace,
    callsPerSecond,
    clock,
    log,
  });
  const processes: SimulatedProcess[] = [];
  const living = () => processes.filter((process) => process.isAwake());
  const byUrl = (url: string) => processes.find(({ program }) => program.url === url);
  let next = 0;
  const front = await openFront(() => living()[(next += 1) % living().length]?.program.url ?? null, {
    treat: (request) => treatmentOf(request, callbacks.length > 0 ? callbacks.shift()! : 'pass', clock),
    answering: async (url) => {
      if (!byUrl(url)?.isAwake()) throw new Error('nobody answers any more');
    },
  });
  carrier.messagesTo(`${front.url}/carrier/messages#rc=5&rp=all`);
  const upsets = { crashes: 0, freezes: 0, wipes: 0 };
  const start = async () =>
    void processes.push(
      await startProcess({
        ...services,
        clock,
        carrierUrl: carrier.url,
        treat: () => toCarrier.shift() ?? 'pass',
        environment: environmentOf(front.url),
        log,
      }),
    );
  for (let index = 0; index < options.processes; index += 1) await start();
  const faults: string[] = [];
  const isTroubled = () => living().length < options.processes;
  const stage: Stage = {
    clock,
    carrier,
    world,
    natsUrl: services.natsUrl,
    toCarrier,
    callbacks,
    faults,
    upsets,
    process: (index) => living()[index % Math.max(1, living().length)] ?? null,
    crash: (process, downSeconds) => {
      if (process.isDead()) return;
      upsets.crashes += 1;
      process.die();
      clock.after(downSeconds * 1000, start);
    },
    freeze: (process, seconds) => {
      if (!process.isAwake()) return;
      upsets.freezes += 1;
      process.freeze();
      clock.after(seconds * 1000, () => process.thaw());
    },
    wipeStream: async () => {
      upsets.wipes += 1;
      await wipe(services.natsUrl);
    },
    pass: (milliseconds) => clock.advance(new Date(clock.now().getTime() + milliseconds)),
    tell: (query, variables) => stubborn(() => ask(front.url, { query, variables, key: testKey })),
    post: (body) =>
      stubborn(async () => {
        const headers = { authorization: `Bearer ${testKey}` };
        const response = await fetch(`${front.url}/graphql`, { method: 'POST', headers, body: body() });
        return (await response.json()) as Answer;
      }),
    close: async () => {
      await Promise.all(processes.map((process) => process.stop()));
      await front.close();
      await carrier.close();
      await world.close();
    },
  };

  /** Asks until there is an answer; an error of ours is a fault, unless a process was in trouble meanwhile. */
  async function stubborn(request: () => Promise<Answer>): Promise<Answer['data']> {
    for (let times = 0; times < askedAgain; times += 1) {
      const before = upsets.crashes + upsets.freezes;
      const answer = await request().catch(() => null);
      if (answer?.data && !answer.errors) {
        const told = Object.values(answer.data as Record<string, { __typename?: string } | null>);
        if (told.some((one) => one?.__typename === 'InputError'))
          throw new Error('what was asked is malformed');
        return answer.data;
      }
      const isCalm = before === upsets.crashes + upsets.freezes && !isTroubled();
      if (isCalm) throw new Error(`it was answered ${JSON.stringify(answer)}`);
      await stage.pass(1_000);
    }
    throw new Error('nobody answers');
  }
  return stage;
}

const environmentOf = (publicUrl: string) => ({
  PORT: '0',
  PUBLIC_URL: publicUrl,
  DEMO: '0',
  DATA_DIR: '/nonexistent',
  TWILIO_ACCOUNT_SID: account.sid,
  TWILIO_AUTH_TOKEN: account.token,
  VOICEMAIL_API_KEY: 'simulated',
  VOICEMAIL_API_SECRET: 'simulated',
  ADMIN_API_KEY: testKey,
  SIM_PACE: String(pace),
  CARRIER_CPS: String(callsPerSecond),
  SOURCE_NUMBER_CALLS_PER_MINUTE: '20',
  API_KEY_REQUESTS_PER_MINUTE: '1000000',
});

/** Only callbacks are late or come twice: whoever calls waits for its TwiML. */
function treatmentOf(
  { url }: IncomingMessage,
  fate: 'twice' | 'pass' | { seconds: number },
  clock: RunningClock,
): Treatment {
  if (!/\/status\b/.test(url ?? '') || fate === 'pass') return 'pass';
  if (fate === 'twice') return 'twice';
  return { after: new Promise<void>((resolve) => clock.after(fate.seconds * 1000, resolve)) };
}

/** Forgets the stream, as if nats-server had lost its disk. */
async function wipe(natsUrl: string): Promise<void> {
  const connection = await connect({ servers: natsUrl });
  try {
    await (await jetstreamManager(connection)).streams.delete('world').catch(() => {}); // there is none yet
  } finally {
    await connection.close();
  }
}
