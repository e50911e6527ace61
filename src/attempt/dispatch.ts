import { sql } from 'kysely';
import * as calls from '../domain/call.ts';
import type { Campaign } from '../domain/campaign.ts';
import { table as campaigns } from '../domain/campaign.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import type { Channel, ContactDecision } from '../domain/consent.ts';
import { decide, zoneOf, type Question } from '../domain/gate.ts';
import * as patients from '../domain/patient.ts';
import type { Patient } from '../domain/patient.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask } from '../domain/task.ts';
import * as progress from '../domain/task-progress.ts';
import { afterBlock } from '../domain/task-retry.ts';
import { mayReach, openPolicy } from '../domain/workspace.ts';
import type { Transaction, World } from '../world.ts';
import { openAttempts, recentAttempts, workspacesOf, type Open } from './circumstances.ts';
import { openSenders, type VoicemailKit } from '../senders.ts';
import { noChoice } from './conclude.ts';
import { claimDue } from './due.ts';
import { byOf, intend, type Allowed, type Intended, type Words } from './intend.ts';
import { roomFor } from './room.ts';

/** What is dispatched at once, and how fast. */
interface Pace {
  now: Date;
  /** How many tasks are claimed at once. */
  batch: number;
  /** How long before they are due, in milliseconds. */
  leadMs: number;
  callsPerMinute: number;
  /** Takes the account's next turns, each at the soonest when it is wanted; as many as come soon. */
  takeTurns(tx: Transaction, wanted: Date[]): Promise<{ turns: Date[]; againMs: number }>;
}

/** What a round of dispatch has done. */
export interface Round {
  /** Attempts whose intent is recorded, each with its turn. */
  dispatched: (Intended & { turnAt: Date })[];
  /** Tasks that the gate has moved or ended. */
  blocked: number;
  /** In how many milliseconds the account may be asked again; 0: at once. */
  againMs: number;
}

/**
 * Claims due tasks, asks the gate about each, and records the intents of those that may be attempted: in one
 * transaction, with as many statements for a hundred tasks as for one. It waits for nobody's lock but our numbers':
 * what somebody else is busy with stays due, and is claimed in the next round.
 */
export const dispatchDue = (world: World, pace: Pace): Promise<Round> =>
  world.transact(async (tx) => {
    const until = new Date(pace.now.getTime() + pace.leadMs);
    const due = await claimDue(tx, { ...pace, until, limit: pace.batch });
    if (due.length === 0) return { dispatched: [], blocked: 0, againMs: 0 };
    const scene = await sceneOf(tx, due, pace);
    const { allowed, blocked } = await sift(tx, due, scene);
    if (allowed.length === 0) return { dispatched: [], blocked, againMs: 0 };
    const sorted = allowed.toSorted((one, other) => one.at.getTime() - other.at.getTime()); // what is overdue keeps its order
    const [calls, others] = [sorted.filter(isCall), sorted.filter((attempt) => !isCall(attempt))];
    const { turns, againMs } = await turnsFor(tx, calls, pace);
    const made = turns.map((turnAt, index) => ({ attempt: calls[index]!, turnAt }));
    made.push(...others.map((attempt) => ({ attempt, turnAt: attempt.at })));
    const dispatched = made.map(({ attempt, turnAt }) => ({ ...intend(tx, attempt), turnAt }));
    return { dispatched, blocked, againMs: turns.length < calls.length ? againMs : 0 };
  });

const isCall = ({ task }: Allowed): boolean => task.channel === 'VOICE';

/** Only calls take turns with the carrier: texts and voicemails wait in queues of their own there. */
const turnsFor = (tx: Transaction, calls: Allowed[], pace: Pace) =>
  calls.length === 0
    ? { turns: [], againMs: 0 }
    : pace.takeTurns(
        tx,
        calls.map(({ at }) => at),
      );

/** Everything that the gate must know of these tasks, locked where it decides. */
async function sceneOf(tx: Transaction, due: OutboundTask[], { now, callsPerMinute }: Pace) {
  const workspaceIds = unique(due.map(({ workspaceId }) => workspaceId));
  const here = { workspaceId: { in: workspaceIds } };
  const id = { in: unique(due.map(({ patientId }) => patientId)) };
  const known = await tx.lockEach(patients, {
    where: { ...here, id },
    limit: id.in.length,
    skipLocked: true,
  });
  const people = new Map(known.map((patient) => [patient.id, patient]));
  const phone = { in: unique(due.map((task) => phoneOf(task, people.get(task.patientId)))) };
  const limit = phone.in.length * workspaceIds.length;
  const numbers = await tx.lockEach(contacts, { where: { ...here, phone }, limit, skipLocked: true });
  const contactIds = numbers.map((contact) => contact.id);
  const found = new Map(numbers.map((contact) => [`${contact.workspaceId} ${contact.phone}`, contact]));
  const missing = due.some((task) => !found.has(keyOf(task, people.get(task.patientId))));
  const workspaces = await workspacesOf(tx, workspaceIds);
  return {
    now,
    people,
    numbers: found,
    heldNumbers: missing
      ? await heldByOthers(tx, { workspaceIds, phones: phone.in, ours: contactIds })
      : new Set<string>(),
    workspaces,
    room: await roomFor(tx, due, { now, callsPerMinute, workspaces: [...workspaces.values()] }),
    campaigns: await campaignsOf(tx, due),
    kits: await kitsOf(tx, due),
    open: await openAttempts(tx, workspaceIds, contactIds),
    recent: await recentAttempts(tx, { workspaceIds, patientIds: id.in, now }),
  };
}
type Scene = Awaited<ReturnType<typeof sceneOf>>;

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

