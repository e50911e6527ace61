import { sql, type RawBuilder } from 'kysely';
import type { Event, Row, Table } from '../domain/event.ts';
import { hashOf } from '../domain/hash.ts';
import { prepared } from './database.ts';

/** What a list is narrowed by: every condition must hold. Names are the row's properties, never a client's text. */
export type Where = Record<string, Condition>;
type Condition =
  | { eq: unknown }
  | { in: readonly unknown[] }
  | { gte: unknown }
  | { gt: unknown }
  | { lt: unknown }
  | { from?: Date | undefined; until?: Date | undefined }
  | { has: string }
  | { contains: Record<string, unknown> }
  | { startsWords: string[] };

interface Shape {
  name: string;
  /** `column as "property"` for each column, in the order of declaration. */
  select: string;
  columns: { property: string; column: string; key: boolean }[];
}
const shapes = new WeakMap<Table, Shape>();

/** A table's name and columns, as its declaration says. */
export function shapeOf(table: Table): Shape {
  const known = shapes.get(table);
  if (known) return known;
  const { tableName, props } = table.init().meta;
  const columns = props.map((property) => ({
    property: property.name,
    column: property.fieldNames?.[0] ?? snake(property.name),
    key: property.primary === true,
  }));
  const select = columns.map(({ column, property }) => `t."${column}" as "${property}"`).join(', ');
  const shape = { name: tableName, select, columns };
  shapes.set(table, shape);
  return shape;
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The column of a property, quoted; an unknown property is a bug, and throws. */
export function columnOf(table: Table, property: string): RawBuilder<unknown> {
  const found = shapeOf(table).columns.find((column) => column.property === property);
  if (!found) throw new Error(`${shapeOf(table).name} has no property ${property}`);
  return sql.raw(`t."${found.column}"`);
}

/** `where …`, or nothing when there is no condition. */
export function whereSql(table: Table, where: Where): RawBuilder<unknown> {
  const parts = Object.entries(where).map(([property, condition]) =>
    conditionSql(columnOf(table, property), condition),
  );
  return parts.length === 0 ? sql`` : sql`where ${sql.join(parts, sql` and `)}`;
}

function conditionSql(column: RawBuilder<unknown>, condition: Condition): RawBuilder<unknown> {
  if ('eq' in condition)
    return condition.eq === null ? sql`${column} is null` : sql`${column} = ${condition.eq}`;
  if ('in' in condition) return sql`${column} = any(${condition.in})`;
  if ('gte' in condition) return sql`${column} >= ${condition.gte}`;
  if ('gt' in condition) return sql`${column} > ${condition.gt}`;
  if ('lt' in condition) return sql`${column} < ${condition.lt}`;
  if ('has' in condition) return sql`${column} @> array[${condition.has}]::text[]`;
  if ('contains' in condition) return sql`${column} @> ${JSON.stringify(condition.contains)}::jsonb`;
  if (!('startsWords' in condition)) {
    const { from, until } = condition;
    return sql`${column} >= ${from ?? '-infinity'}::timestamptz and ${column} < ${until ?? 'infinity'}::timestamptz`;
  }
  const query = condition.startsWords.map((word) => `'${word.replaceAll(/['\\]/g, '')}':*`).join(' & ');
  return sql`array_to_tsvector(${column}) @@ ${query}::tsquery`;
}

/** A row as the JSON that `jsonb_populate_record` turns back into one. */
export function toJson(table: Table, row: object): Record<string, unknown> {
  const values = row as Record<string, unknown>;
  return Object.fromEntries(shapeOf(table).columns.map(({ property, column }) => [column, values[property]]));
}

/** Rows of one kind that a change has folded, each with what it was read as. */
export interface Written {
  table: Table;
  rows: { row: Row; before: Row }[];
}

/**
 * One statement that rewrites rows by compare-and-set on their versions and appends their events and outbox entries.
 * An event's position is drawn only after its row has been locked by the rewrite, because it is joined to what was
 * written: so, within an entity, the order of positions is the order of versions.
 * When somebody else was first at one of the rows it divides by zero, so that nothing is written: see `isOvertaken`.
 */
export const writeStatement = (written: Written[], events: Event[]): RawBuilder<unknown> =>
  prepared(sql`${writing(written, events, 'waits')}
    select pg_notify('outbox', ''), 1 / (count(*) = ${countOf(written)}::int)::int from written`);

/**
 * The same for rows that have nothing to do with each other. It waits for nobody: a row that somebody else holds, or was
 * first at, is left as it is. Answers the ids of those that were written.
 */
export const writeFreeStatement = (written: Written[], events: Event[]): RawBuilder<unknown> =>
  prepared(sql`${writing(written, events, 'passes over')}
    select pg_notify('outbox', ''), coalesce(array_agg(id), '{}') as ids from written`);

const countOf = (written: Written[]): number => written.reduce((sum, { rows }) => sum + rows.length, 0);

/** What is done about a row that somebody else holds. */
type AtLocks = 'waits' | 'passes over';

function writing(written: Written[], events: Event[], atLocks: AtLocks): RawBuilder<unknown> {
  const writes = written.flatMap(({ table, rows }) => {
    const fresh = rows.filter(({ before }) => before.version === 0);
    const known = rows.filter(({ before }) => before.version > 0);
    return [
      ...(fresh.length > 0 ? [insertsOf(table, fresh)] : []),
      ...(known.length > 0 ? [updatesOf(table, known, atLocks)] : []),
    ];
  });
  const parts = writes.map((write, index) => sql`${sql.raw(`w${index}`)} as (${write})`);
  const sources = writes.map((_, index) => `select id from w${index}`).join(' union all ');
  return sql`with ${sql.join(parts)},
    written as (${sql.raw(sources)}),
    appended as (
      insert into event (${eventNames})
      select ${sql.raw(eventColumns.map(([name]) => `u.${name}`).join(', '))}
      from rows from (jsonb_to_recordset(${JSON.stringify(events.map(eventJson))}::jsonb) as (${eventTypes}))
        with ordinality as u(${eventNames}, ord)
      join written on written.id = u.entity_id
      order by u.ord
      returning workspace_id, position),
    queued as (insert into outbox (workspace_id, position) select workspace_id, position from appended)`;
}

/** Whether a write failed because somebody else was first: Postgres's division_by_zero. */
export const isOvertaken = (error: unknown): boolean => (error as { code?: string }).code === '22012';

function insertsOf(table: Table, rows: Written['rows']): RawBuilder<unknown> {
  const into = sql.table(shapeOf(table).name);
  const values = JSON.stringify(rows.map(({ row }) => toJson(table, row)));
  return sql`insert into ${into} select i.* from jsonb_populate_recordset(null::${into}, ${values}::jsonb) i
    on conflict do nothing returning id`;
}

/**
 * Only the columns in which one of the rows has changed are written: a fold keeps the value of every other one. What an
 * older fold made is written whole.
 */
function updatesOf(table: Table, rows: Written['rows'], atLocks: AtLocks): RawBuilder<unknown> {
  const { name, columns } = shapeOf(table);
  const into = sql.table(name);
  const isRefolded = rows.some(({ row, before }) => row.foldVersion !== before.foldVersion);
  const changed = columns.filter(
    ({ property, key }) =>
      !key && (isRefolded || rows.some(({ row, before }) => differs(row, before, property))),
  );
  const set = changed.map(({ column }) => `"${column}" = i."${column}"`).join(', ');
  const values = rows.map(({ row, before }) => ({
    ...Object.fromEntries(changed.map(({ property, column }) => [column, valueOf(row, property)])),
    workspace_id: row.workspaceId,
    id: row.id,
    expected: before.version,
  }));
  return sql`update ${into} t set ${sql.raw(set)}
    from jsonb_array_elements(${JSON.stringify(values)}::jsonb) a(j), jsonb_populate_record(null::${into}, a.j) i
    where t.workspace_id = i.workspace_id and t.id = i.id and t.version = (a.j->>'expected')::int
      ${atLocks === 'waits' ? sql`` : freeSql(into, rows)} returning t.id`;
}

/** The rows that nobody holds. */
const freeSql = (table: RawBuilder<unknown>, rows: Written['rows']) => {
  const workspaceIds = [...new Set(rows.map(({ row }) => row.workspaceId))];
  const ids = rows.map(({ row }) => row.id);
  return sql`and t.id = any(array(select l.id from ${table} l
    where l.workspace_id = any(${workspaceIds}::uuid[]) and l.id = any(${ids}::uuid[]) for update skip locked))`;
};

const valueOf = (row: Row, property: string) => (row as unknown as Record<string, unknown>)[property];

const differs = (row: Row, before: Row, property: string): boolean =>
  valueOf(row, property) !== valueOf(before, property);

const eventColumns = [
  ['workspace_id', 'uuid'],
  ['id', 'uuid'],
  ['entity_type', 'text'],
  ['entity_id', 'uuid'],
  ['version', 'int'],
  ['type', 'text'],
  ['data', 'jsonb'],
  ['data_hash', 'text'],
  ['patient_id', 'uuid'],
  ['source', 'text'],
  ['source_system', 'text'],
  ['actor', 'text'],
  ['confidence', 'float8'],
  ['effective_at', 'timestamptz'],
  ['recorded_at', 'timestamptz'],
  ['causation_id', 'uuid'],
  ['correlation_id', 'uuid'],
  ['supersedes_id', 'uuid'],
] as const;
const eventNames = sql.raw(eventColumns.map(([name]) => name).join(', '));
const eventTypes = sql.raw(eventColumns.map(([name, type]) => `${name} ${type}`).join(', '));

const eventJson = (event: Event) => ({
  workspace_id: event.workspaceId,
  id: event.id,
  entity_type: event.entityType,
  entity_id: event.entityId,
  version: event.version,
  type: event.type,
  data: event.data,
  data_hash: hashOf(event.data),
  patient_id: event.patientId,
  source: event.source,
  source_system: event.sourceSystem,
  actor: event.actor,
  confidence: event.confidence,
  effective_at: event.effectiveAt,
  recorded_at: event.recordedAt,
  causation_id: event.causationId,
  correlation_id: event.correlationId,
  supersedes_id: event.supersedesId,
});
