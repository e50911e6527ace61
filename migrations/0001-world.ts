import { Migration } from '@mikro-orm/migrations';

/** The world model's first tables. */
export class World extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const table of tables) this.addSql(`drop table "${table}"`);
  }
}

const tables = [
  'api_key',
  'call',
  'call_watch',
  'carrier_pace',
  'contact',
  'event',
  'event_log',
  'idempotency_key',
  'imported_resource',
  'log_position',
  'outbox',
  'patient',
  'phone_number',
  'request_window',
  'service',
  'use_case',
  'workspace',
];

const statements = [
  `create table "api_key" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "name" text not null,
  "secret_hash" text not null,
  "scopes" text[] not null,
  "created_at" timestamptz not null,
  "last_used_at" timestamptz null,
  "revoked_at" timestamptz null,
  primary key ("workspace_id", "id")
)`,
  `alter table "api_key" add constraint "api_key_secret_hash_unique" unique ("secret_hash")`,
  `create table "call" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "version" int not null,
  "fold_version" int not null,
  "sid" text null,
  "status" text not null,
  "status_at" timestamptz not null,
  "origin" text not null,
  "patient_id" uuid not null,
  "contact_id" uuid not null,
  "phone_to" text not null,
  "phone_from" text not null,
  "reason" text not null,
  "goal" text null,
  "system_prompt" text null,
  "welcome_message" text null,
  "purpose" text not null,
  "tags" text[] not null,
  "metadata" jsonb not null,
  "variables" jsonb not null,
  "service_id" uuid null,
  "use_case_id" uuid null,
  "derived_from_id" uuid null,
  "chain_id" uuid not null,
  "requested_by" text not null,
  "callback_url" text null,
  "basis" text null,
  "decision" jsonb not null,
  "answered_by" text null,
  "ended_reason" text null,
  "carrier_code" text null,
  "queued_at" timestamptz not null,
  "answered_at" timestamptz null,
  "ended_at" timestamptz null,
  "duration_seconds" int null,
  primary key ("workspace_id", "id")
)`,
  `create index "call_sid" on "call" ("sid", "workspace_id")`,
  `create index "call_patient" on "call" ("workspace_id", "patient_id", "id")`,
  `create index "call_chain" on "call" ("workspace_id", "chain_id", "id")`,
  `create index "call_status" on "call" ("workspace_id", "status", "id")`,
  `create index "call_source" on "call" ("workspace_id", "phone_from", "queued_at")`,
  `create index call_tags on call using gin (tags)`,
  `create index call_metadata on call using gin (metadata jsonb_path_ops)`,
  `create index call_open on call (status_at) where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`,
  `create index call_open_contact on call (workspace_id, contact_id) where status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN')`,
  `create table "call_watch" (
  "workspace_id" uuid not null,
  "call_id" uuid not null,
  "asks" int not null,
  "ask_at" timestamptz not null,
  primary key ("workspace_id", "call_id")
)`,
  `create unlogged table "carrier_pace" (
  "account" text not null,
  "next_at" timestamptz not null,
  primary key ("account")
)`,
  `create table "contact" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "version" int not null,
  "fold_version" int not null,
  "phone" text not null,
  "consents" jsonb not null,
  "opted_out_at" timestamptz null,
  "revocations" jsonb not null,
  "attempts" jsonb not null,
  primary key ("workspace_id", "id")
)`,
  `alter table "contact" add constraint "contact_workspace_id_phone_unique" unique ("workspace_id", "phone")`,
  `create table "event" (
  "workspace_id" uuid not null,
  "position" bigserial not null,
  "id" uuid not null,
  "entity_type" text not null,
  "entity_id" uuid not null,
  "version" int not null,
  "type" text not null,
  "data" jsonb not null,
  "data_hash" text not null,
  "patient_id" uuid null,
  "source" text not null,
  "source_system" text null,
  "actor" text not null,
  "confidence" double precision not null,
  "effective_at" timestamptz not null,
  "recorded_at" timestamptz not null,
  "causation_id" uuid null,
  "correlation_id" uuid null,
  "supersedes_id" uuid null,
  primary key ("workspace_id", "position")
)`,
  `create index "event_timeline" on "event" ("workspace_id", "patient_id", "effective_at", "position")`,
  `alter table "event" add constraint "event_workspace_id_entity_id_version_unique" unique ("workspace_id", "entity_id", "version")`,
  `alter table "event" add constraint "event_workspace_id_id_unique" unique ("workspace_id", "id")`,
  `create table "event_log" (
  "global_seq" bigint not null,
  "workspace_id" uuid not null,
  "position" bigint not null,
  "hash" text not null,
  primary key ("global_seq")
)`,
  `alter table "event_log" add constraint "event_log_position_unique" unique ("position")`,
  `create index "event_log_workspace" on "event_log" ("workspace_id", "global_seq")`,
  `create table "idempotency_key" (
  "workspace_id" uuid not null,
  "key" text not null,
  "operation" text not null,
  "input_hash" text not null,
  "result_id" uuid not null,
  "created_at" timestamptz not null,
  primary key ("workspace_id", "key")
)`,
  `create table "imported_resource" (
  "workspace_id" uuid not null,
  "source_system" text not null,
  "reference" text not null,
  "content_hash" text not null,
  "event_id" uuid not null,
  primary key ("workspace_id", "source_system", "reference")
)`,
  `create table "log_position" (
  "name" text not null,
  "cursor" bigint not null,
  primary key ("name")
)`,
  `create table "outbox" (
  "position" bigint not null,
  "workspace_id" uuid not null,
  primary key ("position")
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
  `create table "patient" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "version" int not null,
  "fold_version" int not null,
  "canonical_id" text null,
  "status" text not null,
  "name" text not null,
  "birth_date" date null,
  "phone" text null,
  "language" text null,
  "time_zone" text null,
  "beliefs" jsonb not null,
  "tags" text[] not null,
  "preferred_channel" text null,
  "blocked_channels" text[] not null,
  "windows" jsonb not null,
  "search_terms" text[] not null,
  "registered_at" timestamptz not null,
  primary key ("workspace_id", "id")
)`,
  `create index "patient_phone" on "patient" ("workspace_id", "phone")`,
  `create index "patient_status" on "patient" ("workspace_id", "status", "id")`,
  `create index patient_search on patient using gin (array_to_tsvector(search_terms))`,
  `alter table "patient" add constraint "patient_workspace_id_canonical_id_unique" unique ("workspace_id", "canonical_id")`,
  `create table "phone_number" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "phone" text not null,
  "label" text null,
  "active" boolean not null,
  "voice" boolean not null,
  "text" boolean not null,
  "service_id" uuid null,
  "created_at" timestamptz not null,
  primary key ("workspace_id", "id")
)`,
  `alter table "phone_number" add constraint "phone_number_workspace_id_phone_unique" unique ("workspace_id", "phone")`,
  `create unlogged table "request_window" (
  "workspace_id" uuid not null,
  "key_id" uuid not null,
  "started_at" timestamptz not null,
  "used" int not null,
  primary key ("workspace_id", "key_id")
)`,
  `create table "service" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "name" text not null,
  "system_prompt" text not null,
  "greeting" text not null,
  "active" boolean not null,
  "is_default" boolean not null,
  "created_at" timestamptz not null,
  primary key ("workspace_id", "id")
)`,
  `create table "use_case" (
  "workspace_id" uuid not null,
  "id" uuid not null,
  "name" text not null,
  "channel" text not null,
  "number_ids" uuid[] not null,
  "created_at" timestamptz not null,
  primary key ("workspace_id", "id")
)`,
  `create table "workspace" (
  "id" uuid not null,
  "name" text not null,
  "sandbox" boolean not null default false,
  "allowlist" text[] not null,
  "policy" jsonb not null,
  "created_at" timestamptz not null,
  primary key ("id")
)`,
];
