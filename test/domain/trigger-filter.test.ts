import { expect, test } from 'vitest';
import { believe } from '../../src/domain/belief.ts';
import { faultOf, lastRun, nextRuns } from '../../src/domain/cron.ts';
import type { Scene } from '../../src/domain/event-path.ts';
import * as patients from '../../src/domain/patient.ts';
import { faultOfTemplate, render } from '../../src/domain/template.ts';
import { faultsOf, factsNeeded, fits, type Filter } from '../../src/domain/trigger-filter.ts';
import { planFor } from '../../src/domain/trigger-plan.ts';
import { now } from '../support/given.ts';

const said = (key: string, value: string, effectiveAt: string, confidence = 1) => ({
  key,
  belief: { value, confidence, effectiveAt, source: 'ehr', eventId: `${key} ${effectiveAt}` },
});

const facts = [
  said('a1c', '9.4', '2026-02-01T00:00:00Z'),
  said('gap', 'closed', '2026-01-01T00:00:00Z'),
  said('gap', 'open', '2026-01-20T00:00:00Z'),
  said('gap', 'open', '2026-02-25T00:00:00Z'),
  said('next_milestone', '2026-03-09', '2026-01-01T00:00:00Z'),
  said('last_refill', '2026-01-15', '2026-01-15T00:00:00Z'),
  said('smoker', 'true', '2026-01-01T00:00:00Z'),
];

const patient: patients.Patient = {
  ...patients.blank('p', 'w'),
  name: 'Ada Lovelace',
  language: 'en',
  tags: ['diabetes', 'west'],
  beliefs: facts.reduce((beliefs, { key, belief }) => believe(beliefs, key, belief), {}),
};

const scene: Scene = {
  now,
  patient,
  event: {
    type: 'lab.result_received',
    effectiveAt: now,
    data: {
      today: '2026-03-02',
      flag: 'H',
      value: 7,
      results: [{ code: 'A1c' }],
      tags: ['x', 'y'],
      nested: { deep: true },
      startsAt: '2026-03-10T15:00:00Z',
    },
  },
};

test.each<[Filter, boolean]>([
  [{}, true],
  [{ 'event.data.flag': 'H' }, true],
  [{ 'event.data.flag': 'L' }, false],
  [{ flag: 'H' }, true],
  [{ 'data.flag': ['L', 'H'] }, true],
  [{ event: { data: { flag: 'H', 'nested.deep': true } }, patient: { language: 'en' } }, true],
  [{ 'event.data.nested.deep': true, 'patient.language': 'es' }, false],
  [{ 'event.data.results.0.code': 'A1c' }, true],
  [{ 'event.data.missing': null }, true],
  [{ 'event.data.flag': null }, false],
  [{ 'event.data.tags': 'y' }, true],
  [{ 'patient.tags': { in: ['north', 'west'] } }, true],
  [{ 'event.data.value': { gte: 7, lt: 8 } }, true],
  [{ 'event.data.value': { gt: 7 } }, false],
  [{ 'event.data.value': '7' }, true],
  [{ 'patient.facts.a1c': { gte: 9 } }, true],
  [{ 'facts.a1c': { lte: 9 } }, false],
  [{ 'facts.a1c': { gt: 'high' } }, false],
  [{ 'facts.smoker': true }, true],
  [{ 'facts.none': { ne: 'x' } }, true],
  [{ 'facts.none': { exists: false } }, true],
  [{ 'facts.a1c': { exists: true } }, true],
  [{ 'event.type': 'lab.result_received' }, true],
  [{ 'event.data.startsAt': { gt: '2026-03-10T09:00:00-05:00' } }, true],
  [{ 'facts.next_milestone': { withinDays: 7 } }, true],
  [{ 'facts.next_milestone': { withinDays: 6 } }, false],
  [{ 'facts.last_refill': { withinDays: 60 } }, false],
  [{ 'event.data.today': { withinDays: 0 } }, true], // a date is its whole day
  [{ 'facts.last_refill': { olderThanDays: 45 } }, true],
  [{ 'facts.last_refill': { olderThanDays: 47 } }, false],
  [{ 'facts.gap': { eq: 'open', heldForDays: 40 } }, true], // said again since, which changes nothing
  [{ 'facts.gap': { eq: 'open', heldForDays: 42 } }, false],
  [{ 'facts.none': { heldForDays: 0 } }, false],
])('%j fits: %s', (filter, expected) => {
  expect(faultsOf(filter, true)).toEqual([]);
  expect(fits(filter, scene)).toBe(expected);
});

