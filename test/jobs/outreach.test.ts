/** The projection of attempts and tasks: however it is read, it holds what happened, and made anew it is the same. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import { bestHourOf, reachabilityOf } from '../../src/domain/engagement.ts';
import { groups, nothing } from '../../src/domain/outreach-count.ts';
import { outreach } from '../../src/outreach.ts';
import { openOutreach } from '../../src/outreach/read.ts';
import { project, rebuild, type Projection } from '../../src/projection.ts';
import type { World } from '../../src/world.ts';
import { withWorld } from '../support/database.ts';
import { append, histories, layOut, mix, span, type Counted, type Expected } from '../support/histories.ts';

const names = Object.keys(nothing);

/** What is to be told of attempts and tasks, counted one by one. */
function recount(all: Counted[], group: string) {
  const rows = new Map<string, Record<string, number>>();
  for (const { keys, counts } of all)
    for (const key of keys[group]!) {
      const row = rows.get(key) ?? Object.fromEntries(names.map((name) => [name, 0]));
      for (const name of names) row[name] = row[name]! + counts[name]!;
      rows.set(key, row);
    }
  return [...rows].map(([key, row]) => ({ key, ...row }));
}

const byKey = (rows: { key: string }[]) => rows.toSorted((a, b) => (a.key < b.key ? -1 : 1));

/** What is to be told of one person, counted one by one. */
function engagementOf(attempts: Expected[]) {
  const own = attempts.toSorted((a, b) => a.at.getTime() - b.at.getTime());
  const count = (fits: (attempt: Expected) => boolean) => own.filter(fits).length;
  const answers = own.flatMap(({ answeredAt }) => (answeredAt ? [answeredAt.getTime()] : []));
  const sinceReached = own.slice(own.findLastIndex(({ reached }) => reached) + 1);
  const trials = own.filter(({ reached, missed }) => reached || missed).toReversed();
  return {
    attempts: own.length,
    answered: count(({ reached }) => reached),
    voicemails: count(({ channel }) => channel === 'VOICEMAIL'),
    texts: count(({ channel }) => channel === 'TEXT'),
    lastAttemptAt: own.at(-1)?.at ?? null,
    lastAnsweredAt: answers.length > 0 ? new Date(Math.max(...answers)) : null,
    consecutiveUnanswered: sinceReached.filter(({ missed }) => missed).length,
    reachability: reachabilityOf(trials),
    bestHour: bestHourOf(trials),
  };
}

/** All rows, but for their generation. */
const rowsOf = async (world: World) => ({
  attempts: await world.query<{ row: object }>(
    sql`select to_jsonb(t) - 'generation' as row from outreach_attempt t order by workspace_id, generation, id`,
  ),
  tasks: await world.query<{ row: object }>(
    sql`select to_jsonb(t) - 'generation' as row from outreach_task t order by workspace_id, generation, id`,
  ),
  counts: await world.query<{ row: object }>(
    sql`select to_jsonb(t) - 'generation' as row from outreach_count t
      order by workspace_id, generation, grouped_by, grain, begun_at, key`,
  ),
});

/** Reads to the end of the log, some events at a time; what a worker does between two deaths may come to nothing. */
async function work(world: World, size: number, dies: () => boolean): Promise<void> {
  const mortal: Projection = {
    ...outreach,
    apply: async (...given) => {
      await outreach.apply(...given);
      if (dies()) throw new Error('killed');
    },
  };
  for (let more = true; more;)
    more = await project(world, mortal, size).catch((error: Error) => {
      if (error.message !== 'killed') throw error;
      return true;
    });
}

/** What the workspace is told is what happened in it, whatever the span and however it is grouped. */
async function expectTold(world: World, told: { workspaceId: string; expected: Counted[]; cut: number }) {
  const { workspaceId, expected, cut } = told;
  // From one attempt on, and up to another.
  const edges = [cut, cut + Math.ceil(expected.length / 2)].map((n) => expected[n % expected.length]!.at);
  const [since, until] = edges.toSorted((a, b) => a.getTime() - b.getTime()) as [Date, Date];
  const { statsOf } = openOutreach({ world });
  const inside = expected.filter(({ at }) => at >= since && at < until);
  for (const group of groups) {
    const all = await statsOf({ workspaceId, ...span, group });
    expect(byKey(all), group).toEqual(byKey(recount(expected, group)));
    const some = await statsOf({ workspaceId, since, until, group });
    expect(byKey(some), group).toEqual(byKey(recount(inside, group)));
  }
}

