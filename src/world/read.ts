import { sql, type RawBuilder } from 'kysely';
import * as events from '../domain/event.ts';
import type { Event, Table } from '../domain/event.ts';
import { prepared, type Database } from './database.ts';
import { columnOf, shapeOf, toJson, whereSql, type Where } from './sql.ts';

/** A list's order: keyset columns, all in one direction. */
export interface Page {
  where?: Where;
  order: string[];
  descending?: boolean;
  /** Values of the order's columns after which the page begins. */
  after?: unknown[] | undefined;
  limit: number;
}

/** The plain reads: lists, pages, counts; one statement each. */
export function openReads(database: Database) {
  const query = <T>(statement: RawBuilder<unknown>): Promise<T[]> => database.run<T>(statement);

  /** All rows that fit, up to 10,000; for lists that a client pages through there is `page`. */
  async function find<R>(table: Table, where: Where): Promise<R[]> {
    const { name, select } = shapeOf(table);
    return query<R>(
      prepared(
        sql`select ${sql.raw(select)} from ${sql.table(name)} t ${whereSql(table, where)} limit 10000`,
      ),
    );
  }

  /** One page by keyset: as fast on the last page as on the first. */
  async function page<R>(
    table: Table,
    { where = {}, order, descending = false, after, limit }: Page,
  ): Promise<R[]> {
    const { name, select } = shapeOf(table);
    const columns = order.map((property) => columnOf(table, property));
    const direction = sql.raw(descending ? 'desc' : 'asc');
    const beyond = sql.raw(descending ? '<' : '>');
    const conditions = whereSql(table, where);
    const joint = Object.keys(where).length > 0 ? sql` and ` : sql`where `;
    const start = after ? sql`${joint}(${sql.join(columns)}) ${beyond} (${sql.join(after)})` : sql``;
    return query<R>(
      prepared(sql`select ${sql.raw(select)} from ${sql.table(name)} t ${conditions}${start}
      order by ${sql.join(columns.map((column) => sql`${column} ${direction}`))} limit ${limit}`),
    );
  }

  return {
    query,
    prepared: <T>(statement: RawBuilder<unknown>) => query<T>(prepared(statement)),
    find,
    page,
    findOne: async <R>(table: Table, where: Where): Promise<R | null> =>
      (await find<R>(table, where))[0] ?? null,
    count: async (table: Table, where: Where): Promise<number> => {
      const { name } = shapeOf(table);
      const rows = await query<{ count: number }>(
        sql`select count(*)::int as count from ${sql.table(name)} t ${whereSql(table, where)}`,
      );
      return rows[0]?.count ?? 0;
    },
    insert: (table: Table, row: object) => insertInto(database, table, row),
    /** An entity's events up to a version, oldest first. */
    history: (workspaceId: string, entityId: string) =>
      page<Event>(events.table, {
        where: { workspaceId: { eq: workspaceId }, entityId: { eq: entityId } },
        order: ['version'],
        limit: 100_000,
      }),
  };
}

/** Adds a plain row. */
export async function insertInto(database: Database, table: Table, row: object): Promise<void> {
  const { name } = shapeOf(table);
  await database.run(sql`insert into ${sql.table(name)}
    select i.* from jsonb_populate_record(null::${sql.table(name)}, ${JSON.stringify(toJson(table, row))}::jsonb) i`);
}
