/**
 * What the embedded Postgres and the embedded nats-server share: one owner per data directory, children that
 * outlive a killed program unharmed and are found again by the next one, and an orderly stop.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** A log longer than this starts anew at the next start. */
const LOG_LIMIT_BYTES = 10_000_000;

/** A service that this program started, or found running, and owns until `stop` resolves. */
export interface Embedded {
  /** Where it listens, with the password if there is one. */
  readonly url: string;
  /** Stops the service and gives up its data directory. The second call waits for the first. */
  stop(): Promise<void>;
}

/** The user and group that a child runs as; only root may choose. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** A process of a service and the loopback port it listens on. */
interface Running {
  readonly pid: number;
  readonly port: number;
  /** Left out: an earlier program has started it. */
  readonly child?: ChildProcess;
}

/** How one kind of service is found, started, asked and stopped. */
export interface Service {
  /** For messages: `Postgres`. */
  readonly name: string;
  /** An argument that only this data directory's process has on its command line. */
  readonly mark: string;
  /** Takes the child's output. A file and not a pipe, so that the child outlives us. */
  readonly logFile: string;
  /** Signals tried in turn, each with the milliseconds given to it; SIGKILL comes last by itself. */
  readonly signals: readonly (readonly [NodeJS.Signals, number])[];
  /** Receives one line at a time, for people. */
  readonly log: (line: string) => void;
  /** The process that the files of a former run name, alive or not. */
  recorded(): Running | undefined;
  /** What to run so that it listens on `port`; called when nothing runs on the data directory. */
  command(port: number): { file: string; args: string[]; account?: Account | undefined };
  /** Whether it accepts work on `port`; throws where waiting cannot help. */
  answers(port: number): Promise<boolean>;
  /** The URL to hand out. */
  url(port: number): string;
}

/**
 * Takes `<dataDir>/<name>.lock` for this program, prepares the service, adopts its process if a killed program
 * left one behind, and starts one otherwise. Refuses with "already in use by process N" while another has it.
 */
export async function embed(
  dataDir: string,
  name: string,
  prepare: () => Promise<Service>,
): Promise<Embedded> {
  const release = claim(dataDir, name);
  try {
    const service = await prepare();
    const running = (await adopt(service)) ?? (await launch(service));
    return own(service, running, release);
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * An open SQLite transaction is the portable way to an advisory file lock in Node: the kernel drops it when the
 * program dies, however it dies, so there are no stale locks to recognise and nothing to race for.
 */
function claim(dataDir: string, name: string): () => void {
  mkdirSync(dataDir, { recursive: true });
  const ownerFile = join(dataDir, `${name}.owner`);
  const lockFile = join(dataDir, `${name}.lock`);
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(lockFile, { timeout: 100 });
    lock.exec('BEGIN IMMEDIATE');
    writeFileSync(ownerFile, `${process.pid}\n`);
    return lock.close.bind(lock);
  } catch (error) {
    lock?.close();
    // SQLITE_BUSY
    if ((error as { errcode?: number }).errcode === 5) {
      const owner = readIfPresent(ownerFile)?.trim() ?? 'unknown';
      throw new Error(`${dataDir} (${name}) is already in use by process ${owner}`, { cause: error });
    }
    throw new Error(`cannot lock ${lockFile}: ${String(error)}; was it made by another user?`, {
      cause: error,
    });
  }
}

async function adopt(service: Service): Promise<Running | undefined> {
  const running = service.recorded();
  if (running === undefined || !isAlive(service, running)) return undefined;
  if (await isReady(service, running, 30_000)) {
    service.log(`found ${service.name} still running (process ${running.pid}) and took it over`);
    return running;
  }
  await halt(service, running);
  return undefined;
}

/** Tries three times: the port may be taken meanwhile, or the former run's children still be going down. */
async function launch(service: Service): Promise<Running> {
  let logged = readIfPresent(service.logFile)?.length ?? 0;
  if (logged > LOG_LIMIT_BYTES) {
    truncateSync(service.logFile);
    logged = 0;
  }
  for (const pause of [0, 300, 1500]) {
    await sleep(pause);
    const started = await spawnOn(service, await freePort());
    try {
      if (await isReady(service, started, 60_000)) return started;
    } catch (error) {
      await halt(service, started);
      throw error;
    }
    await halt(service, started);
  }
  const output = readIfPresent(service.logFile)?.slice(logged).trim().slice(-2000);
  throw new Error(`the embedded ${service.name} does not start; ${service.logFile} says:\n${output}`);
}

async function spawnOn(service: Service, port: number): Promise<Running> {
  const { file, args, account } = service.command(port);
  const output = openSync(service.logFile, 'a', 0o600);
  try {
    const child = spawn(file, args, {
      ...account,
      // A session of its own, so that Ctrl-C in the terminal reaches us alone and we stop it in order.
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', output, output],
    });
    await once(child, 'spawn');
    child.unref();
    return { pid: child.pid ?? 0, port, child };
  } finally {
    closeSync(output);
  }
}

async function isReady(service: Service, running: Running, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isAlive(service, running) && performance.now() < deadline) {
    if (await service.answers(running.port)) return true;
    await sleep(20);
  }
  return false;
}

function own(service: Service, running: Running, release: () => void): Embedded {
  const atExit = () => {
    const first = service.signals[0];
    if (first !== undefined) sendSignal(service, running, first[0]);
  };
  const mourn = () => {
    service.log(`the embedded ${service.name} stopped by itself; see ${service.logFile}`);
  };
  const close = async () => {
    running.child?.off('exit', mourn);
    await halt(service, running);
    process.off('exit', atExit);
    release();
  };
  process.on('exit', atExit);
  running.child?.once('exit', mourn);
  let closing: Promise<void> | undefined;
  return { url: service.url(running.port), stop: () => (closing ??= close()) };
}

async function halt(service: Service, running: Running): Promise<void> {
  for (const [signal, waitMs] of [...service.signals, ['SIGKILL', 2000] as const]) {
    sendSignal(service, running, signal);
    const deadline = performance.now() + waitMs;
    while (isAlive(service, running) && performance.now() < deadline) await sleep(10);
    if (!isAlive(service, running)) return;
  }
}

function sendSignal(service: Service, running: Running, signal: NodeJS.Signals): void {
  if (isAlive(service, running)) process.kill(running.pid, signal);
}

/**
 * Of a child we hear its end. What another program has started is told by its command line, because a recorded pid may since
 * belong to a stranger, or be a zombie nobody reaps; of a child that has only just begun that would still be empty.
 */
function isAlive(service: Service, { pid, child }: Running): boolean {
  if (child) return child.exitCode === null && child.signalCode === null;
  return ` ${commandOf(pid)} `.includes(` ${service.mark} `);
}

function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    }
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', `${pid}`], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The text of a file, or undefined where there is none. */
export function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
