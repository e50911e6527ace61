import { z } from 'zod';
import { InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import type { Workspace as Row } from '../domain/workspace.ts';
import { builder } from '../schema/builder.ts';
import { LocalWindowInput } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import { checked, localWindow, optional, phone, uuid } from '../schema/input.ts';
import { Workspace } from '../schema/workspace.ts';

const PolicyInput = builder.inputType('PolicyInput', {
  description: 'What is left out stays as it is.',
  fields: (t) => ({
    sandbox: t.boolean({ description: 'Only numbers of the allowlist are ever contacted.' }),
    allowlist: t.field({ type: ['E164'], description: 'At most 1,000.' }),
    hours: t.field({ type: [LocalWindowInput], description: 'At most 20, within the law.' }),
    attemptsPerDay: t.int({ description: 'At one person over all channels, 1-100; 0: as the law allows.' }),
    attemptsPerWeek: t.int({ description: '1-100; 0: as the law allows.' }),
    cooldownMinutes: t.int({ description: '0-10,080.' }),
    maxConcurrentCalls: t.int({
      description: 'Calls under way beyond which tasks wait, 1-10,000; 0: as many as the carrier allows.',
    }),
    recordingDays: t.int({
      description:
        'For how many days recordings of calls are kept, 1-3,650. Past that they are deleted at the carrier.',
    }),
  }),
});

const upTo = (most: number) =>
  optional(z.int().min(0, `Must be 0 to ${most}.`).max(most, `Must be 0 to ${most}.`));
const rules = z.object({
  sandbox: optional(z.boolean()),
  allowlist: optional(z.array(phone).max(1_000, { error: 'Must be at most 1,000.' })),
  hours: optional(z.array(localWindow).max(20, { error: 'Must be at most 20.' })),
  attemptsPerDay: upTo(100),
  attemptsPerWeek: upTo(100),
  cooldownMinutes: upTo(10_080),
  maxConcurrentCalls: upTo(10_000),
  recordingDays: optional(z.int().min(1, 'Must be 1 to 3650.').max(3_650, 'Must be 1 to 3650.')),
});

const PolicyPayload = builder
  .objectRef<{ workspace: Row }>('PolicyPayload')
  .implement({ fields: (t) => ({ workspace: t.expose('workspace', { type: Workspace }) }) });
const PolicyResult = answering('PolicyResult', PolicyPayload, InputRefusal);
const UsageLimitResult = answering('UsageLimitResult', PolicyPayload, InputRefusal, NotFoundRefusal);

const usageRules = z.object({
  workspaceId: optional(uuid),
  limitMinutes: z.int().min(0, 'Must be 0 to 100,000,000.').max(100_000_000, 'Must be 0 to 100,000,000.'),
  alertPercents: optional(
    z
      .array(z.int().min(1, 'Must be 1 to 100.').max(100, 'Must be 1 to 100.'))
      .max(10, { error: 'Must be at most 10.' }),
  ),
});

builder.mutationFields((t) => ({
  setPolicy: t.field({
    type: PolicyResult,
    nullable: true,
    authScopes: { scope: 'workspace:write' },
    description: 'What the organization allows itself, within the law: sandbox, hours, caps.',
    args: { input: t.arg({ type: PolicyInput, required: true }) },
    resolve: async (_, { input }, { workspaces, workspaceId }) => ({
      workspace: await workspaces.setPolicy(workspaceId, checked(rules, input)),
    }),
  }),
  setUsageLimit: t.field({
    type: UsageLimitResult,
    nullable: true,
    authScopes: { scope: 'organization:write' },
    description:
      'How many call minutes a workspace may use in a calendar month, UTC. Once calls that have ended come to it, placeCall answers USAGE_LIMIT_EXCEEDED and tasks wait for the next month; what is under way goes on.',
    args: {
      workspaceId: t.arg.id({ description: "Left out: the key's own." }),
      limitMinutes: t.arg.int({ required: true, description: '0: no limit.' }),
      alertPercents: t.arg.intList({ description: 'Of the limit, 1-100, at most 10; left out: 80 and 100.' }),
    },
    resolve: async (_, args, { usages, workspaceId }) => {
      const given = checked(usageRules, args, []);
      const limit = {
        limitMinutes: given.limitMinutes || null,
        alertPercents: given.alertPercents ?? [80, 100],
      };
      return { workspace: await usages.setLimit(given.workspaceId ?? workspaceId, limit) };
    },
  }),
}));
