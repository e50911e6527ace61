import type { RunningClock } from '../src/clock.ts';
import { readConfig } from '../src/config.ts';
import { startProgram, type Program } from '../src/program.ts';
import { openFront } from '../test/support/front.ts';
import { openProxy } from '../test/support/proxy.ts';
import { openProcessClock } from './clock.ts';
import type { Treatment } from '../test/support/front.ts';

/** What a process is started with. */
interface ProcessOptions {
  clock: RunningClock;
  databaseUrl: string;
  natsUrl: string;
  carrierUrl: string;
  /** What becomes of its next request to the carrier. */
  treat: () => Treatment;
  environment: Record<string, string>;
  log: (line: string, error?: unknown) => void;
}

/** A program within this process whose every way out can be cut: so it dies, or freezes, in the middle of anything. */
export interface SimulatedProcess {
  readonly program: Program;
  readonly isAwake: () => boolean;
  readonly isDead: () => boolean;
  /** Resolves when it has just died. */
  readonly died: Promise<void>;
  /** Does it just before the so-manieth piece that it sends to Postgres from now on, or just after: then nobody hears the answer. */
  arm(trap: { pieces: number; isAfter: boolean; spring: () => void }): void;
  die(): void;
  freeze(): void;
  thaw(): void;
  /** Resolves when it answers again, if it is frozen; rejects when it is dead. */
  awake(): Promise<void>;
  /** Ends it in order, or clears away what is left of it. */
  stop(): Promise<void>;
}

/** How long the remains of a dead process may take to be cleared away, in milliseconds. */
const clearMs = 5_000;

/** Starts a process. */
export async function startProcess(options: ProcessOptions): Promise<SimulatedProcess> {
  const clock = openProcessClock(options.clock);
  const died = Promise.withResolvers<void>();
  let state: 'awake' | 'frozen' | 'dead' = 'awake';
  let thawed = Promise.withResolvers<void>();
  thawed.promise.catch(() => {});
  let trap: Parameters<SimulatedProcess['arm']>[0] | null = null;
  const awake = () =>
    state === 'awake'
      ? Promise.resolve()
      : state === 'dead'
        ? Promise.reject(new Error('dead'))
        : thawed.promise;
  /** Counts what goes to Postgres; the trap springs at its piece. */
  const judge = () => {
    if (!trap || (trap.pieces -= 1) > 0) return 'pass';
    const { isAfter, spring } = trap;
    trap = null;
    if (!isAfter) spring();
    else setImmediate(spring);
    return isAfter ? 'swallow the answer' : 'swallow';
  };
  const wires = { swallowed: () => {}, admits: () => state === 'awake' };
  const [database, nats, carrier] = await Promise.all([
    openProxy(addressOf(options.databaseUrl), { ...wires, judge }),
    openProxy(addressOf(options.natsUrl), { ...wires, judge: () => 'pass' }),
    openFront(() => (state === 'awake' ? options.carrierUrl : null), {
      treat: options.treat,
      answering: awake,
    }),
  ]);
  const program = await startProgram(
    readConfig({
      ...options.environment,
      DATABASE_URL: through(options.databaseUrl, database.port),
      NATS_URL: through(options.natsUrl, nats.port),
      TWILIO_API_URL: carrier.url,
      VOICEMAIL_API_URL: `${carrier.url}/voicemail`,
    }),
    (line, error) => state === 'dead' || options.log(line, error),
    clock,
  );
  const cutOff = () => {
    database.cut();
    nats.cut();
  };
  let clearing: Promise<void> | null = null;
  function die(): void {
    if (state === 'dead') return;
    state = 'dead';
    thawed.reject(new Error('dead'));
    cutOff();
    carrier.cut();
    clock.end();
    died.resolve();
    clearing = Promise.race([program.stop(), new Promise<void>((done) => setTimeout(done, clearMs).unref())]);
  }
  return {
    program,
    isAwake: () => state === 'awake',
    isDead: () => state === 'dead',
    died: died.promise,
    arm: (given) => void (trap = given),
    die,
    freeze: () => {
      if (state !== 'awake') return;
      state = 'frozen';
      thawed = Promise.withResolvers();
      thawed.promise.catch(() => {});
      clock.freeze();
      cutOff();
    },
    thaw: () => {
      if (state !== 'frozen') return;
      state = 'awake';
      clock.thaw();
      thawed.resolve();
    },
    awake,
    stop: async () => {
      trap = null;
      await (clearing ?? program.stop());
      await Promise.all([database.close(), nats.close(), carrier.close()]);
    },
  };
}

const addressOf = (url: string) => {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
};

function through(url: string, port: number): string {
  const changed = new URL(url);
  changed.hostname = '127.0.0.1';
  changed.port = String(port);
  return changed.href;
}
