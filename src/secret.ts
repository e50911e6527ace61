import { sql } from 'kysely';
import { newId } from './clock.ts';
import type { By } from './domain/event.ts';
import { newSecret, rotationMs } from './domain/signature.ts';
import { webhookSecrets } from './domain/workspace.ts';
import type { Transaction, World } from './world.ts';

/** A new secret, and until when the one before is believed. */
export interface Rotated {
  secret: string;
  previousValidUntil: Date;
}

/** Makes the first secret of a trigger, a subscription or a workspace. */
export async function addSecret(
  tx: Pick<Transaction, 'insert'>,
  ownerId: string,
  by: Pick<By, 'workspaceId' | 'now'>,
): Promise<string> {
  const secret = newSecret();
  const { workspaceId, now } = by;
  await tx.insert(webhookSecrets, {
    workspaceId,
    id: newId(now),
    ownerId,
    secret,
    createdAt: now,
    validUntil: null,
  });
  return secret;
}

/** Sees to it that somebody has a secret. Two that look at once make two, and both are believed. */
export async function ensureSecret(
  world: World,
  ownerId: string,
  by: Pick<By, 'workspaceId' | 'now'>,
): Promise<void> {
  const known = await secretsOf(world, ownerId, by.now);
  if (known.length === 0) await addSecret(world, ownerId, by);
}

/** Makes a new secret; the one before goes on for a day, and those before that end now. */
export async function rotateSecret(tx: Transaction, ownerId: string, by: By): Promise<Rotated> {
  const previousValidUntil = new Date(by.now.getTime() + rotationMs);
  const of = sql`workspace_id = ${by.workspaceId} and owner_id = ${ownerId}`;
  await tx.query(sql`delete from webhook_secret where ${of} and valid_until is not null`);
  await tx.query(sql`update webhook_secret set valid_until = ${previousValidUntil} where ${of}`);
  return { secret: await addSecret(tx, ownerId, by), previousValidUntil };
}

/** The secrets that are believed now, the newest first, each with its workspace. */
export const secretsOf = (
  reader: Pick<World, 'query'>,
  ownerId: string,
  now: Date,
): Promise<{ secret: string; workspaceId: string }[]> =>
  reader.query(sql`select secret, workspace_id as "workspaceId" from webhook_secret
    where owner_id = ${ownerId} and (valid_until is null or valid_until > ${now}) order by valid_until desc nulls first`);
