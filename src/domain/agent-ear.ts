import * as said from './agent-words.ts';
import { asksToStop, wishOf } from './opt-out.ts';

/** What a sentence may mean to whoever must answer it. Several at once are possible. */
export interface Meaning {
  /** The person wants no more calls (C-32): the words of the rule, or others that a reasonable person understands. */
  wantsNoContact: boolean;
  wantsNoRecording: boolean;
  isWrongPerson: boolean;
  /** Somebody else speaks, and the person that is asked for is not there. */
  isAbsent: boolean;
  /** A recorded announcement of a voicemail box. */
  isVoicemail: boolean;
  wantsHuman: boolean;
  wantsCallback: boolean;
  wantsOtherTime: boolean;
  asksWho: boolean;
  asksRepeat: boolean;
  isYes: boolean;
  isNo: boolean;
  isFarewell: boolean;
  isSpanish: boolean;
}

/** What a sentence of a person means, in English or Spanish. */
export function understand(text: string): Meaning {
  const words = said.plain(text);
  const isLater = said.notNow.test(words);
  const denies = said.no.test(words) && !said.notNo.test(words);
  return {
    wantsNoContact: wishOf(text, false)?.wish === 'STOP' || (!isLater && asksInPassing(text)),
    wantsNoRecording: said.notRecorded.test(words),
    isWrongPerson: said.wrongPerson.test(words),
    isAbsent: said.absent.test(words),
    isVoicemail: said.voicemail.test(words),
    wantsHuman: said.human.test(words),
    wantsCallback: said.callback.test(words) || (isLater && !said.denyCancel.test(words)),
    wantsOtherTime: said.otherTime.test(words),
    asksWho: said.who.test(words),
    asksRepeat: said.repeat.test(words),
    isYes: (said.yes.test(words) || said.notNo.test(words)) && !denies,
    isNo: denies,
    isFarewell: said.farewell.test(words),
    isSpanish: said.spanish.test(words) && !said.english.test(words),
  };
}

/** Who speaks wraps it up: "Yes, this is Rosa, but stop calling me". */
const asksInPassing = (text: string): boolean =>
  text.split(/,|\b(?:but|pero)\b/i).some(asksToStop) || said.optsOut.test(said.plain(text));
