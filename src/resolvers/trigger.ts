import { z } from 'zod';
import type { Context } from '../context.ts';
import { IdempotencyRefusal, InputRefusal, NotFoundRefusal, StateRefusal } from '../domain/refusal.ts';
import * as cron from '../domain/cron.ts';
import * as triggers from '../domain/trigger.ts';
import type { Trigger as Row } from '../domain/trigger.ts';
import { runs, type TriggerRun as RunRow } from '../domain/trigger-run.ts';
import { builder, failure, pageCost } from '../schema/builder.ts';
import { answering } from '../schema/error.ts';
import * as input from '../schema/input.ts';
import { checked, isId, optional } from '../schema/input.ts';
import { page } from '../schema/page.ts';
import { WebhookSecretResult } from '../schema/webhook.ts';
import { settingsOf, TriggerInput } from './trigger-input.ts';
import { countOf, Trigger, TriggerPreview, TriggerRun, TriggerRunConnection } from '../schema/trigger.ts';

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
  deleteTrigger: t.field({
    type: TriggerResult,
    nullable: true,
    authScopes: { scope: 'triggers:write' },
    description:
      'Takes it away for good: it fires no more, its webhook is gone, and runs that wait make nothing. Tasks that it has made stay.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { triggers: keeper, by }) => keeper.deleteTrigger(idOf(id), by()),
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
    complexity: { field: 1, multiplier: 10 },
    description: 'Oldest first.',
    resolve: async (_, _args, context) =>
      (await context.world.find<Row>(triggers.table, { ...here(context), deletedAt: { eq: null } })).toSorted(
        (a, b) => (a.id < b.id ? -1 : 1),
      ),
  }),
  scheduleTimes: t.field({
    type: ['DateTime'],
    authScopes: { scope: 'triggers:read' },
    args: {
      schedule: t.arg.string({ required: true, description: 'A cron expression of five fields.' }),
      timeZone: t.arg({ type: 'TimeZone', required: true }),
      count: t.arg.int({ description: '1-100; left out: 5.' }),
    },
    description: 'When a schedule would come next, before a trigger is made with it.',
    resolve: (_, args, { clock }) => {
      const zone = input.timeZone.safeParse(args.timeZone);
      if (!zone.success) throw failure('INVALID_INPUT', `timeZone: ${zone.error.issues[0]!.message}`);
      const timeZone = zone.data;
      const fault = cron.faultOf(args.schedule, timeZone, clock.now());
      if (fault) throw failure('INVALID_INPUT', `schedule: ${fault}`);
      return cron.nextRuns(args.schedule, timeZone, clock.now(), countOf(args.count));
    },
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
            context.loaders.page(runs, ['triggerId', id], {
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
