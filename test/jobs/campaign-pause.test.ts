/** A campaign that is held, changed and let go on. */
import { expect, test } from 'vitest';
import { countsOf } from '../../src/campaign/counts.ts';
import * as campaigns from '../../src/domain/campaign.ts';
import type { Campaign } from '../../src/domain/campaign.ts';
import { anyCampaign, withCampaigns, type CampaignClinic } from './campaign-clinic.ts';
import { numbers } from './clinic.ts';

const dialled = ({ carrier }: CampaignClinic) => carrier.orders.map(({ to }) => to);

const countsNow = async ({ world, runOf }: CampaignClinic, id: string) => {
  const run = await runOf(id);
  return (await countsOf(world, [run])).get(run.id)!;
};

test('once a pause is answered nothing is claimed, what is under way ends as it does, and only the others are called later', () =>
  withCampaigns(
    async (clinic) => {
      const phones = await clinic.people(numbers(40));
      const id = await clinic.campaign();
      await clinic.tick();
      const granted: { milliseconds: number; call: () => Promise<void> }[] = [];
      await clinic.attempts.dispatch((milliseconds, call) => void granted.push({ milliseconds, call }));
      const [now, later] = [
        granted.filter(({ milliseconds }) => milliseconds < 1),
        granted.filter(({ milliseconds }) => milliseconds >= 1),
      ];
      await Promise.all(now.map(({ call }) => call()));
      await clinic.keeper.pauseCampaign(id, clinic.by());
      expect(later.length).toBeGreaterThan(0);
      expect(later.every(({ milliseconds }) => milliseconds <= 1_000)).toBe(true); // what had its turn keeps it
      await Promise.all(later.map(({ call }) => call()));
      const before = dialled(clinic);
      expect(before).toHaveLength(granted.length);
      await clinic.seconds(90, { callMs: 5_000 });
      expect(dialled(clinic)).toEqual(before);
      expect(await clinic.runOf(id)).toMatchObject({ status: 'PAUSED', eligible: 40 });
      expect(await countsNow(clinic, id)).toEqual({
        pending: 40 - before.length,
        inFlight: 0,
        answered: before.length,
        unanswered: 0,
        failed: 0,
        cancelled: 0,
      });
      await clinic.keeper.activateCampaign(id, clinic.by());
      await clinic.seconds(30, { callMs: 2_000 });
      expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED' });
      expect(dialled(clinic).toSorted()).toEqual(phones);
    },
    { callsPerSecond: 6 },
  ));

test('a pause in the midst of two replicas that dispatch is the end of it', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(60));
    const id = await clinic.campaign();
    await clinic.tick();
    const { attempts } = await clinic.replica();
    const claimed: string[] = [];
    const rounds = async () => {
      const by = await Promise.all([clinic.dispatch(), clinic.dispatch(attempts)]);
      claimed.push(...by.flatMap(({ taskIds }) => taskIds.map(String)));
      clinic.clock.advance(1_000);
    };
    await rounds();
    const paused = clinic.keeper.pauseCampaign(id, clinic.by());
    await Promise.all([paused, rounds(), rounds()]);
    const count = clinic.carrier.orders.length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBe(claimed.length);
    for (let round = 0; round < 5; round += 1) await rounds();
    expect(clinic.carrier.orders).toHaveLength(count);
    await clinic.keeper.activateCampaign(id, clinic.by());
    await clinic.seconds(20, { by: [clinic.attempts, attempts], callMs: 1_000 });
    expect(dialled(clinic).toSorted()).toEqual(phones);
  }));

test.each(['running', 'paused'] as const)(
  'what a %s campaign is told anew holds for whoever is called after it',
  (state) =>
    withCampaigns(async (clinic) => {
      const phones = await clinic.people(numbers(30));
      const id = await clinic.campaign({ callsPerMinute: 60, goal: 'Book a visit' });
      await clinic.seconds(5, { callMs: 1_000 });
      const before = dialled(clinic);
      expect(before.length).toBeLessThanOrEqual(6);
      if (state === 'paused') await clinic.keeper.pauseCampaign(id, clinic.by());
      const settings = {
        ...anyCampaign,
        reason: 'The clinic has moved',
        goal: null,
        callsPerMinute: 600,
      };
      await clinic.keeper.updateCampaign(id, settings, clinic.by());
      if (state === 'paused') await clinic.keeper.activateCampaign(id, clinic.by());
      await clinic.seconds(6, { callMs: 1_000 });
      expect(dialled(clinic).toSorted()).toEqual(phones);
      for (const call of await clinic.calls()) {
        const isEarly = before.includes(call.phoneTo);
        const [reason, goal] = isEarly ? [anyCampaign.reason, 'Book a visit'] : [settings.reason, null];
        expect(call).toMatchObject({ reason, goal });
      }
    }),
);

