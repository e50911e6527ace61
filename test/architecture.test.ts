import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

/**
 * Who may import values of whom; type-only imports are free. A folder beside a file of its name holds that file's
 * parts and counts as it. The picture in README.md is this table.
 */
const allowed: Record<string, string[] | 'anything'> = {
  domain: [],
  clock: [],
  config: ['domain'],
  logger: ['scope'],
  embedded: [],
  schema: ['domain'],
  resolvers: ['schema', 'domain'],
  jobs: ['domain', 'campaign', 'delivery', 'outreach', 'projection', 'scope', 'trigger', 'usage', 'withdraw'],
  usage: ['domain'],
  poster: [],
  delivery: ['domain', 'clock', 'secret', 'world'],
  subscription: ['domain', 'clock', 'idempotency', 'secret'],
  hooks: ['domain', 'clock', 'secret', 'trigger'],
  secret: ['domain', 'clock'],
  trigger: ['domain', 'clock', 'idempotency', 'registry', 'schedule', 'secret', 'world'],
  agent: ['domain'],
  verbs: ['resolvers'],
  webhooks: ['domain', 'carrier'],
  ending: [],
  scope: [],
  tracing: ['scope'],
  world: ['domain', 'clock', 'ending', 'migrations'],
  stream: ['domain'],
  live: ['domain'],
  carrier: ['domain'],
  records: ['domain'],
  loaders: ['domain', 'attempt', 'campaign', 'world'],
  metrics: ['domain', 'scope'],
  idempotency: ['domain'],
  withdraw: ['domain'],
  registry: ['domain', 'clock', 'idempotency', 'withdraw'],
  campaign: ['domain', 'clock', 'idempotency', 'provision', 'schedule'],
  outreach: ['domain', 'world'],
  projection: ['domain', 'world'],
  outcome: ['domain', 'clock', 'schedule', 'withdraw'],
  schedule: ['domain', 'clock', 'idempotency', 'provision', 'registry', 'senders'],
  importer: ['domain', 'clock', 'records', 'withdraw', 'world'],
  keys: ['domain', 'clock'],
  provision: ['domain', 'clock', 'keys'],
  signing: ['domain'],
  'voicemail-audio': ['domain', 'clock'],
  voicemail: ['domain'],
  senders: ['domain'],
  conversation: ['domain', 'clock', 'idempotency', 'provision', 'registry', 'attempt', 'withdraw'],
  attempt: ['domain', 'clock', 'conversation', 'idempotency', 'provision', 'registry', 'senders'],
  'request-limit': ['domain'],
  'patient-access': ['domain', 'clock'],
  access: ['loaders', 'request-limit', 'schema', 'domain'],
  context: [],
  server: ['resolvers', 'live', 'domain', 'ending', 'scope'],
  sample: ['domain'],
  simulator: ['clock'],
  import: 'anything',
  rebuild: 'anything',
  migrate: 'anything',
  verify: 'anything',
  program: 'anything',
  main: 'anything',
};

/** Libraries that the domain may use: pure ones, and the ORM's column declarations. */
const pure = new Set([
  '@mikro-orm/core',
  '@photostructure/tz-lookup',
  'chrono-node/en',
  'chrono-node/es',
  'libphonenumber-js/max',
  'croner',
  'temporal-polyfill',
  'node:crypto',
]);

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const partOf = (path: string) =>
  path
    .replace(/^\.\.\//, '')
    .split('/')[0]!
    .replace(/\.ts$/, '');
const textOf = (file: string) => readFileSync(join('src', file), 'utf8');
const importsOf = (file: string) =>
  [...textOf(file).matchAll(/^(?:import|export)(?! type)\s[^;]*?from '([^']+)';|^import '([^']+)';/gm)]
    .filter(([statement]) => !/^(?:import|export) \{(?:\s*type [^,}]+,?)+\s*\}/.test(statement))
    .map((match) => (match[1] ?? match[2])!);

