/**
 * The embedded nats-server: JetStream on in `<dataDir>/nats`, loopback only. npm has no binary of it, so it is
 * looked for on the machine and then fetched, without installing anything.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { embed, readIfPresent, type Embedded, type Service } from './process.ts';

const run = promisify(execFile);

/** The official release that is fetched; 2.9 is the oldest that is accepted from elsewhere. */
const RELEASE = '2.10.29';
const PLATFORM = `${process.platform}-${process.arch}`;

/** What `startNats` needs to know. */
export interface NatsOptions {
  /** The folder for everything embedded, `.data`; made if missing. */
  readonly dataDir: string;
  /** Receives one line at a time, for people. */
  readonly log: (line: string) => void;
  /** `NATS_SERVER_BIN`: the binary to use; then nothing is looked for. */
  readonly binary?: string | undefined;
  /** `PATH`, to look for an installed one. Default: the system's two folders for servers alone. */
  readonly path?: string | undefined;
  /** Where a fetched binary is kept. Default: the project's `.cache`, else `<dataDir>/cache`. */
  readonly cacheDirs?: readonly string[];
  /** Where releases are downloaded from. Default: GitHub. */
  readonly releases?: string;
  /** The ways of finding a binary, in order. Default: `natsFinders`. */
  readonly finders?: readonly NatsFinder[];
}

/** One way of finding a nats-server. */
export interface NatsFinder {
  /** For the message when all have failed: `PATH`. */
  readonly name: string;
  /** The path of a nats-server that works; throws with the reason where there is none. */
  find(search: NatsSearch): Promise<string>;
}

/** What a finder may use; every default filled in. */
type NatsSearch = Required<Pick<NatsOptions, 'log' | 'cacheDirs' | 'releases'>> & { path: string };

/** PATH, the project's cache, the official release, the system's package manager. */
export const natsFinders: readonly NatsFinder[] = [
  { name: 'PATH, /usr/sbin, /usr/local/sbin', find: findInstalled },
  { name: 'the cache', find: findCached },
  { name: `the official release ${RELEASE}`, find: (search) => download(search, unpackRelease) },
  { name: 'apt-get download', find: (search) => download(search, unpackPackage) },
];

/** Starts nats-server with JetStream, or takes over the one that a killed program left running. */
export function startNats(options: NatsOptions): Promise<Embedded> {
  const dataDir = resolve(options.dataDir);
  return embed(dataDir, 'nats', async () => {
    const store = join(dataDir, 'nats');
    mkdirSync(store, { recursive: true, mode: 0o700 });
    return describe(realpathSync(store), await findNats(options), options.log);
  });
}

function describe(store: string, binary: string, log: (line: string) => void): Service {
  const config = join(store, 'nats.conf');
  const name = `callwell-${createHash('sha256').update(store).digest('hex').slice(0, 12)}`;
  return {
    name: 'nats-server',
    mark: config,
    logFile: join(store, 'nats.log'),
    signals: [['SIGTERM', 6000]],
    log,
    url: (port) => `nats://127.0.0.1:${port}`,
    recorded: () => {
      const pid = readIfPresent(join(store, 'nats.pid'));
      const port = /^port: (\d+)$/m.exec(readIfPresent(config) ?? '')?.[1];
      return pid === undefined || port === undefined ? undefined : { pid: Number(pid), port: Number(port) };
    },
    command: (port) => {
      writeFileSync(config, settings(store, name, port));
      return { file: binary, args: ['-c', config] };
    },
    answers: async (port) => {
      const info = await greeting(port);
      return info?.server_name === name && info.jetstream === true;
    },
  };
}

function settings(store: string, name: string, port: number): string {
  return [
    `server_name: "${name}"`,
    'host: "127.0.0.1"',
    `port: ${port}`,
    `pid_file: ${JSON.stringify(join(store, 'nats.pid'))}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(store)}`,
    '}',
    '',
  ].join('\n');
}

/** The INFO that a nats-server sends first, or undefined where none comes within two seconds. */
function greeting(port: number): Promise<{ server_name?: string; jetstream?: boolean } | undefined> {
  const { promise, resolve } = Promise.withResolvers<
    { server_name?: string; jetstream?: boolean } | undefined
  >();
  let text = '';
  const socket = connect({ port, host: '127.0.0.1' })
    .setEncoding('utf8')
    .setTimeout(2000, () => socket.destroy())
    .on('error', () => undefined)
    .on('close', () => resolve(undefined))
    .on('data', (part: string) => {
      text += part;
      const info = /^INFO (\{.*\})\s*\r\n/.exec(text)?.[1];
      if (info === undefined) return;
      resolve(JSON.parse(info) as { server_name?: string; jetstream?: boolean });
      socket.destroy();
    });
  return promise;
}

/** The path of a nats-server that works: looked for, else fetched. Throws with what to do where there is none. */
export async function findNats(options: NatsOptions): Promise<string> {
  if (options.binary !== undefined) {
    const binary = resolve(options.binary);
    await versionOf(binary).catch((cause: unknown) => {
      throw new Error(`NATS_SERVER_BIN does not work: ${reason(cause)}`, { cause });
    });
    return binary;
  }
  const search: NatsSearch = {
    log: options.log,
    path: options.path ?? '',
    cacheDirs: options.cacheDirs ?? [
      resolve(import.meta.dirname, '../..', '.cache'),
      resolve(options.dataDir, 'cache'),
    ],
    releases: options.releases ?? 'https://github.com/nats-io/nats-server/releases/download',
  };
  const tried: string[] = [];
  for (const finder of options.finders ?? natsFinders) {
    try {
      return await finder.find(search);
    } catch (error) {
      tried.push(`  ${finder.name}: ${reason(error)}`);
    }
  }
  throw new Error(
    `no nats-server was found. Tried:\n${tried.join('\n')}\n` +
      'Install it (apt-get install nats-server, brew install nats-server, https://nats.io/download), ' +
      'or set NATS_SERVER_BIN to its path, or NATS_URL to a running one with JetStream.',
  );
}

