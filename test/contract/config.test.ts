/** What the environment may say, and how the program refuses to start when it says something wrong. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { ConfigError, readConfig, type Config } from '../../src/config.ts';

const sid = `AC${'0123456789abcdef'.repeat(2)}`;

/** Everything that NODE_ENV=production needs. */
const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://callwell:s3cret-database@db.example/callwell',
  NATS_URL: 'nats://nats.example:4222',
  PUBLIC_URL: 'https://calls.example',
  ADMIN_API_KEY: 's3cret-admin-key-of-ours',
  TWILIO_ACCOUNT_SID: sid,
  TWILIO_AUTH_TOKEN: 's3cret-twilio-token',
};

type Environment = Record<string, string | undefined>;

/** The lines of the refusal; none when it starts. */
function mistakes(environment: Environment): string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const [headline, ...lines] = (error as Error).message.split('\n');
    expect(headline).toBe(`The configuration has ${lines.length} mistake(s):`);
    return lines.map((line) => line.replace(/^ {2}- /, ''));
  }
}

/** Runs `work` with files of these contents; answers nothing of them afterwards. */
function withFiles<T>(contents: Record<string, string>, work: (paths: Record<string, string>) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'callwell-config-'));
  try {
    const paths = Object.entries(contents).map(([name, text]) => {
      writeFileSync(join(folder, name), text);
      return [name, join(folder, name)];
    });
    return work(Object.fromEntries(paths) as Record<string, string>);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('an empty environment is a simulation on everything embedded, with the documented defaults', () => {
  const config = readConfig({});
  expect(config).toMatchObject({
    production: false,
    simulation: true,
    role: 'all',
    port: 4000,
    host: '127.0.0.1',
    publicUrl: null,
    databaseUrl: null,
    natsUrl: null,
    natsServerBinary: null,
    dataDir: '.data',
    adminApiKey: null,
    sourceNumberCallsPerMinute: 10,
    apiKeyRequestsPerMinute: 1000,
    clockStart: null,
    demo: true,
    logLevel: 'info',
  });
  expect(config.carrier).toMatchObject({ simulated: true, apiUrl: null, callsPerSecond: 10, pace: 1 });
  expect(config.simulator).toEqual({ port: 4001, pace: 1, callsPerSecond: 10 });
});

test('a variable that is empty is one that is not set, as Compose files write it', () => {
  const empty = Object.fromEntries(
    ['PORT', 'DATABASE_URL', 'ADMIN_API_KEY', 'ROLE', 'DEMO'].map((n) => [n, '']),
  );
  expect(inspect(readConfig(empty))).toBe(inspect(readConfig({})));
});

test('the settings say what they say', () => {
  const config = readConfig({
    PORT: '8080',
    HOST: '0.0.0.0',
    PUBLIC_URL: 'https://calls.example/',
    ROLE: 'worker',
    DEMO: '0',
    CLOCK_START: '2026-03-02T10:00:00-05:00',
    LOG_LEVEL: 'debug',
    SIM_PACE: '2.5',
    SIM_CPS: '7',
    CARRIER_CPS: '3',
    SOURCE_NUMBER_CALLS_PER_MINUTE: '5',
    API_KEY_REQUESTS_PER_MINUTE: '50',
    DATA_DIR: '/var/lib/callwell',
    PATH: '/usr/bin',
  });
  expect(config).toMatchObject({
    port: 8080,
    host: '0.0.0.0',
    publicUrl: 'https://calls.example',
    role: 'worker',
    demo: false,
    logLevel: 'debug',
    dataDir: '/var/lib/callwell',
    executablePath: '/usr/bin',
    sourceNumberCallsPerMinute: 5,
    apiKeyRequestsPerMinute: 50,
    clockStart: new Date('2026-03-02T15:00:00Z'),
    carrier: { callsPerSecond: 3, pace: 2.5 },
    simulator: { port: 8081, pace: 2.5, callsPerSecond: 7 },
  });
  expect(readConfig({ PORT: '0' }).simulator.port).toBe(0);
  expect(readConfig({ PORT: '0', SIM_PORT: '9000' }).simulator.port).toBe(9000);
});

test('a simulated carrier takes ten calls a second and a real one takes one, unless it is said otherwise', () => {
  const real = { TWILIO_ACCOUNT_SID: sid, TWILIO_AUTH_TOKEN: 'x' };
  expect(readConfig(real)).toMatchObject({ simulation: false, demo: false, carrier: { simulated: false } });
  expect(readConfig(real).carrier).toMatchObject({ callsPerSecond: 1, pace: 1, accountSid: sid });
  expect(readConfig({ ...real, SIM_PACE: '50' }).carrier.pace).toBe(1);
  const compatible = readConfig({ ...real, TWILIO_API_URL: 'http://127.0.0.1:9', SIM_PACE: '50' });
  expect(compatible).toMatchObject({
    simulation: true,
    carrier: { simulated: false, pace: 50, callsPerSecond: 1 },
  });
});

test('the configuration cannot be changed', () => {
  const config = readConfig({}) as { -readonly [K in keyof Config]: Config[K] };
  expect(() => {
    config.port = 1;
  }).toThrow(TypeError);
  expect(() => {
    (config.carrier as { pace: number }).pace = 9;
  }).toThrow(TypeError);
});

test.each([
  ['PORT', ['abc', '-1', '65536', '80.5', '4000x']],
  ['SIM_PORT', ['abc', '70000']],
  ['PUBLIC_URL', ['calls.example', 'ftp://calls.example', 'https://']],
  ['DATABASE_URL', ['db.example', 'mysql://db.example/x']],
  ['NATS_URL', ['localhost:4222', 'http://localhost']],
  ['ADMIN_API_KEY', ['short']],
  ['TWILIO_API_URL', ['nope']],
  ['ROLE', ['web', 'ALL']],
  ['SIM_PACE', ['0', '-1', 'fast', 'Infinity', 'NaN']],
  ['SIM_CPS', ['0']],
  ['CARRIER_CPS', ['-2', 'many']],
  ['SOURCE_NUMBER_CALLS_PER_MINUTE', ['0', '1.5']],
  ['API_KEY_REQUESTS_PER_MINUTE', ['0', 'x']],
  ['CLOCK_START', ['yesterday', '2026-03-02', '2026-13-02T10:00:00Z', '2026-03-02T10:00:00']],
  ['DEMO', ['yes', 'true', '2']],
  ['LOG_LEVEL', ['verbose', 'INFO']],
])('%s is refused by its name when it is none', (name, values) => {
  for (const value of values) {
    const found = mistakes({ [name]: value });
    expect({ value, found }).toEqual({ value, found: [expect.stringMatching(new RegExp(`^${name}: `))] });
  }
});

test('every mistake is told at once, in one message, with what was given', () => {
  const found = mistakes({
    PORT: 'abc',
    ROLE: 'web',
    CLOCK_START: 'yesterday',
    DATBASE_URL: 'postgres://x/y',
    SIM_PACE: '-1',
    TWILIO_AUTH_TOKEN: 'token-without-account',
    ADMIN_API_KEY_FILE: '/nowhere/key',
    LOG_LEVEL: 'info',
  });
  const named = found.map((line) => line.split(':')[0]!).toSorted((a, b) => (a < b ? -1 : 1));
  expect(named).toEqual([
    'ADMIN_API_KEY_FILE',
    'CLOCK_START',
    'DATBASE_URL',
    'PORT',
    'ROLE',
    'SIM_PACE',
    'TWILIO_ACCOUNT_SID',
  ]);
  expect(found.find((line) => line.startsWith('PORT'))).toContain('(it is "abc")');
  expect(found.find((line) => line.startsWith('ROLE'))).toContain('(it is "web")');
});

test.each([
  ['DATBASE_URL', 'DATABASE_URL'],
  ['DATABASE_URI', 'DATABASE_URL'],
  ['NAT_URL', 'NATS_URL'],
  ['LOG_LEVLE', 'LOG_LEVEL'],
  ['PUBLIC_URLS', 'PUBLIC_URL'],
  ['ADMIN_API_KYE', 'ADMIN_API_KEY'],
  ['TWILIO_AUTH_TOKN', 'TWILIO_AUTH_TOKEN'],
  ['CLOCK_STRAT', 'CLOCK_START'],
  ['SIM_PACES', 'SIM_PACE'],
])('%s is taken for a typing error of %s', (name, meant) => {
  expect(mistakes({ [name]: 'x' })).toEqual([`${name}: unknown setting; did you mean ${meant}?`]);
});

test('a name of our own that is far from every setting is refused, and one of somebody else is not ours', () => {
  for (const name of ['TWILIO_REGION', 'SIM_SPEED_OF_PEOPLE', 'VOICEMAIL_COLOUR', 'CARRIER_PIGEON']) {
    expect(mistakes({ [name]: 'x' })).toEqual([
      `${name}: unknown setting; the settings are listed in README.md`,
    ]);
  }
  const foreign = {
    HOME: '/root',
    SHELL: '/bin/sh',
    npm_config_cache: '/x',
    TZ: 'UTC',
    HOSTNAME: 'x',
    LANG: 'C',
    TERM: 'x',
  };
  expect(
    mistakes({ ...foreign, PWD: '/', OLDPWD: '/', USER: 'x', LOGNAME: 'x', CI: '1', EDITOR: 'vi' }),
  ).toEqual([]);
});

/** Everything that a value turns into where somebody prints it. */
const printed = (value: unknown) =>
  [
    JSON.stringify(value),
    inspect(value, { depth: null, showHidden: true, getters: true }),
    inspect(value, { depth: null, compact: false }),
    String(value),
    JSON.stringify(structuredCloneOrNothing(value)),
  ].join('\n');

function structuredCloneOrNothing(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return null;
  }
}

