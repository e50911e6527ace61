/**
 * Whether stories are told at their full length, as `npm run nightly` does: `EXHAUSTIVE=1`. Otherwise they are as long
 * as each of their rules needs to be seen once. What more is told then is said where this is read.
 */
export const exhaustive = process.env['EXHAUSTIVE'] === '1';
