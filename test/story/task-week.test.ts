/** A week of tasks with a change of the clocks in it: whoever is called is called at a lawful hour of theirs. */
import { expect, test } from 'vitest';
import { exhaustive } from '../support/exhaustive.ts';
import { addPatient, setUp, withApp, type App, type LedgerEntry } from '../support/program.ts';

/** People of an area code, with every zone that they may be in: the first is the one on whose clock they live. */
interface Place {
  areaCode: number;
  zones: [string, ...string[]];
  /** What they say themselves. */
  stated?: string;
}

/** Written down by hand, so that the product's own tables are held against something else. */
const places: Place[] = [
  { areaCode: 212, zones: ['America/New_York'] },
  { areaCode: 304, zones: ['America/New_York'] },
  { areaCode: 312, zones: ['America/Chicago'] },
  { areaCode: 213, zones: ['America/Los_Angeles'] },
  { areaCode: 602, zones: ['America/Phoenix'] }, // Arizona does not change its clocks
  { areaCode: 928, zones: ['America/Denver', 'America/Phoenix'], stated: 'America/Denver' }, // the Navajo Nation does
  { areaCode: 808, zones: ['Pacific/Honolulu'] },
  { areaCode: 317, zones: ['America/Indiana/Indianapolis'] },
  { areaCode: 812, zones: ['America/Indiana/Indianapolis', 'America/Chicago'] },
  { areaCode: 907, zones: ['America/Anchorage', 'America/Adak'] },
  { areaCode: 787, zones: ['America/Puerto_Rico'] },
  { areaCode: 850, zones: ['America/New_York', 'America/Chicago'] },
  { areaCode: 208, zones: ['America/Boise', 'America/Los_Angeles'] },
  { areaCode: 605, zones: ['America/Chicago', 'America/Denver'] },
  { areaCode: 305, zones: ['America/Los_Angeles', 'America/New_York'], stated: 'America/Los_Angeles' },
];

/** Who is there: people, a busy line, one that rings out, machines, people who answer the second or third time. */
const endings = ['0100', '0101', '0102', '0104', '0108', '0122', '0123'];

/** Two people of each place, by turns of a kind; exhaustively four, so that more kinds of people live at each place. */
const everybody = places.flatMap((place, turn) =>
  (exhaustive ? [0, 2, 4, 5] : [0, 4]).map((next) => ({
    place,
    ending: endings[(turn + next) % endings.length]!,
  })),
);

type Window = { weekdays?: number[]; opensAt: string; closesAt: string };

/** Windows by turns; the last leaves no other two-hour part of the day. */
const windows: (Window | null)[] = [
  null,
  { opensAt: '09:00', closesAt: '15:30' },
  null,
  { weekdays: [7, 1, 2], opensAt: '10:30', closesAt: '16:00' },
  { opensAt: '14:00', closesAt: '15:50' },
];

/** A task as it was asked for. */
interface Asked {
  id: string;
  place: Place;
  window: Window | null;
}

const dayMs = 86_400_000;

/** Asks for a task for everybody, due at all hours of six days; every seventh is put aside for a while. */
async function scheduleAll(app: App, start: number): Promise<Asked[]> {
  return Promise.all(
    everybody.map(async ({ place, ending }, index) => {
      const patientId = await addPatient(app, `+1${place.areaCode}555${ending}`, `Patient ${index}`);
      if (place.stated) await state(app, { ...place, ending, name: `Patient ${index}` });
      const window = windows[index % windows.length]!;
      const due = start + (index * 6 * dayMs) / everybody.length;
      const input = {
        patientId,
        window,
        reason: 'Lab results are in',
        scheduledFor: new Date(due).toISOString(),
        maxAttempts: 2 + (index % 2),
        backoffSeconds: [600, 3_600, 20_000][index % 3],
        priority: 1 + (index % 10),
        ...(ending === '0100' && { validUntil: new Date(due + 2 * dayMs).toISOString() }),
      };
      const { data } = await app.ask(
        `mutation ($input: ScheduleTaskInput!) { scheduleTask(input: $input) {
          ... on ScheduleTaskPayload { task { id } } ... on InputError { fields { path message } } } }`,
        { input },
      );
      const id: string = data.scheduleTask.task.id;
      if (index % 7 === 3) await snooze(app, id, new Date(due + 5 * 3_600_000));
      return { id, place, window };
    }),
  );
}

