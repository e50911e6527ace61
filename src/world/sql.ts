import { sql, type RawBuilder } from 'kysely';
import type { Event, Row, Table } from '../domain/event.ts';
import { hashOf } from '../domain/hash.ts';
import { preparedMark } from './prepared.ts';

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

/** Rows of one kind that a change has folded, each with the version it was read at. */
export interface Written {
  table: Table;
  rows: { row: Row; expected: number }[];
}

/**
 * One statement that rewrites rows by compare-and-set on their versions and appends their events and outbox entries.
 * An event's position is drawn only after its row has been locked by the rewrite, because it is joined to what was
 * written: so, within an entity, the order of positions is the order of versions.
 * Answers how many rows were written; fewer than given means that somebody else was first.
 */
export function writeStatement(written: Written[], events: Event[]): { text: string; parameters: unknown[] } {
  const parameters: unknown[] = [JSON.stringify(events.map(eventJson))];
  const parts: string[] = [];
  const sources: string[] = [];
  for (const { table, rows } of written) {
    const fresh = rows.filter(({ expected }) => expected === 0);
    const known = rows.filter(({ expected }) => expected > 0);
    for (const [verb, some] of [
      ['insert', fresh],
      ['update', known],
    ] as const) {
      if (some.length === 0) continue;
      const name = `w${sources.length}`;
      parameters.push(JSON.stringify(some.map(({ row, expected }) => ({ ...toJson(table, row), expected }))));
      parts.push(
        `${name} as (${verb === 'insert' ? insertSql(table, parameters.length) : updateSql(table, parameters.length)})`,
      );
      sources.push(`select id from ${name}`);
    }
  }
  const text = `${preparedMark} with ${parts.join(',\n')},
    written as (${sources.join(' union all ')}),
    appended as (
      insert into event (${eventColumns.map(([name]) => name).join(', ')})
      select ${eventColumns.map(([name]) => `u.${name}`).join(', ')}
      from rows from (jsonb_to_recordset($1::jsonb) as (${eventColumns.map(([name, type]) => `${name} ${type}`).join(', ')}))
        with ordinality as u(${eventColumns.map(([name]) => name).join(', ')}, ord)
      join written on written.id = u.entity_id
      order by u.ord
      returning workspace_id, position),
    queued as (insert into outbox (workspace_id, position) select workspace_id, position from appended)
    select (select count(*)::int from written) as written, pg_notify('outbox', '')`;
  return { text, parameters };
}

const insertSql = (table: Table, parameter: number) => {
  const { name } = shapeOf(table);
  return `insert into "${name}" select i.* from jsonb_populate_recordset(null::"${name}", $${parameter}::jsonb) i
    on conflict do nothing returning id`;
};

const updateSql = (table: Table, parameter: number) => {
  const { name, columns } = shapeOf(table);
  const set = columns.filter(({ key }) => !key).map(({ column }) => `"${column}" = i."${column}"`);
  return `update "${name}" t set ${set.join(', ')}
    from jsonb_array_elements($${parameter}::jsonb) a(j), jsonb_populate_record(null::"${name}", a.j) i
    where t.workspace_id = i.workspace_id and t.id = i.id and t.version = (a.j->>'expected')::int returning t.id`;
};

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