test('no secret is printed with the configuration, and each is there for who needs it', () => {
  const config = readConfig({
    ...production,
    VOICEMAIL_API_KEY: 's3cret-voicemail-key',
    VOICEMAIL_API_SECRET: 's3cret-voicemail-secret',
    AGENT_API_KEY: 's3cret-agent',
  });
  const text = printed(config) + printed(config.carrier) + String(config.adminApiKey);
  expect(text).not.toContain('s3cret');
  expect(text).toContain('[redacted]');
  expect(config.adminApiKey?.reveal()).toBe(production.ADMIN_API_KEY);
  expect(config.carrier.authToken.reveal()).toBe(production.TWILIO_AUTH_TOKEN);
});

test('the password within DATABASE_URL and NATS_URL is not printed with the configuration either', () => {
  const config = readConfig({ ...production, NATS_URL: 'nats://user:s3cret-nats@nats.example:4222' });
  expect(printed(config)).not.toContain('s3cret');
});

test('a refusal does not print secrets', () => {
  const found = mistakes({
    ADMIN_API_KEY: 's3cret',
    DATABASE_URL: 'mysql://u:s3cret@db/x',
    NATS_URL: 'http://u:s3cret@nats',
    TWILIO_AUTH_TOKEN: 's3cret',
    TWILIO_AUTH_TOKN: 's3cret',
    PUBLIC_URL: 'ftp://u:s3cret@calls.example',
    TWILIO_API_URL: 'ftp://u:s3cret@calls.example',
  });
  expect(found.length).toBeGreaterThanOrEqual(6);
  expect(found.join('\n')).not.toContain('s3cret');
});

