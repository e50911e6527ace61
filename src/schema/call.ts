import {
  answerers,
  origins,
  statuses,
  type Call as Row,
  type CallContext as ContextRow,
} from '../domain/call.ts';
import { outcomes, type Turn as TurnRow } from '../domain/call-fact.ts';
import {
  type Recording as RecordingRow,
  type RecordingDecision as DecisionRow,
  type RecordingReason as Reason,
} from '../domain/call-recording.ts';
import { insightsOf, type Insights } from '../domain/insight.ts';
import { readingOf } from './reading.ts';
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

const CallContext = builder.objectRef<ContextRow>('CallContext').implement({
  description: 'What whoever speaks was given while the phone rang.',
  fields: (t) => ({
    instructions: t.exposeString('instructions'),
    greeting: t.exposeString('greeting'),
    patientSummary: t.exposeString('patientSummary', { description: 'At most 4,000 characters.' }),
    readyAt: t.expose('readyAt', { type: 'DateTime' }),
  }),
});

const CallInsights = builder.objectRef<Insights>('CallInsights').implement({
  description:
    'How a call went that has ended. Shares are of the time from answer to end, 0 to 1, by the length of what was said.',
  fields: (t) => ({
    agentTalkShare: t.exposeFloat('agentTalkShare'),
    personTalkShare: t.exposeFloat('personTalkShare'),
    silenceShare: t.exposeFloat('silenceShare'),
    interruptions: t.exposeInt('interruptions', {
      nullable: true,
      description: 'How often the person spoke into the words of the agent; null: it did not tell.',
    }),
    identityVerified: t.exposeBoolean('identityVerified', { nullable: true }),
    goalReached: t.exposeBoolean('goalReached'),
    firstWordMs: t.exposeInt('firstWordMs', {
      nullable: true,
      description: 'From the answer to the first word of the agent.',
    }),
  }),
});

const RecordingReason = builder.enumType('RecordingReason', {
  description: 'Why a call is recorded (CONSENTED, ONE_PARTY) or not.',
  values: {
    NOT_ASKED: { description: 'Its service does not record calls.' },
    REFUSED: { description: 'The patient does not want it.' },
    CONSENT_MISSING: {
      description: 'Everybody must consent in a state that the patient may be in, or it is unknown.',
    },
    CONSENTED: { description: 'The patient has consented.' },
    ONE_PARTY: {
      description: 'The consent of one side is enough in every state that the patient may be in.',
    },
  } satisfies Record<Reason, object>,
});

const RecordingDecision = builder.objectRef<DecisionRow>('RecordingDecision').implement({
  description: 'Whether a call is recorded, and why.',
  fields: (t) => ({
    allowed: t.exposeBoolean('allowed'),
    reason: t.expose('reason', { type: RecordingReason }),
    states: t.exposeStringList('states', {
      description: 'USPS codes of the states that the patient may be in; none: unknown.',
    }),
    announced: t.exposeBoolean('announced', { description: 'Whether the person is told first that it is.' }),
  }),
});

const Recording = builder.objectRef<RecordingRow>('Recording').implement({
  description: "A recording of a call. The carrier has it, until the workspace's recordingDays are over.",
  fields: (t) => ({
    sid: t.exposeString('sid', { description: "The carrier's id." }),
    durationSeconds: t.exposeInt('durationSeconds', { nullable: true }),
    recordedAt: t.expose('recordedAt', { type: 'DateTime' }),
    deletedAt: t.expose('deletedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const Call = builder.objectRef<Row>('Call');

Call.implement({
  description:
    'One dial: QUEUED, RINGING, IN_PROGRESS, then how it ended. A status only rises, and the last one stays.',
  authScopes: readingOf<Row>('calls:read', 'CALL', (call) => call.patientId),
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
    context: t.expose('context', {
      type: CallContext,
      nullable: true,
      description: 'What the agent was given while the phone rang.',
    }),
    recording: t.field({
      type: RecordingDecision,
      nullable: true,
      description: 'Decided while the phone rings; null: not yet.',
      resolve: ({ context }) => context?.recording ?? null,
    }),
    recordings: t.expose('recordings', { type: [Recording] }),
    insights: t.field({ type: CallInsights, nullable: true, resolve: insightsOf }),
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
