import { dateOf, dayMs, timeOf, weekdayOf, type Day, type Span } from './calendar.ts';
import type { Channel, Purpose } from './consent.ts';
import { isHoliday } from './holiday.ts';

/**
 * A row of the law, or of our own caution: when people of a jurisdiction may be called. Rows of one jurisdiction and rule
 * are one timetable: outside all of them nobody may be called. Timetables are intersected.
 */
export interface HoursRule {
  /** The rule's number in CONTRIBUTING.md; 4.6 is the table of states. */
  rule: 'C-01' | 'C-03' | 'C-04' | '4.6';
  /** US: everyone whom we call. US-FL: who may be in that state. UNKNOWN: whose zone nobody knows. */
  jurisdiction: string;
  /** Left out: all of them. */
  channels?: Channel[];
  /** Left out: all of them; most statutes bind sales calls only, and we keep them for every purpose (CONTRIBUTING.md, The rules). */
  purposes?: Purpose[];
  /** ISO: 1 is Monday. */
  weekdays: number[];
  /** Wall time "HH:MM"; 24:00 is the end of the day. Open from opensAt up to, not including, closesAt. */
  opensAt: string;
  closesAt: string;
  /** What this row does on a holiday of its jurisdiction. ONLY: it holds on every holiday, and on no other day. Left out: AS_USUAL. */
  onHolidays?: 'AS_USUAL' | 'CLOSED' | 'ONLY';
  /** The zone whose clock counts; left out: every zone that the person may be in. */
  zone?: string;
  /** YYYY-MM-DD, by the local calendar; `always`: from before this program. */
  effectiveFrom: string;
  /** The first date on which it no longer holds; null: none is known. */
  effectiveTo: string | null;
  citation: string;
}

/** The start of rows that are older than this program, whose exact first day nobody needs. */
const always = '1970-01-01';

const everyDay = [1, 2, 3, 4, 5, 6, 7];
const workdays = [1, 2, 3, 4, 5];
const mondayToSaturday = [1, 2, 3, 4, 5, 6];
const sunday = [7];

const dropCowboy = 'dropcowboy.com/state-compliance, 2025-11-01';
const clickPoint = 'blog.clickpointsoftware.com/telemarketing-calling-hours-by-state, 2025-07';
const vicidial = 'github.com/inktel/Vicidial, MySQL_AST_CREATE_tables.sql, lines 2571-2587';
const canICallNow = 'glama.ai/mcp/connectors/com.modernmustardseed/call-desk, can_i_call_now';
const dncHolidays = 'dnc.com, Restricted Call Dates';

type Hours = Pick<HoursRule, 'weekdays' | 'opensAt' | 'closesAt'> & Partial<HoursRule>;

const federal = (row: Hours & Pick<HoursRule, 'rule' | 'citation'>): HoursRule => ({
  jurisdiction: 'US',
  effectiveFrom: always,
  effectiveTo: null,
  ...row,
});

/** The rows of a state: hours in words that say days, opening and closing, and what differs from a row of every year. */
const state = (code: string, citation: string, ...rows: Hours[]): HoursRule[] =>
  rows.map((row) => ({
    rule: '4.6',
    jurisdiction: `US-${code}`,
    effectiveFrom: always,
    effectiveTo: null,
    citation,
    ...row,
  }));

const open = (
  weekdays: number[],
  opensAt: string,
  closesAt: string,
  more: Partial<HoursRule> = {},
): Hours => ({
  weekdays,
  opensAt,
  closesAt,
  ...more,
});

const noHolidays = { onHolidays: 'CLOSED' } as const;

