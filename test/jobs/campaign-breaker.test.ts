/** What stops a campaign's run: the carrier, and not people. */
import { expect, test, vi } from 'vitest';
import { countsOf } from '../../src/campaign/counts.ts';
import type { Answer } from '../../src/domain/call-progress.ts';
import { timeOutTasks } from '../../src/jobs/time-out-tasks.ts';
import { sweepCalls } from '../../src/jobs/sweep-calls.ts';
import { withCampaigns, type CampaignClinic } from './campaign-clinic.ts';
import { numbers, sidOf } from './clinic.ts';

// Minutes go by second by second, which takes its time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

const refusal = (
  carrierCode: string | null,
  more: { reached?: boolean; retryable?: boolean; withheld?: 'held_up' } = {},
): Answer => ({
  outcome: 'rejected',
  carrierCode,
  message: 'No.',
  retryable: false,
  reached: true,
  ...more,
});

/** The ways in which a carrier is down. */
const outages: [string, Answer][] = [
  ['cannot be reached', refusal(null, { reached: false, retryable: true })],
  ['answers 503', { outcome: 'unknown', cause: 'http_503' }],
  ['closes connections', { outcome: 'unknown', cause: 'econnreset' }],
  ['does not know the account', refusal('20003')],
];

const taken = { breakerThreshold: 4, maxConcurrentCalls: 3 };

const countsNow = async ({ world, runOf }: CampaignClinic, id: string) => {
  const run = await runOf(id);
  return (await countsOf(world, [run])).get(run.id)!;
};

/** How often each number was asked for, whatever came of it. */
const dialsOf = ({ carrier }: CampaignClinic) => carrier.orders.map(({ to }) => to);

/** Whatever the carrier was asked and did not tell is looked for, as the jobs do; `list` is what it then knows. */
async function sweep(clinic: CampaignClinic, list = clinic.carrier.list): Promise<void> {
  const { world, attempts, clock } = clinic;
  const tools = { world, carrier: { ...clinic.carrier, list }, attempts, pace: 1, log: () => {} };
  await sweepCalls(tools, clock.now());
  await timeOutTasks(tools, clock.now());
}

test.each(outages)(
  'a run is stopped after a few dials when the carrier %s, and calls everybody else once it is told to go on',
  (_, answer) =>
    withCampaigns(async (clinic) => {
      const phones = await clinic.people(numbers(30));
      const id = await clinic.campaign(taken);
      clinic.carrier.answer((order) =>
        clinic.carrier.orders.length > 6 ? answer : { outcome: 'accepted', sid: sidOf(order) },
      );
      const each = () => sweep(clinic);
      await clinic.seconds(120, { callMs: 3_000, each });
      const run = await clinic.runOf(id);
      expect(run).toMatchObject({ status: 'STOPPED_BY_BREAKER', eligible: 30 });
      expect(run.breakerReason).toMatch(/^The carrier failed 4 times in a row, last with /);
      const before = dialsOf(clinic);
      expect(before.length).toBeGreaterThanOrEqual(6 + taken.breakerThreshold);
      expect(before.length).toBeLessThanOrEqual(6 + taken.breakerThreshold + taken.maxConcurrentCalls);
      const accepted = new Set(before.slice(0, 6));
      expect(new Set(before).size).toBe(before.length);
      for (const task of await clinic.membersOf(id))
        if (accepted.has(task.phone)) expect(task).toMatchObject({ status: 'COMPLETED', attempts: 1 });
      clinic.carrier.answer((order) => ({ outcome: 'accepted', sid: sidOf(order) }));
      await clinic.seconds(60, { callMs: 3_000, each });
      expect(dialsOf(clinic)).toEqual(before); // going on is said, and not guessed
      await clinic.keeper.runCampaign(id, { callList: null, idempotencyKey: null }, clinic.by());
      await clinic.seconds(90, { callMs: 3_000, each });
      expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED', breakerReason: null });
      const after = dialsOf(clinic).slice(before.length);
      expect(after.toSorted()).toEqual(phones.filter((phone) => !accepted.has(phone)));
      expect(await countsNow(clinic, id)).toMatchObject({ answered: 30, failed: 0, cancelled: 0 });
      for (const task of await clinic.membersOf(id)) expect(task.attempts).toBe(1);
    }),
);

const away = () => Promise.reject(new Error('away'));

