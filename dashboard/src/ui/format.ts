import { now } from '../live/clock.ts';

/** The zone of whoever looks at the page. */
export const viewerZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(at: string | number, zone: string, options: Intl.DateTimeFormatOptions): string {
  const key = `${zone} ${JSON.stringify(options)}`;
  const made = formats.get(key) ?? new Intl.DateTimeFormat('en-US', { ...options, timeZone: zone });
  formats.set(key, made);
  return made.format(typeof at === 'number' ? at : Date.parse(at));
}

/** 14:05 */
export const timeOf = (at: string | number, zone = viewerZone): string =>
  format(at, zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** 14:05:09 */
export const secondOf = (at: string | number, zone = viewerZone): string =>
  format(at, zone, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

/** Tue, Nov 17 */
export const dayOf = (at: string | number, zone = viewerZone): string =>
  format(at, zone, { weekday: 'short', month: 'short', day: 'numeric' });

/** A calendar date, such as a birth date, as it is in every zone: Mar 14, 1951 */
export const dateOf = (date: string): string =>
  format(`${date}T12:00:00Z`, 'UTC', { year: 'numeric', month: 'short', day: 'numeric' });

/** Tue, Nov 17, 14:05 */
export const dayAndTimeOf = (at: string | number, zone = viewerZone): string =>
  `${dayOf(at, zone)}, ${timeOf(at, zone)}`;

/** 14:05, with its day unless that is today. */
export const momentOf = (at: string | number, zone = viewerZone): string =>
  dayOf(at, zone) === dayOf(now(), zone) ? timeOf(at, zone) : dayAndTimeOf(at, zone);

/** New York, of America/New_York. */
export const cityOf = (zone: string): string => zone.split('/').at(-1)!.replaceAll('_', ' ');

/** A length of time in its largest fitting units: 9 s, 4 min 05 s, 3 h 12 min, 2 d 4 h. */
export function lengthOf(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  const two = (count: number) => String(count).padStart(2, '0');
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3_600) % 24} h`;
}

/** How far an instant is from now: in 4 min 05 s, 9 s ago. */
export function awayOf(at: string | number, from: number): string {
  const ms = (typeof at === 'number' ? at : Date.parse(at)) - from;
  return ms >= 0 ? `in ${lengthOf(ms)}` : `${lengthOf(-ms)} ago`;
}

/** (212) 555-0100 for numbers of North America, others as they are. */
export const phoneOf = (phone: string): string => phone.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, '($1) $2-$3');

/** 12,345 */
export const countOf = (count: number): string => count.toLocaleString('en-US');

/** 45 % */
export const shareOf = (part: number, whole: number): string =>
  whole === 0 ? 'none' : `${Math.round((part / whole) * 100)} %`;

/** Words of a name that machines use: NO_ANSWER, carrier_rejected, birthDate. */
export function wordsOf(name: string): string {
  const plain = name
    .replaceAll(/[_.]/g, ' ')
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}