/** A task's own words; a campaign may have been told others since it made the task, and whoever is called now hears those. */
function wordsOf(task: OutboundTask, scene: Scene): Words {
  const { reason, goal, purpose } = scene.campaigns.get(task.campaignId ?? '') ?? task;
  return { reason, goal: goal ?? null, purpose };
}

/** Numbers that are known and held by somebody else: of the others nobody has ever heard. */
async function heldByOthers(
  tx: Transaction,
  { workspaceIds, phones, ours }: { workspaceIds: string[]; phones: string[]; ours: string[] },
): Promise<Set<string>> {
  const rows = await tx.query<{ key: string }>(sql`
    select workspace_id || ' ' || phone as key from contact
    where workspace_id = any(${workspaceIds}) and phone = any(${phones}) and id <> all(${ours})`);
  return new Set(rows.map(({ key }) => key));
}

/** Asks the gate about each task in the order of dispatch. Of two at one number or person the second waits for the next round. */
async function sift(
  tx: Transaction,
  due: OutboundTask[],
  scene: Scene,
): Promise<{ allowed: Allowed[]; blocked: number }> {
  const allowed: Allowed[] = [];
  const refused: Refused[] = [];
  const taken = new Set<string>();
  let unable = 0;
  for (const task of due) {
    const patient = scene.people.get(task.patientId);
    const phone = phoneOf(task, patient);
    const key = keyOf(task, patient);
    const isBusy = !patient || scene.heldNumbers.has(key) || taken.has(key) || taken.has(patient.id);
    if (isBusy || !scene.room.isLeft(task)) continue;
    const contact = scene.numbers.get(key) ?? null;
    const at = new Date(Math.max(scene.now.getTime(), task.nextAttemptAt?.getTime() ?? 0));
    const question = questionOf(task, { patient, phone, contact }, scene);
    const decideAt = (now: Date, channel: Channel = task.channel) =>
      decide({ ...question, channel, ringSeconds: calls.ringSecondsOn[channel], now });
    const decision = decideAt(at);
    const hindrance = hindranceOf(task, scene);
    if (hindrance) {
      tx.decide(tasks, task, progress.abandon(task, hindrance), byOf(task, at));
      unable += 1;
    } else if (decision.allowed && contact) {
      scene.room.take(task);
      taken.add(key).add(patient.id);
      const kit = scene.kits.get(task.id) ?? null;
      allowed.push({ task, at, words: wordsOf(task, scene), phone, contact, decision, kit });
    } else refused.push({ task, at, patient, decision, decideAt });
  }
  await refuse(tx, refused);
  return { allowed, blocked: unable + refused.length };
}

/** Why nothing can be sent for a task at all; null: it can. */
function hindranceOf(task: OutboundTask, scene: Scene): string | null {
  if (!scene.room.isAble(task))
    return `the caller ID ${task.phoneFrom} can no longer ${task.channel === 'TEXT' ? 'send texts' : 'place calls'}`;
  if (task.channel === 'VOICEMAIL' && !scene.kits.get(task.id))
    return 'there is no recording or use case for voicemail any more';
  return null;
}

/** A task to which the gate said no. */
interface Refused {
  task: OutboundTask;
  at: Date;
  patient: Patient;
  decision: ContactDecision;
  decideAt(now: Date, channel?: Channel): ContactDecision;
}

/** Moves or ends what the gate refused: to another time, or where its channel is closed for good to another one. */
async function refuse(tx: Transaction, refused: Refused[]): Promise<void> {
  const closed = refused.filter(
    ({ task, decision }) => !task.isChannelNamed && !decision.blocks.every(progress.passes),
  );
  const senders =
    closed.length === 0
      ? null
      : await openSenders(
          tx,
          closed.map(({ task }) => task),
        );
  for (const { task, at, patient, decision, decideAt } of refused) {
    const choice = senders?.choiceOf(task, patient.preferredChannel ?? null) ?? noChoice;
    const circumstances = { now: at, zone: zoneOf(decision), decisionAt: decideAt, choice };
    const plan = afterBlock(task, decision, circumstances);
    tx.decide(tasks, task, progress.block(task, decision, plan), byOf(task, at));
  }
}

/** Unless its number was named, a task follows the patient's own. */
const phoneOf = (task: OutboundTask, patient: Patient | undefined): string =>
  task.isPhoneNamed ? task.phone : (patient?.phone ?? task.phone);

/** A number of a workspace: what is known of it is that workspace's. */
const keyOf = (task: OutboundTask, patient: Patient | undefined): string =>
  `${task.workspaceId} ${phoneOf(task, patient)}`;

function questionOf(
  task: OutboundTask,
  { patient, phone, contact }: { patient: Patient; phone: string; contact: Contact | null },
  scene: Scene,
): Omit<Question, 'now' | 'channel' | 'ringSeconds'> {
  const { open, recent, workspaces } = scene;
  const workspace = workspaces.get(task.workspaceId) ?? null;
  const states: Open[] = contact ? (open.get(contact.id) ?? []) : [];
  return {
    patient,
    phone,
    contact,
    purpose: wordsOf(task, scene).purpose,
    claimed: null,
    open: states,
    recent: recent.get(patient.id) ?? [],
    policy: workspace?.policy ?? openPolicy,
    isOnAllowlist: mayReach(workspace, phone),
    task: { window: task.window ?? null, validUntil: task.validUntil ?? null },
  };
}

const unique = <T>(values: T[]): T[] => [...new Set(values)];
