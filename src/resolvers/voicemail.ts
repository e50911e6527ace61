import { z } from 'zod';
import { InputRefusal } from '../domain/refusal.ts';
import type { VoicemailAudio as AudioRow } from '../domain/voicemail-audio.ts';
import { builder } from '../schema/builder.ts';
import { answering } from '../schema/error.ts';
import { checked, text } from '../schema/input.ts';
import { VoicemailAudio } from '../schema/voicemail.ts';

const UploadVoicemailAudioPayload = builder
  .objectRef<{ audio: AudioRow }>('UploadVoicemailAudioPayload')
  .implement({ fields: (t) => ({ audio: t.expose('audio', { type: VoicemailAudio }) }) });

const UploadVoicemailAudioResult = answering(
  'UploadVoicemailAudioResult',
  UploadVoicemailAudioPayload,
  InputRefusal,
);

/** The rules of the arguments that are text. */
const uploadRules = z.object({ name: text(1, 100) });

builder.mutationFields((t) => ({
  uploadVoicemailAudio: t.field({
    type: UploadVoicemailAudioResult,
    nullable: true,
    authScopes: { scope: 'voicemails:write' },
    description:
      'Keeps a recording for voicemails: an MP3 of 10 to 60 seconds by its frames, at most 8 MiB. The same file under the same name is the recording that is already there.',
    args: {
      file: t.arg({ type: 'File', required: true }),
      name: t.arg.string({ required: true, description: '1-100 characters.' }),
    },
    resolve: async (_, { file, ...args }, { recordings, by }) => {
      const { name } = checked(uploadRules, args, []);
      return { audio: await recordings.upload({ name, content: file.stream() }, by()) };
    },
  }),
}));
