/** A campaign begins by itself once a day, at its wall time, whoever else looks after it. */
import { expect, test } from 'vitest';
import { nextCampaign } from '../../src/jobs/run-campaigns.ts';
import { anyCampaign, withCampaigns, type CampaignClinic } from './campaign-clinic.ts';
import { numbers } from './clinic.ts';

const hourMs = 3_600_000;

/** Moves the clock to an instant. */
function moveTo({ clock }: CampaignClinic, at: string | number): void {
  const milliseconds = new Date(at).getTime() - clock.now().getTime();
  expect(milliseconds).toBeGreaterThanOrEqual(0);
  clock.advance(milliseconds);
}

const days = async (clinic: CampaignClinic, id: string) =>
  (await clinic.runsOf(id)).map(({ date, status, startedAt, breakerReason }) => ({
    date,
    status,
    startedAt: startedAt.toISOString(),
    breakerReason,
  }));

/** Zones and wall times, each with the instants of a week's runs: written down by hand. */
const weeks: [string, string, string[]][] = [
  [
    'America/New_York',
    '10:00',
    ['05T15:00', '06T15:00', '07T15:00', '08T14:00', '09T14:00', '10T14:00', '11T14:00'],
  ],
  [
    'America/Los_Angeles',
    '19:30',
    ['06T03:30', '07T03:30', '08T03:30', '09T02:30', '10T02:30', '11T02:30', '12T02:30'],
  ],
  // On the 8th the clocks skip from 2:00 to 3:00: 2:30 is the first instant after it.
  [
    'America/Chicago',
    '02:30',
    ['05T08:30', '06T08:30', '07T08:30', '08T08:00', '09T07:30', '10T07:30', '11T07:30'],
  ],
  [
    'Pacific/Honolulu',
    '08:00',
    ['05T18:00', '06T18:00', '07T18:00', '08T18:00', '09T18:00', '10T18:00', '11T18:00'],
  ],
];

test.each(weeks)(
  'in %s at %s it begins once a day through the change of the clocks',
  (timeZone, runAt, starts) =>
    withCampaigns(async (clinic) => {
      moveTo(clinic, '2026-03-05T06:00:00Z');
      const id = await clinic.campaign({ timeZone, runAt });
      const { world } = await clinic.replica();
      const tickBoth = () => Promise.all([clinic.tick(), clinic.tick(world), clinic.tick()]);
      for (const [index, start] of starts.entries()) {
        const at = Date.parse(`2026-03-${start}:00Z`);
        moveTo(clinic, at - 1_000);
        await tickBoth();
        expect(await clinic.runsOf(id)).toHaveLength(index);
        expect(await nextCampaign({ world }, clinic.clock.now())).toEqual(new Date(at));
        moveTo(clinic, at);
        await tickBoth();
        moveTo(clinic, at + 7_000);
        await tickBoth();
        expect(await clinic.runsOf(id)).toHaveLength(index + 1);
      }
      expect(await days(clinic, id)).toEqual(
        starts.map((start, index) => ({
          date: `2026-03-${String(5 + index).padStart(2, '0')}`,
          status: 'COMPLETED', // there is nobody to call
          startedAt: `2026-03-${start}:00.000Z`,
          breakerReason: null,
        })),
      );
    }),
);

test('on the day on which an hour comes twice it begins once', () =>
  withCampaigns(async (clinic) => {
    moveTo(clinic, '2026-10-31T12:00:00Z');
    const id = await clinic.campaign({ runAt: '01:30' });
    moveTo(clinic, '2026-11-01T05:30:00Z');
    await clinic.tick();
    moveTo(clinic, '2026-11-01T06:30:00Z'); // 1:30 again
    await clinic.tick();
    expect(await days(clinic, id)).toMatchObject([
      { date: '2026-11-01', startedAt: '2026-11-01T05:30:00.000Z' },
    ]);
  }));

test('after an outage it begins late on the same day', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(3));
    const id = await clinic.campaign({ runAt: '10:00' });
    moveTo(clinic, '2026-03-04T23:30:00Z'); // 18:30
    await clinic.seconds(5, { callMs: 1_000 });
    expect(await days(clinic, id)).toEqual([
      { date: '2026-03-04', status: 'COMPLETED', startedAt: '2026-03-04T23:30:00.000Z', breakerReason: null },
    ]);
    expect(clinic.carrier.orders.map(({ to }) => to).toSorted()).toEqual(phones);
  }));

