import { z } from 'zod';
import * as calls from '../domain/call.ts';
import type { Call as Row } from '../domain/call.ts';
import { noSuchCall } from '../domain/call-progress.ts';
import { conditions, fits, type CallFilter as CallWhere } from '../domain/call-filter.ts';
import { bases, purposes } from '../domain/consent.ts';
import type { Event } from '../domain/event.ts';
import {
  CarrierRefusal,
  ContactBlocked,
  IdempotencyRefusal,
  InputRefusal,
  LimitRefusal,
  NotFoundRefusal,
  StateRefusal,
} from '../domain/refusal.ts';
import { builder, failure, pageCost } from '../schema/builder.ts';
import { Call, CallConnection, CallOrigin, CallStatus } from '../schema/call.ts';
import { LegalBasis, Purpose } from '../schema/contact.ts';
import { answering } from '../schema/error.ts';
import { WorldEvent } from '../schema/event.ts';
import {
  calendarDate,
  checked,
  idempotencyKey,
  optional,
  pairs,
  isId,
  phone,
  text,
  uuid,
} from '../schema/input.ts';
import { page, renewed } from '../schema/page.ts';
import { watched } from '../schema/watch.ts';

const PersonInput = builder.inputType('PersonInput', {
  description: 'First and last name at most 100 characters each.',
  fields: (t) => ({
    firstName: t.string({ required: true }),
    lastName: t.string({ required: true }),
    birthDate: t.field({ type: 'Date' }),
  }),
});

const PlaceCallInput = builder.inputType('PlaceCallInput', {
  description:
    'Exactly one of phoneFrom and useCaseId; exactly one of patientId, patientCanonicalId and person.',
  fields: (t) => ({
    patientId: t.id(),
    patientCanonicalId: t.string({ description: 'Instead of patientId: source:ResourceType:id.' }),
    person: t.field({
      type: PersonInput,
      description:
        'Instead of patientId: someone who may be unknown; found by number, name and birth date, else registered. Needs phoneTo.',
    }),
    phoneTo: t.field({ type: 'E164', description: "Left out: the patient's own number." }),
    phoneFrom: t.field({ type: 'E164' }),
    useCaseId: t.id(),
    reason: t.string({ required: true, description: '1-256 characters.' }),
    purpose: t.field({ type: Purpose, description: 'Left out: OTHER.' }),
    goal: t.string({ description: "At most 2,000 characters; joins the agent's instructions." }),
    systemPrompt: t.string({ description: "At most 10,000 characters; replaces the service's own." }),
    welcomeMessage: t.string({ description: "At most 200 characters; replaces the service's greeting." }),
    serviceId: t.id({ description: "Left out: the workspace's default service." }),
    tags: t.stringList({ description: 'At most 10, each at most 64 characters.' }),
    metadata: t.field({
      type: 'JSONObject',
      description: 'At most 20 entries; keys at most 64 characters, values strings of at most 256.',
    }),
    variables: t.field({ type: 'JSONObject', description: 'As metadata, for the agent.' }),
    derivedFromCallSid: t.string({
      description: 'The sid of the call that this one answers. At most 64 characters.',
    }),
    taskId: t.id({ description: 'A task that this call is an attempt at.' }),
    callbackUrl: t.string({
      description: 'https; posted once the call has ended, signed as Standard Webhooks say.',
    }),
    basis: t.field({ type: LegalBasis, description: "Grounds beside those of the number's consent ledger." }),
    idempotencyKey: t.string({ description: '1-128 characters; remembered for 24 hours.' }),
  }),
});

const tableOfPairs = optional(pairs({ entries: 20, key: 64, value: 256 })).transform((value) => value ?? {});

/** The rules of PlaceCallInput, field by field. */
const placeCallRules = z.object({
  patientId: optional(uuid),
  patientCanonicalId: optional(text(1, 256)),
  person: optional(
    z.object({ firstName: text(1, 100), lastName: text(1, 100), birthDate: optional(calendarDate) }),
  ),
  phoneTo: optional(phone),
  phoneFrom: optional(phone),
  useCaseId: optional(uuid),
  reason: text(1, 256),
  purpose: optional(z.enum(purposes)).transform((purpose) => purpose ?? 'OTHER'),
  goal: optional(text(0, 2_000)),
  systemPrompt: optional(text(0, 10_000)),
  welcomeMessage: optional(text(0, 200)),
  serviceId: optional(uuid),
  tags: optional(z.array(text(1, 64)).max(10, { error: 'Must be at most 10.' })).transform(
    (tags) => tags ?? [],
  ),
  metadata: tableOfPairs,
  variables: tableOfPairs,
  derivedFromCallSid: optional(text(1, 64)),
  taskId: optional(uuid),
  callbackUrl: optional(text(1, 2_048)),
  basis: optional(z.enum(bases)),
  idempotencyKey,
});

/** What is wanted, with who is called and from where as one choice each. */
function wantedOf(value: unknown) {
  const { patientId, patientCanonicalId, person, phoneFrom, useCaseId, ...rest } = checked(
    placeCallRules,
    value,
  );
  const patients = [
    patientId && { patientId },
    patientCanonicalId && { patientCanonicalId },
    person && { person },
  ];
  const [patient, ...others] = patients.filter((choice) => !!choice);
  if (!patient || others.length > 0) {
    const message = 'Give exactly one of patientId, patientCanonicalId and person.';
    throw new InputRefusal([{ path: ['input', 'patientId'], message }]);
  }
  if ('person' in patient && !rest.phoneTo) {
    throw new InputRefusal([
      { path: ['input', 'phoneTo'], message: 'A person is found or registered by phoneTo: give it.' },
    ]);
  }
  const [source, ...more] = [phoneFrom && { phoneFrom }, useCaseId && { useCaseId }].filter(
    (choice) => !!choice,
  );
  if (!source || more.length > 0) {
    const message = 'Give exactly one of phoneFrom and useCaseId.';
    throw new InputRefusal([{ path: ['input', 'phoneFrom'], message }], 'PHONE_SOURCE_INVALID');
  }
  return { ...rest, patient, source };
}

