/** Paths into an event and its patient, as filters and templates name them: event.data.result.flag, patient.facts.language. */
import { believed } from './belief.ts';
import { nearest } from './nearest.ts';
import type { Patient } from './patient.ts';

/** What a trigger looks at: an event where there is one, and the patient as it is believed to be now. */
export interface Scene {
  event: { type: string | null; data: object; effectiveAt: Date } | null;
  patient: Patient;
  now: Date;
}

const eventParts = ['type', 'effectiveAt', 'data'];
const patientParts = [
  'id',
  'canonicalId',
  'name',
  'firstName',
  'birthDate',
  'phone',
  'language',
  'status',
  'timeZone',
  'tags',
  'facts',
] as const;
type PatientPart = (typeof patientParts)[number];

/** A path that is none of these can be read by nobody. */
const shape = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_:-]+)*$/;

/** What is wrong with a path; null: nothing. `hasEvent`: whether there will be one. */
export function faultOfPath(path: string, hasEvent: boolean): string | null {
  if (!shape.test(path)) return `${path} is no path: give names with dots between them.`;
  const [root, part, ...rest] = path.split('.');
  if (root === 'event' && !hasEvent) return `${path}: this kind of trigger has no event.`;
  if (root !== 'event' && root !== 'patient')
    return `${path} must begin with event. or patient.; the nearest is ${nearest(root!, ['event', 'patient'])}.`;
  const parts: readonly string[] = root === 'event' ? eventParts : patientParts;
  if (!part || !parts.includes(part))
    return `${path}: ${root} has ${parts.join(', ')}; the nearest is ${nearest(part ?? '', parts)}.`;
  const isDeep = part === 'data' || part === 'facts';
  if (isDeep === rest.length > 0) return null;
  return isDeep ? `${path} must name something in ${part}.` : `${path}: there is nothing in ${part}.`;
}

/** What stands at a path; undefined: nothing. */
export function valueAt(path: string, { event, patient }: Scene): unknown {
  const [root, part, ...rest] = path.split('.');
  if (root === 'patient') return ofPatient(patient, part as PatientPart, rest.join('.'));
  if (!event) return undefined;
  if (part === 'data') return deep(event.data, rest);
  return part === 'type' ? (event.type ?? undefined) : event.effectiveAt.toISOString();
}

function ofPatient(patient: Patient, part: PatientPart, fact: string): unknown {
  if (part === 'facts') return believed(patient.beliefs, fact) ?? undefined;
  if (part === 'firstName') return patient.name.split(' ')[0];
  return patient[part] ?? undefined;
}

function deep(value: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key)
        ? (at as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** Since when a fact has been what it is, whoever has said so; null: nothing is believed. */
export function heldSince({ beliefs }: Patient, fact: string): Date | null {
  const all = beliefs[fact] ?? [];
  const [first] = all;
  if (!first) return null;
  const earlier = all
    .filter(({ effectiveAt }) => effectiveAt <= first.effectiveAt)
    .toSorted((a, b) => (a.effectiveAt < b.effectiveAt ? 1 : -1));
  const other = earlier.findIndex(({ value }) => value !== first.value);
  return new Date(earlier.slice(0, other === -1 ? undefined : other).at(-1)!.effectiveAt);
}