test('a secret may stand in a file, which its name with _FILE leads to', () =>
  withFiles(
    { key: 'admin-key-in-a-file-of-ours\n', token: 'token\n', database: `${production.DATABASE_URL}\n` },
    (paths) => {
      const config = readConfig({
        ADMIN_API_KEY_FILE: paths['key'],
        TWILIO_ACCOUNT_SID: sid,
        TWILIO_AUTH_TOKEN_FILE: paths['token'],
        DATABASE_URL_FILE: paths['database'],
      });
      expect(config.adminApiKey?.reveal()).toBe('admin-key-in-a-file-of-ours');
      expect(config.carrier.authToken.reveal()).toBe('token');
      expect(printed(config)).not.toContain('in-a-file');
    },
  ));

test('a file that cannot be read, is empty, breaks the rule, or is one too many is a mistake', () =>
  withFiles({ short: 'short', empty: '\n', good: 'a-good-key-of-enough-characters' }, (paths) => {
    expect(mistakes({ ADMIN_API_KEY_FILE: '/nowhere/key' })).toEqual([
      'ADMIN_API_KEY_FILE: cannot read /nowhere/key',
    ]);
    expect(mistakes({ ADMIN_API_KEY_FILE: tmpdir() })).toEqual([
      `ADMIN_API_KEY_FILE: cannot read ${tmpdir()}`,
    ]);
    expect(mistakes({ ADMIN_API_KEY_FILE: paths['short'] })).toEqual([
      expect.stringMatching(/^ADMIN_API_KEY: expected/),
    ]);
    expect(mistakes({ ADMIN_API_KEY_FILE: paths['empty'] })).toEqual([
      expect.stringMatching(/^ADMIN_API_KEY/),
    ]);
    expect(
      mistakes({ ADMIN_API_KEY: 'another-key-of-enough-letters', ADMIN_API_KEY_FILE: paths['good'] }),
    ).toEqual(['ADMIN_API_KEY: given twice, also by ADMIN_API_KEY_FILE']);
    chmodSync(paths['good']!, 0o600);
    expect(mistakes({ PORT_FILE: paths['good'] })).toEqual([]); // no secret: no file of ours
  }));

