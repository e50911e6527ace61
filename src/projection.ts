import { sql } from 'kysely';
import { table as eventTable, type Event, type Table } from './domain/event.ts';
import type { Stream } from './stream.ts';
import type { Transaction, World } from './world.ts';
import { shapeOf } from './world/sql.ts';

/** Rows that are made from the log alone, so that they can be made anew from it. */
export interface Projection {
  name: string;
  /** The types of events that it is made from. */
  types: readonly string[];
  /** Its tables; each has a column `generation`. */
  tables: Table[];
  /** Adds what some events tell, in the order of the log, to a generation. Each event is given once. */
  apply(tx: Transaction, generation: number, events: (Event & { cursor: number })[]): Promise<void>;
}

/** How long more events are waited for, to be counted together, in milliseconds: nobody is called by what is counted. */
const gatherMs = 100;

/** How many places of the log are read at once, in one transaction. */
const batchSize = 500;

/** The same for a rebuild, which nobody waits for, and which adds the more to each count the more it reads at once. */
const rebuildSize = 5_000;

/** How far a generation has read. */
interface State {
  generation: number;
  cursor: number;
}

/** Keeps a projection's live generation up to date, whichever process is alive; ends when the signal is given. */
export async function follow(
  { world, stream }: { world: World; stream: Stream },
  projection: Projection,
  signal: AbortSignal,
): Promise<void> {
  const catchUp = async () => {
    while (!signal.aborted && (await project(world, projection)));
  };
  await stream.consume({ name: `project-${projection.name}`, react: catchUp, gatherMs }, signal);
}

/**
 * Reads one batch into the live generation. The generation's row is locked first, and moves on in the same transaction: who
 * comes second finds it moved, so that no event is applied twice by whoever reads it, and none left out by whoever dies.
 * Answers whether there is more.
 */
export async function project(world: World, projection: Projection, size = batchSize): Promise<boolean> {
  return world.transact(async (tx) => {
    const [state] = await lock(tx, projection, sql`is_live`);
    if (state) return advance(tx, projection, { ...state, size });
    // There is none yet; or it has been switched just now, and the new one is found the next time.
    await tx.query(sql`insert into projection (name, generation, cursor, is_live)
      select ${projection.name}, 1, 0, true where not exists (select from projection where name = ${projection.name})
      on conflict do nothing`);
    return true;
  });
}

/**
 * Makes a projection anew beside the live generation, which goes on, and switches once the new one has read as far; then
 * removes the old one. Begun anew, it removes what an unfinished one has left. `told` is given how far it has read; `size` is
 * how many places of the log are read at once.
 */
export async function rebuild(
  world: World,
  projection: Projection,
  { told = () => {}, size = rebuildSize }: { told?: (cursor: number) => void; size?: number } = {},
): Promise<void> {
  await project(world, projection); // a live generation, where there has been none
  const { generation, old } = await beginAnew(world, projection);
  for (let isBehind = true; isBehind;) {
    isBehind = await world.transact(async (tx) => {
      const state = await lockNew(tx, projection, generation);
      told(state.cursor);
      return advance(tx, projection, { ...state, size });
    });
  }
  const retired = await world.transact((tx) => switchTo(tx, projection, generation));
  await remove(world, projection, [...old, retired]);
}

async function beginAnew(world: World, { name }: Projection): Promise<{ generation: number; old: number[] }> {
  return world.transact(async (tx) => {
    const rows = await tx.query<{ generation: number; isLive: boolean }>(
      sql`select generation, is_live as "isLive" from projection where name = ${name} for update`,
    );
    const generation = Math.max(0, ...rows.map((row) => row.generation)) + 1;
    await tx.query(sql`delete from projection where name = ${name} and not is_live`);
    await tx.query(sql`insert into projection (name, generation, cursor, is_live)
      values (${name}, ${generation}, 0, false)`);
    const old = rows.filter(({ isLive }) => !isLive).map((row) => row.generation);
    return { generation, old };
  });
}

/** Brings the new generation level with the live one under the locks of both, and switches. Answers which was live. */
async function switchTo(tx: Transaction, projection: Projection, generation: number): Promise<number> {
  const { name } = projection;
  const [live] = await lock(tx, projection, sql`is_live`);
  let state = await lockNew(tx, projection, generation);
  while (state.cursor < live!.cursor) {
    await advance(tx, projection, { ...state, size: rebuildSize });
    state = await lockNew(tx, projection, generation);
  }
  await tx.query(sql`update projection set is_live = false where name = ${name} and is_live`);
  await tx.query(
    sql`update projection set is_live = true where name = ${name} and generation = ${generation}`,
  );
  await tx.query(sql`delete from projection where name = ${name} and not is_live`);
  return live!.generation;
}

async function remove(world: World, { tables }: Projection, generations: number[]): Promise<void> {
  await world.transact(async (tx) => {
    await tx.query(sql`set local statement_timeout = 0`);
    for (const table of tables)
      await tx.query(
        sql`delete from ${sql.table(shapeOf(table).name)} where generation = any(${generations})`,
      );
  });
}

const lock = (tx: Transaction, { name }: Projection, condition: ReturnType<typeof sql>) =>
  tx.query<State>(
    sql`select generation, cursor from projection where name = ${name} and ${condition} for update`,
  );

async function lockNew(tx: Transaction, projection: Projection, generation: number): Promise<State> {
  const [state] = await lock(tx, projection, sql`generation = ${generation} and not is_live`);
  if (!state) throw new Error(`The rebuild of ${projection.name} has been begun anew elsewhere.`);
  return state;
}

const columns = shapeOf(eventTable)
  .columns.filter(({ property }) => !['dataHash', 'position'].includes(property))
  .map(({ column, property }) => `t."${column}" as "${property}"`)
  .join(', ');

/** Reads one batch into a generation whose row is locked. Answers whether there is more. */
async function advance(
  tx: Transaction,
  { name, types, apply }: Projection,
  { generation, cursor, size }: State & { size: number },
): Promise<boolean> {
  const [log] = await tx.query<{ end: number }>(
    sql`select coalesce(max(global_seq), 0)::int8 as "end" from event_log`,
  );
  const until = Math.min(log!.end, cursor + size);
  if (until <= cursor) return false;
  const events = await tx.query<Event & { cursor: number }>(sql`
    select l.global_seq as cursor, ${sql.raw(columns)}
    from event_log l join event t on t.workspace_id = l.workspace_id and t.position = l.position
    where l.global_seq > ${cursor} and l.global_seq <= ${until} and t.type = any(${types}) order by l.global_seq`);
  if (events.length > 0) await apply(tx, generation, events);
  await tx.query(
    sql`update projection set cursor = ${until} where name = ${name} and generation = ${generation}`,
  );
  return until < log!.end;
}
