/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
export type AnsweredBy =
  | 'FAX'
  | 'HUMAN'
  | 'MACHINE'
  | 'UNKNOWN';

/** Everything that is named must hold; nothing named: every patient. */
export type AudienceInput = {
  /** At most 20 entries whose values are text. */
  facts?: Record<string, unknown> | null | undefined;
  /** At most 20; one of them must have spoken of the patient. */
  sourceSystems?: Array<string> | null | undefined;
  /** At most 10. */
  tags?: Array<string> | null | undefined;
};

export type CallStatus =
  | 'BUSY'
  | 'CANCELED'
  | 'COMPLETED'
  | 'FAILED'
  | 'IN_PROGRESS'
  | 'NO_ANSWER'
  | 'QUEUED'
  | 'RINGING'
  | 'UNCERTAIN';

export type CampaignInput = {
  /** At most 1,000; none: everybody. */
  allowlist?: Array<string> | null | undefined;
  audience: AudienceInput;
  /** 1-100; left out: 5. */
  breakerThreshold?: number | null | undefined;
  /** 1-600; left out: 10. */
  callsPerMinute?: number | null | undefined;
  /** 0-8,760; left out: 20, so that the next day may try again. */
  cooldownHours?: number | null | undefined;
  /** At most 2,000 characters. */
  goal?: string | null | undefined;
  /** 1-128 characters; remembered for 24 hours. */
  idempotencyKey?: string | null | undefined;
  /** 1-20; left out: 3. */
  maxAttempts?: number | null | undefined;
  /** 1-1,000; left out: 5. */
  maxConcurrentCalls?: number | null | undefined;
  /** 1-100 characters. */
  name: string;
  /** 1, the most urgent, to 10; left out: 5. */
  priority?: number | null | undefined;
  purpose: Purpose;
  /** 1-256 characters. */
  reason: string;
  runAt: string;
  /** Left out: the workspace's default service. */
  serviceId?: string | null | undefined;
  timeZone: string;
};

export type CampaignRunStatus =
  | 'CANCELLED'
  | 'COMPLETED'
  | 'PAUSED'
  | 'RUNNING'
  | 'STOPPED_BY_BREAKER';

export type Channel =
  | 'TEXT'
  | 'VOICE'
  | 'VOICEMAIL';

export type ContactBlock =
  | 'ACTIVE_CONTACT'
  | 'ATTEMPTS_EXHAUSTED'
  | 'CHANNEL_BLOCKED'
  | 'CONSENT_REVOKED'
  | 'COOLDOWN'
  | 'DO_NOT_CONTACT'
  | 'FREQUENCY_CAP'
  | 'NOT_ALLOWLISTED'
  | 'NO_LEGAL_BASIS'
  | 'OUTCOME_UNCERTAIN'
  | 'OUTSIDE_CALLING_HOURS'
  | 'OUTSIDE_PREFERRED_WINDOW'
  | 'OUTSIDE_TASK_WINDOW'
  | 'PATIENT_DECEASED'
  | 'PATIENT_INACTIVE'
  | 'PATIENT_TEST'
  | 'PHONE_INVALID'
  | 'PHONE_MISSING'
  | 'TASK_NO_LONGER_VALID'
  | 'TIME_ZONE_UNKNOWN';

export type ErrorCode =
  | 'AUDIO_INVALID'
  | 'CALLER_ID_NOT_REGISTERED'
  | 'CARRIER_REJECTED'
  | 'CARRIER_UNAVAILABLE'
  | 'CONTACT_BLOCKED'
  | 'DESTINATION_NOT_ALLOWED'
  | 'IDEMPOTENCY_CONFLICT'
  | 'IDEMPOTENCY_IN_PROGRESS'
  | 'ILLEGAL_TRANSITION'
  | 'INVALID_INPUT'
  | 'NOT_FOUND'
  | 'NO_NUMBER_AVAILABLE'
  | 'NUMBER_SELECTION_TIMEOUT'
  | 'OUTBOUND_NOT_CONFIGURED'
  | 'PATIENT_NOT_FOUND'
  | 'PHONE_SOURCE_INVALID'
  | 'SOURCE_NUMBER_RATE_LIMITED'
  | 'USAGE_LIMIT_EXCEEDED';

