import { createHash } from 'node:crypto';

/** What a simulated line does when it is dialled, and who is at its other end. */
export interface Person {
  /** What the network finds: somebody (or a machine) answers, or one of the three ways in which nobody does. */
  readonly line: 'answers' | 'busy' | 'rings out' | 'fails';
  /** Who answers; a machine with a beep is one that asks for a message. */
  readonly voice: 'human' | 'machine with beep' | 'machine without beep';
  /** Seconds from answering until this side hangs up; Infinity if it never does. */
  readonly staysSeconds: number;
  /** The line stays open whatever the TwiML says, until it is hung up by REST or TimeLimit. */
  readonly isStuck: boolean;
  /** What the person does when spoken to, in order; who is asked for the date of birth tells it besides. */
  readonly says: readonly Act[];
}

/**
 * One act in a conversation, once a turn was heard to its end: says something; presses keys; says something so many
 * seconds into what is being said; answers something else than the date of birth; says nothing; or hangs up so many
 * seconds later (1).
 */
export type Act =
  | string
  | { readonly presses: string }
  | { readonly interrupts: string; readonly afterSeconds: number }
  | { readonly insteadOfBirthDate: string }
  | { readonly isSilent: true }
  | { readonly hangsUp: true; readonly afterSeconds?: number };

/** How the carrier itself behaves towards a number: what create answers and what becomes of its callbacks. */
export interface Line {
  /** Who is there at the 1st, 2nd … dial; the last one from then on. Empty: by a hash of number and attempt. */
  readonly people: readonly Person[];
  /** Twilio's code with which create is refused: 21211, 21216 or 20503; undefined if it is not. */
  readonly refusedWith: number | undefined;
  /** How many times create answers 429 before it works. Default 0. */
  readonly throttledTimes: number;
  /** What comes back once create was accepted: its 201, nothing (the connection dies), a 503, or a 201 only after the first callback. */
  readonly answer: 'sent' | 'lost' | 'unavailable' | 'after first callback';
  /** What becomes of callbacks. `cut off`: TwiML and AMD requests do not arrive either. */
  readonly callbacks: 'in order' | 'last first' | 'twice' | 'none' | 'cut off';
}

/** What a voicemail box says: detection knows at about the same time what it is. */
const ANNOUNCEMENT: Act = {
  interrupts: 'Hello, you have reached my voicemail. Please leave a message after the tone.',
  afterSeconds: 4.5,
};

/** Somebody who picks up and talks; 8 seconds where nobody talks with them. */
const HUMAN: Person = {
  line: 'answers',
  voice: 'human',
  staysSeconds: 8,
  isStuck: false,
  says: ['Yes, speaking.', 'Yes, that works for me.', 'Thank you, goodbye.', { hangsUp: true }],
};
/** Voicemail boxes record for at most about a minute. */
const MACHINE: Person = { ...HUMAN, voice: 'machine with beep', staysSeconds: 60, says: [ANNOUNCEMENT] };
const SILENT_MACHINE: Person = { ...MACHINE, voice: 'machine without beep' };
const BUSY: Person = { ...HUMAN, line: 'busy', says: [] };
const RINGS_OUT: Person = { ...HUMAN, line: 'rings out', says: [] };
const FAILS: Person = { ...HUMAN, line: 'fails', says: [] };

const ORDINARY: Line = {
  people: [HUMAN],
  refusedWith: undefined,
  throttledTimes: 0,
  answer: 'sent',
  callbacks: 'in order',
};

function answeredBy(...people: Person[]): Line {
  return { ...ORDINARY, people };
}

/** By the last four digits of a number in the 555-01xx block: a fixed table that tests and demos rely on. */
const LINES: Record<string, Line> = {
  '0100': ORDINARY,
  '0101': answeredBy(BUSY),
  '0102': answeredBy(RINGS_OUT),
  '0103': answeredBy(FAILS),
  '0104': answeredBy(MACHINE),
  '0105': answeredBy({ ...HUMAN, says: ['Stop calling me.', { isSilent: true }] }),
  '0106': answeredBy({ ...HUMAN, says: ['Please call me tomorrow at 10.'] }),
  '0107': answeredBy({ ...HUMAN, says: ['You have the wrong number, nobody of that name lives here.'] }),
  '0108': answeredBy({ ...HUMAN, staysSeconds: 3, says: [] }),
  '0109': answeredBy(SILENT_MACHINE),
  '0110': { ...ORDINARY, refusedWith: 21211 },
  '0111': { ...ORDINARY, refusedWith: 21216 },
  '0112': { ...ORDINARY, throttledTimes: 2 },
  '0113': { ...ORDINARY, answer: 'lost' },
  '0114': { ...ORDINARY, answer: 'lost', callbacks: 'cut off' },
  '0115': { ...ORDINARY, refusedWith: 20503 },
  '0116': { ...ORDINARY, answer: 'unavailable' },
  '0117': { ...ORDINARY, callbacks: 'last first' },
  '0118': { ...ORDINARY, callbacks: 'twice' },
  '0119': { ...ORDINARY, callbacks: 'none' },
  '0120': { ...ORDINARY, answer: 'after first callback' },
  '0121': answeredBy({ ...HUMAN, staysSeconds: Infinity, isStuck: true, says: [] }),
  '0122': answeredBy(BUSY, BUSY, HUMAN),
  '0123': answeredBy(RINGS_OUT, HUMAN),
  '0124': answeredBy({ ...HUMAN, says: ['Yes, but please do not record me.', 'Yes, speaking.', 'Yes.'] }),
};

/** The block of numbers that belongs to nobody, in any area code of the North American plan. */
const FICTIONAL = /^\+1\d{3}555(01\d\d)$/;

/** The last four digits of a number (E.164) of that block; empty for every other. */
export function storyOf(number: string): string {
  return FICTIONAL.exec(number)?.[1] ?? '';
}

/** How the carrier behaves towards a number (E.164); numbers without a story of their own have ordinary lines. */
export function lineOf(number: string): Line {
  return LINES[storyOf(number)] ?? answeredBy();
}

/** Who is there at the given dial (1 is the first) of a number. The same number and attempt always give the same person. */
export function personAt(number: string, attempt: number): Person {
  const { people } = lineOf(number);
  return people[Math.min(attempt, people.length) - 1] ?? personByHash(number, attempt);
}

/** Of 100: 45 people, 25 that ring out, 15 machines (every other one with a beep), 10 busy, 5 that fail. */
function personByHash(number: string, attempt: number): Person {
  const digest = createHash('sha256').update(`${number}#${attempt}`).digest();
  const hundredth = digest.readUInt32BE(0) % 100;
  if (hundredth < 45) return HUMAN;
  if (hundredth < 70) return RINGS_OUT;
  if (hundredth < 85) return digest.readUInt8(4) % 2 === 0 ? MACHINE : SILENT_MACHINE;
  return hundredth < 95 ? BUSY : FAILS;
}
