import { sql, type RawBuilder } from 'kysely';
import type { By } from '../domain/event.ts';
import { LimitRefusal, NotFoundRefusal } from '../domain/refusal.ts';
import { useCases, type PhoneNumber, type UseCase } from '../domain/workspace.ts';
import type { Transaction } from '../world.ts';

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

/**
 * Picks the caller ID and locks it until the intent is recorded, so that its limit holds however many ask at once.
 * Refuses CALLER_ID_NOT_REGISTERED, NO_NUMBER_AVAILABLE, NUMBER_SELECTION_TIMEOUT and SOURCE_NUMBER_RATE_LIMITED.
 */
export async function chooseNumber(
  tx: Transaction,
  { source, by, callsPerMinute }: { source: PhoneSource; by: By; callsPerMinute: number },
): Promise<Candidate> {
  const phones =
    'phoneFrom' in source
      ? await registered(tx, source.phoneFrom, by)
      : await serving(tx, source.useCaseId, by);
  // Read after the locks are held: what others have recorded until then counts.
  const candidates = await tx.query<Candidate>(sql`
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

async function registered(tx: Transaction, phone: string, by: By): Promise<string[]> {
  const [number] = await lock(tx, sql`workspace_id = ${by.workspaceId} and phone = ${phone}`);
  if (number?.active && number.voice) return [phone];
  const message = number
    ? 'This caller ID cannot place calls: it is not active, or has no voice.'
    : 'This caller ID is not registered in this workspace. Register it, or name a use case.';
  throw new NotFoundRefusal('CALLER_ID_NOT_REGISTERED', message, number?.id ?? null);
}

async function serving(tx: Transaction, useCaseId: string, by: By): Promise<string[]> {
  const where = { workspaceId: { eq: by.workspaceId }, id: { eq: useCaseId } };
  const useCase = await tx.findOne<UseCase>(useCases, where);
  if (!useCase)
    throw new NotFoundRefusal('NOT_FOUND', 'There is no such use case in this workspace.', useCaseId);
  if (useCase.channel !== 'VOICE') throw noNumber(useCaseId);
  const numbers = await lock(tx, sql`workspace_id = ${by.workspaceId} and id = any(${useCase.numberIds})`);
  const able = numbers.filter(({ active, voice }) => active && voice);
  if (able.length === 0) throw noNumber(useCaseId);
  return able.map(({ phone }) => phone);
}

/** Numbers of ours, locked in the order of their ids. Their locks are held for milliseconds; Postgres waits two seconds. */
async function lock(tx: Transaction, where: RawBuilder<unknown>): Promise<Locked[]> {
  try {
    return await tx.query<Locked>(
      sql`select id, phone, active, voice from phone_number where ${where} order by id for update`,
    );
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
