import { expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import type { ApiKey } from '../../src/domain/workspace.ts';
import { openRequestLimits } from '../../src/request-limit.ts';
import { withWorld } from '../support/database.ts';

const now = new Date('2026-03-02T15:00:10Z');
const keyOf = () => ({ workspaceId: newId(now), id: newId(now) }) as ApiKey;

test('a key has its limit of requests each minute, and hears in how many seconds the next one begins', () =>
  withWorld(async (world) => {
    const { take } = openRequestLimits({ world, perMinute: 50 });
    const key = keyOf();
    const answers = await Promise.all(Array.from({ length: 60 }, () => take(key, now)));
    expect(answers.filter(({ isRefused }) => !isRefused)).toHaveLength(50);
    expect(answers.map(({ remaining }) => remaining).toSorted((a, b) => b - a)).toEqual([
      ...Array.from({ length: 50 }, (_, i) => 49 - i),
      ...Array.from({ length: 10 }, () => 0),
    ]);
    expect(new Set(answers.map(({ resetSeconds }) => resetSeconds))).toEqual(new Set([50]));
    expect(await take(key, new Date('2026-03-02T15:01:00Z'))).toMatchObject({
      isRefused: false,
      remaining: 49,
    });
    expect(await take(keyOf(), now)).toMatchObject({ isRefused: false, limit: 50 });
  }));

test('replicas share the limit of a key: together they let through no more, and no less than what the last part of each may hold back', () =>
  withWorld(async (world) => {
    const key = keyOf();
    const replicas = [1, 2, 3].map(() => openRequestLimits({ world, perMinute: 60 }));
    const answers = await Promise.all(
      replicas.flatMap(({ take }) => Array.from({ length: 40 }, () => take(key, now))),
    );
    const through = answers.filter(({ isRefused }) => !isRefused).length;
    expect(through).toBeLessThanOrEqual(60);
    expect(through).toBeGreaterThanOrEqual(60 - 3 * 2); // a part is three requests, of which one at least was used
  }));

test('Postgres is asked twenty times for a minute of requests, and no more once they are used up', () =>
  withWorld(async (world) => {
    let asked = 0;
    const takeRequests: typeof world.takeRequests = (...given) => {
      asked += 1;
      return world.takeRequests(...given);
    };
    const { take } = openRequestLimits({ world: { takeRequests }, perMinute: 200 });
    const key = keyOf();
    for (let i = 0; i < 300; i += 1) await take(key, now);
    expect(asked).toBe(21); // the last one hears that nothing is left
  }));
