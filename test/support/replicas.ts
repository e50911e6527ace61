import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Program } from '../../src/program.ts';
import { eventually } from './eventually.ts';
import type { Front } from './front.ts';

/** Processes that serve the API side by side, each request of whichever is next. */
export interface Replicas {
  /** The addresses of those that can serve. */
  readonly urls: string[];
  /** Everything that they have logged, as JSON has it. */
  readonly lines: Record<string, unknown>[];
  /** Asks one to leave, as a rollout does; resolves with its exit code once it has. */
  leave(index: number): Promise<number | null>;
  /** Starts one more; resolves once it can serve. */
  join(): Promise<void>;
  close(): Promise<void>;
}

interface Member {
  child: ChildProcess;
  /** Where it serves; null: not yet, or no more. */
  url: string | null;
}

/** Settings with which a process uses the carrier that another one simulates. */
const simulatedBy = (simulatorUrl: string) => ({
  TWILIO_API_URL: simulatorUrl,
  TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
  TWILIO_AUTH_TOKEN: 'simulated-carrier-token',
  VOICEMAIL_API_URL: `${simulatorUrl}/voicemail`,
  VOICEMAIL_API_KEY: 'simulated',
  VOICEMAIL_API_SECRET: 'simulated',
});

/** Starts so many processes that serve the API beside a program that works and simulates the carrier. */
export async function openReplicas(
  count: number,
  beside: { worker: Program; front: Front; environment: Record<string, string> },
): Promise<Replicas> {
  const { worker, front, environment } = beside;
  const { CLOCK_START: _, ...settings } = environment;
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    ...settings,
    ...simulatedBy(worker.simulatorUrl!),
    PUBLIC_URL: front.url,
    ROLE: 'api',
  };
  const members: Member[] = [];
  const lines: Record<string, unknown>[] = [];

  async function start(): Promise<void> {
    const file = join(import.meta.dirname, 'cluster-member.ts');
    const child = spawn(process.execPath, [file, String(worker.clock.shiftMs())], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const member: Member = { child, url: null };
    members.push(member);
    createInterface({ input: child.stdout }).on('line', (line) => {
      member.url ??= /GraphQL\s+(http:\S+)\/graphql/.exec(line)?.[1] ?? null;
      if (line.startsWith('{')) lines.push(JSON.parse(line) as Record<string, unknown>);
    });
    child.once('exit', () => {
      member.url = null;
    });
    await eventually(() => member.url !== null, 60_000);
  }

  const abandon = () => members.forEach(({ child }) => child.kill('SIGKILL'));
  process.once('exit', abandon);
  const close = async () => {
    await Promise.all(
      members.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }),
    );
    process.off('exit', abandon);
  };
  await Promise.all(Array.from({ length: count }, start)).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    get urls() {
      return members.flatMap(({ url }) => url ?? []);
    },
    lines,
    join: start,
    leave: async (index) => {
      const member = members[index]!;
      const { child } = member;
      member.url = null; // what spreads requests hears of it first, as preStop has it
      const left = once(child, 'exit') as Promise<[number | null]>;
      child.kill('SIGTERM');
      return (await left)[0];
    },
    close,
  };
}
