import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalZone, instantOf, isZone, localTimeAt } from '../../src/domain/calendar.ts';
import { candidateZones, type Address, type Whereabouts } from '../../src/domain/zone.ts';
import { people } from './hours-golden.ts';

const zonesOf = (where: Whereabouts) => candidateZones(where).zones;
const at = (latitude: number, longitude: number, more: Address = {}) =>
  zonesOf({ address: { latitude, longitude, ...more } });

test.each(people)('$name may be in $zones (C-02)', ({ where, zones, states }) => {
  expect(candidateZones(where)).toMatchObject({ zones, states });
});

describe('what each source says', () => {
  test('a stated zone is shown first, then the address, then the area code (C-02)', () => {
    const where: Whereabouts = { timeZone: 'US/Pacific', phone: '+12125550100', address: { state: 'CO' } };
    expect(candidateZones(where)).toEqual({
      zones: ['America/Denver', 'America/Los_Angeles', 'America/New_York'],
      primary: 'America/Los_Angeles',
      source: 'STATED',
      states: ['CO'],
    });
    expect(candidateZones({ ...where, timeZone: null })).toMatchObject({
      primary: 'America/Denver',
      source: 'ADDRESS',
    });
    expect(candidateZones({ phone: '+12125550100' })).toEqual({
      zones: ['America/New_York'],
      primary: 'America/New_York',
      source: 'AREA_CODE',
      states: ['NY'],
    });
    expect(candidateZones({})).toEqual({ zones: [], primary: null, source: 'UNKNOWN', states: [] });
  });

  test('a postal code is finer than its state, and the state counts when they contradict each other (C-02)', () => {
    expect(zonesOf({ address: { state: 'TX', postalCode: '75201-1234' } })).toEqual(['America/Chicago']);
    expect(candidateZones({ address: { state: 'TX', postalCode: '10001' } })).toMatchObject({
      zones: ['America/Chicago', 'America/Denver', 'America/New_York'],
      states: ['NY', 'TX'],
    });
    expect(zonesOf({ address: { state: 'TX', postalCode: 'unknown' } })).toEqual([
      'America/Chicago',
      'America/Denver',
    ]);
  });

  test.each<[string, number, number, string[]]>([
    ['Manhattan', 40.78, -73.97, ['America/New_York']],
    ['Detroit', 42.33, -83.05, ['America/Detroit']],
    ['Phoenix', 33.45, -112.07, ['America/Phoenix']],
    ['Honolulu', 21.31, -157.86, ['Pacific/Honolulu']],
    ['San Juan', 18.41, -66.06, ['America/Puerto_Rico']],
    ['Hagatna', 13.47, 144.75, ['Pacific/Guam']],
    ['Paris', 48.86, 2.35, ['Europe/Paris']],
  ])('coordinates of %s (C-02)', (_place, latitude, longitude, zones) => {
    expect(at(latitude, longitude)).toEqual(zones);
  });

  test.each<[string, number, number, string[]]>([
    ['Window Rock AZ', 35.68, -109.05, ['America/Denver']],
    ['Winslow AZ', 35.02, -110.7, ['America/Denver', 'America/Phoenix']],
    ['Phenix City AL', 32.47, -85.0, ['America/Chicago', 'America/New_York']],
    ['West Wendover NV', 40.74, -114.07, ['America/Denver', 'America/Los_Angeles']],
    ['Kenosha road WI, no line near', 42.58, -87.82, ['America/Chicago']],
  ])('coordinates near a line between zones: %s (C-02)', (_place, latitude, longitude, zones) => {
    expect(at(latitude, longitude)).toEqual(expect.arrayContaining(zones));
  });

  test('coordinates that are none say nothing', () => {
    for (const [latitude, longitude] of [
      [0, 0],
      [91, 0],
      [Number.NaN, 5],
      [30, -150], // the open sea
    ]) {
      expect(at(latitude!, longitude!)).toEqual([]);
    }
    expect(zonesOf({ address: { latitude: 40 } })).toEqual([]);
  });

  test('coordinates do not overrule a state of several zones, as the postal code does (C-02)', () => {
    const windowRock = { latitude: 35.68, longitude: -109.05, state: 'AZ' };
    expect(zonesOf({ address: windowRock })).toEqual(['America/Denver', 'America/Phoenix']);
    const dallas = { latitude: 32.78, longitude: -96.8, state: 'TX' };
    expect(zonesOf({ address: dallas })).toEqual(['America/Chicago', 'America/Denver']);
    expect(zonesOf({ address: { ...dallas, postalCode: '75201' } })).toEqual(['America/Chicago']);
  });

  test('coordinates in one state and the name of another: both (C-02)', () => {
    expect(at(40.78, -73.97, { state: 'CA' })).toEqual(['America/Los_Angeles', 'America/New_York']);
  });

  test.each<[string, string[]]>([
    ['+18005550100', []],
    ['+18885550100', []],
    ['+15005550006', []],
    ['+19005550100', []],
    ['+18765550100', ['America/Jamaica']],
    ['+14412951234', ['Atlantic/Bermuda']],
    ['+16045550100', ['America/Vancouver']],
    ['+18075550100', ['America/Atikokan', 'America/Toronto', 'America/Winnipeg']],
    ['+33612345678', ['Europe/Paris']],
    ['+80012345678', []],
    ['not a number', []],
    ['', []],
  ])('the number %s says %j (C-02)', (phone, zones) => {
    expect(zonesOf({ phone })).toEqual(zones);
  });

  test('a foreign country is all of its zones, its largest city shown (C-02)', () => {
    expect(candidateZones({ phone: '+61412345678' })).toMatchObject({
      zones: expect.arrayContaining(['Australia/Perth', 'Australia/Sydney', 'Australia/Brisbane']),
      primary: 'Australia/Sydney',
    });
    expect(zonesOf({ address: { country: 'FR', postalCode: '10001', state: 'CA' } })).toEqual([
      'Europe/Paris',
    ]);
    expect(zonesOf({ address: { country: 'CA', state: 'Ontario', postalCode: 'M5V 2T6' } })).toEqual([
      'America/Toronto',
    ]);
    expect(zonesOf({ address: { country: 'CA', state: 'CA' } })).toEqual([]); // Canada, not California
    expect(candidateZones({ address: { country: 'PR' } })).toMatchObject({ states: ['PR'] });
  });
});

