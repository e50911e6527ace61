import type { Clock } from './clock.ts';
import type { Answer, Result, Voicemail } from './domain/voicemail.ts';
import type { Signing } from './signing.ts';
import type { VoicemailRecordings } from './voicemail-audio.ts';

/** What is dropped. No field of it says anything about the person. */
interface Drop {
  /** Our id: a vendor that is asked again with it drops nothing twice. */
  voicemailId: string;
  to: string;
  from: string;
  /** Where the recording is fetched from. */
  audioUrl: string;
  /** Where the vendor tells how it ended. */
  callbackUrl: string;
}

/** A vendor of ringless voicemail: it takes drops, and tells later how each ended. */
export interface VoicemailVendor {
  readonly name: string;
  /** Asks for one drop, once. That it is accepted does not say that anything was delivered. */
  drop(drop: Drop): Promise<Answer>;
  /** What a callback says of the drop with this id; null: nothing that we understand, or of another one. */
  resultOf(body: string, voicemailId: string): Result | null;
}

/** For how long the vendor may fetch a recording, in milliseconds: a day, as long as it remembers a request. */
const fetchMs = 86_400_000;

/** A vendor with what it is told of us: where it fetches recordings, and where it tells how a drop ended. */
export function openMailbox(parts: {
  vendor: VoicemailVendor;
  recordings: Pick<VoicemailRecordings, 'audioUrl'>;
  signing: Signing;
  clock: Pick<Clock, 'now'>;
  publicUrl: string;
}) {
  const { vendor, recordings, signing, clock, publicUrl } = parts;
  return {
    /** Asks the vendor for one drop, once. */
    drop: async ({ id, workspaceId, audioId, phoneTo, phoneFrom }: Voicemail): Promise<Answer> => {
      const expiresAt = new Date(clock.now().getTime() + fetchMs);
      const [audioUrl, signature] = await Promise.all([
        recordings.audioUrl({ workspaceId, id: audioId, expiresAt, publicUrl }),
        signing.sign(workspaceId, `voicemail/${id}`),
      ]);
      // The vendor does not sign: that it knows the URL is what tells that it is the vendor.
      const callbackUrl = `${publicUrl}/carrier/${workspaceId}/voicemails/${id}/${signature}`;
      return vendor.drop({ voicemailId: id, to: phoneTo, from: phoneFrom, audioUrl, callbackUrl });
    },
    /** Whether a callback came to the URL that only the vendor was given. */
    isFromVendor: (workspaceId: string, id: string, signature: string): Promise<boolean> =>
      signing.isSigned(workspaceId, `voicemail/${id}`, signature),
    resultOf: vendor.resultOf.bind(vendor),
  };
}

/** Where voicemails are left. */
export type Mailbox = ReturnType<typeof openMailbox>;

/** How long one request to the vendor may take, in milliseconds. */
const requestMs = 10_000;

/** Drop Cowboy's API, version 2, or one that is compatible. `apiUrl` is without a slash at the end. */
export function openDropCowboy(account: { apiUrl: string; key: string; secret: string }): VoicemailVendor {
  async function drop({ voicemailId, to, from, audioUrl, callbackUrl }: Drop): Promise<Answer> {
    try {
      const response = await fetch(`${account.apiUrl}/rvm`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-key': account.key,
          'x-secret': account.secret,
          'idempotency-key': voicemailId,
        },
        body: JSON.stringify({
          to,
          caller_id: from,
          audio_url: audioUrl,
          foreign_id: voicemailId,
          callback_url: callbackUrl,
        }),
        redirect: 'error',
        signal: AbortSignal.timeout(requestMs),
      });
      return answerOf(response.status, await response.json().catch(() => null));
    } catch (error) {
      return failureOf(error);
    }
  }

  return { name: 'Drop Cowboy', drop, resultOf };
}

/** A 202 is a promise; another 2xx that says what is wrong is a refusal; what cannot be read may be either. */
function answerOf(status: number, body: unknown): Answer {
  const said = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const carrierCode = typeof said['code'] === 'string' ? said['code'].slice(0, 64) : null;
  if (status < 300 && said['status'] === 'queued') {
    const reference = said['message_id'];
    return { outcome: 'accepted', carrierReference: typeof reference === 'string' ? reference : null };
  }
  if (status < 300 && (said['status'] === 'error' || 'error' in said)) return refused(carrierCode);
  if (status === 429) return { ...refused(String(status)), reached: false, retryable: true };
  if (status >= 400 && status < 500) return refused(carrierCode ?? String(status));
  return { outcome: 'unknown', cause: `http_${status}` };
}

const refused = (carrierCode: string | null) => ({
  outcome: 'rejected' as const,
  carrierCode,
  message: `The voicemail vendor refused the voicemail${carrierCode ? ` with its code ${carrierCode}` : ''}. Nothing was sent.`,
  retryable: false,
  reached: true,
});

/** Failures after which the request has certainly not been sent. */
const unsent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

function failureOf(error: unknown): Answer {
  const { code } = ((error as { cause?: unknown }).cause ?? error) as { code?: unknown };
  if (typeof code !== 'string' || !unsent.has(code)) {
    const cause = typeof code === 'string' ? code : (error as Error).name;
    return { outcome: 'unknown', cause: cause.toLowerCase() };
  }
  const message = 'The voicemail vendor could not be reached. Nothing was sent.';
  return { outcome: 'rejected', carrierCode: null, message, retryable: true, reached: false };
}

/** Drop Cowboy's reason codes of an end without delivery; those of its own troubles, 3xxx and the rest, are failures. */
const results: Record<string, 'not_delivered' | 'skipped'> = {
  4001: 'not_delivered', // no mailbox
  4002: 'not_delivered', // the mailbox is full
  4010: 'not_delivered', // no such line
  6011: 'skipped', // consent
};

function resultOf(body: string, voicemailId: string): Result | null {
  const said = parsed(body);
  if (!said || (said['foreign_id'] ?? voicemailId) !== voicemailId) return null;
  if (said['status'] === 'success') return { result: 'delivered' };
  if (said['status'] !== 'failure') return null;
  const code = said['reason_code'];
  const carrierCode = typeof code === 'number' || typeof code === 'string' ? String(code).slice(0, 64) : null;
  const isOnItsList = said['dnc'] === true || said['dnc'] === 1;
  const result = isOnItsList ? 'skipped' : (results[carrierCode ?? ''] ?? 'failed');
  const reason = `${words[result]}${carrierCode ? ` (${carrierCode})` : ''}.`;
  return { result, carrierCode, reason };
}

/** In our words: the vendor's may name the person's number. */
const words = {
  not_delivered: 'The vendor could not leave it: there is no mailbox, or it is full',
  skipped: 'The vendor left it out by a rule of its own',
  failed: 'The vendor failed to leave it',
};

function parsed(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
