import { dayAt, dayMs, stretchesOf } from './calendar.ts';
import type { AttemptEnd } from './attempt-end.ts';
import { chooseChannel, type Choice } from './channel.ts';
import type { Channel, ContactBlock, ContactDecision } from './consent.ts';
import { startOfAttempt, type OutboundTask } from './task.ts';
import type { Next } from './task-fact.ts';
import { passes, type Ending, type Sequel } from './task-progress.ts';
import { sentence, wordsOfBlocks, wordsOfDuration, wordsOfOutcome } from './task-words.ts';

/** What is asked of the end of an attempt, or of a block: the rest of it is the task's own. */
export interface Circumstances {
  now: Date;
  /** The zone of the person's clock. */
  zone: string;
  /** What the gate would say at another time, as far as is known now; on another channel, where one is named. */
  decisionAt(at: Date, channel?: Channel): ContactDecision;
  /** What else the person may be tried on. */
  choice: Omit<Choice, 'tried' | 'isOpen'>;
}

/** What follows from the end of an attempt. */
export function sequelOf(task: OutboundTask, end: AttemptEnd, circumstances: Circumstances): Sequel {
  const counted = !end.isUntaken;
  const outcome = wordsOfOutcome(end.outcome);
  if (end.verdict === 'done') return { becomes: 'completed' };
  const isDead = end.verdict === 'elsewhere' && !task.isChannelNamed;
  if (end.verdict === 'give up' || (end.verdict === 'elsewhere' && task.isChannelNamed))
    return { becomes: 'failed', counted, reason: outcome };
  if (counted && task.attempts >= task.maxAttempts)
    return { becomes: 'failed', counted, reason: `${outcome}, and no attempts are left` };
  const waitMs = counted ? backoffMs(task) : untakenMs(task);
  const earliest = Math.max(circumstances.now.getTime() + waitMs, task.scheduledFor.getTime());
  const after = {
    ...task,
    tried: counted ? [...task.tried, end.channel] : task.tried,
    deadChannels: isDead ? [...task.deadChannels, end.channel] : task.deadChannels,
  };
  const plan = planFrom(after, new Date(earliest), {
    ...circumstances,
    told: counted
      ? `attempt ${task.attempts} of ${task.maxAttempts}: ${outcome}`
      : `the carrier did not take the ${nounOf[end.channel]}`,
    lastAt: counted ? startOfAttempt(task) : task.lastAttemptAt,
    mayMove: counted,
  });
  const dead = isDead ? { isDead } : {};
  return 'becomes' in plan ? { counted, ...plan } : { becomes: 'scheduled', counted, ...dead, ...plan };
}

const nounOf: Record<Channel, string> = { VOICE: 'call', VOICEMAIL: 'voicemail', TEXT: 'text' };

/** What follows from the gate's no: when to ask again, or why there is no use in it. */
export function afterBlock(
  task: OutboundTask,
  decision: ContactDecision,
  circumstances: Circumstances,
): Next | Ending {
  const told = wordsOfBlocks(decision.blocks);
  const isBusy = decision.blocks.some((reason) => busy.has(reason));
  const from = new Date(circumstances.now.getTime() + (isBusy ? busyMs[task.channel] : 0));
  return planFrom(task, from, { ...circumstances, told, lastAt: task.lastAttemptAt, mayMove: false });
}

/** What follows where there is nothing to send with on the channel of a task: another channel, or the end. */
export function afterHindrance(
  task: OutboundTask,
  hindrance: string,
  circumstances: Circumstances,
): Next | Ending {
  if (task.isChannelNamed) return { becomes: 'failed', reason: hindrance };
  const closed = { ...task, deadChannels: [...task.deadChannels, task.channel] };
  const asked = { told: hindrance, lastAt: task.lastAttemptAt, mayMove: false };
  return planFrom(closed, circumstances.now, { ...circumstances, ...asked });
}

/** What follows where the workspace may not call before an instant: the first lawful time from then on. */
export const afterUsage = (task: OutboundTask, until: Date, circumstances: Circumstances): Next | Ending =>
  planFrom(task, until, {
    ...circumstances,
    told: 'The call minutes of this month are used up.',
    lastAt: task.lastAttemptAt,
    mayMove: false,
  });

/** Blocks by an attempt that is under way: it is over in minutes. */
const busy = new Set<ContactBlock>(['ACTIVE_CONTACT', 'OUTCOME_UNCERTAIN']);

/** When a number that is being attempted is asked for again, in milliseconds: a call is over in minutes, a conversation by text in hours. */
const busyMs: Record<Channel, number> = { VOICE: 60_000, VOICEMAIL: 60_000, TEXT: 600_000 };

