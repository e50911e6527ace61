import { monthOf, reachedOf } from '../domain/usage.ts';
import * as rows from '../domain/workspace.ts';
import { builder } from './builder.ts';
import { Channel, LocalWindow } from './contact.ts';

const Usage = builder.objectRef<{ workspace: rows.Workspace; minutes: number }>('Usage').implement({
  fields: (t) => ({
    month: t.string({
      description: 'YYYY-MM, UTC.',
      resolve: (_, __, { clock }) => monthOf(clock.now()).name,
    }),
    callMinutes: t.exposeInt('minutes', {
      description: 'Begun minutes of calls that ended this month, counted from the calls.',
    }),
    limitMinutes: t.int({
      nullable: true,
      description: 'Beyond them nobody is called until the next month; null: there is no limit.',
      resolve: ({ workspace }) => workspace.limitMinutes ?? null,
    }),
    alertPercents: t.intList({ resolve: ({ workspace }) => workspace.alertPercents }),
    reachedPercent: t.int({
      nullable: true,
      description: 'The highest of alertPercents that has been reached; null: none.',
      resolve: ({ workspace, minutes }) => reachedOf(workspace, minutes),
    }),
  }),
});

export const Workspace = builder.objectRef<rows.Workspace>('Workspace');
Workspace.implement({
  authScopes: { scope: 'workspace:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    usage: t.field({
      type: Usage,
      resolve: async (workspace, _, { usages }) => ({
        workspace,
        minutes: await usages.minutes(workspace.id),
      }),
    }),
    sandbox: t.exposeBoolean('sandbox'),
    allowlist: t.expose('allowlist', {
      type: ['E164'],
      description: 'In a sandbox, the only numbers that are ever contacted.',
    }),
    hours: t.field({
      type: [LocalWindow],
      description:
        "The organization's own hours on the person's clock, within the law; none: the law's alone.",
      resolve: ({ policy }) => policy.hours,
    }),
    attemptsPerDay: t.int({
      nullable: true,
      description: 'At one person over all channels; null: as the law allows.',
      resolve: ({ policy }) => policy.caps.perDay,
    }),
    attemptsPerWeek: t.int({ nullable: true, resolve: ({ policy }) => policy.caps.perWeek }),
    cooldownMinutes: t.int({
      description: 'Between the beginning of one attempt at a person and the next.',
      resolve: ({ policy }) => policy.caps.cooldownMinutes,
    }),
    maxConcurrentCalls: t.int({
      nullable: true,
      description: 'Calls under way beyond which tasks wait; null: as many as the carrier allows.',
      resolve: ({ policy }) => policy.maxConcurrentCalls,
    }),
    recordingDays: t.int({
      description: 'For how many days recordings of calls are kept; then they are deleted at the carrier.',
      resolve: ({ policy }) => policy.recordingDays,
    }),
  }),
});

export const Service = builder.objectRef<rows.Service>('Service').implement({
  description: "An agent's configuration: who speaks, and how it greets.",
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    systemPrompt: t.exposeString('systemPrompt'),
    greeting: t.exposeString('greeting'),
    machineMessage: t.exposeString('machineMessage', {
      nullable: true,
      description: 'What is left on an answering machine after its beep; null: it is hung up on.',
    }),
    streamUrl: t.exposeString('streamUrl', {
      nullable: true,
      description: 'Where an agent elsewhere speaks instead of ours, over Twilio Media Streams.',
    }),
    recordsCalls: t.exposeBoolean('recordsCalls', {
      description:
        'Whether its calls are recorded where the law and the patient allow it; Call.recording tells.',
    }),
    active: t.exposeBoolean('active'),
    isDefault: t.exposeBoolean('isDefault'),
  }),
});

export const SenderState = builder.enumType('SenderState', { values: rows.senderStates });
export const PhoneNumber = builder.objectRef<rows.PhoneNumber>('PhoneNumber');
export const UseCase = builder.objectRef<rows.UseCase>('UseCase');

PhoneNumber.implement({
  description: 'A caller ID of ours.',
  fields: (t) => ({
    id: t.exposeID('id'),
    phone: t.expose('phone', { type: 'E164' }),
    label: t.exposeString('label', { nullable: true }),
    active: t.exposeBoolean('active'),
    voice: t.exposeBoolean('voice'),
    text: t.exposeBoolean('text'),
    voicemailSender: t.expose('voicemailSender', {
      type: SenderState,
      description:
        'How far the vendor of voicemails knows it as a sender. PENDING and REJECTED ones leave none.',
    }),
    service: t.field({
      type: Service,
      nullable: true,
      resolve: ({ serviceId }, _, { loaders }) => (serviceId ? loaders.service.load(serviceId) : null),
    }),
    useCases: t.field({
      type: [UseCase],
      resolve: ({ id }, _, { loaders }) => loaders.useCasesOf.load(id),
    }),
  }),
});

UseCase.implement({
  description: 'A purpose of calling with the numbers that serve it.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    channel: t.expose('channel', { type: Channel }),
    numbers: t.field({
      type: [PhoneNumber],
      resolve: async ({ numberIds }, _, { loaders }) =>
        (await loaders.phoneNumber.loadMany(numberIds)).filter(
          (number): number is rows.PhoneNumber => number !== null && !(number instanceof Error),
        ),
    }),
  }),
});

export const ApiKey = builder.objectRef<rows.ApiKey>('ApiKey').implement({
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    scopes: t.exposeStringList('scopes'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true }),
  }),
});
