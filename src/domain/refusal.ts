import type { ContactDecision } from './consent.ts';

/** Every way in which a rule can say no. Part of the public API: add, never rename. */
export const codes = [
  'INVALID_INPUT',
  'PHONE_SOURCE_INVALID',
  'NOT_FOUND',
  'PATIENT_NOT_FOUND',
  'CALLER_ID_NOT_REGISTERED',
  'NO_NUMBER_AVAILABLE',
  'NUMBER_SELECTION_TIMEOUT',
  'OUTBOUND_NOT_CONFIGURED',
  'DESTINATION_NOT_ALLOWED',
  'CONTACT_BLOCKED',
  'USAGE_LIMIT_EXCEEDED',
  'SOURCE_NUMBER_RATE_LIMITED',
  'IDEMPOTENCY_CONFLICT',
  'IDEMPOTENCY_IN_PROGRESS',
  'ILLEGAL_TRANSITION',
  'CARRIER_REJECTED',
  'CARRIER_UNAVAILABLE',
  'AUDIO_INVALID',
] as const;

/** A code of the contract's ErrorCode. */
export type Code = (typeof codes)[number];

/** A rule said no. Its subclasses are the contract's error types; anything else that is thrown is a bug, and is masked. */
export abstract class Refusal extends Error {
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** One field of an input that broke a rule; the path leads to it from the input's root. */
export interface FieldFault {
  path: string[];
  message: string;
}

/** The input broke a rule of its own: one entry for each field that did. */
export class InputRefusal extends Refusal {
  readonly fields: FieldFault[];

  constructor(fields: FieldFault[], code: Code = 'INVALID_INPUT') {
    super(code, fields.map((field) => `${field.path.join('.')}: ${field.message}`).join(' '));
    this.fields = fields;
  }
}

/** Something named in the input is not in this workspace. */
export class NotFoundRefusal extends Refusal {
  readonly id: string | null;

  constructor(code: Code, message: string, id: string | null = null) {
    super(code, message);
    this.id = id;
  }
}

/** The gate said no; the decision tells why and when to try again. */
export class ContactBlocked extends Refusal {
  readonly decision: ContactDecision;

  constructor(decision: ContactDecision) {
    super('CONTACT_BLOCKED', `This contact may not be attempted: ${decision.blocks.join(', ')}.`);
    this.decision = decision;
  }
}

/** A limit other than the API key's own was reached. */
export class LimitRefusal extends Refusal {
  /** Whole seconds, at least 1. */
  readonly retryAfterSeconds: number;

  constructor(code: Code, message: string, retryAfterSeconds: number) {
    super(code, message);
    this.retryAfterSeconds = Math.max(1, Math.ceil(retryAfterSeconds));
  }
}

/** The idempotency key is in use. */
export class IdempotencyRefusal extends Refusal {}

/** The thing is in a state in which this cannot be done. */
export class StateRefusal extends Refusal {
  readonly state: string;

  constructor(code: Code, message: string, state: string) {
    super(code, message);
    this.state = state;
  }
}

/** The carrier refused, or could not be reached. */
export class CarrierRefusal extends Refusal {
  /** The carrier's own code, such as Twilio's 21211; null when it gave none. */
  readonly carrierCode: string | null;
  /** True when nothing was dialled and the same request may succeed later. */
  readonly retryable: boolean;

  constructor(
    message: string,
    details: { carrierCode: string | null; retryable: boolean; reached: boolean },
  ) {
    super(details.reached ? 'CARRIER_REJECTED' : 'CARRIER_UNAVAILABLE', message);
    this.carrierCode = details.carrierCode;
    this.retryable = details.retryable;
  }
}
