import { isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { Temporal } from 'temporal-polyfill';
import { e164 } from './phone.ts';

/** A postal address as its source wrote it; the coordinates only when both are known. */
export interface PatientAddress {
  line: string | null;
  city: string | null;
  state: string | null;
  postalCode: string | null;
  country: string | null;
  latitude?: number;
  longitude?: number;
}

/** One person, as a file describes them. */
export interface PatientRecord {
  kind: 'patient';
  /** "source:Patient:id"; null when the file gives no id, so that importing it twice makes two patients. */
  canonicalId: string | null;
  name: string;
  /** A real calendar date, YYYY-MM-DD. */
  birthDate: string | null;
  /** E.164. */
  phone: string | null;
  /** BCP 47. */
  language: string | null;
  status: 'ACTIVE' | 'INACTIVE' | 'DECEASED';
  address: PatientAddress | null;
  /** An IANA name, only when the file states it. */
  timeZone: string | null;
  facts: Record<string, string>;
  tags: string[];
  /** When the source says that it was so; null when it does not say. */
  effectiveAt: Date | null;
}

/** Something that happened to a patient, as a file describes it; it becomes one event. */
export interface ResourceRecord {
  kind: 'resource';
  /** "Condition/0023b3a7": the same resource read twice has the same reference. */
  reference: string;
  patientCanonicalId: string;
  /** A type of the closed list of events, or `ext.*`. */
  type: string;
  effectiveAt: Date;
  /** What a person or the agent needs to know of it; never the whole resource. */
  data: Record<string, unknown>;
}

/** A row that cannot be imported, and why; the field is null when it is the row as a whole. */
export interface InvalidRecord {
  kind: 'invalid';
  field: string | null;
  message: string;
}

/** What one row of a file says. */
export type ImportRecord = PatientRecord | ResourceRecord | InvalidRecord;

/** A record and its row, from 1: the line of an NDJSON, the entry of a Bundle, the data record of a CSV. */
export type ImportedRow = { row: number } & ImportRecord;

/** A record that says what is wrong with its row. What it quotes of the file is cut short and made fit to keep. */
export const invalid = (field: string | null, message: string): InvalidRecord => ({
  kind: 'invalid',
  field: field === null ? null : printable(field, 100),
  message: printable(message, 300),
});

const printable = (text: string, length: number): string =>
  text
    .slice(0, length)
    .replaceAll(/\p{Cc}/gu, '\uFFFD')
    .toWellFormed();

/** "source:Patient:id". */
export const canonicalIdOf = (sourceSystem: string, id: string): string => `${sourceSystem}:Patient:${id}`;

/** Whether a text can be the id of something: no blanks, no separators of references, at most 200 characters. */
export const isId = (text: string): boolean => /^[^\s/?#|]{1,200}$/.test(text);

/**
 * Whether a key can be a fact. Facts and the patient's own attributes are believed under the same keys, and
 * attributes are checked before they are believed: a fact may not pass for one.
 */
export const isFactKey = (key: string): boolean =>
  key.trim() !== '' && !(key in Object.prototype) && !ownKeys.has(key) && !key.startsWith('address.');

const ownKeys = new Set([
  'canonicalId',
  'name',
  'birthDate',
  'phone',
  'language',
  'status',
  'timeZone',
  'tags',
  'address',
]);

/** Whether a spreadsheet has rounded these digits away, as in 1.5551E+10. */
export const isRounded = (text: string): boolean => /^\d+([.,]\d+)?E\+?\d+$/i.test(text.trim());

/** The ways to write the United States that are not ISO 3166-1 alpha-2. */
const unitedStates = new Set(['', 'USA', 'U.S.', 'U.S.A.', 'UNITED STATES', 'UNITED STATES OF AMERICA']);

/**
 * A phone number as E.164, or null when the text is not one. Numbers without a plus are read as the country
 * dials them at home; in a country that is not an ISO 3166-1 alpha-2 code only numbers with a plus are read.
 * A number that is merely possible (the right length) is kept: whether it may be dialled, the gate decides.
 * Extensions are dropped.
 */
export function normalizePhone(text: string, country = 'US'): string | null {
  // pandas writes a column of numbers with gaps as floats: 5551230100.0
  const written = text
    .trim()
    .replace(/^tel:/i, '')
    .replace(/^(\d+)\.0$/, '$1');
  const upper = country.trim().toUpperCase();
  const home = unitedStates.has(upper) ? 'US' : upper;
  // extract: false, so that "call 555-123-0100 or 555-123-0101" is refused and not read as its first half
  const options = isSupportedCountry(home) ? { defaultCountry: home, extract: false } : { extract: false };
  const parsed = parsePhoneNumberFromString(written, options);
  if (parsed?.isPossible() && e164.test(parsed.number)) return parsed.number;
  return withLostPlus(written);
}

/** Excel drops the plus of a number from abroad: believed only when the digits are a valid number of some country. */
function withLostPlus(written: string): string | null {
  if (!/^[1-9]\d{10,14}$/.test(written)) return null;
  const parsed = parsePhoneNumberFromString(`+${written}`, { extract: false });
  return parsed?.isValid() && e164.test(parsed.number) ? parsed.number : null;
}

/** The text when it is a real calendar date, YYYY-MM-DD, from year 1 (Postgres has no year 0); else null. */
export function calendarDate(text: string): string | null {
  if (!/^(?!0000)\d{4}-\d\d-\d\d$/.test(text)) return null;
  return attempt(() => Temporal.PlainDate.from(text).toString());
}

const instantPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/**
 * A FHIR date or dateTime as an instant, or null. YYYY and YYYY-MM are their first day, a day is its midnight
 * in UTC, and a time must name its offset (https://hl7.org/fhir/R4/datatypes.html#dateTime).
 */
export function instantOf(text: string): Date | null {
  const day = calendarDate(
    /^\d{4}$/.test(text) ? `${text}-01-01` : /^\d{4}-\d\d$/.test(text) ? `${text}-01` : text,
  );
  if (day) return new Date(`${day}T00:00:00Z`);
  if (!instantPattern.test(text)) return null;
  const at = attempt(() => new Date(Temporal.Instant.from(text).epochMilliseconds));
  const year = at?.getUTCFullYear() ?? 0;
  return year >= 1 && year <= 9_999 ? at : null;
}

/** A language tag in its canonical form ("en-us" is en-US), or null when the text is not BCP 47 with a 2 or 3 letter language. */
export function languageOf(text: string): string | null {
  const tag = text.replaceAll('_', '-');
  if (!/^[a-z]{2,3}(-|$)/i.test(tag)) return null;
  return attempt(() => Intl.getCanonicalLocales(tag)[0] ?? null);
}

const longest = 2_000;

/** The record itself, or why the database cannot keep it: jsonb holds neither NUL nor half a surrogate pair. */
export function storable<T extends ImportRecord>(record: T): T | InvalidRecord {
  for (const [field, text] of textsOf(record, '')) {
    if (text.includes('\0')) return invalid(field, 'The text holds a NUL character.');
    if (!text.isWellFormed()) return invalid(field, 'The text holds half of a surrogate pair.');
    if (text.length > longest) return invalid(field, `The text is longer than ${longest} characters.`);
  }
  return record;
}

/** Every text in a value, keys included, with the path that leads to it. Records are shallow: recursion is safe. */
function* textsOf(value: unknown, path: string): Generator<[path: string, text: string]> {
  if (typeof value === 'string') yield [path, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    yield [path, key];
    yield* textsOf(inner, path === '' ? key : `${path}.${key}`);
  }
}

/** The value, or null when making it throws: the library has no way to ask first. */
function attempt<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}
