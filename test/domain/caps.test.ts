import fc from 'fast-check';
import { expect, test } from 'vitest';
import { capsDecision, type Caps } from '../../src/domain/caps.ts';
import type { LegalBasis } from '../../src/domain/consent.ts';

const none: Caps = { perDay: null, perWeek: null, cooldownMinutes: 0 };
const zone = 'America/New_York';
const ask = (now: string, attempts: string[], more: { basis?: LegalBasis; caps?: Caps } = {}) =>
  capsDecision({
    now: new Date(now),
    attempts: attempts.map((at) => new Date(at)),
    basis: more.basis ?? 'PRIOR_EXPRESS',
    caps: more.caps ?? none,
    zone,
  });

test('an organization without caps of its own has none where there is consent', () =>
  expect(ask('2026-03-03T19:00:00Z', ['2026-03-03T18:00:00Z', '2026-03-03T18:30:00Z'])).toEqual({
    blocks: [],
    freeAt: new Date('2026-03-03T19:00:00Z'),
  }));

test('under the healthcare exemption the second attempt waits 24 hours (C-25)', () => {
  const decision = ask('2026-03-04T13:00:00Z', ['2026-03-03T19:00:00Z'], { basis: 'HEALTHCARE_EXEMPTION' });
  expect(decision).toEqual({ blocks: ['FREQUENCY_CAP'], freeAt: new Date('2026-03-04T19:00:00Z') });
  expect(
    ask('2026-03-04T19:00:00Z', ['2026-03-03T19:00:00Z'], { basis: 'HEALTHCARE_EXEMPTION' }).blocks,
  ).toEqual([]);
});

test('the fourth within a week waits until it is the third again (C-25)', () => {
  const week = ['2026-03-03T19:00:00Z', '2026-03-05T19:00:00Z', '2026-03-07T19:00:00Z'];
  const decision = ask('2026-03-09T18:00:00Z', week, { basis: 'HEALTHCARE_EXEMPTION' });
  expect(decision).toEqual({ blocks: ['FREQUENCY_CAP'], freeAt: new Date('2026-03-10T19:00:00Z') });
});

test('a day of 25 hours is one day: the calendar is stricter than 24 hours when the clock goes back', () => {
  const early = '2026-11-01T04:30:00Z'; // 00:30 in New York, the day the clock goes back
  const decision = ask('2026-11-02T04:40:00Z', [early], { basis: 'HEALTHCARE_EXEMPTION' }); // 23:40, 24 h and 10 min later
  expect(decision).toEqual({ blocks: ['FREQUENCY_CAP'], freeAt: new Date('2026-11-02T05:00:00Z') });
});

test('a week that has 169 hours is one week: an attempt early on its Monday counts to the end of its Sunday', () => {
  const caps = { perDay: null, perWeek: 1, cooldownMinutes: 0 };
  const monday = '2026-10-26T04:30:00Z'; // 00:30 in New York
  const decision = ask('2026-11-02T04:40:00Z', [monday], { caps }); // Sunday at 23:40, seven days and 10 minutes later
  expect(decision).toEqual({ blocks: ['FREQUENCY_CAP'], freeAt: new Date('2026-11-02T05:00:00Z') });
  const sunday = '2026-10-26T03:30:00Z';
  expect(ask('2026-11-02T04:40:00Z', [sunday], { caps }).blocks).toEqual([]);
});

test("the organization's own cooldown is told apart from its caps", () => {
  const caps = { perDay: null, perWeek: null, cooldownMinutes: 90 };
  expect(ask('2026-03-03T19:00:00Z', ['2026-03-03T18:00:00Z'], { caps })).toEqual({
    blocks: ['COOLDOWN'],
    freeAt: new Date('2026-03-03T19:30:00Z'),
  });
});

test('at the instant that is told nothing blocks, a millisecond before something does; more attempts never free sooner', () => {
  const start = Date.UTC(2026, 9, 25);
  const attempts = fc.array(fc.integer({ min: 0, max: 10 * 86_400_000 }), { maxLength: 8 });
  const caps = fc.record({
    perDay: fc.option(fc.integer({ min: 1, max: 4 })),
    perWeek: fc.option(fc.integer({ min: 1, max: 6 })),
    cooldownMinutes: fc.constantFrom(0, 30, 600),
  });
  fc.assert(
    fc.property(
      attempts,
      caps,
      fc.constantFrom<LegalBasis>('PRIOR_EXPRESS', 'HEALTHCARE_EXEMPTION'),
      (begun, own, basis) => {
        const now = new Date(start + 10 * 86_400_000);
        const question = { attempts: begun.map((at) => new Date(start + at)), basis, caps: own, zone };
        const { blocks, freeAt } = capsDecision({ ...question, now });
        expect(capsDecision({ ...question, now: freeAt }).blocks).toEqual([]);
        if (blocks.length > 0)
          expect(capsDecision({ ...question, now: new Date(freeAt.getTime() - 1) }).blocks).not.toEqual([]);
        const fewer = capsDecision({ ...question, attempts: question.attempts.slice(1), now });
        expect(fewer.freeAt.getTime()).toBeLessThanOrEqual(freeAt.getTime());
      },
    ),
  );
});
