import { expect, test } from 'vitest';

import { lineOf, personAt, type Person } from '../../src/simulator/people.ts';

function nameOf({ line, voice }: Person): string {
  if (line !== 'answers') return line;
  return voice === 'human' ? 'person' : 'machine';
}

test('of numbers without a story 45 in 100 are people, 25 ring out, 15 are machines, 10 busy, 5 fail', () => {
  const counts: Record<string, number> = {};
  for (let number = 0; number < 10_000; number += 1) {
    const name = nameOf(personAt(`+1415600${String(number).padStart(4, '0')}`, 1));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  const shares = Object.entries(counts).map(([name, count]) => [name, count / 10_000]);
  // Within 1.6 in 100.
  expect(Object.fromEntries(shares)).toEqual({
    person: expect.closeTo(0.45, 1.5),
    'rings out': expect.closeTo(0.25, 1.5),
    machine: expect.closeTo(0.15, 1.5),
    busy: expect.closeTo(0.1, 1.5),
    fails: expect.closeTo(0.05, 1.5),
  });
});

test('the same number and attempt always meet the same person, another attempt may meet another', () => {
  const number = '+14156000000';
  const attempts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const met = attempts.map((attempt) => nameOf(personAt(number, attempt)));
  expect(attempts.map((attempt) => nameOf(personAt(number, attempt)))).toEqual(met);
  expect(new Set(met).size).toBeGreaterThan(1);
});

test('the story of a number is the same in every area code, and only in the 555-01xx block', () => {
  for (const area of ['212', '415', '907']) {
    expect(personAt(`+1${area}5550101`, 1).line).toBe('busy');
    expect(lineOf(`+1${area}5550110`).refusedWith).toBe(21211);
  }
  expect(lineOf('+14155560110').refusedWith).toBeUndefined();
  expect(lineOf('+4415550110').refusedWith).toBeUndefined();
});
