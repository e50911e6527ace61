import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { ImportedRow } from '../../src/domain/record.ts';
import { formatOf, readRecords, type ByteSource, type ImportFormat } from '../../src/records.ts';

const fixture = (name: string) => createReadStream(new URL(`../support/fhir/${name}`, import.meta.url));
async function rows(input: ByteSource, format: ImportFormat): Promise<ImportedRow[]> {
  const read: ImportedRow[] = [];
  for await (const row of readRecords(input, format, 'ehr')) read.push(row);
  return read;
}
const bytes = (text: string | Uint8Array, size = 7) => {
  const whole = Buffer.from(text);
  return Readable.from(
    Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
      whole.subarray(index * size, (index + 1) * size),
    ),
  );
};
const ada = JSON.stringify({ resourceType: 'Patient', id: 'ada', name: [{ text: 'Ada 🙂' }] });
const kinds = (read: ImportedRow[]) => read.map(({ row, kind }) => [row, kind]);

describe('NDJSON', () => {
  test('is read line by line, the blank ones not counted', async () => {
    const read = await rows(fixture('people.ndjson'), 'FHIR_NDJSON');
    expect(read.map((each) => (each.kind === 'resource' ? each.type : each.kind))).toEqual([
      'patient',
      'condition.recorded',
      'medication.prescribed',
      'encounter.discharged',
      'ext.encounter_recorded',
      'ext.allergy_recorded',
      'ext.immunization_given',
      'invalid',
      'invalid',
    ]);
    expect(read.map(({ row }) => row)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(read[0]).toMatchObject({
      name: 'Ada King Lovelace',
      phone: '+15553104711',
      language: 'es',
      birthDate: '1957-03-09',
    });
    expect(read[2]).toMatchObject({
      data: { dosageText: 'One tablet every morning', reason: 'Hypertension', frequency: 1 },
    });
    expect(read[8]).toEqual({ row: 9, kind: 'invalid', field: null, message: 'The line is not JSON.' });
  });

  test('may begin with a byte order mark, end its lines with CRLF, and be cut anywhere', async () => {
    for (const size of [1, 2, 3, 1_000]) {
      const read = await rows(bytes(`\uFEFF${ada}\r\n\r\n${ada}`, size), 'FHIR_NDJSON');
      expect(read).toMatchObject([
        { row: 1, name: 'Ada 🙂' },
        { row: 2, name: 'Ada 🙂' },
      ]);
    }
  });

  test('has lines of up to 1 MiB, and goes on after a longer one', async () => {
    const long = JSON.stringify({ resourceType: 'Patient', text: 'x'.repeat(3_000_000) });
    const read = await rows(bytes(`${ada}\n${long}\n${ada}\n`, 65_536), 'FHIR_NDJSON');
    expect(kinds(read)).toEqual([
      [1, 'patient'],
      [2, 'invalid'],
      [3, 'patient'],
    ]);
    expect(read[1]).toMatchObject({ message: expect.stringContaining('longer than') as string });
  });

  test('throws what reading its bytes throws', async () => {
    for (const format of ['FHIR_NDJSON', 'FHIR_BUNDLE', 'CSV'] as const) {
      async function* broken() {
        yield Buffer.from('{"resourceType":"Bundle","entry":[\n');
        await Promise.resolve();
        throw new Error('disk on fire');
      }
      await expect(rows(broken(), format)).rejects.toThrow('disk on fire');
    }
  });
});

describe('a Bundle', () => {
  test('is read entry by entry, those that wait for their patient at the end', async () => {
    const read = await rows(fixture('bundle.json'), 'FHIR_BUNDLE');
    expect(kinds(read)).toEqual([
      [2, 'patient'],
      [3, 'resource'],
      [5, 'invalid'],
      [1, 'resource'],
      [4, 'invalid'],
    ]);
    expect(read[1]).toMatchObject({
      reference: 'Immunization/after',
      patientCanonicalId: 'ehr:Patient:grace',
    });
    expect(read[3]).toMatchObject({ reference: 'Condition/before', patientCanonicalId: 'ehr:Patient:grace' });
    expect(read[4]).toMatchObject({ field: 'subject' });
  });

  test.each([
    ['empty', ''],
    ['no JSON', 'name,phone\nSam,5553104721\n'],
    ['a Patient', ada],
    ['a list', `[${ada}]`],
  ])('that is none makes one invalid row: %s', async (_, text) => {
    expect(kinds(await rows(bytes(text), 'FHIR_BUNDLE'))).toEqual([[1, 'invalid']]);
  });

  test('that breaks off keeps what was read, and says so', async () => {
    const text = `{"resourceType":"Bundle","entry":[{"resource":${ada}},{"resource":${ada}},{"resou`;
    const read = await rows(bytes(text), 'FHIR_BUNDLE');
    expect(read.at(-1)).toMatchObject({ row: read.length, kind: 'invalid', field: null });
    expect(read.slice(0, -1).every(({ kind }) => kind === 'patient')).toBe(true);
  });

  test('may be empty', async () => {
    expect(await rows(bytes('{"resourceType":"Bundle","type":"collection"}'), 'FHIR_BUNDLE')).toEqual([]);
  });

  test('may be left before its end', async () => {
    const input = bytes(`{"resourceType":"Bundle","entry":[${`{"resource":${ada}},`.repeat(999)}{}]}`, 1_000);
    for await (const { row } of readRecords(input, 'FHIR_BUNDLE', 'ehr')) if (row === 2) break;
    await vi.waitFor(() => expect(input.destroyed).toBe(true));
  });
});

describe('CSV', () => {
  test('is read record by record, the header and blank lines not counted', async () => {
    const read = await rows(fixture('people.csv'), 'CSV');
    expect(kinds(read)).toEqual([
      [1, 'patient'],
      [2, 'patient'],
      [3, 'invalid'],
      [4, 'invalid'],
      [5, 'invalid'],
    ]);
    expect(read[0]).toMatchObject({
      canonicalId: 'ehr:Patient:0042',
      name: 'Zoë Quinn, Jr.',
      phone: '+15553104720',
      tags: ['diabetes', 'heart', 'vip'],
      facts: { pharmacy: 'Main Street', Ward: '3B' },
    });
    expect(read[1]).toMatchObject({ phone: '+15553104721' });
    expect(read.slice(2).map((each) => (each.kind === 'invalid' ? each.field : each.kind))).toEqual([
      'phone',
      'birthDate',
      null,
    ]);
  });

  test.each([',', ';', '\t'])('may be delimited by "%s", whatever its cells hold', async (delimiter) => {
    const text = `"name, or; what"${delimiter}name${delimiter}tags\n"1"${delimiter}"Zoë; Quinn, Jr."${delimiter}"a;b"\n`;
    for (const size of [1, 5, 1_000]) {
      expect(await rows(bytes(`\uFEFF${text}`, size), 'CSV')).toMatchObject([
        { row: 1, name: 'Zoë; Quinn, Jr.', tags: ['a', 'b'] },
      ]);
    }
  });

  test('may come from Excel as UTF-16, and is refused in an encoding that nothing tells', async () => {
    const utf16 = Buffer.concat([
      Buffer.from([0xff, 0xfe]),
      Buffer.from('name\tcity\r\nZoë\tKöln\r\n', 'utf16le'),
    ]);
    expect(await rows(bytes(utf16), 'CSV')).toMatchObject([{ name: 'Zoë', address: { city: 'Köln' } }]);
    const latin1 = Buffer.from('name,city\r\nZoë,Köln\r\nSam,Olathe\r\n', 'latin1');
    expect(await rows(bytes(latin1), 'CSV')).toMatchObject([
      { row: 1, kind: 'invalid', field: 'name' },
      { row: 2, name: 'Sam' },
    ]);
  });

  test('keeps what stands before a quote that is never closed', async () => {
    const read = await rows(
      bytes('name,phone\nSam,5553104721\n"Ann,5553104722\nIda,5553104723\n', 1_000),
      'CSV',
    );
    expect(read).toMatchObject([
      { row: 1, name: 'Sam' },
      { row: 2, kind: 'invalid', message: expect.stringContaining('never closed') as string },
    ]);
  });

  test('does not lose the lines that a stray quote swallows without a word', async () => {
    const read = await rows(bytes('name,city\nAnn,"Olathe\nBob,Y\nSam,"Q"\nIda,Z\n'), 'CSV');
    expect(read).toMatchObject([
      { row: 1, kind: 'invalid', field: 'city' },
      { row: 2, name: 'Ida' },
    ]);
  });

  test('may end its lines in more than one way', async () => {
    for (const size of [1, 2, 1_000]) {
      const read = await rows(
        bytes('name,city\r\nAnn,X\nBob,Y\r\nIda,"1 Engine Lane\nOlathe"\rSam,Z', size),
        'CSV',
      );
      expect(read.map((each) => (each.kind === 'patient' ? each.name : each.kind))).toEqual([
        'Ann',
        'Bob',
        'Ida',
        'Sam',
      ]);
    }
  });

  test('has quotes inside names', async () => {
    expect(await rows(bytes('name,city\nAnn "Annie" Poe,Olathe\n'), 'CSV')).toMatchObject([
      { name: 'Ann "Annie" Poe' },
    ]);
  });

  test('without records has no rows', async () => {
    for (const text of ['', '\n\n', 'name,phone\n', 'name,phone'])
      expect(await rows(bytes(text), 'CSV')).toEqual([]);
  });
});

describe('any bytes', () => {
  const noise = fc.uint8Array({ maxLength: 300 });
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        ada,
        '\n',
        '\r\n',
        ',',
        ';',
        '"',
        '{"resourceType":"Bundle","entry":[',
        '{"resource":',
        ']}',
        '}',
        'name,phone',
        '\0',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ),
    { maxLength: 30 },
  );
  const input = fc.oneof(
    noise,
    pieces.map((each) => new Uint8Array(Buffer.from(each.join('')))),
  );

  test('are rows that increase from 1, and never throw', async () => {
    await fc.assert(
      fc.asyncProperty(
        input,
        fc.constantFrom('FHIR_NDJSON', 'FHIR_BUNDLE', 'CSV'),
        fc.integer({ min: 1, max: 64 }),
        async (data, format, size) => {
          const read = await rows(bytes(data, size), format);
          expect(read.map(({ row }) => row)).toEqual(read.map((_, index) => index + 1));
        },
      ),
      { numRuns: 400 },
    );
  });
});

test('the format of a file is told by its name, else by its content', () => {
  const told = (name: string, text = '') => formatOf(name, Buffer.from(text));
  expect(told('Patient.ndjson')).toBe('FHIR_NDJSON');
  expect(told('patients.JSONL')).toBe('FHIR_NDJSON');
  expect(told('bundle.json', ada)).toBe('FHIR_BUNDLE');
  expect(told('people.CSV', '{')).toBe('CSV');
  expect(told('-', `\uFEFF ${ada}\n${ada}`)).toBe('FHIR_NDJSON');
  expect(told('-', '{\n  "resourceType": "Bundle"')).toBe('FHIR_BUNDLE');
  expect(told('-', `{"resourceType":"Bundle","entry":[{"resource":${ada}}]}`)).toBe('FHIR_BUNDLE');
  expect(told('-', `{"entry":[{"resource":${ada}}]`)).toBe('FHIR_BUNDLE');
  expect(told('people.txt', 'name;phone\n')).toBe('CSV');
  expect(told('people', '')).toBe('CSV');
});
