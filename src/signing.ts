import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import { signingKeys, type SigningKey } from './domain/workspace.ts';
import type { World } from './world.ts';

/** Signs what we hand out to be brought back to us, such as links: with a secret of the workspace that all replicas share. */
export function openSigning({ world }: { world: World }) {
  /** The signature of a text, base64url of HMAC-SHA256. The workspace's secret is made at its first one. */
  async function sign(workspaceId: string, text: string): Promise<string> {
    return signatureOf(await ensureSecret(workspaceId), text);
  }

  /** Whether we have signed this text; compared in a time that does not tell where the two differ. */
  async function isSigned(workspaceId: string, text: string, signature: string): Promise<boolean> {
    const secret = await secretOf(workspaceId);
    if (!secret) return false;
    const [given, own] = [Buffer.from(signature), Buffer.from(signatureOf(secret, text))];
    return given.length === own.length && timingSafeEqual(given, own);
  }

  async function secretOf(workspaceId: string): Promise<string | null> {
    const known = await world.findOne<SigningKey>(signingKeys, { workspaceId: { eq: workspaceId } });
    return known?.secret ?? null;
  }

  /** Replicas that make it at the same time agree. */
  async function ensureSecret(workspaceId: string): Promise<string> {
    const known = await secretOf(workspaceId);
    if (known) return known;
    await world.query(sql`insert into signing_key (workspace_id, secret)
      values (${workspaceId}, ${randomBytes(32).toString('hex')}) on conflict do nothing`);
    return (await secretOf(workspaceId))!;
  }

  return { sign, isSigned };
}

/** Signs what we hand out. */
export type Signing = ReturnType<typeof openSigning>;

const signatureOf = (secret: string, text: string): string =>
  createHmac('sha256', secret).update(text).digest('base64url');
