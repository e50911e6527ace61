/** What triggers do by themselves: schedules once for all replicas, monitors once for each episode, every event for every trigger. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import type { Settings } from '../../src/domain/trigger.ts';
import { runs as runTable, type TriggerRun } from '../../src/domain/trigger-run.ts';
import { openRegistry } from '../../src/registry.ts';
import { openTriggers } from '../../src/trigger.ts';
import type { World } from '../../src/world.ts';
import { numbers, withClinic, type Clinic } from './clinic.ts';

const minute = 60_000;
const day = 86_400_000;

const anySchedule: Settings = {
  name: 'A schedule',
  kind: 'CRON',
  schedule: '0 * * * *',
  timeZone: 'America/New_York',
  eventType: null,
  filter: {},
  action: {
    channel: 'VOICE',
    purpose: 'CARE_PLAN',
    reason: 'A word with {{patient.firstName}}',
    goal: null,
    priority: 5,
    scheduleAt: null,
    delaySeconds: 0,
    maxAttempts: 1,
    cancelOn: [],
  },
  acceptedEventTypes: [],
  maxRetries: 5,
  maxRunsPerMinute: 1_000,
};

function triggersOf(clinic: Clinic, world: World = clinic.world) {
  const clock = { now: clinic.clock.now, busy: <T>(work: Promise<T>) => work };
  const log = (line: string, error?: unknown) => {
    throw new Error(line, { cause: error });
  };
  return openTriggers({ world, clock, log });
}

async function written(clinic: Clinic, more: Partial<Settings>): Promise<string> {
  const { trigger } = await triggersOf(clinic).createTrigger({ ...anySchedule, ...more }, null, clinic.by());
  return trigger.id;
}

const runsOf = async ({ world, workspaceId }: Clinic, triggerId: string): Promise<TriggerRun[]> =>
  (
    await world.find<TriggerRun>(runTable, { workspaceId: { eq: workspaceId }, triggerId: { eq: triggerId } })
  ).toSorted((a, b) => (a.id < b.id ? -1 : 1));

const firings = async ({ world, workspaceId }: Clinic, triggerId: string) =>
  (await world.history(workspaceId, triggerId)).filter(({ type }) => type === 'trigger.fired');

/** Tells something of a patient. */
const learn = (clinic: Clinic, patient: { phone: string; name: string }, facts: Record<string, string>) =>
  openRegistry({ world: clinic.world }).state({ attributes: patient, facts, source: 'ehr' }, clinic.by());

test('replicas that tick at the same instant fire a schedule once, for each patient once', () =>
  withClinic(async (clinic) => {
    for (const phone of numbers(5)) await clinic.patient(phone);
    const id = await written(clinic, {});
    const replicas = [
      triggersOf(clinic),
      triggersOf(clinic, (await clinic.replica()).world),
      triggersOf(clinic, (await clinic.replica()).world),
    ];
    for (let hour = 1; hour <= 3; hour += 1) {
      clinic.clock.advance(60 * minute);
      await Promise.all([...replicas, ...replicas].map((triggers) => triggers.tick()));
      await Promise.all(replicas.map((triggers) => triggers.run()));
      expect(await runsOf(clinic, id)).toHaveLength(5 * hour);
      expect(await firings(clinic, id)).toHaveLength(hour);
    }
    const all = await runsOf(clinic, id);
    expect(new Set(all.map(({ cause }) => cause)).size).toBe(15);
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['SUCCEEDED']));
    const made = await clinic.world.query(sql`select id from outbound_task where trigger_id = ${id}`);
    expect(made).toHaveLength(15);
  }));

test('after an outage the last instant that was missed fires, once, unless it is more than a day ago', () =>
  withClinic(async (clinic) => {
    await clinic.patient('+12125550100');
    const hourly = await written(clinic, {});
    const weekly = await written(clinic, { schedule: '0 9 * * 3' });
    clinic.clock.advance(3 * day + 30 * minute);
    for (let n = 0; n < 3; n += 1) await triggersOf(clinic).tick();
    const [run, ...others] = await runsOf(clinic, hourly);
    expect(others).toEqual([]);
    expect(run!.cause).toMatch(/^2026-03-06T19:00:00\.000Z /);
    expect(await runsOf(clinic, weekly)).toEqual([]);
    expect((await firings(clinic, weekly)).map(({ data }) => data)).toMatchObject([
      { cause: '2026-03-04T14:00:00.000Z', runs: 0, nextFireAt: '2026-03-11T13:00:00.000Z' },
    ]);
  }));

test('a monitor fires once for each episode, and again when the state has come back', () =>
  withClinic(async (clinic) => {
    const ada = { phone: '+12125550100', name: 'Ada Lovelace' };
    const id = await written(clinic, {
      kind: 'MONITOR',
      filter: { 'patient.facts.gap': { eq: 'open', heldForDays: 30 } },
    });
    const triggers = triggersOf(clinic);
    const after = async (days: number) => {
      for (let day = 0; day < days; day += 1) {
        clinic.clock.advance(24 * 60 * minute);
        await triggers.tick();
      }
      return (await runsOf(clinic, id)).length;
    };
    await learn(clinic, ada, { gap: 'open' });
    await learn(clinic, { phone: '+12125550101', name: 'Bo Busy' }, { gap: 'closed' });
    expect(await after(29)).toBe(0);
    expect(await after(2)).toBe(1);
    await learn(clinic, ada, { other: 'x' });
    expect(await after(10)).toBe(1);
    await learn(clinic, ada, { gap: 'closed' });
    expect(await after(40)).toBe(1);
    await learn(clinic, ada, { gap: 'open' });
    expect(await after(29)).toBe(1);
    expect(await after(3)).toBe(2);
  }));

