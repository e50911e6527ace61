import { MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { Migrator } from '@mikro-orm/migrations';
import { sql, type RawBuilder } from 'kysely';
import { migrations } from '../migrations/index.ts';
import {
  fold,
  foldOf,
  type By,
  type Event,
  type Fact,
  type Kind,
  type Row,
  type Table,
} from './domain/event.ts';
import { openCanceller } from './world/cancel.ts';
import { openLog } from './world/log.ts';
import { getTypeParser, openMigrations } from './world/connection.ts';
import { lead } from './world/leader.ts';
import { inTransaction, openDatabase, type Database } from './world/database.ts';
import { openGroup } from './world/group.ts';
import { openLoads } from './world/load.ts';
import { openRates, takeTurns, type Taking } from './world/rate.ts';
import { insertInto, openReads } from './world/read.ts';
import { tables } from './world/tables.ts';
import { isConflict } from './world/conflict.ts';
import { shapeOf, whereSql, type Where } from './world/sql.ts';
import { happen, Staged, type Change } from './world/staged.ts';

export type { Change };

/** Hears of events that have just been written. */
type Listener = (events: Event[]) => void;

/** How often a change is tried without a lock. */
const lockFreeAttempts = 3;

/** How often a transaction is taken anew before its conflict is a fault. */
const attempts = 8;

/** Opens the world model on a Postgres of version 15 or later. `poolSize` is the number of connections, 20 by default. */
export async function openWorld(options: { databaseUrl: string; poolSize?: number }) {
  const orm = await MikroORM.init({
    entities: tables,
    clientUrl: options.databaseUrl,
    extensions: [Migrator],
    useBatchUpdates: false,
    migrations: { migrationsList: migrations, snapshot: false },
    pool: { min: 0, max: options.poolSize ?? 20 },
    logger: () => {}, // its lines hold values
    driverOptions: {
      connectionTimeoutMillis: 10_000,
      statement_timeout: 30_000,
      lock_timeout: 2_000,
      idle_in_transaction_session_timeout: 15_000,
      application_name: 'callwell',
      types: { getTypeParser },
      pipeline: true, // statements of a transaction that wait for nothing go out together
    },
  });
  const pool: Pool = await orm.em.getConnection().getNativeClient();
  const canceller = openCanceller(options.databaseUrl);
  const database = openDatabase(pool, canceller);
  const reads = openReads(database);
  const log = openLog(database);
  const writeInGroup = openGroup(database);
  const load = openLoads(reads);
  const listeners = new Set<Listener>();
  const tell = (events: Event[]) => {
    for (const listener of listeners) listener(events);
  };

  /**
   * Load, decide, append: one read and one write, without a lock. Who loses the race decides again, so `decide` must be
   * pure; who loses it again and again waits for the row's lock. A row that was just read need not be read again: whether
   * it is still the newest is found out when it is written.
   */
  async function change<R extends Row, F extends Fact>(
    kind: Kind<R, F>,
    target: string | R,
    decide: (row: R) => F[],
    by: By,
  ): Promise<Change<R>> {
    const [id, known] = typeof target === 'string' ? [target, null] : [target.id, target];
    for (let attempt = 1; attempt <= lockFreeAttempts; attempt += 1) {
      const found =
        (attempt === 1 ? known : null) ?? (await load<R>(kind.table, { workspaceId: by.workspaceId, id }));
      const row = found ? await upToDate(reads, kind, found) : kind.blank(id, by.workspaceId);
      const { row: next, events } = happen(kind, row, decide(row), by);
      const entry = { table: kind.table, row: next, before: row, events };
      if (events.length === 0) return { row: next, events };
      if (await writeInGroup(entry)) {
        tell(events);
        return { row: next, events };
      }
    }
    return transact(async (tx) => {
      const where = { workspaceId: { eq: by.workspaceId }, id: { eq: id } };
      const row = (await tx.lock(kind, where)) ?? kind.blank(id, by.workspaceId);
      return tx.decide(kind, row, decide(row), by);
    });
  }

  /** Claims up to `limit` rows that nobody else holds, decides on each in memory, writes them all with one statement. */
  async function changeEach<R extends Row, F extends Fact>(
    kind: Kind<R, F>,
    claim: { where: Where; limit: number },
    decide: (row: R) => F[],
    by: Omit<By, 'workspaceId'>,
  ): Promise<Change<R>[]> {
    return transact(async (tx) => {
      const rows = await tx.lockEach(kind, { ...claim, skipLocked: true });
      return rows.map((row) => tx.decide(kind, row, decide(row), { ...by, workspaceId: row.workspaceId }));
    });
  }

  /** Several rows in one transaction: lock them in the order contact, task, campaign run, call. A conflict starts it anew. */
  async function transact<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const staged = new Staged();
        const result = await inTransaction(
          pool,
          (connection) => work(new Transaction(connection, staged)),
          (connection) => staged.write(connection),
        );
        tell(staged.events);
        return result;
      } catch (error) {
        if (!isConflict(error) || attempt === attempts) throw error;
      }
    }
  }

  return {
    ...reads,
    ...log,
    ...openRates(database),
    change,
    changeEach,
    transact,
    /** Each event of these entities with the row as it was after it, oldest first. */
    story: async <R extends Row, F extends Fact>(
      kind: Kind<R, F>,
      workspaceId: string,
      entityIds: string[],
    ) => {
      const history = (await log.eventsOf(workspaceId, { entityIds })) as Event<F>[];
      const rows = new Map<string, R>();
      return history.map((event) => {
        const before = rows.get(event.entityId) ?? kind.blank(event.entityId, workspaceId);
        const row = fold(kind, before, event);
        rows.set(event.entityId, row);
        return { event, row };
      });
    },
    /** Tells what this process has just written, before it has its place in the log; the answer ends it. */
    heed: (listener: Listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Runs `work` while this process, and no other, holds the lock of this name. */
    lead: (name: string, signal: AbortSignal, work: Parameters<typeof lead>[3]) =>
      lead(options.databaseUrl, name, signal, work),
    ...openMigrations(orm, options.databaseUrl),
    orm,
    close: async () => void (await Promise.all([canceller.close(), orm.close()])),
  };
}