test('a slower pace holds at once', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(60));
    const id = await clinic.campaign({ callsPerMinute: 300 });
    await clinic.seconds(4, { callMs: 1_000 });
    const before = clinic.carrier.orders.length;
    await clinic.keeper.updateCampaign(id, { ...anyCampaign, callsPerMinute: 10 }, clinic.by());
    await clinic.seconds(56, { callMs: 1_000 });
    expect(clinic.carrier.orders).toHaveLength(before); // the minute's ten are used up
    await clinic.seconds(64, { callMs: 1_000 });
    expect(clinic.carrier.orders.length - before).toBeGreaterThanOrEqual(9);
    expect(clinic.carrier.orders.length - before).toBeLessThanOrEqual(11);
  }));

test('an edit of the audience changes tomorrow, and not who is a member today', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(12));
    const id = await clinic.campaign({ callsPerMinute: 60 });
    await clinic.seconds(3, { callMs: 1_000 });
    const audience = { ...anyCampaign.audience, tags: ['nobody'] };
    await clinic.keeper.updateCampaign(id, { ...anyCampaign, audience }, clinic.by());
    await clinic.seconds(20, { callMs: 1_000 });
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED', eligible: 12 });
    expect(dialled(clinic).toSorted()).toEqual(phones);
  }));

test('a run that was cancelled and is asked for again calls whoever had not been dialled, and nobody else', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(30));
    const id = await clinic.campaign({ callsPerMinute: 60 }); // twenty wait as tasks, the others as members
    await clinic.seconds(4); // nobody's call has ended
    const before = dialled(clinic);
    expect(before.length).toBeGreaterThan(2);
    const first = await clinic.runOf(id);
    await clinic.keeper.cancelRun(first.id, clinic.by());
    await expect(clinic.keeper.cancelRun(first.id, clinic.by())).rejects.toThrow('This run is over.');
    const [campaign] = await clinic.world.find<Campaign>(campaigns.table, { id: { eq: id } });
    const left = {
      eligible: 30 - before.length,
      exclusions: [{ reason: 'ACTIVE_CONTACT', count: before.length }],
    };
    expect(await clinic.keeper.preview(campaign!, clinic.by())).toMatchObject(left);
    const asked = { callList: null, idempotencyKey: null };
    const { run } = await clinic.keeper.runCampaign(id, asked, clinic.by());
    expect(run).toMatchObject({ ...left, date: first.date });
    await clinic.seconds(60, { callMs: 2_000 });
    expect(dialled(clinic).toSorted()).toEqual(phones);
    expect(await clinic.runsOf(id)).toMatchObject([{ status: 'CANCELLED' }, { status: 'COMPLETED' }]);
    const counts = await countsOf(clinic.world, await clinic.runsOf(id));
    expect(counts.get(first.id)).toMatchObject({ answered: before.length, cancelled: 30 - before.length });
    expect(counts.get(run.id)).toMatchObject({ answered: 30 - before.length, cancelled: 0 });
    const again = await clinic.keeper.runCampaign(id, asked, clinic.by());
    expect(again.run).toMatchObject({ status: 'COMPLETED', eligible: 0 });
  }));

test.each([
  ['Pacific/Honolulu', '2026-03-04T10:00:00Z'],
  ['Europe/London', '2026-03-04T00:00:00Z'],
])(
  'a run goes on when its campaign moves to %s, and ends with the day there; nobody is called twice',
  (timeZone, endsAt) =>
    withCampaigns(async (clinic) => {
      const phones = await clinic.people(numbers(40));
      const id = await clinic.campaign({ callsPerMinute: 1 });
      await clinic.seconds(5, { callMs: 1_000 });
      await clinic.keeper.updateCampaign(id, { ...anyCampaign, callsPerMinute: 1, timeZone }, clinic.by());
      const until = (at: string) => clinic.clock.advance(Date.parse(at) - clinic.clock.now().getTime());
      for (let minute = 0; minute < 10; minute += 1) {
        clinic.clock.advance(59_000);
        await clinic.seconds(1, { callMs: 1 });
      }
      until(endsAt);
      clinic.clock.advance(-1_000);
      await clinic.seconds(1, { callMs: 1 });
      expect(await clinic.runsOf(id)).toMatchObject([{ status: 'RUNNING', date: '2026-03-03' }]);
      await clinic.seconds(3, { callMs: 1 });
      const [run] = await clinic.runsOf(id);
      expect(run).toMatchObject({ status: 'COMPLETED', date: '2026-03-03' });
      const called = dialled(clinic);
      expect(called.length).toBeGreaterThanOrEqual(10);
      expect(new Set(called).size).toBe(called.length);
      expect(phones).toEqual(expect.arrayContaining(called));
      const counts = (await countsOf(clinic.world, [run!])).get(run!.id);
      expect(counts).toMatchObject({ answered: called.length, cancelled: 40 - called.length, pending: 0 });
    }),
);
