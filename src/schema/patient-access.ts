import { subjects, type PatientAccess as Row } from '../domain/patient-access.ts';
import { builder } from './builder.ts';
import { isId } from './input.ts';
import { ApiKey } from './workspace.ts';

const AccessSubject = builder.enumType('AccessSubject', { values: subjects });

/** That somebody has read of a patient. */
export const PatientAccess = builder.objectRef<Row>('PatientAccess').implement({
  description: 'That somebody has read of a patient.',
  authScopes: { scope: 'workspace:read' },
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime' }),
    actor: t.exposeString('actor', { description: "Who: an API key's id, or agent, our own." }),
    apiKey: t.field({
      type: ApiKey,
      nullable: true,
      resolve: ({ actor }, _, { loaders }) => (isId(actor) ? loaders.apiKey.load(actor) : null),
    }),
    subject: t.expose('subject', { type: AccessSubject, description: 'What was read.' }),
    purpose: t.exposeString('purpose', {
      nullable: true,
      description:
        'Why, as the client has stated it in the header Purpose-Of-Use, or in the connection parameter purposeOfUse; null: it has not.',
    }),
    reads: t.exposeInt('reads', { description: 'How often, within a second.' }),
  }),
});

/** A page of who has read. */
export const PatientAccessConnection = builder.connectionObject(
  { type: PatientAccess, name: 'PatientAccessConnection' },
  { name: 'PatientAccessEdge' },
);