test('whoever was asked for in an outage is called after it, however long the carrier could not say what it did', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(12));
    const id = await clinic.campaign({ breakerThreshold: 3, maxConcurrentCalls: 3 });
    clinic.carrier.answer(() => ({ outcome: 'unknown', cause: 'http_503' }));
    await clinic.seconds(30, { each: () => sweep(clinic, away) });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'STOPPED_BY_BREAKER' });
    const before = dialsOf(clinic);
    clinic.clock.advance(60 * 60_000); // longer than an attempt may take
    await sweep(clinic, away);
    expect(await countsNow(clinic, id)).toMatchObject({ inFlight: before.length, failed: 0 });
    clinic.carrier.answer((order) => ({ outcome: 'accepted', sid: sidOf(order) }));
    await clinic.keeper.runCampaign(id, { callList: null, idempotencyKey: null }, clinic.by());
    await clinic.seconds(60, { callMs: 1_000, each: () => sweep(clinic) });
    // The list is only read since a moment, and a request may be on its way: nobody is called twice.
    expect(dialsOf(clinic)).toEqual(before);
    await clinic.seconds(120, { callMs: 1_000, each: () => sweep(clinic) });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED' });
    expect(dialsOf(clinic).slice(before.length).toSorted()).toEqual(phones);
  }));

test.each([
  ['completed', 'COMPLETED', 'answered'],
  ['busy', 'FAILED', 'unanswered'],
  ['failed', 'FAILED', 'failed'],
] as const)(
  'whom the carrier has dialled after all, and found %s, is not dialled again',
  (status, becomes, counted) =>
    withCampaigns(async (clinic) => {
      const phones = await clinic.people(numbers(12));
      const id = await clinic.campaign({ breakerThreshold: 3, maxConcurrentCalls: 3 });
      clinic.carrier.answer(() => ({ outcome: 'unknown', cause: 'econnreset' }));
      await clinic.seconds(5);
      const lost = [...clinic.carrier.orders];
      expect(await clinic.runOf(id)).toMatchObject({ status: 'STOPPED_BY_BREAKER' });
      const list: CampaignClinic['carrier']['list'] = (to) =>
        Promise.resolve(
          lost
            .filter((order) => order.to === to)
            .map((order) => {
              const at = clinic.clock.now();
              return { sid: sidOf(order), status, at, createdAt: at, via: 'lookup' as const };
            }),
        );
      await sweep(clinic, list);
      clinic.carrier.answer((order) => ({ outcome: 'accepted', sid: sidOf(order) }));
      await clinic.keeper.runCampaign(id, { callList: null, idempotencyKey: null }, clinic.by());
      await clinic.seconds(90, { callMs: 1_000, each: () => sweep(clinic, list) });
      expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED' });
      expect(dialsOf(clinic).toSorted()).toEqual(phones);
      const found = new Set(lost.map(({ to }) => to));
      for (const task of await clinic.membersOf(id))
        if (found.has(task.phone)) expect(task).toMatchObject({ status: becomes, attempts: 1 });
      const answered = 12 - lost.length;
      const rest = { answered: 0, unanswered: 0, failed: 0, cancelled: 0 };
      expect(await countsNow(clinic, id)).toMatchObject({
        ...rest,
        answered,
        [counted]: lost.length + (counted === 'answered' ? answered : 0),
      });
    }),
);

test('a member whom the carrier never takes is asked for less and less often, and given up with the day', () =>
  withCampaigns(async (clinic) => {
    const [phone] = await clinic.people(numbers(1));
    const id = await clinic.campaign({ breakerThreshold: 100 });
    clinic.carrier.answer(() => refusal('20003'));
    for (let minute = 0; minute < 11 * 60; minute += 5) {
      await clinic.seconds(1);
      clinic.clock.advance(299_000);
    }
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED' });
    expect(await countsNow(clinic, id)).toMatchObject({ failed: 0, cancelled: 1 });
    expect(new Set(dialsOf(clinic))).toEqual(new Set([phone]));
    expect(dialsOf(clinic).length).toBeGreaterThan(5);
    expect(dialsOf(clinic).length).toBeLessThan(40);
  }));

test('failures that are recorded at the same instant are counted together', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(60));
    const id = await clinic.campaign({ breakerThreshold: 4, maxConcurrentCalls: 6 });
    let asked = 0;
    let release = () => {};
    const together = new Promise<void>((resolve) => (release = resolve));
    clinic.carrier.answer(async () => {
      asked += 1;
      if (asked === 6) release();
      await together;
      return refusal(null, { reached: false, retryable: true });
    });
    await clinic.seconds(120);
    expect(await clinic.runOf(id)).toMatchObject({ status: 'STOPPED_BY_BREAKER' });
    expect(clinic.carrier.orders.length).toBeLessThanOrEqual(4 + 6);
  }));

