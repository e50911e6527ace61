import type { Reply } from './http-client.ts';

/** What came in, and what went out with one entry for each try. */
type LedgerKind = CallKind | TextKind | VoicemailKind;

/** A create or update of a call; its status callback, TwiML request, verdict of machine detection; a session of ConversationRelay or of Media Streams. */
type CallKind = 'create' | 'update' | 'callback' | 'twiml' | 'amd' | 'relay' | 'stream' | RecordingKind;

/** What is told of a recording, and what is asked of it. */
type RecordingKind = 'recording-callback' | 'recording-update' | 'recording-delete';

/** A create or update of a text; its status callback; a text of a person's, told to the customer. */
type TextKind = 'text' | 'text-update' | 'text-callback' | 'text-received';

/** A voicemail that was asked for; its audio fetched; its result, unsigned, and as a signed webhook. */
type VoicemailKind = 'drop' | 'drop-audio' | 'drop-callback' | 'drop-webhook';

/** One thing that the carrier was asked or that it asked back; `GET /ledger` lists them in order. */
export interface LedgerEntry {
  /** When, by the carrier's wall clock, ISO 8601 in UTC. */
  readonly at: string;
  readonly kind: LedgerKind;
  /** Null for a create that was refused, and for what is about no call. */
  readonly callSid: string | null;
  /** Of a text; absent for a create that was refused. */
  readonly messageSid?: string;
  /** Of what was asked of a recording. */
  readonly recordingSid?: string;
  /** The vendor's `message_id` of a voicemail. */
  readonly messageId?: string;
  /** Idempotency-Key with which a voicemail was asked for. */
  readonly key?: string;
  readonly to: string;
  readonly from: string;
  /** CallStatus, MessageStatus or a voicemail's status of what went out; the resource's status after what came in. */
  readonly status?: string;
  /** SequenceNumber of a status callback. */
  readonly sequence?: number;
  /** Where it went, without the fragment. */
  readonly url?: string;
  /** The parameters, as they were sent. */
  readonly params?: Readonly<Record<string, string>>;
  /** HTTP status that was answered; absent while there is none, or when none ever came. */
  httpStatus?: number;
  /** Milliseconds from the answer to the first word of a session of ConversationRelay; absent while there is none. */
  greetedMs?: number;
  /** What came in: whether the carrier did it. What went out: whether it was answered with 2xx. */
  accepted: boolean;
  /** Twilio's error code of what came in and was refused; a voicemail's reason_code of what went out. */
  readonly code?: number;
}

/** Enters a try that goes out; call what this returns with what came of it. */
export function enterTry(ledger: Ledger, line: Omit<LedgerLine, 'accepted'>): (reply: Reply) => void {
  const entry = ledger.enter({ ...line, accepted: false });
  return (reply) => {
    if ('failure' in reply) return;
    entry.httpStatus = reply.status;
    entry.accepted = reply.status >= 200 && reply.status < 300;
  };
}

/** An entry that does not know its time yet. */
export type LedgerLine = Omit<LedgerEntry, 'at'>;

/** Everything that happened, oldest first. */
export interface Ledger {
  readonly entries: LedgerEntry[];
  /** Adds a line and gives it back, so that the answer can be entered once it is known. */
  enter(line: LedgerLine): LedgerEntry;
  /** Notes how long the person on a call waited for the first word of its session. */
  greet(call: { readonly sid: string; readonly answeredMs: number | null }, pace: { moment(): number }): void;
}

/** An empty ledger that dates its entries by the given clock. */
export function openLedger(now: () => Date): Ledger {
  const entries: LedgerEntry[] = [];
  return {
    entries,
    enter: (line) => {
      const entry = { at: now().toISOString(), ...line };
      entries.push(entry);
      return entry;
    },
    greet: ({ sid, answeredMs }, pace) => {
      const isSession = ({ kind, callSid }: LedgerEntry) =>
        callSid === sid && (kind === 'relay' || kind === 'stream');
      const entry = entries.findLast(isSession);
      if (entry && answeredMs !== null) entry.greetedMs ??= pace.moment() - answeredMs;
    },
  };
}
