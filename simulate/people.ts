import type { Random } from '../chaos/random.ts';

/** Where somebody may be, and when they may be called there: written down by hand, apart from the program's own tables. */
interface Place {
  areaCode: number;
  zones: readonly string[];
  /** Wall time in each of the zones. */
  opensAt: string;
  closesAt: string;
  /** ISO weekdays. */
  weekdays: readonly number[];
}

const everyDay = [1, 2, 3, 4, 5, 6, 7];
const federal = { opensAt: '08:00', closesAt: '20:00', weekdays: everyDay };

/** Area codes whose zones and laws are beyond doubt. */
const places: readonly Place[] = [
  { areaCode: 212, zones: ['America/New_York'], ...federal },
  { areaCode: 617, zones: ['America/New_York'], ...federal },
  { areaCode: 213, zones: ['America/Los_Angeles'], ...federal },
  { areaCode: 312, zones: ['America/Chicago'], ...federal },
  { areaCode: 303, zones: ['America/Denver'], ...federal },
  { areaCode: 602, zones: ['America/Phoenix'], ...federal },
  { areaCode: 808, zones: ['Pacific/Honolulu'], ...federal },
  { areaCode: 208, zones: ['America/Boise', 'America/Los_Angeles'], ...federal },
  // Connecticut from 9; Maine from 9 to 5 on workdays.
  { areaCode: 203, zones: ['America/New_York'], ...federal, opensAt: '09:00' },
  {
    areaCode: 207,
    zones: ['America/New_York'],
    opensAt: '09:00',
    closesAt: '17:00',
    weekdays: [1, 2, 3, 4, 5],
  },
];

/** Somebody who may be contacted. */
export interface Person {
  name: string;
  phone: string;
  place: Place;
  /** What they themselves say, beside what their number tells; null: nothing. */
  timeZone: string | null;
  tags: string[];
}

/** What happens at a number is drawn with its ending: what the carrier loses, repeats, mixes up; who answers; what they text back. */
const endings = (
  '0100 0100 0101 0102 0103 0104 0105 0106 0107 0108 0109 0110 0112 0113 0114 0115 0116 0117 0118 0119 ' +
  '0120 0121 0122 0123 0131 0132 0133 0134 0135'
).split(' ');

/** How many hundredths of the people have an ending of the table; the others are drawn at each call. */
const scripted = 75;

/** People of a clinic. A few share a number, a few live elsewhere than their number. */
export function peopleFrom(random: Random, count: number): Person[] {
  const people: Person[] = [];
  for (let index = 0; index < count; index += 1) {
    const place = random.pick(places);
    const ending = random.below(100) < scripted ? random.pick(endings) : `0${150 + random.below(50)}`;
    const shared = people.length > 0 && random.below(8) === 0 ? random.pick(people) : null;
    const elsewhere = random.below(6) === 0 ? random.pick(places).zones[0]! : null;
    people.push({
      name: `Person ${String.fromCodePoint(65 + index)}`,
      phone: shared?.phone ?? `+1${place.areaCode}555${ending}`,
      place: shared?.place ?? place,
      timeZone: elsewhere,
      tags: [random.pick(['red', 'blue'])],
    });
  }
  return people;
}
