import { callerIdsAmong, pickCallerId } from '../domain/caller-id.ts';
import type { ContactDecision } from '../domain/consent.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation } from '../domain/conversation.ts';
import { NotFoundRefusal } from '../domain/refusal.ts';
import { phoneNumbers, useCases, type PhoneNumber, type Service, type UseCase } from '../domain/workspace.ts';
import type { Transaction, World } from '../world.ts';

/** The numbers that text for a use case; without one, those that text for a service. Refuses NOT_FOUND, NO_NUMBER_AVAILABLE. */
export async function textNumbersOf(
  reader: Pick<World, 'find' | 'findOne'>,
  service: Service,
  useCaseId: string | null,
): Promise<string[]> {
  const here = { workspaceId: { eq: service.workspaceId } };
  const numbers = await reader.find<PhoneNumber>(phoneNumbers, here);
  if (useCaseId === null) return someOf(callerIdsAmong(numbers, service.id, 'text'), null);
  const useCase = await reader.findOne<UseCase>(useCases, { ...here, id: { eq: useCaseId } });
  if (!useCase)
    throw new NotFoundRefusal('NOT_FOUND', 'There is no such use case in this workspace.', useCaseId);
  const own = numbers.filter(({ id }) => useCase.channel === 'TEXT' && useCase.numberIds.includes(id));
  return someOf(callerIdsAmong(own, null, 'text'), useCaseId);
}

function someOf(phones: string[], useCaseId: string | null): string[] {
  if (phones.length > 0) return phones;
  const message = useCaseId
    ? 'This use case has no active number that can send texts, or is for another channel.'
    : 'This workspace has no active number that can send texts. Register one with text: true.';
  throw new NotFoundRefusal('NO_NUMBER_AVAILABLE', message, useCaseId);
}

/** Where a patient is texted at a number of theirs. */
export interface Line {
  /** Their conversation that is open there; null: none is. */
  open: Conversation | null;
  /** The number of ours for a new one; null: at each of them somebody else at the same number is being texted. */
  phoneFrom: string | null;
}

/**
 * Picks the number of ours that texts a patient: the one of their newest conversation as long as it is able, so that
 * each person sees one sender. Where it is in a conversation with somebody else at the same number it is another one,
 * so that an answer tells who wrote it. The contact must be locked.
 */
export async function lineOf(
  tx: Pick<Transaction, 'find'>,
  { workspaceId, contactId, patientId }: { workspaceId: string; contactId: string; patientId: string },
  numbers: string[],
): Promise<Line> {
  const found = await tx.find<Conversation>(conversations.table, {
    workspaceId: { eq: workspaceId },
    contactId: { eq: contactId },
  });
  return lineAmong(found, patientId, numbers);
}

/** The line of a patient, of all conversations at their number. */
export function lineAmong(found: Conversation[], patientId: string, numbers: string[]): Line {
  const active = found.filter(({ status }) => status === 'ACTIVE');
  const open = active.find((conversation) => conversation.patientId === patientId) ?? null;
  const taken = new Set(active.map(({ phoneFrom }) => phoneFrom));
  const free = numbers.filter((phone) => !taken.has(phone));
  const last = found
    .filter((conversation) => conversation.patientId === patientId)
    .toSorted((one, other) => (one.id < other.id ? 1 : -1))[0];
  if (last && free.includes(last.phoneFrom)) return { open, phoneFrom: last.phoneFrom };
  return { open, phoneFrom: free.length > 0 ? pickCallerId(free, patientId) : null };
}

/** Somebody else at the same number is in a conversation with each of our numbers: an answer would not tell whose it is. */
export const occupied = (decision: ContactDecision): ContactDecision => ({
  ...decision,
  allowed: false,
  blocks: [...new Set([...decision.blocks, 'ACTIVE_CONTACT' as const])],
});
