import { z } from 'zod';
import { channels } from '../domain/consent.ts';
import { InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import * as rows from '../domain/workspace.ts';
import { builder } from '../schema/builder.ts';
import { Channel } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import { checked, optional, phone, text, uuid } from '../schema/input.ts';
import { ApiKey, PhoneNumber, SenderState, Service, UseCase, Workspace } from '../schema/workspace.ts';

const name = text(1, 100);

builder.queryFields((t) => ({
  workspace: t.field({
    type: Workspace,
    resolve: async (_, __, { world, workspaceId }) =>
      (await world.findOne<rows.Workspace>(rows.table, { id: { eq: workspaceId } }))!,
  }),
  phoneNumbers: t.field({
    type: [PhoneNumber],
    authScopes: { scope: 'workspace:read' },
    resolve: (_, __, { world, workspaceId }) =>
      world.find<rows.PhoneNumber>(rows.phoneNumbers, { workspaceId: { eq: workspaceId } }),
  }),
  services: t.field({
    type: [Service],
    authScopes: { scope: 'workspace:read' },
    resolve: (_, __, { world, workspaceId }) =>
      world.find<rows.Service>(rows.services, { workspaceId: { eq: workspaceId } }),
  }),
  useCases: t.field({
    type: [UseCase],
    authScopes: { scope: 'workspace:read' },
    resolve: (_, __, { world, workspaceId }) =>
      world.find<rows.UseCase>(rows.useCases, { workspaceId: { eq: workspaceId } }),
  }),
  apiKeys: t.field({
    type: [ApiKey],
    authScopes: { scope: 'workspace:read' },
    description: 'Revoked ones too. A key itself is shown once, when it is made.',
    resolve: (_, __, { world, workspaceId }) =>
      world.find<rows.ApiKey>(rows.apiKeys, { workspaceId: { eq: workspaceId } }),
  }),
  clock: t.field({
    type: 'DateTime',
    description: 'What the clock says: real time, unless a simulation began elsewhere.',
    resolve: (_, __, { clock }) => clock.now(),
  }),
}));

interface KeyShown {
  apiKey: rows.ApiKey;
  secret: string | null;
}
const ApiKeyPayload = builder.objectRef<KeyShown>('ApiKeyPayload').implement({
  fields: (t) => ({
    apiKey: t.expose('apiKey', { type: ApiKey }),
    secret: t.exposeString('secret', {
      nullable: true,
      description: 'Only where the key was made just now.',
    }),
  }),
});
const WorkspacePayload = builder
  .objectRef<{ workspace: rows.Workspace; apiKey: rows.ApiKey; secret: string }>('WorkspacePayload')
  .implement({
    fields: (t) => ({
      workspace: t.expose('workspace', { type: Workspace }),
      apiKey: t.expose('apiKey', { type: ApiKey }),
      secret: t.exposeString('secret', { description: 'The first key of the workspace, shown this once.' }),
    }),
  });
const ServicePayload = builder
  .objectRef<{ service: rows.Service }>('ServicePayload')
  .implement({ fields: (t) => ({ service: t.expose('service', { type: Service }) }) });
const UseCasePayload = builder
  .objectRef<{ useCase: rows.UseCase }>('UseCasePayload')
  .implement({ fields: (t) => ({ useCase: t.expose('useCase', { type: UseCase }) }) });
const PhoneNumberPayload = builder
  .objectRef<{ phoneNumber: rows.PhoneNumber }>('PhoneNumberPayload')
  .implement({ fields: (t) => ({ phoneNumber: t.expose('phoneNumber', { type: PhoneNumber }) }) });

const ServiceInput = builder.inputType('ServiceInput', {
  fields: (t) => ({
    name: t.string({ required: true, description: '1-100 characters.' }),
    systemPrompt: t.string({ required: true, description: 'At most 10,000 characters.' }),
    greeting: t.string({ required: true, description: '1-200 characters.' }),
    machineMessage: t.string({
      description:
        'Left on an answering machine after its beep, 1-200 characters: who calls, and a number to call back; nothing of health, because others may hear it. Left out: machines are hung up on.',
    }),
    streamUrl: t.string({
      description:
        'wss; an agent elsewhere that speaks instead of ours, over Twilio Media Streams. Left out: ours speaks.',
    }),
    recordsCalls: t.boolean({
      description:
        'Records its calls where the law of the place of the patient lets one side consent, or the fact recordingConsent of the patient is "given"; any other value of it is a refusal. Left out: false.',
    }),
    isDefault: t.boolean({ description: "The workspace's first service is its default in any case." }),
  }),
});
const serviceRules = z.object({
  name,
  systemPrompt: text(0, 10_000),
  greeting: text(1, 200),
  machineMessage: optional(text(1, 200)),
  // Twilio takes the query away from a stream's URL.
  streamUrl: optional(
    text(1, 500).refine(
      (url) => URL.canParse(url) && new URL(url).protocol === 'wss:' && new URL(url).search === '',
      { error: 'Must be a wss URL without a query.' },
    ),
  ),
  recordsCalls: optional(z.boolean()).transform((value) => value ?? false),
  isDefault: optional(z.boolean()).transform((value) => value ?? false),
});

const UseCaseInput = builder.inputType('UseCaseInput', {
  fields: (t) => ({
    name: t.string({ required: true, description: '1-100 characters.' }),
    channel: t.field({ type: Channel, required: true }),
    numberIds: t.idList({ required: true, description: 'At most 100.' }),
  }),
});
const useCaseRules = z.object({ name, channel: z.enum(channels), numberIds: z.array(uuid).max(100) });

const PhoneNumberInput = builder.inputType('PhoneNumberInput', {
  fields: (t) => ({
    phone: t.field({ type: 'E164', required: true }),
    label: t.string({ description: 'At most 100 characters.' }),
    voice: t.boolean({ description: 'Can place calls; left out: true.' }),
    text: t.boolean({ description: 'Can send texts; left out: false.' }),
    voicemailSender: t.field({
      type: SenderState,
      description:
        'How far the vendor of voicemails knows it as a sender; left out: as before, at first UNKNOWN.',
    }),
    serviceId: t.id(),
  }),
});
const numberRules = z.object({
  phone,
  label: optional(text(0, 100)),
  voice: optional(z.boolean()).transform((value) => value ?? true),
  text: optional(z.boolean()).transform((value) => value ?? false),
  serviceId: optional(uuid),
  voicemailSender: optional(z.enum(rows.senderStates)),
});

const WorkspaceResult = answering('WorkspaceResult', WorkspacePayload, InputRefusal);
const ServiceResult = answering('ServiceResult', ServicePayload, InputRefusal);
const UseCaseResult = answering('UseCaseResult', UseCasePayload, InputRefusal, NotFoundRefusal);
const PhoneNumberResult = answering('PhoneNumberResult', PhoneNumberPayload, InputRefusal, NotFoundRefusal);
const ApiKeyResult = answering('ApiKeyResult', ApiKeyPayload, InputRefusal, NotFoundRefusal);

builder.mutationFields((t) => ({
  createWorkspace: t.field({
    type: WorkspaceResult,
    nullable: true,
    authScopes: { scope: 'organization:write' },
    description: 'For organization-level keys: a workspace of its own, with a first key.',
    args: { name: t.arg.string({ required: true }) },
    resolve: (_, args, { workspaces }) =>
      workspaces.createWorkspace(checked(z.object({ name }), args, []).name),
  }),
  createService: t.field({
    type: ServiceResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    args: { input: t.arg({ type: ServiceInput, required: true }) },
    resolve: async (_, { input }, { workspaces, workspaceId }) => ({
      service: await workspaces.createService(workspaceId, checked(serviceRules, input)),
    }),
  }),
  createUseCase: t.field({
    type: UseCaseResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    args: { input: t.arg({ type: UseCaseInput, required: true }) },
    resolve: async (_, { input }, { workspaces, workspaceId }) => ({
      useCase: await workspaces.createUseCase(workspaceId, checked(useCaseRules, input)),
    }),
  }),
  registerPhoneNumber: t.field({
    type: PhoneNumberResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: 'Registers a caller ID, or changes what is said of one.',
    args: { input: t.arg({ type: PhoneNumberInput, required: true }) },
    resolve: async (_, { input }, { workspaces, workspaceId }) => ({
      phoneNumber: await workspaces.registerNumber(workspaceId, checked(numberRules, input)),
    }),
  }),
  createApiKey: t.field({
    type: ApiKeyResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: `A new key, with at most the scopes of the key that makes it. Scopes: ${rows.scopes.join(', ')}.`,
    args: { name: t.arg.string({ required: true }), scopes: t.arg.stringList({ required: true }) },
    resolve: (_, args, { workspaces, key }) => {
      const given = checked(
        z.object({ name, scopes: z.array(z.string()).min(1, 'Must name a scope.').max(50) }),
        args,
        [],
      );
      return workspaces.createKey(key!, given.name, given.scopes);
    },
  }),
  revokeApiKey: t.field({
    type: ApiKeyResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: 'Ends a key; on every replica within a second.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, args, { workspaces, workspaceId }) => {
      const { id } = checked(z.object({ id: uuid }), args, []);
      return { apiKey: await workspaces.revokeKey(workspaceId, id), secret: null };
    },
  }),
}));
