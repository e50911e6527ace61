import { ask, close, questionOf, type Dialogue, type Move, type Stage } from './agent-dialogue.ts';
import { understand, type Meaning } from './agent-ear.ts';
import { linesOf, openingOf, type Brief } from './agent-lines.ts';
import { datesIn, timeIn } from './agent-time.ts';

/** How often in a row it asks again before it gives up. */
const patience = 2;

/** Speaks first. */
export function open(brief: Brief): Move {
  const { language } = brief;
  const dialogue: Dialogue = {
    stage: 'asking',
    language,
    isVerified: false,
    question: 'askFor',
    isQuestionHeard: true,
    misses: 0,
    silences: 0,
    hasHeard: false,
    digits: '',
    conclusion: null,
  };
  return { dialogue, say: openingOf(brief, language), isFree: false, isOver: false };
}

/** What was heard, and when. */
interface Heard {
  text: string;
  meaning: Meaning;
  now: Date;
}

/** Answers what a person says. */
export function hear(before: Dialogue, brief: Brief, { text, now }: { text: string; now: Date }): Move {
  const heard: Heard = { text, meaning: understand(text), now };
  const language = heard.meaning.isSpanish ? 'es' : before.language;
  const dialogue = { ...before, language, silences: 0, hasHeard: true };
  const urgent = overriding(dialogue, brief, heard);
  if (urgent) return urgent;
  if (!before.isQuestionHeard && !heard.meaning.wantsCallback) return ask(dialogue, brief);
  return stages[before.stage](dialogue, brief, heard);
}

/** Answers a key: 9 is stop, 0 a person, 1 yes, 2 no; eight digits a date of birth. */
export function press(before: Dialogue, brief: Brief, { digit, now }: { digit: string; now: Date }): Move {
  if (before.stage === 'verifying' && /^\d$/.test(digit)) {
    const digits = before.digits + digit;
    if (digits.length < 8) return { dialogue: { ...before, digits }, say: '', isFree: false, isOver: false };
    return hear({ ...before, digits: '' }, brief, { text: digits, now });
  }
  const words: Record<string, string> = { 9: 'stop', 0: 'operator', 1: 'yes', 2: 'no' };
  const text = words[digit];
  return text ? hear(before, brief, { text, now }) : ask(before, brief);
}

/** Answers silence: asks once, then gives up. After a machine's announcement it leaves the message. */
export function wait(before: Dialogue, brief: Brief): Move {
  const lines = linesOf(before.language);
  if (before.stage === 'closing') return { dialogue: before, say: '', isFree: false, isOver: true };
  if (before.stage === 'machine') {
    const answeredBy = 'MACHINE';
    if (brief.machineMessage === null) {
      return close(before, '', { outcome: 'unresolved', summary: 'A machine answered.', answeredBy });
    }
    const summary = 'Left a message on a machine.';
    return close(before, brief.machineMessage, { outcome: 'left_message', summary, answeredBy });
  }
  if (before.silences > 0) {
    const answeredBy = before.hasHeard ? 'HUMAN' : null;
    const summary = 'Nobody said anything any more.';
    return close(before, lines.unresolved(brief), { outcome: 'unresolved', summary, answeredBy });
  }
  const next = { ...before, silences: 1 };
  return ask(next, brief, `${lines.areYouThere} ${questionOf(next, brief)}`);
}

/** Remembers that the person spoke when only so much of the last line had been heard. */
export const interrupt = (dialogue: Dialogue, spoken: string): Dialogue => ({
  ...dialogue,
  isQuestionHeard: /\?\W*$/.test(spoken),
});

/** Says no more than this, and asks nothing. */
const silent = (dialogue: Dialogue, say = ''): Move => ({ dialogue, say, isFree: false, isOver: false });

