/**
 * Whether stories are told at their full length, as `npm run nightly` does: `EXHAUSTIVE=1`. Otherwise they are as long
 * as each of their rules needs to be seen once. What more is told then is said where this is read.
 */
export const exhaustive = process.env['EXHAUSTIVE'] === '1';

/** How often a property is tried that holds however often it is: a third as often by default. */
export const tries = (count: number): number => (exhaustive ? count : Math.ceil(count / 3));
