import type { WebSocket } from 'ws';
import { materialOf, partiesOf } from './agent/material.ts';
import type { Mind } from './agent/mind.ts';
import type { Passing } from './agent/pass.ts';
import { readFrame, type ToRelay } from './agent/relay.ts';
import { refuseRecording } from './agent/recording.ts';
import { byAgent, noConduct, openReports, unresolved } from './agent/report.ts';
import { Conversation } from './agent/session.ts';
import { replyTo } from './agent/text.ts';
import { openHands, type Grant } from './agent/tools.ts';
import type { RecordingCarrier } from './carrier/recording.ts';
import type { RunningClock } from './clock.ts';
import { assemble, briefFor, localTime } from './domain/agent-context.ts';
import type { Brief } from './domain/agent-dialogue.ts';
import * as calls from './domain/call.ts';
import type { Call, CallContext } from './domain/call.ts';
import type { Turn } from './domain/call-fact.ts';
import type { Conversation as TextConversation } from './domain/conversation.ts';
import { prepare as prepareCall } from './domain/call-progress.ts';
import type { Outcomes } from './outcome.ts';
import type { Verbs } from './verbs.ts';
import type { World } from './world.ts';

/** What the agent works with. */
interface Tools {
  world: World;
  carrier: Pick<RecordingCarrier, 'stopRecording'>;
  clock: RunningClock;
  outcomes: Outcomes;
  /** Who thinks freely; null: the scripted agent speaks alone. */
  mind: Mind | null;
  /** The API's verbs, for what it does besides speaking. */
  verbs: Verbs;
  /** How many times faster than life the people are: 1 with a real carrier. */
  pace: number;
  log(line: string, error?: unknown): void;
}

/** A call on which somebody is about to speak, and what they need. */
export interface Admission {
  call: Call;
  context: CallContext;
  brief: Brief;
  /** An agent elsewhere that speaks instead of ours; null: ours does. */
  streamUrl: string | null;
}

/** A conversation that goes on here. */
interface Live {
  conversation: Conversation;
  socket: WebSocket;
  call: Call;
  /** Settles once what came of it is recorded, as far as it can be. */
  done: Promise<void>;
}

/** How long the carrier may take to close a session that has ended, in milliseconds. */
const goneMs = 10_000;

/** How many are expected to knock at once; who is forgotten is looked up. */
const mostExpected = 1_000;

/** How long after a line was closed it is looked whether the call has ended, in milliseconds, and how often. */
const settleMs = 1_000;
const settleTimes = 10;

