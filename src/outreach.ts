import { sql } from 'kysely';
import type { Event, Table } from './domain/event.ts';
import {
  attemptIdOf,
  attempts as attemptTable,
  begin,
  begins,
  evolve,
  types as attemptTypes,
  type Attempt,
  type Data,
  type Logged,
} from './domain/outreach.ts';
import {
  beginningOf,
  counts,
  grains,
  isNothing,
  keysOf,
  nothing,
  plus,
  tallyOfAttempt,
  tallyOfTask,
  type Grain,
  type Group,
  type Tally,
} from './domain/outreach-count.ts';
import {
  beginTask,
  evolveTask,
  tasks as taskTable,
  taskTypes,
  toldTask,
  triedTask,
  type OutreachTask,
} from './domain/outreach-task.ts';
import type { Projection } from './projection.ts';
import type { Transaction } from './world.ts';
import { shapeOf, toJson } from './world/sql.ts';

/** Attempts to reach people, what they were attempts at, and how many there were: each as a row, and counted by day and hour. */
export const outreach: Projection = {
  name: 'outreach',
  types: [...attemptTypes, ...taskTypes],
  tables: [attemptTable, taskTable, counts],
  apply,
};

async function apply(tx: Transaction, generation: number, events: Event[]): Promise<void> {
  const logged = events as Logged[];
  const [attempts, beginnings] = await Promise.all([
    knownAttempts(tx, generation, logged),
    beginningsOf(tx, logged),
  ]);
  const tasks = await knownTasks(tx, generation, { logged, attempts });
  const after = told({ generation, attempts, tasks, beginnings }, logged);
  const changed = {
    attempts: [...after.attempts.values()].filter((attempt) => attempt !== attempts.get(attempt.id)),
    tasks: [...after.tasks.values()].filter((task) => task !== tasks.get(task.id)),
  };
  await writeRows(tx, attemptTable, changed.attempts);
  await writeRows(tx, taskTable, changed.tasks);
  await writeCounts(
    tx,
    countsOf([
      ...changed.attempts.flatMap((now) => growthOf(attempts.get(now.id), now, tallyOfAttempt)),
      ...changed.tasks.flatMap((now) => growthOf(tasks.get(now.id), now, tallyOfTask)),
    ]),
  );
}

/** What is known before some events, by id. */
interface Known {
  generation: number;
  attempts: Map<string, Attempt>;
  tasks: Map<string, OutreachTask>;
  beginnings: Map<string, Data>;
}

