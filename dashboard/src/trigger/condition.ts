/** The conditions of a filter as people write them: one on each line, such as patient.facts.a1c gte 9. */

const operators = [
  'eq',
  'ne',
  'in',
  'gt',
  'gte',
  'lt',
  'lte',
  'exists',
  'olderThanDays',
  'withinDays',
  'heldForDays',
];
const shape = new RegExp(`^(\\S+)\\s+(${operators.join('|')})\\s+(.+)$`);

type Filter = Record<string, unknown>;

/** A filter's conditions as lines. */
export const linesOf = (filter: Filter): string =>
  Object.entries(filter)
    .flatMap(([path, value]) => conditionsAt(path, value))
    .join('\n');

function conditionsAt(path: string, value: unknown): string[] {
  const said = (one: unknown) => (typeof one === 'string' ? one : JSON.stringify(one));
  if (value === null) return [`${path} exists false`];
  if (Array.isArray(value)) return [`${path} in ${value.map(said).join(', ')}`];
  if (typeof value === 'object')
    return Object.entries(value).flatMap(([key, inner]) =>
      operators.includes(key)
        ? [`${path} ${key} ${[inner].flat().map(said).join(', ')}`]
        : conditionsAt(`${path}.${key}`, inner),
    );
  return [`${path} eq ${said(value)}`];
}

/** The filter that lines tell. A line that is none is answered as `unread`. */
export function filterOf(lines: string): { filter: Filter; unread: string | null } {
  const filter: Record<string, Filter> = {};
  for (const line of lines.split('\n').flatMap((text) => text.trim() || [])) {
    const found = shape.exec(line);
    if (!found) return { filter, unread: line };
    const [, path, operator, value] = found as unknown as [string, string, string, string];
    const wanted = operator === 'in' ? value.split(',').map((part) => valueOf(part.trim())) : valueOf(value);
    filter[path] = { ...filter[path], [operator]: wanted };
  }
  return { filter, unread: null };
}

/** True, false, a number as it would be written, or a text. */
function valueOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && String(Number(text)) === text ? Number(text) : text;
}
