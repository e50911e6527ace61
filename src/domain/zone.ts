import lookUp from '@photostructure/tz-lookup';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { canonicalZone } from './calendar.ts';
import { placesOfArea, placesOfPostal, regionOf, type Place, type Region } from './region.ts';

/** What is known of where a person is. Anything may be missing, and any of it may be wrong. */
export interface Whereabouts {
  /** What the person or a source states: an IANA name. Anything else counts as not stated. */
  timeZone?: string | null;
  /** E.164. */
  phone?: string | null;
  address?: Address | null;
}

/** The parts of an address that say anything about the time. */
export interface Address {
  /** Degrees, north and east positive; they count only together. */
  latitude?: number | null;
  longitude?: number | null;
  postalCode?: string | null;
  /** Code or English name of a state, territory or Canadian province. */
  state?: string | null;
  /** ISO 3166-1 alpha-2; left out: the United States or Canada, if the state or the postal code is one of theirs. */
  country?: string | null;
}

/** Where the zone that is shown for a person comes from; the contract's TimeZoneSource. */
type ZoneSource = 'STATED' | 'ADDRESS' | 'AREA_CODE' | 'UNKNOWN';

/** Every zone that a person may be in. */
export interface Candidates {
  /** Canonical names, sorted, without duplicates; empty when nothing is known. */
  zones: string[];
  /** The one to show; null when nothing is known. */
  primary: string | null;
  source: ZoneSource;
  /** USPS codes of the states that the person may be in, sorted: the address's, else the area code's. */
  states: string[];
}

/** What one source says; the first zone is the likeliest. */
interface Hint {
  zones: string[];
  states: string[];
}

const nothing: Hint = { zones: [], states: [] };

/**
 * Every zone that a person may be in: those of the stated zone, of the address and of the number's area code together
 * (C-02: a call waits until it may be made in all of them). Within an address the state adds its zones, unless a postal
 * code says in which part of it the person is; one of another state adds that state's.
 */
export function candidateZones(where: Whereabouts): Candidates {
  const stated = where.timeZone ? canonicalZone(where.timeZone) : null;
  const address = where.address ? hintOfAddress(where.address) : nothing;
  const number = where.phone ? hintOfNumber(where.phone) : nothing;
  const sources: [ZoneSource, string | undefined][] = [
    ['STATED', stated ?? undefined],
    ['ADDRESS', address.zones[0]],
    ['AREA_CODE', number.zones[0]],
  ];
  const [source, primary] = sources.find(([, zone]) => zone !== undefined) ?? ['UNKNOWN' as const];
  return {
    zones: unique([...(stated ? [stated] : []), ...address.zones, ...number.zones]),
    primary: primary ?? null,
    source,
    states: address.states.length > 0 ? address.states : number.states,
  };
}

/**
 * USPS codes of every state that a person may be in, by the address and by the number's area code, sorted; empty where any
 * of what is known says another place.
 */
export function statesWithin(where: Whereabouts): string[] {
  const stated = where.timeZone ? canonicalZone(where.timeZone) : null;
  const sources = [
    where.address ? hintOfAddress(where.address) : nothing,
    where.phone ? hintOfNumber(where.phone) : nothing,
  ].filter(({ zones }) => zones.length > 0);
  const isElsewhere = stated !== null && !sources.some(({ zones }) => zones.includes(stated));
  if (isElsewhere || sources.some(({ states }) => states.length === 0)) return [];
  return unique(sources.flatMap(({ states }) => states));
}

const unique = (names: string[]): string[] => [...new Set(names)].toSorted();

function hintOfAddress(address: Address): Hint {
  const spot = zonesOfSpot(address.latitude, address.longitude);
  const country = countryOf(address.country ?? '');
  const territory = country ? regionOf(country) : null;
  // PR and GU are countries of ISO 3166 as well; CA is a country here, and California only as a state.
  if (territory?.country === 'US' && isTerritory(territory)) return hintOfHome(address, territory, spot);
  if (country === null || country === 'US' || country === 'CA') {
    const region = address.state ? regionOf(address.state) : null;
    return hintOfHome(address, country && region?.country !== country ? null : region, spot);
  }
  return { zones: [...spot, ...zonesOfCountry(country)], states: [] };
}

const isTerritory = ({ code }: Region): boolean => ['AS', 'GU', 'MP', 'PR', 'VI'].includes(code);

function hintOfHome({ postalCode }: Address, region: Region | null, spot: string[]): Hint {
  const places = postalCode ? placesOfPostal(postalCode) : [];
  // A postal code of the state is finer than the state; without one, the spot's map is too coarse to stand alone.
  const isFine = region === null || places.some((place) => place.region === region);
  const own = isFine && region ? [] : places.map((place) => place.region);
  return {
    zones: [...spot, ...places.flatMap(({ zones }) => zones), ...(isFine ? [] : region.zones)],
    states: statesOf(region ? [...own, region] : own),
  };
}

