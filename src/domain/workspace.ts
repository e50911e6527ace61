import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { defaultKeptDays } from './call-recording.ts';
import type { Channel } from './consent.ts';
import type { Policy } from './gate.ts';
import { isAllowed, isOfTheUnitedStates } from './phone.ts';
import { InputRefusal } from './refusal.ts';

/** A tenant: nobody in one sees anything of another. */
export const table = defineEntity({
  name: 'Workspace',
  tableName: 'workspace',
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    /** In a sandbox only the numbers of the allowlist are ever dialled. */
    sandbox: p.boolean().default(false),
    allowlist: p.array().columnType('text[]').$type<string[]>(),
    /** The organization's own hours and caps, within the law. */
    policy: p.json().$type<Policy>(),
    /** How many call minutes it may use in a month; null: any. */
    limitMinutes: p.integer().nullable(),
    /** At which percent of them somebody should hear of it. */
    alertPercents: p.array().columnType('integer[]').$type<number[]>(),
    /** The highest of these that was told of. */
    alertedPercent: p.integer().nullable(),
    /** When its minutes are used up: the end of the month. As exact as the job that counts them. */
    spentUntil: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
/** One workspace. */
export interface Workspace extends InferEntity<typeof table> {}

/** Whether a number may be contacted from here at all: it costs nobody extra, and in a sandbox it is on the allowlist. */
export const mayReach = (
  workspace: Pick<Workspace, 'sandbox' | 'allowlist'> | null,
  phone: string,
): boolean => isAllowed(phone) && (!workspace?.sandbox || workspace.allowlist.includes(phone));

/** Refuses DESTINATION_NOT_ALLOWED for a number that may not be contacted from here; `field` names it in the input. */
export function checkReach(workspace: Workspace | null, phone: string, field: string): void {
  if (mayReach(workspace, phone)) return;
  const message =
    'This number may not be called: it has a premium rate, or is not on the allowlist of this sandbox.';
  throw new InputRefusal([{ path: ['input', field], message }], 'DESTINATION_NOT_ALLOWED');
}

/** What an organization allows itself until it says otherwise: what the law does, as often as it likes. */
export const openPolicy: Policy = {
  hours: [],
  caps: { perDay: null, perWeek: null, cooldownMinutes: 0 },
  maxConcurrentCalls: null,
  recordingDays: defaultKeptDays,
};

/** A key of the API. The secret itself is shown once and never stored. */
export const apiKeys = defineEntity({
  name: 'ApiKey',
  tableName: 'api_key',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    /** Hex SHA-256 of the secret, which has 256 random bits: no slow hash is needed. */
    secretHash: p.text().unique(),
    scopes: p.array().columnType('text[]').$type<Scope[]>(),
    createdAt: p.datetime(),
    lastUsedAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
  },
});
/** One key. */
export interface ApiKey extends InferEntity<typeof apiKeys> {}

/** What a key may do. `organization:write` makes workspaces. */
export const scopes = [
  'patients:read',
  'patients:write',
  'calls:read',
  'calls:write',
  'outcomes:write',
  'tasks:read',
  'tasks:write',
  'campaigns:read',
  'campaigns:write',
  'triggers:read',
  'triggers:write',
  'conversations:read',
  'conversations:write',
  'voicemails:read',
  'voicemails:write',
  'events:read',
  'workspace:read',
  'workspace:write',
  'organization:write',
] as const;
/** One of `scopes`. */
export type Scope = (typeof scopes)[number];

/** Whether these scopes allow that one: who may write may read what was written, and who may do all may do a part. */
export const covers = (own: readonly Scope[], wanted: string): boolean =>
  own.some(
    (scope) => scope === wanted || scope === wanted.replace(/:read$/, ':write') || scope === wider[wanted],
  );

/** Scopes that are a part of another: what an agent elsewhere needs is only a part of what is done with calls. */
const wider: Record<string, Scope> = { 'outcomes:write': 'calls:write' };

/** The scopes of a new workspace's first key: all that stay within it. */
export const workspaceScopes = scopes.filter((scope) => scope !== 'organization:write');

/** An agent's configuration: who speaks, and how it greets. */
export const services = defineEntity({
  name: 'Service',
  tableName: 'service',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    systemPrompt: p.text(),
    greeting: p.text(),
    /** What is left on an answering machine; null: nothing, it is hung up on. */
    machineMessage: p.text().nullable(),
    /** The media-stream URL of an agent elsewhere that speaks instead of ours; null: ours does. */
    streamUrl: p.text().nullable(),
    /** Whether its calls are recorded where the law and the patient allow it (C-44). */
    recordsCalls: p.boolean(),
    active: p.boolean(),
    isDefault: p.boolean(),
    createdAt: p.datetime(),
  },
});
/** One service. */
export interface Service extends InferEntity<typeof services> {}

