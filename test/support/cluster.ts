import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openClock, type RunningClock } from '../../src/clock.ts';
import { startCarrier, type Carrier } from '../../src/simulator/carrier.ts';
import type { Random } from '../../chaos/random.ts';
import { eventually } from './eventually.ts';
import { quickFolder } from './folder.ts';
import { openFront, type Treatment } from './front.ts';
import { testKey } from './program.ts';
import { openNats } from './relay-process.ts';

/** The part that a process has. */
export type Role = 'api' | 'worker';

/** What a deployment is made of. */
export interface ClusterOptions {
  databaseUrl: string;
  /** One process for each. */
  roles: readonly Role[];
  startAt: Date;
  /** What becomes of a request to the carrier. */
  treat: () => Treatment;
  /** Takes what the processes log; left out: they are silent. */
  logFile?: string | undefined;
}

/** A deployment: processes that are replaced when they end, behind one address; they share a nats-server and a carrier. */
export interface Cluster {
  /** The address of whichever api process answers. */
  readonly url: string;
  readonly natsUrl: string;
  readonly clock: RunningClock;
  readonly carrier: Carrier;
  /** Deaths of processes that could serve and were not killed, with their last words; there should be none. */
  readonly deaths: string[];
  /** Resolves when every process can serve. */
  ready(): Promise<void>;
  /** Kills one of the processes that live, unless fewer than half can serve: a slow machine takes longer to start them. */
  killOne(random: Random): boolean;
  killNats(): Promise<void>;
  startNats(): Promise<void>;
  /** Kills all processes, lets the carrier's time pass until then, and starts them again. */
  sleepUntil(at: Date): Promise<void>;
  close(): Promise<void>;
}

const account = { sid: `AC${'1'.repeat(32)}`, token: 'a-token-of-the-cluster' };

/** How many times faster than life people are. */
const pace = 50;

/** How many calls a second the account may start. */
const callsPerSecond = 200;

/** How long a process that ended by itself is gone, in milliseconds. */
const replacedMs = 200;

interface Member {
  role: Role;
  child: ChildProcess | null;
  /** Where it serves; null: not yet, or no more. */
  url: string | null;
}

/** Starts a deployment. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = quickFolder('cluster');
  const clock = openClock(options.startAt);
  const nats = await openNats();
  const carrier = await startCarrier({
    port: 0,
    accountSid: account.sid,
    authToken: account.token,
    pace,
    callsPerSecond,
    clock,
  });
  const members = options.roles.map((role): Member => ({ role, child: null, url: null }));
  let next = 0;
  const toApi = await openFront(() => {
    const able = members.filter(({ role, url }) => role === 'api' && url !== null);
    next += 1;
    return able[next % able.length]?.url ?? null;
  });
  const toCarrier = await openFront(() => carrier.url, { treat: options.treat });
  const logs = options.logFile ? createWriteStream(options.logFile, { flags: 'a' }) : null;
  const deaths: string[] = [];
  let isOpen = true;

  const environment = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PORT: '0',
    PUBLIC_URL: toApi.url,
    DATABASE_URL: options.databaseUrl,
    NATS_URL: nats.url,
    DATA_DIR: folder,
    NODE_COMPILE_CACHE: join(import.meta.dirname, '../../.cache/compiled'),
    TWILIO_API_URL: toCarrier.url,
    TWILIO_ACCOUNT_SID: account.sid,
    TWILIO_AUTH_TOKEN: account.token,
    ADMIN_API_KEY: testKey,
    API_KEY_REQUESTS_PER_MINUTE: '1000000',
    DEMO: '0',
    SIM_PACE: String(pace),
    CARRIER_CPS: String(callsPerSecond),
    SOURCE_NUMBER_CALLS_PER_MINUTE: '100000',
    LOG_LEVEL: logs ? 'info' : 'silent',
  };

  function start(member: Member): void {
    const file = join(import.meta.dirname, 'cluster-member.ts');
    const child = spawn(process.execPath, [file, String(clock.shiftMs())], {
      env: { ...environment, ROLE: member.role },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaint = '';
    member.child = child;
    child.stderr.on('data', (piece: Buffer) => (complaint = `${complaint}${piece.toString()}`.slice(-2_000)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /GraphQL\s+(http:\S+)\/graphql/.exec(line)?.[1];
      if (url) member.url = url;
      else if (line.startsWith('{')) logs?.write(`${child.pid} ${member.role} ${line}\n`);
    });
    child.once('exit', (code, signal) => {
      const byItself = signal !== 'SIGKILL';
      if (byItself && member.url) deaths.push(`a ${member.role} ended with ${code ?? signal}: ${complaint}`);
      if (byItself) logs?.write(`${child.pid} ${member.role} ended with ${code ?? signal}: ${complaint}\n`);
      member.url = null;
      member.child = null;
      // Who cannot start, as long as Postgres is away, tries again like under any supervisor.
      if (isOpen) setTimeout(() => isOpen && !member.child && start(member), byItself ? replacedMs : 0);
    });
  }

  async function killAll(): Promise<void> {
    isOpen = false;
    await Promise.all(
      members.map(async ({ child }) => {
        if (!child) return;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }),
    );
  }

  function startAll(): void {
    isOpen = true;
    for (const member of members) if (!member.child) start(member);
  }

  const ready = async () => void (await eventually(() => members.every(({ url }) => url !== null), 180_000));

  const abandon = () => members.forEach(({ child }) => child?.kill('SIGKILL'));
  process.once('exit', abandon);
  startAll();
  return {
    url: toApi.url,
    natsUrl: nats.url,
    clock,
    carrier,
    deaths,
    ready,
    killOne: (random) => {
      const alive = members.filter(({ child }) => child !== null);
      const serving = alive.filter(({ url }) => url !== null);
      if (serving.length < members.length / 2) return false;
      return random.pick(alive).child?.kill('SIGKILL') ?? false;
    },
    killNats: () => nats.kill(),
    startNats: () => nats.start(),
    sleepUntil: async (at) => {
      await killAll();
      await clock.advance(at);
      startAll();
    },
    close: async () => {
      await killAll();
      process.off('exit', abandon);
      await nats.close();
      await toApi.close();
      await toCarrier.close();
      await carrier.close();
      logs?.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