const statesOf = (regions: Region[]): string[] =>
  unique(regions.filter(({ country }) => country === 'US').map(({ code }) => code));

/**
 * Degrees around a spot that are looked up too. The package's map is coarse by design: of GeoNames' 40,977 post offices of
 * the United States it puts 191 on a wrong clock by itself, and with these two rings 39 (compared with geo-tz 8.1.9, which
 * is exact but 71 MB and reads files; 2026-11-20). Together with the state or the postal code it misses none.
 */
const rings = [0.1, 0.2];

function zonesOfSpot(latitude: number | null | undefined, longitude: number | null | undefined): string[] {
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return [];
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) return [];
  if (latitude === 0 && longitude === 0) return []; // what software writes for a place that it does not know
  const found = [zoneAt(latitude, longitude)];
  for (const ring of rings) {
    for (const north of [-ring, 0, ring]) {
      for (const east of [-ring, 0, ring]) found.push(zoneAt(latitude + north, longitude + east));
    }
  }
  const zones = [...new Set(found.filter((zone) => zone !== null))];
  const home = new Set(zonesOfCountry('US'));
  // A spot in Maine is not in New Brunswick: the neighbours only say on which side of a line within the country it is.
  return zones[0] !== undefined && home.has(zones[0]) ? zones.filter((zone) => home.has(zone)) : zones;
}

/** Null at sea, where the map knows only Etc/GMT+5 and the like. */
function zoneAt(latitude: number, longitude: number): string | null {
  const clamped = Math.max(-90, Math.min(90, latitude));
  return canonicalZone(lookUp(clamped, ((longitude + 540) % 360) - 180));
}

/** Kinds of number that are given out by place, or carried by a person. Toll-free and the like say nothing. */
const placed = new Set(['FIXED_LINE', 'MOBILE', 'FIXED_LINE_OR_MOBILE']);

function hintOfNumber(phone: string): Hint {
  const areaCode = /^\+1(\d{3})\d{7}$/.exec(phone)?.[1];
  const places: Place[] = areaCode ? placesOfArea(areaCode) : [];
  if (places.length > 0) {
    return {
      zones: places.flatMap(({ zones }) => zones),
      states: statesOf(places.map(({ region }) => region)),
    };
  }
  const number = parsePhoneNumberFromString(phone);
  const country = number?.country;
  // A code of these two countries that the table does not know is of no place, or newer than the table.
  if (!country || country === 'US' || country === 'CA' || !placed.has(number.getType() ?? '')) return nothing;
  return { zones: zonesOfCountry(country), states: [] };
}

/** Other ways to write the two countries whose states are known. */
const spelled: Record<string, string> = {
  USA: 'US',
  'UNITED STATES': 'US',
  'UNITED STATES OF AMERICA': 'US',
  CAN: 'CA',
  CANADA: 'CA',
};

/** Null when no country is named; a text that is no code stays as it is, and has no zones. */
const countryOf = (text: string): string | null => {
  const name = text.trim().toUpperCase();
  return name === '' ? null : (spelled[name] ?? name);
};

/** Where most people live in countries of several clocks, which the engine lists by alphabet. */
const main: Record<string, string> = {
  AR: 'America/Argentina/Buenos_Aires',
  AU: 'Australia/Sydney',
  BR: 'America/Sao_Paulo',
  CD: 'Africa/Kinshasa',
  CL: 'America/Santiago',
  CN: 'Asia/Shanghai',
  EC: 'America/Guayaquil',
  ES: 'Europe/Madrid',
  GL: 'America/Nuuk',
  ID: 'Asia/Jakarta',
  KZ: 'Asia/Almaty',
  MN: 'Asia/Ulaanbaatar',
  MX: 'America/Mexico_City',
  NZ: 'Pacific/Auckland',
  PF: 'Pacific/Tahiti',
  PG: 'Pacific/Port_Moresby',
  PT: 'Europe/Lisbon',
  RU: 'Europe/Moscow',
  UA: 'Europe/Kyiv',
  US: 'America/New_York',
};

const byCountry = new Map<string, string[]>();

/** Every zone of a country by the engine's data, the main one first. All of them, however many: the rest is C-02. */
function zonesOfCountry(country: string): string[] {
  const known = byCountry.get(country);
  if (known) return known;
  const first = main[country];
  const zones = listOf(country)
    .map(canonicalZone)
    .filter((zone) => zone !== null);
  const found = [...(first ? [first] : []), ...zones.filter((zone) => zone !== first)];
  if (/^[A-Z]{2}$/.test(country)) byCountry.set(country, found);
  return found;
}

function listOf(country: string): string[] {
  if (!/^[A-Z]{2}$/.test(country)) return [];
  // ES2025's Intl.Locale Info; the compiler's library does not know it yet.
  const locale = new Intl.Locale('und', { region: country }) as Intl.Locale & {
    getTimeZones(): string[] | undefined;
  };
  return locale.getTimeZones() ?? [];
}