/** The world model: Postgres, as load, decide, append. */
export type World = Awaited<ReturnType<typeof openWorld>>;

/** A transaction of the world: locks, decisions that are written together at its end, and plain rows. */
export class Transaction {
  readonly database: Database;
  readonly staged: Staged;
  readonly query: Reads['query'];
  readonly prepared: Reads['prepared'];
  readonly find: Reads['find'];
  readonly findOne: Reads['findOne'];

  readonly #reads: Reads;

  constructor(database: Database, staged: Staged) {
    this.database = database;
    this.staged = staged;
    this.#reads = openReads(database);
    ({ query: this.query, prepared: this.prepared, find: this.find, findOne: this.findOne } = this.#reads);
  }

  /** Locks one row, folded anew if its fold is old; null when there is none. */
  async lock<R extends Row, F extends Fact>(kind: Kind<R, F>, where: Where): Promise<R | null> {
    return (await this.lockEach(kind, { where, limit: 1 }))[0] ?? null;
  }

  /** Locks rows in the order of their ids; `skipLocked` leaves out those that somebody else holds. */
  async lockEach<R extends Row, F extends Fact>(
    kind: Kind<R, F>,
    claim: { where: Where; limit: number; skipLocked?: boolean },
  ): Promise<R[]> {
    const { name, select } = shapeOf(kind.table);
    const wait = sql.raw(claim.skipLocked ? 'for update skip locked' : 'for update');
    const columns = sql.raw(select);
    return this.#rows(
      kind,
      sql`select ${columns} from ${sql.table(name)} t
      ${whereSql(kind.table, claim.where)} order by t.id limit ${claim.limit} ${wait}`,
    );
  }

  /** Rows that a statement of its own locks; it selects the columns that it is given, of the table as t, in its order. Prepared. */
  async claim<R extends Row, F extends Fact>(
    kind: Kind<R, F>,
    statement: (columns: RawBuilder<unknown>) => RawBuilder<unknown>,
  ): Promise<R[]> {
    return this.#rows(kind, statement(sql.raw(shapeOf(kind.table).select)));
  }

  async #rows<R extends Row, F extends Fact>(kind: Kind<R, F>, statement: RawBuilder<unknown>): Promise<R[]> {
    const rows = await this.#reads.prepared<R>(statement);
    return Promise.all(rows.map((row) => upToDate(this.#reads, kind, row)));
  }

  /** Folds facts into a row; written at the end of the transaction. */
  decide<R extends Row, F extends Fact>(kind: Kind<R, F>, row: R, facts: F[], by: By): Change<R> {
    const before = this.staged.events.length;
    const next = this.staged.decide(kind, row, facts, by);
    return { row: next, events: this.staged.events.slice(before) };
  }

  /** Takes turns with the carrier, given back when the transaction is not committed. */
  takeTurns(taking: Taking) {
    return takeTurns(this.database, taking);
  }

  /** A plain row of a table that is no fold. */
  async insert(table: Table, row: object): Promise<void> {
    await insertInto(this.database, table, row);
  }
}

type Reads = ReturnType<typeof openReads>;

/** A row that an older fold made is folded anew from its events; it is still said to be of the old one, until it is written. */
async function upToDate<R extends Row, F extends Fact>(reads: Reads, kind: Kind<R, F>, row: R): Promise<R> {
  if (row.foldVersion === kind.foldVersion) return row;
  const history = (await reads.history(row.workspaceId, row.id)) as Event<F>[];
  return { ...foldOf(kind, row.id, row.workspaceId, history), foldVersion: row.foldVersion };
}
