import { sql } from 'kysely';
import type { By } from '../domain/event.ts';
import { LimitRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import { phoneNumbers, useCases, type PhoneNumber, type UseCase } from '../domain/workspace.ts';
import type { Transaction } from '../world.ts';

/** Which of our numbers calls: a registered one, or whichever of a use case's numbers has called least. */
export type PhoneSource = { phoneFrom: string } | { useCaseId: string };

/** A caller ID that may be used, with the calls that it has made in the last minute. */
interface Candidate {
  id: string;
  phone: string;
  recent: number;
  /** When the oldest of them leaves the minute. */
  freeAt: Date | null;
}

/** How long a number's lock is waited for; it is held for milliseconds. */
const lockTimeout = '2s';

/** The window of a source number's limit, in milliseconds. */
const windowMs = 60_000;

/**
 * Picks the caller ID and locks it until the intent is recorded, so that its limit holds however many ask at once.
 * Refuses CALLER_ID_NOT_REGISTERED, NO_NUMBER_AVAILABLE, NUMBER_SELECTION_TIMEOUT and SOURCE_NUMBER_RATE_LIMITED.
 */
export async function chooseNumber(
  tx: Transaction,
  { source, by, callsPerMinute }: { source: PhoneSource; by: By; callsPerMinute: number },
): Promise<Candidate> {
  const ids =
    'phoneFrom' in source
      ? await registered(tx, source.phoneFrom, by)
      : await serving(tx, source.useCaseId, by);
  const candidates = await lockCandidates(tx, ids, by);
  if (candidates.length === 0) throw noNumber('useCaseId' in source ? source.useCaseId : null);
  const best = candidates.toSorted((a, b) => a.recent - b.recent)[0]!;
  if (best.recent < callsPerMinute) return best;
  const freeAt = Math.min(...candidates.map((candidate) => candidate.freeAt?.getTime() ?? 0));
  const message = `Every number asked for has called ${callsPerMinute} times in the last minute, which is its limit.`;
  throw new LimitRefusal(
    'SOURCE_NUMBER_RATE_LIMITED',
    message,
    (freeAt + windowMs - by.now.getTime()) / 1000,
  );
}

async function registered(tx: Transaction, phone: string, by: By): Promise<string[]> {
  const where = { workspaceId: { eq: by.workspaceId }, phone: { eq: phone } };
  const number = await tx.findOne<PhoneNumber>(phoneNumbers, where);
  if (number?.active && number.voice) return [number.id];
  const message = number
    ? 'This caller ID cannot place calls: it is not active, or has no voice.'
    : 'This caller ID is not registered in this workspace. Register it, or name a use case.';
  throw new NotFoundRefusal('CALLER_ID_NOT_REGISTERED', message, number?.id ?? null);
}

async function serving(tx: Transaction, useCaseId: string, by: By): Promise<string[]> {
  const useCase = await tx.findOne<UseCase>(useCases, {
    workspaceId: { eq: by.workspaceId },
    id: { eq: useCaseId },
  });
  if (!useCase)
    throw new NotFoundRefusal('NOT_FOUND', 'There is no such use case in this workspace.', useCaseId);
  if (useCase.channel !== 'VOICE') throw noNumber(useCaseId);
  return useCase.numberIds;
}

/** Active voice numbers, locked in the order of their ids, each with its calls of the last minute. */
async function lockCandidates(tx: Transaction, ids: string[], by: By): Promise<Candidate[]> {
  try {
    await tx.query(sql`select set_config('lock_timeout', ${lockTimeout}, true)`);
    const locked = await tx.query<{ id: string; phone: string }>(sql`
      select id, phone from phone_number
      where workspace_id = ${by.workspaceId} and id = any(${ids}) and active and voice order by id for update`);
    await tx.query(sql`select set_config('lock_timeout', '0', true)`);
    return await tx.query<Candidate>(sql`
      select n.id, n.phone, count(c.id)::int as recent, min(c.queued_at) as "freeAt"
      from phone_number n left join call c on c.workspace_id = n.workspace_id and c.phone_from = n.phone
        and c.queued_at > ${new Date(by.now.getTime() - windowMs)}
      where n.workspace_id = ${by.workspaceId} and n.id = any(${locked.map(({ id }) => id)})
      group by n.id, n.phone order by n.id`);
  } catch (error) {
    if ((error as { code?: string }).code !== '55P03') throw error; // Postgres: lock_not_available
    throw new LimitRefusal('NUMBER_SELECTION_TIMEOUT', 'No number could be picked in time. Try again.', 1);
  }
}

const noNumber = (useCaseId: string | null) =>
  new NotFoundRefusal(
    'NO_NUMBER_AVAILABLE',
    'This use case has no active number that can place calls.',
    useCaseId,
  );
