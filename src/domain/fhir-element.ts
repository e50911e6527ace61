/** Reading of FHIR's JSON as its sources write it: every element may be missing or of a wrong type. */

/** A JSON object of which nothing is known yet. */
export type Element = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export const isElement = (value: unknown): value is Element =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An element; empty when it is missing. */
export const part = (value: unknown): Element => (isElement(value) ? value : {});

/** The elements of a list; none when it is missing. */
export const parts = (value: unknown): Element[] => (Array.isArray(value) ? value.filter(isElement) : []);

/** A text without blanks around it; null when it is missing or blank. */
export const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : null;

/** The texts of a list. */
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(textOf).filter((text) => text !== null) : [];

/** A finite number; null when it is missing: JSON.parse makes 1e999 infinite. */
export const numberOf = (value: unknown): number | null =>
  Number.isFinite(value) ? (value as number) : null;

/** The value at a path such as "period.start". */
export const at = (element: Element, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => part(value)[key], element);

const codings = (concept: unknown): Element[] => parts(at(part(concept), 'coding'));

/** The first code of a CodeableConcept. */
export const codeOf = (concept: unknown): string | null => coded(concept).code;

/** What a CodeableConcept says to a person. */
export const displayOf = (concept: unknown): string | null =>
  textOf(at(part(concept), 'text')) ??
  codings(concept)
    .map(({ display }) => textOf(display))
    .find(Boolean) ??
  null;

/** A CodeableConcept in short: its first code with the system that defines it, and its text. */
export function coded(concept: unknown): {
  codeSystem: string | null;
  code: string | null;
  text: string | null;
} {
  const coding = codings(concept).find(({ code }) => textOf(code) !== null);
  return { codeSystem: textOf(coding?.['system']), code: textOf(coding?.['code']), text: displayOf(concept) };
}

/** The extension with this URL; empty when there is none. */
export const extension = (element: unknown, url: string): Element =>
  parts(at(part(element), 'extension')).find((each) => each['url'] === url) ?? {};

/** The object without what is not known: nulls, and lists of nothing. */
export const compact = <T>(data: Record<string, T>): Record<string, NonNullable<T>> =>
  Object.fromEntries(
    Object.entries(data).filter(
      (entry): entry is [string, NonNullable<T>] =>
        entry[1] != null && !(Array.isArray(entry[1]) && entry[1].length === 0),
    ),
  );
