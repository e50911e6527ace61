import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { newId, type Clock } from './clock.ts';
import { InputRefusal, NotFoundRefusal } from './domain/refusal.ts';
import * as workspaces from './domain/workspace.ts';
import type { ApiKey, Scope } from './domain/workspace.ts';
import type { World } from './world.ts';

/** For how long a key is believed without asking Postgres again, in milliseconds: how long a revoked key may live on. */
const keyCacheMs = 1_000;

/** How exact `lastUsedAt` is, in milliseconds: writing it with every request would cost more than it tells. */
const lastUsedMs = 60_000;

/** A key with its secret, which is shown this once. */
export interface NewKey {
  apiKey: ApiKey;
  secret: string;
}

/** Keeps the keys of the API. */
export function openKeys({ world, clock }: { world: World; clock: Clock }) {
  const believed = new Map<string, { key: ApiKey | null; until: number }>();

  /** The key that a secret belongs to; null when there is none, or it is revoked. */
  async function authenticate(secret: string): Promise<ApiKey | null> {
    const secretHash = hashOfSecret(secret);
    const cached = believed.get(secretHash);
    if (cached && cached.until > performance.now()) return cached.key;
    const found = await world.findOne<ApiKey>(workspaces.apiKeys, { secretHash: { eq: secretHash } });
    const key = found && !found.revokedAt ? found : null;
    if (believed.size > 10_000) believed.clear();
    believed.set(secretHash, { key, until: performance.now() + keyCacheMs });
    const now = clock.now();
    if (key && now.getTime() - (key.lastUsedAt?.getTime() ?? 0) > lastUsedMs) await touch(key, now);
    return key;
  }

  const touch = (key: ApiKey, now: Date) =>
    world.query(
      sql`update api_key set last_used_at = ${now} where workspace_id = ${key.workspaceId} and id = ${key.id}`,
    );

  async function addKey(
    workspaceId: string,
    key: { name: string; scopes: Scope[]; secret?: string },
  ): Promise<NewKey> {
    const secret = key.secret ?? `cw_${randomBytes(32).toString('base64url')}`;
    const apiKey = {
      workspaceId,
      id: newId(clock.now()),
      name: key.name,
      secretHash: hashOfSecret(secret),
      scopes: key.scopes,
      createdAt: clock.now(),
      lastUsedAt: null,
      revokedAt: null,
    } as unknown as ApiKey;
    await world.insert(workspaces.apiKeys, apiKey);
    return { apiKey, secret };
  }

  /** Sees to a first key: the one that is configured, else one that is made. Answers only one that it has just made. */
  async function ensureAdminKey(workspaceId: string, configured: string | null): Promise<string | null> {
    const secretHash = configured === null ? null : hashOfSecret(configured);
    const where =
      secretHash === null ? { workspaceId: { eq: workspaceId } } : { secretHash: { eq: secretHash } };
    if (await world.findOne(workspaces.apiKeys, where)) return null;
    const scopes = [...workspaces.scopes];
    const { secret } = await addKey(workspaceId, {
      name: 'admin',
      scopes,
      ...(configured === null ? {} : { secret: configured }),
    });
    return configured === null ? secret : null;
  }

  /** A new key, with no scope that its maker does not have itself. */
  async function createKey(maker: ApiKey, name: string, wanted: string[]): Promise<NewKey> {
    const known = new Set<string>(workspaces.scopes);
    const beyond = wanted.filter((scope) => !known.has(scope) || !workspaces.covers(maker.scopes, scope));
    if (beyond.length > 0) {
      const message = `Not a scope that your own key has: ${beyond.join(', ')}. Yours are ${maker.scopes.join(', ')}.`;
      throw new InputRefusal([{ path: ['scopes'], message }]);
    }
    return addKey(maker.workspaceId, { name, scopes: [...new Set(wanted)] as Scope[] });
  }

  /** Revokes a key; on every replica within a second. */
  async function revokeKey(workspaceId: string, id: string): Promise<ApiKey> {
    const here = { workspaceId: { eq: workspaceId }, id: { eq: id } };
    await world.query(sql`update api_key set revoked_at = ${clock.now()}
      where workspace_id = ${workspaceId} and id = ${id} and revoked_at is null`);
    const key = await world.findOne<ApiKey>(workspaces.apiKeys, here);
    if (!key) throw new NotFoundRefusal('NOT_FOUND', 'There is no such key in this workspace.', id);
    believed.delete(key.secretHash);
    return key;
  }

  return { authenticate, addKey, ensureAdminKey, createKey, revokeKey };
}

const hashOfSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');
