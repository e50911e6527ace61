import { bases, blocks, channels, purposes, type Consent as ConsentEntry } from '../domain/consent.ts';
import type { ContactDecision as Decision } from '../domain/consent.ts';
import type { LocalWindow as Window } from '../domain/hours.ts';
import type { Preferences } from '../domain/patient.ts';
import { builder } from './builder.ts';

export const Channel = builder.enumType('Channel', { values: channels });
export const Purpose = builder.enumType('Purpose', {
  description:
    'Why someone is contacted. OTHER is any other matter of care; what concerns money is BILLING, and advertising, surveys and recruitment are MARKETING.',
  values: purposes,
});
export const LegalBasis = builder.enumType('LegalBasis', { values: bases });
export const ContactBlock = builder.enumType('ContactBlock', { values: blocks });

export const ContactDecision = builder.objectRef<Decision>('ContactDecision').implement({
  description:
    'What the one gate before every dial, text and voicemail decided, and why. Stored with each attempt.',
  fields: (t) => ({
    allowed: t.exposeBoolean('allowed'),
    blocks: t.expose('blocks', { type: [ContactBlock] }),
    basis: t.expose('basis', { type: LegalBasis, nullable: true }),
    localTime: t.exposeString('localTime', { nullable: true }),
    timeZone: t.expose('timeZone', { type: 'TimeZone', nullable: true }),
    nextAllowedAt: t.expose('nextAllowedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The first instant at which time alone would no longer block.',
    }),
    policyVersion: t.exposeString('policyVersion'),
    decidedAt: t.expose('decidedAt', { type: 'DateTime' }),
  }),
});

export const Consent = builder.objectRef<ConsentEntry>('Consent').implement({
  description: 'An append-only ledger: per number, channel and purpose; a revocation wins.',
  fields: (t) => ({
    id: t.exposeID('id'),
    phone: t.expose('phone', { type: 'E164' }),
    channels: t.expose('channels', { type: [Channel] }),
    purposes: t.expose('purposes', { type: [Purpose] }),
    basis: t.expose('basis', { type: LegalBasis }),
    grantedAt: t.expose('grantedAt', { type: 'DateTime' }),
    method: t.exposeString('method'),
    evidence: t.exposeString('evidence', { nullable: true }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true }),
    revocation: t.exposeString('revocation', { nullable: true }),
  }),
});

export const LocalWindow = builder.objectRef<Window>('LocalWindow').implement({
  description:
    'Open from opensAt up to, not including, closesAt, on these ISO weekdays (1 is Monday; none: every day). One that closes before it opens closes on the next day; one that closes when it opens is the whole day.',
  fields: (t) => ({
    weekdays: t.exposeIntList('weekdays'),
    opensAt: t.expose('opensAt', { type: 'LocalTime' }),
    closesAt: t.expose('closesAt', { type: 'LocalTime' }),
  }),
});

export const LocalWindowInput = builder.inputType('LocalWindowInput', {
  description: 'Left out: every day, and the whole day.',
  fields: (t) => ({
    weekdays: t.intList(),
    opensAt: t.field({ type: 'LocalTime' }),
    closesAt: t.field({ type: 'LocalTime' }),
  }),
});

export const ContactPreferences = builder.objectRef<Preferences>('ContactPreferences').implement({
  description: 'How and when a patient wants to be reached.',
  fields: (t) => ({
    preferredChannel: t.expose('preferredChannel', { type: Channel, nullable: true }),
    blockedChannels: t.expose('blockedChannels', { type: [Channel] }),
    windows: t.expose('windows', { type: [LocalWindow], description: 'None: any time.' }),
  }),
});
