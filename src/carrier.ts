import { createHmac } from 'node:crypto';
import twilio from 'twilio';
import { maxSeconds, ringSeconds } from './domain/call.ts';
import { withinSecond, type Answer, type Heard } from './domain/call-progress.ts';
import { answerOf, codeOf, isUnknown, notBegun, refusalOf } from './carrier/failure.ts';
import { openRecordings, type RecordingCarrier } from './carrier/recording.ts';
import { openTexts, type TextCarrier } from './carrier/text.ts';
import type { Config } from './config.ts';

/** How long one request to the carrier may take, in milliseconds: its create answers in well under a second. */
const requestMs = 10_000;

/** What is dialled. No field of it says anything about the person. */
export interface Order {
  workspaceId: string;
  callId: string;
  to: string;
  from: string;
  /** Whether a message is left on a machine: then its beep is waited for. */
  leavesMessage: boolean;
}

/** A call as the carrier lists it. */
export interface Listed extends Heard {
  createdAt: Date;
}

/** The carrier's account, through Twilio's own SDK. `apiUrl` is another API of Twilio's kind; null: Twilio's. */
export function openCarrier(options: {
  account: Config['carrier'];
  apiUrl: string | null;
  publicUrl: string;
}) {
  const { account, publicUrl } = options;
  const token = account.authToken.reveal();
  const client = twilio(account.accountSid, token, {
    httpClient: new twilio.RequestClient({ timeout: requestMs, keepAlive: true }),
  });
  if (options.apiUrl) client.api.baseUrl = options.apiUrl;

  /**
   * Asks for one dial. It is repeated only where the carrier has certainly not begun it: after a 429, which Twilio
   * documents as never processed, or when no connection was made; and only as long as `mayStill` says so.
   */
  async function dial(order: Order, mayStill: () => boolean): Promise<Answer> {
    let refusal: unknown = null;
    try {
      const call = await notBegun.execute(async () => {
        if (refusal && !mayStill()) throw refusal;
        return create(order).catch((error: unknown) => {
          refusal = error;
          throw error;
        });
      });
      return { outcome: 'accepted', sid: call.sid };
    } catch (error) {
      return answerOf(error);
    }
  }

  function create({ workspaceId, callId, to, from, leavesMessage }: Order) {
    const base = `${publicUrl}/carrier/${workspaceId}/calls/${callId}`;
    return client.calls.create({
      to,
      from,
      url: `${base}/twiml`,
      timeout: ringSeconds,
      timeLimit: maxSeconds,
      machineDetection: leavesMessage ? 'DetectMessageEnd' : 'Enable',
      asyncAmd: 'true',
      asyncAmdStatusCallback: `${base}/amd${everyRetry}`,
      statusCallback: `${base}/status${everyRetry}`,
      statusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'],
    });
  }

  /** Ends a call; one that is already over is told as it is. Refuses CARRIER_REJECTED and CARRIER_UNAVAILABLE. */
  async function hangUp(sid: string, status: 'canceled' | 'completed', now: Date): Promise<Heard> {
    try {
      return heardOf(await client.calls(sid).update({ status }), now);
    } catch (error) {
      const over = codeOf(error) === '21220' ? await lookUp(sid, now) : null; // Twilio: 21220, call is not in progress
      if (over) return over;
      throw refusalOf(error);
    }
  }

  /** Lets an answered call say this from now on, then end. False: it was over already. Refuses as hangUp does. */
  async function leave(sid: string, message: string): Promise<boolean> {
    const response = new twilio.twiml.VoiceResponse();
    response.say(message);
    response.hangup();
    try {
      await client.calls(sid).update({ twiml: response.toString() });
      return true;
    } catch (error) {
      if (codeOf(error) === '21220') return false;
      throw refusalOf(error);
    }
  }

  /** What the carrier knows of a call; null when it knows of none. */
  async function lookUp(sid: string, now: Date): Promise<Heard | null> {
    try {
      return heardOf(await client.calls(sid).fetch(), now);
    } catch (error) {
      if (isUnknown(error)) return null;
      throw refusalOf(error);
    }
  }

  /** The account's newest calls from one number to another, at most 50. The list may lag behind what was accepted. */
  async function list(to: string, from: string, now: Date): Promise<Listed[]> {
    try {
      const calls = await client.calls.list({ to, from, limit: 50 });
      return calls.map((call) => ({ ...heardOf(call, now), createdAt: call.dateCreated ?? now }));
    } catch (error) {
      throw refusalOf(error);
    }
  }

  return {
    ...openTexts(client, { publicUrl, everyRetry }),
    ...openRecordings(client),
    dial,
    hangUp,
    leave,
    lookUp,
    list,
    accountSid: account.accountSid,
    /** Where the carrier reaches us about a call. */
    baseOf: ({ workspaceId, id }: { workspaceId: string; id: string }) =>
      `${publicUrl}/carrier/${workspaceId}/calls/${id}`,
    /** A key that only holders of the account can make, for one use of it. */
    keyFor: (use: string) => createHmac('sha256', token).update(`callwell ${use}`).digest(),
    /** Whether the account's holder signed a WebSocket's handshake; Twilio signs some of them with a slash at the end. */
    isSignedSocket: (pathAndQuery: string, signature: string | undefined): boolean => {
      const url = publicUrl.replace(/^http/, 'ws') + pathAndQuery;
      return (
        signature !== undefined &&
        [url, `${url}/`].some((seen) => twilio.validateRequest(token, signature, seen, {}))
      );
    },
    /** Whether the account's holder signed these parameters for this path. `pathAndQuery` as the request had it. */
    isSigned: (
      pathAndQuery: string,
      parameters: Record<string, string>,
      signature: string | undefined,
    ): boolean =>
      signature !== undefined &&
      twilio.validateRequest(token, signature, publicUrl + pathAndQuery, parameters),
  };
}

/** The carrier, as far as calls are concerned. */
export type Carrier = Omit<ReturnType<typeof openCarrier>, keyof TextCarrier | keyof RecordingCarrier>;

/** Twilio's connection overrides: up to five retries on any failure; by default a callback that we answer with 500 is lost. */
export const everyRetry = '#rc=5&rp=all';

interface Resource {
  sid: string;
  status: string;
  duration: string;
  answeredBy: string;
  startTime: Date | null;
  endTime: Date | null;
}

const heardOf = (call: Resource, now: Date): Heard => ({
  sid: call.sid,
  status: call.status,
  at: withinSecond(call.endTime ?? call.startTime ?? now, now),
  durationSeconds: call.duration ? Number(call.duration) : undefined,
  answeredBy: call.answeredBy || undefined,
  via: 'lookup',
});
