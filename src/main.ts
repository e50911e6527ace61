import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { Program } from './program.ts';

// What is compiled is kept for the next start, which then takes a third less work. So it is imported only after this.
enableCompileCache(join(import.meta.dirname, '../.cache/compiled'));
const { readConfig, ConfigError } = await import('./config.ts');
const { openLogger } = await import('./logger.ts');
const { startProgram } = await import('./program.ts');

/** How long stopping may take, in milliseconds, before the program ends anyway. */
const stopMs = 9_000;

/** Starts the program and keeps it until SIGTERM or SIGINT, also while it starts; exits with 1 when it cannot start. */
async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = openLogger({ level: config.logLevel, pretty: process.stdout.isTTY });
  const starting = startProgram(config, log);
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(0), stopMs).unref();
    void starting.then((program) => program.stop()).finally(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const program = await starting;
  if (!stopping) process.stdout.write(banner(program, config));
}

function banner(program: Program, config: Config): string {
  const key = program.adminKey
    ? `  key        ${program.adminKey}   (shown this once)`
    : `  key        ${config.adminApiKey ? 'the one in ADMIN_API_KEY' : 'the one that was shown at the first start'}`;
  const lines = [
    '',
    'Callwell is ready.',
    `  dashboard  ${program.url}/   (sign in with the key)`,
    key,
    `  GraphQL    ${program.url}/graphql`,
    ...(program.simulatorUrl
      ? [`  carrier    simulated; what it was asked: ${program.simulatorUrl}/ledger`]
      : []),
    ...(config.clockStart ? [`  clock      set to ${program.clock.now().toISOString()}`] : []),
    ...(program.clockNote ? [`  clock      ${program.clockNote}`] : []),
    '',
  ];
  return `${lines.join('\n')}\n`;
}

main().catch((error: unknown) => {
  const text =
    error instanceof ConfigError ? error.message : `Callwell could not start: ${(error as Error).message}`;
  process.stderr.write(`${text}\n`);
  process.exit(1);
});