/** The attempts and tasks as they are after some events. */
function told({ generation, beginnings, ...known }: Known, events: Logged[]) {
  const attempts = new Map(known.attempts);
  const tasks = new Map(known.tasks);
  const lastText = new Map<string, string>();
  for (const { id, channel, entityId } of attempts.values())
    if (channel === 'TEXT') lastText.set(entityId, id);
  /** Keeps an attempt as it is now, and what its task is told by it. */
  const keep = (attempt: Attempt) => {
    attempts.set(attempt.id, attempt);
    const task = tasks.get(attempt.taskId ?? '');
    if (task) tasks.set(task.id, toldTask(task, attempt));
  };
  for (const event of events) {
    if (event.type === 'outbound.scheduled') tasks.set(event.entityId, beginTask(event, generation));
    const own = tasks.get(event.entityId);
    if (own) tasks.set(own.id, evolveTask(own, event));
    if (begins(event)) {
      const task = beginnings.get(event.data.taskId ?? '');
      const attempt = begin(event, generation, { task, conversation: beginnings.get(event.entityId) });
      const at = tasks.get(attempt.taskId ?? '');
      const tried = at && triedTask(at, event);
      if (tried) tasks.set(tried.id, tried);
      keep({ ...attempt, number: tried?.attempts ?? null });
      if (attempt.channel === 'TEXT') lastText.set(attempt.entityId, attempt.id);
      continue;
    }
    // Who writes answers the last text of ours, whatever came in between.
    const id = event.type === 'message.received' ? lastText.get(event.entityId) : attemptIdOf(event);
    const attempt = attempts.get(id ?? '');
    if (attempt) keep(evolve(attempt, event));
  }
  return { attempts, tasks };
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

/** The tasks that events are about: by their own ids, and those of attempts that begin or are known. */
async function knownTasks(
  tx: Transaction,
  generation: number,
  { logged, attempts }: { logged: Logged[]; attempts: Map<string, Attempt> },
): Promise<Map<string, OutreachTask>> {
  const own = logged.filter(({ type }) => taskTypes.includes(type)).map(({ entityId }) => entityId);
  const tried = [...attempts.values(), ...logged.filter(begins).map(({ data }) => data)];
  const ids = [...new Set([...own, ...tried.flatMap(({ taskId }) => taskId ?? [])])];
  if (ids.length === 0) return new Map();
  const rows =
    await tx.query<OutreachTask>(sql`select ${sql.raw(shapeOf(taskTable).select)} from outreach_task t
    where t.workspace_id = any(${workspacesOf(logged)}) and t.generation = ${generation} and t.id = any(${ids})`);
  return new Map(rows.map((task) => [task.id, task]));
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

/** What is counted of an attempt or a task, and where. */
type Counted = Parameters<typeof keysOf>[0] & Pick<Attempt, 'workspaceId' | 'generation' | 'at'>;
type Growth = { counted: Counted; tally: Tally };

/** What a change of an attempt or a task adds to its counts; where it is counted elsewhere now, it is taken from there. */
function growthOf<R extends Counted>(before: R | undefined, now: R, tallyOf: (row: R) => Tally): Growth[] {
  const after = tallyOf(now);
  if (!before) return [{ counted: now, tally: after }];
  const grown = plus(after, tallyOf(before), -1);
  if (isInPlace(before, now)) return [{ counted: now, tally: grown }];
  return [
    { counted: before, tally: plus(nothing, tallyOf(before), -1) },
    { counted: now, tally: after },
  ];
}

/** Whether it is counted in the same spans under the same keys: nothing else of those ever changes. */
const isInPlace = (before: Counted, now: Counted): boolean =>
  before.at.getTime() === now.at.getTime() &&
  before.localDate === now.localDate &&
  before.localHour === now.localHour &&
  before.number === now.number;

interface Count {
  place: Pick<Counted, 'workspaceId' | 'generation'> & {
    groupedBy: Group;
    grain: Grain;
    begunAt: Date;
    key: string;
  };
  tally: Tally;
}

/** What is added to counts, each once and in one order. */
function countsOf(growths: Growth[]): Count[] {
  const rows = new Map<string, Count>();
  for (const { counted, tally } of growths.filter((growth) => !isNothing(growth.tally))) {
    const { workspaceId, generation, at } = counted;
    const spans = grains.map((grain) => ({ grain, begunAt: beginningOf(at, grain) }));
    for (const [groupedBy, key] of keysOf(counted))
      for (const span of spans) {
        const place = { workspaceId, generation, groupedBy, ...span, key };
        const name = `${workspaceId} ${groupedBy} ${span.grain} ${span.begunAt.getTime()} ${key}`;
        rows.set(name, { place, tally: plus(rows.get(name)?.tally ?? nothing, tally, 1) });
      }
  }
  return [...rows.values()].filter(({ tally }) => !isNothing(tally));
}

async function writeRows(tx: Transaction, table: Table, rows: object[]): Promise<void> {
  if (rows.length === 0) return;
  const { name, columns } = shapeOf(table);
  const [to, json] = [sql.table(name), JSON.stringify(rows.map((row) => toJson(table, row)))];
  const changing = columns
    .filter(({ key }) => !key)
    .map(({ column }) => `"${column}" = excluded."${column}"`);
  await tx.query(sql`insert into ${to} select * from jsonb_populate_recordset(null::${to}, ${json}::jsonb)
    on conflict (workspace_id, generation, id) do update set ${sql.raw(changing.join(', '))}`);
}

const adding = sql.raw(
  shapeOf(counts)
    .columns.filter(({ property }) => property in nothing)
    .map(({ column }) => `${column} = c.${column} + excluded.${column}`)
    .join(', '),
);

async function writeCounts(tx: Transaction, rows: Count[]): Promise<void> {
  if (rows.length === 0) return;
  const json = JSON.stringify(rows.map(({ place, tally }) => toJson(counts, { ...place, ...tally })));
  await tx.query(sql`insert into outreach_count as c
    select * from jsonb_populate_recordset(null::outreach_count, ${json}::jsonb)
    on conflict (workspace_id, generation, grouped_by, grain, begun_at, key) do update set ${adding}`);
  // Only a task that moves or is taken away leaves a count behind that nothing is in any more.
  if (rows.every(({ tally }) => tally.due >= 0)) return;
  await tx.query(sql`delete from outreach_count c using jsonb_populate_recordset(null::outreach_count, ${json}::jsonb) r
    where (c.workspace_id, c.generation, c.grouped_by, c.grain, c.begun_at, c.key)
      = (r.workspace_id, r.generation, r.grouped_by, r.grain, r.begun_at, r.key) and c.attempts = 0 and c.due = 0`);
}
