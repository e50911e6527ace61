import fc from 'fast-check';
import { expect, test } from 'vitest';
import { grains, partsOf, type Span } from '../../src/domain/outreach-count.ts';

const instant = fc.date({
  min: new Date('2024-02-01T00:00:00Z'),
  max: new Date('2027-01-01T00:00:00Z'),
  noInvalidDate: true,
});
const length = ([from, until]: Span) => until.getTime() - from.getTime();

test('a span falls into days, hours and edges that are exactly it, none of it twice', () => {
  fc.assert(
    fc.property(instant, instant, (one, other) => {
      const [since, until] = one < other ? [one, other] : [other, one];
      const { DAY, HOUR, EDGE } = partsOf(since, until);
      const parts = [...DAY, ...HOUR, ...EDGE].toSorted((a, b) => a[0].getTime() - b[0].getTime());
      let reached = since.getTime();
      for (const part of parts) {
        expect(part[0].getTime()).toBe(reached);
        expect(length(part)).toBeGreaterThan(0);
        reached = part[1].getTime();
      }
      expect(reached).toBe(until.getTime());
    }),
  );
});

test('of a span of any length at most 46 hours and two edges of less than an hour each are read one by one', () => {
  fc.assert(
    fc.property(instant, instant, (one, other) => {
      const [since, until] = one < other ? [one, other] : [other, one];
      const { DAY, HOUR, EDGE } = partsOf(since, until);
      for (const [grain, spans] of [
        ['DAY', DAY],
        ['HOUR', HOUR],
      ] as const)
        for (const [from, to] of spans) {
          expect(from.getTime() % grains[grain]).toBe(0);
          expect(to.getTime() % grains[grain]).toBe(0);
        }
      const hours = HOUR.map((part) => length(part) / grains.HOUR).reduce((sum, count) => sum + count, 0);
      expect(hours).toBeLessThanOrEqual(46);
      const edges = EDGE.map(length).reduce((sum, count) => sum + count, 0);
      expect(edges).toBeLessThan(2 * grains.HOUR);
    }),
  );
});

test('an empty span has no parts', () => {
  const at = new Date('2026-03-02T15:30:00Z');
  expect(partsOf(at, at)).toEqual({ DAY: [], HOUR: [], EDGE: [] });
});
