import type { VoicemailAudio as Row } from '../domain/voicemail-audio.ts';
import { builder } from './builder.ts';

export const VoicemailAudio = builder.objectRef<Row>('VoicemailAudio').implement({
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
