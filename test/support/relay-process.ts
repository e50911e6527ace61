/**
 * What a test of the relay kills: relays in processes of their own, and a nats-server that comes back on its port
 * with its store. As a program it is such a relay: its argument is `{ databaseUrl, natsUrl }` as JSON, and it prints
 * `leading` whenever its work as the leader begins.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { natsFinders } from '../../src/embedded/nats.ts';
import { relayEvents } from '../../src/jobs/relay-events.ts';
import { openStream } from '../../src/stream.ts';
import { openWorld } from '../../src/world.ts';
import { eventually } from './eventually.ts';
import { quickFolder } from './folder.ts';

/** Where a relay reads and where it publishes. */
export interface RelayOptions {
  databaseUrl: string;
  natsUrl: string;
}

if (import.meta.main) await relay(JSON.parse(process.argv[2] ?? '') as RelayOptions);

async function relay({ databaseUrl, natsUrl }: RelayOptions): Promise<void> {
  const log = (line: string, error?: unknown) =>
    process.stderr.write(`${line}: ${(error as Error | undefined)?.message}\n`);
  const world = await openWorld({ databaseUrl, poolSize: 4 });
  const stream = await openStream({ url: natsUrl, log });
  const lead: typeof world.lead = (name, signal, work) =>
    world.lead(name, signal, (session) => {
      process.stdout.write('leading\n');
      return work(session);
    });
  await relayEvents({ world: { ...world, lead }, stream, log }, new AbortController().signal);
}

/** Two relays, the leader and its standby; whichever ends is replaced. */
export function openRelays(options: RelayOptions) {
  const running = new Set<ChildProcess>();
  let leader: ChildProcess | null = null;
  let open = true;
  let terms = 0;
  const counts = { killed: 0, terms: () => terms };

  function start(): void {
    const file = import.meta.filename;
    const child = spawn(process.execPath, [file, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', process.env['RELAY_LOG'] ? 'inherit' : 'ignore'],
    });
    running.add(child);
    createInterface({ input: child.stdout }).on('line', () => {
      leader = child;
      terms += 1;
    });
    child.once('exit', () => {
      running.delete(child);
      if (leader === child) leader = null;
      if (open) start();
    });
  }
  start();
  start();

  /** The process that leads, once one does. */
  const leading = () =>
    eventually(() => {
      if (leader === null) throw new Error(`none of ${running.size} relays leads`);
      return leader;
    }, 20_000);

  return {
    counts,
    leading,
    /** Kills whichever leads, as soon as one does. */
    async killLeader(): Promise<void> {
      const victim = await leading();
      const gone = once(victim, 'exit');
      victim.kill('SIGKILL');
      await gone;
      counts.killed += 1;
    },
    async close(): Promise<void> {
      open = false;
      await Promise.all(
        [...running].map(async (child) => {
          const gone = once(child, 'exit');
          child.kill('SIGKILL');
          await gone;
        }),
      );
    },
  };
}

/** A nats-server with JetStream that can be killed and comes back on the same port with the same store. */
export async function openNats() {
  const folder = quickFolder('nats');
  const port = await freePort();
  const config = join(folder, 'nats.conf');
  const url = `nats://127.0.0.1:${port}`;
  writeFileSync(config, `host: "127.0.0.1"\nport: ${port}\njetstream {\n  store_dir: "${folder}"\n}\n`);
  const binary = await findBinary(folder);
  let child: ChildProcess | null = null;

  async function start(): Promise<void> {
    child = spawn(binary, ['-c', config], { stdio: 'ignore' });
    await eventually(async () => {
      const connection = await connect({ servers: url, reconnect: false, timeout: 500 });
      try {
        return await jetstreamManager(connection, { timeout: 500 });
      } finally {
        await connection.close();
      }
    });
  }

  async function kill(): Promise<void> {
    if (child === null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    child = null;
  }

  await start();
  return {
    url,
    start,
    kill,
    async close(): Promise<void> {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function findBinary(folder: string): Promise<string> {
  const given = process.env['NATS_SERVER_BIN'];
  if (given) return given;
  const search = {
    log: () => {},
    path: process.env['PATH'] ?? '',
    cacheDirs: [join(import.meta.dirname, '../../.cache'), join(folder, 'cache')],
    releases: 'https://github.com/nats-io/nats-server/releases/download',
  };
  for (const finder of natsFinders) {
    const found = await finder.find(search).catch(() => null);
    if (found !== null) return found;
  }
  throw new Error('no nats-server was found; set NATS_SERVER_BIN');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
