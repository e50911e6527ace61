import type { Attempts } from './attempt.ts';
import type { Carrier } from './carrier.ts';
import type { Clock } from './clock.ts';
import type { Conversations } from './conversation.ts';
import * as calls from './domain/call.ts';
import type { Call } from './domain/call.ts';
import * as progress from './domain/call-progress.ts';
import { services, type Service } from './domain/workspace.ts';
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
  clock: Clock;
  log: (line: string, error?: unknown) => void;
}

/** The carrier's paths: the ids are ours, so that a callback may come before the carrier's own answer. */
const path = /^\/carrier\/([0-9a-f-]{36})\/calls\/([0-9a-f-]{36})\/(status|twiml|amd)$/;

/** Said when neither the call nor its service has a greeting. */
const defaultGreeting = 'Hello. This is an automated call from your care team.';

/** Takes what the carrier tells of calls and texts: late, early, twice, in any order. Nothing unsigned changes anything. */
export function openWebhooks({ world, carrier, mailbox, attempts, conversations, clock, log }: Tools) {
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
      return { status: 404 };
    }
    if (topic === 'twiml') return twiml(call, parameters);
    await (topic === 'amd' ? detected(call, parameters) : told(call, parameters));
    return { status: 204 };
  }

  async function told(call: Call, parameters: Record<string, string>): Promise<void> {
    const heard = heardOf(parameters, clock.now());
    await attempts.record(call, (current) => progress.hear(current, heard), carrierOf(call));
  }

  async function detected(call: Call, parameters: Record<string, string>): Promise<void> {
    const detail = parameters['AnsweredBy'] ?? 'unknown';
    await attempts.record(call, (current) => progress.detect(current, detail, clock.now()), carrierOf(call));
  }

  /** What is said when the call is answered; the request itself tells that it was. */
  async function twiml(call: Call, parameters: Record<string, string>): Promise<Answered> {
    const heard = heardOf({ ...parameters, CallStatus: 'in-progress' }, clock.now());
    await attempts.record(call, (current) => progress.hear(current, heard), carrierOf(call));
    const where = { workspaceId: { eq: call.workspaceId }, id: { eq: call.serviceId } };
    const service = call.serviceId ? await world.findOne<Service>(services, where) : null;
    const greeting = call.welcomeMessage ?? service?.greeting ?? defaultGreeting;
    const machine = parameters['AnsweredBy']?.startsWith('machine') ?? false;
    return { status: 200, body: carrier.spoken(machine ? null : greeting), contentType: 'text/xml' };
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