test('people who are busy, do not answer or have a wrong number never stop a run', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(40));
    const id = await clinic.campaign({ breakerThreshold: 1 });
    clinic.carrier.answer((order) =>
      order.to.endsWith('3') || order.to.endsWith('4')
        ? refusal('21211')
        : { outcome: 'accepted', sid: sidOf(order) },
    );
    let turn = 0;
    await clinic.seconds(40, {
      each: () => clinic.endCalls(1_000, ['busy', 'no-answer', 'failed', 'canceled'][turn++ % 4]),
    });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED', breakerReason: null });
    expect(dialsOf(clinic).toSorted()).toEqual(phones);
  }));

test('one call that the carrier takes begins the count anew; a wrong number neither counts nor ends it', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(40));
    const id = await clinic.campaign({ breakerThreshold: 3, maxConcurrentCalls: 1, callsPerMinute: 60 });
    const down = refusal('20003');
    const wrong = refusal('21211');
    // Two failures, one call that is taken, and two failures around a wrong number: none of it is three in a row.
    const story = [down, down, null, down, wrong, down, null, wrong, down, wrong, down, wrong, down];
    clinic.carrier.answer(
      (order) => story[clinic.carrier.orders.length - 1] ?? { outcome: 'accepted', sid: sidOf(order) },
    );
    await clinic.seconds(12, { callMs: 1 });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'RUNNING' });
    await clinic.seconds(20, { callMs: 1 });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'STOPPED_BY_BREAKER' });
    expect(clinic.carrier.orders).toHaveLength(story.length);
  }));

test('a call that was withheld says nothing of the carrier', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(20));
    const id = await clinic.campaign({ breakerThreshold: 3, maxConcurrentCalls: 1, callsPerMinute: 60 });
    const heldUp = refusal(null, { retryable: true, withheld: 'held_up' });
    const story = [refusal('20003'), heldUp, refusal('20003'), heldUp, refusal('20003')];
    clinic.carrier.answer(
      (order) => story[clinic.carrier.orders.length - 1] ?? { outcome: 'accepted', sid: sidOf(order) },
    );
    await clinic.seconds(10, { callMs: 1 });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'STOPPED_BY_BREAKER' });
    expect(clinic.carrier.orders).toHaveLength(story.length);
  }));

test('what the carrier failed at before a run went on does not stop it again', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(20));
    const id = await clinic.campaign({ breakerThreshold: 1, maxConcurrentCalls: 3 });
    clinic.carrier.answer(() => ({ outcome: 'unknown', cause: 'econnreset' }));
    await clinic.seconds(5);
    expect(await clinic.runOf(id)).toMatchObject({ status: 'STOPPED_BY_BREAKER' });
    clinic.carrier.answer((order) => ({ outcome: 'accepted', sid: sidOf(order) }));
    await clinic.keeper.runCampaign(id, { callList: null, idempotencyKey: null }, clinic.by());
    await clinic.seconds(120, { callMs: 1_000, each: () => sweep(clinic) });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED' });
  }));

test('every run that was stopped today can be made to go on', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(20));
    const [listed] = await clinic.people(['+13125550100'], 'listed');
    const id = await clinic.campaign({ breakerThreshold: 1, maxConcurrentCalls: 1, allowlist: numbers(20) });
    clinic.carrier.answer(() => refusal('20003'));
    await clinic.seconds(3);
    const own = { callList: [listed!], idempotencyKey: null };
    await clinic.keeper.runCampaign(id, own, clinic.by());
    clinic.carrier.answer(() => refusal(null, { reached: false, retryable: true }));
    await clinic.seconds(3);
    expect((await clinic.runsOf(id)).map(({ status }) => status)).toEqual(
      Array(2).fill('STOPPED_BY_BREAKER'),
    );
    clinic.carrier.answer((order) => ({ outcome: 'accepted', sid: sidOf(order) }));
    for (let asked = 0; asked < 2; asked += 1)
      await clinic.keeper.runCampaign(id, { callList: null, idempotencyKey: null }, clinic.by());
    await clinic.seconds(90, { callMs: 1_000 });
    expect((await clinic.runsOf(id)).map(({ status }) => status)).toEqual(Array(2).fill('COMPLETED'));
  }));
