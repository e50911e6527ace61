import { statuses, type Audience as AudienceRow, type Campaign as Row } from '../domain/campaign.ts';
import {
  statuses as runStatuses,
  type CampaignRun as RunRow,
  type Exclusion as ExclusionRow,
} from '../domain/campaign-run.ts';
import { builder } from './builder.ts';
import { Call } from './call.ts';
import { ContactBlock, Purpose } from './contact.ts';
import { Patient } from './patient.ts';
import { OutboundTask } from './task.ts';
import { Service } from './workspace.ts';
import type { CampaignMember as MemberRow } from '../domain/campaign-run.ts';
import type { Preview } from '../campaign/preview.ts';

const CampaignStatus = builder.enumType('CampaignStatus', { values: statuses });
const CampaignRunStatus = builder.enumType('CampaignRunStatus', { values: runStatuses });

const Audience = builder.objectRef<AudienceRow>('Audience').implement({
  description: 'Which patients: facts that must hold, and the systems whose data count as production.',
  fields: (t) => ({
    facts: t.expose('facts', { type: 'JSONObject' }),
    sourceSystems: t.exposeStringList('sourceSystems', {
      description: 'One of these at least must have spoken of the patient; none: any.',
    }),
    tags: t.exposeStringList('tags'),
  }),
});

const Exclusion = builder.objectRef<ExclusionRow>('Exclusion').implement({
  fields: (t) => ({ reason: t.expose('reason', { type: ContactBlock }), count: t.exposeInt('count') }),
});

export const Campaign = builder.objectRef<Row>('Campaign');
export const CampaignRun = builder.objectRef<RunRow>('CampaignRun');

Campaign.implement({
  description:
    'Contacts the patients of its audience daily, at its pace: DRAFT until it is activated, PAUSED when it is held, ARCHIVED for good.',
  authScopes: { scope: 'campaigns:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    status: t.expose('status', { type: CampaignStatus }),
    purpose: t.expose('purpose', { type: Purpose }),
    reason: t.exposeString('reason'),
    goal: t.exposeString('goal', { nullable: true }),
    priority: t.exposeInt('priority', { description: '1 is the most urgent, 10 the least.' }),
    runAt: t.expose('runAt', {
      type: 'LocalTime',
      description: 'Daily at this wall-clock time in timeZone.',
    }),
    timeZone: t.expose('timeZone', { type: 'TimeZone' }),
    audience: t.expose('audience', { type: Audience }),
    allowlist: t.expose('allowlist', {
      type: ['E164'],
      description: 'Ramp-up: when not empty, only these numbers are called.',
    }),
    maxAttempts: t.exposeInt('maxAttempts', {
      description: 'At one patient, over all days, one a day. Whoever was reached is not called again.',
    }),
    cooldownHours: t.exposeInt('cooldownHours', {
      description: 'Between two attempts of this campaign at one patient.',
    }),
    callsPerMinute: t.exposeInt('callsPerMinute'),
    maxConcurrentCalls: t.exposeInt('maxConcurrentCalls'),
    breakerThreshold: t.exposeInt('breakerThreshold', {
      description: 'Failures of the carrier in a row that stop a run.',
    }),
    service: t.field({
      type: Service,
      nullable: true,
      resolve: ({ serviceId }, _, { loaders }) => (serviceId ? loaders.service.load(serviceId) : null),
    }),
    nextRunAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Null unless it is active.',
      resolve: (campaign, _, { loaders }) => loaders.nextRunAt.load(campaign),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const count = (key: 'pending' | 'inFlight' | 'answered' | 'unanswered' | 'failed' | 'cancelled') =>
  builder.objectField(CampaignRun, key, (t) =>
    t.int({ resolve: async (run, _, { loaders }) => (await loaders.counts.load(run))[key] }),
  );

CampaignRun.implement({
  description:
    'A campaign on one date. eligible and the exclusions are every patient looked at; the six states sum to eligible, at any instant.',
  authScopes: { scope: 'campaigns:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    campaign: t.field({
      type: Campaign,
      resolve: async ({ campaignId }, _, { loaders }) => (await loaders.campaign.load(campaignId))!,
    }),
    status: t.expose('status', { type: CampaignRunStatus }),
    date: t.expose('date', { type: 'Date', description: "On its campaign's calendar." }),
    manual: t.exposeBoolean('manual'),
    eligible: t.exposeInt('eligible'),
    exclusions: t.expose('exclusions', { type: [Exclusion] }),
    startedAt: t.expose('startedAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true }),
    estimatedFinishAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'From its pace and who is left; null unless it runs.',
      resolve: (run, _, { loaders }) => loaders.estimate.load(run),
    }),
    breakerReason: t.exposeString('breakerReason', {
      nullable: true,
      description: 'Why it was stopped, skipped or cancelled.',
    }),
  }),
});
for (const key of ['pending', 'inFlight', 'answered', 'unanswered', 'failed', 'cancelled'] as const)
  count(key);