/** Who speaks on our calls: gets ready while the phone rings, greets, listens, and tells what came of it. */
export function openAgent(tools: Tools) {
  const { world, clock, log } = tools;
  const report = openReports(tools);
  const preparing = new Map<string, Promise<CallContext | null>>();
  const expected = new Map<string, Admission>();
  const live = new Map<string, Live>();

  /** The context of a call, assembled and recorded where it is not there yet; null when the call is over. Once at a time. */
  function ready(call: Call): Promise<CallContext | null> {
    if (call.context) return Promise.resolve(call.context);
    const known = preparing.get(call.id);
    if (known) return known;
    const work = clock.busy(assembleFor(call)).finally(() => preparing.delete(call.id));
    preparing.set(call.id, work);
    return work;
  }

  async function assembleFor(call: Call): Promise<CallContext | null> {
    const prepared = assemble(await materialOf(world, call, clock.now()));
    const { row } = await world.change(
      calls,
      call.id,
      (current) => prepareCall(current, prepared),
      byAgent(call, clock.now()),
    );
    return row.context ?? null;
  }

  /** Gets ready in the background: nothing waits for it, and who answers sooner waits for it then. */
  function prepare(call: Call): void {
    ready(call).catch((error: unknown) =>
      log(`the context of call ${call.id} could not be prepared yet`, error),
    );
  }

  /** What somebody needs who is to speak on this call. */
  async function admissionTo(call: Call): Promise<Admission | null> {
    const [context, parties] = await Promise.all([ready(call), partiesOf(world, call)]);
    const streamUrl = parties.service?.streamUrl ?? null;
    return context && { call, context, brief: briefFor(parties, context), streamUrl };
  }

  /** As `admissionTo`, for somebody who is about to knock: they need not be looked up again, unless they knock elsewhere. */
  async function expect(call: Call): Promise<Admission | null> {
    const admission = await admissionTo(call);
    const [oldest] = expected.keys();
    if (expected.size >= mostExpected && oldest) expected.delete(oldest);
    if (admission) expected.set(call.id, admission);
    return admission;
  }

  /** Admits whoever has the pass of a call on which nobody speaks yet, and of which nothing has come yet. */
  async function admit({ workspaceId, callId }: Passing): Promise<Admission | null> {
    if (live.has(callId)) return null;
    const known = expected.get(callId);
    if (expected.delete(callId) && known) return known;
    const where = { workspaceId: { eq: workspaceId }, id: { eq: callId } };
    const call = await world.findOne<Call>(calls.table, where);
    if (!call || calls.isOver(call) || call.outcome) return null;
    return admissionTo(call);
  }

  /** Holds the conversation of a call over this socket, until one of the two closes. */
  function converse(admission: Admission, socket: WebSocket): void {
    const { call, brief } = admission;
    if (live.has(call.id)) return socket.close(1008, 'This call has an agent.');
    const send = (message: ToRelay) => {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
      // A carrier that does not answer the end is gone.
      if (message.type === 'end') setTimeout(() => socket.terminate(), goneMs).unref();
    };
    const conversation = new Conversation({
      brief,
      mind: mindFor(admission),
      clock,
      pace: tools.pace,
      send,
      log,
      stopRecording: () =>
        refuseRecording(tools, call).catch((error: unknown) =>
          log(`the recording of call ${call.id} could not be stopped; it is deleted after the call`, error),
        ),
      conclude: (conclusion, transcript, conduct) => report(call, { conclusion, transcript, conduct }),
    });
    const closed = Promise.withResolvers<void>();
    live.set(call.id, { conversation, socket, call, done: closed.promise });
    socket.on('message', (data) => {
      const message = readFrame((data as Buffer).toString('utf8'));
      if (message?.type !== 'setup') return message ? conversation.take(message) : undefined;
      if (call.sid && message.callSid !== call.sid) return socket.close(1008, 'Another call.');
      conversation.begin();
    });
    socket.on('error', (error) => log(`the relay of call ${call.id} broke`, error));
    socket.once('close', () => {
      const leaving = hungUp(call, conversation).catch((error: unknown) =>
        log(`call ${call.id} was left`, error),
      );
      void clock.busy(leaving).then(() => {
        live.delete(call.id);
        closed.resolve();
      });
    });
  }

  function mindFor({ call, context }: Admission) {
    const { mind, verbs } = tools;
    if (!mind) return null;
    const hands = openHands({ verbs, clock }, 'voice', grantOf(call));
    return (turns: Turn[], signal: AbortSignal) =>
      mind({ context, turns, localTime: localTime(call, clock.now()), hands }, signal);
  }

  /**
   * The line is closed. Where nothing had come of it by then, that is recorded once the call is known to be over: who
   * hangs up has answered, and a task of theirs is not tried again.
   */
  async function hungUp(call: Call, conversation: Conversation): Promise<void> {
    const left = await conversation.closed();
    if (left.isConcluded) return;
    const look = async (times: number): Promise<void> => {
      const where = { workspaceId: { eq: call.workspaceId }, id: { eq: call.id } };
      const current = await world.findOne<Call>(calls.table, where);
      if (!current || current.outcome || current.answeredBy === 'MACHINE' || current.answeredBy === 'FAX')
        return;
      if (!calls.isOver(current) && times > 0) {
        clock.after(settleMs / tools.pace, () => look(times - 1));
        return;
      }
      const summary = 'The line was closed before anything came of it.';
      await report(current, { ...left, conclusion: unresolved(summary, left.transcript) });
    };
    await look(settleTimes);
  }

  /**
   * The line to whoever spoke has broken while the person is still there: our fault, so it is recorded before the call
   * ends, and a task is tried again. Answers whether it was so.
   */
  async function dropped(call: Call): Promise<boolean> {
    if (call.outcome || calls.isOver(call) || call.answeredBy === 'MACHINE') return false;
    const left = await live.get(call.id)?.conversation.closed();
    if (left?.isConcluded) return false;
    const { transcript, conduct } = left ?? { transcript: [], conduct: noConduct };
    const conclusion = unresolved('The connection to the agent was lost.', transcript);
    await report(call, { conclusion, transcript, conduct });
    return true;
  }

  /** Leaves every conversation, and waits until what came of them is recorded. */
  async function close(): Promise<void> {
    const open = [...live.values()];
    await Promise.all(open.map(({ call }) => dropped(call)));
    for (const { socket } of open) socket.close(1001, 'Going away');
  }

  return {
    prepare,
    expect,
    admit,
    converse,
    dropped,
    close,
    /** What it answers to the newest text of a conversation; null: nothing. */
    replyTo: (conversation: TextConversation) => replyTo(tools, conversation, clock.now()),
  };
}

const grantOf = ({ phoneTo, goal, serviceId, ...call }: Call): Grant => ({
  ...call,
  phone: phoneTo,
  goal: goal ?? null,
  serviceId: serviceId ?? null,
});

/** Who speaks on our calls. */
export type Agent = ReturnType<typeof openAgent>;
