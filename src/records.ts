import { pipeline, Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { parse } from 'csv-parse';
import { Assembler } from 'stream-json/assembler.js';
import { pick } from 'stream-json/filters/pick.js';
import type { Token } from 'stream-json/core/parser.js';
import { readDataRecord } from './domain/csv.ts';
import { readResource, subjectOf } from './domain/fhir.ts';
import {
  canonicalIdOf,
  invalid,
  type ImportedRow,
  type InvalidRecord,
  type ResourceRecord,
} from './domain/record.ts';

/** The shape of a file; a value of the contract's ImportFormat. */
export type ImportFormat = 'FHIR_NDJSON' | 'FHIR_BUNDLE' | 'CSV';

/** A file, or any other source of bytes. */
export type ByteSource = AsyncIterable<Uint8Array> | NodeJS.ReadableStream;

type Rows = AsyncGenerator<ImportedRow, void>;

const readers: Record<ImportFormat, (text: AsyncIterable<string>, sourceSystem: string) => Rows> = {
  FHIR_NDJSON: readLines,
  FHIR_BUNDLE: readBundle,
  CSV: readCsv,
};

/**
 * The rows of a file, in its order, each read or invalid with its reason. What a file says never throws, only
 * reading its bytes may. A resource may come before its patient, but in a Bundle those whose "urn:uuid:" patient is
 * not known yet are held back to the end. They, and its patients' ids, are all that memory keeps of a file.
 */
export function readRecords(
  input: ByteSource,
  format: ImportFormat,
  sourceSystem: string,
): AsyncIterable<ImportedRow> {
  return readers[format](decode(input), sourceSystem);
}

/** Which format a file has: by its name, else by how it begins. */
export function formatOf(fileName: string, firstBytes: Uint8Array): ImportFormat {
  const extension = /\.(ndjson|jsonl|json|csv)$/i.exec(fileName)?.[1]?.toLowerCase();
  if (extension === 'csv') return 'CSV';
  if (extension) return extension === 'json' ? 'FHIR_BUNDLE' : 'FHIR_NDJSON';
  const start = new TextDecoder().decode(firstBytes).trimStart();
  if (!start.startsWith('{')) return 'CSV';
  // A Bundle may be a single line as well; over several lines its first one says little.
  const line = start.split('\n', 1)[0]!;
  const isBundle =
    !line.includes('"resourceType"') || /"resourceType"\s*:\s*"Bundle"|"entry"\s*:\s*\[/.test(line);
  return isBundle ? 'FHIR_BUNDLE' : 'FHIR_NDJSON';
}

/** Bytes as text, without a byte order mark. Excel's "Unicode Text" is UTF-16, which its mark tells. */
async function* decode(input: ByteSource): AsyncGenerator<string, void> {
  let decoder: TextDecoder | null = null;
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    decoder ??= new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8');
    yield decoder.decode(bytes, { stream: true });
  }
  yield decoder?.decode() ?? '';
}

const longestLine = 1_048_576;

async function* readLines(text: AsyncIterable<string>, sourceSystem: string): Rows {
  let row = 0;
  for await (const line of linesOf(text)) {
    if (line?.trim() === '') continue;
    row += 1;
    yield { row, ...readLine(line, sourceSystem) };
  }
}

function readLine(line: string | null, sourceSystem: string) {
  if (line === null) return invalid(null, `The line is longer than ${longestLine} characters.`);
  let resource: unknown;
  try {
    resource = JSON.parse(line);
  } catch {
    // The parser's message quotes the line, and with it the patient.
    return invalid(null, 'The line is not JSON.');
  }
  return readResource(resource, sourceSystem);
}

/** The lines of a text; null for one that is too long to keep. */
async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<string | null, void> {
  let rest = '';
  let isTooLong = false;
  const finish = (line: string) => {
    const kept = isTooLong || line.length > longestLine ? null : line;
    isTooLong = false;
    return kept;
  };
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield finish(line);
    if (rest.length > longestLine) {
      isTooLong = true;
      rest = '';
    }
  }
  yield finish(rest);
}

/** A resource that was read before the patient it is about, and the urn that leads to that patient. */
interface Held {
  row: number;
  urn: string;
  record: ResourceRecord;
}

async function* readBundle(text: AsyncIterable<string>, sourceSystem: string): Rows {
  const patients = new Map<string, string>();
  const held: Held[] = [];
  let row = 0;
  for await (const entry of entriesOf(text)) {
    row += 1;
    if (entry instanceof Fault) {
      yield { row, ...entry.record };
      continue;
    }
    const { fullUrl, resource } = (entry ?? {}) as { fullUrl?: unknown; resource?: unknown };
    const urn = unknownUrn(resource, patients);
    const record = readResource(resource, sourceSystem, urn ? undefined : patients);
    if (record.kind === 'patient' && typeof fullUrl === 'string') patients.set(fullUrl, idIn(resource));
    if (record.kind === 'resource' && urn) held.push({ row, urn, record });
    else yield { row, ...record };
  }
  for (const each of held) yield released(each, patients, sourceSystem);
}

