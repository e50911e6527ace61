import { sql, type RawBuilder } from 'kysely';
import type { By } from '../domain/event.ts';
import { LimitRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import { useCases, type PhoneNumber, type UseCase } from '../domain/workspace.ts';
import type { Transaction, World } from '../world.ts';

/** Which of our numbers calls: a registered one, or whichever of a use case's numbers has called least. */
export type PhoneSource = { phoneFrom: string } | { useCaseId: string };

/** A number of ours, locked. */
type Locked = Pick<PhoneNumber, 'id' | 'phone' | 'active' | 'voice'>;

/** A caller ID that may be used, with the calls that it has made in the last minute. */
interface Candidate {
  phone: string;
  recent: number;
  /** When the oldest of them was queued. */
  oldestAt: Date | null;
}

/** The window of a source number's limit, in milliseconds. */
const windowMs = 60_000;

/** The use case whose numbers are asked for; null: a number is named. Refuses NOT_FOUND and NO_NUMBER_AVAILABLE. */
export async function useCaseOf(
  reader: Pick<World, 'findOne'>,
  source: PhoneSource,
  by: By,
): Promise<UseCase | null> {
  if ('phoneFrom' in source) return null;
  const where = { workspaceId: { eq: by.workspaceId }, id: { eq: source.useCaseId } };
  const useCase = await reader.findOne<UseCase>(useCases, where);
  if (!useCase)
    throw new NotFoundRefusal('NOT_FOUND', 'There is no such use case in this workspace.', source.useCaseId);
  if (useCase.channel !== 'VOICE') throw noNumber(source.useCaseId);
  return useCase;
}

/**
 * Locks the numbers that may be called from until the intent is recorded, so that their limit holds however many ask at
 * once. Refuses CALLER_ID_NOT_REGISTERED, NO_NUMBER_AVAILABLE and NUMBER_SELECTION_TIMEOUT.
 */
export async function lockNumbers(
  tx: Transaction,
  { source, useCase }: { source: PhoneSource; useCase: UseCase | null },
  { workspaceId }: By,
): Promise<string[]> {
  const which =
    'phoneFrom' in source ? sql`phone = ${source.phoneFrom}` : sql`id = any(${useCase?.numberIds ?? []})`;
  const numbers = await lock(tx, sql`workspace_id = ${workspaceId} and ${which}`);
  const able = numbers.filter(({ active, voice }) => active && voice);
  if (able.length > 0) return able.map(({ phone }) => phone);
  if (useCase) throw noNumber(useCase.id);
  const [number] = numbers;
  const message = number
    ? 'This caller ID cannot place calls: it is not active, or has no voice.'
    : 'This caller ID is not registered in this workspace. Register it, or name a use case.';
  throw new NotFoundRefusal('CALLER_ID_NOT_REGISTERED', message, number?.id ?? null);
}

/** The locked number that has called least in the last minute. Refuses SOURCE_NUMBER_RATE_LIMITED. */
export async function chooseNumber(
  tx: Transaction,
  phones: string[],
  { by, callsPerMinute }: { by: By; callsPerMinute: number },
): Promise<Candidate> {
  // Read after the locks are held: what others have recorded until then counts.
  const candidates = await tx.prepared<Candidate>(sql`
    select n.phone, count(c.id)::int as recent, min(c.queued_at) as "oldestAt"
    from unnest(${phones}::text[]) as n(phone) left join call c on c.workspace_id = ${by.workspaceId}
      and c.phone_from = n.phone and c.queued_at > ${new Date(by.now.getTime() - windowMs)}
    group by n.phone order by recent, n.phone`);
  const best = candidates[0]!;
  if (best.recent < callsPerMinute) return best;
  const oldest = Math.min(...candidates.map(({ oldestAt }) => oldestAt?.getTime() ?? by.now.getTime()));
  const message = `Every number asked for has called ${callsPerMinute} times in the last minute, which is its limit.`;
  throw new LimitRefusal(
    'SOURCE_NUMBER_RATE_LIMITED',
    message,
    (oldest + windowMs - by.now.getTime()) / 1000,
  );
}

/** Numbers of ours, locked in the order of their ids. Their locks are held for milliseconds; Postgres waits two seconds. */
async function lock(tx: Transaction, where: RawBuilder<unknown>): Promise<Locked[]> {
  try {
    return await tx.prepared<Locked>(
      sql`select id, phone, active, voice from phone_number where ${where} order by id for update`,
    );
  } catch (error) {
    if ((error as { code?: string }).code !== '55P03') throw error; // Postgres: lock_not_available
    throw new LimitRefusal('NUMBER_SELECTION_TIMEOUT', 'No number could be picked in time. Try again.', 1);
  }
}

const noNumber = (useCaseId: string) =>
  new NotFoundRefusal(
    'NO_NUMBER_AVAILABLE',
    'This use case has no active number that can place calls.',
    useCaseId,
  );