test.each(files)('%s imports only what its place allows', (file) => {
  const own = partOf(file);
  const reached = importsOf(file)
    .filter((path) => path.startsWith('.'))
    .map((path) => partOf(normalize(join(dirname(file), path))));
  const rule = allowed[own];
  expect(rule, `${own} has no row in the table`).toBeDefined();
  if (rule === 'anything') return;
  expect(reached.filter((part) => part !== own && !rule!.includes(part))).toEqual([]);
});

test.each(files.filter((file) => file.startsWith('domain/')))('%s is pure', (file) => {
  expect(importsOf(file).filter((path) => !path.startsWith('.') && !pure.has(path))).toEqual([]);
  expect(textOf(file)).not.toMatch(/new Date\(\)|Date\.now\(\)|Math\.random\(\)|process\./);
});

test('only the entry points and the configuration know of the environment', () => {
  const readers = files.filter((file) => textOf(file).includes('process.env'));
  expect(readers.toSorted()).toEqual(['import.ts', 'main.ts', 'migrate.ts', 'rebuild.ts', 'verify.ts']);
});

test('nothing reads the clock but the clock', () => {
  const readers = files.filter(
    (file) =>
      /\bnew Date\(\)|\bDate\.now\(\)/.test(textOf(file)) &&
      !file.startsWith('simulator/') &&
      !file.startsWith('embedded/'),
  );
  expect(readers).toEqual(['clock.ts']);
});

// Types of the API are described to its users, in the schema itself.
test.each(files.filter((file) => !file.startsWith('schema/')))(
  'every export of %s says what it is',
  (file) => {
    const bare = [
      ...textOf(file).matchAll(
        /^(.*)\nexport (?:default )?(?:async )?(?:function\*?|const|class|abstract class|interface|type) (\w+)/gm,
      ),
    ]
      .filter(([, before]) => !/\*\/\s*$/.test(before!))
      .map(([, , name]) => name!)
      // What makes a module a kind is told once, at `Kind` in domain/event.ts.
      .filter((name) => !['entityType', 'foldVersion', 'blank', 'evolve', 'patientOf'].includes(name));
    expect(bare).toEqual([]);
  },
);

test('files stay small: half of them within 80 lines, nine in ten within 200', () => {
  const lengths = files.map((file) => textOf(file).split('\n').length).toSorted((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length * 0.9)]).toBeLessThanOrEqual(270);
  expect(lengths.at(-1)).toBeLessThanOrEqual(301);
});

/** Stands before the carrier and counts; passes on what it is given, and nothing else. */
const watch = 'metrics/dials.ts';

/** What a line of the log may be made of beside words of ours: ids, counts, names of ours. */
const tellable =
  /^(?:(?:[a-z]+\.)*(?:id|entityId|code|length|statusCode)|current\.name|name|count|lost|reached|kind|callId|messageId|causeOf\(error\)|at\(time\.read\(\)\)\.toISOString\(\))$/;

