/**
 * A program that owns an embedded Postgres and nats-server until it is told otherwise, for tests that kill it.
 * Its argument is the options as JSON; it prints one line, `{"postgres": url, "nats": url}`, once both answer.
 * SIGTERM stops both; SIGUSR2 exits without stopping; SIGINT is ignored, as by a program that takes its time.
 */
import { startNats } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';

const given = JSON.parse(process.argv[2] ?? '') as { dataDir: string; binaries?: string };
const options = {
  ...given,
  path: process.env['PATH'],
  log: (line: string) => process.stderr.write(`${line}\n`),
};

process.on('SIGINT', () => undefined);
process.on('SIGUSR2', () => process.exit(0));
setInterval(() => undefined, 60_000);

const [postgres, nats] = await Promise.all([startPostgres(options), startNats(options)]);
process.on('SIGTERM', () => void Promise.all([postgres.stop(), nats.stop()]).then(() => process.exit(0)));
process.stdout.write(`${JSON.stringify({ postgres: postgres.url, nats: nats.url })}\n`);
