import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginningOf, grains, partsOf, type Part } from '../../src/domain/outreach-count.ts';

const instant = fc.date({
  min: new Date('2024-02-01T00:00:00Z'),
  max: new Date('2027-01-01T00:00:00Z'),
  noInvalidDate: true,
});
const dayMs = 86_400_000;
const hourMs = 3_600_000;
const length = ({ from, until }: Part) => until.getTime() - from.getTime();
const inOrder = (one: Date, other: Date): [Date, Date] => (one < other ? [one, other] : [other, one]);

test('what the parts of a span count together is exactly the span, each instant of it once', () => {
  fc.assert(
    fc.property(instant, instant, fc.array(instant, { minLength: 1 }), (one, other, more) => {
      const [since, until] = inOrder(one, other);
      const parts = partsOf(since, until);
      const beginnings = parts.flatMap(({ from, until: end }) => [from, end]);
      for (const at of [since, until, ...beginnings, ...more]) {
        const inside = parts.filter((part) => part.from <= at && at < part.until);
        const counted = inside.map(({ sign }) => sign).reduce((sum: number, sign) => sum + sign, 0);
        expect([at, counted]).toEqual([at, since <= at && at < until ? 1 : 0]);
      }
    }),
  );
});

test('of a span of any length at most 62 days, 48 hours and two half hours are read beside its months, and half of that at each end of a year', () => {
  fc.assert(
    fc.property(instant, instant, (one, other) => {
      const [since, until] = inOrder(one, other);
      const parts = partsOf(since, until);
      const read = (grain: Part['grain']) =>
        parts.filter((part) => part.grain === grain).reduce((sum, part) => sum + length(part), 0);
      for (const part of parts)
        for (const grain of grains)
          if (part.grain === grain)
            for (const at of [part.from, part.until]) expect(beginningOf(at, grain)).toEqual(at);
      const isLong = until.getTime() - since.getTime() > 62 * dayMs;
      expect(read('DAY')).toBeLessThanOrEqual((isLong ? 31 : 62) * dayMs);
      expect(read('HOUR')).toBeLessThanOrEqual((isLong ? 24 : 48) * hourMs);
      expect(read('EDGE')).toBeLessThanOrEqual(isLong ? hourMs : 2 * hourMs);
    }),
  );
});

test('a short span is not made of a long one without the rest', () => {
  const [since, until] = [new Date('2026-03-14T00:00:00Z'), new Date('2026-03-18T00:00:00Z')];
  expect(partsOf(since, until)).toEqual([{ grain: 'DAY', from: since, until, sign: 1 }]);
});

test('a span begins with its month, day or hour of UTC', () => {
  const at = new Date('2024-02-29T23:59:59.999Z');
  expect(beginningOf(at, 'MONTH')).toEqual(new Date('2024-02-01T00:00:00Z'));
  expect(beginningOf(at, 'DAY')).toEqual(new Date('2024-02-29T00:00:00Z'));
  expect(beginningOf(at, 'HOUR')).toEqual(new Date('2024-02-29T23:00:00Z'));
});

test('an empty span has no parts', () => {
  const at = new Date('2026-03-02T15:30:00Z');
  expect(partsOf(at, at)).toEqual([]);
});
