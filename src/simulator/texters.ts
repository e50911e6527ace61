import { lineOf, storyOf } from './people.ts';

/** What becomes of a text, and what whoever reads it texts back. */
export interface Texter {
  readonly outcome: 'delivered' | 'undelivered' | 'failed';
  /** Twilio's code of why it is not delivered; null where it is. */
  readonly errorCode: number | null;
  /** What they text back; null: nothing. */
  readonly answers: string | null;
}

const READS: Texter = { outcome: 'delivered', errorCode: null, answers: null };

/** By the last four digits of a number in the 555-01xx block; everybody else reads, and does not answer. */
const TEXTERS: Record<string, Texter> = {
  '0131': { outcome: 'undelivered', errorCode: 30003, answers: null },
  '0133': { ...READS, answers: 'YES' },
  '0134': { ...READS, answers: 'STOP' },
  '0135': { outcome: 'failed', errorCode: 30008, answers: null },
};

/** Who is there when a number (E.164) gets a text. */
export function texterAt(number: string): Texter {
  return TEXTERS[storyOf(number)] ?? READS;
}

/** Twilio's code with which a text to a number is refused, whoever sends it; undefined if it is not. */
export function textRefusedWith(number: string): number | undefined {
  if (storyOf(number) === '0132') return 21610;
  const { refusedWith } = lineOf(number);
  // 21216 is about calls; of texts Twilio says that there is no way there.
  return refusedWith === 21216 ? 21612 : refusedWith;
}
