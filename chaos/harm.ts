import pg from 'pg';
import type { Treatment } from '../test/support/front.ts';
import type { Random } from './random.ts';

/** Of a thousand requests to the carrier, how many fare so. */
const treatments: [number, (random: Random) => Treatment][] = [
  [30, () => 429],
  [20, () => 503],
  [20, () => 'masked'],
  [20, () => 'cut'],
  [50, (random) => ({ lateMs: random.below(3_000) })],
  [3, () => ({ lateMs: 12_000 })], // nobody waits that long
];

/** What becomes of a request to the carrier. */
export function treatmentFrom(random: Random): Treatment {
  let drawn = random.below(1_000);
  for (const [share, treat] of treatments) {
    if (drawn < share) return treat(random);
    drawn -= share;
  }
  return 'pass';
}

/** Kills one of the processes of Postgres: it ends all sessions, recovers from its log, and forgets what is not logged. */
export async function crash(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {}); // its own session ends first
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  process.kill(rows[0]!.pid, 'SIGKILL');
  await client.end().catch(() => {});
}
