import { ConfigError, readConfig } from './config.ts';
import { reachDatabase } from './embedded/database.ts';
import { outreach } from './outreach.ts';
import { rebuild } from './projection.ts';
import { openWorld } from './world.ts';

const projections = [outreach];

const usage = `Makes a projection anew from the log, while the program goes on: npm run rebuild -- NAME

  NAME              ${projections.map(({ name }) => name).join(', ')}

Readers see the old one until the new one has read as far. Stopped in between, it is begun anew.`;

/** How often progress is told, in events. */
const toldEvery = 50_000;

const tell = (line: string) => void process.stderr.write(`${line}\n`);

/** Rebuilds the projection that the command line names. Answers whether it could. */
async function main(): Promise<boolean> {
  const projection = projections.find(({ name }) => name === process.argv[2]);
  if (!projection || process.argv.length > 3) {
    tell(usage);
    return false;
  }
  const database = await reachDatabase(readConfig(process.env), tell);
  const world = await openWorld({ databaseUrl: database.url });
  try {
    await world.migrate();
    let last = 0;
    const told = (cursor: number) => {
      if (cursor < last + toldEvery) return;
      last = cursor;
      tell(`${cursor} events read`);
    };
    await rebuild(world, projection, { told });
    tell(`${projection.name} was rebuilt.`);
    return true;
  } finally {
    await world.close();
    await database.stop();
  }
}

process.once('SIGINT', () => process.exit(130)); // leaving by exit lets the embedded Postgres be stopped

process.exitCode = await main().then(
  (done) => (done ? 0 : 1),
  (error: Error) => {
    tell(error instanceof ConfigError ? error.message : `The rebuild stopped: ${error.message}`);
    return 1;
  },
);
