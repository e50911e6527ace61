import { sql } from 'kysely';
import { newId } from '../clock.ts';
import type { Placed } from '../attempt.ts';
import * as calls from '../domain/call.ts';
import type { Campaign } from '../domain/campaign.ts';
import { table as campaigns } from '../domain/campaign.ts';
import * as contacts from '../domain/contact.ts';
import type { Contact } from '../domain/contact.ts';
import type { ContactDecision } from '../domain/consent.ts';
import type { By } from '../domain/event.ts';
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
import { claimDue } from './due.ts';
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
  /** Calls whose intent is recorded, each with its turn. */
  dispatched: (Placed & { turnAt: Date })[];
  /** Tasks that the gate has moved or ended. */
  blocked: number;
  /** In how many milliseconds the account may be asked again; 0: at once. */
  againMs: number;
}

/** An attempt that may be made. */
interface Allowed {
  task: OutboundTask;
  /** When it is due, or now where that has been. What is decided and recorded of it is so as of then. */
  at: Date;
  words: Words;
  phone: string;
  contact: Contact;
  decision: ContactDecision;
}

/** What a call is about. */
type Words = Pick<OutboundTask, 'reason' | 'goal' | 'purpose'>;

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
    const { allowed, blocked } = sift(tx, due, scene);
    if (allowed.length === 0) return { dispatched: [], blocked, againMs: 0 };
    const sorted = allowed.toSorted((one, other) => one.at.getTime() - other.at.getTime()); // what is overdue keeps its order
    const { turns, againMs } = await pace.takeTurns(
      tx,
      sorted.map(({ at }) => at),
    );
    const dispatched = turns.map((turnAt, index) => ({ ...intend(tx, sorted[index]!), turnAt }));
    return { dispatched, blocked, againMs: turns.length < allowed.length ? againMs : 0 };
  });

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
function sift(tx: Transaction, due: OutboundTask[], scene: Scene): { allowed: Allowed[]; blocked: number } {
  const allowed: Allowed[] = [];
  const taken = new Set<string>();
  let blocked = 0;
  for (const task of due) {
    const patient = scene.people.get(task.patientId);
    const phone = phoneOf(task, patient);
    const key = keyOf(task, patient);
    const isBusy = !patient || scene.heldNumbers.has(key) || taken.has(key) || taken.has(patient.id);
    if (isBusy || !scene.room.isLeft(task)) continue;
    const contact = scene.numbers.get(key) ?? null;
    const at = new Date(Math.max(scene.now.getTime(), task.nextAttemptAt?.getTime() ?? 0));
    const question = { ...questionOf(task, { patient, phone, contact }, scene), now: at };
    const decision = decide(question);
    const by = byOf(task, at);
    if (!scene.room.isAble(task)) {
      const reason = `the caller ID ${task.phoneFrom} can no longer place calls`;
      tx.decide(tasks, task, progress.abandon(task, reason), by);
      blocked += 1;
    } else if (decision.allowed && contact) {
      scene.room.take(task);
      taken.add(key).add(patient.id);
      allowed.push({ task, at, words: wordsOf(task, scene), phone, contact, decision });
    } else {
      const decisionAt = (now: Date) => decide({ ...question, now });
      const plan = afterBlock(task, decision, { now: at, zone: zoneOf(decision), decisionAt });
      tx.decide(tasks, task, progress.block(task, decision, plan), by);
      blocked += 1;
    }
  }
  return { allowed, blocked };
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
): Omit<Question, 'now'> {
  const { open, recent, workspaces } = scene;
  const workspace = workspaces.get(task.workspaceId) ?? null;
  const states: Open[] = contact ? (open.get(contact.id) ?? []) : [];
  return {
    patient,
    phone,
    contact,
    channel: task.channel,
    purpose: wordsOf(task, scene).purpose,
    claimed: null,
    open: states,
    recent: recent.get(patient.id) ?? [],
    policy: workspace?.policy ?? openPolicy,
    isOnAllowlist: mayReach(workspace, phone),
    task: { window: task.window ?? null, validUntil: task.validUntil ?? null },
    ringSeconds: calls.ringSeconds,
  };
}

/** Records an attempt: of the task, of the number, and the call that is about to be placed. */
function intend(tx: Transaction, allowed: Allowed): Placed {
  const { task, at, phone, contact, decision } = allowed;
  const by = byOf(task, at);
  const callId = newId(at);
  const chainId = task.chainId ?? callId;
  const facts = progress.dispatch(task, { callId, phone, decision, chainId }, at);
  const dispatched = tx.decide(tasks, task, facts, by);
  const because = { ...by, causationId: dispatched.events.at(-1)!.id };
  const attempt = contacts.attempt(contact, { phone, attemptId: callId, channel: 'VOICE' });
  tx.decide(contacts, contact, attempt, because);
  const call = calls.blank(callId, task.workspaceId);
  const { row, events } = tx.decide(calls, call, calls.initiate(call, intentOf(allowed, callId)), because);
  return { call: row, event: events[0]!, replayed: false };
}

/** The call of an attempt: all attempts of a task are one chain, each derived from the one before. */
function intentOf({ task, words, phone, contact, decision }: Allowed, callId: string): calls.Intent {
  const { patientId, phoneFrom, tags, metadata, serviceId, origin, requestedBy } = task;
  return {
    origin,
    patientId,
    contactId: contact.id,
    phoneTo: phone,
    phoneFrom,
    reason: words.reason,
    goal: words.goal ?? null,
    systemPrompt: null,
    welcomeMessage: null,
    purpose: words.purpose,
    tags,
    metadata,
    variables: {},
    serviceId: serviceId ?? null,
    useCaseId: null,
    taskId: task.id,
    campaignId: task.campaignId ?? null,
    campaignRunId: task.queueId === tasks.noQueue ? null : task.queueId,
    derivedFromId: task.lastCallId ?? task.derivedFromId ?? null,
    chainId: task.chainId ?? callId,
    requestedBy,
    callbackUrl: null,
    basis: decision.basis,
    decision,
  };
}

const byOf = ({ workspaceId, id }: OutboundTask, now: Date): By => ({
  workspaceId,
  actor: 'dispatch-tasks',
  source: 'job',
  now,
  correlationId: id,
});

const unique = <T>(values: T[]): T[] => [...new Set(values)];
