import { expect, inject, onTestFinished, test } from 'vitest';
import { told, simulateAll } from '../../simulate/run.ts';
import { openLanes } from '../../simulate/services.ts';
import { storyOf } from '../../simulate/story.ts';
import { exhaustive } from '../support/exhaustive.ts';

/** How many seeds are played, each for how many days; more of the day by night. `npm run simulate` plays any others. */
const seeds = 20;
const days = exhaustive ? 0.5 : 0.2;

test('whatever happens, however processes die and freeze, every promise holds after every step', async () => {
  const services = await openLanes(3, { postgresUrl: inject('postgresUrl'), template: inject('template') });
  onTestFinished(() => services.close());
  const stories = Array.from({ length: seeds }, (_, index) => storyOf(index + 1, days));
  const failed: string[] = [];
  const seen = { contacts: 0, crashes: 0, freezes: 0 };
  await simulateAll(stories, services.lanes, {
    ended: (outcome) => {
      if (outcome.violations.length > 0) failed.push(told(outcome));
      seen.contacts += outcome.contacts;
      seen.crashes += outcome.upsets.crashes;
      seen.freezes += outcome.upsets.freezes;
      return Promise.resolve(true);
    },
  });
  expect(failed.join('\n\n')).toBe('');
  // A calm clinic would prove nothing.
  expect(seen.contacts).toBeGreaterThan(50);
  expect(seen.crashes).toBeGreaterThan(3);
  expect(seen.freezes).toBeGreaterThan(3);
}, 900_000);

test('the same seed is the same story', () => {
  expect(storyOf(7, 3)).toEqual(storyOf(7, 3));
  expect(storyOf(7, 3)).not.toEqual(storyOf(8, 3));
});