/** How far a number is registered as a sender of voicemails with the vendor; UNKNOWN: nobody has said. */
export const senderStates = ['UNKNOWN', 'PENDING', 'REGISTERED', 'REJECTED'] as const;
/** One of `senderStates`. */
export type SenderState = (typeof senderStates)[number];

/** A caller ID of ours. */
export const phoneNumbers = defineEntity({
  name: 'PhoneNumber',
  tableName: 'phone_number',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    phone: p.text(),
    label: p.text().nullable(),
    active: p.boolean(),
    voice: p.boolean(),
    text: p.boolean(),
    voicemailSender: p.text().$type<SenderState>(),
    serviceId: p.uuid().nullable(),
    createdAt: p.datetime(),
  },
  uniques: [{ properties: ['workspaceId', 'phone'] }],
  indexes: [{ name: 'phone_number_phone', properties: ['phone'] }],
});
/** One of our numbers. */
export interface PhoneNumber extends InferEntity<typeof phoneNumbers> {}

/** Whether a number may leave voicemails: one of the United States, with voice, that the vendor has not turned away. */
export const mayLeaveVoicemail = ({ phone, active, voice, voicemailSender }: PhoneNumber): boolean =>
  active &&
  voice &&
  isOfTheUnitedStates(phone) &&
  voicemailSender !== 'PENDING' &&
  voicemailSender !== 'REJECTED';

/** What a number can send on. */
export const channelsOf = (number: PhoneNumber): Set<Channel> =>
  new Set(
    !number.active
      ? []
      : [
          ...(number.voice ? ['VOICE' as const] : []),
          ...(number.text ? ['TEXT' as const] : []),
          ...(mayLeaveVoicemail(number) ? ['VOICEMAIL' as const] : []),
        ],
  );

/** A purpose of calling with the numbers that serve it. */
export const useCases = defineEntity({
  name: 'UseCase',
  tableName: 'use_case',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    channel: p.text().$type<Channel>(),
    numberIds: p.array().columnType('uuid[]').$type<string[]>(),
    createdAt: p.datetime(),
  },
});
/** One use case. */
export interface UseCase extends InferEntity<typeof useCases> {}

/** An answer that was given to an idempotency key, so that it can be given again for 24 hours. */
export const idempotencyKeys = defineEntity({
  name: 'IdempotencyKey',
  tableName: 'idempotency_key',
  properties: {
    workspaceId: p.uuid().primary(),
    key: p.text().primary(),
    operation: p.text(),
    /** Hex SHA-256 of the canonical JSON of the input. */
    inputHash: p.text(),
    /** What was made: a call, or an event that was recorded. */
    resultId: p.uuid(),
    createdAt: p.datetime(),
  },
});
/** One key with what it has made. */
export interface IdempotencyKey extends InferEntity<typeof idempotencyKeys> {}

/** How long an idempotency key is remembered: 24 hours. */
export const idempotencyMs = 86_400_000;

/** What a workspace signs with what it hands out, such as links to recordings: made at the first one. */
export const signingKeys = defineEntity({
  name: 'SigningKey',
  tableName: 'signing_key',
  properties: {
    workspaceId: p.uuid().primary(),
    /** Hex, 256 random bits. */
    secret: p.text(),
  },
});
/** One workspace's. */
export interface SigningKey extends InferEntity<typeof signingKeys> {}

/** Requests of one key in its current minute. Unlogged: after a crash a minute starts anew. */
export const requestWindows = defineEntity({
  name: 'RequestWindow',
  tableName: 'request_window',
  properties: {
    workspaceId: p.uuid().primary(),
    keyId: p.uuid().primary(),
    startedAt: p.datetime(),
    used: p.integer(),
  },
});

/** When the carrier account may start its next call. Unlogged: after a crash it may at once. */
export const carrierPaces = defineEntity({
  name: 'CarrierPace',
  tableName: 'carrier_pace',
  properties: { account: p.text().primary(), nextAt: p.datetime() },
});

/**
 * What other systems and we sign with: a trigger's for what comes in, a subscription's and the workspace's own (for the
 * callback URLs of calls) for what goes out. Kept readable, because signing needs it, and nowhere else.
 */
export const webhookSecrets = defineEntity({
  name: 'WebhookSecret',
  tableName: 'webhook_secret',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    /** The trigger, the subscription or the workspace. */
    ownerId: p.uuid(),
    /** whsec_ and the base64 of 32 random bytes. */
    secret: p.text(),
    createdAt: p.datetime(),
    /** When it was replaced, it is believed until then; null: it is the present one. */
    validUntil: p.datetime().nullable(),
  },
  indexes: [{ name: 'webhook_secret_owner', properties: ['ownerId'] }],
});
