import { canonicalZone } from './calendar.ts';
import {
  at,
  codeOf,
  compact,
  displayOf,
  extension,
  numberOf,
  part,
  parts,
  textOf,
  texts,
  type Element,
} from './fhir-element.ts';
import {
  calendarDate,
  instantOf,
  invalid,
  languageOf,
  normalizePhone,
  type InvalidRecord,
  type PatientAddress,
  type PatientRecord,
} from './record.ts';

const usCore = 'http://hl7.org/fhir/us/core/StructureDefinition';
const core = 'http://hl7.org/fhir/StructureDefinition';

/**
 * What a FHIR R4 Patient says (https://hl7.org/fhir/R4/patient.html). A phone number or a language that cannot be
 * read is kept as a fact, "as written"; a patient is not lost for it.
 */
export function readPatient(patient: Element, canonicalId: string): PatientRecord | InvalidRecord {
  const name = nameOf(patient);
  if (!name) return invalid('name', 'The Patient has no name.');
  const born = textOf(patient['birthDate']);
  if (patient['birthDate'] != null && (!born || !instantOf(born) || born.includes('T'))) {
    return invalid('birthDate', 'The birthDate is no date that FHIR allows: YYYY, YYYY-MM or YYYY-MM-DD.');
  }
  const updated = textOf(at(patient, 'meta.lastUpdated'));
  const effectiveAt = updated ? instantOf(updated) : null;
  if (updated && !effectiveAt)
    return invalid('meta.lastUpdated', 'The meta.lastUpdated is no instant that FHIR allows.');
  const home = byUse(parts(patient['address']), ['home'])[0];
  const phone = phoneOf(patient, textOf(home?.['country']));
  const language = languageSaid(patient);
  const birthDate = born ? calendarDate(born) : null;
  return {
    kind: 'patient',
    canonicalId,
    name,
    birthDate,
    phone: phone.read,
    language: language.read,
    status: statusOf(patient),
    address: home ? addressOf(home) : null,
    timeZone: canonicalZone(textOf(extension(home, `${core}/timezone`)['valueCode']) ?? ''),
    facts: compact({
      ...factsOf(patient),
      birthDateAsWritten: birthDate ? null : born,
      phoneAsWritten: phone.asWritten,
      languageAsWritten: language.asWritten,
    }),
    tags: [],
    effectiveAt,
  };
}

/** What was understood, and what was written when nothing was. */
interface Reading {
  read: string | null;
  asWritten: string | null;
}

/** Over: a period with an end, as there is no clock here to tell whether it is still to come; 9999 means never. */
const isOver = (element: Element): boolean => {
  const end = textOf(at(element, 'period.end'));
  return element['use'] === 'old' || (end !== null && !end.startsWith('9999'));
};

/** Those that are not over, by use and then by rank; among equals the first one written wins. */
function byUse(elements: Element[], uses: string[]): Element[] {
  const place = ({ use }: Element) =>
    typeof use === 'string' && uses.includes(use) ? uses.indexOf(use) : uses.length;
  const rank = (element: Element) => numberOf(element['rank']) ?? Number.MAX_SAFE_INTEGER;
  return elements
    .filter((each) => !isOver(each))
    .toSorted((a, b) => place(a) - place(b) || rank(a) - rank(b));
}

/** Given and family names, without prefix and suffix: the agent says it aloud. */
function nameOf(patient: Element): string | null {
  const names = byUse(parts(patient['name']), ['official', 'usual']);
  const spelled = (name: Element) =>
    textOf([...texts(name['given']), textOf(name['family']) ?? ''].join(' '));
  return names.map((name) => spelled(name) ?? textOf(name['text'])).find(Boolean) ?? null;
}

function phoneOf(patient: Element, country: string | null): Reading {
  const phones = byUse(
    parts(patient['telecom']).filter(({ system }) => system === 'phone'),
    ['mobile', 'home'],
  );
  const written = phones.map(({ value }) => textOf(value)).filter((value) => value !== null);
  const read = written.map((value) => normalizePhone(value, country ?? 'US')).find(Boolean) ?? null;
  return { read, asWritten: read ? null : (written[0] ?? null) };
}

function languageSaid(patient: Element): Reading {
  const said = parts(patient['communication']);
  const concept = (said.find(({ preferred }) => preferred === true) ?? said[0])?.['language'];
  const read = languageOf(codeOf(concept) ?? '');
  return { read, asWritten: read ? null : (displayOf(concept) ?? codeOf(concept)) };
}

function statusOf(patient: Element): PatientRecord['status'] {
  if (patient['deceasedBoolean'] === true || textOf(patient['deceasedDateTime'])) return 'DECEASED';
  // "The patient resource containing this link must no longer be used", https://hl7.org/fhir/R4/valueset-link-type.html
  const isReplaced = parts(patient['link']).some(({ type }) => type === 'replaced-by');
  return patient['active'] === false || isReplaced ? 'INACTIVE' : 'ACTIVE';
}

function addressOf(address: Element): PatientAddress {
  const place = extension(address, `${core}/geolocation`);
  const latitude = numberOf(extension(place, 'latitude')['valueDecimal']);
  const longitude = numberOf(extension(place, 'longitude')['valueDecimal']);
  const isPlace =
    latitude !== null && longitude !== null && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return {
    line: textOf(texts(address['line']).join(', ')),
    city: textOf(address['city']),
    state: textOf(address['state']),
    postalCode: textOf(address['postalCode']),
    country: textOf(address['country']),
    ...(isPlace ? { latitude, longitude } : {}),
  };
}

/** Race and ethnicity: https://hl7.org/fhir/us/core/StructureDefinition-us-core-race.html. */
const categoryOf = (patient: Element, url: string): string | null => {
  const category = extension(patient, url);
  return (
    textOf(extension(category, 'text')['valueString']) ??
    textOf(part(extension(category, 'ombCategory')['valueCoding'])['display'])
  );
};

function factsOf(patient: Element): Record<string, string | null> {
  const emails = byUse(
    parts(patient['telecom']).filter(({ system }) => system === 'email'),
    ['home'],
  );
  const needsInterpreter = extension(patient, `${core}/patient-interpreterRequired`)['valueBoolean'] === true;
  return {
    gender: textOf(patient['gender']),
    birthSex: textOf(extension(patient, `${usCore}/us-core-birthsex`)['valueCode']),
    race: categoryOf(patient, `${usCore}/us-core-race`),
    ethnicity: categoryOf(patient, `${usCore}/us-core-ethnicity`),
    maritalStatus: displayOf(patient['maritalStatus']) ?? codeOf(patient['maritalStatus']),
    email: textOf(emails[0]?.['value']),
    interpreterRequired: needsInterpreter ? 'yes' : null,
    generalPractitioner: textOf(parts(patient['generalPractitioner'])[0]?.['display']),
    deceasedAt: textOf(patient['deceasedDateTime']),
  };
}
