import * as cron from '../domain/cron.ts';
import { kinds, type Action as ActionRow, type Trigger as Row } from '../domain/trigger.ts';
import { statuses, type TriggerRun as RunRow } from '../domain/trigger-run.ts';
import type { TriggerPreview as PreviewRow } from '../trigger.ts';
import { builder, failure } from './builder.ts';
import { Channel, Purpose } from './contact.ts';
import { Patient } from './patient.ts';
import { OutboundTask } from './task.ts';

export const TriggerKind = builder.enumType('TriggerKind', { values: kinds });
const TriggerRunStatus = builder.enumType('TriggerRunStatus', { values: statuses });

const TriggerAction = builder.objectRef<ActionRow>('TriggerAction').implement({
  description: 'The task to create; strings may hold {{event.data.path}} and {{patient.path}}.',
  fields: (t) => ({
    channel: t.field({
      type: Channel,
      description:
        'VOICE also where none was named: then it is chosen for each patient, and changes after failed attempts.',
      resolve: ({ channel }) => channel ?? 'VOICE',
    }),
    isChannelNamed: t.boolean({
      description: 'False: the channel is chosen for each patient.',
      resolve: ({ channel }) => channel !== null,
    }),
    purpose: t.expose('purpose', { type: Purpose }),
    reason: t.exposeString('reason'),
    goal: t.exposeString('goal', { nullable: true }),
    priority: t.exposeInt('priority', { description: '1 is the most urgent, 10 the least.' }),
    scheduleAt: t.exposeString('scheduleAt', {
      nullable: true,
      description: 'The instant that delaySeconds is counted from, such as {{event.data.startsAt}}.',
    }),
    delaySeconds: t.exposeInt('delaySeconds'),
    maxAttempts: t.exposeInt('maxAttempts'),
    cancelOn: t.exposeStringList('cancelOn', {
      description: 'Event types on this patient that make the task pointless.',
    }),
  }),
});

const WebhookDestination = builder.objectRef<Row>('WebhookDestination').implement({
  description: 'Where another system posts events. The secret is shown once, when it is made or rotated.',
  fields: (t) => ({
    id: t.exposeID('id'),
    url: t.string({ resolve: ({ id }, _, { publicUrl }) => `${publicUrl}/hooks/${id}` }),
    acceptedEventTypes: t.exposeStringList('acceptedEventTypes', { description: 'None: every event.' }),
    maxRetries: t.exposeInt('maxRetries'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

/** How many instants of a schedule are wanted. Refuses INVALID_INPUT. */
export function countOf(count: number | null | undefined): number {
  const wanted = count ?? 5;
  if (wanted < 1 || wanted > 100) throw failure('INVALID_INPUT', 'count must be 1 to 100.');
  return wanted;
}

export const Trigger = builder.objectRef<Row>('Trigger').implement({
  description:
    'Creates a task at a time (CRON), on an event (EVENT), when another system posts (WEBHOOK), or when a patient comes to be in some state (MONITOR).',
  authScopes: { scope: 'triggers:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    kind: t.expose('kind', { type: TriggerKind }),
    active: t.exposeBoolean('active'),
    schedule: t.exposeString('schedule', { nullable: true, description: 'A cron expression in timeZone.' }),
    timeZone: t.expose('timeZone', { type: 'TimeZone' }),
    eventType: t.exposeString('eventType', { nullable: true }),
    filter: t.expose('filter', { type: 'JSONObject' }),
    action: t.expose('action', { type: TriggerAction }),
    maxRetries: t.exposeInt('maxRetries', {
      description: 'How often a run is begun again after its connection failed.',
    }),
    maxRunsPerMinute: t.exposeInt('maxRunsPerMinute', { description: 'Runs beyond that wait.' }),
    nextFireAt: t.expose('nextFireAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Null while it is paused, and where there is no schedule.',
    }),
    upcoming: t.field({
      type: ['DateTime'],
      args: { count: t.arg.int({ description: '1-100; left out: 5.' }) },
      description:
        'When the schedule comes next, exact through changes of the clock; also while it is paused.',
      resolve: ({ schedule, timeZone }, { count }, { clock }) => {
        const wanted = countOf(count);
        return schedule ? cron.nextRuns(schedule, timeZone, clock.now(), wanted) : [];
      },
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Of one that was taken away, and that only what it has made still names.',
    }),
    webhook: t.field({
      type: WebhookDestination,
      nullable: true,
      description: 'Of a WEBHOOK.',
      resolve: (trigger) => (trigger.kind === 'WEBHOOK' ? trigger : null),
    }),
  }),
});

export const TriggerRun = builder.objectRef<RunRow>('TriggerRun').implement({
  description:
    'One firing, for one cause. FAILED: a rule said no. DEAD: it could not be finished, or is part of a loop.',
  authScopes: { scope: 'triggers:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    trigger: t.field({
      type: Trigger,
      resolve: async ({ triggerId }, _, { loaders }) => (await loaders.trigger.load(triggerId))!,
    }),
    status: t.expose('status', { type: TriggerRunStatus }),
    firedBy: t.exposeString('firedBy', { description: "event, schedule, webhook, or an API key's id." }),
    attempts: t.exposeInt('attempts'),
    task: t.field({
      type: OutboundTask,
      nullable: true,
      resolve: ({ taskId }, _, { loaders }) => (taskId ? loaders.task.load(taskId) : null),
    }),
    error: t.exposeString('error', { nullable: true, description: 'Why there is no task.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const TriggerPreview = builder.objectRef<PreviewRow>('TriggerPreview').implement({
  description: 'What firing a trigger would do now, without doing it.',
  authScopes: { scope: 'triggers:read' },
  fields: (t) => ({
    patients: t.int({
      description: 'How many would be contacted.',
      resolve: ({ patientIds }) => patientIds.length,
    }),
    sample: t.field({
      type: [Patient],
      description: 'Ten of them, at the most.',
      resolve: async ({ patientIds }, _, { loaders }) =>
        (await Promise.all(patientIds.slice(0, 10).map((id) => loaders.patient.load(id)))).filter(
          (found) => found !== null,
        ),
    }),
    reason: t.string({ nullable: true, resolve: ({ plan }) => plan?.reason }),
    goal: t.string({ nullable: true, resolve: ({ plan }) => plan?.goal }),
    scheduledFor: t.field({ type: 'DateTime', nullable: true, resolve: ({ plan }) => plan?.scheduledFor }),
    problem: t.exposeString('problem', { nullable: true, description: 'Why there would be no task.' }),
  }),
});

builder.objectField(OutboundTask, 'trigger', (t) =>
  t.field({
    type: Trigger,
    nullable: true,
    description: 'What has created it.',
    resolve: ({ triggerId }, _, { loaders }) => (triggerId ? loaders.trigger.load(triggerId) : null),
  }),
);

export const TriggerRunConnection = builder.connectionObject(
  { type: TriggerRun, name: 'TriggerRunConnection' },
  { name: 'TriggerRunEdge' },
);
