import { ConfigError, readConfig } from './config.ts';
import { reachDatabase } from './embedded/database.ts';
import { openWorld } from './world.ts';
import { verifyLog, type Anchor, type Verified } from './world/verify.ts';

const usage = `Verifies that the log is what was recorded: npm run verify [-- PLACE:HASH]

  PLACE:HASH        an end of the log that was printed earlier and kept elsewhere: it must still be there

Names the first event that does not fit, and exits with 1. Nothing is changed, and the program may go on.`;

/** How often progress is told, in events. */
const toldEvery = 100_000;

const tell = (line: string) => void process.stderr.write(`${line}\n`);

/** Verifies the log. Answers the exit code: 0, it is whole; 1, it is not; 2, it could not be verified. */
async function main(): Promise<number> {
  const anchor = anchorOf(process.argv.slice(2));
  if (anchor === null) {
    tell(usage);
    return 2;
  }
  const database = await reachDatabase(readConfig(process.env), tell);
  const world = await openWorld({ databaseUrl: database.url, poolSize: 1 });
  try {
    let last = 0;
    const told = (cursor: number, end: number) => {
      if (cursor < last + toldEvery) return;
      last = cursor;
      tell(`${cursor} of ${end} events fit`);
    };
    const verified = await verifyLog(world, { anchor, told });
    process.stdout.write(`${report(verified)}\n`);
    return verified.fault ? 1 : 0;
  } finally {
    await world.close();
    await database.stop();
  }
}

function report({ end, fault }: Verified): string {
  if (!fault) return `The log is whole. It ends at ${end.cursor}:${end.hash}`;
  const event = fault.eventId ? `event ${fault.eventId}` : 'no event';
  const place = fault.cursor === null ? '' : ` at place ${fault.cursor}`;
  return `The log is not whole: ${event}${place} does not fit. ${fault.what}`;
}

/** Undefined: none was given; null: what was given is none. */
function anchorOf(given: string[]): Anchor | null | undefined {
  if (given.length === 0) return undefined;
  const [, cursor, hash] = /^(\d+):([0-9a-f]{64})$/.exec(given.length === 1 ? given[0]! : '') ?? [];
  return cursor && hash ? { cursor: Number(cursor), hash } : null;
}

process.once('SIGINT', () => process.exit(130)); // leaving by exit lets the embedded Postgres be stopped

process.exitCode = await main().catch((error: Error) => {
  tell(error instanceof ConfigError ? error.message : `The log could not be verified: ${error.message}`);
  return 2;
});