/** What a person may say at any time. An answer comes before anything else: the wish to be left alone first of all. */
function overriding(dialogue: Dialogue, brief: Brief, { meaning, text }: Heard): Move | null {
  const lines = linesOf(dialogue.language);
  if (meaning.wantsNoContact && !meaning.isVoicemail) {
    const summary = `Asked not to be called again: ${quoted(text)}`;
    return close(dialogue, lines.optedOut, { outcome: 'opted_out', summary, optOut: true });
  }
  if (meaning.wantsNoRecording && !meaning.isVoicemail) {
    const say = lines.notRecorded;
    const goesOn = dialogue.stage !== 'closing' && dialogue.stage !== 'machine';
    const move = goesOn
      ? ask(dialogue, brief, `${say} ${questionOf(dialogue, brief)}`)
      : silent(dialogue, say);
    return { ...move, stopsRecording: true };
  }
  if (meaning.isVoicemail && !dialogue.isVerified) {
    return silent({ ...dialogue, stage: 'machine' });
  }
  if (dialogue.stage === 'machine') return silent(dialogue);
  if (meaning.isWrongPerson && !dialogue.isVerified) {
    return close(dialogue, lines.wrongPerson, {
      outcome: 'wrong_person',
      summary: `Wrong person: ${quoted(text)}`,
    });
  }
  if (meaning.wantsHuman) {
    const summary = `Asked to speak with a person: ${quoted(text)}`;
    return close(dialogue, lines.human(brief), { outcome: 'callback_requested', summary });
  }
  return null;
}

const stages: Record<Stage, (dialogue: Dialogue, brief: Brief, heard: Heard) => Move> = {
  asking(dialogue, brief, heard) {
    const { meaning, text } = heard;
    const lines = linesOf(dialogue.language);
    if (hasBirthDate(dialogue, brief, text)) return pursue({ ...dialogue, isVerified: true }, brief);
    if (meaning.wantsCallback) return arrange(dialogue, brief, heard);
    if (meaning.isAbsent) {
      const summary = 'Somebody else answered, and was asked to say that we called.';
      return close(dialogue, lines.absent(brief), { outcome: 'left_message', summary });
    }
    if (meaning.asksWho) return introduce(dialogue, brief);
    if (meaning.asksRepeat && !meaning.isYes) return miss(dialogue, brief, heard);
    if (meaning.isNo) return ask({ ...dialogue, stage: 'doubting', question: 'isRightNumber' }, brief);
    if (meaning.isYes || isNamed(text, brief)) {
      if (brief.birthDate === null) return pursue(dialogue, brief);
      return ask({ ...dialogue, stage: 'verifying', question: 'askBirthDate', misses: 0 }, brief);
    }
    return miss(dialogue, brief, heard);
  },

  doubting(dialogue, brief, heard) {
    const { meaning, text } = heard;
    const lines = linesOf(dialogue.language);
    if (meaning.wantsCallback) return arrange(dialogue, brief, heard);
    if (meaning.isAbsent || meaning.isYes) {
      const summary = 'Somebody else answered, and was asked to say that we called.';
      return close(dialogue, lines.absent(brief), { outcome: 'left_message', summary });
    }
    if (meaning.isNo) {
      return close(dialogue, lines.wrongPerson, {
        outcome: 'wrong_person',
        summary: `Wrong person: ${quoted(text)}`,
      });
    }
    return miss(dialogue, brief, heard);
  },

  verifying(dialogue, brief, heard) {
    const { meaning, text } = heard;
    const lines = linesOf(dialogue.language);
    if (hasBirthDate(dialogue, brief, text))
      return pursue({ ...dialogue, isVerified: true, misses: 0 }, brief);
    if (meaning.wantsCallback) return arrange(dialogue, brief, heard);
    if (dialogue.misses >= patience - 1) {
      const summary = 'The identity of who answered could not be verified; no details were given.';
      return close(dialogue, lines.unverified(brief), { outcome: 'unresolved', summary });
    }
    const again = datesIn(text, dialogue.language).length > 0 ? lines.askBirthDateAgain : lines.whyBirthDate;
    return ask({ ...dialogue, misses: dialogue.misses + 1 }, brief, again);
  },

  pursuing(dialogue, brief, heard) {
    const move = answered(dialogue, brief, heard);
    return { ...move, isFree: dialogue.isVerified };
  },

  scheduling(dialogue, brief, heard) {
    return agree(dialogue, brief, timeOf(dialogue, brief, heard), heard);
  },

  machine(dialogue) {
    return silent(dialogue);
  },

  /** A farewell ends it; who thinks again before hanging up is heard. */
  closing(dialogue, brief, heard) {
    const { meaning } = heard;
    const isAnswered =
      dialogue.conclusion?.outcome === 'confirmed' || dialogue.conclusion?.outcome === 'declined';
    const thinksAgain =
      meaning.wantsOtherTime || meaning.wantsCallback || (meaning.isNo && !meaning.isFarewell);
    if (isAnswered && thinksAgain) return answered({ ...dialogue, conclusion: null }, brief, heard);
    return { dialogue, say: '', isFree: false, isOver: true };
  },
};

