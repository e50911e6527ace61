/** Which of our numbers somebody sees. */
import { createHash } from 'node:crypto';
import type { PhoneNumber } from './workspace.ts';

/** The numbers that a service calls or texts from: its own, else those of no service, else any that can. */
export function callerIdsAmong(
  numbers: readonly PhoneNumber[],
  serviceId: string | null,
  ability: 'voice' | 'text' = 'voice',
): string[] {
  const able = numbers.filter((number) => number.active && number[ability]);
  const own = able.filter((number) => serviceId !== null && number.serviceId === serviceId);
  const free = able.filter((number) => number.serviceId === null);
  const candidates = [own, free, able].find(({ length }) => length > 0) ?? [];
  return candidates.map(({ phone }) => phone);
}

/**
 * The same person sees the same number as long as it stays. Rendezvous hashing: people are spread evenly over the
 * numbers, and a new one moves only its share of them.
 */
export function pickCallerId(numbers: readonly string[], patientId: string): string {
  const draw = (phone: string) => createHash('sha256').update(`${patientId} ${phone}`).digest('hex');
  return numbers.toSorted((a, b) => (draw(a) < draw(b) ? -1 : 1))[0]!;
}
