import * as calls from '../domain/call.ts';
import * as progress from '../domain/call-progress.ts';
import * as campaigns from '../domain/campaign.ts';
import * as runs from '../domain/campaign-run.ts';
import * as contacts from '../domain/contact.ts';
import * as conversations from '../domain/conversation.ts';
import * as events from '../domain/event.ts';
import * as imports from '../domain/import.ts';
import * as inbound from '../domain/inbound-message.ts';
import * as outreach from '../domain/outreach.ts';
import * as outreachCount from '../domain/outreach-count.ts';
import * as outreachTask from '../domain/outreach-task.ts';
import * as patients from '../domain/patient.ts';
import * as patientAccess from '../domain/patient-access.ts';
import * as tasks from '../domain/task.ts';
import * as subscriptions from '../domain/subscription.ts';
import * as triggers from '../domain/trigger.ts';
import * as triggerRuns from '../domain/trigger-run.ts';
import * as voicemails from '../domain/voicemail.ts';
import * as voicemailAudio from '../domain/voicemail-audio.ts';
import * as workspaces from '../domain/workspace.ts';

/** Every table that the product declares; migrations and tests hold the database against them. */
export const tables = [
  events.table,
  events.outbox,
  events.log,
  events.positions,
  events.projections,
  workspaces.table,
  workspaces.apiKeys,
  workspaces.services,
  workspaces.phoneNumbers,
  workspaces.useCases,
  workspaces.idempotencyKeys,
  workspaces.requestWindows,
  workspaces.carrierPaces,
  workspaces.signingKeys,
  patients.table,
  patientAccess.table,
  contacts.table,
  calls.table,
  tasks.table,
  campaigns.table,
  runs.table,
  runs.members,
  triggers.table,
  triggerRuns.runs,
  triggerRuns.episodes,
  workspaces.webhookSecrets,
  subscriptions.table,
  subscriptions.deliveries,
  subscriptions.receivers,
  progress.watches,
  voicemails.table,
  conversations.table,
  conversations.messages,
  outreach.attempts,
  outreachCount.counts,
  outreachTask.tasks,
  inbound.table,
  imports.table,
  voicemailAudio.table,
  voicemailAudio.contents,
];
