import { z } from 'zod';
import type { Context } from '../context.ts';
import { purposes } from '../domain/consent.ts';
import { faultOf } from '../domain/cron.ts';
import { isEventType, unknownType } from '../domain/event-type.ts';
import { externalTypes, isExternalType } from '../domain/patient.ts';
import { nearest } from '../domain/nearest.ts';
import {
  IdempotencyRefusal,
  InputRefusal,
  NotFoundRefusal,
  StateRefusal,
  type FieldFault,
} from '../domain/refusal.ts';
import { faultOfTemplate } from '../domain/template.ts';
import * as triggers from '../domain/trigger.ts';
import { kinds, type Settings, type Trigger as Row } from '../domain/trigger.ts';
import { faultsOf } from '../domain/trigger-filter.ts';
import { runs, type TriggerRun as RunRow } from '../domain/trigger-run.ts';
import { builder, pageCost } from '../schema/builder.ts';
import { Channel, Purpose } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import * as input from '../schema/input.ts';
import { checked, isId, optional, text, whole } from '../schema/input.ts';
import { page } from '../schema/page.ts';
import { Trigger, TriggerKind, TriggerPreview, TriggerRun, TriggerRunConnection } from '../schema/trigger.ts';

const TriggerActionInput = builder.inputType('TriggerActionInput', {
  description:
    'The task to create. reason, goal and scheduleAt may hold {{event.data.path}} and {{patient.path}}.',
  fields: (t) => ({
    channel: t.field({ type: Channel, description: 'Left out: VOICE.' }),
    purpose: t.field({ type: Purpose, description: 'Left out: OTHER.' }),
    reason: t.string({ required: true, description: '1-256 characters.' }),
    goal: t.string({ description: 'At most 2,000 characters.' }),
    priority: t.int({ description: '1, the most urgent, to 10; left out: 5.' }),
    scheduleAt: t.string({
      description:
        'The instant that delaySeconds is counted from, such as {{event.data.startsAt}}. Left out: when the event was true, or when the schedule came.',
    }),
    delaySeconds: t.int({
      description:
        '0-31,536,000; left out: 0. With scheduleAt also negative: so long before, and not after that instant.',
    }),
    maxAttempts: t.int({ description: '1-20; left out: 3.' }),
    cancelOn: t.stringList({
      description:
        'Event types on this patient that make the task pointless, such as appointment.cancelled. At most 20.',
    }),
  }),
});

