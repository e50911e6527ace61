import { sql } from 'kysely';
import { newId, type Clock } from './clock.ts';
import type { Channel } from './domain/consent.ts';
import type { Policy } from './domain/gate.ts';
import type { LocalWindow } from './domain/hours.ts';
import { NotFoundRefusal, StateRefusal } from './domain/refusal.ts';
import * as workspaces from './domain/workspace.ts';
import type { PhoneNumber, SenderState, Service, UseCase, Workspace } from './domain/workspace.ts';
import { openKeys, type NewKey } from './keys.ts';
import type { World } from './world.ts';

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
  policy: workspaces.openPolicy,
  limitMinutes: null,
  alertPercents: [],
  alertedPercent: null,
  spentUntil: null,
  createdAt: now,
});

/** What of a policy is to change; null: nothing. */
interface GivenPolicy {
  sandbox: boolean | null;
  allowlist: string[] | null;
  hours: LocalWindow[] | null;
  attemptsPerDay: number | null;
  attemptsPerWeek: number | null;
  cooldownMinutes: number | null;
  maxConcurrentCalls: number | null;
  recordingDays: number | null;
}

/** Keeps workspaces and what is set up in them. */
export function openWorkspaces({ world, clock }: { world: World; clock: Clock }) {
  const keys = openKeys({ world, clock });

  /** A new workspace with a first key, which has every scope that stays within it. */
  async function createWorkspace(name: string): Promise<NewKey & { workspace: Workspace }> {
    const workspace = blankWorkspace(name, clock.now());
    await world.insert(workspaces.table, workspace);
    return {
      workspace,
      ...(await keys.addKey(workspace.id, { name: 'first', scopes: [...workspaces.workspaceScopes] })),
    };
  }

  /** A new service. As the default it takes the place of the one before. */
  async function createService(
    workspaceId: string,
    {
      isDefault,
      ...given
    }: Pick<Service, 'name' | 'systemPrompt' | 'greeting'> & {
      machineMessage?: string | null;
      streamUrl?: string | null;
      recordsCalls?: boolean;
      isDefault: boolean;
    },
  ): Promise<Service> {
    return world.transact(async (tx) => {
      await tx.query(sql`select 1 from workspace where id = ${workspaceId} for update`);
      const first = (await tx.find(workspaces.services, { workspaceId: { eq: workspaceId } })).length === 0;
      if (isDefault)
        await tx.query(sql`update service set is_default = false where workspace_id = ${workspaceId}`);
      const now = clock.now();
      const row = {
        machineMessage: null,
        streamUrl: null,
        recordsCalls: false,
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

  /** What of the policy is given takes the place of what was; the rest stays. */
  async function setPolicy(workspaceId: string, given: GivenPolicy): Promise<Workspace> {
    return world.transact(async (tx) => {
      await tx.query(sql`select 1 from workspace where id = ${workspaceId} for update`);
      const known = (await tx.findOne<Workspace>(workspaces.table, { id: { eq: workspaceId } }))!;
      const policy = amended(known.policy, given);
      const sandbox = given.sandbox ?? known.sandbox;
      const allowlist = given.allowlist ?? known.allowlist;
      await tx.query(sql`update workspace set sandbox = ${sandbox}, allowlist = ${allowlist},
        policy = ${JSON.stringify(policy)}::jsonb where id = ${workspaceId}`);
      return { ...known, sandbox, allowlist, policy };
    });
  }

  /** A caller ID; registering a number again changes what is said of it. */
  async function registerNumber(
    workspaceId: string,
    given: Pick<PhoneNumber, 'phone' | 'label' | 'voice' | 'text' | 'serviceId'> & {
      /** Null: as before. */
      voicemailSender?: SenderState | null;
    },
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
      insert into phone_number (workspace_id, id, phone, label, active, voice, text, voicemail_sender, service_id, created_at)
      values (${workspaceId}, ${newId(now)}, ${given.phone}, ${given.label}, true, ${given.voice}, ${given.text}, ${given.voicemailSender ?? 'UNKNOWN'}, ${given.serviceId}, ${now})
      on conflict (workspace_id, phone) do update set label = excluded.label, active = true, voice = excluded.voice,
        text = excluded.text, voicemail_sender = coalesce(${given.voicemailSender ?? null}, phone_number.voicemail_sender),
        service_id = excluded.service_id`);
    return (await world.findOne<PhoneNumber>(workspaces.phoneNumbers, {
      ...here,
      phone: { eq: given.phone },
    }))!;
  }

  return {
    ...keys,
    createWorkspace,
    createService,
    createUseCase,
    registerNumber,
    setPolicy,
  };
}

/** Keeps workspaces and what is set up in them. */
export type Workspaces = ReturnType<typeof openWorkspaces>;

/** A policy with what is given of another; 0 takes a cap away. */
function amended({ hours, caps, maxConcurrentCalls, recordingDays }: Policy, given: GivenPolicy): Policy {
  const cap = (value: number | null, before: number | null) => (value === null ? before : value || null);
  return {
    hours: given.hours ?? hours,
    caps: {
      perDay: cap(given.attemptsPerDay, caps.perDay),
      perWeek: cap(given.attemptsPerWeek, caps.perWeek),
      cooldownMinutes: given.cooldownMinutes ?? caps.cooldownMinutes,
    },
    maxConcurrentCalls: cap(given.maxConcurrentCalls, maxConcurrentCalls),
    recordingDays: given.recordingDays ?? recordingDays,
  };
}

/** The service that is named, else the default one. Refuses NOT_FOUND, and OUTBOUND_NOT_CONFIGURED where there is none. */
export async function findService(
  reader: Pick<World, 'findOne'>,
  serviceId: string | null,
  workspaceId: string,
): Promise<Service> {
  const here = { workspaceId: { eq: workspaceId }, active: { eq: true } };
  const where = serviceId ? { ...here, id: { eq: serviceId } } : { ...here, isDefault: { eq: true } };
  const service = await reader.findOne<Service>(workspaces.services, where);
  if (service) return service;
  if (serviceId)
    throw new NotFoundRefusal('NOT_FOUND', 'There is no such active service in this workspace.', serviceId);
  const message =
    'This workspace has no default service, so nobody would speak. Create one with isDefault: true.';
  throw new StateRefusal('OUTBOUND_NOT_CONFIGURED', message, 'NOT_CONFIGURED');
}