test.each<[Filter, string]>([
  [{ 'event.dta.flag': 'H' }, 'data'],
  [{ 'patint.name': 'x' }, 'patient'],
  [{ 'patient.fact.a1c': 'x' }, 'facts'],
  [{ 'patient.facts': 'x' }, 'must name something'],
  [{ 'patient.name.first': 'x' }, 'nothing in name'],
  [{ 'patient.facts.a1c': { gte9: 1 } }, 'gte'],
  [{ 'event.data.x': { in: 'a' } }, 'list'],
  [{ 'event.data.x': { exists: 'yes' } }, 'true or false'],
  [{ 'event.data.x': { heldForDays: 3 } }, 'asked of facts'],
  [{ 'facts.x': { heldForDays: '3' } }, 'number of days'],
  [{ 'facts.x y': 1 }, 'no path'],
  [{ 'event.data.__proto__.x': { eq: { a: 1 } } }, 'operator'],
])('%j is refused, and told what is meant', (filter, told) => {
  expect(
    faultsOf(filter, true)
      .map(({ message }) => message)
      .join(),
  ).toContain(told);
});

test('what a trigger without an event looks at is its patients', () => {
  expect(faultsOf({ 'event.data.flag': 'H' }, false)[0]?.message).toContain('no event');
  expect(faultOfTemplate('Hello {{event.data.flag}}', false)).toContain('no event');
  expect(factsNeeded({ 'facts.a': 1, 'facts.b': null, 'facts.c': { ne: 2 }, 'facts.d': { gte: 1 } })).toEqual(
    ['a', 'd'],
  );
});

test('nothing of a prototype can be reached', () => {
  expect(fits({ 'event.data.constructor': { exists: true } }, scene)).toBe(false);
  expect(fits({ 'event.data.__proto__': { exists: true } }, scene)).toBe(false);
  expect(() => render('{{event.data.toString}}', scene, 256)).toThrow('There is no event.data.toString.');
});

test('templates are filled in, and what is missing or broken is told', () => {
  expect(
    render('{{patient.firstName}}: {{ event.data.results.0.code }} is {{event.data.value}}', scene, 256),
  ).toBe('Ada: A1c is 7');
  expect(render('{{patient.name}}', scene, 3)).toBe('Ada');
  expect(() => render('{{patient.facts.none}}', scene, 256)).toThrow('There is no patient.facts.none.');
  expect(faultOfTemplate('{{patient.firstName}}', true)).toBeNull();
  for (const broken of ['{{patient.firstName', 'a }} b', '{{}}', '{{ }}', '{{patient.nam}}'])
    expect([broken, faultOfTemplate(broken, true)]).not.toEqual([broken, null]);
});

test('a task is planned from when the event was true, or around an instant of it', () => {
  const action = {
    channel: 'VOICE' as const,
    purpose: 'OTHER' as const,
    reason: 'r',
    goal: null,
    priority: 5,
    maxAttempts: 3,
    cancelOn: [],
    scheduleAt: null,
    delaySeconds: 86_400,
  };
  const later = new Date(now.getTime() + 1_000);
  const plan = (more: { scheduleAt?: string; delaySeconds?: number }) =>
    planFor({ action: { ...action, ...more } }, scene, later);
  expect(plan({})).toMatchObject({ scheduledFor: new Date('2026-03-03T15:00:00Z'), validUntil: null });
  const before = plan({ scheduleAt: '{{event.data.startsAt}}', delaySeconds: -172_800 });
  expect(before.scheduledFor).toEqual(new Date('2026-03-08T15:00:00Z'));
  expect(before.validUntil).toEqual(new Date('2026-03-10T15:00:00Z'));
  expect(() => plan({ scheduleAt: '{{event.data.flag}}' })).toThrow('no instant');
});

test('a schedule follows its zone through both changes of the clock', () => {
  const runs = (expression: string, after: string, count: number) =>
    nextRuns(expression, 'America/New_York', new Date(after), count).map((at) => at.toISOString());
  expect(runs('30 2 * * *', '2026-03-07T00:00:00Z', 3)).toEqual([
    '2026-03-07T07:30:00.000Z',
    '2026-03-08T07:00:00.000Z', // 2:30 does not exist: the first instant after the gap
    '2026-03-09T06:30:00.000Z',
  ]);
  expect(runs('30 1 * * *', '2026-10-31T00:00:00Z', 3)).toEqual([
    '2026-10-31T05:30:00.000Z',
    '2026-11-01T05:30:00.000Z', // of two, the first
    '2026-11-02T06:30:00.000Z',
  ]);
  expect(lastRun('0 9 * * 1', 'America/New_York', new Date('2026-03-09T13:00:00Z'))).toEqual(
    new Date('2026-03-09T13:00:00Z'),
  );
  expect(lastRun('0 9 * * 1', 'America/New_York', new Date('2026-03-09T12:59:59Z'))).toEqual(
    new Date('2026-03-02T14:00:00Z'),
  );
  for (const wrong of [
    '',
    'x',
    '61 * * * *',
    '* * * * * *',
    '0 0 30 2 *',
    '0 9 * *',
    `0 9 * * ${'1,'.repeat(80)}1`,
  ])
    expect([wrong, faultOf(wrong, 'UTC', now)]).not.toEqual([wrong, null]);
  expect(faultOf('@daily', 'UTC', now)).toBeNull();
});