test('production starts with everything it needs and makes nothing up', () => {
  const config = readConfig(production);
  expect(config).toMatchObject({
    production: true,
    simulation: false,
    demo: false,
    publicUrl: 'https://calls.example',
  });
  expect(config.carrier).toMatchObject({ simulated: false, accountSid: sid, apiUrl: null });
});

test('production tells everything that it lacks, at once', () => {
  const { NODE_ENV, ...rest } = production;
  const lacking = (found: string[]) =>
    found.map((line) => line.split(':')[0]!).toSorted((a, b) => (a < b ? -1 : 1));
  expect(lacking(mistakes({ NODE_ENV }))).toEqual(Object.keys(rest).toSorted());
  for (const name of Object.keys(rest)) {
    const found = mistakes({ ...production, [name]: undefined });
    expect(new Set(lacking(found))).toEqual(new Set([name]));
    expect(found.length).toBe(1);
  }
});

test('production refuses what is for tests and simulation', () => {
  expect(mistakes({ ...production, TWILIO_API_URL: 'http://127.0.0.1:4001' })).toEqual([
    expect.stringMatching(/^TWILIO_API_URL: /),
  ]);
  expect(mistakes({ ...production, PUBLIC_URL: 'http://calls.example' })).toEqual([
    expect.stringMatching(/^PUBLIC_URL: /),
  ]);
  expect(mistakes({ ...production, CLOCK_START: '2026-03-02T10:00:00Z' })).toEqual([
    expect.stringMatching(/^CLOCK_START: /),
  ]);
});

test('settings that contradict each other are refused', () => {
  expect(mistakes({ TWILIO_ACCOUNT_SID: sid })).toEqual([
    'TWILIO_AUTH_TOKEN: missing beside TWILIO_ACCOUNT_SID',
  ]);
  expect(mistakes({ TWILIO_AUTH_TOKEN: 'x' })).toEqual([
    'TWILIO_ACCOUNT_SID: missing beside TWILIO_AUTH_TOKEN',
  ]);
  const real = { TWILIO_ACCOUNT_SID: sid, TWILIO_AUTH_TOKEN: 'x' };
  expect(mistakes({ ...real, CLOCK_START: '2026-03-02T10:00:00Z' })).toEqual([
    'CLOCK_START: only in simulation; a real carrier keeps real time',
  ]);
  const compatible = { ...real, TWILIO_API_URL: 'http://127.0.0.1:9', CLOCK_START: '2026-03-02T10:00:00Z' };
  expect(mistakes(compatible)).toEqual([]);
  expect(mistakes({ PORT: '4000', SIM_PORT: '4000' })).toEqual([expect.stringMatching(/^SIM_PORT: /)]);
  expect(mistakes({ PORT: '65535' })).toEqual([expect.stringMatching(/^SIM_PORT: /)]);
});
