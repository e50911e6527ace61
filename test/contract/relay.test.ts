import { chmodSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newId } from '../../src/clock.ts';
import * as calls from '../../src/domain/call.ts';
import { foldOf, type Event, type Fact, type Kind, type Row } from '../../src/domain/event.ts';
import * as patients from '../../src/domain/patient.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { relayEvents } from '../../src/jobs/relay-events.ts';
import { openStream, type Stream } from '../../src/stream.ts';
import { openWorld, type Change, type Transaction, type World } from '../../src/world.ts';
import { verifyLog } from '../../src/world/verify.ts';
import { withWorld } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { quickFolder } from '../support/folder.ts';
import { openNats, openRelays } from '../support/relay-process.ts';
import { query } from '../support/services.ts';

const now = new Date('2026-03-02T15:00:00Z');
const by = (workspaceId: string) => ({ workspaceId, actor: 'test', source: 'api' as const, now });

/** One event, or several, of a patient: a name that nobody had before, and facts. */
let names = 0;
const news =
  (count = 1) =>
  (patient: patients.Patient): patients.Fact[] => {
    names += 1;
    const facts = Object.fromEntries(Array.from({ length: count - 1 }, (_, i) => [`k${i}`, `v${names}`]));
    return patients.state(patient, { attributes: { name: `Ada ${names}` }, facts, source: 'ehr' });
  };

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

/** What the stream holds, from its first message to its last. */
interface Held {
  cursor: number;
  id: string;
  body: { cursor: number; id: string; entityId: string; version: number; type: string };
}

/** Reads the whole stream, without a word from the code that wrote it. */
async function readStream(url: string): Promise<Held[]> {
  const connection = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info('world');
    const held: Held[] = [];
    if (state.messages === 0) return held;
    const consumer = await jetstream(connection).consumers.get('world', {
      deliver_policy: DeliverPolicy.All,
    });
    for await (const message of await consumer.consume()) {
      held.push({
        cursor: Number(message.headers?.get('X-Seq')),
        id: message.headers?.get('Nats-Msg-Id') ?? '',
        body: message.json<Held['body']>(),
      });
      if (message.seq === state.last_seq) break;
    }
    expect(held.length).toBe(state.messages);
    return held;
  } finally {
    await connection.close();
  }
}

/** Every event as it is stored, in the order of the log; those that are not in it come last, without a cursor. */
type Stored = Pick<Event, 'id' | 'entityId' | 'version'> & { cursor: number | null; position: number };
async function readLog(world: World): Promise<Stored[]> {
  return world.query<Stored>(sql`select l.global_seq as cursor, t.position, t.id,
      t.entity_id as "entityId", t.version
    from event t left join event_log l on l.position = t.position order by l.global_seq, t.position`);
}

/** Events that are not the next version of their entity. */
function disordersOf(log: Stored[]): string[] {
  const versions = new Map<string, number>();
  return log
    .filter(({ entityId, version }) => {
      const expected = (versions.get(entityId) ?? 0) + 1;
      versions.set(entityId, version);
      return version !== expected;
    })
    .map(({ id }) => id);
}

/** In how many places the log's order is not the order of storage. */
const inversionsOf = (log: Stored[]) =>
  log.filter(({ position }, index) => index > 0 && position < log[index - 1]!.position).length;

/** Rows of a kind that are not the fold of their events. */
async function misfoldsOf<R extends Row, F extends Fact>(world: World, kind: Kind<R, F>): Promise<string[]> {
  const rows = await world.find<R>(kind.table, {});
  const found: string[] = [];
  for (const row of rows) {
    const history = (await world.history(row.workspaceId, row.id)) as Event<F>[];
    const fold = foldOf(kind, row.id, row.workspaceId, history);
    if (!isDeepStrictEqual(fold, row)) found.push(row.id);
  }
  return found;
}

const cursorsOf = (events: { cursor: number | null }[]) => events.map(({ cursor }) => cursor);

