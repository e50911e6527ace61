import type { Clock } from './clock.ts';
import type { By } from './domain/event.ts';
import type { ImportedRow } from './domain/record.ts';
import type { Code } from './domain/refusal.ts';
import { importBatch, type Person, type Resource, type Verdict } from './importer/batch.ts';
import { readRecords, type ImportFormat } from './records.ts';
import type { World } from './world.ts';

/** A row that was not imported, and why; the field is null when it is the row as a whole. */
export interface ImportRowError {
  row: number;
  field: string | null;
  code: Code;
  message: string;
}

/** What became of the rows: accepted, duplicates and invalid sum to rows. Of the errors the first 1,000 are kept. */
export interface ImportResult {
  rows: number;
  accepted: number;
  duplicates: number;
  invalid: number;
  errors: ImportRowError[];
}

/** Who imports, from which system. `onProgress` is told after each batch. */
export interface ImportOptions {
  by: By;
  sourceSystem: string;
  onProgress?: (counts: Readonly<ImportResult>) => void;
}

/** Rows of one transaction: large enough for the round trips not to matter, small enough for its locks to be short. */
const batchSize = 500;
const keptErrors = 1_000;
/** How many resources may wait for their patient to be read. */
const heldLimit = 100_000;

/** Takes in what other systems know of patients. */
export function openImporter({ world, clock }: { world: World; clock: Clock }) {
  /**
   * Imports rows batch by batch, each in a transaction of its own, whatever their order. Imported again, the same
   * rows are duplicates and record nothing. When the database fails it throws; earlier batches stay imported.
   */
  async function importRows(rows: AsyncIterable<ImportedRow>, options: ImportOptions): Promise<ImportResult> {
    const { sourceSystem, onProgress } = options;
    const report = openReport();
    const held: Resource[] = [];
    const write = async (batch: (Person | Resource)[], isLast: boolean) => {
      const by = { ...options.by, source: 'import' as const, sourceSystem, now: clock.now() };
      const decided = await world.transact((tx) => importBatch(tx, batch, by));
      for (const [row, verdict] of decided) {
        if (verdict !== 'unknown') report.count(verdict);
        else if (isLast || held.length >= heldLimit) report.refuse(orphan(row as Resource, isLast));
        else held.push(row as Resource);
      }
      onProgress?.(report.result);
    };
    let writing = Promise.resolve();
    try {
      for await (const batch of batchesOf(rows, report)) {
        await writing;
        writing = write(batch, false); // while Postgres writes this batch, the next one is read
        writing.catch(() => {}); // told by the next await, also when reading throws before that
      }
    } finally {
      await writing;
    }
    while (held.length > 0) await write(held.splice(0, batchSize), true);
    report.result.errors.sort((a, b) => a.row - b.row);
    return report.result;
  }

  /** Imports a file while it is read. */
  const importFile = (
    content: Parameters<typeof readRecords>[0],
    { format, ...options }: ImportOptions & { format: ImportFormat },
  ): Promise<ImportResult> => importRows(readRecords(content, format, options.sourceSystem), options);

  return { importRows, importFile };
}

/** Takes in what other systems know of patients. */
export type Importer = ReturnType<typeof openImporter>;

function openReport() {
  const result: ImportResult = { rows: 0, accepted: 0, duplicates: 0, invalid: 0, errors: [] };
  const count = (verdict: Exclude<Verdict, 'unknown'> | 'invalid') => {
    result.rows += 1;
    result[verdict] += 1;
  };
  const refuse = (error: ImportRowError) => {
    count('invalid');
    if (result.errors.length < keptErrors) result.errors.push(error);
  };
  return { result, count, refuse };
}

async function* batchesOf(rows: AsyncIterable<ImportedRow>, report: ReturnType<typeof openReport>) {
  let batch: (Person | Resource)[] = [];
  for await (const record of rows) {
    if (record.kind === 'invalid') {
      const { row, field, message } = record;
      report.refuse({ row, field, code: 'INVALID_INPUT', message });
    } else if (batch.push(record) === batchSize) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function orphan({ row, reference, patientCanonicalId }: Resource, isLast: boolean): ImportRowError {
  const why = isLast
    ? 'who is neither in this file nor in the workspace. Import the patient first'
    : `who has not been read yet, and ${heldLimit} rows wait for theirs already. Put patients first`;
  const message = `${reference} is about ${patientCanonicalId}, ${why}, then this row again.`;
  return { row, field: 'subject', code: 'PATIENT_NOT_FOUND', message };
}
