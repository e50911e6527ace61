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
import { newId } from './clock.ts';
import { openCanceller } from './world/cancel.ts';
import { openLog } from './world/log.ts';
import { getTypeParser, migrate } from './world/connection.ts';
import { lead } from './world/leader.ts';
import { inTransaction, openDatabase, type Database } from './world/database.ts';
import { openGroup } from './world/group.ts';
import { openLoads } from './world/load.ts';
import { openRates, takeTurns, type Taking } from './world/rate.ts';
import { insertInto, openReads } from './world/read.ts';
import { tables } from './world/tables.ts';
import { isConflict } from './world/conflict.ts';
import { shapeOf, whereSql, writeStatement, type Where, type Written } from './world/sql.ts';

/** A row with the events that a change added to it. */
export interface Change<R> {
  row: R;
  events: Event[];
}

/** How often a change is tried without a lock. */
const lockFreeAttempts = 3;

/** How often a transaction is taken anew before its conflict is a fault. */
const attempts = 8;

/** Opens the world model on a Postgres of version 15 or later. `poolSize` is the number of connections, 20 by default. */
export async function openWorld(options: {
  databaseUrl: string;
  poolSize?: number;
  log?: (line: string) => void;
}) {
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
      if (events.length === 0 || (await writeInGroup(entry))) return { row: next, events };
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
        return await inTransaction(
          pool,
          (connection) => work(new Transaction(connection, staged)),
          (connection) => staged.write(connection),
        );
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
    /** Runs `work` while this process, and no other, holds the lock of this name. */
    lead: (name: string, signal: AbortSignal, work: Parameters<typeof lead>[3]) =>
      lead(options.databaseUrl, name, signal, work),
    migrate: () => migrate(orm, options.databaseUrl),
    orm,
    close: async () => void (await Promise.all([canceller.close(), orm.close()])),
  };
}

/** The world model: Postgres, as load, decide, append. */
export type World = Awaited<ReturnType<typeof openWorld>>;

/** Facts on their way into the log, and the rows that they fold into. */
class Staged {
  readonly events: Event[] = [];
  readonly #written = new Map<Table, Written>();

  /** Folds facts into a row and keeps both for the one statement that writes them. */
  decide<R extends Row, F extends Fact>(kind: Kind<R, F>, row: R, facts: F[], by: By): R {
    if (facts.length === 0) return row;
    const { row: next, events } = happen(kind, row, facts, by);
    this.events.push(...events);
    const written = this.#written.get(kind.table) ?? { table: kind.table, rows: [] };
    this.#written.set(kind.table, written);
    const earlier = written.rows.find((entry) => entry.row.id === row.id);
    if (earlier) earlier.row = next;
    else written.rows.push({ row: next, before: row });
    return next;
  }

  /** Writes everything, or nothing where a row had changed in the meantime: that throws. */
  async write(database: Database): Promise<void> {
    if (this.events.length > 0) await database.run(writeStatement([...this.#written.values()], this.events));
  }
}

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

/** The events that facts become, and the row after them. */
function happen<R extends Row, F extends Fact>(kind: Kind<R, F>, row: R, facts: F[], by: By): Change<R> {
  const events: Event[] = [];
  let next = row;
  for (const fact of facts) {
    const event = eventOf(kind, next, fact, by);
    next = fold(kind, next, event);
    event.patientId = kind.patientOf(next, fact);
    events.push(event);
  }
  return { row: next, events };
}

/** A row that an older fold made is folded anew from its events; it is still said to be of the old one, until it is written. */
async function upToDate<R extends Row, F extends Fact>(reads: Reads, kind: Kind<R, F>, row: R): Promise<R> {
  if (row.foldVersion === kind.foldVersion) return row;
  const history = (await reads.history(row.workspaceId, row.id)) as Event<F>[];
  return { ...foldOf(kind, row.id, row.workspaceId, history), foldVersion: row.foldVersion };
}

const eventOf = <R extends Row, F extends Fact>(kind: Kind<R, F>, row: R, fact: F, by: By): Event<F> => ({
  id: fact.id ?? newId(by.now),
  workspaceId: row.workspaceId,
  entityType: kind.entityType,
  entityId: row.id,
  version: row.version + 1,
  type: fact.type,
  data: fact.data,
  patientId: null,
  source: by.source,
  sourceSystem: fact.sourceSystem ?? by.sourceSystem ?? null,
  actor: by.actor,
  confidence: fact.confidence ?? 1,
  effectiveAt: fact.effectiveAt ?? by.now,
  recordedAt: by.now,
  causationId: by.causationId ?? null,
  correlationId: by.correlationId ?? null,
  supersedesId: fact.supersedesId ?? null,
  cursor: null,
});
