import type { Belief } from '../domain/belief.ts';
import { statuses, whereaboutsOf, type Patient as Row } from '../domain/patient.ts';
import { candidateZones } from '../domain/zone.ts';
import { readingOf } from './reading.ts';
import { builder } from './builder.ts';
import { ContactPreferences } from './contact.ts';

export const PatientStatus = builder.enumType('PatientStatus', { values: statuses });
const TimeZoneSource = builder.enumType('TimeZoneSource', {
  values: ['STATED', 'ADDRESS', 'AREA_CODE', 'UNKNOWN'] as const,
});

/** A belief with the attribute it is about, and those that it beat. */
interface FactRow extends Belief {
  key: string;
  beaten: FactRow[];
}

const zonesOf = (patient: Row) => candidateZones({ ...whereaboutsOf(patient), phone: patient.phone ?? null });

export const Patient = builder.objectRef<Row>('Patient');

Patient.implement({
  description: 'A person who is cared for: what every source has said of them, and everything that happened.',
  authScopes: readingOf<Row>('patients:read', 'PATIENT', (patient) => patient.id),
  fields: (t) => ({
    id: t.exposeID('id'),
    canonicalId: t.exposeString('canonicalId', {
      nullable: true,
      description: 'source:ResourceType:id, such as fhir:Patient:129c6ac7.',
    }),
    name: t.exposeString('name'),
    birthDate: t.expose('birthDate', { type: 'Date', nullable: true }),
    phone: t.expose('phone', { type: 'E164', nullable: true }),
    language: t.exposeString('language', { nullable: true }),
    status: t.expose('status', { type: PatientStatus }),
    timeZone: t.field({
      type: 'TimeZone',
      nullable: true,
      description: 'The zone its hours are reckoned in; where several are possible, the likeliest.',
      resolve: (patient) => zonesOf(patient).primary,
    }),
    timeZoneSource: t.field({ type: TimeZoneSource, resolve: (patient) => zonesOf(patient).source }),
    preferences: t.field({
      type: ContactPreferences,
      resolve: ({ preferredChannel, blockedChannels, windows }) => ({
        preferredChannel: preferredChannel ?? null,
        blockedChannels,
        windows,
      }),
    }),
    tags: t.exposeStringList('tags'),
    facts: t.field({
      type: [Fact],
      description: 'What is believed now, each with where it came from.',
      resolve: ({ beliefs }) =>
        Object.entries(beliefs)
          .toSorted(([a], [b]) => (a < b ? -1 : 1)) // as written and as read again, which Postgres orders its own way
          .flatMap(([key, [believed, ...beaten]]) =>
            believed
              ? [{ ...believed, key, beaten: beaten.map((belief) => ({ ...belief, key, beaten: [] })) }]
              : [],
          ),
    }),
  }),
});

const Fact = builder.objectRef<FactRow>('Fact');
Fact.implement({
  description:
    'The belief with the highest confidence, then the newest; the event that says so, and those it beat.',
  fields: (t) => ({
    key: t.exposeString('key'),
    value: t.exposeString('value'),
    confidence: t.exposeFloat('confidence'),
    source: t.exposeString('source'),
    effectiveAt: t.expose('effectiveAt', { type: 'DateTime' }),
    beaten: t.expose('beaten', { type: [Fact], description: 'What other sources said, best first.' }),
  }),
});
export { Fact };

export const PatientConnection = builder.connectionObject(
  {
    type: Patient,
    name: 'PatientConnection',
    fields: (t) => ({
      totalCount: t.int({
        resolve: (connection) => (connection as unknown as { total: () => Promise<number> }).total(),
      }),
    }),
  },
  { name: 'PatientEdge' },
);
