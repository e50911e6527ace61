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
  const read = <T>(statement: RawBuilder<unknown>): Promise<T[]> => database.read<T>(prepared(statement));

  /** All rows that fit, up to 10,000; for lists that a client pages through there is `page`. */
  async function find<R>(table: Table, where: Where): Promise<R[]> {
    const { name, select } = shapeOf(table);
    return read<R>(
      sql`select ${sql.raw(select)} from ${sql.table(name)} t ${whereSql(table, where)} limit 10000`,
    );
  }

  /** One page by keyset: as fast on the last page as on the first. */
  async function page<R>(table: Table, wanted: Page): Promise<R[]> {
    const { name, select } = shapeOf(table);
    const where = whereSql(table, wanted.where ?? {});
    const isFiltered = Object.keys(wanted.where ?? {}).length > 0;
    return read<R>(sql`select ${sql.raw(select)} from ${sql.table(name)} t ${where}
        ${sliceSql(table, wanted, isFiltered)}`);
  }

  /** The same page of each of several parents, in their order, with one statement. */
  async function pages<R extends object>(
    table: Table,
    { parent, ids, ...wanted }: Page & { parent: string; ids: readonly string[] },
  ): Promise<R[][]> {
    const { name, select } = shapeOf(table);
    const where = whereSql(table, wanted.where ?? {});
    const joint = Object.keys(wanted.where ?? {}).length > 0 ? sql`and` : sql`where`;
    const rows = await read<R>(
      sql`select ${sql.raw(select)} from unnest(${ids}::uuid[]) with ordinality as p(id, ord)
        cross join lateral (select * from ${sql.table(name)} t ${where} ${joint} ${columnOf(table, parent)} = p.id
          ${sliceSql(table, wanted, true)}) t
        order by p.ord, ${orderSql(table, wanted)}`,
    );
    const byParent = Map.groupBy(rows, (row) => (row as Record<string, unknown>)[parent]);
    return ids.map((id) => byParent.get(id) ?? []);
  }

  /** How many rows each of several parents has. */
  async function counts(
    table: Table,
    { parent, ids, where }: { parent: string; ids: readonly string[]; where: Where },
  ): Promise<number[]> {
    const { name } = shapeOf(table);
    const key = columnOf(table, parent);
    const rows = await read<{ id: string; count: number }>(
      sql`select ${key} as id, count(*)::int as count from ${sql.table(name)} t
        ${whereSql(table, { ...where, [parent]: { in: ids } })} group by 1`,
    );
    const byParent = new Map(rows.map(({ id, count }) => [id, count]));
    return ids.map((id) => byParent.get(id) ?? 0);
  }

  return {
    query,
    prepared: <T>(statement: RawBuilder<unknown>) => query<T>(prepared(statement)),
    find,
    page,
    pages,
    counts,
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

const orderSql = (table: Table, { order, descending = false }: Page) =>
  sql.join(
    order.map((property) => sql`${columnOf(table, property)} ${sql.raw(descending ? 'desc' : 'asc')}`),
  );

/** Where a page begins, how it is sorted, and its size. */
function sliceSql(table: Table, wanted: Page, isFiltered: boolean): RawBuilder<unknown> {
  const { order, descending = false, after, limit } = wanted;
  const columns = sql.join(order.map((property) => columnOf(table, property)));
  const beyond = sql.raw(descending ? '<' : '>');
  const start = after
    ? sql`${sql.raw(isFiltered ? 'and' : 'where')} (${columns}) ${beyond} (${sql.join(after)})`
    : sql``;
  return sql`${start} order by ${orderSql(table, wanted)} limit ${limit}`;
}

/** Adds a plain row. */
export async function insertInto(database: Database, table: Table, row: object): Promise<void> {
  const { name } = shapeOf(table);
  await database.run(sql`insert into ${sql.table(name)}
    select i.* from jsonb_populate_record(null::${sql.table(name)}, ${JSON.stringify(toJson(table, row))}::jsonb) i`);
}
