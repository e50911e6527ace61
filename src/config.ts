import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Secret } from './config/secret.ts';
import { distance } from './domain/nearest.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const positive = z.coerce.number().positive();
const count = z.coerce.number().int().positive();
const toSecret = (value: string) => new Secret(value);
const secret = z.string().min(1).transform(toSecret);
const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `expected a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });

const origins = z
  .string()
  .transform((text) => text.split(',').map((origin) => origin.trim()))
  .refine((list) => list.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin), {
    message: 'expected origins such as https://app.example.com, with commas between them',
  });

/** Every setting, by its name in the environment. What each means stands in README.md. */
const settings = {
  NODE_ENV: z.string().optional(),
  PORT: port.default(4000),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: url('http:', 'https:').optional(),
  DATABASE_URL: url('postgres:', 'postgresql:').transform(toSecret).optional(),
  NATS_URL: url('nats:', 'tls:').transform(toSecret).optional(),
  NATS_REPLICAS: z.coerce
    .number()
    .pipe(z.literal([1, 3, 5]))
    .default(1),
  NATS_SERVER_BIN: z.string().min(1).optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  ADMIN_API_KEY: z.string().min(16, 'expected at least 16 characters').transform(toSecret).optional(),
  TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-fA-F]{32}$/, 'expected AC and 32 hexadecimal digits')
    .optional(),
  TWILIO_AUTH_TOKEN: secret.optional(),
  TWILIO_API_URL: url('http:', 'https:').optional(),
  VOICEMAIL_API_URL: url('http:', 'https:').optional(),
  VOICEMAIL_API_KEY: secret.optional(),
  VOICEMAIL_API_SECRET: secret.optional(),
  AGENT_URL: url('http:', 'https:').optional(),
  AGENT_API_KEY: secret.optional(),
  AGENT_MODEL: z.string().min(1).optional(),
  ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  SIM_PORT: port.optional(),
  SIM_PACE: positive.default(1),
  SIM_CPS: positive.default(10),
  CARRIER_CPS: positive.optional(),
  SOURCE_NUMBER_CALLS_PER_MINUTE: count.default(10),
  API_KEY_REQUESTS_PER_MINUTE: count.default(1000),
  API_KEY_SOCKETS: count.default(1000),
  QUERY_SECONDS: positive.default(10),
  CORS_ORIGINS: origins.default([]),
  INTROSPECTION: z.enum(['0', '1']).optional(),
  CLOCK_START: z.iso.datetime({ offset: true }).optional(),
  DEMO: z.enum(['0', '1']).default('1'),
  PRIVATE_WEBHOOKS: z.enum(['0', '1']).default('0'),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional(),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
};
const schema = z.object(settings);
type Settings = z.output<typeof schema>;
const names = Object.keys(settings);

/** The account that the simulated carrier answers to, when none is configured. */
const simulatedAccount = { sid: `AC${'0'.repeat(32)}`, token: new Secret('simulated-carrier-token') };

/** Drop Cowboy's API, version 2. */
const dropCowboyUrl = 'https://api-v2.dropcowboy.com';

const secretNames = [
  'DATABASE_URL',
  'NATS_URL',
  'ADMIN_API_KEY',
  'TWILIO_AUTH_TOKEN',
  'VOICEMAIL_API_KEY',
  'VOICEMAIL_API_SECRET',
  'AGENT_API_KEY',
];

/** What the environment says, or one error that lists every mistake in it. `NAME_FILE` names a file that holds a secret. */
export function readConfig(environment: Record<string, string | undefined>) {
  const mistakes = unknownNames(environment);
  const values = Object.fromEntries(
    names.map((name) => [name, fromFile(environment, name, mistakes) ?? (environment[name] || undefined)]),
  );
  const parsed = schema.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) {
    mistakes.push(`${String(issue.path[0])}: ${issue.message}${shown(environment, String(issue.path[0]))}`);
  }
  mistakes.push(...contradictions(values));
  if (mistakes.length > 0 || !parsed.data) throw new ConfigError(mistakes);
  return arrange(parsed.data, environment);
}

/** Everything that the program was told at start, checked and frozen. */
export type Config = ReturnType<typeof readConfig>;

/** Settings that cannot be started with: one line for each mistake. */
export class ConfigError extends Error {
  constructor(mistakes: string[]) {
    super(
      `The configuration has ${mistakes.length} mistake(s):\n${mistakes.map((m) => `  - ${m}`).join('\n')}`,
    );
    this.name = 'ConfigError';
  }
}

function arrange(s: Settings, environment: Record<string, string | undefined>) {
  const simulatedCarrier = !s.TWILIO_ACCOUNT_SID && !s.TWILIO_API_URL;
  const simulation = simulatedCarrier || s.TWILIO_API_URL !== undefined;
  return Object.freeze({
    production: s.NODE_ENV === 'production',
    simulation, // the carrier is not Twilio's own API
    role: s.ROLE,
    port: s.PORT,
    host: s.HOST,
    /** Null: from the host and the port that it really listens on. */
    publicUrl: s.PUBLIC_URL?.replace(/\/$/, '') ?? null,
    databaseUrl: s.DATABASE_URL ?? null,
    natsUrl: s.NATS_URL ?? null,
    natsReplicas: s.NATS_REPLICAS, // of the stream, in a cluster
    natsServerBinary: s.NATS_SERVER_BIN ?? null,
    executablePath: environment['PATH'] ?? '',
    dataDir: s.DATA_DIR,
    adminApiKey: s.ADMIN_API_KEY ?? null,
    carrier: Object.freeze({
      simulated: simulatedCarrier,
      accountSid: s.TWILIO_ACCOUNT_SID ?? simulatedAccount.sid,
      authToken: s.TWILIO_AUTH_TOKEN ?? simulatedAccount.token,
      apiUrl: s.TWILIO_API_URL ?? null,
      callsPerSecond: s.CARRIER_CPS ?? (simulatedCarrier ? 10 : 1),
      /** How many times faster than life the people at the other end are: 1 with a real carrier. */
      pace: simulation ? s.SIM_PACE : 1,
    }),
    voicemail: vendorOf(s),
    simulator: simulatorOf(s),
    /** Who thinks freely for the agent; null: the scripted one speaks alone. */
    agent: agentOf(s),
    sourceNumberCallsPerMinute: s.SOURCE_NUMBER_CALLS_PER_MINUTE,
    apiKeyRequestsPerMinute: s.API_KEY_REQUESTS_PER_MINUTE,
    api: apiOf(s),
    clockStart: s.CLOCK_START ? new Date(s.CLOCK_START) : null,
    demo: simulation && s.DEMO === '1',
    privateWebhooks: simulation && s.PRIVATE_WEBHOOKS === '1', // to private addresses, and without TLS
    tracing: tracingOf(s),
    logLevel: s.LOG_LEVEL,
  });
}

/** What the API lets clients do. */
const apiOf = (s: Settings) =>
  Object.freeze({
    /** Of one key, on one process. */
    socketsPerKey: s.API_KEY_SOCKETS,
    querySeconds: s.QUERY_SECONDS,
    /** The sites whose pages may ask it. */
    origins: s.CORS_ORIGINS,
    /** Whether GraphiQL is served, and the schema told. */
    introspection: (s.INTROSPECTION ?? (s.NODE_ENV === 'production' ? '0' : '1')) === '1',
    /** Whether it is reached by TLS. */
    isSecure: s.PUBLIC_URL?.startsWith('https:') ?? false,
  });

/** The vendor of ringless voicemail; null: the simulated one, or none beside a real carrier. */
const vendorOf = (s: Settings) =>
  s.VOICEMAIL_API_KEY && s.VOICEMAIL_API_SECRET
    ? Object.freeze({
        apiUrl: (s.VOICEMAIL_API_URL ?? dropCowboyUrl).replace(/\/$/, ''),
        key: s.VOICEMAIL_API_KEY,
        secret: s.VOICEMAIL_API_SECRET,
      })
    : null;

/** Who thinks freely for the agent; null: the scripted one speaks alone. */
const agentOf = (s: Settings) =>
  s.AGENT_URL === undefined
    ? null
    : Object.freeze({
        url: s.AGENT_URL,
        apiKey: s.AGENT_API_KEY ?? null,
        model: s.AGENT_MODEL ?? 'default',
      });

/** The simulated carrier, where there is one. */
const simulatorOf = (s: Settings) =>
  Object.freeze({
    port: s.SIM_PORT ?? (s.PORT === 0 ? 0 : s.PORT + 1),
    pace: s.SIM_PACE,
    callsPerSecond: s.SIM_CPS,
  });

/** Where traces go; null: nothing is traced. */
const tracingOf = (s: Settings) =>
  s.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
    ? null
    : Object.freeze({
        endpoint: s.OTEL_EXPORTER_OTLP_ENDPOINT,
        ratio: s.OTEL_TRACES_SAMPLER_ARG,
        role: s.ROLE,
      });

/** What was given, as it was written: what does not fit together is told also where some of it is malformed. */
type Given = Record<string, string | undefined>;

function contradictions(given: Given): string[] {
  const production = given['NODE_ENV'] === 'production';
  const mistakes = production ? lackingInProduction(given) : halfAnAccount(given);
  mistakes.push(...halfAVendor(given));
  const real = given['TWILIO_ACCOUNT_SID'] && !given['TWILIO_API_URL'];
  if (real && given['CLOCK_START'])
    mistakes.push('CLOCK_START: only in simulation; a real carrier keeps real time');
  const simulated = !given['TWILIO_ACCOUNT_SID'] && !given['TWILIO_API_URL'];
  const main = Number(given['PORT'] ?? 4000);
  const beside = Number(given['SIM_PORT'] ?? (main === 0 ? 0 : main + 1));
  if (simulated && main !== 0 && beside === main)
    mistakes.push('SIM_PORT: the simulated carrier needs a port of its own, not that of PORT');
  if (simulated && main === 65_535 && !given['SIM_PORT'])
    mistakes.push('SIM_PORT: missing; it would be PORT + 1, and there is no port 65536');
  return mistakes;
}

function halfAVendor(given: Given): string[] {
  const pair = ['VOICEMAIL_API_KEY', 'VOICEMAIL_API_SECRET'];
  const there = [...pair, 'VOICEMAIL_API_URL'].find((name) => given[name]);
  const missing = pair.filter((name) => !given[name]);
  return there ? missing.map((name) => `${name}: missing beside ${there}`) : [];
}

function halfAnAccount(given: Given): string[] {
  const pair = ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN'];
  const missing = pair.filter((name) => !given[name]);
  const there = pair.find((name) => given[name]);
  return there ? missing.map((name) => `${name}: missing beside ${there}`) : [];
}

function lackingInProduction(given: Given): string[] {
  const needed = [
    'DATABASE_URL',
    'NATS_URL',
    'PUBLIC_URL',
    'ADMIN_API_KEY',
    'TWILIO_ACCOUNT_SID',
    'TWILIO_AUTH_TOKEN',
  ];
  const mistakes = needed
    .filter((name) => !given[name])
    .map((name) => `${name}: missing; with NODE_ENV=production nothing is embedded, simulated or made up`);
  if (given['TWILIO_API_URL'])
    mistakes.push('TWILIO_API_URL: is for tests; with NODE_ENV=production the carrier is Twilio');
  if (given['PUBLIC_URL']?.startsWith('http:'))
    mistakes.push('PUBLIC_URL: with NODE_ENV=production it starts with https://');
  return mistakes;
}

/** Names that look like a setting and are none: a typing error must not be ignored in silence. */
function unknownNames(environment: Record<string, string | undefined>): string[] {
  const known = new Set([...names, ...secretNames.map((name) => `${name}_FILE`)]);
  return Object.keys(environment)
    .filter((name) => !known.has(name))
    .flatMap((name) => {
      const nearest = names.find((candidate) => candidate.length >= 6 && distance(name, candidate) <= 2);
      if (nearest) return [`${name}: unknown setting; did you mean ${nearest}?`];
      return /^(SIM|CARRIER|SOURCE_NUMBER|VOICEMAIL|TWILIO|AGENT)_/.test(name)
        ? [`${name}: unknown setting; the settings are listed in README.md`]
        : [];
    });
}

function fromFile(environment: Record<string, string | undefined>, name: string, mistakes: string[]) {
  const file = secretNames.includes(name) ? environment[`${name}_FILE`] : undefined;
  if (!file) return undefined;
  if (environment[name]) mistakes.push(`${name}: given twice, also by ${name}_FILE`);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    mistakes.push(`${name}_FILE: cannot read ${file}`);
    return undefined;
  }
}

/** What was given, without secrets and without the password that a URL may hold. */
const shown = (environment: Record<string, string | undefined>, name: string) =>
  secretNames.includes(name) || !environment[name]
    ? ''
    : ` (it is "${environment[name].replace(/\/\/[^/]*@/, '//[redacted]@')}")`;