const idIn = (resource: unknown): string => (resource as { id: string }).id.trim();

function unknownUrn(resource: unknown, patients: ReadonlyMap<string, string>): string | null {
  const subject = subjectOf(resource);
  return subject?.startsWith('urn:') && !patients.has(subject) ? subject : null;
}

function released(
  { row, urn, record }: Held,
  patients: ReadonlyMap<string, string>,
  sourceSystem: string,
): ImportedRow {
  const id = patients.get(urn);
  if (id !== undefined) return { row, ...record, patientCanonicalId: canonicalIdOf(sourceSystem, id) };
  return {
    row,
    ...invalid('subject', `${record.reference} is about "${urn}", which is no Patient of this Bundle.`),
  };
}

/** What is wrong with a Bundle as a whole, in the place of an entry. */
class Fault {
  readonly record: InvalidRecord;

  constructor(message: string) {
    this.record = invalid(null, message);
  }
}

/** The entries of a Bundle, and a fault at the end when the rest, or all of it, is none. */
async function* entriesOf(text: AsyncIterable<string>): AsyncGenerator<unknown, void> {
  let resourceType: unknown = null;
  let inputError: unknown = null;
  const entries = pick.withParserAsStream({
    streamValues: false,
    filter: ([first, second, ...deeper], token) => {
      const isTop = deeper.length === 0 && second === undefined;
      if (isTop && first === 'resourceType' && token.name === 'stringValue') resourceType = token.value;
      return deeper.length === 0 && first === 'entry' && typeof second === 'number';
    },
  });
  const source = Readable.from(text).on('error', (error) => (inputError = error));
  // Its errors reach the loop below; a caller that stops early is none.
  pipeline(source, entries, () => {});
  const assembler = new Assembler();
  try {
    for await (const token of entries) if (assembler.consume(token as Token).done) yield assembler.current;
  } catch {
    if (inputError) throw inputError;
    yield new Fault('The file is not JSON from here on: nothing after this was read.');
    return;
  }
  if (resourceType !== 'Bundle')
    yield new Fault('The file is not a FHIR Bundle: its resourceType is not "Bundle".');
}

/** A place in a CSV at which csv-parse lost its way, in the place of a record. */
interface Broken {
  broken: string;
}

async function* readCsv(text: AsyncIterable<string>, sourceSystem: string): Rows {
  let header: readonly string[] | null = null;
  let row = 0;
  for await (const cells of recordsOf(text)) {
    if (!header && Array.isArray(cells)) {
      header = cells;
      continue;
    }
    row += 1;
    if ('broken' in cells) yield { row, ...invalid(null, cells.broken) };
    else yield { row, ...readDataRecord(header ?? [], cells, sourceSystem) };
  }
}

async function* recordsOf(text: AsyncIterable<string>): AsyncGenerator<string[] | Broken, void> {
  const [start, rest] = await untilHeader(text);
  const parser = parse({
    // csv-parse's own delimiter_auto (7.0.3) throws at the first letter outside ASCII, and may choose any of them.
    delimiter: delimiterOf(start),
    // Left to itself it takes the first line's ending for all of them, and swallows lines that end otherwise.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    // An error would destroy the stream, and with it the records that wait in it: it takes its place among them.
    skip_records_with_error: true,
    on_skip: () =>
      void parser.push({ broken: 'A quote that opens here is never closed: nothing after it was read.' }),
  });
  pipeline(Readable.from(rest), parser, () => {});
  yield* parser as AsyncIterable<string[] | Broken>;
}

/** The text up to the end of its first line (or 64 KiB), and the whole text again. */
async function untilHeader(
  text: AsyncIterable<string>,
): Promise<[start: string, whole: AsyncIterable<string>]> {
  const iterator = text[Symbol.asyncIterator]();
  let start = '';
  while (!/[^\s][^\n\r]*[\n\r]/.test(start) && start.length < 65_536) {
    const next = await iterator.next();
    if (next.done) break;
    start += next.value;
  }
  async function* whole() {
    yield start;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return [start, whole()];
}

/** Of comma, semicolon and tab the one that the header has most of, outside quotes. */
function delimiterOf(start: string): string {
  const header = start
    .trimStart()
    .split(/[\n\r]/, 1)[0]!
    .replaceAll(/"[^"]*"/g, '');
  const count = (delimiter: string) => header.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, each) => (count(each) > count(best) ? each : best));
}
