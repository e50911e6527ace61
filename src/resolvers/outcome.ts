import { z } from 'zod';
import { answerers, type Call as Row } from '../domain/call.ts';
import { agentConfidence, outcomes } from '../domain/call-fact.ts';
import { isFactKey } from '../domain/record.ts';
import { nearest } from '../domain/nearest.ts';
import { InputRefusal, NotFoundRefusal, StateRefusal } from '../domain/refusal.ts';
import type { OutboundTask as TaskRow } from '../domain/task.ts';
import { builder } from '../schema/builder.ts';
import { AnsweredBy, Call } from '../schema/call.ts';
import { Channel } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import {
  checked,
  confidence,
  instant,
  jsonObject,
  optional,
  taskChannel,
  text,
  uuid,
} from '../schema/input.ts';
import { OutboundTask } from '../schema/task.ts';

const TurnInput = builder.inputType('TurnInput', {
  fields: (t) => ({
    speaker: t.string({ required: true, description: '1-64 characters.' }),
    text: t.string({ required: true, description: 'At most 4,000 characters.' }),
    at: t.field({ type: 'DateTime', required: true }),
  }),
});

const PromiseInput = builder.inputType('PromiseInput', {
  description: "I'll call you back tomorrow at 10 with your results.",
  fields: (t) => ({
    at: t.field({ type: 'DateTime', required: true, description: 'An instant that has been is now.' }),
    reason: t.string({ required: true, description: '1-256 characters.' }),
    goal: t.string({ description: "At most 2,000 characters; left out: the call's own." }),
    channel: t.field({ type: Channel, description: 'Left out: the one that is likely to reach the person.' }),
  }),
});

const ReportCallOutcomeInput = builder.inputType('ReportCallOutcomeInput', {
  fields: (t) => ({
    callId: t.id({ required: true }),
    outcome: t.string({ required: true, description: `One of ${outcomes.join(', ')}.` }),
    summary: t.string({ description: 'At most 4,000 characters.' }),
    answeredBy: t.field({ type: AnsweredBy }),
    transcript: t.field({ type: [TurnInput], description: 'At most 1,000 turns.' }),
    promises: t.field({
      type: [PromiseInput],
      description: 'At most 10. Each becomes a task in the chain of this call.',
    }),
    facts: t.field({
      type: 'JSONObject',
      description: `At most 20 things learned of the patient: a text, believed with confidence ${agentConfidence}, or {value, confidence}.`,
    }),
    optOut: t.boolean({ description: 'The person does not want to be contacted again: in effect at once.' }),
  }),
});

const few = <S extends z.ZodType>(rules: S, most: number) =>
  optional(z.array(rules).max(most, { error: `Must be at most ${most.toLocaleString('en')}.` })).transform(
    (values) => values ?? [],
  );

const learned = z.union(
  [
    text(1, 2_000).transform((value) => ({ value, confidence: agentConfidence })),
    z.object({ value: text(1, 2_000), confidence }),
  ],
  { error: 'Must be text of 1 to 2,000 characters, or {value, confidence}.' },
);

const facts = optional(
  jsonObject
    .refine((object) => Object.keys(object).length <= 20, { error: 'Must have at most 20 entries.' })
    .refine((object) => Object.keys(object).every((key) => key.length <= 64 && isFactKey(key)), {
      error: 'Keys must have 1 to 64 characters, and be none of the attributes of a patient.',
    })
    .pipe(z.record(z.string(), learned)),
).transform((heard) => heard ?? {});

/** The rules of ReportCallOutcomeInput, field by field. */
const rules = z.object({
  callId: uuid,
  outcome: z.enum(outcomes, {
    error: ({ input }) => `Unknown outcome; the nearest is ${nearest(String(input), outcomes)}.`,
  }),
  summary: optional(text(0, 4_000)),
  answeredBy: optional(z.enum(answerers)),
  transcript: few(
    z.object({ speaker: text(1, 64), text: text(0, 4_000), at: instant.transform((at) => at.toISOString()) }),
    1_000,
  ),
  promises: few(
    z.object({ at: instant, reason: text(1, 256), goal: optional(text(0, 2_000)), channel: taskChannel }),
    10,
  ),
  facts,
  optOut: optional(z.boolean()).transform((wanted) => wanted ?? false),
});

const ReportCallOutcomePayload = builder
  .objectRef<{ call: Row; tasks: TaskRow[] }>('ReportCallOutcomePayload')
  .implement({
    fields: (t) => ({
      call: t.expose('call', { type: Call }),
      tasks: t.expose('tasks', {
        type: [OutboundTask],
        description: 'One for each promise, in their order.',
      }),
    }),
  });
const ReportCallOutcomeResult = answering(
  'ReportCallOutcomeResult',
  ReportCallOutcomePayload,
  InputRefusal,
  NotFoundRefusal,
  StateRefusal,
);

builder.mutationField('reportCallOutcome', (t) =>
  t.field({
    type: ReportCallOutcomeResult,
    nullable: true,
    authScopes: { scope: 'outcomes:write' },
    description:
      'For the agent that held the call: what came of it, and what was promised. Promises become tasks. Once for each call; the same report again answers the same.',
    args: { input: t.arg({ type: ReportCallOutcomeInput, required: true }) },
    resolve: (_, { input }, { outcomes, by }) =>
      outcomes.report(checked(rules, input), { ...by(), source: 'agent' }),
  }),
);