export const CampaignMember = builder.objectRef<MemberRow>('CampaignMember').implement({
  description: 'Whether and why a patient was in a run.',
  authScopes: { scope: 'campaigns:read' },
  fields: (t) => ({
    patient: t.field({
      type: Patient,
      resolve: async ({ patientId }, _, { loaders }) => (await loaders.patient.load(patientId))!,
    }),
    reason: t.expose('reason', {
      type: ContactBlock,
      nullable: true,
      description: 'Why the patient was left out; null: is a member.',
    }),
    task: t.field({
      type: OutboundTask,
      nullable: true,
      description: 'What the member has become; null: not yet, or left out.',
      resolve: ({ taskId }, _, { loaders }) => (taskId ? loaders.task.load(taskId) : null),
    }),
  }),
});

const HourLoad = builder.objectRef<{ hour: Date; calls: number }>('HourLoad').implement({
  fields: (t) => ({ hour: t.expose('hour', { type: 'DateTime' }), calls: t.exposeInt('calls') }),
});

export const CampaignPreview = builder.objectRef<Preview>('CampaignPreview').implement({
  description: 'What a run started now would do, without doing it.',
  authScopes: { scope: 'campaigns:read' },
  fields: (t) => ({
    eligible: t.exposeInt('eligible'),
    exclusions: t.expose('exclusions', { type: [Exclusion] }),
    sample: t.field({
      type: [Patient],
      description: 'Ten of the eligible, at the most.',
      resolve: async ({ sampleIds }, _, { loaders }) =>
        (await Promise.all(sampleIds.map((id) => loaders.patient.load(id)))).filter(
          (found) => found !== null,
        ),
    }),
    startsAt: t.expose('startsAt', { type: 'DateTime' }),
    estimatedFinishAt: t.expose('estimatedFinishAt', { type: 'DateTime', nullable: true }),
    finishesInWindow: t.exposeBoolean('finishesInWindow', {
      description: 'Whether everybody is called on its date and within the hours.',
    }),
    byHour: t.expose('byHour', { type: [HourLoad] }),
  }),
});

builder.objectFields(Call, (t) => ({
  campaign: t.field({
    type: Campaign,
    nullable: true,
    resolve: ({ campaignId }, _, { loaders }) => (campaignId ? loaders.campaign.load(campaignId) : null),
  }),
}));
builder.objectFields(OutboundTask, (t) => ({
  campaign: t.field({
    type: Campaign,
    nullable: true,
    resolve: ({ campaignId }, _, { loaders }) => (campaignId ? loaders.campaign.load(campaignId) : null),
  }),
}));

export const CampaignConnection = builder.connectionObject(
  { type: Campaign, name: 'CampaignConnection' },
  { name: 'CampaignEdge' },
);
export const CampaignRunConnection = builder.connectionObject(
  { type: CampaignRun, name: 'CampaignRunConnection' },
  { name: 'CampaignRunEdge' },
);