/** What a plan is made from. */
interface Planning extends Circumstances {
  /** What happened, in words. */
  told: string;
  /** When the person was last attempted; null: not yet. */
  lastAt: Date | null | undefined;
  /** Whether another channel is chosen in any case; else only where this one is closed for good. */
  mayMove: boolean;
}

/** The first lawful time from an instant on, in another part of the day than the last attempt; or why there is none. */
function planFrom(task: OutboundTask, from: Date, asked: Planning): Next | Ending {
  const { zone, told, now } = asked;
  const moved = moveOf(task, from, asked);
  if (!moved && task.deadChannels.includes(task.channel))
    return { becomes: 'failed', reason: `${told}, and no other channel reaches the patient` };
  const channel = moved?.sender.channel ?? task.channel;
  const decisionAt = (at: Date) => asked.decisionAt(at, channel);
  const forGood = decisionAt(from).blocks.filter((reason) => !passes(reason));
  if (forGood.length > 0) return { becomes: 'failed', reason: wordsOfBlocks(forGood) };
  const until = task.validUntil?.getTime() ?? Infinity;
  const open = (at: Date) => {
    const { nextAllowedAt } = decisionAt(at);
    const next = nextAllowedAt === null ? null : Date.parse(nextAllowedAt);
    return next !== null && next < until ? new Date(next) : null;
  };
  const first = from.getTime() < until ? open(from) : null;
  if (!first) {
    if (until === Infinity)
      return { becomes: 'failed', reason: `${told}, and calls are not allowed at any time to come` };
    const reason = `${told}, and calls are not allowed again before the time of the task is over`;
    return { becomes: 'timed_out', reason };
  }
  const at = inAnotherPart(first, asked.lastAt ?? null, { zone, open });
  const why = [
    ...(from > now ? [`after ${wordsOfDuration(from.getTime() - now.getTime())}`] : []),
    ...(first > from ? ['when calls are allowed'] : []),
    ...(at > first ? ['at another time of day'] : []),
    ...(moved ? [moved.why] : []),
  ];
  const nextAttemptReason = `${sentence(told)} Next try ${why.join(', ') || 'at once'}.`;
  return { nextAttemptAt: at.toISOString(), nextAttemptReason, ...moved?.sender };
}

/** The channel that a task is moved to; null: it stays on its own. */
function moveOf(task: OutboundTask, from: Date, { choice, decisionAt, mayMove }: Planning) {
  if (task.isChannelNamed) return null;
  const isOpen = (channel: Channel) =>
    !task.deadChannels.includes(channel) && decisionAt(from, channel).blocks.every(passes);
  if (!mayMove && isOpen(task.channel)) return null;
  const chosen = chooseChannel({ ...choice, tried: task.tried, isOpen });
  return chosen?.sender.channel === task.channel ? null : chosen;
}

/**
 * Moves a time out of the two-hour part of the day in which the last attempt was: who did not answer then may at another
 * hour. Where the windows leave no other part within eight days, the time stays.
 */
function inAnotherPart(
  first: Date,
  last: Date | null,
  { zone, open }: { zone: string; open(at: Date): Date | null },
): Date {
  if (!last) return first;
  const tried = partOf(last, zone).part;
  for (let at: Date | null = first; at && at.getTime() - first.getTime() < 8 * dayMs;) {
    const { part, endsAt } = partOf(at, zone);
    if (part !== tried) return at;
    at = open(endsAt);
  }
  return first;
}

const partMs = 7_200_000;

/** The two-hour part of the local day that an instant lies in, 0 to 11, and when it ends: at the latest when the clock is changed. */
export function partOf(at: Date, zone: string): { part: number; endsAt: Date } {
  const day = dayAt(at.getTime(), zone);
  const stretch = stretchesOf(day, zone).findLast(({ from }) => from <= at.getTime());
  const wall = at.getTime() + (stretch?.offset ?? 0) - day * dayMs;
  const part = Math.floor(wall / partMs);
  const endsAt = at.getTime() + (part + 1) * partMs - wall;
  return { part, endsAt: new Date(Math.min(endsAt, stretch?.until ?? endsAt)) };
}

/** How long is waited at the most, in milliseconds: a week. */
const longestMs = 7 * dayMs;

/** Grows with each attempt, and is scaled by urgency: a 1 waits a fifth, a 5 as told, a 10 twice as long. */
export const backoffMs = ({ backoffSeconds, attempts, priority }: OutboundTask): number =>
  Math.min(longestMs, Math.round(backoffSeconds * 1000 * 2 ** (attempts - 1) * (priority / 5)));

/** How long a carrier that takes no calls is left alone: 15 seconds, doubled each time, up to 15 minutes. */
const untakenMs = ({ untaken }: OutboundTask): number =>
  Math.min(900_000, 15_000 * 2 ** Math.min(untaken, 10));
