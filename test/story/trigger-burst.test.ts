/** Many events at once, many triggers, and workers that die: each match fires once, and none is missed. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { randomOf } from '../../chaos/random.ts';
import { newId } from '../../src/clock.ts';
import type { By } from '../../src/domain/event.ts';
import * as patients from '../../src/domain/patient.ts';
import { ensureWorkspace, openWorkspaces } from '../../src/provision.ts';
import { openRegistry } from '../../src/registry.ts';
import { openTriggers } from '../../src/trigger.ts';
import { openWorld, type World } from '../../src/world.ts';
import { openCluster } from '../support/cluster.ts';
import { withDatabaseUrl } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { exhaustive } from '../support/exhaustive.ts';

/** Exhaustively ten times as many, over which twice as many workers are killed: a minute and more of two cores. */
const [eventCount, mostKilled] = exhaustive ? [10_000, 6] : [1_000, 3];
const triggerCount = 200;
const typeCount = 10;
const people = 100;

/** What trigger t waits for: one type, some values, and of every fourth also what is believed of the patient. */
const wants = (t: number) => ({
  type: t % typeCount,
  values: [(t * 7) % 37],
  side: t % 4 === 0 ? (t % 8 === 0 ? 'left' : 'right') : null,
});

/** Event e: of which type, with which value, of which patient. */
const told = (e: number) => ({
  type: (e * 13) % typeCount,
  value: (e * 31 + (e >> 5)) % 37,
  patient: e % people,
});

const sideOf = (patient: number) => (patient % 3 === 0 ? 'left' : 'right');

/** Every match, reckoned by itself: "trigger event". */
function expected(): Set<string> {
  const matches = new Set<string>();
  for (let e = 0; e < eventCount; e += 1) {
    const event = told(e);
    for (let t = 0; t < triggerCount; t += 1) {
      const { type, values, side } = wants(t);
      const fits =
        type === event.type &&
        values.includes(event.value) &&
        (side === null || side === sideOf(event.patient));
      if (fits) matches.add(`${t} ${e}`);
    }
  }
  return matches;
}

interface Clinic {
  world: World;
  by: () => By;
}

async function furnish({ world, by }: Clinic): Promise<string[]> {
  const workspaces = openWorkspaces({ world, clock: { now: () => by().now } });
  const { workspaceId } = by();
  await workspaces.createService(workspaceId, {
    name: 'Care',
    systemPrompt: '',
    greeting: 'Hello.',
    isDefault: true,
  });
  await workspaces.registerNumber(workspaceId, {
    phone: '+14155550199',
    label: null,
    voice: true,
    text: false,
    serviceId: null,
  });
  const registry = openRegistry({ world });
  const ids: string[] = [];
  for (let n = 0; n < people; n += 1) {
    const attributes = { name: `Patient ${n}`, phone: `+1212555${String(1_000 + n)}` };
    const { patient } = await registry.state({ attributes, facts: { side: sideOf(n) }, source: 'ehr' }, by());
    ids.push(patient.id);
  }
  return ids;
}

async function addTriggers({ world, by }: Clinic): Promise<string[]> {
  const triggers = openTriggers({
    world,
    clock: { now: () => by().now, busy: (work) => work },
    log: () => {},
  });
  const ids: string[] = [];
  for (let t = 0; t < triggerCount; t += 1) {
    const { type, values, side } = wants(t);
    const settings = {
      name: `Trigger ${t}`,
      kind: 'EVENT' as const,
      schedule: null,
      timeZone: 'UTC',
      eventType: `ext.burst_${type}`,
      filter: { 'event.data.value': values, ...(side && { 'patient.facts.side': side }) },
      action: {
        channel: 'VOICE' as const,
        purpose: 'OTHER' as const,
        reason: 'Event {{event.data.number}}',
        goal: null,
        priority: 5,
        scheduleAt: null,
        delaySeconds: 864_000,
        maxAttempts: 1,
        cancelOn: [],
      },
      acceptedEventTypes: [],
      maxRetries: 20,
      maxRunsPerMinute: 10_000,
    };
    ids.push((await triggers.createTrigger(settings, null, by())).trigger.id);
  }
  return ids;
}

