import { expect, test } from 'vitest';
import { runChaos } from '../../chaos/run.ts';
import { withDatabaseUrl } from '../support/database.ts';
import { exhaustive } from '../support/exhaustive.ts';

/** Exhaustively for twice as many tasks, and with a death each second to the end. `npm run chaos` is the large one. */
const [tasks, mostKills] = exhaustive ? [80, Infinity] : [40, 12];

test(
  'whatever dies on the way, no attempt is dialled twice, no member of a campaign is contacted twice on a date, and every task and run comes to its end',
  () =>
    withDatabaseUrl(async (databaseUrl) => {
      const outcome = await runChaos({
        databaseUrl,
        tasks,
        members: 42,
        seed: 1,
        roles: ['api', 'worker', 'worker'],
        areas: [201, 202, 207, 212, 305, 315, 401, 404, 518, 617, 703, 716, 802, 919], // one time zone: few hours to skip
        maxAttempts: 2,
        mostKills,
        natsKillsAt: [2_000],
        databaseCrashAt: null,
        withinMs: 240_000,
        tell: () => {},
      });
      expect(outcome.violations).toEqual([]);
      expect(outcome.kills).toBeGreaterThan(3);
      expect(outcome.members).toBeGreaterThan(20);
      expect(outcome.trips).toBeGreaterThanOrEqual(2);
      expect(outcome.attempts).toBeGreaterThan(tasks / 2 + 20);
    }),
  300_000,
);
