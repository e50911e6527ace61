/** What Postgres allows: each line parsed, the same columns copied into one table. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { library } from '../rig/library.ts';

interface Person {
  id: string;
  name: { family: string; given: string[] }[];
  telecom: { value: string }[];
  birthDate: string;
  address: { line: string[]; city: string; state: string; postalCode: string }[];
}

const { from } = await library<{ from(text: string): pg.Submittable & NodeJS.WritableStream }>(
  'pg-copy-streams',
);
let client: pg.Client;

/** Makes the table. */
export async function open(databaseUrl: string): Promise<void> {
  client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`create table person (id text primary key, name text not null, phone text not null, birth_date date not null,
    line text, city text, state text, postal_code text)`);
}

/** Copies a file; answers how many patients a second. */
export async function load(file: string, count: number): Promise<number> {
  await client.query('truncate person');
  const begun = performance.now();
  await pipeline(Readable.from(rows(file)), client.query(from('copy person from stdin')));
  const rate = (count * 1_000) / (performance.now() - begun);
  const { rows: found } = await client.query<{ count: number }>('select count(*)::int as count from person');
  if (found[0]!.count !== count) throw new Error(`${found[0]!.count} of ${count} patients were copied`);
  return rate;
}

/** Lines of COPY, some hundred at a time. */
async function* rows(file: string): AsyncGenerator<string> {
  let lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const { id, name, telecom, birthDate, address } = JSON.parse(line) as Person;
    const [{ line: street, city, state, postalCode }] = address as [Person['address'][number]];
    const values = [
      id,
      `${name[0]!.given[0]} ${name[0]!.family}`,
      telecom[0]!.value,
      birthDate,
      street[0],
      city,
      state,
      postalCode,
    ];
    lines.push(values.join('\t'));
    if (lines.length < 500) continue;
    yield `${lines.join('\n')}\n`;
    lines = [];
  }
  if (lines.length > 0) yield `${lines.join('\n')}\n`;
}
