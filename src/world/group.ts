import type { Event, Row, Table } from '../domain/event.ts';
import type { Database } from './database.ts';
import { isOvertaken, writeFreeStatement, writeStatement } from './sql.ts';

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
 * flush of Postgres's log. With nobody before it, it is written at once. Each is answered when it is durable.
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

/** Writes the entries whose rows are free; the others go on by themselves, so that nobody waits for somebody else's lock. */
async function writeTogether(database: Database, entries: Waiting[]): Promise<void> {
  const written = new Set<string>();
  try {
    const [answer] = await database.run<{ ids: string[] }>(statementOf(writeFreeStatement, entries));
    for (const id of answer!.ids) written.add(id);
  } catch (error) {
    // Where the connection was lost nobody knows what was written, and each is told so.
    if (!isUndone(error)) return entries.forEach(({ fail }) => fail(error));
  }
  for (const entry of entries) {
    if (written.has(entry.row.id)) entry.settle(true);
    else void writeAlone(database, entry);
  }
}

/** Postgres says that it has undone the statement, for what one of its rows is: the others can be written without it. */
const isUndone = (error: unknown): boolean => /^(22|23|40|55)/.test((error as { code?: string }).code ?? '');

async function writeAlone(database: Database, entry: Waiting): Promise<void> {
  try {
    await database.run(statementOf(writeStatement, [entry]));
    entry.settle(true);
  } catch (error) {
    if (isOvertaken(error)) entry.settle(false);
    else entry.fail(error);
  }
}

/** The next entries, no two of them of one row: the second would be overtaken by the first. */
function take(waiting: Waiting[]): { taken: Waiting[]; left: Waiting[] } {
  const taken = new Map<string, Waiting>();
  const left: Waiting[] = [];
  for (const entry of waiting) {
    if (taken.size < batch && !taken.has(entry.row.id)) taken.set(entry.row.id, entry);
    else left.push(entry);
  }
  return { taken: [...taken.values()], left };
}

function statementOf(write: typeof writeStatement, entries: Entry[]) {
  const written = [...Map.groupBy(entries, ({ table }) => table)].map(([table, rows]) => ({ table, rows }));
  return write(
    written,
    entries.flatMap(({ events }) => events),
  );
}