export type LegalBasis =
  | 'EMERGENCY'
  | 'HEALTHCARE_EXEMPTION'
  | 'HUMAN_DIALED'
  | 'PRIOR_EXPRESS'
  | 'PRIOR_EXPRESS_WRITTEN';

/** Left out: every day, and the whole day. */
export type LocalWindowInput = {
  closesAt?: string | null | undefined;
  opensAt?: string | null | undefined;
  weekdays?: Array<number> | null | undefined;
};

/** First and last name at most 100 characters each. */
export type PersonInput = {
  birthDate?: string | null | undefined;
  firstName: string;
  lastName: string;
};

/** Exactly one of phoneFrom and useCaseId; exactly one of patientId, patientCanonicalId and person. */
export type PlaceCallInput = {
  /** Grounds beside those of the number's consent ledger. */
  basis?: LegalBasis | null | undefined;
  /** https; posted once the call has ended, signed as Standard Webhooks say. */
  callbackUrl?: string | null | undefined;
  /** The sid of the call that this one answers. At most 64 characters. */
  derivedFromCallSid?: string | null | undefined;
  /** At most 2,000 characters; joins the agent's instructions. */
  goal?: string | null | undefined;
  /** 1-128 characters; remembered for 24 hours. */
  idempotencyKey?: string | null | undefined;
  /** At most 20 entries; keys at most 64 characters, values strings of at most 256. */
  metadata?: Record<string, unknown> | null | undefined;
  /** Instead of patientId: source:ResourceType:id. */
  patientCanonicalId?: string | null | undefined;
  patientId?: string | null | undefined;
  /** Instead of patientId: someone who may be unknown; found by number, name and birth date, else registered. Needs phoneTo. */
  person?: PersonInput | null | undefined;
  phoneFrom?: string | null | undefined;
  /** Left out: the patient's own number. */
  phoneTo?: string | null | undefined;
  /** Left out: OTHER. */
  purpose?: Purpose | null | undefined;
  /** 1-256 characters. */
  reason: string;
  /** Left out: the workspace's default service. */
  serviceId?: string | null | undefined;
  /** At most 10,000 characters; replaces the service's own. */
  systemPrompt?: string | null | undefined;
  /** At most 10, each at most 64 characters. */
  tags?: Array<string> | null | undefined;
  /** A task that this call is an attempt at. */
  taskId?: string | null | undefined;
  useCaseId?: string | null | undefined;
  /** As metadata, for the agent. */
  variables?: Record<string, unknown> | null | undefined;
  /** At most 200 characters; replaces the service's greeting. */
  welcomeMessage?: string | null | undefined;
};

/** Why someone is contacted. OTHER is any other matter of care; what concerns money is BILLING, and advertising, surveys and recruitment are MARKETING. */
export type Purpose =
  | 'APPOINTMENT_REMINDER'
  | 'BILLING'
  | 'CARE_PLAN'
  | 'HOME_HEALTHCARE'
  | 'LAB_RESULTS'
  | 'MARKETING'
  | 'OTHER'
  | 'POST_DISCHARGE_FOLLOW_UP'
  | 'PRESCRIPTION'
  | 'PRE_OP_INSTRUCTIONS'
  | 'PRE_REGISTRATION'
  | 'SCHEDULING'
  | 'WELLNESS_CHECKUP';

/** Exactly one of patientId and patientCanonicalId. */
export type ScheduleTaskInput = {
  /** After the first attempt, for priority 5: 0-604,800; left out: 3,600. Doubles with each attempt, and is shorter the more urgent. */
  backoffSeconds?: number | null | undefined;
  /** Event types on this patient that make the task pointless, such as appointment.cancelled. At most 20. */
  cancelOn?: Array<string> | null | undefined;
  /** Left out: of the channels that we can send on and the patient may be tried on, the one that this task has tried least; of several the one that the patient prefers, then the one that reached them last, then call, voicemail, text. Chosen again after each failed attempt; nextAttemptReason says why. */
  channel?: Channel | null | undefined;
  /** At most 2,000 characters. */
  goal?: string | null | undefined;
  /** 1-128 characters; remembered for 24 hours. */
  idempotencyKey?: string | null | undefined;
  /** 1-20; left out: 3. */
  maxAttempts?: number | null | undefined;
  /** At most 20 entries; keys at most 64 characters, values strings of at most 256. */
  metadata?: Record<string, unknown> | null | undefined;
  patientCanonicalId?: string | null | undefined;
  patientId?: string | null | undefined;
  /** Left out: the patient's own number, also when it changes. */
  phone?: string | null | undefined;
  /** 1, the most urgent, to 10; left out: 5. */
  priority?: number | null | undefined;
  /** Left out: OTHER. */
  purpose?: Purpose | null | undefined;
  /** 1-256 characters. */
  reason: string;
  /** Left out, or an instant that has been: now. */
  scheduledFor?: string | null | undefined;
  /** Left out: the workspace's default service. */
  serviceId?: string | null | undefined;
  /** At most 10, each at most 64 characters. */
  tags?: Array<string> | null | undefined;
  /** Not attempted at or after this instant. */
  validUntil?: string | null | undefined;
  /** On the patient's clock; left out: any time. */
  window?: LocalWindowInput | null | undefined;
};

