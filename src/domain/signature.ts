/** Signatures of webhooks, both ways: Standard Webhooks, and the plain hex HMAC of systems that know only that. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How far the clock of a sender may be off, in milliseconds: five minutes, both ways. */
const toleranceMs = 300_000;

/** For how long the secret before is believed after a rotation, in milliseconds: a day. */
export const rotationMs = 86_400_000;

/** A new secret: whsec_ and the base64 of 32 random bytes. */
export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

const keyOf = (secret: string): Buffer => Buffer.from(secret.replace(/^whsec_/, ''), 'base64');

const hmac = (key: Buffer | string, ...parts: (string | Buffer)[]): Buffer => {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
};

/** The headers of a message as Standard Webhooks says, signed with each of these secrets. */
export function sign(
  message: { id: string; body: string; at: Date },
  secrets: readonly string[],
): Record<string, string> {
  const timestamp = String(Math.floor(message.at.getTime() / 1_000));
  const signatures = secrets.map(
    (secret) => `v1,${hmac(keyOf(secret), `${message.id}.${timestamp}.`, message.body).toString('base64')}`,
  );
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

/** A message as it came in. */
export interface Received {
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** Headers that plain signatures come in. */
const plainHeaders = ['x-signature', 'x-signature-256', 'x-hub-signature-256', 'x-webhook-signature'];

/**
 * The sender's own id of a signed message, null where it has none; undefined when it is not signed with any of these
 * secrets, or its timestamp is too far from now. Everything is compared, and in constant time: how long it takes tells nothing.
 */
export function verify(received: Received, secrets: readonly string[], now: Date): string | null | undefined {
  const header = (name: string): string | null => {
    const value = received.headers[name];
    return typeof value === 'string' ? value : null;
  };
  const id = header('webhook-id');
  const timestamp = header('webhook-timestamp');
  const signature = header('webhook-signature');
  if (timestamp !== null && !isRecent(timestamp, now)) return undefined;
  if (id !== null && timestamp !== null && signature !== null) {
    const given = signature.split(' ').map((part) => part.replace(/^v1,/, ''));
    const made = secrets.map((secret) => hmac(keyOf(secret), `${id}.${timestamp}.`, received.body));
    return isAmong(given, made, 'base64') ? id : undefined;
  }
  const plain = plainHeaders.map(header).find((value) => value !== null) ?? null;
  if (plain === null) return undefined;
  // A timestamp that is there is signed, as in Standard Webhooks; without one a repetition is known by its body.
  const prefix = timestamp === null ? [] : [`${timestamp}.`];
  const made = secrets.flatMap((secret) => [
    hmac(secret, ...prefix, received.body),
    hmac(keyOf(secret), ...prefix, received.body),
  ]);
  return isAmong([plain.replace(/^sha256=/, '')], made, 'hex') ? null : undefined;
}

/** The most signatures that a message may have: each costs us. */
const most = 8;

function isAmong(given: string[], made: Buffer[], encoding: 'base64' | 'hex'): boolean {
  let found = false;
  for (const text of given.slice(0, most)) {
    const candidate = Buffer.alloc(32);
    const written = Buffer.from(text, encoding);
    written.copy(candidate);
    for (const each of made) {
      const isSame = timingSafeEqual(candidate, each) && written.length === 32;
      found ||= isSame;
    }
  }
  return found;
}

function isRecent(timestamp: string, now: Date): boolean {
  const at = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) * 1_000 : Number.NaN;
  return Math.abs(now.getTime() - at) <= toleranceMs;
}
