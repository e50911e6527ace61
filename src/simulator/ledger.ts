/** One thing that the carrier was asked or that it asked back; `GET /ledger` lists them in order. */
export interface LedgerEntry {
  /** When, by the carrier's wall clock, ISO 8601 in UTC. */
  readonly at: string;
  /** A create or update that came in; a status callback, TwiML request or AMD verdict that went out, one entry for each try. */
  readonly kind: 'create' | 'update' | 'callback' | 'twiml' | 'amd';
  /** Null for a create that was refused. */
  readonly callSid: string | null;
  readonly to: string;
  readonly from: string;
  /** CallStatus of what went out; the resource's status after what came in. */
  readonly status?: string;
  /** SequenceNumber of a status callback. */
  readonly sequence?: number;
  /** Where it went, without the fragment. */
  readonly url?: string;
  /** The parameters, as they were sent. */
  readonly params?: Readonly<Record<string, string>>;
  /** HTTP status that was answered; absent while there is none, or when none ever came. */
  httpStatus?: number;
  /** What came in: whether the carrier did it. What went out: whether it was answered with 2xx. */
  accepted: boolean;
  /** Twilio's error code of what came in and was refused. */
  readonly code?: number;
}

/** An entry that does not know its time yet. */
export type LedgerLine = Omit<LedgerEntry, 'at'>;

/** Everything that happened, oldest first. */
export interface Ledger {
  readonly entries: LedgerEntry[];
  /** Adds a line and gives it back, so that the answer can be entered once it is known. */
  enter(line: LedgerLine): LedgerEntry;
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
  };
}