/** What a person answers to the matter of the call. */
function answered(dialogue: Dialogue, brief: Brief, heard: Heard): Move {
  const { meaning, text } = heard;
  const lines = linesOf(dialogue.language);
  const who = dialogue.isVerified ? 'The patient' : 'Who answered to the name of the patient';
  if (meaning.wantsOtherTime) {
    const summary = `${who} asked for another time: ${quoted(text)}`;
    return close(dialogue, lines.reschedule(brief), { outcome: 'callback_requested', summary });
  }
  if (meaning.wantsCallback) return arrange(dialogue, brief, heard);
  if (meaning.asksRepeat && !meaning.isYes) return miss(dialogue, brief, heard);
  if (meaning.isYes) {
    const summary = dialogue.isVerified
      ? `The patient agreed: ${brief.reason}`
      : 'Who answered to the name of the patient agreed to be contacted; no details were given.';
    return close(dialogue, lines.confirmed, { outcome: 'confirmed', summary });
  }
  if (meaning.isNo) {
    const summary = `${who} declined: ${quoted(text)}`;
    return close(dialogue, lines.declined, { outcome: 'declined', summary });
  }
  if (meaning.asksWho) return introduce(dialogue, brief);
  return miss(dialogue, brief, heard);
}

/** Tells the matter to the patient; to whom only the name is known, that there is one. */
function pursue(dialogue: Dialogue, brief: Brief): Move {
  const question = dialogue.isVerified ? 'matter' : 'matterUnverified';
  const move = ask({ ...dialogue, stage: 'pursuing', question, misses: 0 }, brief);
  return { ...move, isFree: dialogue.isVerified };
}

/** Agrees on when to call: as the person said, else it asks once. */
function arrange(dialogue: Dialogue, brief: Brief, heard: Heard): Move {
  const at = timeOf(dialogue, brief, heard);
  return at
    ? agree(dialogue, brief, at, heard)
    : ask({ ...dialogue, stage: 'scheduling', question: 'askWhen' }, brief);
}

const timeOf = ({ language }: Dialogue, { zone }: Brief, { text, now }: Heard): Date | null =>
  timeIn(text, { language, now, zone });

function agree(dialogue: Dialogue, brief: Brief, at: Date | null, { text }: Heard): Move {
  const { zone, reason, goal } = brief;
  const format = {
    weekday: 'long',
    month: 'long',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
  } as const;
  const when = at
    ? new Intl.DateTimeFormat(dialogue.language, { ...format, timeZone: zone }).format(at)
    : null;
  return close(dialogue, linesOf(dialogue.language).callback(when), {
    outcome: 'callback_requested',
    summary: `Asked to be called another time: ${quoted(text)}`,
    promises: at ? [{ at, reason, goal }] : [],
  });
}

/** Says again who calls and that it is an AI, and asks again. */
function introduce(dialogue: Dialogue, brief: Brief): Move {
  const lines = linesOf(dialogue.language);
  if (dialogue.misses >= patience) return giveUp(dialogue, brief);
  const say = `${lines.disclose(brief)} ${lines.reachUs(brief)} ${questionOf(dialogue, brief)}`;
  return ask({ ...dialogue, misses: dialogue.misses + 1 }, brief, say);
}

function miss(dialogue: Dialogue, brief: Brief, { meaning }: Heard): Move {
  if (dialogue.misses >= patience) return giveUp(dialogue, brief);
  const isPlain = meaning.asksRepeat || meaning.isSpanish;
  const question = questionOf(dialogue, brief);
  const say = isPlain ? question : `${linesOf(dialogue.language).again} ${question}`;
  return ask({ ...dialogue, misses: dialogue.misses + 1 }, brief, say);
}

function giveUp(dialogue: Dialogue, brief: Brief): Move {
  const summary = 'No answer could be made out.';
  return close(dialogue, linesOf(dialogue.language).unresolved(brief), { outcome: 'unresolved', summary });
}

/** One date, and the right one: who tells several is guessing. */
function hasBirthDate({ language }: Dialogue, { birthDate }: Brief, text: string): boolean {
  const said = datesIn(text, language);
  return birthDate !== null && said.includes(birthDate) && said.length <= 2;
}

/** "This is Rosa." */
const isNamed = (text: string, { patientName }: Brief): boolean =>
  new RegExp(`\\b(?:this is|i am|i'm|soy|habla)\\b`, 'i').test(text) &&
  patientName.split(/\s+/).some((name) => name.length > 1 && text.toLowerCase().includes(name.toLowerCase()));

const quoted = (text: string): string => `"${text.slice(0, 200)}"`;
