import { statuses, type Voicemail as Row } from '../domain/voicemail.ts';
import type { VoicemailAudio as AudioRow } from '../domain/voicemail-audio.ts';
import { readingOf } from './reading.ts';
import { builder } from './builder.ts';
import { ContactDecision } from './contact.ts';
import { WorldEvent } from './event.ts';
import { Patient } from './patient.ts';
import { UseCase } from './workspace.ts';

export const VoicemailAudio = builder.objectRef<AudioRow>('VoicemailAudio').implement({
  description: 'An MP3 of 10 to 60 seconds and at most 8 MiB.',
  authScopes: { scope: 'voicemails:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    durationSeconds: t.exposeFloat('durationSeconds', {
      description: 'What its frames add up to, whatever its headers state.',
    }),
    bytes: t.exposeInt('bytes'),
    sha256: t.exposeString('sha256', { description: 'Of the file, in hexadecimal.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const VoicemailStatus = builder.enumType('VoicemailStatus', { values: statuses });

export const Voicemail = builder.objectRef<Row>('Voicemail');

Voicemail.implement({
  description:
    'One ringless voicemail: PENDING until the vendor has told how it ended. That the vendor has accepted it delivers nothing.',
  authScopes: readingOf<Row>('voicemails:read', 'VOICEMAIL', (voicemail) => voicemail.patientId),
  fields: (t) => ({
    id: t.exposeID('id'),
    status: t.expose('status', { type: VoicemailStatus }),
    patient: t.field({
      type: Patient,
      resolve: async ({ patientId }, _, { loaders }) => (await loaders.patient.load(patientId))!,
    }),
    phoneTo: t.expose('phoneTo', { type: 'E164' }),
    phoneFrom: t.expose('phoneFrom', { type: 'E164' }),
    audio: t.field({
      type: VoicemailAudio,
      resolve: async ({ audioId }, _, { loaders }) => (await loaders.recording.load(audioId))!,
    }),
    useCase: t.field({
      type: UseCase,
      resolve: async ({ useCaseId }, _, { loaders }) => (await loaders.useCase.load(useCaseId))!,
    }),
    decision: t.expose('decision', { type: ContactDecision, description: 'Why it might be left.' }),
    carrierReference: t.exposeString('carrierReference', {
      nullable: true,
      description: "The vendor's id; null until it has accepted the voicemail.",
    }),
    failureReason: t.exposeString('failureReason', {
      nullable: true,
      description: 'Why it was not delivered, for people.',
    }),
    createdAt: t.expose('queuedAt', { type: 'DateTime' }),
    updatedAt: t.expose('statusAt', { type: 'DateTime' }),
    events: t.field({
      type: [WorldEvent],
      complexity: { field: 1, multiplier: 10 },
      description: 'Its own history, oldest first.',
      resolve: ({ id }, _, { loaders }) => loaders.history.load(id),
    }),
  }),
});

export const VoicemailConnection = builder.connectionObject(
  { type: Voicemail, name: 'VoicemailConnection' },
  { name: 'VoicemailEdge' },
);
