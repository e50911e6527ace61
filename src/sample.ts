import { setTimeout as sleep } from 'node:timers/promises';
import { Temporal } from 'temporal-polyfill';
import type { Attempts } from './attempt.ts';
import type { Campaigns } from './campaign.ts';
import type { Clock } from './clock.ts';
import { localTimeAt } from './domain/calendar.ts';
import { ContactBlocked } from './domain/refusal.ts';
import type { Log } from './logger.ts';
import type { Workspaces } from './provision.ts';
import type { Registry } from './registry.ts';

/** A made-up patient: name, birth date, number, zone, and what the call would be about. */
type Sample = [name: string, birthDate: string, phone: string, timeZone: string, reason: string];

/** Made up, spread over the zones of the United States. The last four digits say how the simulated person answers. */
const patients: Sample[] = [
  ['Rosa Delgado', '1951-03-14', '+12125550100', 'America/New_York', 'Confirm the appointment on Thursday'],
  ['Walter Hughes', '1944-11-02', '+13055550101', 'America/New_York', 'Ask how the new inhaler is going'],
  ['June Okafor', '1968-07-21', '+13125550104', 'America/Chicago', 'Remind of the mammogram next week'],
  [
    'Frank Nowak',
    '1959-01-30',
    '+13175550102',
    'America/Indiana/Indianapolis',
    'Check in after the discharge',
  ],
  ['Mei Tanaka', '1973-09-09', '+13035550100', 'America/Denver', 'Tell that the lab results are in'],
  ['Carlos Begay', '1962-05-18', '+16025550108', 'America/Phoenix', 'Schedule the eye exam'],
  ['Dolores Yazzie', '1955-12-25', '+19285550100', 'America/Denver', 'Renew the blood pressure prescription'],
  [
    'Amir Haddad',
    '1980-04-04',
    '+12135550118',
    'America/Los_Angeles',
    'Pre-registration for the knee surgery',
  ],
  ['Grace Lindqvist', '1949-08-16', '+12065550113', 'America/Los_Angeles', 'Ask about side effects'],
  ['Noah Petrov', '1990-10-10', '+19075550100', 'America/Anchorage', 'Flu shot appointment'],
  ['Leilani Kahale', '1957-02-11', '+18085550100', 'Pacific/Honolulu', 'Home visit on Monday'],
  ['Isabel Rivera', '1971-06-06', '+17875550109', 'America/Puerto_Rico', 'Diabetes class'],
];

/** Our numbers in the sample: one on each coast. */
const numbers = ['+12125550190', '+14155550190'];

/** How long after the start the first call is placed, and the next, in milliseconds. */
const firstMs = 1_500;
const nextMs = 2_500;

/** How many of the sample patients are called directly; the campaign calls them all. */
const called = 2;

/** What the sample is made with. */
interface Tools {
  registry: Registry;
  workspaces: Workspaces;
  campaigns: Campaigns;
  attempts: Attempts;
  clock: Clock;
  workspaceId: string;
  log: Log;
}

/** Fills an empty workspace with sample patients, places a few calls in its first ten seconds, and begins a campaign. The answer ends that. */
export async function fillSample(tools: Tools) {
  const { registry, workspaces, campaigns, attempts, clock, workspaceId, log } = tools;
  const by = () => ({ workspaceId, actor: 'demo', source: 'job' as const, now: clock.now() });
  await workspaces.createService(workspaceId, {
    name: 'Care team',
    systemPrompt: 'You call for the Harbor Family Clinic. Be brief, warm and clear. Never guess.',
    greeting: 'Hello, this is the automated assistant of the Harbor Family Clinic.',
    isDefault: true,
  });
  const register = (phone: string) =>
    workspaces.registerNumber(workspaceId, {
      phone,
      label: 'Harbor',
      voice: true,
      text: true,
      serviceId: null,
    });
  const numberIds = await Promise.all(numbers.map(async (phone) => (await register(phone)).id));
  const useCase = await workspaces.createUseCase(workspaceId, {
    name: 'Outreach',
    channel: 'VOICE',
    numberIds,
  });
  const stop = new AbortController();
  /** Whoever may be called at this hour, one after the other. */
  const callSome = async (wanted: { patientId: string; reason: string }[]) => {
    let placed = 0;
    for (const { patientId, reason } of wanted) {
      if (placed === called) return;
      await sleep(placed === 0 ? firstMs : nextMs, undefined, { signal: stop.signal });
      const patient = { patientId };
      const source = { useCaseId: useCase.id };
      const call = attempts.placeCall({ ...blankCall, patient, source, reason }, by());
      placed += await call.then(() => 1).catch(skipIfBlocked);
    }
  };
  const story = (async () => {
    const ids: string[] = [];
    for (const [name, birthDate, phone, timeZone] of patients) {
      const said = { attributes: { name, birthDate, phone, timeZone }, source: 'sample' };
      ids.push((await registry.state(said, by())).patient.id);
    }
    await callSome(ids.map((patientId, index) => ({ patientId, reason: patients[index]![4] })));
    const { id } = await campaigns.createCampaign(checkIn(clock.now()), null, by());
    await campaigns.activateCampaign(id, by());
    await campaigns.runCampaign(id, { callList: null, idempotencyKey: null }, by());
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) log('the sample ended early', error);
  });
  return async () => {
    stop.abort();
    await story;
  };
}

/** A small campaign that goes on by itself: all sample patients, a call every six seconds, and again each day. */
const checkIn = (now: Date) => ({
  name: 'Daily check-in',
  purpose: 'WELLNESS_CHECKUP' as const,
  reason: 'Ask how they are doing',
  goal: 'Find out whether anything has become worse',
  priority: 5,
  runAt: localTimeAt(now, edges[0]!).slice(11, 16),
  timeZone: edges[0]!,
  audience: { facts: {}, sourceSystems: ['sample'], tags: [] },
  allowlist: [],
  maxAttempts: 3,
  cooldownHours: 20,
  callsPerMinute: 10,
  maxConcurrentCalls: 3,
  breakerThreshold: 5,
  serviceId: null,
});

/** Where it is night nobody is called: the gate has said so, and the next one is tried. */
function skipIfBlocked(error: unknown): number {
  if (error instanceof ContactBlocked) return 0;
  throw error;
}

const blankCall = {
  phoneTo: null,
  purpose: 'CARE_PLAN' as const,
  goal: null,
  systemPrompt: null,
  welcomeMessage: null,
  serviceId: null,
  tags: ['sample'],
  metadata: {},
  variables: {},
  derivedFromCallSid: null,
  taskId: null,
  callbackUrl: null,
  basis: null,
  idempotencyKey: null,
};

/** The zones at the edges of the sample: if nobody may be called in either, nobody may be in between. */
const edges = ['America/New_York', 'Pacific/Honolulu'];

/** Whether it is before 8 a.m. or after 8 p.m. everywhere from New York to Honolulu (C-01, C-04). */
export function isNightInTheUnitedStates(now: Date): boolean {
  const [east = 0, west = 0] = edges.map((zone) => at(now, zone).hour);
  return east < 8 && (west >= 20 || west < 8);
}

/** The next 10:00 in New York. */
export function tenInNewYork(now: Date): Date {
  const local = at(now, edges[0]!);
  const today = local.with({ hour: 10, minute: 0, second: 0, millisecond: 0, microsecond: 0, nanosecond: 0 });
  const next = Temporal.ZonedDateTime.compare(today, local) > 0 ? today : today.add({ days: 1 });
  return new Date(next.epochMilliseconds);
}

const at = (now: Date, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone);
