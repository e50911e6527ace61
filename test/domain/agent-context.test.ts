import { expect, test } from 'vitest';
import { assemble, fill, summaryBudget, type Material } from '../../src/domain/agent-context.ts';
import * as calls from '../../src/domain/call.ts';
import type { Event } from '../../src/domain/event.ts';
import * as patients from '../../src/domain/patient.ts';

const now = new Date('2026-03-03T19:00:00Z');
const decision = { timeZone: 'America/New_York' } as calls.Call['decision'];

const call = (more: Partial<calls.Call> = {}): calls.Call => ({
  ...calls.blank('019cb512-0000-7000-8000-000000000001', 'w'),
  phoneFrom: '+14155550199',
  reason: 'Confirm the appointment',
  decision,
  ...more,
});

const patient = {
  ...patients.blank('p', 'w'),
  name: 'Rosa Delgado',
  birthDate: '1951-03-14',
  language: 'es',
};

let ids = 0;
/** Something that was told of the patient so many days ago. */
function event(type: string, data: Record<string, unknown>, daysAgo = 1, more: Partial<Event> = {}): Event {
  const effectiveAt = new Date(now.getTime() - daysAgo * 86_400_000);
  return { id: `e${(ids += 1)}`, type, data, effectiveAt, supersedesId: null, ...more } as Event;
}

const service = {
  name: 'Care',
  systemPrompt: 'Be kind.',
  greeting: 'Hello from {{serviceName}}.',
  streamUrl: null,
  machineMessage: null,
  recordsCalls: false,
};

const context = (more: Partial<Material> = {}) =>
  assemble({
    call: call(),
    patient,
    service,
    happenings: [],
    earlier: [],
    now,
    ...more,
  });

test('tells the service what to do, and what the call is for', () => {
  expect(context().instructions).toBe('Be kind.\n\nThe goal of this call: Confirm the appointment');
  const own = call({
    systemPrompt: 'Be brief.',
    goal: 'Find out whether {{who}} comes',
    variables: { who: 'she' },
  });
  expect(context({ call: own }).instructions).toBe(
    'Be brief.\n\nThe goal of this call: Find out whether she comes',
  );
});

test("greets with the call's own words, else the service's, filled in", () => {
  expect(context().greeting).toBe('Hello from Care.');
  const own = call({
    welcomeMessage: 'Hello {{ firstName }}, it is {{day}}.',
    variables: { day: 'Tuesday' },
  });
  expect(context({ call: own }).greeting).toBe('Hello Rosa, it is Tuesday.');
  expect(context({ service: null }).greeting).toMatch(/automated call/);
});

test('fills a name in once, whatever it is, and says nothing for one that is unknown', () => {
  const values = new Map([
    ['a', '{{b}}'],
    ['b', 'secret'],
  ]);
  expect(fill('{{a}} {{ nobody }} {{constructor}}, {{__proto__}}!', values)).toBe('{{b}},!');
  expect(fill('{{a', values)).toBe('{{a');
});

test('what is said is bounded, however often a variable is named', () => {
  const long = call({
    systemPrompt: '{{x}}'.repeat(2_000),
    goal: 'G'.repeat(2_000),
    variables: { x: 'y'.repeat(256) },
  });
  const { instructions } = context({ call: { ...long, welcomeMessage: '{{x}}'.repeat(40) } });
  expect(instructions.length).toBeLessThanOrEqual(16_000);
  expect(instructions.endsWith('G'.repeat(2_000))).toBe(true);
  expect(
    context({ call: { ...long, welcomeMessage: '{{x}}'.repeat(40) } }).greeting.length,
  ).toBeLessThanOrEqual(500);
});

