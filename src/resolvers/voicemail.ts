import { z } from 'zod';
import { bases, purposes } from '../domain/consent.ts';
import type { Event } from '../domain/event.ts';
import { named } from '../domain/id.ts';
import {
  CarrierRefusal,
  ContactBlocked,
  IdempotencyRefusal,
  InputRefusal,
  LimitRefusal,
  NotFoundRefusal,
  StateRefusal,
} from '../domain/refusal.ts';
import * as voicemails from '../domain/voicemail.ts';
import type { Voicemail as Row } from '../domain/voicemail.ts';
import type { VoicemailAudio as AudioRow } from '../domain/voicemail-audio.ts';
import { builder, pageCost } from '../schema/builder.ts';
import { LegalBasis, Purpose } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import { WorldEvent } from '../schema/event.ts';
import { checked, idempotencyKey, isId, optional, phone, text, uuid } from '../schema/input.ts';
import { page, renewed } from '../schema/page.ts';
import { Voicemail, VoicemailAudio, VoicemailConnection, VoicemailStatus } from '../schema/voicemail.ts';
import { watched } from '../schema/watch.ts';

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

const SendVoicemailInput = builder.inputType('SendVoicemailInput', {
  fields: (t) => ({
    patientId: t.id({ required: true }),
    phoneTo: t.field({ type: 'E164', description: "Left out: the patient's own number." }),
    useCaseId: t.id({
      required: true,
      description: 'Configured for voicemail: one of its United States numbers leaves it.',
    }),
    audioId: t.id({ required: true, description: 'Of uploadVoicemailAudio.' }),
    purpose: t.field({ type: Purpose, description: 'Left out: OTHER.' }),
    basis: t.field({ type: LegalBasis, description: "Grounds beside those of the number's consent ledger." }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

/** The rules of SendVoicemailInput, field by field. */
const sendRules = z.object({
  patientId: uuid,
  phoneTo: optional(phone),
  useCaseId: uuid,
  audioId: uuid,
  purpose: optional(z.enum(purposes)).transform((purpose) => purpose ?? 'OTHER'),
  basis: optional(z.enum(bases)),
  idempotencyKey,
});

const SendVoicemailPayload = builder
  .objectRef<{ voicemail: Row; event: Event; replayed: boolean }>('SendVoicemailPayload')
  .implement({
    fields: (t) => ({
      voicemail: t.expose('voicemail', { type: Voicemail }),
      event: t.expose('event', { type: WorldEvent }),
      replayed: t.exposeBoolean('replayed'),
    }),
  });

const SendVoicemailResult = answering(
  'SendVoicemailResult',
  SendVoicemailPayload,
  InputRefusal,
  NotFoundRefusal,
  ContactBlocked,
  LimitRefusal,
  IdempotencyRefusal,
  StateRefusal,
  CarrierRefusal,
);

builder.mutationFields((t) => ({
  sendVoicemail: t.field({
    type: SendVoicemailResult,
    nullable: true,
    authScopes: { scope: 'voicemails:write' },
    description:
      'Leaves a ringless voicemail now. By law it is a call: the same gate, hours and caps. The answer comes once the vendor has accepted it; whether it was delivered is told later, an hour later at the latest.',
    args: { input: t.arg({ type: SendVoicemailInput, required: true }) },
    resolve: (_, { input }, { attempts, by }) =>
      attempts.voicemails.sendVoicemail(checked(sendRules, input), by()),
  }),
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

builder.queryFields((t) => ({
  voicemail: t.field({
    type: Voicemail,
    nullable: true,
    authScopes: { scope: 'voicemails:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { world, workspaceId }) =>
      isId(id)
        ? world.findOne<Row>(voicemails.table, {
            workspaceId: { eq: workspaceId },
            id: { eq: id.toLowerCase() },
          })
        : null,
  }),
  voicemails: t.connection(
    {
      type: Voicemail,
      authScopes: { scope: 'voicemails:read' }, // an empty page tells as well
      args: { patientId: t.arg.id(), status: t.arg({ type: VoicemailStatus }) },
      complexity: pageCost,
      description: 'Newest first.',
      resolve: (_, { patientId, status, ...args }, { world, workspaceId }) => {
        const where = {
          workspaceId: { eq: workspaceId },
          ...(patientId == null ? {} : { patientId: named(patientId) }),
          ...(status ? { status: { eq: status } } : {}),
        };
        return page<Row>(
          args,
          ({ id }) => [id],
          ({ start, limit, inverted }) =>
            world.page(voicemails.table, {
              where,
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        );
      },
    },
    VoicemailConnection,
  ),
}));

builder.subscriptionField('voicemailUpdated', (t) =>
  t.field({
    type: Voicemail,
    authScopes: { scope: 'voicemails:read' },
    args: { id: t.arg.id({ required: true }) },
    description: 'Every change of one voicemail, first the state it is in now.',
    subscribe: (_, { id }, context) => watched<Row>(context, voicemails.table, { id, noun: 'voicemail' }),
    resolve: (voicemail, _, context) => renewed(context, voicemail),
  }),
);
