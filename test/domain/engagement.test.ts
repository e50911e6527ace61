import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bestHourOf, halfLifeMs, reachabilityOf, type Trial } from '../../src/domain/engagement.ts';

const now = Date.parse('2026-03-02T15:00:00Z');
const trial = fc.record({
  at: fc.integer({ min: 0, max: 400 * 86_400_000 }).map((ago) => new Date(now - ago)),
  hour: fc.option(fc.integer({ min: 0, max: 23 })),
  reached: fc.boolean(),
});
const trials = fc.array(trial, { minLength: 1, maxLength: 40 });
const at = (hour: number, reached: boolean, count = 1): Trial[] =>
  Array.from({ length: count }, () => ({ at: new Date(now), hour, reached }));

test('who was never tried has no reachability and no best hour', () => {
  expect(reachabilityOf([])).toBeNull();
  expect(bestHourOf([])).toBeNull();
});

test('reachability is a share: 0 where nothing succeeded, 1 where all did, else between', () => {
  fc.assert(
    fc.property(trials, (given) => {
      const share = reachabilityOf(given)!;
      const reached = given.filter((one) => one.reached).length;
      if (reached === 0) expect(share).toBe(0);
      else if (reached === given.length) expect(share).toBe(1);
      else expect(share > 0 && share < 1).toBe(true);
    }),
  );
});

test('reachability depends on neither the order of trials nor when one looks', () => {
  fc.assert(
    fc.property(trials, fc.integer({ min: 0, max: 10 ** 11 }), (given, later) => {
      const moved = given.map((one) => ({ ...one, at: new Date(one.at.getTime() + later) }));
      expect(reachabilityOf(moved)).toBeCloseTo(reachabilityOf(given)!, 12);
      expect(reachabilityOf(given.toReversed())).toBeCloseTo(reachabilityOf(given)!, 12);
    }),
  );
});

test('one more success never lowers reachability, one more failure never raises it', () => {
  fc.assert(
    fc.property(trials, trial, (given, one) => {
      const before = reachabilityOf(given)!;
      expect(reachabilityOf([...given, { ...one, reached: true }])).toBeGreaterThanOrEqual(before - 1e-12);
      expect(reachabilityOf([...given, { ...one, reached: false }])).toBeLessThanOrEqual(before + 1e-12);
    }),
  );
});

test('a success of today weighs twice one of thirty days ago', () => {
  const long = new Date(now - halfLifeMs);
  const today = new Date(now);
  const share = (old: boolean, recent: boolean) =>
    reachabilityOf([
      { at: long, hour: 9, reached: old },
      { at: today, hour: 9, reached: recent },
    ]);
  expect(share(true, false)).toBeCloseTo(1 / 3, 12);
  expect(share(false, true)).toBeCloseTo(2 / 3, 12);
});

test('the best hour begins a two-hour part in which somebody was reached', () => {
  fc.assert(
    fc.property(trials, (given) => {
      const best = bestHourOf(given);
      const parts = given
        .filter(({ hour, reached }) => hour !== null && reached)
        .map(({ hour }) => Math.floor(hour! / 2) * 2);
      if (best === null) expect(parts).toEqual([]);
      else expect(parts).toContain(best);
    }),
  );
});

test.each([
  [
    'the part with the greatest share of successes',
    [...at(9, true, 3), ...at(9, false, 3), ...at(15, true, 3)],
    14,
  ],
  ['many successes before a single one', [...at(8, true), ...at(18, true, 9), ...at(19, false)], 18],
  ['the earlier of two that are alike', [...at(17, true), ...at(11, true)], 10],
])('the best hour is %s', (_, given, hour) => {
  expect(bestHourOf(given)).toBe(hour);
});
