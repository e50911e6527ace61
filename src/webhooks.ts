import type { Agent } from './agent.ts';
import type { Passes } from './agent/pass.ts';
import type { Attempts } from './attempt.ts';
import { everyRetry, type Carrier } from './carrier.ts';
import * as twiml from './carrier/twiml.ts';
import type { Clock } from './clock.ts';
import type { Conversations } from './conversation.ts';
import { linesOf } from './domain/agent-lines.ts';
import * as calls from './domain/call.ts';
import type { Call } from './domain/call.ts';
import * as progress from './domain/call-progress.ts';
import { record as keep } from './domain/call-recording.ts';
import type { Counters } from './metrics/counters.ts';
import type { Mailbox } from './voicemail.ts';
import { voicemailTold } from './webhooks/voicemail.ts';
import type { World } from './world.ts';
import { openTextWebhooks } from './webhooks/text.ts';

/** A request as it came in: the raw body, before anybody has touched it. */
export interface Incoming {
  /** As the request line had it. */
  pathAndQuery: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** What is answered to it. */
export interface Answered {
  status: number;
  body?: string;
  contentType?: string;
}

/** What the carrier's callbacks are handled with. */
interface Tools {
  world: World;
  carrier: Carrier;
  mailbox: Mailbox | null;
  attempts: Attempts;
  conversations: Conversations;
  agent: Agent;
  passes: Passes;
  /** Where the carrier and agents reach us. */
  publicUrl: string;
  clock: Clock;
  log: (line: string, error?: unknown) => void;
  /** Told of what a carrier should never say. */
  counters: Pick<Counters, 'duplicate' | 'unknownCallback'>;
}

/** The carrier's paths: the ids are ours, so that a callback may come before the carrier's own answer. */
const path = /^\/carrier\/([0-9a-f-]{36})\/calls\/([0-9a-f-]{36})\/(status|twiml|amd|ended|recording)$/;

/** What a callback tells, or what TwiML is asked for. */
type Topic = 'status' | 'twiml' | 'amd' | 'ended' | 'recording';

/** Said when the line to the agent breaks. */
const apology = 'I am sorry, we have lost the connection. We will try again. Goodbye.';

const xml = (body: string): Answered => ({ status: 200, body, contentType: 'text/xml' });

/** Takes what the carrier tells of calls and texts: late, early, twice, in any order. Nothing unsigned changes anything. */
export function openWebhooks(tools: Tools) {
  const { world, carrier, mailbox, attempts, conversations, agent, passes, publicUrl, clock, log, counters } =
    tools;
  const texts = openTextWebhooks({ conversations, log });

  async function handle(incoming: Incoming): Promise<Answered> {
    const voicemail = await voicemailTold(
      { world, mailbox, voicemails: attempts.voicemails, clock },
      incoming,
    );
    if (voicemail) return voicemail;
    const [asked = ''] = incoming.pathAndQuery.split('?');
    const [, workspaceId, callId, topic] = path.exec(asked) ?? [];
    const isCall = workspaceId && callId && topic;
    if (!isCall && !texts.isHere(asked)) return { status: 404 };
    const parameters = Object.fromEntries(new URLSearchParams(incoming.body));
    const signature = incoming.headers['x-twilio-signature'];
    const signed = carrier.isSigned(
      incoming.pathAndQuery,
      parameters,
      typeof signature === 'string' ? signature : undefined,
    );
    if (!signed || parameters['AccountSid'] !== carrier.accountSid) return { status: 403 };
    if (!isCall) return texts.handle(asked, parameters);
    const call = await world.findOne<Call>(calls.table, {
      workspaceId: { eq: workspaceId },
      id: { eq: callId },
    });
    if (!call) {
      log(`the carrier told of a call that is not here: ${callId}`);
      counters.unknownCallback();
      return { status: 404 };
    }
    return topics[topic as Topic](call, parameters);
  }

  const topics: Record<Topic, (call: Call, parameters: Record<string, string>) => Promise<Answered>> = {
    status: async (call, parameters) => {
      await told(call, parameters);
      return { status: 204 };
    },
    amd: async (call, parameters) => {
      await detected(call, parameters);
      return { status: 204 };
    },
    twiml: answered,
    ended,
    recording: async (call, parameters) => {
      await recorded(call, parameters);
      return { status: 204 };
    },
  };

  async function told(call: Call, parameters: Record<string, string>): Promise<void> {
    const heard = heardOf(parameters, clock.now());
    if (call.sid !== null && call.sid !== heard.sid) counters.duplicate();
    await attempts.record(call, (current) => progress.hear(current, heard), carrierOf(call));
  }

  async function detected(call: Call, parameters: Record<string, string>): Promise<void> {
    const detail = parameters['AnsweredBy'] ?? 'unknown';
    await attempts.record(call, (current) => progress.detect(current, detail, clock.now()), carrierOf(call));
  }

  /** A recording is there. It is known by the carrier's id, so that told again it is the same one. */
  async function recorded(call: Call, parameters: Record<string, string>): Promise<void> {
    const { RecordingSid: sid, RecordingStatus: status, RecordingDuration: seconds } = parameters;
    if (!sid || status !== 'completed') return;
    const recording = { sid, durationSeconds: seconds ? Number(seconds) : null };
    await attempts.record(call, (current) => keep(current, recording), carrierOf(call));
  }

  /** Whoever answers is connected with whoever speaks; the request itself tells that the call was answered. */
  async function answered(call: Call, parameters: Record<string, string>): Promise<Answered> {
    const heard = heardOf({ ...parameters, CallStatus: 'in-progress' }, clock.now());
    const [, admission] = await Promise.all([
      attempts.record(call, (current) => progress.hear(current, heard), carrierOf(call)),
      agent.expect({ ...call, sid: call.sid ?? parameters['CallSid'] ?? null }),
    ]);
    if (!admission) return xml(twiml.hangUp());
    const { brief, streamUrl, context } = admission;
    const { language } = brief;
    const recorded = context.recording?.allowed
      ? { url: `${carrier.baseOf(call)}/recording${everyRetry}` }
      : null;
    const pass = passes.of({ workspaceId: call.workspaceId, callId: call.id });
    const endedUrl = `${carrier.baseOf(call)}/ended`;
    if (streamUrl !== null) {
      const parameters = { callId: call.id, pass, contextUrl: `${publicUrl}/agent/context` };
      const notice = brief.isRecordingAnnounced ? { text: linesOf(language).recorded, language } : null;
      return xml(twiml.connectStream({ url: streamUrl, endedUrl, parameters, recorded, notice }));
    }
    const url = `${publicUrl.replace(/^http/, 'ws')}/agent/relay/${pass}`;
    return xml(twiml.connectRelay({ url, endedUrl, language, recorded }));
  }

  /** The session with the agent is over: as it should be, or because the line to it broke. */
  async function ended(call: Call, parameters: Record<string, string>): Promise<Answered> {
    const isOurs = parameters['SessionId'] !== undefined && !parameters['HandoffData'];
    const isBroken = isOurs && parameters['CallStatus'] === 'in-progress' && (await agent.dropped(call));
    return xml(isBroken ? twiml.say(apology, 'en') : twiml.hangUp());
  }

  const carrierOf = (call: Call) => ({
    workspaceId: call.workspaceId,
    actor: 'carrier',
    source: 'carrier' as const,
    now: clock.now(),
  });

  return { handle };
}

/** Takes what other systems tell us. */
export type Webhooks = ReturnType<typeof openWebhooks>;

/** Twilio's status callback, in our words. `Timestamp` is the instant it happened, RFC 2822. */
function heardOf(parameters: Record<string, string>, now: Date): progress.Heard {
  const at = new Date(parameters['Timestamp'] ?? now);
  return {
    sid: parameters['CallSid'] ?? '',
    status: parameters['CallStatus'] ?? '',
    at: Number.isNaN(at.getTime()) ? now : progress.withinSecond(at, now),
    durationSeconds: parameters['CallDuration'] ? Number(parameters['CallDuration']) : undefined,
    sipCode: parameters['SipResponseCode'],
    answeredBy: parameters['AnsweredBy'],
    via: 'callback',
  };
}