/** Appends all events, as fast as Postgres takes them; answers their ids. */
async function burst({ world, by }: Clinic, patientIds: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < eventCount; from += 500) {
    await world.transact(async (tx) => {
      const { workspaceId } = by();
      const where = { workspaceId: { eq: workspaceId }, id: { in: patientIds } };
      const rows = new Map(
        (await tx.lockEach(patients, { where, limit: people })).map((row) => [row.id, row]),
      );
      ids.length = from;
      for (let e = from; e < from + 500; e += 1) {
        const { type, value, patient } = told(e);
        const row = rows.get(patientIds[patient]!)!;
        const id = newId(by().now);
        ids.push(id);
        const event = {
          id,
          type: `ext.burst_${type}`,
          data: { value, number: e },
          effectiveAt: null,
          confidence: null,
          supersedesId: null,
        };
        rows.set(row.id, tx.decide(patients, row, patients.tell(row, event), by()).row);
      }
    });
  }
  return ids;
}

test(
  `of ${eventCount} events against 200 triggers each match fires once and none is missed, though workers are killed on the way`,
  () =>
    withDatabaseUrl(async (databaseUrl) => {
      const world = await openWorld({ databaseUrl, poolSize: 4 });
      const cluster = await openCluster({
        databaseUrl,
        roles: ['worker', 'worker', 'worker'],
        startAt: new Date('2026-03-03T19:00:00Z'),
        treat: () => 'pass',
      });
      try {
        await cluster.ready();
        const { id: workspaceId } = await ensureWorkspace(world, cluster.clock.now());
        const by = () => ({ workspaceId, actor: 'test', source: 'api' as const, now: cluster.clock.now() });
        const clinic = { world, by };
        const patientIds = await furnish(clinic);
        const triggerIds = await addTriggers(clinic);
        const began = performance.now();
        const eventIds = await burst(clinic, patientIds);
        const appended = performance.now();
        const random = randomOf(7);
        let killed = 0;
        const killing = setInterval(() => {
          if (killed < mostKilled && cluster.killOne(random)) killed += 1;
        }, 500);
        const wanted = expected();
        await eventually(async () => {
          const [state] = await world.query<{ done: number; open: number }>(sql`select
          count(*) filter (where status = 'SUCCEEDED')::int as done,
          count(*) filter (where status in ('QUEUED', 'RUNNING'))::int as open from trigger_run`);
          if (state!.done < wanted.size || state!.open > 0)
            throw new Error(JSON.stringify({ ...state, wanted: wanted.size, killed }));
          return true;
        }, 240_000);
        clearInterval(killing);
        const lasted = performance.now() - appended;
        const made = await world.query<{ triggerId: string; cause: string; reason: string }>(sql`
        select r.trigger_id as "triggerId", e.causation_id as cause, t.reason from outbound_task t
          join trigger_run r on r.workspace_id = t.workspace_id and r.id = t.id
          join event e on e.workspace_id = t.workspace_id and e.entity_id = t.id and e.version = 1`);
        const numberOf = new Map(eventIds.map((id, e) => [id, e]));
        const triggerOf = new Map(triggerIds.map((id, t) => [id, t]));
        const matches = made.map(
          ({ triggerId, cause }) => `${triggerOf.get(triggerId)} ${numberOf.get(cause)}`,
        );
        expect(matches).toHaveLength(wanted.size);
        expect(new Set(matches)).toEqual(wanted);
        for (const { cause, reason } of made) expect(reason).toBe(`Event ${numberOf.get(cause)}`);
        const told = await world.query<{ type: string; count: number }>(sql`
        select type, count(*)::int as count from event where type like 'trigger.%' and type <> 'trigger.created' group by type order by type`);
        expect(told).toEqual([
          { type: 'trigger.completed', count: wanted.size },
          { type: 'trigger.fired', count: wanted.size },
        ]);
        expect(killed).toBeGreaterThan(2);
        expect(cluster.deaths).toEqual([]);
        process.stdout.write(
          `${wanted.size} runs in ${Math.round(lasted)} ms after ${Math.round(appended - began)} ms of appending, ${killed} workers killed\n`,
        );
      } finally {
        await cluster.close();
        await world.close();
      }
    }),
  300_000,
);
