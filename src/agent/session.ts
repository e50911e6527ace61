import type { RunningClock } from '../clock.ts';
import * as script from '../domain/agent-script.ts';
import { close, farewellFor } from '../domain/agent-dialogue.ts';
import type { Brief, Conclusion, Dialogue, Move } from '../domain/agent-dialogue.ts';
import type { Conduct, Turn } from '../domain/call-fact.ts';
import { secondsPerCharacter } from '../domain/insight.ts';
import { causeOf, type Said } from './mind.ts';
import type { FromRelay, ToRelay } from './relay.ts';

/** How long the person may be silent once the agent has finished, in milliseconds. */
const silenceMs = 8_000;

/** However fast simulated people are, their answers travel as slowly as any, in milliseconds. */
const leastSilenceMs = 1_000;

/** How long a machine must be silent before a message is left on it, in milliseconds. */
const machineSilenceMs = 3_000;

/** How long is waited for a last word after the farewell, in milliseconds. */
const farewellMs = 1_500;

/** After so many turns a conversation is brought to its end. */
const longest = 60;

/** What a conversation is held with. */
export interface Session {
  brief: Brief;
  /** Who thinks freely, with what it was given; null: the scripted agent alone. */
  mind: ((turns: Turn[], signal: AbortSignal) => AsyncIterable<Said>) | null;
  clock: RunningClock;
  /** How many times faster than life the person is: 1 with a real carrier. */
  pace: number;
  send(message: ToRelay): void;
  /** The person does not want to be recorded. */
  stopRecording(): Promise<void>;
  /** Records what came of it. Called once. */
  conclude(conclusion: Conclusion, transcript: Turn[], conduct: Conduct): Promise<void>;
  log(line: string, error?: unknown): void;
}

/**
 * One conversation: what is heard goes in, what is said goes out. What was said last is what counts: an answer that is
 * still being thought of when the person speaks again is given up.
 */
export class Conversation {
  readonly #session: Session;
  readonly #turns: Turn[] = [];
  #dialogue: Dialogue | null = null;
  #interruptions = 0;
  #thinking: AbortController | null = null;
  #concluded: Promise<void> | null = null;
  #stopWaiting: () => void = () => {};
  #isOver = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Speaks first, as soon as the line is open. */
  begin(): void {
    if (this.#dialogue) return;
    this.#make(script.open(this.#session.brief));
  }

  /** Takes what Twilio tells. */
  take(message: FromRelay): void {
    const dialogue = this.#dialogue;
    if (!dialogue || this.#isOver) return;
    const { brief, clock, log } = this.#session;
    switch (message.type) {
      case 'prompt':
        if (message.last && message.voicePrompt.trim() !== '') this.#hear(message.voicePrompt.trim());
        break;
      case 'interrupt':
        this.#interrupted(message.utteranceUntilInterrupt ?? '');
        break;
      case 'dtmf':
        this.#quiet();
        this.#note(message.digit);
        this.#make(script.press(dialogue, brief, { digit: message.digit, now: clock.now() }));
        break;
      case 'error':
        log('ConversationRelay reported an error'); // its description may quote what was said
        break;
      case 'setup':
        break;
    }
  }

  /** The line is closed. Answers what came of it, if it is known; else the transcript, for whoever finds out. */
  async closed(): Promise<{
    transcript: Turn[];
    conduct: Conduct;
    isConcluded: boolean;
    stage: Dialogue['stage'] | null;
  }> {
    this.#isOver = true;
    this.#quiet();
    const conclusion = this.#dialogue?.conclusion;
    if (conclusion) await this.#conclude(conclusion);
    return {
      transcript: this.#turns,
      conduct: this.#conduct(),
      isConcluded: this.#concluded !== null,
      stage: this.#dialogue?.stage ?? null,
    };
  }

  #hear(text: string): void {
    const { brief, clock, mind } = this.#session;
    this.#quiet();
    this.#turns.push({ speaker: 'patient', text, at: clock.now().toISOString() });
    const before = this.#dialogue!;
    if (this.#turns.length > longest) return this.#make(this.#tooLong());
    const move = script.hear(before, brief, { text, now: clock.now() });
    if (move.isFree && mind) void clock.busy(this.#think(move));
    else this.#make(move);
  }

  #tooLong(): Move {
    const conclusion = { outcome: 'unresolved', summary: 'The conversation grew too long.' } as const;
    return close(this.#dialogue!, '', conclusion);
  }

  /** Keys that are pressed in a row are one turn. */
  #note(digit: string): void {
    const last = this.#turns.at(-1);
    if (last?.speaker === 'patient' && last.text.startsWith('('))
      last.text = last.text.replace(')', `${digit})`);
    else
      this.#turns.push({
        speaker: 'patient',
        text: `(${digit})`,
        at: this.#session.clock.now().toISOString(),
      });
  }

