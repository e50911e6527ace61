/** How fast campaigns call, and what they leave to others. */
import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import type { Call } from '../../src/domain/call.ts';
import { withCampaigns, type CampaignClinic } from './campaign-clinic.ts';
import { directCall, numbers } from './clinic.ts';

// Minutes go by second by second, which takes its time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

const minuteMs = 60_000;

/** The most of these instants that lie in one stretch of so many milliseconds, its end left out. */
function mostWithin(instants: number[], lengthMs: number): number {
  const sorted = instants.toSorted((a, b) => a - b);
  return Math.max(
    0,
    ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + lengthMs).length),
  );
}

const startsOf = (calls: Call[]): number[] => calls.map(({ queuedAt }) => queuedAt.getTime());

const isOpen = ({ endedAt }: Call): boolean => !endedAt;

/** The calls of each campaign. */
async function callsBy(clinic: CampaignClinic, ids: string[]): Promise<Call[][]> {
  const calls = await clinic.calls();
  return ids.map((id) => calls.filter(({ campaignId }) => campaignId === id));
}

test('over two replicas a campaign keeps its pace in any minute and its lines at any instant, and calls are spread', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(90));
    const pace = { callsPerMinute: 30, maxConcurrentCalls: 4 };
    const id = await clinic.campaign(pace);
    const { attempts } = await clinic.replica();
    let mostOpen = 0;
    await clinic.seconds(200, {
      by: [clinic.attempts, attempts],
      callMs: 7_000,
      each: async () => {
        mostOpen = Math.max(mostOpen, (await clinic.calls()).filter(isOpen).length);
      },
    });
    const starts = startsOf(await clinic.calls());
    expect(mostOpen).toBeLessThanOrEqual(4);
    expect(mostOpen).toBeGreaterThanOrEqual(3);
    expect(mostWithin(starts, minuteMs)).toBeLessThanOrEqual(30);
    expect(mostWithin(starts, minuteMs)).toBeGreaterThanOrEqual(26);
    expect(mostWithin(starts, 10_000)).toBeLessThanOrEqual(6); // one each two seconds
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED' });
    expect(starts).toHaveLength(90);
  }));

test('two replicas that claim for one run at the same instant never exceed its lines', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(60));
    await clinic.campaign({ callsPerMinute: 600, maxConcurrentCalls: 5 });
    await clinic.tick();
    const { attempts } = await clinic.replica();
    for (let second = 0; second < 6; second += 1) {
      await Promise.all([clinic.attempts, attempts, clinic.attempts].map((by) => clinic.dispatch(by)));
      expect((await clinic.calls()).filter(isOpen).length).toBeLessThanOrEqual(5);
      clinic.clock.advance(1_000);
      if (second % 2 === 1) await clinic.endCalls();
    }
    expect(clinic.carrier.orders.length).toBeGreaterThanOrEqual(15);
  }));

test('while campaigns are busy on a number, a fifth of its minute is left to direct calls and tasks', () =>
  withCampaigns(
    async (clinic) => {
      await clinic.people(numbers(50), 'one');
      await clinic.people(numbers(50, 312), 'two');
      const others = numbers(60, 213);
      const people: string[] = [];
      for (const phone of others) people.push(await clinic.patient(phone));
      const audience = (tag: string) => ({ facts: {}, sourceSystems: [], tags: [tag] });
      const ids = [];
      for (const tag of ['one', 'two']) ids.push(await clinic.campaign({ audience: audience(tag) }));
      const { attempts } = await clinic.replica();
      const urgent: string[] = [];
      await clinic.seconds(240, {
        by: [clinic.attempts, attempts],
        callMs: 3_000,
        each: async (second) => {
          if (second % 60 === 20) await clinic.attempts.placeCall(directCall(people.pop()!), clinic.by());
          if (second % 60 === 40) {
            const taskId = await clinic.task(people.pop()!, { priority: 1 });
            await clinic.dispatch();
            urgent.push((await clinic.taskOf(taskId)).status);
          }
        },
      });
      expect(urgent).toEqual(Array(4).fill('DISPATCHED'));
      const [one, two] = await callsBy(clinic, ids);
      expect(mostWithin(startsOf([...one!, ...two!]), minuteMs)).toBeLessThanOrEqual(8);
      expect(mostWithin(startsOf([...one!, ...two!]), 7_000)).toBe(1); // spread over the minute, together
      expect(mostWithin(startsOf(await clinic.calls()), minuteMs)).toBeLessThanOrEqual(10);
      expect(one!.length + two!.length).toBeGreaterThanOrEqual(24);
    },
    { callsPerMinute: 10 },
  ));

