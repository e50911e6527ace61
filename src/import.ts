import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import progress from 'cli-progress';
import { openClock } from './clock.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { reachDatabase } from './embedded/database.ts';
import { openImporter, type ImportResult } from './importer.ts';
import { ensureWorkspace } from './provision.ts';
import { formatOf, readRecords, type ImportFormat } from './records.ts';
import { openWorld } from './world.ts';

const usage = `Imports patients and what happened to them: npm run import -- FILE...

  FILE              FHIR R4 NDJSON (.ndjson), a Bundle (.json), a CSV (.csv), or a folder of them
  --source NAME     the system they come from; left out: fhir, or csv for a CSV
  --format FORMAT   FHIR_NDJSON, FHIR_BUNDLE or CSV; left out: by the file's name, else by how it begins

A file may be imported again: what it said before is counted as duplicate and recorded once.`;

/** How many invalid rows of a file are printed. */
const printedErrors = 20;

/** How often progress is printed where there is no terminal for a bar, in milliseconds. */
const lineMs = 5_000;

/** What cannot be done as it was asked: told without a stack. */
class Mistake extends Error {}

/** One file, and how it is to be read. */
interface Job {
  path: string;
  size: number;
  format: ImportFormat;
  sourceSystem: string;
}

/** How far a file has been read, told while it is imported. */
interface Progress {
  read(bytes: number): void;
  imported(rows: number): void;
  stop(): void;
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const tell = (line: string) => void process.stderr.write(`${line}\n`);

/** Imports the files that the command line names. Answers whether every row of them was accepted or a duplicate. */
async function main(): Promise<boolean> {
  const { values, positionals } = optionsOf(process.argv.slice(2));
  if (values.help || positionals.length === 0) {
    say(usage);
    return values.help === true;
  }
  const jobs = await jobsOf(positionals, values);
  const config = readConfig(process.env);
  const database = await openDatabase(config);
  const world = await openWorld({ databaseUrl: database.url });
  try {
    await world.migrate();
    const clock = openClock(config.clockStart);
    const { id: workspaceId } = await ensureWorkspace(world, clock.now());
    const importer = openImporter({ world, clock });
    const by = { workspaceId, actor: 'import', source: 'import' as const, now: clock.now() };
    const results: ImportResult[] = [];
    for (const job of jobs) {
      const shown = progressOf(job);
      const rows = readRecords(counted(job.path, shown), job.format, job.sourceSystem);
      const onProgress = ({ rows: done }: { rows: number }) => shown.imported(done);
      const result = await importer
        .importRows(rows, { by, sourceSystem: job.sourceSystem, onProgress })
        .finally(() => shown.stop());
      print(job.path, result);
      results.push(result);
    }
    if (results.length > 1) printTotal(results);
    return results.every(({ invalid }) => invalid === 0);
  } finally {
    await world.close();
    await database.stop();
  }
}

function optionsOf(args: string[]) {
  const text = { type: 'string' } as const;
  const options = { source: text, format: text, help: { type: 'boolean', short: 'h' } } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new Mistake(`${(error as Error).message}\n\n${usage}`);
  }
}

/** The files, those with patients first, because what happened to a patient is imported only once the patient is known. */
async function jobsOf(
  paths: string[],
  options: { source?: string | undefined; format?: string | undefined },
): Promise<Job[]> {
  const { source } = options;
  if (source !== undefined && !/^[A-Za-z0-9._-]{1,64}$/.test(source))
    throw new Mistake('--source is 1 to 64 letters, digits, dots, dashes or underscores.');
  const format = options.format?.toUpperCase();
  if (format !== undefined && !isFormat(format))
    throw new Mistake('--format is FHIR_NDJSON, FHIR_BUNDLE or CSV.');
  const files = (await Promise.all(paths.map(filesAt))).flat();
  const place = (path: string) => (/^patients?\b/i.test(basename(path)) ? 0 : 1);
  const sorted = [...new Set(files)].toSorted((a, b) => place(a) - place(b));
  return Promise.all(
    sorted.map(async (path) => {
      const { size, start } = await beginningOf(path);
      const known = format ?? formatOf(path, start);
      return { path, size, format: known, sourceSystem: source ?? (known === 'CSV' ? 'csv' : 'fhir') };
    }),
  );
}

