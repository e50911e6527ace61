import { statuses, type OutboundTask as Row } from '../domain/task.ts';
import { readingOf } from './reading.ts';
import { builder } from './builder.ts';
import { Call } from './call.ts';
import { Channel, ContactDecision, LocalWindow, Purpose } from './contact.ts';
import { WorldEvent } from './event.ts';
import { Patient } from './patient.ts';
import { Service } from './workspace.ts';

export const TaskStatus = builder.enumType('TaskStatus', { values: statuses });

export const OutboundTask = builder.objectRef<Row>('OutboundTask');

OutboundTask.implement({
  description:
    'A reason to reach someone at some time: SCHEDULED or SNOOZED while it waits, DISPATCHED when the carrier is asked, RUNNING once somebody answered, then how it ended.',
  authScopes: readingOf<Row>('tasks:read', 'OUTBOUND_TASK', (task) => task.patientId),
  fields: (t) => ({
    id: t.exposeID('id'),
    status: t.expose('status', { type: TaskStatus }),
    patient: t.field({
      type: Patient,
      resolve: async ({ patientId }, _, { loaders }) => (await loaders.patient.load(patientId))!,
    }),
    phone: t.expose('phone', {
      type: 'E164',
      description: "The number named, else the patient's own as it was when last looked up.",
    }),
    phoneFrom: t.expose('phoneFrom', {
      type: 'E164',
      description: 'Our number on that channel, resolved when the task was scheduled or moved there.',
    }),
    channel: t.expose('channel', {
      type: Channel,
      description: 'Of the next attempt, or of the last one where there is none.',
    }),
    reason: t.exposeString('reason'),
    goal: t.exposeString('goal', { nullable: true }),
    purpose: t.expose('purpose', { type: Purpose }),
    priority: t.exposeInt('priority', {
      description:
        '1 is the most urgent, 10 the least. A level is worth five minutes of waiting, so that nothing starves.',
    }),
    scheduledFor: t.expose('scheduledFor', { type: 'DateTime' }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Null while it is attempted, and once it is over.',
    }),
    nextAttemptReason: t.exposeString('nextAttemptReason', {
      nullable: true,
      description: 'Why nextAttemptAt is what it is, for people.',
    }),
    window: t.expose('window', { type: LocalWindow, nullable: true }),
    validUntil: t.expose('validUntil', {
      type: 'DateTime',
      nullable: true,
      description: 'Not attempted at or after this instant.',
    }),
    maxAttempts: t.exposeInt('maxAttempts'),
    backoffSeconds: t.exposeInt('backoffSeconds'),
    attempts: t.exposeInt('attempts', {
      description: 'Those that the carrier took; one that it refused for now does not count.',
    }),
    lastCall: t.field({
      type: Call,
      nullable: true,
      resolve: ({ lastCallId }, _, { loaders }) => (lastCallId ? loaders.call.load(lastCallId) : null),
    }),
    lastOutcome: t.exposeString('lastOutcome', {
      nullable: true,
      description: "How the last attempt ended: a call's ended reason, or blocked.",
    }),
    decision: t.expose('decision', {
      type: ContactDecision,
      nullable: true,
      description: 'What the gate said last.',
    }),
    calls: t.field({
      type: [Call],
      complexity: { field: 1, multiplier: 10 },
      description: 'Its attempts, oldest first.',
      resolve: ({ id }, _, { loaders }) => loaders.callsOf.load(id),
    }),
    service: t.field({
      type: Service,
      nullable: true,
      resolve: ({ serviceId }, _, { loaders }) => (serviceId ? loaders.service.load(serviceId) : null),
    }),
    tags: t.exposeStringList('tags'),
    metadata: t.expose('metadata', { type: 'JSONObject' }),
    cancelOn: t.exposeStringList('cancelOn', {
      description: 'Types of events on this patient that make the task pointless.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    events: t.field({
      type: [WorldEvent],
      complexity: { field: 1, multiplier: 10 },
      resolve: ({ id }, _, { loaders }) => loaders.history.load(id),
    }),
  }),
});

builder.objectField(Call, 'task', (t) =>
  t.field({
    type: OutboundTask,
    nullable: true,
    description: 'The task that it is an attempt at.',
    resolve: ({ taskId }, _, { loaders }) => (taskId ? loaders.task.load(taskId) : null),
  }),
);

export const OutboundTaskConnection = builder.connectionObject(
  {
    type: OutboundTask,
    name: 'OutboundTaskConnection',
    fields: (t) => ({
      totalCount: t.int({
        resolve: (connection) => (connection as unknown as { total: () => Promise<number> }).total(),
      }),
    }),
  },
  { name: 'OutboundTaskEdge' },
);
