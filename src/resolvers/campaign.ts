import { z } from 'zod';
import * as campaigns from '../domain/campaign.ts';
import type { Campaign as Row } from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import type { CampaignRun as RunRow } from '../domain/campaign-run.ts';
import { purposes } from '../domain/consent.ts';
import { IdempotencyRefusal, InputRefusal, NotFoundRefusal, StateRefusal } from '../domain/refusal.ts';
import type { Context } from '../context.ts';
import { builder, failure, pageCost } from '../schema/builder.ts';
import {
  Campaign,
  CampaignConnection,
  CampaignPreview,
  CampaignRun,
  CampaignRunConnection,
} from '../schema/campaign.ts';
import { Purpose } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import * as input from '../schema/input.ts';
import { checked, isId, optional, text, whole } from '../schema/input.ts';
import { page } from '../schema/page.ts';

const AudienceInput = builder.inputType('AudienceInput', {
  description: 'Everything that is named must hold; nothing named: every patient.',
  fields: (t) => ({
    facts: t.field({ type: 'JSONObject', description: 'At most 20 entries whose values are text.' }),
    sourceSystems: t.stringList({ description: 'At most 20; one of them must have spoken of the patient.' }),
    tags: t.stringList({ description: 'At most 10.' }),
  }),
});

const CampaignInput = builder.inputType('CampaignInput', {
  fields: (t) => ({
    name: t.string({ required: true, description: '1-100 characters.' }),
    purpose: t.field({ type: Purpose, required: true }),
    reason: t.string({ required: true, description: '1-256 characters.' }),
    goal: t.string({ description: 'At most 2,000 characters.' }),
    priority: t.int({ description: '1, the most urgent, to 10; left out: 5.' }),
    runAt: t.field({ type: 'LocalTime', required: true }),
    timeZone: t.field({ type: 'TimeZone', required: true }),
    audience: t.field({ type: AudienceInput, required: true }),
    allowlist: t.field({ type: ['E164'], description: 'At most 1,000; none: everybody.' }),
    maxAttempts: t.int({ description: '1-20; left out: 3.' }),
    cooldownHours: t.int({ description: '0-8,760; left out: 20, so that the next day may try again.' }),
    callsPerMinute: t.int({ description: '1-600; left out: 10.' }),
    maxConcurrentCalls: t.int({ description: '1-1,000; left out: 5.' }),
    breakerThreshold: t.int({ description: '1-100; left out: 5.' }),
    serviceId: t.id({ description: "Left out: the workspace's default service." }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

const texts = (most: number) =>
  optional(z.array(text(1, 64)).max(most, { error: `Must be at most ${most}.` })).transform((values) => [
    ...new Set(values ?? []),
  ]);

/** The rules of CampaignInput, field by field. */
const rules = z.object({
  name: text(1, 100),
  purpose: z.enum(purposes),
  reason: text(1, 256),
  goal: optional(text(0, 2_000)),
  priority: whole(1, 10, 5),
  runAt: input.wallTime,
  timeZone: input.timeZone,
  audience: z.object({
    facts: optional(input.pairs({ entries: 20, key: 64, value: 2_000 })).transform((facts) => facts ?? {}),
    sourceSystems: texts(20),
    tags: texts(10),
  }),
  allowlist: optional(z.array(input.phone).max(1_000, { error: 'Must be at most 1,000.' })).transform(
    (phones) => [...new Set(phones ?? [])],
  ),
  maxAttempts: whole(1, 20, 3),
  cooldownHours: whole(0, 8_760, 20),
  callsPerMinute: whole(1, 600, 10),
  maxConcurrentCalls: whole(1, 1_000, 5),
  breakerThreshold: whole(1, 100, 5),
  serviceId: optional(input.uuid),
  idempotencyKey: input.idempotencyKey,
});

const CampaignPayload = builder
  .objectRef<{ campaign: Row }>('CampaignPayload')
  .implement({ fields: (t) => ({ campaign: t.expose('campaign', { type: Campaign }) }) });
const CampaignResult = answering(
  'CampaignResult',
  CampaignPayload,
  InputRefusal,
  NotFoundRefusal,
  IdempotencyRefusal,
  StateRefusal,
);

const idOf = (id: string): string => {
  if (isId(id)) return id.toLowerCase();
  throw campaigns.noSuchCampaign(id);
};

/** A verb that takes a campaign's id and nothing else. */
const verb = (name: 'activateCampaign' | 'pauseCampaign' | 'archiveCampaign', description: string) =>
  builder.mutationField(name, (t) =>
    t.field({
      type: CampaignResult,
      nullable: true,
      authScopes: { scope: 'campaigns:write' },
      description,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_, { id }, { campaigns: keeper, by }) => ({
        campaign: await keeper[name](idOf(id), by()),
      }),
    }),
  );

verb('activateCampaign', 'Lets it run daily, and its held run of today go on.');
verb('pauseCampaign', 'Nothing new is dialled; calls in flight end as they do, and members stay.');
verb('archiveCampaign', 'Puts it away for good; whoever has not been dialled is not.');

builder.mutationFields((t) => ({
  createCampaign: t.field({
    type: CampaignResult,
    nullable: true,
    authScopes: { scope: 'campaigns:write' },
    description: 'A draft: nobody is called before it is activated.',
    args: { input: t.arg({ type: CampaignInput, required: true }) },
    resolve: async (_, args, { campaigns: keeper, by }) => {
      const { idempotencyKey, ...settings } = checked(rules, args.input);
      return { campaign: await keeper.createCampaign(settings, idempotencyKey, by()) };
    },
  }),
  updateCampaign: t.field({
    type: CampaignResult,
    nullable: true,
    authScopes: { scope: 'campaigns:write' },
    description: 'Also while it is active: whoever has not been called yet is called as told now.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: CampaignInput, required: true }) },
    resolve: async (_, args, { campaigns: keeper, by }) => {
      const { idempotencyKey: _key, ...settings } = checked(rules, args.input);
      return { campaign: await keeper.updateCampaign(idOf(args.id), settings, by()) };
    },
  }),
}));

const here = ({ workspaceId }: Pick<Context, 'workspaceId'>) => ({ workspaceId: { eq: workspaceId } });

builder.queryFields((t) => ({
  campaign: t.field({
    type: Campaign,
    nullable: true,
    authScopes: { scope: 'campaigns:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: (_, { id }, { loaders }) => (isId(id) ? loaders.campaign.load(id.toLowerCase()) : null),
  }),
  campaigns: t.connection(
    {
      type: Campaign,
      authScopes: { scope: 'campaigns:read' }, // an empty page tells as well
      complexity: pageCost,
      description: 'Newest first.',
      resolve: (_, args, context) =>
        page<Row>(
          args,
          ({ id }) => [id],
          ({ start, limit, inverted }) =>
            context.world.page(campaigns.table, {
              where: here(context),
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        ),
    },
    CampaignConnection,
  ),
  campaignPreview: t.field({
    type: CampaignPreview,
    authScopes: { scope: 'campaigns:read' },
    args: { campaignId: t.arg.id({ required: true }) },
    complexity: { field: 100 },
    description: 'What a run started now would do, without doing it.',
    resolve: async (_, { campaignId }, { loaders, campaigns: keeper, by }) => {
      const campaign = isId(campaignId) ? await loaders.campaign.load(campaignId.toLowerCase()) : null;
      if (!campaign) throw failure('NOT_FOUND', 'There is no such campaign in this workspace.');
      return keeper.preview(campaign, by());
    },
  }),
}));

builder.objectField(Campaign, 'runs', (t) =>
  t.connection(
    {
      type: CampaignRun,
      complexity: pageCost,
      description: 'Newest first.',
      resolve: ({ id }, args, context) =>
        page<RunRow>(
          args,
          (run) => [run.id],
          ({ start, limit, inverted }) =>
            context.loaders.page(runs.table, ['campaignId', id], {
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        ),
    },
    CampaignRunConnection,
  ),
);
