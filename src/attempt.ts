import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningClock } from './clock.ts';
import type { Carrier } from './carrier.ts';
import * as calls from './domain/call.ts';
import type { Call } from './domain/call.ts';
import * as progress from './domain/call-progress.ts';
import * as contacts from './domain/contact.ts';
import type { Contact } from './domain/contact.ts';
import type { By, Event } from './domain/event.ts';
import { CarrierRefusal } from './domain/refusal.ts';
import { leadMs } from './domain/task-progress.ts';
import { services, type Service } from './domain/workspace.ts';
import { openIntents, type Wanted } from './attempt/intent.ts';
import { isStale } from './attempt/circumstances.ts';
import { dispatchDue, type Round } from './attempt/dispatch.ts';
import { nextDueAt } from './attempt/due.ts';
import type { Intended } from './attempt/intend.ts';
import { openRecords } from './attempt/record.ts';
import { openVoicemails } from './attempt/voicemail.ts';
import type { Conversations } from './conversation.ts';
import { releaseKey } from './idempotency.ts';
import type { Mailbox } from './voicemail.ts';
import type { Transaction, World } from './world.ts';

/** What an attempt is made with. */
export interface Tools {
  world: World;
  carrier: Carrier;
  clock: Pick<RunningClock, 'now' | 'shiftMs'>;
  /** Told of each call that may ring now. Left out: nobody gets ready for it. */
  prepare?(call: Call): void;
  /** Of one source number. */
  callsPerMinute: number;
  /** Of the carrier's account. */
  callsPerSecond: number;
  /** Null: nothing leaves voicemails. */
  mailbox: Mailbox | null;
  /** Null: nothing texts. */
  texts: Pick<Conversations, 'ask'> | null;
}

/** A call with the event that recorded the request for it. */
export interface Placed {
  call: Call;
  event: Event;
  /** True when the idempotency key had already placed it. */
  replayed: boolean;
}

/** How long a call waits for its turn with the carrier before it is refused, in milliseconds. */
const paceLimitMs = 5_000;

/** How far ahead of their turns tasks are dispatched, in milliseconds: a direct call waits no longer for them. */
const dispatchAheadMs = 1_000;

/** How many tasks are claimed at once: more make the claim no cheaper for each. */
const batch = 100;

/** The answer to who comes too late: nothing was dialled. */
const tooLate: progress.Answer = {
  outcome: 'rejected',
  carrierCode: null,
  message: 'The call was held up for too long after it was allowed, and was not dialled. Ask again.',
  retryable: true,
  reached: false,
  withheld: 'held_up',
};

/** The answer to whose person said no meanwhile (C-27): nothing was dialled. */
const unwanted: progress.Answer = {
  ...tooLate,
  message: 'Before the turn of the call came the person asked not to be called, and was not dialled.',
  withheld: 'unwanted',
};

