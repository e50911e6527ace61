import { storyOf } from './people.ts';

/** By the last four digits of a number in the 555-01xx block: the reason_code that its voicemail ends with. */
const ENDS: Record<string, number | 'never'> = { '0141': 4001, '0142': 6011, '0143': 3000, '0144': 'never' };

/** How a voicemail to a number (E.164) ends: reason_code, 0 is success; `never`: nothing is heard of it again. */
export function mailboxAt(number: string): number | 'never' {
  return ENDS[storyOf(number)] ?? 0;
}

/** Whether the vendor answers a request for this number with 200 and an error, and does nothing. */
export function isAnsweredWithError(number: string): boolean {
  return storyOf(number) === '0145';
}
