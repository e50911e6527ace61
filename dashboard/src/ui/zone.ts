/** How far a zone's clock is ahead of UTC at an instant, in milliseconds. */
function aheadOfUtc(at: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const { year, month, day, hour, minute, second } = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) - Math.floor(at / 1_000) * 1_000;
}

/** The instant of a wall-clock time such as 2026-11-20T10:00 in a zone; where clocks skip it, one hour later. */
export function instantOf(wall: string, zone: string): string {
  const asIfUtc = Date.parse(`${wall}Z`);
  const guess = asIfUtc - aheadOfUtc(asIfUtc, zone);
  return new Date(asIfUtc - aheadOfUtc(guess, zone)).toISOString();
}

/** The wall-clock time of an instant in a zone, as inputs take it. */
export const wallOf = (at: number, zone: string): string =>
  new Date(at + aheadOfUtc(at, zone)).toISOString().slice(0, 16);
