import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { newId } from '../../src/clock.ts';
import * as calls from '../../src/domain/call.ts';
import type { Event } from '../../src/domain/event.ts';
import * as patients from '../../src/domain/patient.ts';
import { relayEvents } from '../../src/jobs/relay-events.ts';
import { openLive, type Live } from '../../src/live.ts';
import { SlowSubscriber } from '../../src/live/queue.ts';
import { openStream } from '../../src/stream.ts';
import type { World } from '../../src/world.ts';
import { withWorld } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { openNats } from '../support/relay-process.ts';
import { query, withDatabase } from '../support/services.ts';

const now = new Date('2026-03-02T15:00:00Z');
const workspaceId = newId(now);
const elsewhere = newId(now);
const by = (workspace = workspaceId) => ({
  workspaceId: workspace,
  actor: 'test',
  source: 'api' as const,
  now,
});

let nats: Awaited<ReturnType<typeof openNats>>;
beforeAll(async () => {
  nats = await openNats();
});
afterAll(() => nats.close());
/** A stream that no database has published to. */
async function cleared(): Promise<void> {
  const connection = await connect({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  await manager.streams.delete('world').catch(() => {});
  await connection.close();
}
beforeEach(cleared);

type Logged = Event & { cursor: number };

/** A hub with what feeds it, and ways to append. */
interface Hub {
  world: World;
  live: Live;
  databaseUrl: string;
  /** Appends so many events of one new patient in one go. */
  append(count: number, workspace?: string): Promise<string>;
  /** The whole log of the workspace, once everything has its place. */
  whole(): Promise<Logged[]>;
}

/** `reads` changes what the hub is told by the world. */
async function withHub(
  work: (hub: Hub) => Promise<void>,
  reads: (world: World) => Partial<World> = () => ({}),
): Promise<void> {
  await withWorld(async (world, databaseUrl) => {
    const stream = await openStream({ url: nats.url });
    const stop = new AbortController();
    const live = openLive({ world: { ...world, ...reads(world) }, stream, log: () => {} });
    const relaying = relayEvents({ world, stream, log: () => {} }, stop.signal);
    await live.start(stop.signal);
    const append = async (count: number, workspace = workspaceId) => {
      const id = newId(now);
      const facts = Object.fromEntries(Array.from({ length: count - 1 }, (_, i) => [`k${i}`, id]));
      const said = { attributes: { name: id }, facts, source: 'ehr' };
      await world.change(patients, id, (row) => patients.state(row, said), by(workspace));
      return id;
    };
    const whole = async () => {
      await eventually(async () => {
        const [row] = await world.query<{ count: number }>(sql`select count(*)::int as count from outbox`);
        return row?.count === 0;
      }, 20_000);
      return world.log({ workspaceId, limit: 100_000 });
    };
    try {
      await work({ world, live, databaseUrl, append, whole });
    } finally {
      stop.abort();
      await relaying;
      await stream.close();
    }
  });
}

const cursorsOf = (events: { cursor: number | null }[]) => events.map(({ cursor }) => cursor);

/** Numbers from 0 to 1 that are the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Reads until so many were read. */
async function take<T>(from: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { value, done } = await from.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

/** Reads everything that is there, and what happens until `last` was read. */
async function readUntil(from: AsyncIterable<Logged>, last: number): Promise<Logged[]> {
  const read: Logged[] = [];
  for await (const event of from) {
    read.push(event);
    if (event.cursor >= last) break;
  }
  return read;
}

/** How many events have their place in the log. */
async function placed(world: World): Promise<number> {
  const [row] = await world.query<{ last: number | null }>(
    sql`select max(global_seq) as last from event_log`,
  );
  return row?.last ?? 0;
}

test(
  'a subscriber that leaves and comes back after its last cursor gets every event once, in order',
  { timeout: 60_000 },
  () =>
    withHub(async ({ world, live, databaseUrl, append, whole }) => {
      const done = new AbortController();
      let last = Number.POSITIVE_INFINITY;
      const trouble = { leaves: 0, failures: 0, slow: 0 };
      const written = (count: number) => eventually(async () => (await placed(world)) >= count, 30_000);
      const awhile = async () => written(Math.min((await placed(world)) + 600, 4_500));

      async function subscriber(seed: number): Promise<Logged[]> {
        const random = seeded(seed);
        const read: Logged[] = [];
        const at = () => read.at(-1)?.cursor ?? 0;
        while (at() < last) {
          const left = Math.floor(random() ** 4 * 2_000) + 1;
          try {
            let taken = 0;
            for await (const event of live.events({ workspaceId, after: at() })) {
              read.push(event);
              taken += 1;
              if (taken === left || event.cursor >= last) break;
              // It has other things to do.
              if (random() < 0.02) await world.count(patients.table, {});
              if (random() < 0.003 && !done.signal.aborted) await awhile();
            }
            trouble.leaves += 1;
          } catch (error) {
            if (error instanceof SlowSubscriber) {
              expect(error.cursor).toBe(at());
              trouble.slow += 1;
            } else trouble.failures += 1;
          }
        }
        return read;
      }
      async function writer(seed: number): Promise<void> {
        const random = seeded(seed);
        while (!done.signal.aborted) {
          const count = random() < 0.05 ? 100 : 1 + Math.floor(random() * 6);
          await append(count, random() < 0.2 ? elsewhere : workspaceId).catch(() => {});
        }
      }

      const subscribers = [1, 2, 3, 4, 5, 6].map(subscriber);
      const writers = [11, 12, 13].map(writer);
      for (let round = 1; round <= 8; round += 1) {
        await written(round * 500);
        await query(
          withDatabase(databaseUrl, 'postgres'),
          `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = '${new URL(databaseUrl).pathname.slice(1)}'`,
        );
      }
      await written(4_500);
      done.abort();
      await Promise.all(writers);
      await append(1);
      const log = await whole();
      last = log.at(-1)!.cursor;
      await append(1); // wakes those who wait at the end
      for (const read of await Promise.all(subscribers)) {
        const upToLast = read.filter(({ cursor }) => cursor <= last);
        expect(cursorsOf(upToLast)).toEqual(cursorsOf(log));
        expect(upToLast.map(({ id, data }) => [id, data])).toEqual(log.map(({ id, data }) => [id, data]));
      }
      expect(trouble.leaves).toBeGreaterThan(30);
      expect(trouble.slow).toBeGreaterThan(0);
      expect(live.subscriberCount()).toBe(0);
    }),
);

test('a replay of more than a thousand events goes over into what happens meanwhile', () =>
  withHub(async ({ live, append, whole }) => {
    for (let i = 0; i < 25; i += 1) await append(60);
    const afters = [0, 1, 700, 1_500];
    const counts = afters.map((after) => 1_500 + 600 - after);
    const subscriptions = afters.map((after) => live.events({ workspaceId, after }));
    const reading = subscriptions.map((events, index) => take(events, counts[index]!));
    for (let i = 0; i < 300; i += 1) await append(2);
    const log = cursorsOf(await whole());
    for (const [index, read] of reading.entries()) {
      expect(cursorsOf(await read)).toEqual(log.slice(afters[index]));
      await subscriptions[index]!.return!();
    }
    expect(live.subscriberCount()).toBe(0);
  }));

test('a subscriber that reads is not cut off by a great many events in one go', () =>
  withHub(async ({ live, append, whole }) => {
    const fromNow = live.events({ workspaceId });
    const fromBefore = live.events({ workspaceId, after: 0 });
    const reading = [fromNow, fromBefore].map((events) => take(events, 1_500));
    await append(700);
    await append(800);
    const cursors = cursorsOf(await whole());
    for (const read of reading) expect(cursorsOf(await read)).toEqual(cursors);
    await Promise.all([fromNow.return!(), fromBefore.return!()]);
  }));

test('types and patient narrow both the replay and what happens', () =>
  withHub(async ({ live, append, whole, world }) => {
    const first = await append(4);
    await append(3);
    const types = ['patient.registered'];
    const [all, ofType, ofPatient, ofBoth] = [
      live.events({ workspaceId, after: 0 }),
      live.events({ workspaceId, after: 0, types }),
      live.events({ workspaceId, after: 0, patientId: first }),
      live.events({ workspaceId, after: 0, patientId: first, types: ['patient.updated'] }),
    ];
    expect(await take(all, 7)).toHaveLength(7);
    expect(await take(ofType, 2)).toHaveLength(2);
    expect(await take(ofPatient, 4)).toHaveLength(4);
    const waiting = take(ofBoth, 1);
    await append(2);
    await append(1, elsewhere);
    const rename = (row: patients.Patient) =>
      patients.state(row, { attributes: { name: 'Ada' }, facts: { mood: 'good' }, source: 'ehr' });
    await world.change(patients, first, rename, by());
    await append(1);
    const log = await whole();
    const after = (cursor: number, fits: (event: Logged) => boolean) =>
      cursorsOf(log.filter((event) => event.cursor > cursor && fits(event)));
    expect(cursorsOf(await take(all, 5))).toEqual(after(7, () => true));
    expect(cursorsOf(await take(ofType, 2))).toEqual(after(7, ({ type }) => type === types[0]));
    expect(cursorsOf(await take(ofPatient, 2))).toEqual(after(7, ({ patientId }) => patientId === first));
    expect(cursorsOf(await waiting)).toEqual(after(0, ({ type }) => type === 'patient.updated'));
    for (const events of [all, ofType, ofPatient, ofBoth]) await events.return!();
    expect(live.subscriberCount()).toBe(0);
  }));

const intent: calls.Intent = {
  origin: 'API',
  patientId: newId(now),
  contactId: newId(now),
  phoneTo: '+14155550100',
  phoneFrom: '+14155550199',
  reason: 'test',
  goal: null,
  systemPrompt: null,
  welcomeMessage: null,
  purpose: 'OTHER',
  tags: [],
  metadata: {},
  variables: {},
  serviceId: null,
  useCaseId: null,
  taskId: null,
  derivedFromId: null,
  chainId: newId(now),
  requestedBy: 'test',
  callbackUrl: null,
  basis: null,
  decision: {} as calls.Intent['decision'],
};
const initiated: calls.Fact = { type: 'outbound.initiated', data: intent };
const later: calls.Fact[] = [
  { type: 'call.accepted', data: { sid: 'CA1', via: 'answer' } },
  { type: 'call.ringing', data: { via: 'callback' } },
  { type: 'call.answered', data: { via: 'callback' } },
  { type: 'call.machine_detected', data: { answeredBy: 'HUMAN', detail: 'human' } },
  { type: 'call.completed', data: { endedReason: 'completed', durationSeconds: 3, via: 'callback' } },
];

test('whoever watches a call gets its present state and each later one once, also of several events at once', () =>
  withHub(async ({ world, live }) => {
    for (const atOnce of [1, 2, 3, 5]) {
      for (const known of [0, 1, 3]) {
        const id = newId(now);
        const tell = (facts: calls.Fact[]) => world.change(calls, id, () => facts, by());
        await tell([initiated, ...later.slice(0, known)]);
        const load = () => world.findOne<calls.Call>(calls.table, { id: { eq: id } });
        const watchers = await Promise.all([1, 2].map(() => live.watchRow(workspaceId, id, load)));
        const reading = watchers.map((rows) => take(rows!, 1 + later.length - known));
        for (let i = known; i < later.length; i += atOnce) await tell(later.slice(i, i + atOnce));
        const states = (await world.story(calls, workspaceId, [id])).map(({ row }) => row);
        for (const read of reading) expect(await read).toEqual(states.slice(known));
        for (const rows of watchers) await rows!.return!();
      }
    }
    expect(await live.watchRow(workspaceId, newId(now), () => Promise.resolve(null))).toBeNull();
    const broken = live.watchRow(workspaceId, newId(now), () => Promise.reject(new Error('away')));
    await expect(broken).rejects.toThrow('away');
    expect(live.subscriberCount()).toBe(0);
  }));

test('a subscriber that does not read is cut off with its last cursor, and resuming there misses nothing', () =>
  withHub(async ({ live, append, whole }) => {
    await append(10);
    for (const after of [undefined, 0]) {
      const idle = live.events({ workspaceId, after });
      const { length } = await whole();
      const other = live.events({ workspaceId, after: length });
      const read = after === 0 ? await take(idle, length) : [];
      // It waits until it is live, then reads no more.
      const next = idle.next();
      await append(1);
      read.push((await next).value as Logged);
      const reading = take(other, 401);
      await append(400);
      expect(await reading).toHaveLength(401); // so the hub has delivered them all
      const cutOff = await take(idle, 10_000).then(
        () => null,
        (error: unknown) => error,
      );
      expect(cutOff).toBeInstanceOf(SlowSubscriber);
      const { cursor } = cutOff as SlowSubscriber;
      const log = await whole();
      expect(cursor).toBe(read.at(-1)!.cursor + 256);
      const rest = live.events({ workspaceId, after: cursor! });
      expect(cursorsOf(await readUntil(rest, log.at(-1)!.cursor))).toEqual(
        cursorsOf(log.filter((event) => event.cursor > cursor!)),
      );
      await other.return!();
      expect(live.subscriberCount()).toBe(0);
      expect(await idle.next()).toEqual({ value: undefined, done: true });
    }
  }));

test('leaving ends at once, also while waiting and in the middle of a replay', () =>
  withHub(async ({ world, live, append, whole }) => {
    const id = await append(20);
    await whole();
    const load = () => world.findOne<patients.Patient>(patients.table, { id: { eq: id } });
    const row = (await live.watchRow(workspaceId, id, load))!;
    await row.next();
    const replaying = live.events({ workspaceId, after: 0 });
    await take(replaying, 3);
    const waiting = [live.events({ workspaceId }), live.watch(workspaceId, () => true), row];
    const pending = waiting.map((from) => from.next());
    expect(live.subscriberCount()).toBe(4);
    for (const from of [...waiting, replaying]) {
      expect(await from.return!()).toEqual({ value: undefined, done: true });
    }
    expect(await Promise.all(pending)).toEqual(pending.map(() => ({ value: undefined, done: true })));
    for (const from of [...waiting, replaying]) {
      expect(await from.next()).toEqual({ value: undefined, done: true });
    }
    expect(live.subscriberCount()).toBe(0);
  }));

test(
  'a nats-server that is killed and comes back delays events, and neither loses nor repeats one',
  { timeout: 60_000 },
  () =>
    withHub(async ({ world, live, append, whole }) => {
      const fromNow = live.events({ workspaceId });
      const fromBefore = live.events({ workspaceId, after: 0 });
      const watching = live.watch(workspaceId, () => true);
      const callId = newId(now);
      const tell = (fact: calls.Fact) => world.change(calls, callId, () => [fact], by());
      await tell(initiated);
      const load = () => world.findOne<calls.Call>(calls.table, { id: { eq: callId } });
      const rows = (await live.watchRow(workspaceId, callId, load))!;
      const states = take(rows, 1 + later.length);
      const heard: Logged[][] = [[], [], []];
      const readers = [fromNow, fromBefore].map(async (events, index) => {
        for await (const event of events) heard[index]!.push(event);
      });
      readers.push(
        (async () => {
          for await (const { event } of watching) heard[2]!.push(event);
        })(),
      );
      for (const fact of later) {
        for (let i = 0; i < 20; i += 1) await append(3);
        await nats.kill();
        await tell(fact);
        for (let i = 0; i < 20; i += 1) await append(3);
        await nats.start();
        await append(3);
      }
      const log = await whole();
      await eventually(() => heard.every((events) => events.length >= log.length), 20_000).catch(() => {});
      for (const events of heard) expect(cursorsOf(events)).toEqual(cursorsOf(log));
      expect((await states).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
      for (const from of [fromNow, fromBefore, watching, rows]) await from.return!();
      await Promise.all(readers);
      expect(live.subscriberCount()).toBe(0);
    }),
);

test('a stream that was wiped delays events, and neither loses nor repeats one', { timeout: 60_000 }, () =>
  withHub(async ({ live, append, whole }) => {
    const events = live.events({ workspaceId });
    const reading = take(events, 240);
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 20; i += 1) await append(3);
      await whole();
      const connection = await connect({ servers: nats.url });
      await (await jetstreamManager(connection)).streams.delete('world');
      await connection.close();
      for (let i = 0; i < 20; i += 1) await append(3);
    }
    expect(cursorsOf(await reading)).toEqual(cursorsOf(await whole()));
    await events.return!();
  }),
);

test('what happens while the end of the log is read is neither missed nor repeated, however much it is', async () => {
  for (const meanwhile of [1, 100, 300]) {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    await withHub(
      async ({ live, append, whole }) => {
        await append(10);
        await whole();
        const events = live.events({ workspaceId, after: 0 });
        const resumed = take(events, 10 + meanwhile);
        await entered.promise;
        const watching = live.watch(workspaceId, ({ event }) => event.cursor === 10 + meanwhile);
        await append(meanwhile);
        await watching.next(); // so the hub has delivered them all
        gate.resolve();
        expect(cursorsOf(await resumed)).toEqual(cursorsOf(await whole()));
        await Promise.all([events.return!(), watching.return!()]);
      },
      (world) => ({
        log: async (wanted) => {
          const found = await world.log(wanted);
          if (found.length > 0) {
            entered.resolve();
            await gate.promise;
          }
          return found;
        },
      }),
    );
    await cleared();
  }
});

test('a subscription whose replay fails ends with the error and leaves nothing behind', () =>
  withHub(
    async ({ live, append }) => {
      await append(1);
      const events = live.events({ workspaceId, after: 0 });
      await expect(events.next()).rejects.toThrow('Postgres is away');
      expect(live.subscriberCount()).toBe(0);
      expect(await events.next()).toEqual({ value: undefined, done: true });
    },
    () => ({ log: () => Promise.reject(new Error('Postgres is away')) }),
  ));

test('what could not be read is read again, and nobody hears twice what they have heard', () => {
  let failures = 0;
  return withHub(
    async ({ world, live, whole }) => {
      const [here, there] = [workspaceId, elsewhere].map((id) => live.watch(id, () => true));
      const reading = [take(here!, 100), take(there!, 50)] as const;
      const facts = (count: number) =>
        Array.from({ length: count }, (_, n): patients.Fact => ({ type: 'ext.noted', data: { n } }));
      // Events of both workspaces come together, and those of the second fail after the first's were handed out.
      for (let i = 0; i < 2; i += 1) {
        await world.transact(async (tx) => {
          tx.decide(patients, patients.blank(newId(now), workspaceId), facts(50), by());
          if (i === 0) tx.decide(patients, patients.blank(newId(now), elsewhere), facts(50), by(elsewhere));
          return Promise.resolve();
        });
      }
      expect((await reading[0]).map(({ event }) => event.cursor)).toEqual(cursorsOf(await whole()));
      expect((await reading[1]).map(({ event }) => event.version)).toEqual(facts(50).map((_, n) => n + 1));
      expect(failures).toBe(1);
      await Promise.all([here!.return!(), there!.return!()]);
    },
    (world) => ({
      eventsOf: (workspace, wanted) => {
        if (workspace !== elsewhere || failures > 0) return world.eventsOf(workspace, wanted);
        failures += 1;
        return Promise.reject(new Error('Postgres is away'));
      },
    }),
  );
});
