import { z } from 'zod';
import { bases, channels, purposes } from '../domain/consent.ts';
import { builder } from '../schema/builder.ts';
import { Channel, LegalBasis, LocalWindowInput, Purpose } from '../schema/contact.ts';
import { checked, instant, localWindows, optional, phone, text, uuid } from '../schema/input.ts';
import { PatientResult } from './patient.ts';

const ConsentInput = builder.inputType('ConsentInput', {
  fields: (t) => ({
    patientId: t.id({ required: true }),
    phone: t.field({ type: 'E164', required: true }),
    channels: t.field({ type: [Channel], required: true }),
    purposes: t.field({ type: [Purpose], required: true }),
    basis: t.field({ type: LegalBasis, required: true }),
    method: t.string({
      required: true,
      description: 'How it was given, such as signed form; 1-256 characters.',
    }),
    evidence: t.string({ description: 'Where the proof is; at most 2,000 characters.' }),
    grantedAt: t.field({ type: 'DateTime', description: 'Left out: now.' }),
  }),
});

const consentRules = z.object({
  patientId: uuid,
  phone,
  channels: z.array(z.enum(channels)).min(1, 'Must name a channel.'),
  purposes: z.array(z.enum(purposes)).min(1, 'Must name a purpose.'),
  basis: z.enum(bases),
  method: text(1, 256),
  evidence: optional(text(0, 2_000)),
  grantedAt: optional(instant),
});

const ContactPreferencesInput = builder.inputType('ContactPreferencesInput', {
  description: 'It takes the place of what was said before.',
  fields: (t) => ({
    preferredChannel: t.field({ type: Channel }),
    blockedChannels: t.field({ type: [Channel] }),
    windows: t.field({ type: [LocalWindowInput], description: 'At most 20; none: any time.' }),
  }),
});

const preferenceRules = z.object({
  preferredChannel: optional(z.enum(channels)),
  blockedChannels: optional(z.array(z.enum(channels))).transform((blocked) => [...new Set(blocked ?? [])]),
  windows: localWindows,
});

const revocationRules = z.object({
  patientId: uuid,
  channels: optional(z.array(z.enum(channels)).min(1, 'Must name a channel, or be left out for all.')),
  reason: text(1, 256),
});

builder.mutationFields((t) => ({
  recordConsent: t.field({
    type: PatientResult,
    nullable: true,
    authScopes: { scope: 'patients:write' },
    args: { input: t.arg({ type: ConsentInput, required: true }) },
    resolve: (_, { input }, { registry, by, clock }) => {
      const { grantedAt, ...consent } = checked(consentRules, input);
      return registry.recordConsent(
        { ...consent, grantedAt: (grantedAt ?? clock.now()).toISOString() },
        by(),
      );
    },
  }),
  setContactPreferences: t.field({
    type: PatientResult,
    nullable: true,
    authScopes: { scope: 'patients:write' },
    args: {
      patientId: t.arg.id({ required: true }),
      input: t.arg({ type: ContactPreferencesInput, required: true }),
    },
    resolve: (_, args, { registry, by }) => {
      const { patientId } = checked(z.object({ patientId: uuid }), args, []);
      return registry.prefer(patientId, checked(preferenceRules, args.input), by());
    },
  }),
  revokeConsent: t.field({
    type: PatientResult,
    nullable: true,
    authScopes: { scope: 'patients:write' },
    description: 'In effect at once, for the channels named; for all when none is.',
    args: {
      patientId: t.arg.id({ required: true }),
      channels: t.arg({ type: [Channel] }),
      reason: t.arg.string({ required: true }),
    },
    resolve: (_, args, { registry, by }) => registry.revokeConsent(checked(revocationRules, args, []), by()),
  }),
}));
