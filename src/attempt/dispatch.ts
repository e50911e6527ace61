import { occupied } from '../conversation/line.ts';
import * as calls from '../domain/call.ts';
import type { Channel, ContactDecision } from '../domain/consent.ts';
import type { Contact } from '../domain/contact.ts';
import { closingOf, decide, zoneOf, type Question } from '../domain/gate.ts';
import type { Patient } from '../domain/patient.ts';
import * as tasks from '../domain/task.ts';
import type { OutboundTask } from '../domain/task.ts';
import * as progress from '../domain/task-progress.ts';
import { afterBlock, afterHindrance, afterUsage } from '../domain/task-retry.ts';
import { spentUntil } from '../domain/usage.ts';
import { mayReach, openPolicy } from '../domain/workspace.ts';
import { openSenders } from '../senders.ts';
import type { Transaction, World } from '../world.ts';
import type { Open } from './circumstances.ts';
import { noChoice } from './conclude.ts';
import { claimDue } from './due.ts';
import { byOf, intend, type Allowed, type Intended, type TextKit } from './intend.ts';
import { keyOf, phoneOf, sceneOf, wordsOf, type Scene } from './scene.ts';

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
  dispatched: (Intended & { turnAt: Date; dueAt: Date; isPaced: boolean })[];
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
    const dispatched: Round['dispatched'] = [];
    for (const { attempt, turnAt } of made) {
      const { nextAttemptAt, queueId } = attempt.task;
      const waited = { dueAt: nextAttemptAt ?? attempt.at, isPaced: queueId !== tasks.noQueue };
      dispatched.push({ ...(await intend(tx, attempt)), turnAt, ...waited });
    }
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

/** Asks the gate about each task in the order of dispatch. Of two at one number or person the second waits for the next round. */
async function sift(
  tx: Transaction,
  due: OutboundTask[],
  scene: Scene,
): Promise<{ allowed: Allowed[]; blocked: number }> {
  const allowed: Allowed[] = [];
  const refused: Refused[] = [];
  const taken = new Set<string>();
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
    const text = contact && textFor(task, { ...question, patient, contact, at }, scene);
    const isOccupied = text !== null && !text.line.open && text.line.phoneFrom === null;
    const decision = isOccupied ? occupied(decideAt(at)) : decideAt(at);
    const hindrance = hindranceOf(task, scene);
    const spent = task.channel === 'VOICE' ? spentUntil(scene.workspaces.get(task.workspaceId), at) : null;
    if (!hindrance && !spent && decision.allowed && contact) {
      scene.room.take(task);
      taken.add(key).add(patient.id);
      const kit = scene.kits.get(task.id) ?? null;
      allowed.push({ task, at, words: wordsOf(task, scene), phone, contact, decision, kit, text });
    } else refused.push({ task, at, patient, decision, decideAt, hindrance, spent });
  }
  await refuse(tx, refused);
  return { allowed, blocked: refused.length };
}

/** What a text is sent with; null: the task is on another channel. */
function textFor(
  task: OutboundTask,
  { patient, contact, at, ...question }: GateQuestion & { patient: Patient; contact: Contact; at: Date },
  scene: Scene,
): TextKit | null {
  if (task.channel !== 'TEXT' || !scene.texts) return null;
  const closesAt = closingOf({ ...question, patient, contact, channel: 'TEXT', ringSeconds: 0, now: at });
  return { ...scene.texts(task, contact), language: patient.language ?? null, closesAt };
}

/** Why nothing can be sent for a task on its channel at all; null: it can. */
function hindranceOf(task: OutboundTask, scene: Scene): string | null {
  if (task.channel === 'VOICEMAIL')
    return scene.kits.get(task.id) ? null : 'nothing here can leave voicemails any more';
  if (scene.room.isAble(task)) return null;
  return `the caller ID ${task.phoneFrom} can no longer ${task.channel === 'TEXT' ? 'send texts' : 'place calls'}`;
}

/** A task to which the gate said no, or that has nothing to send with. */
interface Refused {
  task: OutboundTask;
  at: Date;
  patient: Patient;
  decision: ContactDecision;
  decideAt(now: Date, channel?: Channel): ContactDecision;
  hindrance: string | null;
  /** Until when its workspace may not call, because its minutes are used up; null: it may. */
  spent: Date | null;
}

/** Moves or ends what is refused: to another time, or where its channel is closed for good to another one. */
async function refuse(tx: Transaction, refused: Refused[]): Promise<void> {
  const isClosed = ({ decision, hindrance }: Refused) =>
    hindrance !== null || !decision.blocks.every(progress.passes);
  const movable = refused.filter((one) => !one.task.isChannelNamed && isClosed(one)).map(({ task }) => task);
  const senders = movable.length === 0 ? null : await openSenders(tx, movable);
  for (const { task, at, patient, decision, decideAt, hindrance, spent } of refused) {
    const choice = senders?.choiceOf(task, patient.preferredChannel ?? null) ?? noChoice;
    const circumstances = { now: at, zone: zoneOf(decision), decisionAt: decideAt, choice };
    const isWaiting = spent !== null && hindrance === null && decision.blocks.every(progress.passes);
    const facts = isWaiting
      ? progress.hinder(task, afterUsage(task, spent, circumstances))
      : hindrance === null
        ? progress.block(task, decision, afterBlock(task, decision, circumstances))
        : progress.hinder(task, afterHindrance(task, hindrance, circumstances));
    tx.decide(tasks, task, facts, byOf(task, at));
  }
}

/** All but when and how. */
type GateQuestion = Omit<Question, 'now' | 'channel' | 'ringSeconds'>;

function questionOf(
  task: OutboundTask,
  { patient, phone, contact }: { patient: Patient; phone: string; contact: Contact | null },
  scene: Scene,
): GateQuestion {
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
