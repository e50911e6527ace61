import type { Attempts } from '../attempt.ts';
import type { Counters } from './counters.ts';

/** Attempts of which every refusal is counted: what is refused leaves no event. */
export const countRefusals = (attempts: Attempts, { refused }: Pick<Counters, 'refused'>): Attempts => ({
  ...attempts,
  placeCall: (wanted, by) =>
    attempts.placeCall(wanted, by).catch((error: unknown) => {
      refused(error);
      throw error;
    }),
});