/** A relay of this process, for the length of `work`. */
async function withRelay<T>(
  given: { world: World; url: string },
  work: (stream: Stream, lines: string[]) => Promise<T>,
): Promise<T> {
  const lines: string[] = [];
  const log = (line: string, error?: unknown) =>
    void lines.push(`${line}: ${(error as Error | undefined)?.message}`);
  const stream = await openStream({ url: given.url, log });
  const stop = new AbortController();
  const relaying = relayEvents({ world: given.world, stream, log }, stop.signal);
  try {
    return await work(stream, lines);
  } finally {
    stop.abort();
    await relaying;
    await stream.close();
  }
}

let nats: Awaited<ReturnType<typeof openNats>>;
beforeAll(async () => {
  nats = await openNats();
});
afterAll(() => nats.close());
beforeEach(async () => {
  const connection = await connect({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  await manager.streams.delete('world').catch(() => {});
  await connection.close();
});

/** The stream ends with the last event of the log, and holds all of it. */
async function expectCopied(world: World, url: string): Promise<Held[]> {
  await eventually(async () => {
    const [ends] = await world.query<{ waiting: number; last: number }>(
      sql`select (select count(*)::int from outbox) as waiting, (select max(global_seq) from event_log) as last`,
    );
    const copied = (await readStream(url)).at(-1)?.cursor;
    expect({ ...ends, copied }).toEqual({ waiting: 0, last: ends?.last, copied: ends?.last });
    return true;
  }, 20_000);
  const log = await readLog(world);
  const held = await readStream(url);
  expect(held.map(({ cursor, id }) => [cursor, id])).toEqual(log.map(({ cursor, id }) => [cursor, id]));
  expect(held.filter(({ body, cursor, id }) => body.cursor !== cursor || body.id !== id)).toEqual([]);
  return held;
}

/** A Postgres of its own, with a migrated database: one whose backends may be killed. */
async function withPostgres(work: (databaseUrl: string) => Promise<void>): Promise<void> {
  const dataDir = quickFolder('relay');
  chmodSync(dataDir, 0o755);
  const postgres = await startPostgres({ dataDir, log: () => {} });
  try {
    const world = await openWorld({ databaseUrl: postgres.url });
    await world.migrate();
    await world.close();
    await work(postgres.url);
  } finally {
    await postgres.stop();
    const place = realpathSync(join(dataDir, 'postgres'));
    if (place.startsWith('/var/tmp/callwell-')) rmSync(join(place, '../..'), { recursive: true });
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Some transactions of the test's database take their time between their last statement and their commit. */
const lateCommits = `
  create function be_late() returns trigger language plpgsql as $$
    begin
      if random() < 0.05 then perform pg_sleep(random() * 0.03); end if;
      return null;
    end $$;
  create constraint trigger late after insert on outbox deferrable initially deferred
    for each row execute function be_late()`;

/** Runs statements on a connection of its own, as soon as Postgres lets it. */
async function ask<T>(databaseUrl: string, statement: string): Promise<T[]> {
  return eventually(async () => {
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query(statement)).rows as T[];
    } finally {
      await client.end().catch(() => {});
    }
  }, 20_000);
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Thrown to roll a transaction back. */
class Undone extends Error {}

/** Eight who write at once, in every way there is, until they are stopped. */
function openWriters(world: World) {
  const workspaces = [newId(now), newId(now)];
  const everybody = new Map(
    workspaces.map((id) => [id, Array.from({ length: 10 }, () => newId(now)).sort()]),
  );
  const acknowledged: string[] = [];
  const undone: string[] = [];
  const errors = new Map<string, number>();
  const counts = { early: 0, late: 0, several: 0, undone: 0, each: 0, one: 0 };
  const done = new AbortController();
  const keep = ({ events }: Change<unknown>) => void acknowledged.push(...events.map(({ id }) => id));

  async function write(random: () => number): Promise<void> {
    const workspaceId = workspaces[Math.floor(random() * workspaces.length)]!;
    const people = everybody.get(workspaceId)!;
    const first = Math.floor(random() * (people.length - 2));
    const some = people.slice(first, first + 3);
    const change = (id: string) =>
      world.change(patients, id, news(1 + Math.floor(random() * 5)), by(workspaceId));
    const locked = (tx: Transaction, ids: string[]) =>
      tx.lockEach(patients, { where: { workspaceId: { eq: workspaceId }, id: { in: ids } }, limit: 3 });
    const decided = (tx: Transaction, rows: patients.Patient[]) =>
      rows.map((row) => tx.decide(patients, row, news(1 + Math.floor(random() * 3))(row), by(workspaceId)));
    const commit = async (
      name: keyof typeof counts,
      work: (tx: Transaction) => Promise<Change<unknown>[]>,
    ) => {
      for (const changed of await world.transact(work)) keep(changed);
      counts[name] += 1;
    };
    const turn = random();
    if (turn < 0.15) {
      // It has its transaction's id before the other, and comes after it in the entity's history.
      await commit('early', async (tx) => {
        await tx.query(sql`select pg_current_xact_id()`);
        keep(await change(some[0]!));
        return decided(tx, await locked(tx, [some[0]!]));
      });
    } else if (turn < 0.3) {
      await commit('late', async (tx) => {
        const [low] = await locked(tx, [some[0]!]);
        keep(await change(some[2]!));
        return decided(tx, [...(low ? [low] : []), ...(await locked(tx, [some[2]!]))]);
      });
    } else if (turn < 0.5) {
      await commit('several', async (tx) => {
        const call = calls.blank(newId(now), workspaceId);
        const facts: calls.Fact[] = [
          { type: 'outbound.initiated', data: { ...intent, patientId: some[0]!, chainId: call.id } },
          { type: 'call.accepted', data: { sid: `CA${call.id}`, via: 'answer' } },
          { type: 'call.ringing', data: { via: 'callback' } },
        ];
        const rows = await locked(tx, some);
        return [...decided(tx, rows), tx.decide(calls, call, facts, by(workspaceId))];
      });
    } else if (turn < 0.6) {
      await world
        .transact(async (tx) => {
          const changes = decided(tx, await locked(tx, some));
          undone.push(...changes.flatMap(({ events }) => events.map(({ id }) => id)));
          await tx.staged.write(tx.database);
          throw new Undone();
        })
        .catch((error: unknown) => {
          if (!(error instanceof Undone)) throw error;
          counts.undone += 1;
        });
    } else if (turn < 0.75) {
      const { workspaceId: _, ...causer } = by(workspaceId);
      const claim = { where: { workspaceId: { eq: workspaceId } }, limit: 4 };
      for (const changed of await world.changeEach(patients, claim, news(2), causer)) keep(changed);
      counts.each += 1;
    } else {
      keep(await change(some[0]!));
      counts.one += 1;
    }
  }

  async function writer(seed: number): Promise<void> {
    const random = seeded(seed);
    while (!done.signal.aborted) {
      try {
        await write(random);
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        const name = code ?? message;
        errors.set(name, (errors.get(name) ?? 0) + 1);
        await sleep(20); // Postgres may be away
      }
    }
  }
  const writing = Promise.all(Array.from({ length: 8 }, (_, seed) => writer(seed + 1)));
  return {
    acknowledged,
    undone,
    errors,
    counts,
    async stop() {
      done.abort();
      await writing;
    },
  };
}

test(
  'every committed event reaches log and stream exactly once, in order, whatever is killed',
  { timeout: 120_000 },
  () =>
    withPostgres(async (databaseUrl) => {
      await query(databaseUrl, lateCommits);
      const world = await openWorld({ databaseUrl, poolSize: 24 });
      const relays = openRelays({ databaseUrl, natsUrl: nats.url });
      const writers = openWriters(world);
      const state = async () =>
        (
          await ask<{ placed: number; waiting: number }>(
            databaseUrl,
            `select (select count(*)::int from event_log) as placed, (select count(*)::int from outbox) as waiting`,
          )
        )[0]!;
      /** More events are placed, and the backlog that the last trouble left is gone. */
      const progress = async (count: number) => {
        const { placed: before } = await state();
        await eventually(async () => {
          const { placed, waiting } = await state();
          if (placed >= before + count && waiting < 100) return true;
          throw new Error(`${placed - before} placed, ${waiting} waiting`);
        }, 20_000);
      };
      const disturb = {
        relay: () => relays.killLeader(),
        nats: async () => {
          await nats.kill();
          const before = writers.acknowledged.length;
          await eventually(() => writers.acknowledged.length > before + 100);
          await nats.start();
        },
        connections: () =>
          ask(
            databaseUrl,
            `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()`,
          ),
        // Postgres takes all its backends down and recovers as after a crash.
        postgres: async () => {
          const backends = await ask<{ pid: number }>(
            databaseUrl,
            `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and application_name = 'callwell'`,
          );
          process.kill(backends[0]!.pid, 'SIGKILL');
        },
      };
      const script = [
        ...(['relay', 'relay', 'nats', 'relay', 'connections', 'relay', 'postgres', 'relay'] as const),
        ...(['relay', 'nats', 'relay', 'postgres', 'connections', 'relay', 'relay'] as const),
      ];
      try {
        for (const step of script) {
          await relays.leading();
          await progress(150);
          await disturb[step]();
        }
        await progress(150);
        await writers.stop();
        const held = await expectCopied(world, nats.url);

        const log = await readLog(world);
        expect(disordersOf(log)).toEqual([]);
        expect((await verifyLog(world)).fault).toBeNull();
        expect(held.length).toBe(log.length);
        expect(new Set(held.map(({ id }) => id)).size).toBe(log.length);
        const ids = new Set(log.map(({ id }) => id));
        expect(writers.acknowledged.filter((id) => !ids.has(id))).toEqual([]);
        expect(writers.undone.filter((id) => ids.has(id))).toEqual([]);
        expect(await misfoldsOf(world, patients)).toEqual([]);
        expect(await misfoldsOf(world, calls)).toEqual([]);
        // The trouble was real.
        expect(relays.counts.killed).toBeGreaterThanOrEqual(8);
        expect(inversionsOf(log)).toBeGreaterThan(0);
        expect(log.length).toBeGreaterThan(1_000);
      } finally {
        await writers.stop();
        await relays.close();
        await world.close();
      }
    }),
);

/** Appends so many events of one new patient, in one go; answers the log's last place, once they have theirs. */
async function append(world: World, workspaceId: string, count = 1): Promise<number> {
  const { events } = await world.change(patients, newId(now), news(count), by(workspaceId));
  expect(events).toHaveLength(count);
  return eventually(async () => {
    const [last] = await world.query<{ cursor: number }>(
      sql`select l.global_seq as cursor from event_log l join event t using (position) where t.id = ${events.at(-1)!.id}`,
    );
    return last?.cursor;
  });
}

test('a stream that was wiped is filled again from the log, without waiting for the next event', () =>
  withWorld((world) =>
    withRelay({ world, url: nats.url }, async (stream) => {
      for (let i = 0; i < 8; i += 1) await append(world, newId(now), 100);
      await expectCopied(world, nats.url);
      await stream.renew();
      expect(await expectCopied(world, nats.url)).toHaveLength(800);
      await append(world, newId(now), 3);
      expect(await expectCopied(world, nats.url)).toHaveLength(803);
    }),
  ));

test('a stream of another database is refused: it stays as it is, and the log says why', () =>
  withWorld(async (first) => {
    await withRelay({ world: first, url: nats.url }, async () => {
      await append(first, newId(now), 3);
      await expectCopied(first, nats.url);
    });
    const before = await readStream(nats.url);
    await withWorld((second) =>
      withRelay({ world: second, url: nats.url }, async (_stream, lines) => {
        await eventually(() => lines.some((line) => line.includes('the events of another database')));
        // The log goes on without the stream; when the second is placed, the first could have been published.
        expect(await append(second, newId(now), 5)).toBe(5);
        expect(await append(second, newId(now), 5)).toBe(10);
        expect(lines).toHaveLength(1);
      }),
    );
    expect(await readStream(nats.url)).toEqual(before);
  }));

test('a publisher whose tail is old writes nothing, and one that repeats itself is told so', () =>
  withWorld(async (world) => {
    const stream = await openStream({ url: nats.url });
    try {
      const workspaceId = newId(now);
      await world.change(patients, newId(now), news(6), by(workspaceId));
      await world.sequence(await world.logEnd(), 100);
      const notices = await world.noticesAfter(0, 100);
      const start = await stream.tail();
      const end = await stream.publish(notices.slice(0, 3), start, 'log');
      await expect(stream.publish(notices.slice(3), start, 'log')).rejects.toThrow('wrong last sequence');
      await expect(stream.publish(notices.slice(1, 3), end, 'log')).rejects.toThrow('already holds');
      expect(cursorsOf(await readStream(nats.url))).toEqual([1, 2, 3]);
      expect(await stream.tail()).toEqual(end);
      await stream.publish(notices.slice(3), end, 'log');
      expect(cursorsOf(await readStream(nats.url))).toEqual([1, 2, 3, 4, 5, 6]);
    } finally {
      await stream.close();
    }
  }));

/** A durable consumer that knows how far it was when it was last woken; `enter` is called in every reaction. */
function openReader(
  world: World,
  stream: Stream,
  { enter = () => {}, type }: { enter?: () => Promise<void> | void; type?: string } = {},
) {
  const stop = new AbortController();
  const seen = { cursor: 0, wakes: 0 };
  const react = async () => {
    const [last] = await world.query<{ cursor: number | null }>(
      sql`select max(global_seq) as cursor from event_log`,
    );
    seen.cursor = last?.cursor ?? 0;
    seen.wakes += 1;
    await enter();
  };
  const reading = stream.consume({ name: 'reader', react, ...(type ? { type } : {}) }, stop.signal);
  return {
    seen,
    woken: (cursor: number) =>
      eventually(() => {
        if (seen.cursor < cursor)
          throw new Error(`woken ${seen.wakes} times, up to ${seen.cursor} of ${cursor}`);
        return true;
      }),
    async stop(): Promise<void> {
      stop.abort();
      await reading;
    },
  };
}

test('a durable consumer is woken for events that were published while it was away, and for each later one', () =>
  withWorld((world) =>
    withRelay({ world, url: nats.url }, async (stream) => {
      const workspaceId = newId(now);
      const first = openReader(world, stream);
      for (let i = 0; i < 5; i += 1) await first.woken(await append(world, workspaceId));
      await first.stop();
      const { wakes } = first.seen;
      const away = await append(world, workspaceId, 20);
      await expectCopied(world, nats.url);
      expect(first.seen.wakes).toBe(wakes);
      // The reaction at its start reads nothing, so that only a message can wake it.
      const second = openReader(world, stream);
      await second.woken(away);
      await eventually(() => second.seen.wakes > 1);
      for (let i = 0; i < 5; i += 1) await second.woken(await append(world, workspaceId));
      await second.stop();
    }),
  ));

test('a durable consumer is woken once more for what was published while it reacted, however much that was', () =>
  withWorld((world) =>
    withRelay({ world, url: nats.url }, async (stream) => {
      for (const count of [1, 2, 130, 260, 700]) {
        const gate = Promise.withResolvers<void>();
        const entered = Promise.withResolvers<void>();
        let reactions = 0;
        const enter = () => {
          reactions += 1;
          if (reactions !== 2) return undefined;
          entered.resolve();
          return gate.promise;
        };
        const reader = openReader(world, stream, { enter });
        await eventually(() => reactions > 0);
        await append(world, newId(now));
        await entered.promise;
        const last = await append(world, newId(now), count);
        await expectCopied(world, nats.url);
        gate.resolve();
        await reader.woken(last);
        await reader.stop();
      }
    }),
  ));

test('a durable consumer of one type is woken by that type alone, also when it was once woken by all', () =>
  withWorld((world) =>
    withRelay({ world, url: nats.url }, async (stream) => {
      const all = openReader(world, stream);
      await all.woken(await append(world, newId(now)));
      await all.stop();
      const one = openReader(world, stream, { type: 'patient.fact_learned' });
      await eventually(() => one.seen.wakes === 1); // at its start
      for (let i = 0; i < 5; i += 1) await append(world, newId(now));
      await one.woken(await append(world, newId(now), 2)); // registered, and a fact
      expect(one.seen.wakes).toBe(2);
      await one.stop();
    }),
  ));

test('a durable consumer goes on when its stream was wiped and when nats-server was killed', () =>
  withWorld((world) =>
    withRelay({ world, url: nats.url }, async (stream) => {
      const reader = openReader(world, stream);
      await reader.woken(await append(world, newId(now)));
      await stream.renew();
      await reader.woken(await append(world, newId(now)));
      await nats.kill();
      await append(world, newId(now));
      await nats.start();
      await reader.woken(await append(world, newId(now)));
      await reader.stop();
    }),
  ));
