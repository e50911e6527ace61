import { dayAt, dayMs, stretchesOf } from './calendar.ts';
import type { Call } from './call.ts';
import type { ContactBlock, ContactDecision } from './consent.ts';
import { startOfAttempt, type OutboundTask } from './task.ts';
import type { Next } from './task-fact.ts';
import { passes, type Ending, type Sequel } from './task-progress.ts';
import { sentence, wordsOfBlocks, wordsOfDuration, wordsOfOutcome } from './task-words.ts';

/** What is asked of the end of an attempt, or of a block: the rest of it is the task's own. */
export interface Circumstances {
  now: Date;
  /** The zone of the person's clock. */
  zone: string;
  /** What the gate would say at another time, as far as is known now. */
  decisionAt(at: Date): ContactDecision;
}

/** What the transport, who answered and what was achieved call for together. */
type Verdict = 'done' | 'retry' | 'give up';

/** What an agent says that was achieved, and what it calls for. */
const achievements: Record<string, Verdict> = {
  confirmed: 'done',
  declined: 'done',
  callback_requested: 'done', // the promise is a task of its own
  left_message: 'done',
  unresolved: 'retry',
  opted_out: 'give up',
  wrong_person: 'give up',
};

/** SIP answers of numbers that reach nobody, now or later, RFC 3261 21 and RFC 8197 (607). */
const deadLines = new Set(['404', '410', '484', '604', '607'].map((code) => `failed_sip_${code}`));

/** The three layers of an outcome, from the outside in: transport, who answered, what was achieved. */
export function verdictOf(
  call: Pick<Call, 'status' | 'endedReason' | 'answeredBy'>,
  achieved: string | null,
): Verdict {
  switch (call.status) {
    case 'COMPLETED':
      if (achieved !== null) return achievements[achieved] ?? 'done';
      if (call.answeredBy === 'FAX') return 'give up';
      return call.answeredBy === 'MACHINE' ? 'retry' : 'done';
    case 'FAILED': {
      const reason = call.endedReason ?? '';
      return deadLines.has(reason) || reason.startsWith('carrier_rejected') ? 'give up' : 'retry';
    }
    case 'CANCELED': // whoever took it back did not want it repeated
      return 'give up';
    default:
      return 'retry';
  }
}

/** How an attempt ended, in one word: the call's ended reason, and whether no person had answered. */
export const outcomeOf = ({ endedReason, answeredBy }: Pick<Call, 'endedReason' | 'answeredBy'>): string =>
  `${endedReason ?? 'unknown'}${answeredBy === 'MACHINE' || answeredBy === 'FAX' ? `_by_${answeredBy.toLowerCase()}` : ''}`;

/** What follows from the end of an attempt. `isUntaken`: the carrier did not take it, and may take the next one. */
export function sequelOf(
  task: OutboundTask,
  call: Pick<Call, 'status' | 'endedReason' | 'answeredBy' | 'outcome'> & { isUntaken: boolean },
  circumstances: Circumstances,
): Sequel {
  const counted = !call.isUntaken;
  const outcome = wordsOfOutcome(outcomeOf(call));
  const verdict = call.isUntaken ? 'retry' : verdictOf(call, call.outcome ?? null);
  if (verdict === 'done') return { becomes: 'completed' };
  if (verdict === 'give up') return { becomes: 'failed', counted, reason: outcome };
  if (counted && task.attempts >= task.maxAttempts) {
    return { becomes: 'failed', counted, reason: `${outcome}, and no attempts are left` };
  }
  const waitMs = counted ? backoffMs(task) : untakenMs(task);
  const earliest = Math.max(circumstances.now.getTime() + waitMs, task.scheduledFor.getTime());
  const plan = planFrom(task, new Date(earliest), {
    ...circumstances,
    told: counted
      ? `attempt ${task.attempts} of ${task.maxAttempts}: ${outcome}`
      : 'the carrier did not take the call',
    lastAt: counted ? startOfAttempt(task) : task.lastAttemptAt,
  });
  return 'becomes' in plan ? { counted, ...plan } : { becomes: 'scheduled', counted, ...plan };
}

/** What follows from the gate's no: when to ask again, or why there is no use in it. */
export function afterBlock(
  task: OutboundTask,
  decision: ContactDecision,
  circumstances: Circumstances,
): Next | Ending {
  const told = wordsOfBlocks(decision.blocks);
  const isBusy = decision.blocks.some((reason) => busy.has(reason));
  const from = new Date(circumstances.now.getTime() + (isBusy ? busyMs : 0));
  return planFrom(task, from, { ...circumstances, told, lastAt: task.lastAttemptAt });
}

/** Blocks by an attempt that is under way: it is over in minutes. */
const busy = new Set<ContactBlock>(['ACTIVE_CONTACT', 'OUTCOME_UNCERTAIN']);

/** When a number that is being attempted is asked for again, in milliseconds. */
const busyMs = 60_000;

/** What a plan is made from. */
interface Planning extends Circumstances {
  /** What happened, in words. */
  told: string;
  /** When the person was last attempted; null: not yet. */
  lastAt: Date | null | undefined;
}

/** The first lawful time from an instant on, in another part of the day than the last attempt; or why there is none. */
function planFrom(task: OutboundTask, from: Date, asked: Planning): Next | Ending {
  const { decisionAt, zone, told, now } = asked;
  const decision = decisionAt(from);
  const forGood = decision.blocks.filter((reason) => !passes(reason));
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
  ];
  const nextAttemptReason = `${sentence(told)} Next try ${why.join(', ') || 'at once'}.`;
  return { nextAttemptAt: at.toISOString(), nextAttemptReason };
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