test('a zone is a place of the IANA database, not an offset (C-06)', () => {
  for (const name of ['America/New_York', 'US/Eastern', 'america/denver', 'Navajo', 'UTC', 'Asia/Kolkata'])
    expect(isZone(name), name).toBe(true);
  for (const name of ['EST', 'EST5EDT', 'MST7MDT', '+05:00', 'Etc/GMT+5', 'GMT', 'Mars/Base', '', 'PT'])
    expect(isZone(name), name).toBe(false);
  expect(canonicalZone('US/Mountain')).toBe('America/Denver');
  expect(canonicalZone('America/Fort_Wayne')).toBe('America/Indiana/Indianapolis');
  expect(canonicalZone('Asia/Calcutta')).toBe('Asia/Kolkata');
});

test.each([
  ['2027-03-14T02:30', 'America/New_York', '2027-03-14T03:00:00-04:00'], // skipped: once, at the first instant after
  ['2026-11-01T01:30', 'America/New_York', '2026-11-01T01:30:00-04:00'], // twice: the first
  ['2026-11-01T08:00', 'America/Denver', '2026-11-01T08:00:00-07:00'],
  ['2027-09-05T00:15', 'America/Santiago', '2027-09-05T01:00:00-03:00'], // midnight is skipped
  ['2027-10-03T02:10', 'Australia/Lord_Howe', '2027-10-03T02:30:00+11:00'], // half an hour is skipped
  ['2027-01-01T09:00', 'Asia/Kathmandu', '2027-01-01T09:00:00+05:45'],
])('%s in %s is %s (C-06)', (wall, zone, expected) => {
  expect(localTimeAt(instantOf(wall, zone), zone)).toBe(expected);
});

const texts = fc.oneof(
  fc.string(),
  fc.constantFrom('AZ', 'ny', 'Canada', '86515', 'K1A 0B1', 'PR', '__proto__'),
);
const addresses = fc.record({
  latitude: fc.oneof(fc.double(), fc.double({ min: -90, max: 90 })),
  longitude: fc.oneof(fc.double(), fc.double({ min: -180, max: 180 })),
  postalCode: texts,
  state: texts,
  country: fc.oneof(fc.constant(null), texts),
});
const places = fc.record({
  timeZone: fc.oneof(texts, fc.constantFrom(...Intl.supportedValuesOf('timeZone'))),
  phone: fc.oneof(
    texts,
    fc.integer({ min: 2_000_000_000, max: 9_999_999_999 }).map((digits) => `+1${digits}`),
  ),
  address: addresses,
});

test('whatever is known, the answer is canonical, sorted and consistent (C-02)', () => {
  fc.assert(
    fc.property(places, (where) => {
      const { zones, primary, source, states } = candidateZones(where);
      expect(zones).toEqual([...new Set(zones)].toSorted());
      expect(zones.map(canonicalZone)).toEqual(zones);
      expect(states).toEqual([...new Set(states)].toSorted());
      expect(primary === null).toBe(source === 'UNKNOWN');
      expect(zones.length === 0).toBe(primary === null);
      if (primary) expect(zones).toContain(primary);
    }),
    { numRuns: 500 },
  );
});

test('another source never takes a zone away (C-02)', () => {
  fc.assert(
    fc.property(places, (where) => {
      const all = zonesOf(where);
      const { timeZone, phone, address } = where;
      for (const one of [{ timeZone }, { phone }, { address }])
        expect(all).toEqual(expect.arrayContaining(zonesOf(one)));
    }),
    { numRuns: 300 },
  );
});
