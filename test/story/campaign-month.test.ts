/** Half a month of three campaigns, exhaustively a whole one, with pauses, edits, an outage and a carrier that fails: what must hold of all of it. */
import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { countsOf } from '../../src/campaign/counts.ts';
import { readConfig } from '../../src/config.ts';
import * as calls from '../../src/domain/call.ts';
import * as campaigns from '../../src/domain/campaign.ts';
import * as runs from '../../src/domain/campaign-run.ts';
import type { CampaignRun } from '../../src/domain/campaign-run.ts';
import * as contacts from '../../src/domain/contact.ts';
import { foldOf, type Event, type Fact, type Kind, type Row } from '../../src/domain/event.ts';
import * as patients from '../../src/domain/patient.ts';
import * as tasks from '../../src/domain/task.ts';
import { startNats } from '../../src/embedded/nats.ts';
import { startProgram, type Program } from '../../src/program.ts';
import type { World } from '../../src/world.ts';
import { withDatabaseUrl } from '../support/database.ts';
import { exhaustive } from '../support/exhaustive.ts';
import { quickFolder } from '../support/folder.ts';
import { ask, testKey, type Answer, type LedgerEntry } from '../support/program.ts';

/** People of an area code and the zones that they may be in, written down by hand. */
const places: [number, string[]][] = [
  [212, ['America/New_York']],
  [213, ['America/Los_Angeles']],
  [808, ['Pacific/Honolulu']],
  [208, ['America/Boise', 'America/Los_Angeles']],
];

/** Who is there: a person, a busy line, one that rings out, one who is busy twice; and one at which the carrier fails. */
const endings = ['0100', '0101', '0102', '0122', '0115'];

const dayMs = 86_400_000;

/** It begins in the week before the clocks change, at 6:00 in New York; after half of it nothing happens that had not happened before. */
const start = '2026-03-02T11:00:00Z';
const [lastDate, end] = exhaustive
  ? ['2026-03-31', '2026-04-01T11:00:00Z']
  : ['2026-03-17', '2026-03-18T11:00:00Z'];

/** Attempts at one person in a week. */
const weekly = 2;

interface Ledger extends LedgerEntry {
  at: string;
}

/** A program that may be stopped and started again on the same database. */
interface Stage {
  program(): Program;
  /** Sends what it is asked; fails on any error. */
  tell(query: string, variables?: Record<string, unknown>): Promise<Answer['data']>;
  advance(to: string): Promise<void>;
  /** Stops the program, in the midst of whatever it does, and starts it again at a later time. */
  outage(until: string): Promise<void>;
  /** What all simulated carriers accepted so far. */
  ledger(): Promise<Ledger[]>;
}

