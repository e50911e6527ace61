import type { Tone } from '../ui/words.ts';
import type { CarrierAnswer } from './model.ts';

/** How long an answer of the carrier counts, in milliseconds. */
const healthMs = 600_000;

/** How the carrier does, from what it did with what it was asked in the last ten minutes. */
export function carrierHealth(
  answers: CarrierAnswer[],
  now: number,
): { word: string; note: string; tone: Tone } {
  const recent = answers.filter(({ at }) => now - Date.parse(at) < healthMs);
  const count = (type: string) => recent.filter((answer) => answer.type === type).length;
  const [taken, refused, unheard] = [count('call.accepted'), count('call.rejected'), count('call.uncertain')];
  if (recent.length === 0) return { word: 'Idle', note: 'asked nothing in ten minutes', tone: 'quiet' };
  const note = `${taken} taken, ${refused} refused, ${unheard} unheard in ten minutes`;
  const missed = (refused + unheard) / recent.length;
  if (missed > 0.5) return { word: 'Failing', note, tone: 'bad' };
  if (missed > 0.1) return { word: 'Unsteady', note, tone: 'warn' };
  return { word: 'Well', note, tone: 'good' };
}