/** Makes attempts: the intent is recorded, the carrier asked, its answer recorded. Nothing else in the product dials. */
export function openAttempts(tools: Tools) {
  const { world, carrier, clock } = tools;
  const intents = openIntents(tools);
  const record = openRecords(tools);
  const voicemails = openVoicemails(tools);

  /**
   * Places one call. Once its intent is recorded it is dialled at most once, whatever happens: an answer that never
   * comes makes it UNCERTAIN, and the sweeper finds out. Refuses every code of the contract's PlaceCallResult.
   */
  async function placeCall(wanted: Wanted, by: By): Promise<Placed> {
    const earlier = await intents.replay(wanted, by);
    if (earlier) return answered(earlier);
    const [setting] = await Promise.all([intents.prepare(wanted, by), takeTurn()]);
    const recorded = await intents.record(setting, { ...by, now: clock.now() });
    if (recorded.replayed) return answered(recorded);
    const free = (tx: Transaction) => releaseKey(tx, by.workspaceId, wanted.idempotencyKey);
    const leavesMessage = setting.service.machineMessage !== null;
    const settled = await ask(recorded, by, (call) => dial(call, leavesMessage), free);
    return answered({ ...recorded, call: settled });
  }

  /**
   * Claims the tasks that are due and may be attempted, and calls: each in its turn with the account, and at most once,
   * whatever happens. Answers when all intents are recorded; `after` is handed each call that waits for its turn.
   */
  async function dispatch(after: (milliseconds: number, call: () => Promise<void>) => void): Promise<Round> {
    const now = clock.now();
    const round = await dispatchDue(world, {
      now,
      batch,
      callsPerMinute: tools.callsPerMinute,
      leadMs,
      takeTurns: turnsOf,
    });
    for (const intended of round.dispatched) {
      const waitMs = Math.max(0, intended.turnAt.getTime() - clock.now().getTime());
      after(waitMs, () => attempt(intended, now));
    }
    return round;
  }

  /** Makes an attempt of a task in its turn. */
  async function attempt(intended: Intended, now: Date): Promise<void> {
    const by: By = { workspaceId: intended.event.workspaceId, actor: 'dispatch-tasks', source: 'job', now };
    if (intended.channel === 'VOICE') await ask(intended, by, dialInTurn);
    else if (intended.channel === 'VOICEMAIL') await voicemails.ask(intended, by);
    else await tools.texts?.ask(intended.text, by);
  }

  /** Asks the carrier about what is recorded, once, and records its answer; `free` when nothing was dialled and it may be asked again. */
  async function ask(
    placed: Placed,
    by: By,
    dialling: (call: Call) => Promise<progress.Answer>,
    free?: (tx: Transaction) => Promise<void>,
  ): Promise<Call> {
    const answer = await dialling(placed.call);
    const now = clock.now();
    const told: By = { ...by, actor: 'carrier', source: 'carrier', now, causationId: placed.event.id };
    const mayTryAgain = answer.outcome === 'rejected' && answer.retryable;
    const atTheEnd = mayTryAgain ? free : undefined;
    const call = await record(placed.call, (current) => progress.answer(current, answer), told, atTheEnd);
    if (answer.outcome !== 'rejected') tools.prepare?.(call);
    return call;
  }

  /** Asks the carrier, unless the decision has grown old. */
  async function dial(call: Call, leavesMessage: boolean): Promise<progress.Answer> {
    const isYoung = () => !isStale(call.decision, clock.now());
    if (!isYoung()) return tooLate;
    const { workspaceId, id: callId, phoneTo: to, phoneFrom: from } = call;
    return carrier.dial({ workspaceId, callId, to, from, leavesMessage }, isYoung);
  }

  /** Dials what had to wait for its turn, unless the person has said no since: the gate's decision was made before. */
  async function dialInTurn(call: Call): Promise<progress.Answer> {
    const here = { workspaceId: { eq: call.workspaceId } };
    const [contact, service] = await Promise.all([
      world.findOne<Contact>(contacts.table, { ...here, id: { eq: call.contactId } }),
      world.findOne<Service>(services, { ...here, id: { eq: call.serviceId } }),
    ]);
    const isUnwanted = contact !== null && contacts.isUnwanted(contact, { ...call, channel: 'VOICE' });
    return isUnwanted ? unwanted : dial(call, (service?.machineMessage ?? null) !== null);
  }

  /** A call that the carrier refused is a refusal, also when it is asked for again with its key. */
  async function answered(placed: Placed): Promise<Placed> {
    const { call } = placed;
    if (call.status !== 'FAILED' || call.sid) return placed;
    const rejected = (await world.history(call.workspaceId, call.id)).find(
      ({ type }) => type === 'call.rejected',
    );
    if (!rejected) return placed;
    const data = rejected.data as {
      carrierCode: string | null;
      message: string;
      retryable: boolean;
      reached: boolean;
    };
    throw new CarrierRefusal(data.message, data);
  }

  /** Ends a call for whoever asks. Refuses NOT_FOUND, ILLEGAL_TRANSITION and the carrier's own refusals. */
  async function cancelCall(id: string, by: By): Promise<Call> {
    const call = await world.findOne<Call>(calls.table, {
      workspaceId: { eq: by.workspaceId },
      id: { eq: id },
    });
    if (!call) throw progress.noSuchCall(id);
    return endCall(call, by);
  }

  /** Stops a call that rings, hangs up one that was answered. Refuses ILLEGAL_TRANSITION and the carrier's own refusals. */
  async function endCall(call: Call, by: By): Promise<Call> {
    const { sid, status } = progress.ending(call);
    let heard = await carrier.hangUp(sid, status, clock.now());
    // It was answered before we knew: what no longer rings is not canceled but hung up.
    if (heard.status === 'in-progress') heard = await carrier.hangUp(sid, 'completed', clock.now());
    return record(call, (current) => progress.hear(current, heard), { ...by, now: clock.now() });
  }

  const pace = () => ({
    account: carrier.accountSid,
    callsPerSecond: calls.startsPerSecond(tools.callsPerSecond),
    shiftMs: clock.shiftMs(),
  });

  /** Takes the account's next turns, each at the soonest when it is wanted. */
  async function turnsOf(tx: Transaction, wanted: Date[]) {
    const now = clock.now().getTime();
    const fromMs = wanted.map((at) => Math.max(0, at.getTime() - now));
    const { waitsMs, againMs } = await tx.takeTurns({ ...pace(), fromMs, limitMs: dispatchAheadMs });
    return { turns: waitsMs.map((waitMs) => new Date(now + waitMs)), againMs };
  }

  /** Waits until the account may start one more call; our own queue is short, so that the carrier's stays empty. */
  async function takeTurn(): Promise<void> {
    const { waitsMs } = await world.takeTurns({ ...pace(), fromMs: [0], limitMs: paceLimitMs });
    const [waitMs] = waitsMs;
    if (waitMs === undefined) {
      const message =
        'More calls are waiting than the carrier account may start. Try again in a few seconds.';
      throw new CarrierRefusal(message, { carrierCode: null, retryable: true, reached: false });
    }
    if (waitMs > 0) await sleep(waitMs);
  }

  return {
    placeCall,
    dispatch,
    nextDueAt: () => nextDueAt(world, { now: clock.now(), callsPerMinute: tools.callsPerMinute }),
    cancelCall,
    endCall,
    record,
    voicemails,
  };
}

/** Makes attempts at contacts. */
export type Attempts = ReturnType<typeof openAttempts>;