test('lines of the log are made of words of ours, ids and counts', () => {
  const own = files.filter(
    (file) => !/^(simulator|embedded|import|rebuild|verify|migrate|main)\b/.test(file),
  );
  const told = own.flatMap((file) =>
    [...textOf(file).matchAll(/\blog\(\s*`([^`]*)`/g)].flatMap(([, line = '']) =>
      [...line.matchAll(/\$\{([^}]*)\}/g)].map(([, value = '']) => `${file}: ${value}`),
    ),
  );
  expect(told.length).toBeGreaterThan(15);
  expect(told.filter((value) => !tellable.test(value.split(': ')[1]!))).toEqual([]);
});

test('there is one way for texts to the carrier, and the gate stands before it', () => {
  const saying = (text: string) => files.filter((file) => textOf(file).includes(text)).toSorted();
  expect(saying('messages.create(')).toEqual(['carrier/text.ts']);
  expect(saying('carrier.text(')).toEqual(['conversation.ts', watch]);
  expect(saying("type: 'message.sent', data: sending")).toEqual(['domain/conversation-progress.ts']);
  expect(saying('say(conversation, sending)')).toEqual(['conversation/intent.ts']);
  // What is texted was recorded just before; but for the question who writes, of which the text that it answers keeps note.
  const texts = textOf('conversation.ts');
  expect(texts.match(/carrier\.text\(/g)).toHaveLength(2);
  // What is recorded was allowed just before, in straight lines.
  for (const file of ['conversation/outbox.ts', 'conversation/confirm.ts']) {
    const allowed = textOf(file).split('!decision.allowed').length - 1;
    const intended = textOf(file).split(/(?:await|return) intendText\(/).length - 1;
    expect([file, allowed, intended]).toEqual([file, allowed, allowed]);
    expect(intended).toBeGreaterThan(0);
  }
});

test('there is one way to the carrier, and the gate stands before it', () => {
  const saying = (text: string) => files.filter((file) => textOf(file).includes(text)).toSorted();
  expect(saying('calls.create(')).toEqual(['carrier.ts']);
  expect(saying('carrier.dial(')).toEqual(['attempt.ts', watch]);
  expect(saying('mailbox.drop(')).toEqual(['attempt/voicemail.ts', watch]);
  expect(saying('calls.initiate(')).toEqual(['attempt/intend.ts', 'attempt/intent.ts']);
  expect(saying('voicemails.request(')).toEqual(['attempt/voicemail-intent.ts']);
  expect(saying("type: 'outbound.initiated', data: intent")).toEqual(['domain/call.ts']);
  // What is dialled was recorded just before: both ways to record an intent end in the one place that asks.
  const attempt = textOf('attempt.ts');
  expect(attempt.match(/\bdial\(/g)).toHaveLength(4); // its definition, its two uses, the carrier's own
  expect(attempt.match(/\bask\(/g)).toHaveLength(5); // its definition, a direct call's, a task's, a task's voicemail and text's
  const before = (text: string, first: string, then: string) => {
    expect(text.indexOf(first)).toBeGreaterThan(-1);
    expect(text.indexOf(first)).toBeLessThan(text.indexOf(then));
  };
  before(attempt, 'await intents.record(', 'await ask(recorded');
  before(attempt, 'await dispatchDue(', 'attempt(intended');
  // What is recorded was allowed just before, in straight lines.
  before(textOf('attempt/intent.ts'), 'if (!decision.allowed', 'calls.initiate(');
  const dispatch = textOf('attempt/dispatch.ts');
  before(dispatch, 'sift(tx, due, scene)', 'intend(tx, attempt');
  before(dispatch, 'decision.allowed && contact', 'allowed.push(');
  expect(dispatch.match(/allowed\.push\(/g)).toHaveLength(1);
  before(textOf('attempt/voicemail-intent.ts'), 'if (!decision.allowed', 'return intend(tx');
  for (const file of ['attempt/intent.ts', 'attempt/intend.ts'])
    expect(textOf(file).match(/calls\.initiate\(/g)).toHaveLength(1);
});

/** The web page is a client like any other: it knows the API, and nothing else of the program. */
const pageFiles = readdirSync('dashboard/src', { recursive: true, encoding: 'utf8' }).filter((file) =>
  /\.tsx?$/.test(file),
);
const pageText = (file: string) => readFileSync(join('dashboard/src', file), 'utf8');

test.each(pageFiles)('the dashboard: %s imports nothing of the program, and says what it exports', (file) => {
  const outside = [...pageText(file).matchAll(/from '(\.[^']+)'|import\('(\.[^']+)'\)/g)]
    .map((match) => normalize(join('dashboard/src', dirname(file), (match[1] ?? match[2])!)))
    .filter((path) => !path.startsWith('dashboard/src/'));
  expect(outside).toEqual([]);
  if (file === 'operations.ts') return; // generated
  const bare = [
    ...pageText(file).matchAll(/^(.*)\nexport (?:async )?(?:function|const|interface|type) (\w+)/gm),
  ]
    .filter(([, before]) => !/\*\/\s*$/.test(before!))
    .map(([, , name]) => name);
  expect(bare).toEqual([]);
});

test('the program imports nothing of the dashboard', () => {
  expect(files.filter((file) => /from '[^']*dashboard\/(?:src|dist|build)/.test(textOf(file)))).toEqual([]);
});
