import { canonicalZone } from './calendar.ts';
import {
  calendarDate,
  canonicalIdOf,
  instantOf,
  invalid,
  isFactKey,
  isId,
  isRounded,
  languageOf,
  normalizePhone,
  storable,
  type InvalidRecord,
  type PatientAddress,
  type PatientRecord,
} from './record.ts';

/** The headers that mean a field, in the order in which they are believed; case, blanks, dots and hyphens do not matter. */
const aliases = {
  id: ['canonical_id', 'id', 'mrn', 'patient_id', 'medical_record_number'],
  name: ['name', 'full_name', 'patient_name'],
  firstName: ['first_name', 'given_name'],
  lastName: ['last_name', 'family_name', 'surname'],
  phone: ['mobile', 'mobile_phone', 'cell', 'cell_phone', 'phone', 'phone_number', 'telephone'],
  birthDate: ['birth_date', 'date_of_birth', 'dob', 'birthdate', 'birthday'],
  language: ['language', 'preferred_language'],
  status: ['status'],
  timeZone: ['time_zone', 'timezone'],
  line: ['line', 'address', 'street', 'address_line', 'address_line_1', 'address_1'],
  city: ['city'],
  state: ['state', 'province'],
  postalCode: ['postal_code', 'zip', 'zip_code', 'postcode'],
  country: ['country', 'country_code'],
  tags: ['tags'],
  effectiveAt: ['effective_at', 'updated_at', 'last_updated'],
} as const;

type Field = keyof typeof aliases;
type Values = Partial<Record<Field, string>>;

/** "Date-of Birth", "dateOfBirth" and "DATE_OF_BIRTH" are date_of_birth. */
const keyOf = (header: string): string =>
  header
    .trim()
    .replaceAll(/(\p{Ll})(?=\p{Lu})/gu, '$1_')
    .toLowerCase()
    .replaceAll(/[\s.\-_]+/g, '_');

/** What one data record of a CSV says, or why it cannot be imported. Columns that mean no field become facts. */
export function readDataRecord(
  header: readonly string[],
  cells: readonly string[],
  sourceSystem: string,
): PatientRecord | InvalidRecord {
  if (cells.length !== header.length) return invalid(null, misshapen(header.length, cells));
  const swallower = cells.findIndex((cell) => /[\n\r]/.test(cell) && cell.includes('"'));
  if (swallower >= 0)
    return invalid(header[swallower]!, 'The cell spans lines and holds a quote: is one left open?');
  const garbled = header.findIndex((name, index) => `${name}${cells[index]}`.includes('\uFFFD'));
  if (garbled >= 0) return invalid(header[garbled]!, 'The text is not UTF-8: save the file as "CSV UTF-8".');
  const { values, facts } = sort(header, cells);
  const fault = faultIn(values) ?? faultInFacts(facts);
  return fault ?? storable(patientOf(values, facts, sourceSystem));
}

function misshapen(expected: number, cells: readonly string[]): string {
  const lines = cells.join('').split(/\r\n?|\n/).length;
  const hint = lines > 1 ? ` It spans ${lines} lines: is a quote left open?` : '';
  return `The row has ${cells.length} columns where the header has ${expected}.${hint}`;
}

/** Which cell is which field; of two columns for one field the less believed one becomes the fact "other.…". */
function sort(
  header: readonly string[],
  cells: readonly string[],
): { values: Values; facts: [string, string][] } {
  const columns = header.map((name, index) => ({
    name: name.trim(),
    key: keyOf(name),
    value: cells[index]!.trim(),
  }));
  const filled = columns.filter(({ value }) => value !== '');
  const used = new Map<(typeof filled)[number], Field>();
  for (const [field, keys] of Object.entries(aliases) as [Field, readonly string[]][]) {
    const column = keys.flatMap((key) => filled.filter((each) => each.key === key))[0];
    if (column) used.set(column, field);
  }
  const known = new Set<string>(Object.values(aliases).flat());
  const factKey = ({ name, key }: { name: string; key: string }) =>
    known.has(key) ? `other.${key}` : name.replace(/^fact\./i, '');
  return {
    values: Object.fromEntries([...used].map(([{ value }, field]) => [field, value])),
    facts: filled.filter((column) => !used.has(column)).map((column) => [factKey(column), column.value]),
  };
}

const statuses: ReadonlySet<string> = new Set(['ACTIVE', 'INACTIVE', 'DECEASED']);

/** What must hold of a field when it is filled in, and what to say when it does not. */
const rules: { [field in Field]?: [holds: (value: string, values: Values) => boolean, message: string] } = {
  id: [(value) => isId(value) && !isRounded(value), 'An id has no blanks, and all its digits.'],
  phone: [
    (value, { country }) => normalizePhone(value, country) !== null,
    'This is not a phone number: write it with + and the country code, such as +15551230100.',
  ],
  birthDate: [
    (value) => calendarDate(value) !== null,
    'This is not a date: write YYYY-MM-DD, such as 1957-03-09.',
  ],
  language: [(value) => languageOf(value) !== null, 'This is not a language code, such as en or es-MX.'],
  status: [(value) => statuses.has(value.toUpperCase()), 'The status is ACTIVE, INACTIVE or DECEASED.'],
  timeZone: [
    (value) => canonicalZone(value) !== null,
    'This is not an IANA time zone, such as America/New_York.',
  ],
  effectiveAt: [
    (value) => instantOf(value) !== null,
    'This is not a time, such as 2026-01-31T09:00:00-05:00.',
  ],
};

function faultIn(values: Values): InvalidRecord | null {
  if (!nameOf(values)) return invalid('name', 'The patient has no name.');
  for (const [field, [holds, message]] of Object.entries(rules)) {
    const value = values[field as Field];
    if (value !== undefined && !holds(value, values)) return invalid(field, message);
  }
  return null;
}

function faultInFacts(facts: [string, string][]): InvalidRecord | null {
  const fault = facts.find(([key]) => !isFactKey(key));
  return fault
    ? invalid(fault[0] || null, 'A column with values needs a header, and one that no attribute has.')
    : null;
}

const nameOf = ({ name, firstName, lastName }: Values): string =>
  name ?? [firstName, lastName].filter(Boolean).join(' ');

function patientOf(values: Values, facts: [string, string][], sourceSystem: string): PatientRecord {
  const { phone, language, timeZone, effectiveAt } = values;
  return {
    kind: 'patient',
    canonicalId: idOf(values.id, sourceSystem),
    name: nameOf(values),
    birthDate: values.birthDate ?? null,
    phone: phone ? normalizePhone(phone, values.country) : null,
    language: language ? languageOf(language) : null,
    status: (values.status?.toUpperCase() ?? 'ACTIVE') as PatientRecord['status'],
    address: addressOf(values),
    timeZone: timeZone ? canonicalZone(timeZone) : null,
    facts: Object.fromEntries(facts),
    tags: [...new Set((values.tags ?? '').split(/[;,]/).map((tag) => tag.trim()))].filter(
      (tag) => tag !== '',
    ),
    effectiveAt: effectiveAt ? instantOf(effectiveAt) : null,
  };
}

/** An id that is canonical already, as an export of ours has it, stays what it is. */
function idOf(id: string | undefined, sourceSystem: string): string | null {
  if (id === undefined) return null;
  return /^[^:]+:\w+:.+$/.test(id) ? id : canonicalIdOf(sourceSystem, id);
}

function addressOf(values: Values): PatientAddress | null {
  const { line = null, city = null, state = null, postalCode = null, country = null } = values;
  const address = { line, city, state, postalCode, country };
  return Object.values(address).some((value) => value !== null) ? address : null;
}
