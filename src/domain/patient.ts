import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { believe, believed, isNews, type Beliefs } from './belief.ts';
import type { Channel } from './consent.ts';
import { rowColumns, type Event, type Fact as AnyFact } from './event.ts';
import type { LocalWindow } from './hours.ts';
import { phoneKindOf, type PhoneKind } from './phone.ts';
import type { Whereabouts } from './zone.ts';

export const entityType = 'PATIENT';
export const foldVersion = 1;

/** A person who is cared for. TEST: made up, never contacted for real. */
export const statuses = ['ACTIVE', 'INACTIVE', 'DECEASED', 'TEST'] as const;
/** One of `statuses`. */
export type PatientStatus = (typeof statuses)[number];

/** A patient: the fold of what every source has said. The typed columns hold what is believed. */
export const table = defineEntity({
  name: 'Patient',
  tableName: 'patient',
  properties: {
    ...rowColumns,
    /** source:ResourceType:id. */
    canonicalId: p.text().nullable(),
    status: p.text().$type<PatientStatus>(),
    name: p.text(),
    birthDate: p.date().nullable(),
    phone: p.text().nullable(),
    /** What the number is good for; null: there is none. */
    phoneKind: p.text().$type<PhoneKind>().nullable(),
    language: p.text().nullable(),
    timeZone: p.text().nullable(),
    beliefs: p.json().$type<Beliefs>(),
    tags: p.array().columnType('text[]').$type<string[]>(),
    preferredChannel: p.text().$type<Channel>().nullable(),
    /** Channels that the patient does not want to be reached on. */
    blockedChannels: p.array().columnType('text[]').$type<Channel[]>(),
    /** When the patient wants to be reached; empty: any time. */
    windows: p.json().$type<LocalWindow[]>(),
    /** The words of the name without case and accents, and the ends of the phone number: what a search matches. */
    searchTerms: p.array().columnType('text[]').$type<string[]>(),
    registeredAt: p.datetime(),
  },
  uniques: [{ properties: ['workspaceId', 'canonicalId'] }],
  indexes: [
    { name: 'patient_phone', properties: ['workspaceId', 'phone'] },
    { name: 'patient_status', properties: ['workspaceId', 'status', 'id'] },
    {
      name: 'patient_search',
      expression: 'create index patient_search on patient using gin (array_to_tsvector(search_terms))',
    },
  ],
});
/** One patient. */
export interface Patient extends InferEntity<typeof table> {}

/** Attributes that have a column of their own; every other key is a plain fact. */
const columnKeys = ['name', 'birthDate', 'phone', 'language', 'timeZone'] as const;

/** What other systems may record of a patient, besides anything that starts with `ext.`. */
export const externalTypes = [
  'appointment.booked',
  'appointment.confirmed',
  'appointment.rescheduled',
  'appointment.cancelled',
  'lab.result_received',
  'referral.approved',
  'coverage.verified',
  'condition.recorded',
  'medication.prescribed',
  'medication.refill_due',
  'medication.refill_requested',
  'encounter.discharged',
  'care_plan.milestone_due',
  'gap_in_care.detected',
] as const;
type ExternalType = (typeof externalTypes)[number] | `ext.${string}`;

/** How and when a patient wants to be reached. */
export interface Preferences {
  preferredChannel: Channel | null;
  blockedChannels: Channel[];
  windows: LocalWindow[];
}

interface Common extends AnyFact {}
/** What can happen to a patient, here and in other systems. */
export type Fact = Common &
  (
    | { type: 'patient.registered'; data: { canonicalId: string | null; attributes: Record<string, string> } }
    | { type: 'patient.updated'; data: { attributes?: Record<string, string>; tags?: string[] } }
    | { type: 'patient.status_changed'; data: { status: PatientStatus } }
    | { type: 'patient.preferences_set'; data: Preferences }
    | { type: 'patient.fact_learned'; data: { key: string; value: string } }
    | { type: ExternalType; data: Record<string, unknown> }
  );

/** What a source says of a patient at once. */
export interface Statement {
  canonicalId?: string | null;
  /** Name, birthDate, phone, language, timeZone, address.city and the like: what demographics say. */
  attributes: Record<string, string>;
  /** Anything else worth believing, key by key. */
  facts?: Record<string, string>;
  tags?: string[] | null;
  status?: PatientStatus | null;
  /** 0 to 1; left out: 1. */
  confidence?: number | null;
  /** The system that says it. */
  source: string;
  effectiveAt?: Date | null;
}

export const blank = (id: string, workspaceId: string): Patient => ({
  id,
  workspaceId,
  version: 0,
  foldVersion,
  canonicalId: null,
  status: 'ACTIVE',
  name: '',
  birthDate: null,
  phone: null,
  phoneKind: null,
  language: null,
  timeZone: null,
  beliefs: {},
  tags: [],
  preferredChannel: null,
  blockedChannels: [],
  windows: [],
  searchTerms: [],
  registeredAt: new Date(0),
});

export function evolve(patient: Patient, event: Event<Fact>): Patient {
  switch (event.type) {
    case 'patient.registered': {
      const { canonicalId, attributes } = event.data as {
        canonicalId: string | null;
        attributes: Record<string, string>;
      };
      return learn({ ...patient, canonicalId, registeredAt: event.recordedAt }, attributes, event);
    }
    case 'patient.updated': {
      const { attributes, tags } = event.data as { attributes?: Record<string, string>; tags?: string[] };
      return learn(tags ? { ...patient, tags } : patient, attributes ?? {}, event);
    }
    case 'patient.status_changed':
      return { ...patient, status: (event.data as { status: PatientStatus }).status };
    case 'patient.preferences_set':
      return { ...patient, ...(event.data as Preferences) };
    case 'patient.fact_learned': {
      const { key, value } = event.data as { key: string; value: string };
      return learn(patient, { [key]: value }, event);
    }
    default:
      return patient;
  }
}

