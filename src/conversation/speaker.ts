import { services, type PhoneNumber, type Service } from '../domain/workspace.ts';
import type { Transaction } from '../world.ts';

type Reader = Pick<Transaction, 'find' | 'findOne'>;

/** The service that a conversation speaks for; null: it has none, or it is gone. */
export const serviceOf = async (
  reader: Reader,
  workspaceId: string,
  serviceId: string | null | undefined,
): Promise<Service | null> =>
  serviceId
    ? reader.findOne<Service>(services, { workspaceId: { eq: workspaceId }, id: { eq: serviceId } })
    : null;

/** The service that a number of ours speaks for: its own, else the default one; null: there is none. */
export async function serviceAt(
  reader: Reader,
  { workspaceId, serviceId }: PhoneNumber,
): Promise<Service | null> {
  const active = { workspaceId: { eq: workspaceId }, active: { eq: true } };
  const found = await reader.find<Service>(services, active);
  return found.find(({ id }) => id === serviceId) ?? found.find(({ isDefault }) => isDefault) ?? null;
}
