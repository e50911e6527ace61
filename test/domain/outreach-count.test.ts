import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginningOf, partsOf, type Grain, type Span } from '../../src/domain/outreach-count.ts';

const instant = fc.date({
  min: new Date('2024-02-01T00:00:00Z'),
  max: new Date('2027-01-01T00:00:00Z'),
  noInvalidDate: true,
});
const dayMs = 86_400_000;
const hourMs = 3_600_000;
const length = ([from, until]: Span) => until.getTime() - from.getTime();

test('a span falls into days, hours and edges that are exactly it, none of it twice', () => {
  fc.assert(
    fc.property(instant, instant, (one, other) => {
      const [since, until] = one < other ? [one, other] : [other, one];
      const { MONTH, DAY, HOUR, EDGE } = partsOf(since, until);
      const parts = [...MONTH, ...DAY, ...HOUR, ...EDGE].toSorted((a, b) => a[0].getTime() - b[0].getTime());
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

test('of a span of any length at most 60 days, 46 hours and two edges of less than an hour each are read one by one', () => {
  fc.assert(
    fc.property(instant, instant, (one, other) => {
      const [since, until] = one < other ? [one, other] : [other, one];
      const { MONTH, DAY, HOUR, EDGE } = partsOf(since, until);
      for (const [grain, spans] of Object.entries({ MONTH, DAY, HOUR }))
        for (const at of spans.flat()) expect(beginningOf(at, grain as Grain)).toEqual(at);
      const sum = (spans: Span[]) => spans.map(length).reduce((total, one) => total + one, 0);
      expect(sum(DAY)).toBeLessThanOrEqual(60 * dayMs);
      expect(sum(HOUR)).toBeLessThanOrEqual(46 * hourMs);
      expect(sum(EDGE)).toBeLessThan(2 * hourMs);
    }),
  );
});

test('a span begins with its month, day or hour of UTC', () => {
  const at = new Date('2024-02-29T23:59:59.999Z');
  expect(beginningOf(at, 'MONTH')).toEqual(new Date('2024-02-01T00:00:00Z'));
  expect(beginningOf(at, 'DAY')).toEqual(new Date('2024-02-29T00:00:00Z'));
  expect(beginningOf(at, 'HOUR')).toEqual(new Date('2024-02-29T23:00:00Z'));
});

test('an empty span has no parts', () => {
  const at = new Date('2026-03-02T15:30:00Z');
  expect(partsOf(at, at)).toEqual({ MONTH: [], DAY: [], HOUR: [], EDGE: [] });
});