const TriggerInput = builder.inputType('TriggerInput', {
  fields: (t) => ({
    name: t.string({ required: true, description: '1-100 characters.' }),
    kind: t.field({ type: TriggerKind, required: true }),
    schedule: t.string({
      description:
        'Of a CRON and a MONITOR: a cron expression of five fields, at most 128 characters. A MONITOR without one looks every hour.',
    }),
    timeZone: t.field({ type: 'TimeZone', description: 'Left out: UTC.' }),
    eventType: t.string({
      description: 'Of an EVENT: a type of the closed list, or ext. and a name of your own.',
    }),
    filter: t.field({
      type: 'JSONObject',
      description:
        'What must hold, at most 20: {"event.data.flag": "H", "patient.facts.a1c": {"gte": 9}}. A value, a list of values, null for nothing, or operators: eq, ne, in, gt, gte, lt, lte, exists, and of dates olderThanDays and withinDays; of facts heldForDays. A CRON and a MONITOR find their patients by it.',
    }),
    action: t.field({ type: TriggerActionInput, required: true }),
    acceptedEventTypes: t.stringList({
      description: 'Of a WEBHOOK: at most 50 types that its events may have; none: any.',
    }),
    maxRetries: t.int({ description: '0-20; left out: 5. Only failures of a connection are tried again.' }),
    maxRunsPerMinute: t.int({ description: '1-10,000; left out: 1,000. Runs beyond that wait.' }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

const externalType = text(1, 64).refine(isExternalType, {
  error: ({ input }) =>
    `Unknown type; the nearest is ${nearest(String(input), externalTypes)}. Types of your own begin with ext.`,
});

const listOf = <S extends z.ZodType>(rules: S, most: number) =>
  optional(z.array(rules).max(most, { error: `Must be at most ${most}.` })).transform((values) => [
    ...new Set(values ?? []),
  ]);

/** The rules of TriggerInput, field by field. */
const rules = z.object({
  name: text(1, 100),
  kind: z.enum(kinds),
  schedule: optional(text(1, 128)),
  timeZone: optional(input.timeZone).transform((zone) => zone ?? 'UTC'),
  eventType: optional(text(1, 64).refine(isEventType, { error: ({ input }) => unknownType(String(input)) })),
  filter: optional(input.jsonObject).transform((filter) => filter ?? {}),
  action: z.object({
    channel: input.taskChannel,
    purpose: optional(z.enum(purposes)).transform((purpose) => purpose ?? 'OTHER'),
    reason: text(1, 256),
    goal: optional(text(0, 2_000)),
    priority: whole(1, 10, 5),
    scheduleAt: optional(text(1, 128)),
    delaySeconds: whole(-31_536_000, 31_536_000, 0),
    maxAttempts: whole(1, 20, 3),
    cancelOn: listOf(externalType, 20),
  }),
  acceptedEventTypes: listOf(text(1, 128), 50),
  maxRetries: whole(0, 20, 5),
  maxRunsPerMinute: whole(1, 10_000, 1_000),
  idempotencyKey: input.idempotencyKey,
});

/** What the rules of the fields alone cannot tell. */
function settingsOf(value: unknown, now: Date): { settings: Settings; idempotencyKey: string | null } {
  const { idempotencyKey, ...given } = checked(rules, value);
  const isScheduled = given.kind === 'CRON' || given.kind === 'MONITOR';
  const settings = { ...given, schedule: given.schedule ?? (given.kind === 'MONITOR' ? '0 * * * *' : null) };
  const faults: FieldFault[] = [];
  const fault = (path: string[], message: string | null) => {
    if (message !== null) faults.push({ path: ['input', ...path], message });
  };
  if (given.kind === 'CRON' && !given.schedule) fault(['schedule'], 'A CRON needs a schedule.');
  if (!isScheduled && given.schedule) fault(['schedule'], 'Only a CRON and a MONITOR have a schedule.');
  if (isScheduled && settings.schedule) fault(['schedule'], faultOf(settings.schedule, given.timeZone, now));
  if (given.kind === 'EVENT' && !given.eventType)
    fault(['eventType'], 'An EVENT needs the type of its events.');
  if (given.kind !== 'EVENT' && given.eventType) fault(['eventType'], 'Only an EVENT has an eventType.');
  if (given.kind !== 'WEBHOOK' && given.acceptedEventTypes.length > 0)
    fault(['acceptedEventTypes'], 'Only a WEBHOOK has acceptedEventTypes.');
  if (given.kind === 'MONITOR' && Object.keys(given.filter).length === 0)
    fault(['filter'], 'A MONITOR needs a filter: the state that it looks for.');
  for (const { key, message } of faultsOf(given.filter, !isScheduled))
    fault(key ? ['filter', key] : ['filter'], message);
  for (const name of ['reason', 'goal', 'scheduleAt'] as const) {
    const template = given.action[name];
    if (template !== null) fault(['action', name], faultOfTemplate(template, !isScheduled));
  }
  if (given.action.delaySeconds < 0 && given.action.scheduleAt === null)
    fault(['action', 'delaySeconds'], 'Must be 0 to 31,536,000 unless there is a scheduleAt.');
  if (faults.length > 0) throw new InputRefusal(faults);
  return { settings, idempotencyKey };
}

const TriggerPayload = builder
  .objectRef<{ trigger: Row; secret: string | null }>('TriggerPayload')
  .implement({
    fields: (t) => ({
      trigger: t.expose('trigger', { type: Trigger }),
      secret: t.exposeString('secret', {
        nullable: true,
        description: 'Only where a webhook was made just now.',
      }),
    }),
  });
const TriggerResult = answering(
  'TriggerResult',
  TriggerPayload,
  InputRefusal,
  NotFoundRefusal,
  IdempotencyRefusal,
);

const TriggerRunPayload = builder
  .objectRef<{ run: RunRow }>('TriggerRunPayload')
  .implement({ fields: (t) => ({ run: t.expose('run', { type: TriggerRun }) }) });
const TriggerRunResult = answering(
  'TriggerRunResult',
  TriggerRunPayload,
  InputRefusal,
  NotFoundRefusal,
  StateRefusal,
);

const WebhookSecretPayload = builder
  .objectRef<{ secret: string; previousValidUntil: Date }>('WebhookSecretPayload')
  .implement({
    fields: (t) => ({
      secret: t.exposeString('secret', { description: 'Shown this once.' }),
      previousValidUntil: t.expose('previousValidUntil', {
        type: 'DateTime',
        description: 'Until then what is signed with the one before is believed too.',
      }),
    }),
  });
export const WebhookSecretResult = answering('WebhookSecretResult', WebhookSecretPayload, NotFoundRefusal);

const idOf = (id: string): string => {
  if (isId(id)) return id.toLowerCase();
  throw triggers.noSuchTrigger(id);
};

const firingRules = z.object({ patientId: optional(input.uuid), data: optional(input.jsonObject) });
const firingOf = ({ patientId, data }: { patientId?: unknown; data?: unknown }) =>
  checked(firingRules, { patientId, data }, []);

builder.mutationFields((t) => ({
  createTrigger: t.field({
    type: TriggerResult,
    nullable: true,
    authScopes: { scope: 'triggers:write' },
    description: 'Active at once. A WEBHOOK gets its URL and its secret.',
    args: { input: t.arg({ type: TriggerInput, required: true }) },
    resolve: (_, args, { triggers: keeper, by }) => {
      const { settings, idempotencyKey } = settingsOf(args.input, by().now);
      return keeper.createTrigger(settings, idempotencyKey, by());
    },
  }),
  updateTrigger: t.field({
    type: TriggerResult,
    nullable: true,
    authScopes: { scope: 'triggers:write' },
    description: 'Its kind stays. Runs that wait already are made as told now.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: TriggerInput, required: true }) },
    resolve: (_, args, { triggers: keeper, by }) =>
      keeper.updateTrigger(idOf(args.id), settingsOf(args.input, by().now).settings, by()),
  }),
  setTriggerActive: t.field({
    type: TriggerResult,
    nullable: true,
    authScopes: { scope: 'triggers:write' },
    description:
      'Pauses or resumes it. What happens while it is paused fires nothing, then or later; runs that wait go on when it is resumed.',
    args: { id: t.arg.id({ required: true }), active: t.arg.boolean({ required: true }) },
    resolve: (_, { id, active }, { triggers: keeper, by }) => keeper.setActive(idOf(id), active, by()),
  }),
  fireTrigger: t.field({
    type: TriggerRunResult,
    nullable: true,
    authScopes: { scope: 'triggers:write' },
    description:
      'Fires now, whatever the filter says: for this patient, or for whom the data name. A CRON or a MONITOR without either fires for all whom its filter finds, and the first run is answered.',
    args: {
      id: t.arg.id({ required: true }),
      patientId: t.arg.id(),
      data: t.arg({ type: 'JSONObject', description: "The event's data. At most 64 KiB." }),
    },
    resolve: async (_, { id, ...given }, { triggers: keeper, by }) => ({
      run: await keeper.fireTrigger(idOf(id), firingOf(given), by()),
    }),
  }),
  rotateWebhookSecret: t.field({
    type: WebhookSecretResult,
    nullable: true,
    authScopes: { scope: 'triggers:write' },
    description: 'A new secret for a WEBHOOK; the one before goes on for a day.',
    args: { triggerId: t.arg.id({ required: true }) },
    resolve: (_, { triggerId }, { triggers: keeper, by }) => keeper.rotate(idOf(triggerId), by()),
  }),
}));

const here = ({ workspaceId }: Pick<Context, 'workspaceId'>) => ({ workspaceId: { eq: workspaceId } });

builder.queryFields((t) => ({
  trigger: t.field({
    type: Trigger,
    nullable: true,
    authScopes: { scope: 'triggers:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { loaders }) => (isId(id) ? loaders.trigger.load(id.toLowerCase()) : null),
  }),
  triggers: t.field({
    type: [Trigger],
    authScopes: { scope: 'triggers:read' },
    complexity: { field: 1, multiplier: 20 },
    description: 'Oldest first.',
    resolve: async (_, _args, context) =>
      (await context.world.find<Row>(triggers.table, here(context))).toSorted((a, b) =>
        a.id < b.id ? -1 : 1,
      ),
  }),
  triggerPreview: t.field({
    type: TriggerPreview,
    authScopes: { scope: 'triggers:read' },
    complexity: { field: 100 },
    args: {
      triggerId: t.arg.id({ required: true }),
      patientId: t.arg.id(),
      data: t.arg({ type: 'JSONObject' }),
    },
    description: 'What fireTrigger would do with the same arguments, without doing it.',
    resolve: (_, { triggerId, ...given }, { triggers: keeper, by }) =>
      keeper.preview(idOf(triggerId), firingOf(given), by()),
  }),
}));

builder.objectField(Trigger, 'runs', (t) =>
  t.connection(
    {
      type: TriggerRun,
      complexity: pageCost,
      description: 'Newest first.',
      resolve: ({ id }, args, context) =>
        page<RunRow>(
          args,
          (run) => [run.id],
          ({ start, limit, inverted }) =>
            context.world.page(runs, {
              where: { ...here(context), triggerId: { eq: id } },
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        ),
    },
    TriggerRunConnection,
  ),
);
