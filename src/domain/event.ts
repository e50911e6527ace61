/**
 * The words that every file here uses.
 *
 * - Event: one thing that happened to one entity; appended, never changed.
 * - Fact: the type and data that a decision returns, before it is recorded.
 * - Row: the fold of an entity's events, in typed columns.
 * - Kind: a domain module, as the world needs it: table, blank, evolve.
 * - Decision: a pure function from a row to facts.
 * - Refusal: a rule said no; it has a code of the contract.
 * - Attempt: one dial, text or voicemail.
 * - Contact: a phone number, with its consents, opt-outs and attempts.
 * - Gate: the decision whether a contact may be attempted now.
 * - Actor: who caused an event.
 */
import { defineEntity, p, type EntitySchema } from '@mikro-orm/core';

/** What an event can happen to; a value of the contract's EntityType. */
export const entityTypes = [
  'PATIENT',
  'CONTACT',
  'OUTBOUND_TASK',
  'CALL',
  'CAMPAIGN',
  'CAMPAIGN_RUN',
  'VOICEMAIL',
  'CONVERSATION',
  'TRIGGER',
  'WORKSPACE',
] as const;
/** One of `entityTypes`. */
export type EntityType = (typeof entityTypes)[number];

/** The append-only truth. `position` is the order of storage and never a cursor: transactions commit out of its order. */
export const table = defineEntity({
  name: 'Event',
  tableName: 'event',
  properties: {
    workspaceId: p.uuid().primary(),
    position: p.bigint('number').primary().autoincrement(),
    id: p.uuid(),
    entityType: p.text().$type<EntityType>(),
    entityId: p.uuid(),
    version: p.integer(),
    type: p.text(),
    data: p.json().$type<Record<string, unknown>>(),
    /** Hex SHA-256 of the canonical JSON of `data`; stays when a person's data are erased. */
    dataHash: p.text(),
    patientId: p.uuid().nullable(),
    source: p.text().$type<Source>(),
    sourceSystem: p.text().nullable(),
    actor: p.text(),
    confidence: p.double(),
    effectiveAt: p.datetime(),
    recordedAt: p.datetime(),
    causationId: p.uuid().nullable(),
    correlationId: p.uuid().nullable(),
    supersedesId: p.uuid().nullable(),
  },
  uniques: [{ properties: ['workspaceId', 'entityId', 'version'] }, { properties: ['workspaceId', 'id'] }],
  indexes: [{ name: 'event_timeline', properties: ['workspaceId', 'patientId', 'effectiveAt', 'position'] }],
});

/** Positions of events that have no place in the log yet: a narrow queue, emptied by the sequencer. */
export const outbox = defineEntity({
  name: 'Outbox',
  tableName: 'outbox',
  properties: { workspaceId: p.uuid(), position: p.bigint('number').primary().autoincrement(false) },
});

/** The one order of all events, dense and without gaps. `globalSeq` is the only cursor. */
export const log = defineEntity({
  name: 'EventLog',
  tableName: 'event_log',
  properties: {
    globalSeq: p.bigint('number').primary().autoincrement(false),
    workspaceId: p.uuid(),
    position: p.bigint('number').unique(),
    /** Hex SHA-256 over the hash before it and this event's envelope and data hash. */
    hash: p.text(),
  },
  indexes: [{ name: 'event_log_workspace', properties: ['workspaceId', 'globalSeq'] }],
});

/** How far each follower of the log has come. */
export const positions = defineEntity({
  name: 'LogPosition',
  tableName: 'log_position',
  properties: { name: p.text().primary(), cursor: p.bigint('number') },
});

/** What is projected from the log: each generation with how far it has read; readers see the one that is live. */
export const projections = defineEntity({
  name: 'Projection',
  tableName: 'projection',
  properties: {
    name: p.text().primary(),
    generation: p.integer().primary(),
    cursor: p.bigint('number'),
    isLive: p.boolean(),
  },
  indexes: [
    {
      name: 'projection_live',
      expression: 'create unique index projection_live on projection (name) where is_live',
    },
  ],
});

/** How the product came to know: over the API, from a job, a trigger, the agent, the carrier or an import. */
export type Source = 'api' | 'job' | 'trigger' | 'agent' | 'carrier' | 'import';

/** What a decision returns. `data` is JSON: instants in it are ISO strings. */
export interface Fact {
  /** Left out: the world makes one. */
  readonly id?: string;
  readonly type: string;
  readonly data: object;
  /** When it was true in the world; left out: now. */
  readonly effectiveAt?: Date;
  /** How sure the source is, 0 to 1; left out: 1. */
  readonly confidence?: number;
  /** The system it came from; left out: what the change says. */
  readonly sourceSystem?: string | null;
  readonly supersedesId?: string | null;
}

/** An event as it is stored, read and folded. */
export type Event<F extends Fact = Fact> = Envelope & Pick<F, 'type' | 'data'>;

/** Everything about an event but what happened. */
export interface Envelope {
  id: string;
  workspaceId: string;
  entityType: EntityType;
  entityId: string;
  version: number;
  patientId: string | null;
  source: Source;
  sourceSystem: string | null;
  actor: string;
  confidence: number;
  effectiveAt: Date;
  recordedAt: Date;
  causationId: string | null;
  correlationId: string | null;
  supersedesId: string | null;
  /** Its place in the log; null for the few milliseconds until it has one. */
  cursor: number | null;
}

/** The columns that every row has. */
export interface Row {
  id: string;
  workspaceId: string;
  /** How many events the row is the fold of. */
  version: number;
  /** The version of the fold that made the row; a row of an older one is folded anew before the next decision. */
  foldVersion: number;
}

/** The columns of `Row`, for a kind's table. */
export const rowColumns = {
  workspaceId: p.uuid().primary(),
  id: p.uuid().primary(),
  version: p.integer(),
  foldVersion: p.integer(),
};

/** An index over some of a table's rows. */
export const partialIndex = (name: string, on: string, where: string) => ({
  name,
  expression: `create index ${name} on ${on} where ${where}`,
});

/** What the world needs to know about a kind of entity. A domain module is one: `import * as calls from './call.ts'`. */
export interface Kind<R extends Row, F extends Fact> {
  readonly entityType: EntityType;
  readonly table: EntitySchema;
  readonly foldVersion: number;
  blank(id: string, workspaceId: string): R;
  evolve(row: R, event: Event<F>): R;
  /** Whose timeline an event of this entity stands on; null: nobody's. */
  patientOf(row: R, fact: F): string | null;
}

/** Who causes a change, and when. */
export interface By {
  workspaceId: string;
  actor: string;
  source: Source;
  now: Date;
  sourceSystem?: string | null;
  correlationId?: string | null;
  causationId?: string | null;
}

/** A table whose rows are no folds: configuration, such as a phone number. */
export type Table = EntitySchema;

/** The row that a history folds into. */
export function foldOf<R extends Row, F extends Fact>(
  kind: Kind<R, F>,
  id: string,
  workspaceId: string,
  history: Event<F>[],
): R {
  return history.reduce<R>((row, event) => fold(kind, row, event), kind.blank(id, workspaceId));
}

/** The row after one more event. */
export const fold = <R extends Row, F extends Fact>(kind: Kind<R, F>, row: R, event: Event<F>): R => ({
  ...kind.evolve(row, event),
  version: event.version,
  foldVersion: kind.foldVersion,
});
