import type { HttpClient } from './http-client.ts';
import type { Ledger } from './ledger.ts';
import type { Pace } from './pace.ts';
import type { Person } from './people.ts';
import type { Recording } from './recording.ts';
import type { WebhookSender } from './webhook.ts';

/** What calls and texts need of the carrier around them. */
export interface Network {
  readonly accountSid: string;
  /** What the wall clock says. */
  readonly now: () => Date;
  readonly pace: Pace;
  readonly ledger: Ledger;
  /** Of all calls, oldest first; what is deleted is gone. */
  readonly recordings: Recording[];
  readonly sender: WebhookSender;
  /** Asks servers of the customer's without a signature. */
  readonly client: HttpClient;
  /** Who is there this time; each call of it counts as one more dial of the number. */
  readonly meet: (number: string) => Person;
  /** The date of birth of whoever is wanted on a call, YYYY-MM-DD; null: they would rather not say. */
  readonly birthDateOf: (call: { readonly sid: string; readonly to: string }) => Promise<string | null>;
  /** Counts work as under way: the clock does not move on before it is done. */
  readonly busy: <T>(work: Promise<T>) => Promise<T>;
  readonly log: (line: string) => void;
}
