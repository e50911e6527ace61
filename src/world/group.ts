import type { Event, Row, Table } from '../domain/event.ts';
import type { Database } from './database.ts';
import { isOvertaken, writeStatement } from './sql.ts';

/** One change's events, and the row that they lead to. */
export interface Entry {
  table: Table;
  row: Row;
  before: Row;
  events: Event[];
}

/** An entry that waits to be written. */
interface Waiting extends Entry {
  settle(isWritten: boolean): void;
  fail(error: unknown): void;
}

/** How many entries are written at once: with more the statement grows faster than what it saves. */
const batch = 100;

/** How many statements are under way at once: while they are, others gather for the next. */
const abreast = 2;

/**
 * Group commit: what comes while others are written waits for them and is written together, with one statement and one
 * flush of Postgres's log. Alone, it is written at once. Each is answered when it is durable.
 */
export function openGroup(database: Database) {
  let waiting: Waiting[] = [];
  let underWay = 0;

  /** Writes one change; false when somebody else was first at its row. */
  const write = (entry: Entry): Promise<boolean> =>
    new Promise((settle, fail) => {
      waiting.push({ ...entry, settle, fail });
      if (underWay < abreast) void drain();
    });

  async function drain(): Promise<void> {
    underWay += 1;
    while (waiting.length > 0) {
      const { taken, left } = take(waiting);
      waiting = left;
      await writeTogether(database, taken);
    }
    underWay -= 1;
  }

  return write;
}

async function writeTogether(database: Database, entries: Waiting[]): Promise<void> {
  try {
    await database.run(statementOf(entries));
    for (const { settle } of entries) settle(true);
  } catch (error) {
    const [first, ...others] = entries;
    if (others.length > 0) {
      // Whoever was overtaken, or cannot be written, took the others with it: they are written without it, half by half.
      const middle = Math.ceil(entries.length / 2);
      await writeTogether(database, entries.slice(0, middle));
      await writeTogether(database, entries.slice(middle));
    } else if (isOvertaken(error)) first!.settle(false);
    else first!.fail(error);
  }
}

/** The next entries, no two of them of one row: the second would be overtaken by the first. In one order, against deadlocks. */
function take(waiting: Waiting[]): { taken: Waiting[]; left: Waiting[] } {
  const taken = new Map<string, Waiting>();
  const left: Waiting[] = [];
  for (const entry of waiting) {
    if (taken.size < batch && !taken.has(entry.row.id)) taken.set(entry.row.id, entry);
    else left.push(entry);
  }
  return { taken: [...taken.values()].toSorted((one, other) => (one.row.id < other.row.id ? -1 : 1)), left };
}

function statementOf(entries: Entry[]) {
  const written = [...Map.groupBy(entries, ({ table }) => table)].map(([table, rows]) => ({ table, rows }));
  return writeStatement(
    written,
    entries.flatMap(({ events }) => events),
  );
}
