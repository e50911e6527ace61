import { z } from 'zod';
import { purposes } from '../domain/consent.ts';
import { faultOf } from '../domain/cron.ts';
import { isEventType, unknownType } from '../domain/event-type.ts';
import { nearest } from '../domain/nearest.ts';
import { externalTypes, isExternalType } from '../domain/patient.ts';
import { InputRefusal, type FieldFault } from '../domain/refusal.ts';
import { faultOfTemplate } from '../domain/template.ts';
import { kinds, type Settings } from '../domain/trigger.ts';
import { faultsOf } from '../domain/trigger-filter.ts';
import { builder } from '../schema/builder.ts';
import { Channel, Purpose } from '../schema/contact.ts';
import * as input from '../schema/input.ts';
import { checked, optional, text, whole } from '../schema/input.ts';
import { TriggerKind } from '../schema/trigger.ts';

const TriggerActionInput = builder.inputType('TriggerActionInput', {
  description:
    'The task to create. reason, goal and scheduleAt may hold {{event.data.path}} and {{patient.path}}.',
  fields: (t) => ({
    channel: t.field({
      type: Channel,
      description: 'Left out: what is likely to reach the patient, and others after failed attempts.',
    }),
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

/** What a trigger is told. */
export const TriggerInput = builder.inputType('TriggerInput', {
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

/** The settings that an input gives, checked field by field and then as a whole. Refuses INVALID_INPUT with every fault. */
export function settingsOf(value: unknown, now: Date): { settings: Settings; idempotencyKey: string | null } {
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