const isFormat = (text: string): text is ImportFormat => ['FHIR_NDJSON', 'FHIR_BUNDLE', 'CSV'].includes(text);

async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => {
    throw new Mistake(`${path} is not there, or may not be read.`);
  });
  if (!found.isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(ndjson|json|csv)$/i.test(name));
  if (names.length === 0) throw new Mistake(`${path} holds no .ndjson, .json or .csv file.`);
  return names.toSorted().map((name) => join(path, name));
}

async function beginningOf(path: string): Promise<{ size: number; start: Uint8Array }> {
  const file = await open(path).catch(() => {
    throw new Mistake(`${path} may not be read.`);
  });
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, 0);
    return { size: (await file.stat()).size, start: buffer.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

const openDatabase = (config: Config) =>
  reachDatabase(config, tell).catch((error: Error) => {
    throw new Mistake(error.message);
  });

async function* counted(path: string, shown: Progress): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    shown.read(chunk.length);
    yield chunk;
  }
}

const progressOf = (job: Job): Progress => (process.stderr.isTTY ? barOf(job) : linesOf(job));

function barOf({ path, size }: Job): Progress {
  const format = '{name} [{bar}] {percentage}% · {rows} rows · {duration_formatted}';
  const bar = new progress.SingleBar({ format, stream: process.stderr, clearOnComplete: true });
  bar.start(size, 0, { name: basename(path), rows: 0 });
  return {
    read: (bytes) => bar.increment(bytes),
    imported: (rows) => bar.update({ rows }),
    stop: () => bar.stop(),
  };
}

function linesOf({ path, size }: Job): Progress {
  let bytes = 0;
  let saidAt = performance.now();
  return {
    read: (more) => void (bytes += more),
    imported: (rows) => {
      if (performance.now() - saidAt < lineMs) return;
      saidAt = performance.now();
      tell(`${basename(path)}: ${Math.floor((100 * bytes) / size)}% read, ${rows} rows so far`);
    },
    stop: () => {},
  };
}

type Counts = Omit<ImportResult, 'errors'>;

const countsOf = ({ rows, accepted, duplicates, invalid }: Counts): string =>
  `${rows} rows: ${accepted} accepted, ${duplicates} duplicates, ${invalid} invalid`;

function print(path: string, result: ImportResult): void {
  say(`${path}: ${countsOf(result)}`);
  for (const { row, field, message } of result.errors.slice(0, printedErrors)) {
    say(`  row ${row}${field === null ? '' : `, ${field}`}: ${message}`);
  }
  if (result.invalid > printedErrors) say(`  and ${result.invalid - printedErrors} more`);
}

function printTotal(results: ImportResult[]): void {
  const sum = (key: keyof Counts) => results.reduce((total, result) => total + result[key], 0);
  const total = {
    rows: sum('rows'),
    accepted: sum('accepted'),
    duplicates: sum('duplicates'),
    invalid: sum('invalid'),
  };
  say(`${results.length} files: ${countsOf(total)}`);
}

// Leaving by exit, and not by the signal, lets the embedded Postgres be stopped. What was imported stays.
process.once('SIGINT', () => process.exit(130));

process.exitCode = await main().then(
  (isComplete) => (isComplete ? 0 : 1),
  (error: Error) => {
    const isMistake = error instanceof Mistake || error instanceof ConfigError;
    tell(
      isMistake
        ? error.message
        : `The import stopped: ${error.message}. Run it again: it goes on from there.`,
    );
    return 1;
  },
);
