import { hash } from 'node:crypto';

/** Hex SHA-256 of a value's canonical JSON: the same for the same content, whatever the order of its keys. */
export const hashOf = (value: unknown): string => hash('sha256', canonical(value));

/** JSON with sorted keys and without spaces. Instants become ISO strings, as in every JSON. */
function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object' || 'toJSON' in value)
    return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const members = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join()}}`;
}
