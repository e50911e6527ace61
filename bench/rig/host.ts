/** Processes of the benchmark's own: each holds one contender, or one client, and is called like a module. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process that serves the exported functions of one module. */
export interface Host {
  pid: number;
  /** Calls one of them; what it is given and answers is copied. */
  call<T = void>(name: string, ...given: unknown[]): Promise<T>;
  close(): Promise<void>;
}

/** What goes to such a process, and what comes back. */
export interface Request {
  id: number;
  name: string;
  given: unknown[];
}
/** The answer to a `Request`. */
export interface Reply {
  id: number;
  result?: unknown;
  fault?: string;
}

/** How long a process may take to end by itself, in milliseconds. */
const goneMs = 2_000;

/** Starts a process with a module of `bench/`. */
export function openHost(file: string): Host {
  const child = fork(join(import.meta.dirname, 'host-process.ts'), [join(import.meta.dirname, '..', file)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  let lastId = 0;
  const abandon = () => child.kill('SIGKILL');
  process.once('exit', abandon);
  child.on('message', (reply: Reply) => {
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  child.once('exit', (code, signal) => {
    process.off('exit', abandon);
    for (const [id, settle] of waiting) settle({ id, fault: `${file} ended with ${code ?? signal}` });
    waiting.clear();
  });
  return {
    pid: child.pid!,
    call: <T>(name: string, ...given: unknown[]) =>
      new Promise<T>((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, ({ result, fault }) =>
          fault === undefined ? resolve(result as T) : reject(new Error(fault)),
        );
        child.send({ id: lastId, name, given } satisfies Request);
      }),
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      if (child.connected) child.disconnect(); // then it ends by itself, and what it has started with it
      const timer = setTimeout(() => child.kill('SIGKILL'), goneMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

/** How much processor time a process has used, in milliseconds; NaN where the system does not tell. */
export function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10; // in hundredths of a second on every Linux
  } catch {
    return Number.NaN;
  }
}

/** How much memory a process holds, in kilobytes; NaN where the system does not tell. */
export function residentKbOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return Number.NaN;
  }
}
