import {
  CarrierRefusal,
  ContactBlocked,
  IdempotencyRefusal,
  InputRefusal,
  LimitRefusal,
  NotFoundRefusal,
  StateRefusal,
  codes,
  type FieldFault,
  type Refusal,
} from '../domain/refusal.ts';
import { builder, type BuilderTypes } from './builder.ts';
import { ContactDecision } from './contact.ts';

export const ErrorCode = builder.enumType('ErrorCode', { values: codes });

const RefusalInterface = builder.interfaceRef<Refusal>('Error').implement({
  description: 'A rule said no. Decide by the code; the message is for people.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCode }),
    message: t.exposeString('message'),
  }),
});

const FieldError = builder.objectRef<FieldFault>('FieldError').implement({
  fields: (t) => ({ path: t.exposeStringList('path'), message: t.exposeString('message') }),
});

builder.objectType(InputRefusal, {
  name: 'InputError',
  description: 'The input broke a rule of its own: one entry for each field that did.',
  interfaces: [RefusalInterface],
  fields: (t) => ({ fields: t.expose('fields', { type: [FieldError] }) }),
});
builder.objectType(NotFoundRefusal, {
  name: 'NotFoundError',
  description: 'Something named in the input is not in this workspace.',
  interfaces: [RefusalInterface],
  fields: (t) => ({ id: t.exposeID('id', { nullable: true }) }),
});
builder.objectType(ContactBlocked, {
  name: 'ContactBlockedError',
  description: 'The pre-dial gate said no. The decision tells why, and when to try again.',
  interfaces: [RefusalInterface],
  fields: (t) => ({ decision: t.expose('decision', { type: ContactDecision }) }),
});
builder.objectType(LimitRefusal, {
  name: 'LimitError',
  description: "A limit other than the API key's own was reached.",
  interfaces: [RefusalInterface],
  fields: (t) => ({ retryAfterSeconds: t.exposeInt('retryAfterSeconds') }),
});
builder.objectType(IdempotencyRefusal, {
  name: 'IdempotencyError',
  description: 'The idempotency key is in use.',
  interfaces: [RefusalInterface],
});
builder.objectType(StateRefusal, {
  name: 'StateError',
  description: 'The thing is in a state in which this cannot be done.',
  interfaces: [RefusalInterface],
  fields: (t) => ({ state: t.exposeString('state') }),
});
builder.objectType(CarrierRefusal, {
  name: 'CarrierError',
  description: "The carrier refused, or could not be reached. carrierCode is the carrier's own code.",
  interfaces: [RefusalInterface],
  fields: (t) => ({
    carrierCode: t.exposeString('carrierCode', { nullable: true }),
    retryable: t.exposeBoolean('retryable'),
  }),
});

type RefusalClass = new (...parameters: never[]) => Refusal;

/** A mutation's answer: its payload, or one of the refusals; the union is named in the contract. */
export const answering = <P extends object>(
  name: string,
  payload: PothosSchemaTypes.ObjectRef<BuilderTypes, P>,
  ...refusals: RefusalClass[]
) =>
  builder.errorUnion(name, {
    types: [payload, ...(refusals as (new (...parameters: unknown[]) => Refusal)[])],
    resolveType: () => payload.name,
  });