test.each([
  ['of equal pace', 600, 600],
  ['of which one is told to be faster', 600, 60],
  ['of which one is told to be slower', 12, 60],
])('two campaigns of equal priority, %s, share a number fairly, whichever began first', (_, first, second) =>
  withCampaigns(
    async (clinic) => {
      await clinic.people(numbers(100), 'one');
      await clinic.people(numbers(100, 312), 'two');
      const audience = (tag: string) => ({ facts: {}, sourceSystems: [], tags: [tag] });
      const ids = [await clinic.campaign({ audience: audience('one'), callsPerMinute: first })];
      await clinic.seconds(60, { callMs: 2_000 });
      ids.push(await clinic.campaign({ audience: audience('two'), callsPerMinute: second, runAt: '14:01' }));
      await clinic.seconds(30, { callMs: 2_000 });
      const before = (await callsBy(clinic, ids)).map(({ length }) => length);
      await clinic.seconds(180, { callMs: 2_000 });
      const [one = 0, two = 0] = (await callsBy(clinic, ids)).map(
        ({ length }, index) => length - before[index]!,
      );
      const told = `${one} and ${two}`;
      expect(one + two, told).toBeGreaterThanOrEqual(42);
      expect(one, told).toBeLessThanOrEqual(2 * two);
      expect(two, told).toBeLessThanOrEqual(2 * one);
    },
    { callsPerMinute: 20 },
  ),
);

test('a more urgent campaign goes first, and the other has what it leaves', () =>
  withCampaigns(
    async (clinic) => {
      await clinic.people(numbers(40), 'one');
      await clinic.people(numbers(40, 312), 'two');
      const audience = (tag: string) => ({ facts: {}, sourceSystems: [], tags: [tag] });
      const later = await clinic.campaign({ audience: audience('one'), priority: 5 });
      const sooner = await clinic.campaign({ audience: audience('two'), priority: 2 });
      await clinic.seconds(120, { callMs: 2_000 });
      const [slow, fast] = await callsBy(clinic, [later, sooner]);
      expect(fast!.length).toBeGreaterThanOrEqual(30);
      expect(slow!.length).toBeLessThanOrEqual(2);
      await clinic.seconds(200, { callMs: 2_000 });
      expect(await clinic.runOf(later)).toMatchObject({ status: 'COMPLETED' });
    },
    { callsPerMinute: 20 },
  ));

test('whoever waits for long enough is called, however urgent another campaign is', () =>
  withCampaigns(
    async (clinic) => {
      await clinic.people(numbers(4), 'one');
      await clinic.people(numbers(100, 312), 'two');
      const audience = (tag: string) => ({ facts: {}, sourceSystems: [], tags: [tag] });
      const waiting = await clinic.campaign({ audience: audience('one'), priority: 2 });
      const urgent = await clinic.campaign({ audience: audience('two'), priority: 1 });
      await clinic.seconds(280, { callMs: 2_000 });
      const [early, busy] = await callsBy(clinic, [waiting, urgent]);
      expect(early!.length).toBeLessThanOrEqual(1);
      expect(busy!.length).toBeGreaterThanOrEqual(35);
      await clinic.seconds(60, { callMs: 2_000 });
      const [called] = await callsBy(clinic, [waiting]);
      expect(called!.length).toBeGreaterThanOrEqual(1);
    },
    { callsPerMinute: 10 },
  ));

test.each(['paused', 'stopped'] as const)(
  'a %s run with thousands of due tasks neither slows nor starves the others',
  (state) =>
    withCampaigns(async (clinic) => {
      await clinic.people(numbers(3), 'one');
      await clinic.people(numbers(20, 312), 'two');
      const audience = (tag: string) => ({ facts: {}, sourceSystems: [], tags: [tag] });
      const held = await clinic.campaign({ audience: audience('one'), breakerThreshold: 1, priority: 1 });
      await clinic.tick();
      const [task] = await clinic.membersOf(held);
      await clinic.copies(task!.id, 10_000, {
        next_attempt_at: sql`t.next_attempt_at - n * interval '1 second'`,
      });
      await clinic.world.query(sql`analyze outbound_task`);
      if (state === 'paused') await clinic.keeper.pauseCampaign(held, clinic.by());
      else {
        clinic.carrier.answer(() => ({ outcome: 'unknown', cause: 'http_503' }));
        await clinic.dispatch();
        clinic.carrier.answer(({ callId }) => ({
          outcome: 'accepted',
          sid: `CA${callId.replaceAll('-', '')}`,
        }));
      }
      const stopped = { paused: 'PAUSED', stopped: 'STOPPED_BY_BREAKER' };
      expect(await clinic.runOf(held)).toMatchObject({ status: stopped[state] });
      const before = clinic.carrier.orders.length;
      const other = await clinic.campaign({ audience: audience('two'), priority: 9 });
      const [plain] = await clinic.tasksAt(['+12135550100'], { priority: 10 });
      await clinic.tick();
      const began = performance.now();
      for (let second = 0; second < 3; second += 1) {
        await clinic.attempts.nextDueAt();
        await clinic.dispatch();
        await clinic.tick();
        clinic.clock.advance(1_000);
      }
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(clinic.carrier.orders.length - before).toBe(21);
      expect(await clinic.taskOf(plain!)).toMatchObject({ status: 'DISPATCHED' });
      expect((await callsBy(clinic, [other]))[0]).toHaveLength(20);
    }),
);