async function state(app: App, said: { areaCode: number; ending: string; name: string; stated?: string }) {
  const phone = `+1${said.areaCode}555${said.ending}`;
  const { data } = await app.ask(
    `mutation ($input: PatientInput!) { upsertPatient(input: $input) { __typename } }`,
    { input: { name: said.name, phone, timeZone: said.stated, sourceSystem: 'ehr' } },
  );
  expect(data.upsertPatient.__typename).toBe('PatientPayload');
}

async function snooze(app: App, id: string, until: Date): Promise<void> {
  const { data } = await app.ask(
    `mutation ($id: ID!, $until: DateTime!) { snoozeTask(id: $id, until: $until) { __typename } }`,
    { id, until: until.toISOString() },
  );
  expect(data.snoozeTask.__typename).toBe('TaskPayload');
}

/** What the wall clock of a zone shows at an instant. */
function wallClock(at: string, zone: string) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const parts = Object.fromEntries(
    format.formatToParts(new Date(at)).map(({ type, value }) => [type, value]),
  );
  const { hour, minute, second, weekday } = parts;
  const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  return { time: `${hour}:${minute}:${second}`, hour: Number(hour), weekday: days.indexOf(weekday!) + 1 };
}

interface Attempted {
  status: string;
  nextAttemptAt: string | null;
  nextAttemptReason: string | null;
  calls: { sid: string | null }[];
}

const taskOf = async (app: App, id: string): Promise<Attempted> =>
  (
    await app.ask(
      'query ($id: ID!) { outboundTask(id: $id) { status nextAttemptAt nextAttemptReason calls { sid } } }',
      { id },
    )
  ).data.outboundTask;

/** Whether a dial was at a lawful hour in every zone that the person may be in, and in the task's window. */
function expectLawful(at: string, { place, window }: Asked): void {
  for (const zone of place.zones) {
    const { time, weekday } = wallClock(at, zone);
    const told = `${at} in ${zone}`;
    expect(time >= '08:00:00' && time <= '19:59:30', told).toBe(true); // it may ring for half a minute
    if (!window) continue;
    expect(time >= `${window.opensAt}:00` && time < `${window.closesAt}:00`, `${told}, window`).toBe(true);
    expect(window.weekdays ?? [weekday], `${told}, weekday`).toContain(weekday);
  }
}

/** Whether no attempt was in the same two-hour part of the day as the one before, where the window leaves another. */
function expectOtherParts(dials: string[], { place, window }: Asked): void {
  if (window === windows.at(-1)) return;
  const parts = dials.map((at) => Math.floor(wallClock(at, place.zones[0]).hour / 2));
  for (const [index, part] of parts.slice(1).entries()) {
    expect(part, `${dials.join()} in ${place.zones[0]}`).not.toBe(parts[index]);
  }
}

test.concurrent.each([
  ['forward', '2026-03-05T05:00:00Z', '2026-03-08'],
  ['back', '2026-10-29T05:00:00Z', '2026-11-01'],
])(
  'in the week in which the clocks go %s everybody is called at a lawful hour, and nobody is forgotten',
  (_, start, sunday) =>
    withApp(
      async (app) => {
        await setUp(app);
        const began = Date.parse(start);
        const asked = await scheduleAll(app, began);
        for (const days of [2, 3, 4, 8]) {
          const to = new Date(began + days * dayMs).toISOString();
          const { errors } = await app.ask('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to });
          expect(errors).toBeUndefined();
        }
        const entries = (await app.ledger()) as (LedgerEntry & { at: string })[];
        const dials = new Map(
          entries
            .filter(({ kind, accepted }) => kind === 'create' && accepted)
            .map((dial) => [dial.callSid, dial.at]),
        );
        for (const task of asked) {
          const { status, nextAttemptAt, nextAttemptReason, calls } = await taskOf(app, task.id);
          const own = calls.map(({ sid }) => dials.get(sid)!);
          for (const at of own) expectLawful(at, task);
          for (const { sid } of calls) dials.delete(sid);
          expectOtherParts(own, task);
          if (['COMPLETED', 'FAILED', 'TIMED_OUT'].includes(status)) continue;
          expect(status).toBe('SCHEDULED');
          expect(Date.parse(nextAttemptAt!)).toBeGreaterThan(began + 8 * dayMs);
          expect(nextAttemptReason).toBeTruthy();
        }
        expect([...dials]).toEqual([]); // every dial was some task's
        const onSunday = entries.filter(({ kind, at }) => kind === 'create' && at.startsWith(sunday));
        expect(onSunday.length).toBeGreaterThan(5);
      },
      { CLOCK_START: start, SOURCE_NUMBER_CALLS_PER_MINUTE: '1000', SIM_CPS: '500', CARRIER_CPS: '500' },
    ),
  300_000,
);
