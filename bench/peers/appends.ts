/** What everyone appends: one small event at a time, to streams of its own or to a thousand hot ones. */

/** How it is appended. */
export interface Appends {
  /** The name of the run, new each time. */
  run: string;
  count: number;
  /** How many are under way at once. */
  atOnce: number;
  /** How many streams share the events; 0: each event begins one. */
  streams: number;
}

/** The event: 80 bytes of JSON. */
export const aFact = { kind: 'measured', value: 128, unit: 'mmHg', device: 'cuff 7', note: 'at rest' };

/** Where the n-th event goes. */
export const streamOf = ({ run, streams }: Appends, n: number): string =>
  `${run} ${streams === 0 ? n : n % streams}`;

/** Does it for each n, so many at once; answers how many a second. */
export async function inFlight(
  { count, atOnce }: Appends,
  work: (n: number) => Promise<void>,
): Promise<number> {
  const numbers = Array.from({ length: count }, (_, n) => n).values();
  const begun = performance.now();
  const worker = async () => {
    for (const n of numbers) await work(n);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return (count * 1_000) / (performance.now() - begun);
}