export const patientOf = (patient: Patient): string => patient.id;

/** What of a statement is news: it registers an unknown patient, and records nothing when nothing changed. */
export function state(patient: Patient, said: Statement): Fact[] {
  const confidence = said.confidence ?? 1;
  const mark = {
    confidence,
    sourceSystem: said.source,
    ...(said.effectiveAt ? { effectiveAt: said.effectiveAt } : {}),
  };
  const news = (values: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(values).filter(([key, value]) =>
        isNews(patient.beliefs, key, { value, confidence, source: said.source }),
      ),
    );
  const attributes = news(said.attributes);
  const facts: Fact[] = [];
  if (patient.version === 0) {
    facts.push({
      type: 'patient.registered',
      data: { canonicalId: said.canonicalId ?? null, attributes },
      ...mark,
    });
  } else if (Object.keys(attributes).length > 0) {
    facts.push({ type: 'patient.updated', data: { attributes }, ...mark });
  }
  if (said.tags && said.tags.join('\n') !== patient.tags.join('\n')) {
    facts.push({ type: 'patient.updated', data: { tags: said.tags }, ...mark });
  }
  if (said.status && said.status !== patient.status) {
    facts.push({ type: 'patient.status_changed', data: { status: said.status }, ...mark });
  }
  for (const [key, value] of Object.entries(news(said.facts ?? {}))) {
    facts.push({ type: 'patient.fact_learned', data: { key, value }, ...mark });
  }
  return facts;
}

/** Records how the patient wants to be reached; it takes the place of what was said before. */
export const prefer = (_patient: Patient, preferences: Preferences): Fact[] => [
  { type: 'patient.preferences_set', data: preferences },
];

/** What is believed of where a patient may be. */
export const whereaboutsKeys = [
  'timeZone',
  'address.latitude',
  'address.longitude',
  'address.postalCode',
  'address.state',
  'address.country',
] as const;

/** Where the patient may be, as far as is believed; the number comes with the attempt. */
export function whereaboutsOf({ beliefs }: Pick<Patient, 'beliefs'>): Omit<Whereabouts, 'phone'> {
  const part = (name: string) => believed(beliefs, name);
  const degrees = (name: string) => (part(name) === null ? null : Number(part(name)));
  return {
    timeZone: part('timeZone'),
    address: {
      latitude: degrees('address.latitude'),
      longitude: degrees('address.longitude'),
      postalCode: part('address.postalCode'),
      state: part('address.state'),
      country: part('address.country'),
    },
  };
}

/** Records what another system says has happened. */
export const tell = (
  _patient: Patient,
  told: {
    id?: string;
    type: string;
    data: Record<string, unknown>;
    effectiveAt: Date | null;
    confidence: number | null;
    supersedesId: string | null;
  },
): Fact[] => {
  const { effectiveAt, confidence, ...rest } = told;
  const mark = { ...(effectiveAt ? { effectiveAt } : {}), ...(confidence === null ? {} : { confidence }) };
  return [{ ...rest, ...mark } as Fact];
};

/** Whether another system may record an event of this type. */
export const isExternalType = (type: string): type is ExternalType =>
  /^ext\.[a-z][a-z0-9_.]{0,59}$/.test(type) || (externalTypes as readonly string[]).includes(type);

/** Whether someone of this name is this patient; a birth date, where both know one, must agree. */
export const isNamed = (patient: Patient, who: { name: string; birthDate: string | null }): boolean =>
  termsOf(patient.name).join(' ') === termsOf(who.name).join(' ') &&
  (who.birthDate === null || !patient.birthDate || patient.birthDate === who.birthDate);

/** The words that a search for a name or a number is matched against. */
export function termsOf(text: string): string[] {
  return text
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .split(/[^\p{Letter}\p{Number}]+/u)
    .filter((word) => word !== '');
}

function learn(patient: Patient, values: Record<string, string>, event: Event): Patient {
  const { confidence, id: eventId } = event;
  const mark = {
    confidence,
    eventId,
    source: event.sourceSystem ?? event.source,
    effectiveAt: event.effectiveAt.toISOString(),
  };
  let { beliefs } = patient;
  for (const [key, value] of Object.entries(values)) beliefs = believe(beliefs, key, { value, ...mark });
  const columns = Object.fromEntries(columnKeys.map((key) => [key, believed(beliefs, key)]));
  const next = { ...patient, ...columns, beliefs, name: believed(beliefs, 'name') ?? '' };
  const phoneKind = next.phone === patient.phone ? patient.phoneKind : kindOf(next.phone);
  return { ...next, phoneKind, searchTerms: searchTermsOf(next) };
}

const kindOf = (phone: string | null | undefined): PhoneKind | null => (phone ? phoneKindOf(phone) : null);

function searchTermsOf({ name, phone }: Patient): string[] {
  const digits = phone?.slice(1) ?? '';
  const ends = digits ? [digits, digits.slice(-10), digits.slice(-7), digits.slice(-4)] : [];
  return [...new Set([...termsOf(name), ...ends])];
}