const PlaceCallPayload = builder
  .objectRef<{ call: Row; event: Event; replayed: boolean }>('PlaceCallPayload')
  .implement({
    fields: (t) => ({
      call: t.expose('call', { type: Call }),
      event: t.expose('event', { type: WorldEvent }),
      replayed: t.exposeBoolean('replayed'),
    }),
  });

const CancelCallPayload = builder
  .objectRef<{ call: Row }>('CancelCallPayload')
  .implement({ fields: (t) => ({ call: t.expose('call', { type: Call }) }) });

const PlaceCallResult = answering(
  'PlaceCallResult',
  PlaceCallPayload,
  InputRefusal,
  NotFoundRefusal,
  ContactBlocked,
  LimitRefusal,
  IdempotencyRefusal,
  StateRefusal,
  CarrierRefusal,
);
const CancelCallResult = answering(
  'CancelCallResult',
  CancelCallPayload,
  NotFoundRefusal,
  StateRefusal,
  CarrierRefusal,
);

builder.mutationFields((t) => ({
  placeCall: t.field({
    type: PlaceCallResult,
    nullable: true,
    authScopes: { scope: 'calls:write' },
    description:
      'Calls a patient now. The request is recorded before the carrier is asked; the answer comes once the carrier has answered, or could not be asked for certain.',
    args: { input: t.arg({ type: PlaceCallInput, required: true }) },
    resolve: async (_, { input }, { attempts, subscriptions, by }) => {
      const wanted = wantedOf(input);
      if (wanted.callbackUrl) await subscriptions.checkUrl(wanted.callbackUrl, ['input', 'callbackUrl']);
      return attempts.placeCall(wanted, by());
    },
  }),
  cancelCall: t.field({
    type: CancelCallResult,
    nullable: true,
    authScopes: { scope: 'calls:write' },
    description: 'Ends a call that is not over: it stops ringing, or is hung up.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, { attempts, by }) => {
      if (!isId(id)) throw noSuchCall(id);
      return { call: await attempts.cancelCall(id, by()) };
    },
  }),
}));

const CallFilter = builder.inputType('CallFilter', {
  fields: (t) => ({
    statuses: t.field({ type: [CallStatus] }),
    origins: t.field({ type: [CallOrigin] }),
    patientId: t.id(),
    campaignId: t.id(),
    tag: t.string(),
    metadata: t.field({ type: 'JSONObject', description: 'Entries that the call has, among others.' }),
    since: t.field({ type: 'DateTime', description: 'Queued at this instant or later.' }),
    until: t.field({ type: 'DateTime', description: 'Queued before this instant.' }),
  }),
});

builder.queryFields((t) => ({
  call: t.field({
    type: Call,
    nullable: true,
    authScopes: { scope: 'calls:read' },
    args: { id: t.arg.id(), sid: t.arg.string() },
    description: 'By exactly one of id and sid.',
    resolve: (_, { id, sid }, { world, workspaceId }) => {
      if ((id == null) === (sid == null)) throw failure('INVALID_INPUT', 'Give exactly one of id and sid.');
      if (id != null && !isId(id)) return null;
      const where = id == null ? { sid: { eq: sid } } : { id: { eq: id } };
      return world.findOne<Row>(calls.table, { workspaceId: { eq: workspaceId }, ...where });
    },
  }),
  calls: t.connection(
    {
      type: Call,
      authScopes: { scope: 'calls:read' }, // an empty page tells as well
      args: { filter: t.arg({ type: CallFilter }) },
      complexity: pageCost,
      description: 'Newest first.',
      resolve: (_, { filter, ...args }, { world, workspaceId }) =>
        page<Row>(
          args,
          ({ id }) => [id],
          ({ start, limit, inverted }) =>
            world.page(calls.table, {
              where: { workspaceId: { eq: workspaceId }, ...conditions(filterOf(filter)) },
              order: ['id'],
              descending: !inverted,
              after: start,
              limit,
            }),
        ),
    },
    CallConnection,
  ),
}));

builder.subscriptionFields((t) => ({
  callUpdated: t.field({
    type: Call,
    authScopes: { scope: 'calls:read' },
    args: { id: t.arg.id({ required: true }) },
    description: 'Every change of one call, first the state it is in now.',
    subscribe: (_, { id }, context) => watched<Row>(context, calls.table, { id, noun: 'call' }),
    resolve: (call, _, context) => renewed(context, call),
  }),
  callActivity: t.field({
    type: Call,
    authScopes: { scope: 'calls:read' },
    args: { filter: t.arg({ type: CallFilter }) },
    description: 'Every change of any call in the workspace, for a dashboard.',
    subscribe: (_, { filter }, { live, workspaceId }) => {
      const wanted = filterOf(filter);
      return live.watch(
        workspaceId,
        ({ event, row }) => event.entityType === calls.entityType && fits(row as Row, wanted),
      );
    },
    resolve: ({ row }, _, context) => renewed(context, row as Row),
  }),
}));

/** A filter whose metadata can be compared: JSON of another kind would match nothing without a word. */
function filterOf(filter: CallWhere | null | undefined): CallWhere {
  const metadata = filter?.metadata;
  if (metadata == null || (typeof metadata === 'object' && !Array.isArray(metadata))) return filter ?? {};
  throw failure('INVALID_INPUT', 'filter.metadata must be an object.');
}
