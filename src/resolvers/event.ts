import { z } from 'zod';
import { nearest } from '../domain/nearest.ts';
import type { Event } from '../domain/event.ts';
import { externalTypes, isExternalType } from '../domain/patient.ts';
import { IdempotencyRefusal, InputRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import { builder, failure, pageCost } from '../schema/builder.ts';
import { answering } from '../schema/error.ts';
import { WorldEvent, WorldEventConnection } from '../schema/event.ts';
import {
  checked,
  confidence,
  idempotencyKey,
  instant,
  isId,
  jsonObject,
  optional,
  sourceSystem,
  text,
  uuid,
} from '../schema/input.ts';
import { page, renewed } from '../schema/page.ts';

const RecordEventInput = builder.inputType('RecordEventInput', {
  description: 'Exactly one of patientId and patientCanonicalId.',
  fields: (t) => ({
    patientId: t.id(),
    patientCanonicalId: t.string(),
    type: t.string({
      required: true,
      description: `One of ${externalTypes.join(', ')}, or ext. and a name of your own.`,
    }),
    data: t.field({ type: 'JSONObject', required: true, description: 'At most 64 KiB.' }),
    effectiveAt: t.field({ type: 'DateTime', description: 'When it was true; left out: now.' }),
    sourceSystem: t.string({ required: true }),
    confidence: t.float({ description: '0 to 1; left out: 1.' }),
    supersedesId: t.id({ description: 'The event of this patient that this one corrects.' }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

const eventRules = z.object({
  patientId: optional(uuid),
  patientCanonicalId: optional(text(1, 256)),
  type: text(1, 64).refine(isExternalType, {
    error: ({ input }) =>
      `Unknown type; the nearest is ${nearest(String(input), externalTypes)}. Types of your own begin with ext.`,
  }),
  data: jsonObject,
  effectiveAt: optional(instant),
  sourceSystem,
  confidence: optional(confidence),
  supersedesId: optional(uuid),
  idempotencyKey,
});

const RecordEventPayload = builder
  .objectRef<{ event: Event; replayed: boolean }>('RecordEventPayload')
  .implement({
    fields: (t) => ({
      event: t.expose('event', { type: WorldEvent }),
      replayed: t.exposeBoolean('replayed'),
    }),
  });
const RecordEventResult = answering(
  'RecordEventResult',
  RecordEventPayload,
  InputRefusal,
  NotFoundRefusal,
  IdempotencyRefusal,
);

builder.mutationFields((t) => ({
  recordEvent: t.field({
    type: RecordEventResult,
    nullable: true,
    authScopes: { scope: 'patients:write' },
    description: 'One event from another system: a lab result, a referral, a discharge.',
    args: { input: t.arg({ type: RecordEventInput, required: true }) },
    resolve: (_, args, { registry, by }) => {
      const { patientId, patientCanonicalId, ...told } = checked(eventRules, args.input);
      if (!patientId === !patientCanonicalId) {
        const message = 'Give exactly one of patientId and patientCanonicalId.';
        throw new InputRefusal([{ path: ['input', 'patientId'], message }]);
      }
      const patient = patientId ? { patientId } : { patientCanonicalId: patientCanonicalId! };
      return registry.tell({ ...told, patient }, { ...by(), sourceSystem: told.sourceSystem });
    },
  }),
}));

builder.queryFields((t) => ({
  events: t.connection(
    {
      type: WorldEvent,
      authScopes: { scope: 'events:read' },
      complexity: pageCost,
      description: 'Newest first, in the order of the log.',
      args: {
        types: t.arg.stringList(),
        entityId: t.arg.id(),
        since: t.arg({ type: 'DateTime', description: 'Recorded at this instant or later.' }),
      },
      resolve: (_, { types, entityId, since, ...args }, { world, workspaceId }) =>
        page<Event & { cursor: number }>(
          args,
          ({ cursor }) => [cursor],
          ({ start, limit, inverted }) => {
            if (entityId != null && !isId(entityId)) return Promise.resolve([]);
            const beyond = start === undefined ? undefined : cursorOf(start[0]);
            return world.log({
              workspaceId,
              types,
              entityId,
              since,
              limit,
              descending: !inverted,
              ...(inverted ? { after: beyond } : { before: beyond }),
            });
          },
          ['whole'],
        ),
    },
    WorldEventConnection,
  ),
}));

builder.subscriptionFields((t) => ({
  worldEvents: t.field({
    type: WorldEvent,
    authScopes: { scope: 'events:read' },
    description:
      "The workspace's events in order. With after: everything since that cursor, then live, without loss or repeat.",
    args: {
      after: t.arg.string({ description: "An event's cursor; 0: from the beginning." }),
      types: t.arg.stringList(),
      patientId: t.arg.id(),
    },
    subscribe: (_, { after, types, patientId }, { live, workspaceId }) =>
      live.events({ workspaceId, types, patientId, after: after == null ? undefined : cursorOf(after) }),
    resolve: (event, _, context) => renewed(context, event),
  }),
}));

function cursorOf(text: string | undefined): number {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw failure('INVALID_INPUT', "after must be an event's cursor, or 0 for the beginning.");
}
