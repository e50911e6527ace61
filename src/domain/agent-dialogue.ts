import { linesOf, type Brief } from './agent-lines.ts';
import type { Language } from './agent-time.ts';
import type { Outcome } from './call-fact.ts';

export type { Brief } from './agent-lines.ts';

/** "I will call you tomorrow at ten." */
interface Promised {
  at: Date;
  reason: string;
  goal: string | null;
}

/** What came of a conversation. */
export interface Conclusion {
  outcome: Outcome;
  /** One or two sentences for the care team. */
  summary: string;
  promises: Promised[];
  facts: Record<string, string>;
  optOut: boolean;
  /** Null: nobody was heard. */
  answeredBy: 'HUMAN' | 'MACHINE' | null;
}

/**
 * Where a conversation stands.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> asking: opening
 *   asking --> verifying: it is the person
 *   asking --> doubting: it is not
 *   verifying --> pursuing: name and birth date agree
 *   pursuing --> closing: an answer
 *   asking --> machine: a recorded announcement
 *   machine --> closing: the message is left
 *   closing --> [*]
 * ```
 */
export type Stage = 'asking' | 'doubting' | 'verifying' | 'pursuing' | 'scheduling' | 'machine' | 'closing';

/** What may be asked; a key of the lines. */
type Question = 'askFor' | 'isRightNumber' | 'askBirthDate' | 'matter' | 'matterUnverified' | 'askWhen';

/** A conversation as far as it has come: all that the next move depends on, besides what is said next. */
export interface Dialogue {
  stage: Stage;
  language: Language;
  /** Name and birth date agree (C-51). */
  isVerified: boolean;
  /** The last question, to be asked again in whichever language is then spoken. */
  question: Question;
  /** False when the person spoke before the question was out: a bare yes is no answer to it. */
  isQuestionHeard: boolean;
  /** How often in a row nothing useful was heard. */
  misses: number;
  silences: number;
  /** Whether anybody has said anything yet. */
  hasHeard: boolean;
  /** Keys that were pressed, as far as they may become a date of birth. */
  digits: string;
  /** Null until something came of it. */
  conclusion: Conclusion | null;
}

/** What the agent does next. */
export interface Move {
  dialogue: Dialogue;
  /** What it says; empty: nothing. */
  say: string;
  /** Whether someone who thinks freely may speak instead: to a verified patient, about the matter, and about nothing else. */
  isFree: boolean;
  /** The conversation is over without another word. */
  isOver: boolean;
  /** The person does not want to be recorded. Left out: nothing was said of it. */
  stopsRecording?: true;
}

/** The last question, in the language that is spoken. */
export function questionOf({ language, question }: Dialogue, brief: Brief): string {
  const line = linesOf(language)[question];
  return typeof line === 'string' ? line : line(brief);
}

/** Asks the question at hand; `say`: in other words. */
export const ask = (dialogue: Dialogue, brief: Brief, say = questionOf(dialogue, brief)): Move => ({
  dialogue: { ...dialogue, isQuestionHeard: true },
  say,
  isFree: false,
  isOver: false,
});

/** Says goodbye with what came of it. */
export function close(
  dialogue: Dialogue,
  say: string,
  given: Pick<Conclusion, 'outcome' | 'summary'> & Partial<Conclusion>,
): Move {
  const conclusion: Conclusion = { promises: [], facts: {}, optOut: false, answeredBy: 'HUMAN', ...given };
  const closed: Dialogue = { ...dialogue, stage: 'closing', isQuestionHeard: true, conclusion };
  return { dialogue: closed, say, isFree: false, isOver: false };
}

/** The farewell after an outcome that somebody else has reached. */
export function farewellFor(outcome: Outcome, { language }: Dialogue, brief: Brief): string {
  const lines = linesOf(language);
  switch (outcome) {
    case 'confirmed':
      return lines.confirmed;
    case 'declined':
      return lines.declined;
    case 'callback_requested':
      return lines.callback(null);
    case 'opted_out':
      return lines.optedOut;
    case 'wrong_person':
      return lines.wrongPerson;
    default:
      return lines.unresolved(brief);
  }
}