test('days on which it could not be run are recorded, each once, and the day after is run', () =>
  withCampaigns(async (clinic) => {
    await clinic.people(numbers(2));
    const id = await clinic.campaign({ runAt: '10:00' });
    const { world } = await clinic.replica();
    moveTo(clinic, '2026-03-07T01:30:00Z'); // 20:30 on the 6th
    await Promise.all([clinic.tick(), clinic.tick(world)]);
    expect(await days(clinic, id)).toMatchObject([
      {
        date: '2026-03-04',
        status: 'CANCELLED',
        breakerReason: 'Skipped: the day had passed before it could be run.',
      },
      { date: '2026-03-05', status: 'CANCELLED' },
      {
        date: '2026-03-06',
        status: 'CANCELLED',
        breakerReason: 'Skipped: it was too late in the day before it could be run.',
      },
    ]);
    expect(clinic.carrier.orders).toEqual([]);
    moveTo(clinic, '2026-03-07T15:00:00Z');
    await Promise.all([clinic.tick(), clinic.tick(world)]);
    await clinic.seconds(4, { callMs: 1_000 });
    expect((await days(clinic, id)).map(({ date, status }) => [date, status]).slice(3)).toEqual([
      ['2026-03-07', 'COMPLETED'],
    ]);
    expect(clinic.carrier.orders).toHaveLength(2);
  }));

test('running the same day again contacts nobody again', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(6));
    const id = await clinic.campaign({ cooldownHours: 0 });
    await clinic.seconds(4);
    await clinic.endCalls(0, 'busy');
    await clinic.tick();
    expect(await clinic.runOf(id)).toMatchObject({ status: 'COMPLETED', manual: false, eligible: 6 });
    for (let again = 0; again < 3; again += 1) {
      const asked = await clinic.keeper.runCampaign(
        id,
        { callList: null, idempotencyKey: null },
        clinic.by(),
      );
      expect(asked.run).toMatchObject({
        status: 'COMPLETED',
        manual: true,
        eligible: 0,
        exclusions: [{ reason: 'ACTIVE_CONTACT', count: 6 }],
      });
      const listed = { callList: phones, idempotencyKey: null };
      expect((await clinic.keeper.runCampaign(id, listed, clinic.by())).run).toMatchObject({ eligible: 0 });
      await clinic.seconds(3);
    }
    expect(clinic.carrier.orders.map(({ to }) => to).toSorted()).toEqual(phones);
  }));

test('whoever was left at the end of a day, with nobody there to end it, is a member the next day', () =>
  withCampaigns(async (clinic) => {
    const phones = await clinic.people(numbers(10));
    const id = await clinic.campaign({ callsPerMinute: 1 });
    await clinic.seconds(3);
    await clinic.endCalls(0, 'completed');
    const [reached] = clinic.carrier.orders.map(({ to }) => to);
    moveTo(clinic, Date.parse('2026-03-04T19:00:00Z'));
    await clinic.tick(); // yesterday's tasks wait yet when today's run is begun
    expect(await clinic.runOf(id)).toMatchObject({
      date: '2026-03-04',
      eligible: 9,
      exclusions: [{ reason: 'ATTEMPTS_EXHAUSTED', count: 1 }],
    });
    await clinic.tick();
    const [yesterday] = await clinic.runsOf(id);
    expect(yesterday).toMatchObject({
      status: 'COMPLETED',
      counts: { answered: 1, cancelled: 9, pending: 0 },
    });
    await clinic.keeper.updateCampaign(id, anyCampaign, clinic.by());
    moveTo(clinic, clinic.clock.now().getTime() + hourMs);
    await clinic.seconds(20, { callMs: 1_000 });
    expect(clinic.carrier.orders.map(({ to }) => to).toSorted()).toEqual(phones);
    expect(clinic.carrier.orders[0]!.to).toBe(reached);
    const open = (await clinic.membersOf(id)).filter(({ status }) => status === 'SCHEDULED');
    expect(open).toEqual([]);
  }));