async function withStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  const dataDir = quickFolder('month');
  const nats = await startNats({ dataDir, log: () => {}, path: process.env['PATH'] ?? '' });
  try {
    await withDatabaseUrl(async (databaseUrl) => {
      const startAt = (at: string) =>
        startProgram(
          readConfig({
            PORT: '0',
            DEMO: '0',
            SIM_PACE: '50',
            SIM_CPS: '200',
            CARRIER_CPS: '200',
            SOURCE_NUMBER_CALLS_PER_MINUTE: '60',
            ADMIN_API_KEY: testKey,
            CLOCK_START: at,
            DATABASE_URL: databaseUrl,
            NATS_URL: nats.url,
            DATA_DIR: dataDir,
          }),
          () => {},
        );
      let program = await startAt(start);
      const past: Ledger[] = [];
      const ledgerNow = async () =>
        (await (await fetch(`${program.simulatorUrl}/ledger`)).json()) as Ledger[];
      const tell: Stage['tell'] = async (query, variables) => {
        const { data, errors } = await ask(program.url, { query, variables, key: testKey });
        expect(errors).toBeUndefined();
        return data;
      };
      try {
        await work({
          program: () => program,
          tell,
          advance: async (to) =>
            void (await tell('mutation ($to: DateTime!) { advanceClock(to: $to) }', { to })),
          outage: async (until) => {
            past.push(...(await ledgerNow()));
            await program.stop();
            program = await startAt(until);
          },
          ledger: async () => [...past, ...(await ledgerNow())],
        });
      } finally {
        await program.stop();
      }
    });
  } finally {
    await nats.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** What the month's campaigns are told; the third has little patience with the carrier. */
const told = {
  morning: { name: 'Morning', runAt: '10:00', timeZone: 'America/New_York', priority: 4 },
  evening: { name: 'Evening', runAt: '16:30', timeZone: 'America/Los_Angeles', priority: 6 },
  noon: { name: 'Noon', runAt: '12:00', timeZone: 'America/Chicago', breakerThreshold: 2 },
};
type Name = keyof typeof told;

const inputOf = (name: Name, more: Record<string, unknown> = {}) => ({
  purpose: 'WELLNESS_CHECKUP',
  reason: `Check-up of the ${name}`,
  audience: name === 'noon' ? {} : { tags: ['steady'] },
  maxAttempts: 3,
  callsPerMinute: 30,
  maxConcurrentCalls: 3,
  ...told[name],
  ...more,
});

/** The campaigns by name, with what is done to them. */
function openCampaigns({ tell }: Stage, ids: Record<Name, string>) {
  const verb = async (mutation: string, name: Name, input?: object) => {
    const given = input ? ', input: $input' : '';
    const data = await tell(
      `mutation ($id: ID!${input ? ', $input: CampaignInput!' : ''}) { answer: ${mutation}(id: $id${given}) { __typename ... on Error { message } } }`,
      { id: ids[name], input },
    );
    expect(data.answer.__typename, JSON.stringify(data.answer)).toMatch(/^(Run)?CampaignPayload$/);
  };
  return {
    pause: (name: Name) => verb('pauseCampaign', name),
    activate: (name: Name) => verb('activateCampaign', name),
    run: (name: Name) => verb('runCampaign', name),
    update: (name: Name, more: Record<string, unknown>) => verb('updateCampaign', name, inputOf(name, more)),
  };
}

async function furnish(stage: Stage): Promise<Record<Name, string>> {
  const { tell } = stage;
  await tell(`mutation {
    createService(input: { name: "Care", systemPrompt: "Be kind.", greeting: "Hello." }) { __typename }
    registerPhoneNumber(input: { phone: "+14155550199" }) { __typename }
    setPolicy(input: { attemptsPerWeek: ${weekly} }) { __typename } }`);
  for (const [areaCode] of places) {
    for (const ending of endings) {
      const input = {
        name: `Ada of ${areaCode} ${ending}`,
        phone: `+1${areaCode}555${ending}`,
        sourceSystem: 'ehr',
        tags: ending === '0115' ? [] : ['steady'],
      };
      await tell('mutation ($input: PatientInput!) { upsertPatient(input: $input) { __typename } }', {
        input,
      });
    }
  }
  const ids: Partial<Record<Name, string>> = {};
  for (const name of Object.keys(told) as Name[]) {
    const data = await tell(
      `mutation ($input: CampaignInput!) { createCampaign(input: $input) {
        ... on CampaignPayload { campaign { id } } ... on InputError { fields { path message } } } }`,
      { input: inputOf(name) },
    );
    ids[name] = data.createCampaign.campaign.id;
  }
  return ids as Record<Name, string>;
}

/** What is done at which instant. */
async function live(stage: Stage, ids: Record<Name, string>): Promise<void> {
  const { advance, outage } = stage;
  const { pause, activate, run, update } = openCampaigns(stage, ids);
  for (const name of Object.keys(told) as Name[]) await activate(name);
  const story: [string, () => Promise<void>][] = [
    ['2026-03-03T18:30:00Z', () => run('noon')], // once more, though the carrier fails
    ['2026-03-04T15:00:09Z', () => pause('morning')], // in the midst of it
    ['2026-03-04T15:30:00Z', () => activate('morning')],
    ['2026-03-06T00:30:05Z', () => pause('evening')],
    ['2026-03-08T18:00:00Z', () => activate('evening')], // two days are not run
    ['2026-03-10T20:00:00Z', () => update('morning', { reason: 'The clinic has moved', runAt: '11:15' })],
    [
      '2026-03-11T15:15:07Z',
      () => update('morning', { reason: 'The clinic has moved', callsPerMinute: 60, runAt: '11:15' }),
    ],
    ['2026-03-12T15:15:08Z', () => outage('2026-03-14T17:30:00Z')], // late on the day after the next
    ['2026-03-16T18:00:00Z', () => update('noon', { audience: { tags: ['steady'] } })], // who is left can be called
    ['2026-03-17T02:00:00Z', () => outage('2026-03-17T09:00:00Z')], // between two runs of each
    ['2026-03-20T02:00:00Z', () => outage('2026-03-21T02:00:00Z')], // for a day
    ['2026-03-24T17:00:10Z', () => pause('noon')],
    ['2026-03-26T12:00:00Z', () => activate('noon')],
  ];
  for (const [at, act] of story.filter(([instant]) => instant < end)) {
    await advance(at);
    await act();
  }
  await advance(end);
}

/** The dates on which each ran or should have: all dates but those that began while it was held. */
const heldOn: Record<Name, string[]> = {
  morning: [],
  evening: ['2026-03-06', '2026-03-07'],
  noon: ['2026-03-25'],
};

const datesOf = (name: Name): string[] =>
  Array.from({ length: 30 }, (_, day) =>
    new Date(Date.parse('2026-03-02') + day * dayMs).toISOString().slice(0, 10),
  ).filter((date) => date <= lastDate && !heldOn[name].includes(date));

/** Every date has one run of its own, every run is over, and its members are all somewhere. */
async function expectRuns(world: World, ids: Record<Name, string>): Promise<void> {
  const all = await world.find<CampaignRun>(runs.table, {});
  for (const name of Object.keys(told) as Name[]) {
    const own = all.filter(({ campaignId, manual }) => campaignId === ids[name] && !manual);
    expect(own.map(({ date }) => date).toSorted(), name).toEqual(datesOf(name));
  }
  expect(all.filter((run) => !runs.isOver(run))).toEqual([]);
  const counts = await countsOf(world, all);
  for (const run of all) {
    const { pending, inFlight, ...ended } = counts.get(run.id)!;
    expect({ pending, inFlight }).toEqual({ pending: 0, inFlight: 0 });
    expect(
      Object.values(ended).reduce((sum, count) => sum + count, 0),
      `${run.date} ${run.status}`,
    ).toBe(run.eligible);
  }
  const stopped = await world.query<{ count: number }>(
    sql`select count(*)::int as count from event where type = 'campaign_run.stopped'`,
  );
  expect(stopped[0]!.count).toBeGreaterThan(3);
  expect(all.filter(({ breakerReason }) => breakerReason?.startsWith('Skipped'))).not.toEqual([]);
}

/** What was dialled, by number. */
const dialsOf = (ledger: Ledger[]): Map<string, number[]> =>
  new Map(
    [
      ...Map.groupBy(
        ledger.filter(({ kind, accepted }) => kind === 'create' && accepted),
        ({ to }) => to,
      ),
    ].map(([to, entries]) => [to, entries.map(({ at }) => Date.parse(at)).toSorted((a, b) => a - b)]),
  );

function expectLawful(dials: Map<string, number[]>): void {
  for (const [areaCode, zones] of places) {
    for (const ending of endings) {
      const own = dials.get(`+1${areaCode}555${ending}`) ?? [];
      for (const [index, at] of own.entries()) {
        const inAWeek = own.filter((other, place) => place >= index && other - at < 7 * dayMs - 2_000);
        expect(inAWeek.length, `${areaCode} ${ending}`).toBeLessThanOrEqual(weekly);
        for (const timeZone of zones) {
          const time = new Date(at).toLocaleTimeString('en-GB', { timeZone });
          expect(time >= '08:00:00' && time <= '19:59:30', `${time} in ${timeZone}`).toBe(true);
        }
      }
    }
  }
}

/** Nobody was called twice for one campaign and date, and whoever was reached was not called by it again. */
async function expectOnce(world: World): Promise<void> {
  const twice = await world.query(sql`
    select c.campaign_id, r.date, c.patient_id from call c join campaign_run r on r.id = c.campaign_run_id
    where c.sid is not null group by 1, 2, 3 having count(*) > 1`);
  expect(twice).toEqual([]);
  const reached = await world.query(sql`
    select c.id from call c join call e on e.campaign_id = c.campaign_id and e.patient_id = c.patient_id
    where e.status = 'COMPLETED' and coalesce(e.answered_by, 'HUMAN') = 'HUMAN' and c.queued_at > e.ended_at`);
  expect(reached).toEqual([]);
}

/** Every row is the fold of its events. */
async function expectFolds<R extends Row, F extends Fact>(world: World, kind: Kind<R, F>): Promise<void> {
  const rows = await world.find<R>(kind.table, {});
  expect(rows.length).toBeGreaterThan(0);
  const { workspaceId } = rows[0]!;
  const events = await world.eventsOf(workspaceId, { entityIds: rows.map(({ id }) => id) });
  const byRow = Map.groupBy(events, ({ entityId }) => entityId);
  const wrong = rows.filter(
    (row) =>
      !isDeepStrictEqual(row, foldOf(kind, row.id, row.workspaceId, (byRow.get(row.id) ?? []) as Event<F>[])),
  );
  expect(wrong).toEqual([]);
}

/** Whoever was called after an edit heard what was told last. */
async function expectWords(world: World, ids: Record<Name, string>): Promise<void> {
  const words = await world.query<{ reason: string; isLater: boolean; count: number }>(sql`
    select reason, queued_at > '2026-03-10T20:00:00Z' as "isLater", count(*)::int as count from call
    where campaign_id = ${ids.morning} group by 1, 2`);
  expect(words.toSorted((a, b) => Number(a.isLater) - Number(b.isLater))).toEqual([
    { reason: 'Check-up of the morning', isLater: false, count: expect.any(Number) },
    { reason: 'The clinic has moved', isLater: true, count: expect.any(Number) },
  ]);
}

test(
  'in weeks of campaigns nobody is called too often, at the wrong hour or twice, and every run is accounted for',
  () =>
    withStage(async (stage) => {
      const ids = await furnish(stage);
      await live(stage, ids);
      const { world } = stage.program();
      const dials = dialsOf(await stage.ledger());
      expectLawful(dials);
      expect([...dials.values()].flat().length).toBeGreaterThan(exhaustive ? 100 : 50);
      await expectRuns(world, ids);
      await expectOnce(world);
      await expectWords(world, ids);
      for (const kind of [campaigns, runs, tasks, calls, contacts, patients])
        await expectFolds(world, kind as unknown as Kind<Row, Fact>);
    }),
  300_000,
);
