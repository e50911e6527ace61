import { parsePhoneNumberFromString, type PhoneNumber } from 'libphonenumber-js/max';

/** E.164: + and 1 to 15 digits, the first of them 1 to 9. */
export const e164 = /^\+[1-9]\d{0,14}$/;

/** Kinds of number that cost whoever is called, or reach no person: never dialled. */
const barred = new Set(['PREMIUM_RATE', 'SHARED_COST', 'PAGER', 'UAN', 'VOICEMAIL']);

const read = new Map<string, PhoneNumber | undefined>();

/** A number taken to pieces. The same ones are asked about again and again, and reading one takes a while. */
function parsed(phone: string): PhoneNumber | undefined {
  if (read.has(phone)) return read.get(phone);
  const number = parsePhoneNumberFromString(phone);
  if (read.size > 10_000) read.clear();
  read.set(phone, number);
  return number;
}

/** Whether a number is one that the numbering plan of its country can have assigned. */
export const isValid = (phone: string): boolean => parsed(phone)?.isValid() ?? false;

/** Whether a number may be dialled at all, whoever it belongs to. */
export const isAllowed = (phone: string): boolean => !barred.has(parsed(phone)?.getType() ?? '');

/** Whether a number is of the numbering plan of the United States. */
export const isOfTheUnitedStates = (phone: string): boolean => parsed(phone)?.country === 'US';

/** What a number is good for: OPEN may be dialled, BARRED never is, INVALID cannot have been assigned. */
export type PhoneKind = 'OPEN' | 'BARRED' | 'INVALID';

/** The kind of a number, as the gate judges it. */
export function phoneKindOf(phone: string): PhoneKind {
  if (!isValid(phone)) return 'INVALID';
  return isAllowed(phone) ? 'OPEN' : 'BARRED';
}
