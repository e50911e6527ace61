import { answerers, origins, statuses, type Call as Row } from '../domain/call.ts';
import { outcomes, type Turn as TurnRow } from '../domain/call-fact.ts';
import { builder } from './builder.ts';
import { ContactDecision, Purpose } from './contact.ts';
import { WorldEvent } from './event.ts';
import { Patient } from './patient.ts';
import { Service, UseCase } from './workspace.ts';

export const CallStatus = builder.enumType('CallStatus', { values: statuses });
export const CallOrigin = builder.enumType('CallOrigin', { values: origins });
export const AnsweredBy = builder.enumType('AnsweredBy', { values: answerers });

const Turn = builder.objectRef<TurnRow>('Turn').implement({
  description: 'What one side said.',
  fields: (t) => ({
    speaker: t.exposeString('speaker'),
    text: t.exposeString('text'),
    at: t.expose('at', { type: 'DateTime' }),
  }),
});

export const Call = builder.objectRef<Row>('Call');

Call.implement({
  description:
    'One dial: QUEUED, RINGING, IN_PROGRESS, then how it ended. A status only rises, and the last one stays.',
  authScopes: { scope: 'calls:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    sid: t.exposeString('sid', {
      nullable: true,
      description: "The carrier's id; null until the carrier has accepted the call.",
    }),
    status: t.expose('status', { type: CallStatus }),
    origin: t.expose('origin', { type: CallOrigin }),
    patient: t.field({
      type: Patient,
      resolve: async ({ patientId }, _, { loaders }) => (await loaders.patient.load(patientId))!,
    }),
    phoneTo: t.expose('phoneTo', { type: 'E164' }),
    phoneFrom: t.expose('phoneFrom', { type: 'E164' }),
    reason: t.exposeString('reason'),
    goal: t.exposeString('goal', { nullable: true }),
    systemPrompt: t.exposeString('systemPrompt', { nullable: true }),
    welcomeMessage: t.exposeString('welcomeMessage', { nullable: true }),
    purpose: t.expose('purpose', { type: Purpose }),
    tags: t.exposeStringList('tags'),
    metadata: t.expose('metadata', { type: 'JSONObject' }),
    variables: t.expose('variables', {
      type: 'JSONObject',
      description: 'Per-call variables for the agent.',
    }),
    service: t.field({
      type: Service,
      nullable: true,
      resolve: ({ serviceId }, _, { loaders }) => (serviceId ? loaders.service.load(serviceId) : null),
    }),
    useCase: t.field({
      type: UseCase,
      nullable: true,
      resolve: ({ useCaseId }, _, { loaders }) => (useCaseId ? loaders.useCase.load(useCaseId) : null),
    }),
    derivedFrom: t.field({
      type: Call,
      nullable: true,
      resolve: ({ derivedFromId }, _, { loaders }) =>
        derivedFromId ? loaders.call.load(derivedFromId) : null,
    }),
    chain: t.field({
      type: [Call],
      complexity: { field: 1, multiplier: 10 },
      description: 'The whole chain of callbacks that this call belongs to, oldest first.',
      resolve: ({ chainId }, _, { loaders }) => loaders.chain.load(chainId),
    }),
    requestedBy: t.exposeString('requestedBy', {
      description: "The API key's id or the job that asked for it.",
    }),
    callbackUrl: t.exposeString('callbackUrl', { nullable: true }),
    initiatedEvent: t.field({
      type: WorldEvent,
      description: 'The event that recorded the request, before the call connected.',
      resolve: async ({ id }, _, { loaders }) => (await loaders.history.load(id))[0]!,
    }),
    decision: t.expose('decision', { type: ContactDecision }),
    answeredBy: t.expose('answeredBy', { type: AnsweredBy, nullable: true }),
    outcome: t.exposeString('outcome', {
      nullable: true,
      description: `What was achieved, as told by the agent: ${outcomes.join(', ')}.`,
    }),
    summary: t.exposeString('summary', { nullable: true }),
    transcript: t.expose('transcript', { type: [Turn] }),
    endedReason: t.exposeString('endedReason', { nullable: true }),
    queuedAt: t.expose('queuedAt', { type: 'DateTime' }),
    answeredAt: t.expose('answeredAt', { type: 'DateTime', nullable: true }),
    endedAt: t.expose('endedAt', { type: 'DateTime', nullable: true }),
    durationSeconds: t.exposeInt('durationSeconds', { nullable: true }),
    events: t.field({
      type: [WorldEvent],
      complexity: { field: 1, multiplier: 10 },
      resolve: ({ id }, _, { loaders }) => loaders.history.load(id),
    }),
  }),
});

export const CallConnection = builder.connectionObject(
  { type: Call, name: 'CallConnection' },
  { name: 'CallEdge' },
);