const chances = fc.record({
  size: fc.integer({ min: 1, max: 30 }),
  half: fc.nat(100),
  cut: fc.nat(),
  deaths: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
});

type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;
type Chances = typeof chances extends fc.Arbitrary<infer T> ? T : never;

/** A text that is delivered, and one that is also answered, to the same person. */
const texts: History['stories'] = [1, 3].map((end) => ({
  end,
  channel: 'TEXT',
  patient: 0,
  zone: 'Pacific/Honolulu',
  minute: 0,
  purpose: 'BILLING',
  tags: [],
  byTask: false,
  again: false,
  achieves: false,
}));

test('two workers that die and repeat count every attempt once, and made anew the projection is the same', () =>
  withWorld(async (world) => {
    const happens = async ({ stories, plans, order }: History, { size, half, cut, deaths }: Chances) => {
      const workspaceId = newId(new Date());
      const { lines, expected, tasks, patients } = layOut({ stories, plans });
      const events = mix(lines, order);
      const middle = Math.floor((events.length * half) / 100);
      const left = [...deaths];
      const dies = () => left.pop() ?? false;
      for (const part of [events.slice(0, middle), events.slice(middle)]) {
        await append(world, workspaceId, part);
        await Promise.all([work(world, size, dies), work(world, size + 3, dies)]);
      }
      await expectTold(world, { workspaceId, expected: [...expected, ...tasks], cut });
      const engaged = await openOutreach({ world }).engagementsOf(workspaceId, patients);
      const asOf = String(await endOf(world));
      for (const id of patients) {
        const own = expected.filter(({ patientId }) => patientId === id);
        expect(engaged.get(id)).toEqual({ ...engagementOf(own), asOf });
      }
      const live = await rowsOf(world);
      await rebuild(world, outreach);
      expect(await rowsOf(world)).toEqual(live);
    };
    await fc.assert(fc.asyncProperty(histories, chances, happens), {
      numRuns: 20,
      // The answer is read after everything before it.
      examples: [
        [
          { stories: texts, plans: [], order: [0] },
          { size: 1, half: 65, cut: 0, deaths: [] },
        ],
      ],
    });
  }));

test('a projection is made anew while attempts go on, and one that was left unfinished leaves nothing', () =>
  withWorld(async (world) => {
    const workspaceId = newId(new Date());
    const samples = fc.sample(histories, { numRuns: 30, seed: 7 });
    const { lines, expected, tasks } = layOut({
      stories: samples.flatMap(({ stories }) => stories),
      plans: samples.flatMap(({ plans }) => plans),
    });
    const events = mix(lines, samples[0]!.order);
    const goOn = async () => {
      await append(world, workspaceId, events.splice(0, 9));
      while (await project(world, outreach, 4));
    };
    while (events.length > 200) await goOn();
    let batches = 0;
    const dying: Projection = {
      ...outreach,
      apply: async (...given) => {
        if ((batches += 1) > 3) throw new Error('killed');
        await outreach.apply(...given);
      },
    };
    await expect(rebuild(world, dying, { size: 7 })).rejects.toThrow('killed');
    // Before each step of the rebuild, and before its last, more happens; readers never go back.
    let seen = 0;
    const transact: World['transact'] = async (work) => {
      expect(await liveCursor(world)).toBeGreaterThanOrEqual(seen);
      if (events.length > 0) await goOn();
      seen = await liveCursor(world);
      return world.transact(work);
    };
    await rebuild({ ...world, transact }, outreach, { size: 150 });
    expect(events.length).toBeGreaterThan(0);
    while (events.length > 0) await goOn();
    while (await project(world, outreach));
    await expectTold(world, { workspaceId, expected: [...expected, ...tasks], cut: 3 });
    const generations = await world.query(sql`select distinct generation from outreach_attempt
      union select generation from outreach_task union select generation from outreach_count union select generation from projection`);
    expect(generations).toEqual([{ generation: 3 }]);
  }));

const endOf = async (world: World) =>
  (await world.query<{ end: number }>(sql`select max(global_seq) as "end" from event_log`))[0]!.end;

const liveCursor = async (world: World) =>
  (await world.query<{ cursor: number }>(sql`select cursor from projection where is_live`))[0]!.cursor;
