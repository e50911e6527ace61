import type DataLoader from 'dataloader';
import type { Attempts } from './attempt.ts';
import type { Campaigns } from './campaign.ts';
import type { Clock, RunningClock } from './clock.ts';
import type { Conversations } from './conversation.ts';
import type { By, Event, Table } from './domain/event.ts';
import type { Call } from './domain/call.ts';
import type { Campaign } from './domain/campaign.ts';
import type { CampaignRun, Counts } from './domain/campaign-run.ts';
import type { Contact } from './domain/contact.ts';
import type { Message } from './domain/conversation.ts';
import type { Engagement } from './domain/engagement.ts';
import type { Patient } from './domain/patient.ts';
import type { Subject } from './domain/patient-access.ts';
import type { OutboundTask } from './domain/task.ts';
import type { Delivery } from './domain/subscription.ts';
import type { Trigger } from './domain/trigger.ts';
import type { VoicemailAudio } from './domain/voicemail-audio.ts';
import type { ApiKey, PhoneNumber, Scope, Service, UseCase, Workspace } from './domain/workspace.ts';
import type { Importer } from './importer.ts';
import type { Live } from './live.ts';
import type { Outcomes } from './outcome.ts';
import type { PatientAccesses } from './patient-access.ts';
import type { Outreach } from './outreach/read.ts';
import type { Registry } from './registry.ts';
import type { Schedule } from './schedule.ts';
import type { Subscriptions } from './subscription.ts';
import type { Triggers } from './trigger.ts';
import type { VoicemailRecordings } from './voicemail-audio.ts';
import type { Usages } from './usage.ts';
import type { World } from './world.ts';
import type { TimelineQuery } from './world/log.ts';
import type { Page } from './world/read.ts';
import type { Where } from './world/sql.ts';
import type { Workspaces } from './provision.ts';

/** What every resolver is given: one for each request, one for each operation of a socket. */
export interface Context {
  /** Whose key asks. Null: none was given, or a bad one. */
  key: ApiKey | null;
  workspaceId: string;
  world: World;
  live: Live;
  attempts: Attempts;
  conversations: Conversations;
  registry: Registry;
  schedule: Schedule;
  campaigns: Campaigns;
  outcomes: Outcomes;
  outreach: Outreach;
  triggers: Triggers;
  subscriptions: Subscriptions;
  workspaces: Workspaces;
  importer: Importer;
  recordings: VoicemailRecordings;
  accesses: PatientAccesses;
  usages: Usages;
  clock: Clock;
  /** What others reach this product by, such as https://calls.example.com. */
  publicUrl: string;
  /** The clock where it may be moved by hand; null: it shows real time, or other processes have others. */
  movableClock: RunningClock | null;
  loaders: Loaders;
  /** Forgets what the loaders have read: each event of a subscription reads anew. */
  renew(): void;
  /** Who asks, for the events that come of it. */
  by(): By;
  can(scope: Scope): boolean;
  /** Remembers that the key has read of a patient. */
  saw(subject: Subject, patientId: string): void;
}

/** Whose rows are wanted: the property that names the parent, and its id. */
export type Parent = [property: string, id: string];

/** An event with its place in storage. */
type Placed = Event & { position: number };

/** Rows by id, batched: a page that needs a hundred of them asks once. */
export interface Loaders {
  patient: DataLoader<string, Patient | null>;
  /** Whoever has a number now, by it. */
  peopleAt: DataLoader<string, Patient[]>;
  call: DataLoader<string, Call | null>;
  task: DataLoader<string, OutboundTask | null>;
  campaign: DataLoader<string, Campaign | null>;
  trigger: DataLoader<string, Trigger | null>;
  campaignRun: DataLoader<string, CampaignRun | null>;
  /** Where the members of a run are. */
  counts: DataLoader<CampaignRun, Counts, string>;
  /** When a run will be done, at its pace. */
  estimate: DataLoader<CampaignRun, Date | null, string>;
  nextRunAt: DataLoader<Campaign, Date | null, string>;
  recording: DataLoader<string, VoicemailAudio | null>;
  service: DataLoader<string, Service | null>;
  useCase: DataLoader<string, UseCase | null>;
  apiKey: DataLoader<string, ApiKey | null>;
  phoneNumber: DataLoader<string, PhoneNumber | null>;
  /** The use cases that a phone number serves, by its id. */
  useCasesOf: DataLoader<string, UseCase[]>;
  /** By phone number. */
  contact: DataLoader<string, Contact | null>;
  /** The newest message of a conversation, by the conversation's id. */
  lastMessage: DataLoader<string, Message | null>;
  /** What is under way at a number, by contact. */
  open: DataLoader<string, ('ACTIVE' | 'UNCERTAIN')[]>;
  /** When a patient was attempted in the last eight days. */
  recent: DataLoader<string, Date[]>;
  /** What attempts at a patient have come to. */
  engagement: DataLoader<string, Engagement>;
  workspace: DataLoader<string, Workspace | null>;
  event: DataLoader<string, Event | null>;
  /** All events of an entity, oldest first. */
  history: DataLoader<string, Event[]>;
  /** The attempts of a task, by its id, oldest first. */
  callsOf: DataLoader<string, Call[]>;
  /** What came of posting a call's end to its callback URL, by the call's id. */
  callbackOf: DataLoader<string, Delivery | null>;
  /** All calls of a chain, by its first call's id, oldest first. */
  chain: DataLoader<string, Call[]>;
  /** A page of the rows that have a parent: those of all parents in a list are read at once. */
  page<R extends object>(table: Table, of: Parent, page: Page): Promise<R[]>;
  /** How many rows a parent has. */
  count(table: Table, of: Parent, where: Where): Promise<number>;
  /** A page of a patient's timeline. */
  timeline(patientId: string, wanted: Omit<TimelineQuery, 'workspaceId'>): Promise<Placed[]>;
}
