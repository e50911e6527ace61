import { entityTypes, type Event } from '../domain/event.ts';
import { summarize } from '../domain/summary.ts';
import { builder } from './builder.ts';
import { readingOf } from './reading.ts';
import { Fact, Patient } from './patient.ts';

const EntityType = builder.enumType('EntityType', { values: entityTypes });

const read = readingOf<Event>('events:read', 'EVENT', (event) => event.patientId);

export const WorldEvent = builder.objectRef<Event>('WorldEvent');

WorldEvent.implement({
  description:
    'One thing that happened. Append-only; a correction is a new event that supersedes an old one.',
  authScopes: (event, context) => ({ $any: read(event, context) }),
  fields: (t) => ({
    id: t.exposeID('id'),
    cursor: t.string({
      nullable: true,
      description:
        'Where this event stands in the log; pass it as after to resume a subscription. Null for the few milliseconds until it has been sequenced; never null in events and worldEvents.',
      resolve: ({ cursor }) => (cursor === null ? null : String(cursor)),
    }),
    type: t.exposeString('type', { description: 'Dotted, such as outbound.initiated or call.ringing.' }),
    entityType: t.expose('entityType', { type: EntityType }),
    entityId: t.exposeID('entityId'),
    version: t.exposeInt('version', {
      description: "The entity's own version after this event, from 1, without gaps.",
    }),
    patient: t.field({
      type: Patient,
      nullable: true,
      resolve: ({ patientId }, _, { loaders }) => (patientId ? loaders.patient.load(patientId) : null),
    }),
    data: t.expose('data', { type: 'JSONObject' }),
    source: t.exposeString('source', {
      description: 'What made it: api, job, trigger, agent, carrier, import.',
    }),
    sourceSystem: t.exposeString('sourceSystem', {
      nullable: true,
      description: "The system it came from, such as an EHR's name.",
    }),
    actor: t.exposeString('actor', {
      description: "Who: an API key's id (never its secret), a job's name, an agent.",
    }),
    confidence: t.exposeFloat('confidence', { description: 'How sure the source is, 0 to 1.' }),
    effectiveAt: t.expose('effectiveAt', { type: 'DateTime', description: 'When it was true in the world.' }),
    recordedAt: t.expose('recordedAt', { type: 'DateTime', description: 'When it was written here.' }),
    causationId: t.exposeID('causationId', { nullable: true }),
    correlationId: t.exposeID('correlationId', { nullable: true }),
    supersedesId: t.exposeID('supersedesId', { nullable: true }),
    summary: t.string({ description: 'One line for people.', resolve: summarize }),
  }),
});

builder.objectField(Fact, 'event', (t) =>
  t.field({
    type: WorldEvent,
    description: 'The event that says so.',
    resolve: async ({ eventId }, _, { loaders }) => (await loaders.event.load(eventId))!,
  }),
);

export const WorldEventConnection = builder.connectionObject(
  { type: WorldEvent, name: 'WorldEventConnection' },
  { name: 'WorldEventEdge' },
);
