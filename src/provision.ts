import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { newId, type Clock } from './clock.ts';
import type { Channel } from './domain/consent.ts';
import { InputRefusal, NotFoundRefusal } from './domain/refusal.ts';
import * as workspaces from './domain/workspace.ts';
import type { ApiKey, PhoneNumber, Scope, Service, UseCase, Workspace } from './domain/workspace.ts';
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

/** The workspace that the first key belongs to: the oldest one, made when there is none. Replicas that start together agree. */
export async function ensureWorkspace(world: World, now: Date): Promise<Workspace> {
  return world.transact(async (tx) => {
    await tx.query(sql`select pg_advisory_xact_lock(hashtext('callwell.workspace'))`);
    const [oldest] = await tx.query<{ id: string }>(
      sql`select id from workspace order by created_at, id limit 1`,
    );
    const known = oldest && (await tx.findOne<Workspace>(workspaces.table, { id: { eq: oldest.id } }));
    if (known) return known;
    const workspace = blankWorkspace('Default', now);
    await tx.insert(workspaces.table, workspace);
    return workspace;
  });
}

const blankWorkspace = (name: string, now: Date): Workspace => ({
  id: newId(now),
  name,
  sandbox: false,
  allowlist: [],
  createdAt: now,
});

/** Keeps workspaces and what is set up in them. */
export function openWorkspaces({ world, clock }: { world: World; clock: Clock }) {
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

  /** A new workspace with a first key, which has every scope that stays within it. */
  async function createWorkspace(name: string): Promise<NewKey & { workspace: Workspace }> {
    const workspace = blankWorkspace(name, clock.now());
    await world.insert(workspaces.table, workspace);
    return {
      workspace,
      ...(await addKey(workspace.id, { name: 'first', scopes: [...workspaces.workspaceScopes] })),
    };
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

  /** A new service. As the default it takes the place of the one before. */
  async function createService(
    workspaceId: string,
    { isDefault, ...given }: Pick<Service, 'name' | 'systemPrompt' | 'greeting'> & { isDefault: boolean },
  ): Promise<Service> {
    return world.transact(async (tx) => {
      await tx.query(sql`select 1 from workspace where id = ${workspaceId} for update`);
      const first = (await tx.find(workspaces.services, { workspaceId: { eq: workspaceId } })).length === 0;
      if (isDefault)
        await tx.query(sql`update service set is_default = false where workspace_id = ${workspaceId}`);
      const now = clock.now();
      const row = {
        ...given,
        workspaceId,
        id: newId(now),
        active: true,
        isDefault: isDefault || first,
        createdAt: now,
      };
      const service = row as unknown as Service;
      await tx.insert(workspaces.services, service);
      return service;
    });
  }

  /** A new use case over numbers of this workspace. */
  async function createUseCase(
    workspaceId: string,
    given: { name: string; channel: Channel; numberIds: string[] },
  ): Promise<UseCase> {
    const where = { workspaceId: { eq: workspaceId }, id: { in: given.numberIds } };
    const known = new Set(
      (await world.find<PhoneNumber>(workspaces.phoneNumbers, where)).map(({ id }) => id),
    );
    const missing = given.numberIds.find((id) => !known.has(id));
    if (missing)
      throw new NotFoundRefusal('NOT_FOUND', 'There is no such number in this workspace.', missing);
    const now = clock.now();
    const useCase = {
      ...given,
      numberIds: [...new Set(given.numberIds)],
      workspaceId,
      id: newId(now),
      createdAt: now,
    } as unknown as UseCase;
    await world.insert(workspaces.useCases, useCase);
    return useCase;
  }

  /** A caller ID; registering a number again changes what is said of it. */
  async function registerNumber(
    workspaceId: string,
    given: Pick<PhoneNumber, 'phone' | 'label' | 'voice' | 'text' | 'serviceId'>,
  ): Promise<PhoneNumber> {
    const here = { workspaceId: { eq: workspaceId } };
    if (
      given.serviceId &&
      !(await world.findOne(workspaces.services, { ...here, id: { eq: given.serviceId } }))
    ) {
      throw new NotFoundRefusal('NOT_FOUND', 'There is no such service in this workspace.', given.serviceId);
    }
    const now = clock.now();
    await world.query(sql`
      insert into phone_number (workspace_id, id, phone, label, active, voice, text, service_id, created_at)
      values (${workspaceId}, ${newId(now)}, ${given.phone}, ${given.label}, true, ${given.voice}, ${given.text}, ${given.serviceId}, ${now})
      on conflict (workspace_id, phone) do update set label = excluded.label, active = true, voice = excluded.voice,
        text = excluded.text, service_id = excluded.service_id`);
    return (await world.findOne<PhoneNumber>(workspaces.phoneNumbers, {
      ...here,
      phone: { eq: given.phone },
    }))!;
  }

  return {
    authenticate,
    ensureAdminKey,
    createWorkspace,
    createKey,
    revokeKey,
    createService,
    createUseCase,
    registerNumber,
  };
}

/** Keeps workspaces and what is set up in them. */
export type Workspaces = ReturnType<typeof openWorkspaces>;

const hashOfSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');
