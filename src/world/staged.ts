import { newId } from '../clock.ts';
import { fold, type By, type Event, type Fact, type Kind, type Row, type Table } from '../domain/event.ts';
import type { Database } from './database.ts';
import { writeStatement, type Written } from './sql.ts';

/** A row with the events that a change added to it. */
export interface Change<R> {
  row: R;
  events: Event[];
}

/** The events that facts become, and the row after them. */
export function happen<R extends Row, F extends Fact>(
  kind: Kind<R, F>,
  row: R,
  facts: F[],
  by: By,
): Change<R> {
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

/** Facts on their way into the log, and the rows that they fold into. */
export class Staged {
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