/** One line of the real reason: a child's last words on `stderr`, or what fetch hides in `cause`. */
function reason(error: unknown): string {
  const { message = '', stderr, cause } = error as { message?: string; stderr?: string; cause?: unknown };
  const below = cause instanceof Error ? `: ${cause.message || cause.name}` : '';
  return stderr?.trim().split('\n').at(-1) || `${message.split('\n')[0]}${below}`;
}

async function versionOf(binary: string): Promise<string> {
  const { stdout } = await run(binary, ['--version'], { timeout: 5000 });
  const [, version = '', major, minor] = /v((\d+)\.(\d+)\.\d+)/.exec(stdout) ?? [];
  if (Number(major) * 100 + Number(minor) >= 209) return version;
  throw new Error(`${binary} is not nats-server 2.9 or later: ${stdout.trim()}`);
}

function findInstalled(search: NatsSearch): Promise<string> {
  const folders = [...search.path.split(delimiter).filter(Boolean), '/usr/sbin', '/usr/local/sbin'];
  return firstWorking(folders.map((folder) => join(folder, 'nats-server')));
}

function findCached(search: NatsSearch): Promise<string> {
  const cached = search.cacheDirs.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.startsWith('nats-server-') && name.endsWith(`-${PLATFORM}`))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      .map((name) => join(folder, name)),
  );
  return firstWorking(cached);
}

async function firstWorking(candidates: string[]): Promise<string> {
  const failures: string[] = [];
  for (const file of candidates.filter(existsSync)) {
    try {
      await versionOf(file);
      return file;
    } catch (error) {
      failures.push(reason(error));
    }
  }
  throw new Error(failures.join('; ') || 'not there');
}

/** Unpacks in the cache, not in /tmp, which may not allow programs; the last step makes it appear whole. */
async function download(
  search: NatsSearch,
  unpack: (search: NatsSearch, folder: string) => Promise<string>,
): Promise<string> {
  const [cache, folder] = await workFolder(search.cacheDirs);
  try {
    const binary = await unpack(search, folder);
    chmodSync(binary, 0o755);
    const kept = join(cache, `nats-server-${await versionOf(binary)}-${PLATFORM}`);
    await rename(binary, kept);
    search.log(`kept nats-server as ${kept}`);
    return kept;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first cache that can be written, and a new folder in it. */
async function workFolder(cacheDirs: readonly string[]): Promise<[string, string]> {
  let failure: unknown = new Error('no cache folder');
  for (const cache of cacheDirs) {
    try {
      await mkdir(cache, { recursive: true });
      return [cache, await mkdtemp(join(cache, 'download-'))];
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function unpackRelease(search: NatsSearch, folder: string): Promise<string> {
  const names: Record<string, string> = { x64: 'amd64', arm: 'arm7', ia32: '386', ppc64: 'ppc64le' };
  const name = `nats-server-v${RELEASE}-${process.platform}-${names[process.arch] ?? process.arch}`;
  search.log(`downloading ${name} from ${search.releases}`);
  // Four seconds for the small file, so that a machine that is offline moves on.
  const sums = (await get(`${search.releases}/v${RELEASE}/SHA256SUMS`, 4000)).toString();
  const [sum] =
    sums
      .split('\n')
      .find((line) => line.trim().endsWith(`${name}.tar.gz`))
      ?.split(/\s+/) ?? [];
  if (sum === undefined) throw new Error(`there is none for ${PLATFORM}`);
  const archive = await get(`${search.releases}/v${RELEASE}/${name}.tar.gz`, 180_000);
  if (createHash('sha256').update(archive).digest('hex') !== sum) {
    throw new Error(`the checksum of ${name}.tar.gz is wrong; it was not used`);
  }
  await writeFile(join(folder, 'release.tar.gz'), archive);
  await run('tar', ['-xzf', join(folder, 'release.tar.gz'), '-C', folder]);
  return join(folder, name, 'nats-server');
}

async function get(url: string, timeoutMs: number): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

/** Needs neither root nor package lists: where there are none, apt reads them into the work folder. */
async function unpackPackage(search: NatsSearch, folder: string): Promise<string> {
  const options = { cwd: folder, timeout: 180_000 };
  const common = [
    `Dir::Cache=${join(folder, 'cache')}`,
    'Debug::NoLocking=true',
    // As root apt becomes a user of its own, who may not reach this folder.
    'APT::Sandbox::User=root',
    'Acquire::Retries=1',
    'Acquire::http::Timeout=10',
  ].flatMap((option) => ['-o', option]);
  await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
  search.log('downloading nats-server with apt-get (nothing is installed)');
  await run('apt-get', [...common, 'download', 'nats-server'], options).catch(async (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    search.log('reading the package lists (apt-get update) into a folder of our own');
    const lists = ['-o', `Dir::State::Lists=${join(folder, 'lists')}`];
    const own = [...common, ...lists, '-o', 'Dir::State::status=/var/lib/dpkg/status'];
    await run('apt-get', [...own, 'update'], options);
    await run('apt-get', [...own, 'download', 'nats-server'], options);
  });
  const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (file === undefined) throw new Error('apt-get downloaded nothing');
  await run('dpkg-deb', ['-x', join(folder, file), join(folder, 'package')]);
  return join(folder, 'package', 'usr', 'sbin', 'nats-server');
}