export type TaskStatus =
  | 'CANCELLED'
  | 'COMPLETED'
  | 'DISPATCHED'
  | 'FAILED'
  | 'RUNNING'
  | 'SCHEDULED'
  | 'SNOOZED'
  | 'TIMED_OUT';

export type SetUpMutationVariables = Exact<{
  phone: string;
}>;


export type SetUpMutation = { createService:
    | { __typename: 'InputError' }
    | { __typename: 'ServicePayload' }
   | null, registerPhoneNumber:
    | { __typename: 'InputError' }
    | { __typename: 'NotFoundError' }
    | { __typename: 'PhoneNumberPayload' }
   | null };

export type FindPatientQueryVariables = Exact<{
  search: string;
}>;


export type FindPatientQuery = { patients: { totalCount: number, edges: Array<{ node: { id: string, name: string, birthDate: string | null, phone: string | null, canContact: { allowed: boolean, basis: LegalBasis | null, blocks: Array<ContactBlock> } } }> } };

export type PlaceCallMutationVariables = Exact<{
  input: PlaceCallInput;
}>;


export type PlaceCallMutation = { placeCall:
    | { __typename: 'CarrierError', code: ErrorCode, message: string }
    | { __typename: 'ContactBlockedError', code: ErrorCode, message: string }
    | { __typename: 'IdempotencyError', code: ErrorCode, message: string }
    | { __typename: 'InputError', code: ErrorCode, message: string }
    | { __typename: 'LimitError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'PlaceCallPayload', call: { id: string, sid: string | null, status: CallStatus } }
    | { __typename: 'StateError', code: ErrorCode, message: string }
   | null };

export type FollowCallSubscriptionVariables = Exact<{
  id: string;
}>;


export type FollowCallSubscription = { callUpdated: { status: CallStatus, sid: string | null, answeredBy: AnsweredBy | null, endedReason: string | null, durationSeconds: number | null } };

export type ConversationQueryVariables = Exact<{
  id: string;
}>;


export type ConversationQuery = { call: { outcome: string | null, summary: string | null, transcript: Array<{ speaker: string, text: string }> } | null };

export type TimelineQueryVariables = Exact<{
  patientId: string;
}>;


export type TimelineQuery = { patient: { name: string, timeline: { edges: Array<{ node: { effectiveAt: string, summary: string, source: string } }> } } | null };

export type ChainQueryVariables = Exact<{
  callId: string;
}>;


export type ChainQuery = { call: { chain: Array<{ id: string, status: CallStatus, reason: string, queuedAt: string, derivedFrom: { sid: string | null } | null }> } | null };

export type ScheduleTaskMutationVariables = Exact<{
  input: ScheduleTaskInput;
}>;


export type ScheduleTaskMutation = { scheduleTask:
    | { __typename: 'IdempotencyError', code: ErrorCode, message: string }
    | { __typename: 'InputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'ScheduleTaskPayload', task: { id: string } }
    | { __typename: 'StateError', code: ErrorCode, message: string }
   | null };

export type FollowTaskSubscriptionVariables = Exact<{
  id: string;
}>;


export type FollowTaskSubscription = { taskUpdated: { status: TaskStatus, attempts: number, nextAttemptAt: string | null, nextAttemptReason: string | null } };

export type AdvanceClockMutationVariables = Exact<{
  to: string;
}>;


export type AdvanceClockMutation = { advanceClock: string };

export type CreateCampaignMutationVariables = Exact<{
  input: CampaignInput;
}>;


export type CreateCampaignMutation = { createCampaign:
    | { __typename: 'CampaignPayload', campaign: { id: string } }
    | { __typename: 'IdempotencyError', code: ErrorCode, message: string }
    | { __typename: 'InputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'StateError', code: ErrorCode, message: string }
   | null };

export type PreviewCampaignQueryVariables = Exact<{
  id: string;
}>;


export type PreviewCampaignQuery = { campaignPreview: { eligible: number, finishesInWindow: boolean, exclusions: Array<{ reason: ContactBlock, count: number }> } };

export type RunCampaignMutationVariables = Exact<{
  id: string;
}>;


export type RunCampaignMutation = { runCampaign:
    | { __typename: 'IdempotencyError', code: ErrorCode, message: string }
    | { __typename: 'InputError', code: ErrorCode, message: string }
    | { __typename: 'NotFoundError', code: ErrorCode, message: string }
    | { __typename: 'RunCampaignPayload', run: { id: string } }
    | { __typename: 'StateError', code: ErrorCode, message: string }
   | null };

export type FollowRunSubscriptionVariables = Exact<{
  id: string;
}>;


export type FollowRunSubscription = { campaignRunUpdated: { status: CampaignRunStatus, eligible: number, pending: number, inFlight: number, answered: number, unanswered: number, failed: number, cancelled: number } };


export const SetUpDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"SetUp"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"phone"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"E164"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"createService"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"name"},"value":{"kind":"StringValue","value":"Care team","block":false}},{"kind":"ObjectField","name":{"kind":"Name","value":"systemPrompt"},"value":{"kind":"StringValue","value":"You call for the Harbor Family Clinic.","block":false}},{"kind":"ObjectField","name":{"kind":"Name","value":"greeting"},"value":{"kind":"StringValue","value":"Hello, this is the Harbor Family Clinic.","block":false}},{"kind":"ObjectField","name":{"kind":"Name","value":"isDefault"},"value":{"kind":"BooleanValue","value":true}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}}]}},{"kind":"Field","name":{"kind":"Name","value":"registerPhoneNumber"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"ObjectValue","fields":[{"kind":"ObjectField","name":{"kind":"Name","value":"phone"},"value":{"kind":"Variable","name":{"kind":"Name","value":"phone"}}},{"kind":"ObjectField","name":{"kind":"Name","value":"label"},"value":{"kind":"StringValue","value":"Harbor","block":false}}]}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}}]}}]}}]} as unknown as DocumentNode<SetUpMutation, SetUpMutationVariables>;
export const FindPatientDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"FindPatient"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"search"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"String"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"patients"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"search"},"value":{"kind":"Variable","name":{"kind":"Name","value":"search"}}},{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"1"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"totalCount"}},{"kind":"Field","name":{"kind":"Name","value":"edges"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"node"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"birthDate"}},{"kind":"Field","name":{"kind":"Name","value":"phone"}},{"kind":"Field","name":{"kind":"Name","value":"canContact"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"channel"},"value":{"kind":"EnumValue","value":"VOICE"}},{"kind":"Argument","name":{"kind":"Name","value":"purpose"},"value":{"kind":"EnumValue","value":"LAB_RESULTS"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"allowed"}},{"kind":"Field","name":{"kind":"Name","value":"basis"}},{"kind":"Field","name":{"kind":"Name","value":"blocks"}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<FindPatientQuery, FindPatientQueryVariables>;
export const PlaceCallDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"PlaceCall"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"PlaceCallInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"placeCall"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"PlaceCallPayload"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"call"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"sid"}},{"kind":"Field","name":{"kind":"Name","value":"status"}}]}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Error"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<PlaceCallMutation, PlaceCallMutationVariables>;
export const FollowCallDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"FollowCall"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"callUpdated"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"sid"}},{"kind":"Field","name":{"kind":"Name","value":"answeredBy"}},{"kind":"Field","name":{"kind":"Name","value":"endedReason"}},{"kind":"Field","name":{"kind":"Name","value":"durationSeconds"}}]}}]}}]} as unknown as DocumentNode<FollowCallSubscription, FollowCallSubscriptionVariables>;
export const ConversationDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Conversation"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"call"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"outcome"}},{"kind":"Field","name":{"kind":"Name","value":"summary"}},{"kind":"Field","name":{"kind":"Name","value":"transcript"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"speaker"}},{"kind":"Field","name":{"kind":"Name","value":"text"}}]}}]}}]}}]} as unknown as DocumentNode<ConversationQuery, ConversationQueryVariables>;
export const TimelineDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Timeline"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"patientId"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"patient"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"patientId"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"name"}},{"kind":"Field","name":{"kind":"Name","value":"timeline"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"first"},"value":{"kind":"IntValue","value":"60"}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"edges"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"node"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"effectiveAt"}},{"kind":"Field","name":{"kind":"Name","value":"summary"}},{"kind":"Field","name":{"kind":"Name","value":"source"}}]}}]}}]}}]}}]}}]} as unknown as DocumentNode<TimelineQuery, TimelineQueryVariables>;
export const ChainDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"Chain"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"callId"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"call"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"callId"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"chain"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"reason"}},{"kind":"Field","name":{"kind":"Name","value":"queuedAt"}},{"kind":"Field","name":{"kind":"Name","value":"derivedFrom"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"sid"}}]}}]}}]}}]}}]} as unknown as DocumentNode<ChainQuery, ChainQueryVariables>;
export const ScheduleTaskDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"ScheduleTask"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ScheduleTaskInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"scheduleTask"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"ScheduleTaskPayload"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"task"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Error"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<ScheduleTaskMutation, ScheduleTaskMutationVariables>;
export const FollowTaskDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"FollowTask"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"taskUpdated"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"attempts"}},{"kind":"Field","name":{"kind":"Name","value":"nextAttemptAt"}},{"kind":"Field","name":{"kind":"Name","value":"nextAttemptReason"}}]}}]}}]} as unknown as DocumentNode<FollowTaskSubscription, FollowTaskSubscriptionVariables>;
export const AdvanceClockDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"AdvanceClock"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"to"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"DateTime"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"advanceClock"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"to"},"value":{"kind":"Variable","name":{"kind":"Name","value":"to"}}}]}]}}]} as unknown as DocumentNode<AdvanceClockMutation, AdvanceClockMutationVariables>;
export const CreateCampaignDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"CreateCampaign"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"input"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"CampaignInput"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"createCampaign"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"input"},"value":{"kind":"Variable","name":{"kind":"Name","value":"input"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"CampaignPayload"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"campaign"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Error"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<CreateCampaignMutation, CreateCampaignMutationVariables>;
export const PreviewCampaignDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"query","name":{"kind":"Name","value":"PreviewCampaign"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"campaignPreview"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"campaignId"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"eligible"}},{"kind":"Field","name":{"kind":"Name","value":"exclusions"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"reason"}},{"kind":"Field","name":{"kind":"Name","value":"count"}}]}},{"kind":"Field","name":{"kind":"Name","value":"finishesInWindow"}}]}}]}}]} as unknown as DocumentNode<PreviewCampaignQuery, PreviewCampaignQueryVariables>;
export const RunCampaignDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"mutation","name":{"kind":"Name","value":"RunCampaign"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"runCampaign"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"__typename"}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"RunCampaignPayload"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"run"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}}]}}]}},{"kind":"InlineFragment","typeCondition":{"kind":"NamedType","name":{"kind":"Name","value":"Error"}},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"code"}},{"kind":"Field","name":{"kind":"Name","value":"message"}}]}}]}}]}}]} as unknown as DocumentNode<RunCampaignMutation, RunCampaignMutationVariables>;
export const FollowRunDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"FollowRun"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"id"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"ID"}}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"campaignRunUpdated"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"id"},"value":{"kind":"Variable","name":{"kind":"Name","value":"id"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"status"}},{"kind":"Field","name":{"kind":"Name","value":"eligible"}},{"kind":"Field","name":{"kind":"Name","value":"pending"}},{"kind":"Field","name":{"kind":"Name","value":"inFlight"}},{"kind":"Field","name":{"kind":"Name","value":"answered"}},{"kind":"Field","name":{"kind":"Name","value":"unanswered"}},{"kind":"Field","name":{"kind":"Name","value":"failed"}},{"kind":"Field","name":{"kind":"Name","value":"cancelled"}}]}}]}}]} as unknown as DocumentNode<FollowRunSubscription, FollowRunSubscriptionVariables>;