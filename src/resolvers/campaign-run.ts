import { z } from 'zod';
import * as calls from '../domain/call.ts';
import type { Call as CallRow } from '../domain/call.ts';
import { noSuchCampaign } from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import type { CampaignMember as MemberRow, CampaignRun as RunRow } from '../domain/campaign-run.ts';
import { IdempotencyRefusal, InputRefusal, NotFoundRefusal, StateRefusal } from '../domain/refusal.ts';
import { builder, pageCost } from '../schema/builder.ts';
import { Call, CallConnection } from '../schema/call.ts';
import { CampaignMember, CampaignRun } from '../schema/campaign.ts';
import { answering } from '../schema/error.ts';
import { checked, idempotencyKey, isId, optional, phone } from '../schema/input.ts';
import { page, renewed } from '../schema/page.ts';
import { watched } from '../schema/watch.ts';

const RunCampaignPayload = builder
  .objectRef<{ run: RunRow; replayed: boolean }>('RunCampaignPayload')
  .implement({
    fields: (t) => ({ run: t.expose('run', { type: CampaignRun }), replayed: t.exposeBoolean('replayed') }),
  });
const RunCampaignResult = answering(
  'RunCampaignResult',
  RunCampaignPayload,
  InputRefusal,
  NotFoundRefusal,
  IdempotencyRefusal,
  StateRefusal,
);

const callListRules = z.object({
  callList: optional(z.array(phone).max(1_000, { error: 'Must be at most 1,000.' })),
  idempotencyKey: idempotencyKey,
});

builder.mutationFields((t) => ({
  runCampaign: t.field({
    type: RunCampaignResult,
    nullable: true,
    authScopes: { scope: 'campaigns:write' },
    description:
      "Run now. A run of today that was held or stopped goes on. With callList: exactly these numbers, eligibility filters bypassed, the law's limits not.",
    args: {
      id: t.arg.id({ required: true }),
      callList: t.arg({ type: ['E164'] }),
      idempotencyKey: t.arg.string(),
    },
    resolve: (_, { id, ...args }, { campaigns: keeper, by }) => {
      if (!isId(id)) throw noSuchCampaign(id);
      return keeper.runCampaign(id.toLowerCase(), checked(callListRules, args, []), by());
    },
  }),
  cancelCampaignRun: t.field({
    type: RunCampaignResult,
    nullable: true,
    authScopes: { scope: 'campaigns:write' },
    description: 'Ends a run: whoever has not been dialled is not.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, { campaigns: keeper, by }) => {
      if (!isId(id)) throw runs.noSuchRun(id);
      return { run: await keeper.cancelRun(id.toLowerCase(), by()), replayed: false };
    },
  }),
}));

builder.queryFields((t) => ({
  campaignRun: t.field({
    type: CampaignRun,
    nullable: true,
    authScopes: { scope: 'campaigns:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { loaders }) => (isId(id) ? loaders.campaignRun.load(id.toLowerCase()) : null),
  }),
}));

builder.objectFields(CampaignRun, (t) => ({
  calls: t.connection(
    {
      type: Call,
      authScopes: { scope: 'calls:read' },
      complexity: pageCost,
      description: 'Newest first.',
      resolve: ({ id }, args, context) =>
        page<CallRow>(
          args,
          (call) => [call.id],
          ({ start, limit, inverted }) =>
            context.loaders.page(calls.table, ['campaignRunId', id], {
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        ),
    },
    CallConnection,
  ),
  member: t.field({
    type: CampaignMember,
    nullable: true,
    args: { patientId: t.arg.id({ required: true }) },
    description: 'Whether and why a patient was in this run; null: is not of its audience.',
    resolve: ({ id }, { patientId }, context) =>
      isId(patientId)
        ? context.world.findOne<MemberRow>(runs.members, {
            workspaceId: { eq: context.workspaceId },
            runId: { eq: id },
            patientId: { eq: patientId },
          })
        : null,
  }),
}));

builder.subscriptionField('campaignRunUpdated', (t) =>
  t.field({
    type: CampaignRun,
    authScopes: { scope: 'campaigns:read' },
    args: { id: t.arg.id({ required: true }) },
    description:
      'Every change of one run, first the state it is in now; how far it has come, once a second at the most.',
    subscribe: (_, { id }, context) => watched<RunRow>(context, runs.table, { id, noun: 'run' }),
    resolve: (run, _, context) => renewed(context, run),
  }),
);