test('sums a patient up: who, when, conditions, medications, and what earlier contacts came to', () => {
  const happenings = [
    event('condition.recorded', { display: 'Hypertension', clinicalStatus: 'active' }),
    event('condition.recorded', { display: 'Flu', clinicalStatus: 'resolved' }),
    event('condition.recorded', { display: 'Sprain', abatedAt: '2020-01-01' }),
    event('medication.prescribed', { display: 'Metformin', status: 'active', dosageText: '500 mg daily' }),
    event('medication.prescribed', { display: 'Amoxicillin', status: 'completed' }),
    event('lab.result_received', { display: 'HbA1c' }, 3),
  ];
  const earlier = [
    call({
      queuedAt: new Date('2026-02-20T15:00:00Z'),
      status: 'COMPLETED',
      outcome: 'callback_requested',
      summary: 'Was busy.',
    }),
    call({ queuedAt: new Date('2026-02-19T15:00:00Z'), status: 'NO_ANSWER' }),
  ];
  expect(context({ happenings, earlier }).patientSummary.split('\n')).toEqual([
    'Rosa Delgado, born 1951-03-14, speaks es',
    'Local time: 2026-03-03T14:00:00-05:00',
    'Earlier contacts:',
    '- 2026-02-20 called about: Confirm the appointment; callback requested. Was busy.',
    '- 2026-02-19 called about: Confirm the appointment; no answer',
    'Active conditions:',
    '- Hypertension',
    'Medications:',
    '- Metformin, 500 mg daily',
    'Recently:',
    '- 2026-02-28 Lab result received: HbA1c',
  ]);
});

test('tells appointments to come as they are now, the next one first', () => {
  const at = (day: string) => ({ startsAt: `${day}T10:00:00-05:00` });
  const happenings = [
    event('appointment.confirmed', { appointmentId: '1', ...at('2026-03-09'), with: 'Dr. Ito' }, 1),
    event('appointment.cancelled', { appointmentId: '2' }, 2),
    event('appointment.booked', { appointmentId: '2', ...at('2026-03-05') }, 3),
    event('appointment.booked', { appointmentId: '1', ...at('2026-03-08') }, 4),
    event('appointment.rescheduled', { appointmentId: '3', ...at('2026-03-06') }, 5),
    event('appointment.booked', { appointmentId: '4', ...at('2026-03-01') }, 6),
    event('appointment.booked', { appointmentId: '5', note: 'no time' }, 7),
  ];
  const lines = context({ happenings }).patientSummary.split('\n');
  expect(lines.slice(lines.indexOf('Upcoming appointments:') + 1)).toEqual([
    '- 2026-03-06T10:00:00-05:00',
    '- 2026-03-09T10:00:00-05:00 Dr. Ito, confirmed',
  ]);
});

test('leaves out what a later event has corrected', () => {
  const wrong = event('condition.recorded', { display: 'Asthma' }, 2);
  const right = event('condition.recorded', { display: 'Bronchitis' }, 1, { supersedesId: wrong.id });
  const { patientSummary } = context({ happenings: [right, wrong] });
  expect(patientSummary).toContain('Bronchitis');
  expect(patientSummary).not.toContain('Asthma');
});

test('keeps to its budget: what is most relevant stays, whole lines only', () => {
  const happenings = Array.from({ length: 200 }, (_, index) =>
    event(index % 2 ? 'condition.recorded' : 'medication.prescribed', {
      display: `${index} ${'x'.repeat(500)}`,
    }),
  );
  const beliefs = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [
      `fact${index}`,
      [{ value: 'v'.repeat(300), confidence: 1, source: 's', effectiveAt: now.toISOString(), eventId: 'e' }],
    ]),
  );
  const earlier = Array.from({ length: 5 }, () => call({ summary: 'told at length '.repeat(50) }));
  const { patientSummary } = context({ happenings, earlier, patient: { ...patient, beliefs } });
  expect(patientSummary.length).toBeLessThanOrEqual(summaryBudget);
  expect(patientSummary.length).toBeGreaterThan(summaryBudget - 300);
  expect(patientSummary).toContain('Earlier contacts:');
  for (const line of patientSummary.split('\n')) expect(line.length).toBeLessThanOrEqual(240);
});
