/**
 * What an event and its patient must be like: paths, each with a value that it must have, a list of which it must have
 * one, null for nothing, or operators. All of them must hold. {"event.data.flag": "H", "patient.facts.a1c": {"gte": 9}}
 */
import { faultOfPath, heldSince, valueAt, type Scene } from './event-path.ts';
import { nearest } from './nearest.ts';

/** A filter as it was given. */
export type Filter = Record<string, unknown>;

type Test = (actual: unknown, wanted: unknown, at: { path: string; scene: Scene }) => boolean;

const dayMs = 86_400_000;

/** Facts are text, whatever they tell of: 7 and "7" are one. */
const same = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) ? a.some((each) => same(each, b)) : isScalar(a) && String(a) === String(b);

const order =
  (holds: (sign: number) => boolean): Test =>
  (actual, wanted) => {
    const sign = compare(actual, wanted);
    return sign !== null && holds(sign);
  };

const operators: Record<string, Test> = {
  eq: same,
  ne: (actual, wanted) => !same(actual, wanted),
  in: (actual, wanted) => (wanted as unknown[]).some((each) => same(actual, each)),
  gt: order((sign) => sign > 0),
  gte: order((sign) => sign >= 0),
  lt: order((sign) => sign < 0),
  lte: order((sign) => sign <= 0),
  exists: (actual, wanted) => (actual !== undefined && actual !== null) === wanted,
  /** A date or instant that is at least so many days ago. */
  olderThanDays: (actual, days, { scene }) => {
    const at = instant(actual);
    return at !== null && at <= scene.now.getTime() - (days as number) * dayMs;
  },
  /** A date or instant that comes within so many days; a date is its whole day. */
  withinDays: (actual, days, { scene }) => {
    const at = instant(actual);
    const now = scene.now.getTime();
    const lasts = String(actual).length === 10 ? dayMs : 1;
    return at !== null && at + lasts > now && at <= now + (days as number) * dayMs;
  },
  /** A fact that has been what it is for at least so many days. */
  heldForDays: (_actual, days, { path, scene }) => {
    const since = heldSince(scene.patient, factOf(path));
    return since !== null && since.getTime() <= scene.now.getTime() - (days as number) * dayMs;
  },
};

const ofDays = new Set(['olderThanDays', 'withinDays', 'heldForDays']);

interface Condition {
  path: string;
  operator: string;
  wanted: unknown;
}

/** Whether an event and its patient are as the filter says. One that is empty says nothing. */
export const fits = (filter: Filter, scene: Scene): boolean =>
  conditionsOf(filter).every(({ path, operator, wanted }) =>
    operators[operator]!(valueAt(path, scene), wanted, { path, scene }),
  );

/** The facts that must be known, whatever they are: what a search of patients is narrowed by. */
export const factsNeeded = (filter: Filter): string[] =>
  conditionsOf(filter)
    .filter(({ operator, wanted }) => operator !== 'ne' && (operator !== 'exists' || wanted === true))
    .map(({ path }) => factOf(path))
    .filter((fact) => fact !== '');

/** What is wrong with a filter, each with the key that it is in. */
export function faultsOf(filter: Filter, hasEvent: boolean): { key: string; message: string }[] {
  const conditions = conditionsOf(filter);
  if (conditions.length > 20) return [{ key: '', message: 'Must have at most 20 conditions.' }];
  return conditions.flatMap((condition) => {
    const message = faultOfPath(condition.path, hasEvent) ?? faultOf(condition);
    return message === null ? [] : [{ key: condition.path, message }];
  });
}

function faultOf({ path, operator, wanted }: Condition): string | null {
  if (!Object.hasOwn(operators, operator))
    return `Unknown operator ${operator}; the nearest is ${nearest(operator, Object.keys(operators))}.`;
  if (operator === 'heldForDays' && !path.startsWith('patient.facts.'))
    return 'heldForDays is asked of facts: patient.facts.name.';
  if (ofDays.has(operator))
    return typeof wanted === 'number' && wanted >= 0 ? null : `${operator} takes a number of days.`;
  if (operator === 'exists') return typeof wanted === 'boolean' ? null : 'exists takes true or false.';
  if (operator === 'in')
    return Array.isArray(wanted) && wanted.length <= 100 && wanted.every(isScalar)
      ? null
      : 'in takes a list of at most 100 texts, numbers and booleans.';
  return isScalar(wanted) ? null : `${operator} takes a text, a number or a boolean.`;
}

/** Objects may be nested instead of written with dots. data.x is event.data.x, facts.x is patient.facts.x, and a name alone is one of the event's data. */
function conditionsOf(filter: Filter): Condition[] {
  return Object.entries(filter).flatMap(([key, value]) => conditionsAt(pathOf(key), value));
}

function conditionsAt(path: string, value: unknown): Condition[] {
  if (value === null) return [{ path, operator: 'exists', wanted: false }];
  if (Array.isArray(value)) return [{ path, operator: 'in', wanted: value }];
  if (typeof value !== 'object') return [{ path, operator: 'eq', wanted: value }];
  const isContainer = ['event', 'patient', 'event.data', 'patient.facts'].includes(path);
  return Object.entries(value).flatMap(([key, inner]) =>
    isContainer || isNested(inner)
      ? conditionsAt(`${path}.${key}`, inner)
      : [{ path, operator: key, wanted: inner }],
  );
}

const isNested = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function pathOf(key: string): string {
  if (key === 'data' || key.startsWith('data.')) return `event.${key}`;
  if (key === 'facts' || key.startsWith('facts.')) return `patient.${key}`;
  return key.includes('.') || key === 'event' || key === 'patient' ? key : `event.data.${key}`;
}

const factOf = (path: string): string =>
  path.startsWith('patient.facts.') ? path.slice('patient.facts.'.length) : '';

const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);

/** Numbers by size, dates and instants by time; null: they cannot be compared. */
function compare(a: unknown, b: unknown): number | null {
  const [x, y] = [number(a), number(b)];
  if (x !== null && y !== null) return Math.sign(x - y);
  const [from, to] = [instant(a), instant(b)];
  return from === null || to === null ? null : Math.sign(from - to);
}

function number(value: unknown): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\s*-?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : null;
}

function instant(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d/.test(value)) return null;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : at;
}
