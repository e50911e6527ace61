import { parse } from 'csv-parse/sync';

/** What an importer of patients takes for a number and for a date of birth. */
const phones = ['phone', 'mobile'];
const dates = ['birth_date', 'birthdate', 'dob'];

/** Dates of birth (YYYY-MM-DD) by number (E.164), from a CSV of patients with headers; rows without either are passed over. */
export function readBirthDates(csv: string): ReadonlyMap<string, string> {
  const rows: Record<string, string>[] = parse(csv, {
    bom: true,
    trim: true,
    columns: (header: string[]) => header.map((name) => name.toLowerCase().replaceAll(/[\s-]/g, '_')),
  });
  const known = rows.map((row) => [valueOf(row, phones), valueOf(row, dates)] as const);
  const whole = known.filter(([phone, date]) => /^\+\d+$/.test(phone) && /^\d{4}-\d\d-\d\d$/.test(date));
  if (whole.length === 0)
    throw new Error('--people: no row has a phone (E.164) and a birth_date (YYYY-MM-DD)');
  return new Map(whole);
}

const valueOf = (row: Record<string, string>, names: string[]): string =>
  names.map((name) => row[name]).find((value) => value !== undefined) ?? '';
