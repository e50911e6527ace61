import { sql } from 'kysely';
import type { By } from './domain/event.ts';
import { IdempotencyRefusal } from './domain/refusal.ts';
import { idempotencyMs, type IdempotencyKey } from './domain/workspace.ts';
import type { Transaction, World } from './world.ts';
import { hashOf } from './domain/hash.ts';

/** A request that may be made again with the same key. */
interface Keyed {
  /** Null: every request is its own. */
  idempotencyKey: string | null;
  /** The mutation's name: a key belongs to one. */
  operation: string;
  /** Compared by content, whatever the order of its keys. */
  input: unknown;
  by: By;
}

/** What this key has made within 24 hours; null when it is free. Refuses IDEMPOTENCY_CONFLICT for another input. */
export async function findKey(reader: Pick<World, 'prepared'>, keyed: Keyed): Promise<string | null> {
  if (keyed.idempotencyKey === null) return null;
  const { workspaceId, now } = keyed.by;
  const [known] = await reader.prepared<
    Pick<IdempotencyKey, 'operation' | 'inputHash'> & { resultId: string }
  >(sql`
    select operation, input_hash as "inputHash", result_id as "resultId" from idempotency_key
    where workspace_id = ${workspaceId} and key = ${keyed.idempotencyKey} and created_at > ${forgottenAt(now)}`);
  if (!known) return null;
  if (known.operation !== keyed.operation || known.inputHash !== hashOf(keyed.input)) {
    const message = 'This idempotency key was used with another input. Use a new key for a new request.';
    throw new IdempotencyRefusal('IDEMPOTENCY_CONFLICT', message);
  }
  return known.resultId;
}

/**
 * Takes the key for this transaction's result, or answers what it has already made. A second request with the key
 * waits here for the first one's commit; when the first is rolled back the key is free again.
 */
export async function claimKey(tx: Transaction, keyed: Keyed & { resultId: string }): Promise<string | null> {
  if (keyed.idempotencyKey === null) return null;
  const { workspaceId, now } = keyed.by;
  const claimed = await tx.prepared(sql`
    insert into idempotency_key as k (workspace_id, key, operation, input_hash, result_id, created_at)
    values (${workspaceId}, ${keyed.idempotencyKey}, ${keyed.operation}, ${hashOf(keyed.input)}, ${keyed.resultId}, ${now})
    on conflict (workspace_id, key) do update set operation = excluded.operation, input_hash = excluded.input_hash,
      result_id = excluded.result_id, created_at = excluded.created_at
    where k.created_at <= ${forgottenAt(now)}
    returning 1`);
  return claimed.length > 0 ? null : findKey(tx, keyed);
}

/** Lets a key be used again, because nothing was dialled for it and nothing stands in the way of another try. */
export async function releaseKey(tx: Transaction, workspaceId: string, key: string | null): Promise<void> {
  if (key === null) return;
  await tx.query(sql`delete from idempotency_key where workspace_id = ${workspaceId} and key = ${key}`);
}

/** The first request with this key has not been answered yet. */
export const inProgress = (): IdempotencyRefusal =>
  new IdempotencyRefusal(
    'IDEMPOTENCY_IN_PROGRESS',
    'The first request with this idempotency key is still running. Ask again in a second.',
  );

const forgottenAt = (now: Date) => new Date(now.getTime() - idempotencyMs);
