import { sql } from 'kysely';
import type { Event } from './domain/event.ts';
import {
  attemptIdOf,
  attempts as attemptTable,
  begin,
  begins,
  evolve,
  types,
  type Attempt,
  type Data,
  type Logged,
} from './domain/outreach.ts';
import {
  beginningOf,
  counts,
  grains,
  growth,
  keysOf,
  type Grain,
  type Group,
  type Tally,
} from './domain/outreach-count.ts';
import type { Projection } from './projection.ts';
import type { Transaction } from './world.ts';
import { shapeOf, toJson } from './world/sql.ts';

/** Attempts to reach people, and how many there were: each attempt as a row, and counted by day and hour. */
export const outreach: Projection = { name: 'outreach', types, tables: [attemptTable, counts], apply };

async function apply(tx: Transaction, generation: number, events: Event[]): Promise<void> {
  const logged = events as Logged[];
  const [before, beginnings] = await Promise.all([
    knownAttempts(tx, generation, logged),
    beginningsOf(tx, logged),
  ]);
  const after = new Map(before);
  const lastText = new Map<string, string>();
  for (const { id, channel, entityId } of before.values()) if (channel === 'TEXT') lastText.set(entityId, id);
  for (const event of logged) {
    if (begins(event)) {
      const task = beginnings.get(event.data.taskId ?? '');
      const attempt = begin(event, generation, { task, conversation: beginnings.get(event.entityId) });
      after.set(attempt.id, attempt);
      if (attempt.channel === 'TEXT') lastText.set(attempt.entityId, attempt.id);
      continue;
    }
    // Who writes answers the last text of ours, whatever came in between.
    const id = event.type === 'message.received' ? lastText.get(event.entityId) : attemptIdOf(event);
    const attempt = after.get(id ?? '');
    if (attempt) after.set(attempt.id, evolve(attempt, event));
  }
  const changed = [...after.values()].filter((attempt) => attempt !== before.get(attempt.id));
  await writeAttempts(tx, changed);
  await writeCounts(tx, countsOf(changed, before));
}

const workspacesOf = (events: Logged[]) => [...new Set(events.map(({ workspaceId }) => workspaceId))];

/** The attempts that events are about: by their own ids, and the last text of a conversation; in the order of the log. */
async function knownAttempts(
  tx: Transaction,
  generation: number,
  events: Logged[],
): Promise<Map<string, Attempt>> {
  const told = events.filter((event) => !begins(event));
  const conversations = told
    .filter(({ type }) => type === 'message.received')
    .map(({ entityId }) => entityId);
  const here = sql`t.workspace_id = any(${workspacesOf(events)}) and t.generation = ${generation}`;
  const select = sql`select ${sql.raw(shapeOf(attemptTable).select)} from outreach_attempt t`;
  const rows = await tx.query<Attempt>(sql`${select} where ${here} and t.id = any(${told.map(attemptIdOf)})`);
  const texts =
    conversations.length === 0
      ? []
      : await tx.query<Attempt>(sql`
      select last.* from unnest(${[...new Set(conversations)]}::uuid[]) as conversation(id)
      cross join lateral (${select} where ${here} and t.channel = 'TEXT' and t.entity_id = conversation.id
        order by t.cursor desc limit 1) last`);
  const sorted = [...rows, ...texts].toSorted((a, b) => a.cursor - b.cursor);
  return new Map(sorted.map((attempt) => [attempt.id, attempt]));
}

/** How the tasks and conversations of intents that do not tell everything themselves began, by their ids. */
async function beginningsOf(tx: Transaction, events: Logged[]): Promise<Map<string, Data>> {
  const terse = events.filter((event) => begins(event) && event.type !== 'outbound.initiated');
  const ids = terse.flatMap(({ entityId, data }) => [entityId, ...(data.taskId ? [data.taskId] : [])]);
  if (ids.length === 0) return new Map();
  const rows = await tx.query<{ id: string; data: Data }>(sql`
    select entity_id as id, data from event
    where workspace_id = any(${workspacesOf(events)}) and entity_id = any(${ids}) and version = 1
      and type in ('outbound.scheduled', 'conversation.started')`);
  return new Map(rows.map(({ id, data }) => [id, data]));
}

interface Count extends Tally {
  workspaceId: string;
  generation: number;
  groupedBy: Group;
  grain: Grain;
  begunAt: Date;
  key: string;
}

/** What the changes of attempts add to their counts, each row once and in one order. */
function countsOf(changed: Attempt[], before: Map<string, Attempt>): Count[] {
  const rows = new Map<string, Count>();
  for (const attempt of changed) {
    const added = growth(before.get(attempt.id) ?? null, attempt);
    if (!added) continue;
    const { workspaceId, generation } = attempt;
    for (const [groupedBy, key] of keysOf(attempt))
      for (const grain of grains) {
        const begunAt = beginningOf(attempt.at, grain);
        const name = JSON.stringify([workspaceId, groupedBy, grain, begunAt, key]);
        const row = rows.get(name);
        rows.set(name, { workspaceId, generation, groupedBy, grain, begunAt, key, ...sum(row, added) });
      }
  }
  return [...rows.values()];
}

const sum = (row: Tally | undefined, added: Tally): Tally =>
  row
    ? (Object.fromEntries(
        Object.entries(added).map(([name, count]) => [name, row[name as keyof Tally] + count]),
      ) as Tally)
    : added;

/** What of an attempt changes after it has begun. */
const changing = sql.raw(
  [
    'status',
    'answered_by',
    'answered_at',
    'outcome',
    'seconds',
    'answered',
    'completed',
    'failed',
    'reached',
    'missed',
  ]
    .map((column) => `${column} = excluded.${column}`)
    .join(', '),
);

async function writeAttempts(tx: Transaction, rows: Attempt[]): Promise<void> {
  if (rows.length === 0) return;
  const json = JSON.stringify(rows.map((row) => toJson(attemptTable, row)));
  await tx.query(sql`insert into outreach_attempt
    select * from jsonb_populate_recordset(null::outreach_attempt, ${json}::jsonb)
    on conflict (workspace_id, generation, id) do update set ${changing}`);
}

const adding = sql.raw(
  ['attempts', 'answered', 'completed', 'failed', 'voicemails', 'texts', 'talk_seconds']
    .map((column) => `${column} = c.${column} + excluded.${column}`)
    .join(', '),
);

async function writeCounts(tx: Transaction, rows: Count[]): Promise<void> {
  if (rows.length === 0) return;
  const json = JSON.stringify(rows.map((row) => toJson(counts, row)));
  await tx.query(sql`insert into outreach_count as c
    select * from jsonb_populate_recordset(null::outreach_count, ${json}::jsonb)
    on conflict (workspace_id, generation, grouped_by, grain, begun_at, key) do update set ${adding}`);
}