/** All rows, newest reading of the sources 2026-11-20. Where two sources disagree the stricter stands, and both are named (C-08). */
export const hoursRules: HoursRule[] = [
  // 8 a.m. to 9 p.m. at the called party's location.
  federal({ rule: 'C-01', ...open(everyDay, '08:00', '21:00'), citation: '47 CFR 64.1200(c)(1)' }),
  federal({ rule: 'C-04', ...open(everyDay, '00:00', '20:00'), citation: `our default; ${dropCowboy}` }),
  // An unknown zone is any from New York to Honolulu: open when it is past 8 in the latest and not yet 20 in the earliest.
  federal({
    rule: 'C-03',
    jurisdiction: 'UNKNOWN',
    zone: 'America/New_York',
    citation: 'from C-01 and C-04',
    ...open(everyDay, '11:00', '20:00'),
  }),
  federal({
    rule: 'C-03',
    jurisdiction: 'UNKNOWN',
    zone: 'Pacific/Honolulu',
    citation: 'from C-01 and C-04',
    ...open(everyDay, '08:00', '24:00'),
  }),
  ...state('AL', `${dropCowboy}; ${dncHolidays}`, open(mondayToSaturday, '08:00', '20:00', noHolidays)),
  ...state('CT', `${dropCowboy} (9-20); ${clickPoint} (9-21)`, open(everyDay, '09:00', '20:00')),
  ...state('FL', `${dropCowboy}; ${canICallNow}`, open(everyDay, '08:00', '20:00')),
  ...state('IL', dropCowboy, open(everyDay, '08:00', '21:00')),
  ...state('IN', vicidial, open(everyDay, '09:00', '20:00')),
  ...state('KY', `${dropCowboy}; ${canICallNow}`, open(everyDay, '10:00', '21:00')),
  ...state('LA', `${dropCowboy}; ${dncHolidays}`, open(mondayToSaturday, '08:00', '20:00', noHolidays)),
  ...state('MA', dropCowboy, open(everyDay, '08:00', '20:00')),
  ...state('MD', `${dropCowboy}; ${canICallNow}`, open(everyDay, '08:00', '20:00')),
  ...state('ME', canICallNow, open(workdays, '09:00', '17:00')),
  ...state('MI', dropCowboy, open(everyDay, '09:00', '21:00')),
  ...state('MN', dropCowboy, open(everyDay, '09:00', '21:00')),
  // The statute names Central time, whatever the clock of the called party says.
  ...state(
    'MS',
    `${dropCowboy}; ${dncHolidays}`,
    open(mondayToSaturday, '08:00', '20:00', { ...noHolidays, zone: 'America/Chicago' }),
  ),
  // Recorded voices only: our voice is an artificial one (C-10), our texts are not.
  ...state(
    'NE',
    'leadmanagerhelp.clickpointsoftware.com/en/articles/5753977; 291 Neb. Admin. Code 11-3',
    ...[
      open(mondayToSaturday, '00:00', '24:00', noHolidays),
      open(sunday, '13:00', '21:00'),
      open(everyDay, '13:00', '21:00', { onHolidays: 'ONLY' }),
    ].map((row) => ({ ...row, channels: ['VOICE', 'VOICEMAIL'] satisfies Channel[] })),
  ),
  ...state('NM', dropCowboy, open(everyDay, '09:00', '21:00')),
  ...state('NV', dropCowboy, open(everyDay, '09:00', '20:00')),
  ...state('OK', `${dropCowboy}; ${canICallNow}`, open(everyDay, '08:00', '20:00')),
  ...state(
    'PA',
    `${vicidial}; ${canICallNow}; ${dncHolidays}`,
    open(mondayToSaturday, '00:00', '24:00', noHolidays),
    open(sunday, '13:30', '21:00', { ...noHolidays, effectiveTo: '2026-10-18' }),
  ),
  ...state(
    'RI',
    `${vicidial}; ${dncHolidays}`,
    open(workdays, '09:00', '18:00', noHolidays),
    open([6], '10:00', '17:00', noHolidays),
  ),
  ...state('SD', vicidial, open(mondayToSaturday, '00:00', '24:00')),
  ...state('TX', dropCowboy, open(mondayToSaturday, '09:00', '21:00'), open(sunday, '12:00', '21:00')),
  ...state('UT', `${dropCowboy}; ${dncHolidays}`, open(everyDay, '09:00', '20:00', noHolidays)),
  ...state('WA', `${dropCowboy}; ${canICallNow}; ${vicidial} (8-21)`, open(everyDay, '08:00', '20:00')),
  ...state('WY', `${dropCowboy}; ${canICallNow}`, open(everyDay, '08:00', '20:00')),
];

/** Rows that are one timetable. */
export interface Timetable {
  jurisdiction: string;
  /** See HoursRule. */
  zone: string | null;
  rows: HoursRule[];
  /** What has been asked of it. */
  days: Map<Day, Span[]>;
}

/** The timetables of these jurisdictions; of a contact by one channel or, when it is not known, by any. */
export function timetablesOf(jurisdictions: string[], channel?: Channel, purpose?: Purpose): Timetable[] {
  const found = new Map<string, Timetable>();
  for (const row of hoursRules) {
    if (!jurisdictions.includes(row.jurisdiction) || !concerns(row, channel, purpose)) continue;
    const key = `${row.jurisdiction} ${row.rule} ${row.zone}`;
    const { jurisdiction, zone = null } = row;
    const table: Timetable = found.get(key) ?? { jurisdiction, zone, rows: [], days: new Map() };
    table.rows.push(row);
    found.set(key, table);
  }
  return [...found.values()];
}

const concerns = ({ channels, purposes }: HoursRule, channel?: Channel, purpose?: Purpose): boolean =>
  (!channel || !channels || channels.includes(channel)) &&
  (!purpose || !purposes || purposes.includes(purpose));

/** What the rows of a timetable open on a local date, as wall times; the whole day while none of them is in force. */
export function openedOn(table: Timetable, day: Day): Span[] {
  let found = table.days.get(day);
  if (!found) {
    if (table.days.size > 1_000) table.days.clear();
    found = spansOf(table.rows, day);
    table.days.set(day, found);
  }
  return found;
}

function spansOf(rows: HoursRule[], day: Day): Span[] {
  const date = dateOf(day);
  const inForce = rows.filter(
    ({ effectiveFrom, effectiveTo }) => effectiveFrom <= date && (effectiveTo === null || date < effectiveTo),
  );
  if (inForce.length === 0) return [[0, dayMs]];
  return inForce
    .filter((row) => holdsOn(row, day))
    .map(({ opensAt, closesAt }) => [timeOf(opensAt), timeOf(closesAt)]);
}

/** Whether a row that is in force opens anything on this date. */
function holdsOn(row: HoursRule, day: Day): boolean {
  const isOff = row.onHolidays !== undefined && isHoliday(day, row.jurisdiction);
  if (row.onHolidays === 'ONLY') return isOff;
  return row.weekdays.includes(weekdayOf(day)) && !(isOff && row.onHolidays === 'CLOSED');
}