  /** What the person did not hear was not said. */
  #interrupted(heard: string): void {
    this.#quiet();
    this.#interruptions += 1;
    const last = this.#turns.at(-1);
    if (last?.speaker !== 'agent') return;
    last.text = heard === '' ? '…' : `${heard.trim()}…`;
    this.#dialogue = script.interrupt(this.#dialogue!, heard);
    this.#waitFor(0, silenceMs);
  }

  /** Stops waiting, and stops thinking. */
  #quiet(): void {
    this.#stopWaiting();
    this.#thinking?.abort();
    this.#thinking = null;
  }

  /** Lets who thinks freely answer; where that fails, the scripted move is made. */
  async #think(fallback: Move): Promise<void> {
    const thinking = new AbortController();
    this.#thinking = thinking;
    const { mind, log } = this.#session;
    // Who speaks into the thinking is answered from here on.
    this.#dialogue = { ...fallback.dialogue, stage: 'pursuing', question: 'matter', conclusion: null };
    const turn: Turn = { speaker: 'agent', text: '', at: '' };
    let found: Conclusion | null = null;
    try {
      for await (const said of mind!([...this.#turns], thinking.signal)) {
        if (thinking.signal.aborted) return;
        if ('conclusion' in said) found = said.conclusion;
        else this.#stream(turn, said.text);
      }
    } catch (error) {
      if (thinking.signal.aborted) return;
      log(`the model did not answer (${causeOf(error)}); the scripted agent speaks instead`);
    }
    if (thinking.signal.aborted) return;
    this.#thinking = null;
    this.#settle(turn, found, fallback);
  }

  #stream(turn: Turn, token: string): void {
    if (turn.at === '') {
      turn.at = this.#session.clock.now().toISOString();
      this.#turns.push(turn);
    }
    turn.text += token;
    this.#session.send({ type: 'text', token, last: false });
  }

  /** After the model's answer: its conclusion, its words, or, where there are neither, the scripted move. */
  #settle(turn: Turn, found: Conclusion | null, fallback: Move): void {
    const hasSpoken = turn.text.trim() !== '';
    if (hasSpoken) this.#session.send({ type: 'text', token: '', last: true });
    const dialogue = this.#dialogue!;
    if (found) {
      const farewell = hasSpoken ? '' : farewellFor(found.outcome, dialogue, this.#session.brief);
      return this.#make(close(dialogue, farewell, found), turn.text.length);
    }
    if (!hasSpoken) return this.#make(fallback);
    this.#make({ dialogue, say: '', isFree: false, isOver: false }, turn.text.length);
  }

  /** Does what comes next: says it, records what came of it, and waits for an answer. `spoken`: characters said already. */
  #make(move: Move, spoken = 0): void {
    const { clock } = this.#session;
    this.#dialogue = move.dialogue;
    if (move.stopsRecording) void clock.busy(this.#session.stopRecording());
    if (move.say !== '') this.#say(move.say);
    const { conclusion, stage } = move.dialogue;
    if (conclusion && isUrgent(conclusion)) void clock.busy(this.#conclude(conclusion));
    if (move.isOver) return void clock.busy(this.#end());
    const speakingMs = Math.max(move.say.length, spoken) * secondsPerCharacter * 1000;
    const patience = { closing: farewellMs, machine: machineSilenceMs }[stage as string] ?? silenceMs;
    this.#waitFor(speakingMs, patience);
  }

  /** A sentence at a time: the first is spoken while the next is sent. */
  #say(text: string): void {
    const { send, clock } = this.#session;
    this.#turns.push({ speaker: 'agent', text, at: clock.now().toISOString() });
    const sentences = text.match(/[^.!?]+[.!?]*\s*/g) ?? [text];
    for (const [index, token] of sentences.entries()) {
      send({ type: 'text', token, last: index === sentences.length - 1 });
    }
  }

  /** Waits until it has been said, and so long for an answer. */
  #waitFor(speakingMs: number, patienceMs: number): void {
    const { clock, pace, brief } = this.#session;
    this.#stopWaiting();
    const silence = patienceMs === silenceMs ? Math.max(leastSilenceMs, silenceMs / pace) : patienceMs / pace;
    this.#stopWaiting = clock.after(speakingMs / pace + silence, () => {
      if (!this.#isOver) this.#make(script.wait(this.#dialogue!, brief));
    });
  }

  /** Hangs up, once what came of it is recorded. */
  async #end(): Promise<void> {
    this.#isOver = true;
    this.#quiet();
    const conclusion = this.#dialogue?.conclusion ?? null;
    if (conclusion) await this.#conclude(conclusion);
    this.#session.send({
      type: 'end',
      handoffData: JSON.stringify({ outcome: conclusion?.outcome ?? null }),
    });
  }

  #conclude(conclusion: Conclusion): Promise<void> {
    this.#concluded ??= this.#session.conclude(conclusion, [...this.#turns], this.#conduct());
    return this.#concluded;
  }

  #conduct(): Conduct {
    return { identityVerified: this.#dialogue?.isVerified ?? false, interruptions: this.#interruptions };
  }
}

/** What is recorded before it is said: who is to be left alone, and that the machine has its message already. */
const isUrgent = ({ outcome, answeredBy }: Conclusion): boolean =>
  outcome === 'opted_out' || outcome === 'wrong_person' || answeredBy === 'MACHINE';
