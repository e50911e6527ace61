/** Who may be contacted when, reckoned anew from the carrier's ledger and what is known of people; nothing of the program's rules. */
import type { LedgerEntry } from '../src/simulator/ledger.ts';
import type { Person } from './people.ts';
import type { Asked } from './play.ts';

/** A contact that the carrier began. */
export interface Contact {
  /** Our id for the call or the message. */
  id: string;
  channel: 'VOICE' | 'TEXT';
  phone: string;
  at: number;
  /** Its place in the ledger. */
  ledger: number;
}

/** A time in which a number is opted out. */
export interface Refusing {
  phone: string;
  from: number;
  until: number;
}

const dayMs = 86_400_000;

/** How long after it was allowed a contact may begin, in milliseconds, and a moment. */
const lateMs = 6_000;

/** How long before the close a call is begun at the latest: it rings for 30 seconds, and may be late. */
const ringMs = 25_000;

/** What the carrier was asked for from a place of its ledger on, and took. A text without a callback asks who writes: it is no contact. */
export const contactsIn = (ledger: readonly LedgerEntry[], from: number): Contact[] =>
  ledger.slice(from).flatMap(({ kind, accepted, to, at, params }, index) => {
    const [, what, id] =
      /\/(calls|messages)\/([0-9a-f-]{36})\/status/.exec(params?.['StatusCallback'] ?? '') ?? [];
    if (!accepted || !id || (kind !== 'create' && kind !== 'text')) return [];
    const channel = what === 'calls' ? ('VOICE' as const) : ('TEXT' as const);
    return [{ id, channel, phone: to, at: Date.parse(at), ledger: from + index }];
  });

/** Why this contact should not have been, after those before it. */
export function unlawful(
  contact: Contact,
  before: readonly Contact[],
  known: { people: readonly Person[]; asked: Asked; refusing: readonly Refusing[] },
): string[] {
  const here = known.people.filter(({ phone }) => phone === contact.phone);
  const said = new Date(contact.at).toISOString();
  const told = (what: string) => `${contact.channel} ${contact.id} at ${contact.phone}, ${said}: ${what}`;
  if (here.length === 0) return [told('nobody is there')];
  const earlier = before.filter(({ phone }) => phone === contact.phone);
  const closed = here.every((person) => !isOpenFor(person, contact));
  return [
    ...(closed ? [told('outside the hours')] : []),
    ...overCaps(contact, earlier, { asked: known.asked, people: here.length }).map(told),
    ...(isRefused(contact, known) ? [told('after an opt-out')] : []),
  ];
}

function isOpenFor({ place, timeZone }: Person, { at, channel }: Contact): boolean {
  const endsAt = at + (channel === 'VOICE' ? ringMs : 0);
  const zones = timeZone === null ? place.zones : [...place.zones, timeZone];
  return zones.every((zone) => {
    const weekday = ((new Date(`${dateIn(zone, at)}T00:00:00Z`).getUTCDay() + 6) % 7) + 1;
    return (
      place.weekdays.includes(weekday) &&
      timeIn(zone, at) >= `${place.opensAt}:00` &&
      timeIn(zone, endsAt) <= `${place.closesAt}:00` &&
      dateIn(zone, endsAt) === dateIn(zone, at)
    );
  });
}

const timeIn = (timeZone: string, at: number) =>
  new Date(at).toLocaleTimeString('en-GB', { timeZone, hourCycle: 'h23' });
const dateIn = (timeZone: string, at: number) => new Date(at).toLocaleDateString('en-CA', { timeZone });

/** The laxest of what may have been in force when it was allowed counts; people who share a number have caps of their own. */
function overCaps(
  { at }: Contact,
  earlier: readonly Contact[],
  { asked, people }: { asked: Asked; people: number },
): string[] {
  const inForce = asked.caps.filter(({ from, until }) => from <= at && until >= at - lateMs);
  const laxest = (cap: 'perDay' | 'perWeek') =>
    Math.max(...inForce.map((caps) => caps[cap] ?? Infinity)) * people;
  const within = (spanMs: number) => earlier.filter((other) => other.at > at - spanMs + lateMs).length + 1;
  const cooldownMs = Math.min(...inForce.map(({ cooldownMinutes }) => cooldownMinutes)) * 60_000;
  return [
    ...(within(dayMs) > laxest('perDay') ? [`the ${within(dayMs)}. in a day`] : []),
    ...(within(7 * dayMs) > laxest('perWeek') ? [`the ${within(7 * dayMs)}. in a week`] : []),
    ...(people === 1 && cooldownMs > lateMs && within(cooldownMs) > 1 ? ['too soon after another one'] : []),
  ];
}

/** Since somebody opted out, by what the program tells and by what it was told. Who texts START takes it back for texts. */
const isRefused = (
  { phone, at, ledger, channel }: Contact,
  { asked, refusing }: { asked: Asked; refusing: readonly Refusing[] },
): boolean =>
  refusing.some((time) => time.phone === phone && at > time.from && at < time.until) ||
  (channel === 'VOICE' && asked.optOuts.some((one) => one.phone === phone && ledger >= one.ledger));