test('monitors see adherence gaps and milestones that come near', () =>
  withClinic(async (clinic) => {
    const refill = await written(clinic, {
      kind: 'MONITOR',
      filter: { 'facts.last_refill': { olderThanDays: 35 }, 'facts.program': ['diabetes', 'asthma'] },
    });
    const milestone = await written(clinic, {
      kind: 'MONITOR',
      filter: { 'facts.next_milestone': { withinDays: 7 } },
      action: { ...anySchedule.action, reason: 'Your milestone on {{patient.facts.next_milestone}}' },
    });
    const people: [string, Record<string, string>][] = [
      ['late', { last_refill: '2026-01-20', program: 'asthma' }],
      ['in time', { last_refill: '2026-02-20', program: 'asthma' }],
      ['in no program', { last_refill: '2026-01-20' }],
      ['soon', { next_milestone: '2026-03-10' }],
      ['later', { next_milestone: '2026-03-12' }],
      ['over', { next_milestone: '2026-03-01' }],
    ];
    const ids = new Map<string, string>();
    for (const [index, [name, facts]] of people.entries()) {
      const { patient } = await learn(clinic, { phone: numbers(10)[index]!, name }, facts);
      ids.set(patient.id, name);
    }
    const triggers = triggersOf(clinic);
    clinic.clock.advance(60 * minute);
    while ((await triggers.tick()) > 0);
    const found = async (id: string) =>
      (await runsOf(clinic, id)).map(({ patientId, status }) => [ids.get(patientId!), status]);
    expect(await found(refill)).toEqual([['late', 'SUCCEEDED']]);
    expect(await found(milestone)).toEqual([['soon', 'SUCCEEDED']]);
    const [task] = await clinic.world.query<{ reason: string }>(
      sql`select reason from outbound_task where trigger_id = ${milestone}`,
    );
    expect(task!.reason).toBe('Your milestone on 2026-03-10');
  }));

test('what makes a task pointless before it is made keeps it from being made', () =>
  withClinic(async (clinic) => {
    const { world } = clinic;
    const patientId = await clinic.patient('+12125550100');
    const id = await written(clinic, {
      kind: 'EVENT',
      schedule: null,
      eventType: 'appointment.booked',
      action: { ...anySchedule.action, cancelOn: ['appointment.cancelled', 'appointment.booked'] },
    });
    clinic.clock.advance(1_000);
    const registry = openRegistry({ world });
    const tell = (type: string) =>
      registry.tell(
        {
          patient: { patientId },
          type,
          data: {},
          effectiveAt: null,
          confidence: null,
          supersedesId: null,
          idempotencyKey: null,
        },
        clinic.by(),
      );
    await tell('appointment.booked');
    await tell('appointment.cancelled');
    await tell('appointment.booked'); // it is its own cause, and stands
    await world.sequence(await world.logEnd(), 100);
    const triggers = triggersOf(clinic);
    const { notices } = await world.noticesOf(triggers.awaitedTypes, 0, 100);
    await triggers.match(notices);
    await triggers.match(notices); // told again, it is the same
    const runs = await runsOf(clinic, id);
    const ends = runs.map(({ status, taskId, error }) => [status, taskId !== null, error]);
    expect(ends.toSorted(([, made]) => (made ? 1 : -1))).toEqual([
      ['SUCCEEDED', false, expect.stringMatching(/^Not needed any more: appointment\.(cancelled|booked)\.$/)],
      ['SUCCEEDED', true, null],
    ]);
  }));

test('a connection that fails lets a run wait and begin again, as often as its trigger says', () =>
  withClinic(async (clinic) => {
    const patientId = await clinic.patient('+12125550100');
    const id = await written(clinic, { kind: 'EVENT', schedule: null, eventType: 'ext.x', maxRetries: 2 });
    const lost = Object.assign(new Error('Connection terminated unexpectedly'), { code: '08006' });
    let failures = 0;
    const faulty = (left: () => boolean): World => ({
      ...clinic.world,
      transact: (work) =>
        clinic.world.transact(async (tx) => {
          const result = await work(tx);
          const isPerformed = tx.staged.events.some(({ type }) => type === 'outbound.scheduled');
          if (isPerformed && left()) {
            failures += 1;
            throw lost;
          }
          return result;
        }),
    });
    const quiet = { now: clinic.clock.now, busy: <T>(work: Promise<T>) => work };
    const on = (left: () => boolean) => openTriggers({ world: faulty(left), clock: quiet, log: () => {} });
    const fire = (left: () => boolean) => on(left).fireTrigger(id, { patientId, data: null }, clinic.by());
    const first = await fire(() => failures < 1);
    expect([first.status, first.attempts]).toEqual(['QUEUED', 1]);
    clinic.clock.advance(2_000);
    await triggersOf(clinic).run();
    expect((await runsOf(clinic, id)).map(({ status, attempts }) => [status, attempts])).toEqual([
      ['SUCCEEDED', 2],
    ]);
    await fire(() => true);
    for (let n = 0; n < 5; n += 1) {
      clinic.clock.advance(10 * minute);
      await on(() => true).run();
    }
    const dead = (await runsOf(clinic, id)).find(({ status }) => status === 'DEAD');
    expect(dead).toMatchObject({ attempts: 3, error: 'The database could not be reached.' });
    expect(await clinic.world.query(sql`select id from outbound_task`)).toHaveLength(1);
  }));
