import { dateOf, dayOf, weekdayOf, type Day } from './calendar.ts';

/** How a holiday finds its day in a year. Weekdays are ISO (1 is Monday); nth -1 is the last; Easter is western. */
type When =
  | { month: number; date: number }
  | { month: number; weekday: number; nth: number; plus?: number }
  | { fromEaster: number };

/** The holidays of the United States, 5 U.S.C. 6103(a), without Inauguration Day, which is one in Washington only. */
const federal: Record<string, When> = {
  "New Year's Day": { month: 1, date: 1 },
  'Birthday of Martin Luther King, Jr.': { month: 1, weekday: 1, nth: 3 },
  "Washington's Birthday": { month: 2, weekday: 1, nth: 3 },
  'Memorial Day': { month: 5, weekday: 1, nth: -1 },
  Juneteenth: { month: 6, date: 19 },
  'Independence Day': { month: 7, date: 4 },
  'Labor Day': { month: 9, weekday: 1, nth: 1 },
  'Columbus Day': { month: 10, weekday: 1, nth: 2 },
  'Veterans Day': { month: 11, date: 11 },
  'Thanksgiving Day': { month: 11, weekday: 4, nth: 4 },
  'Christmas Day': { month: 12, date: 25 },
};

const mardiGras: When = { fromEaster: -47 };
const goodFriday: When = { fromEaster: -2 };
/** The Tuesday after the first Monday of November; in every year, though some states vote in even ones only. */
const electionDay: When = { month: 11, weekday: 1, nth: 1, plus: 1 };
const dayAfterThanksgiving: When = { month: 11, weekday: 4, nth: 4, plus: 1 };

/**
 * What states that restrict calls on holidays add to the federal ones: dnc.com, "Restricted Call Dates" 2018-2023 [S], and
 * clickpointsoftware.com, "Legal Holidays by State" [S], read 2026-11-20. A holiday of one county counts in its state.
 */
const own: Record<string, Record<string, When>> = {
  // Ala. Code 1-3-8
  'US-AL': {
    'Mardi Gras (Mobile and Baldwin counties)': mardiGras,
    'Confederate Memorial Day': { month: 4, weekday: 1, nth: 4 },
    "Jefferson Davis' Birthday": { month: 6, weekday: 1, nth: 1 },
    'Mrs. Rosa L. Parks Day': { month: 12, date: 1 },
  },
  // La. R.S. 1:55; the governor proclaims others, which this cannot know
  'US-LA': {
    'Battle of New Orleans': { month: 1, date: 8 },
    'Mardi Gras': mardiGras,
    'Good Friday': goodFriday,
    'Election Day': electionDay,
    'Acadian Day': dayAfterThanksgiving,
  },
  // Miss. Code 3-3-7
  'US-MS': { 'Confederate Memorial Day': { month: 4, weekday: 1, nth: -1 } },
  // Neb. Rev. Stat. 62-301, from memory
  'US-NE': { 'Arbor Day': { month: 4, weekday: 5, nth: -1 }, 'Day after Thanksgiving': dayAfterThanksgiving },
  // dnc.com, "Pennsylvania governor signs new robocall restrictions law"
  'US-PA': { 'Good Friday': goodFriday, 'Flag Day': { month: 6, date: 14 }, 'Election Day': electionDay },
  'US-RI': {
    'Rhode Island Independence Day': { month: 5, date: 4 },
    'Victory Day': { month: 8, weekday: 1, nth: 2 },
    'Election Day': electionDay,
  },
  'US-UT': { 'Pioneer Day': { month: 7, date: 24 } },
};

const calendars = new Map<string, ReadonlySet<Day>>();

/**
 * Whether a date is a holiday in a jurisdiction ("US", "US-LA"). A holiday on a Saturday is kept on the Friday before as
 * well, one on a Sunday on the Monday after (5 U.S.C. 6103(b); Ala. Code 1-3-8): both days count, so that nobody is called
 * on the one that their state happens to mean.
 */
export function isHoliday(day: Day, jurisdiction: string): boolean {
  const year = Number(dateOf(day).slice(0, 4));
  const key = `${jurisdiction} ${year}`;
  let found = calendars.get(key);
  if (!found) {
    // New Year's Day of the next year is kept on 31 December when it is a Saturday.
    found = new Set([...daysOf(jurisdiction, year), ...daysOf(jurisdiction, year + 1)]);
    calendars.set(key, found);
  }
  return found.has(day);
}

function daysOf(jurisdiction: string, year: number): Day[] {
  return Object.values({ ...federal, ...own[jurisdiction] }).flatMap((when) => {
    const day = dayIn(year, when);
    const weekday = weekdayOf(day);
    if (weekday === 6) return [day, day - 1];
    return weekday === 7 ? [day, day + 1] : [day];
  });
}

function dayIn(year: number, when: When): Day {
  if ('fromEaster' in when) return easterOf(year) + when.fromEaster;
  if ('date' in when) return firstOf(year, when.month) + when.date - 1;
  const { month, weekday, nth, plus = 0 } = when;
  if (nth > 0) return onOrAfter(firstOf(year, month), weekday) + 7 * (nth - 1) + plus;
  return onOrAfter(firstOf(year, month + 1) - 7, weekday) + plus;
}

const firstOf = (year: number, month: number): Day =>
  dayOf(`${month > 12 ? year + 1 : year}-${String(((month - 1) % 12) + 1).padStart(2, '0')}-01`);

const onOrAfter = (day: Day, weekday: number): Day => day + ((weekday - weekdayOf(day) + 7) % 7);

/** Easter Sunday of the Gregorian calendar, by the rule of Meeus, Jones and Butcher (Astronomical Algorithms, ch. 8). */
function easterOf(year: number): Day {
  const golden = year % 19;
  const [century, yearOfCentury] = [Math.floor(year / 100), year % 100];
  const correction = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const moon = (19 * golden + century - Math.floor(century / 4) - correction + 15) % 30;
  const sunday =
    (32 + 2 * (century % 4) + 2 * Math.floor(yearOfCentury / 4) - moon - (yearOfCentury % 4)) % 7;
  const late = Math.floor((golden + 11 * moon + 22 * sunday) / 451);
  return firstOf(year, 3) + moon + sunday - 7 * late + 21;
}
