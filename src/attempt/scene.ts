import { sql } from 'kysely';
import { lineAmong } from '../conversation/line.ts';
import type { Campaign } from '../domain/campaign.ts';
import { table as campaigns } from '../domain/campaign.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import { table as conversations, type Conversation } from '../domain/conversation.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import type { OutboundTask } from '../domain/task.ts';
import { services, type Service } from '../domain/workspace.ts';
import { openSenders, type VoicemailKit } from '../senders.ts';
import type { Transaction } from '../world.ts';
import { openAttempts, recentAttempts, workspacesOf } from './circumstances.ts';
import type { Words } from './intend.ts';
import { lockLines, lockSupply, roomIn } from './room.ts';

/**
 * Everything that the gate must know of these tasks, locked where it decides: with three round trips, since a person's
 * number is known once they are locked, and what is under way there once it is.
 */
export async function sceneOf(
  tx: Transaction,
  due: OutboundTask[],
  { now, callsPerMinute }: { now: Date; callsPerMinute: number },
) {
  const workspaceIds = unique(due.map(({ workspaceId }) => workspaceId));
  const here = { workspaceId: { in: workspaceIds } };
  const patientIds = unique(due.map(({ patientId }) => patientId));
  const whose = { ...here, id: { in: patientIds } };
  const [known, workspaces, supply, campaigns, kits] = await Promise.all([
    tx.lockEach(patients, { where: whose, limit: patientIds.length, skipLocked: true }),
    workspacesOf(tx, workspaceIds),
    lockSupply(tx, due, { now, callsPerMinute }),
    campaignsOf(tx, due),
    kitsOf(tx, due),
  ]);
  const people = new Map(known.map((patient) => [patient.id, patient]));
  const phones = unique(due.map((task) => phoneOf(task, people.get(task.patientId))));
  const limit = phones.length * workspaceIds.length;
  const [numbers, lines] = await Promise.all([
    tx.lockEach(contacts, { where: { ...here, phone: { in: phones } }, limit, skipLocked: true }),
    lockLines(tx, [...workspaces.values()]),
  ]);
  const contactIds = numbers.map((contact) => contact.id);
  const found = new Map(numbers.map((contact) => [`${contact.workspaceId} ${contact.phone}`, contact]));
  const missing = due.some((task) => !found.has(keyOf(task, people.get(task.patientId))));
  const [heldNumbers, texts, open, recent] = await Promise.all([
    missing ? heldByOthers(tx, { workspaceIds, phones, ours: contactIds }) : new Set<string>(),
    textsOf(tx, due, contactIds),
    openAttempts(tx, workspaceIds, contactIds),
    recentAttempts(tx, { workspaceIds, patientIds, now }),
  ]);
  const room = roomIn({ ...supply, lines });
  return { now, people, numbers: found, heldNumbers, workspaces, room, campaigns, kits, texts, open, recent };
}

/** What a round decides from. */
export type Scene = Awaited<ReturnType<typeof sceneOf>>;

/** The campaigns of tasks, by their ids. */
async function campaignsOf(tx: Transaction, due: OutboundTask[]): Promise<Map<string, Campaign>> {
  const ids = unique(due.flatMap(({ campaignId }) => campaignId ?? []));
  const found = ids.length === 0 ? [] : await tx.find<Campaign>(campaigns, { id: { in: ids } });
  return new Map(found.map((campaign) => [campaign.id, campaign]));
}

/** What voicemails are left with, by task. */
async function kitsOf(tx: Transaction, due: OutboundTask[]): Promise<Map<string, VoicemailKit | null>> {
  const wanted = due.filter(({ channel }) => channel === 'VOICEMAIL');
  if (wanted.length === 0) return new Map();
  const senders = await openSenders(tx, wanted);
  return new Map(wanted.map((task) => [task.id, senders.voicemailOf(task)]));
}

/** Services, numbers and conversations of those that are to be texted. */
async function textsOf(tx: Transaction, due: OutboundTask[], contactIds: string[]) {
  const wanted = due.filter(({ channel }) => channel === 'TEXT');
  if (wanted.length === 0) return null;
  const here = { workspaceId: { in: unique(wanted.map(({ workspaceId }) => workspaceId)) } };
  const senders = await openSenders(tx, wanted);
  const known = await tx.find<Service>(services, {
    ...here,
    id: { in: unique(wanted.flatMap(({ serviceId }) => serviceId ?? [])) },
  });
  const held = await tx.find<Conversation>(conversations, { ...here, contactId: { in: contactIds } });
  return (task: OutboundTask, contact: Contact) => ({
    service: known.find(({ id }) => id === task.serviceId),
    line: lineAmong(
      held.filter(({ contactId }) => contactId === contact.id),
      task.patientId,
      senders.textNumbersOf(task),
    ),
  });
}

/** A task's own words; a campaign may have been told others since it made the task, and whoever is called now hears those. */
export function wordsOf(task: OutboundTask, scene: Scene): Words {
  const { reason, goal, purpose } = scene.campaigns.get(task.campaignId ?? '') ?? task;
  return { reason, goal: goal ?? null, purpose };
}

/** Numbers that are known and held by somebody else: of the others nobody has ever heard. */
async function heldByOthers(
  tx: Transaction,
  { workspaceIds, phones, ours }: { workspaceIds: string[]; phones: string[]; ours: string[] },
): Promise<Set<string>> {
  const rows = await tx.prepared<{ key: string }>(sql`
    select workspace_id || ' ' || phone as key from contact
    where workspace_id = any(${workspaceIds}) and phone = any(${phones}) and id <> all(${ours})`);
  return new Set(rows.map(({ key }) => key));
}

/** Unless its number was named, a task follows the patient's own. */
export const phoneOf = (task: OutboundTask, patient: Patient | undefined): string =>
  task.isPhoneNamed ? task.phone : (patient?.phone ?? task.phone);

/** A number of a workspace: what is known of it is that workspace's. */
export const keyOf = (task: OutboundTask, patient: Patient | undefined): string =>
  `${task.workspaceId} ${phoneOf(task, patient)}`;

const unique = <T>(values: T[]): T[] => [...new Set(values)];
