import { ConfigError, readConfig } from './config.ts';
import { reachDatabase } from './embedded/database.ts';
import { openWorld } from './world.ts';

const tell = (line: string) => void process.stderr.write(`${line}\n`);

/** Brings the database up to date, and says with what. Whoever comes second waits, and finds nothing left to do. */
async function main(): Promise<void> {
  const database = await reachDatabase(readConfig(process.env), tell);
  const world = await openWorld({ databaseUrl: database.url, poolSize: 2 });
  try {
    const applied = await world.migrate();
    tell(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}.`);
  } finally {
    await world.close();
    await database.stop();
  }
}

process.once('SIGINT', () => process.exit(130)); // leaving by exit lets the embedded Postgres be stopped

await main().catch((error: Error) => {
  tell(error instanceof ConfigError ? error.message : `The database could not be migrated: ${error.message}`);
  process.exitCode = 1;
});
