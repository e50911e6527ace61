import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Brief, Move } from '../../src/domain/agent-dialogue.ts';
import { hear, interrupt, open, press, wait } from '../../src/domain/agent-script.ts';

const now = new Date('2026-03-03T19:00:00Z');
const secret = 'SECRET';
const brief: Brief = {
  greeting: 'Hello from the clinic.',
  organization: 'Care',
  callbackNumber: '+14155550199',
  patientName: 'Rosa Delgado',
  birthDate: '1951-03-14',
  language: 'en',
  reason: `Talk about the ${secret}`,
  goal: `Find out about the ${secret}`,
  zone: 'America/New_York',
  tellsNumberFirst: false,
  isRecordingAnnounced: false,
  machineMessage: 'This is Care. Please call us back at 415 555 0199.',
};

/** What may happen in a conversation: words, a key, silence, or words into what is said. */
type Happening = string | { key: string } | { into: string } | null;

function next(move: Move, happening: Happening, about = brief): Move {
  if (happening === null) return wait(move.dialogue, about);
  if (typeof happening === 'string') return hear(move.dialogue, about, { text: happening, now });
  if ('key' in happening) return press(move.dialogue, about, { digit: happening.key, now });
  return hear(interrupt(move.dialogue, move.say.slice(0, 10)), about, { text: happening.into, now });
}

const talk = (happenings: Happening[], about = brief): Move[] => {
  const moves = [open(about)];
  for (const happening of happenings) moves.push(next(moves.at(-1)!, happening, about));
  return moves;
};

const phrases =
  'yes|no|Yes, speaking.|who is this?|March 14, 1951|March 14, 1950|it is 3/14/1951|stop|goodbye|wrong number|call me tomorrow|tomorrow at 10|a real person please|another day|hello?|sí|no está|leave a message after the tone|what is it about|I would rather not|she is not here||banana'.split(
    '|',
  );
const happening = fc.oneof(
  fc.constantFrom<Happening>(...phrases),
  fc.constantFrom<Happening>(...phrases.map((into) => ({ into }))),
  fc.constantFrom<Happening>(...'0123456789*#'.split('').map((key) => ({ key }))),
  fc.string().map((text): Happening => text),
  fc.constant<Happening>(null),
);

test('whatever happens, no detail is told before the birth date was, nor to anybody of whom it is not known', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 15 }), fc.boolean(), (happenings, isKnown) => {
      const about = isKnown ? brief : { ...brief, birthDate: null };
      let said = '';
      for (const [index, { say, dialogue }] of talk(happenings, about).entries()) {
        const told = happenings[index - 1];
        said +=
          typeof told === 'string'
            ? ` ${told}`
            : told && 'into' in told
              ? ` ${told.into}`
              : (told?.key ?? '');
        if (dialogue.isVerified)
          expect(isKnown && /14,? 1951|3\/14\/1951|03141951|14031951/.test(said)).toBe(true);
        if (say.includes(secret)) expect(dialogue.isVerified).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever happened before, silence ends it, and something came of it', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 10 }), (happenings) => {
      let move = talk(happenings).at(-1)!;
      for (let silences = 0; !move.isOver; silences += 1) {
        expect(silences).toBeLessThan(5);
        move = wait(move.dialogue, brief);
      }
      expect(move.dialogue.conclusion).not.toBeNull();
    }),
  );
});

test('nobody is asked for ever: nonsense ends it too', () => {
  const moves = talk(Array.from({ length: 10 }, () => 'purple elephants'));
  expect(moves.findIndex(({ dialogue }) => dialogue.conclusion !== null)).toBeLessThanOrEqual(4);
  expect(moves.at(-1)!.dialogue.conclusion).toMatchObject({ outcome: 'unresolved' });
});

test('the opening tells that an AI calls and for whom, unless the greeting does, and how to be left alone', () => {
  expect(open(brief).say).toBe(
    'This is an AI assistant calling for Care. Hello from the clinic. If you do not want these calls, say stop, or press 9. May I speak with Rosa Delgado?',
  );
  const own = { ...brief, greeting: 'Hello, this is the automated assistant of the clinic.' };
  expect(open(own).say).toMatch(/^Hello, this is the automated assistant of the clinic\. If you/);
});

test('who does not want to be recorded is not, whenever they say so, and the conversation goes on where it was', () => {
  const [, asked, stopped] = talk(['Yes', 'Do not record this, please']);
  expect(stopped).toMatchObject({ stopsRecording: true, dialogue: { stage: 'verifying', conclusion: null } });
  expect(stopped!.say).toBe(`All right, this call is not recorded. ${asked!.say}`);
  const late = talk(['Yes', 'March 14, 1951', 'Yes', 'And stop recording']).at(-1)!;
  expect(late).toMatchObject({ stopsRecording: true, dialogue: { conclusion: { outcome: 'confirmed' } } });
  expect(late.say).toBe('All right, this call is not recorded.');
});

test('it is said at the beginning that the call is recorded where that must be said', () => {
  expect(open({ ...brief, isRecordingAnnounced: true }).say).toContain(
    'clinic. This call is recorded. If you',
  );
});

test('under the healthcare exemption the number is told at the beginning', () => {
  expect(open({ ...brief, tellsNumberFirst: true }).say).toContain(
    'You can reach us at 4 1 5, 5 5 5, 0 1 9 9.',
  );
});

test('who thinks freely may speak to a verified patient only, and not about leaving us', () => {
  const verified = ['Yes', 'March 14, 1951'];
  expect(talk(verified).map(({ isFree }) => isFree)).toEqual([false, false, true]);
  expect(talk([...verified, 'What should I bring?']).at(-1)!.isFree).toBe(true);
  expect(talk([...verified, 'Stop calling me']).at(-1)!.isFree).toBe(false);
  expect(talk([...verified, 'I want a human']).at(-1)!.isFree).toBe(false);
  expect(talk(['Yes'], { ...brief, birthDate: null }).at(-1)!.isFree).toBe(false);
});

test('a bare yes to a question that was not heard is no answer', () => {
  const moves = talk(['Yes', 'March 14, 1951', { into: 'Yes' }]);
  expect(moves.at(-1)!.dialogue.conclusion).toBeNull();
  expect(moves.at(-1)!.say).toBe(moves.at(-2)!.say);
});

test('promises a call for when the person asked, on their clock', () => {
  const [, move] = talk(['Please call me tomorrow at 10.']);
  expect(move!.dialogue.conclusion).toMatchObject({
    outcome: 'callback_requested',
    promises: [{ at: new Date('2026-03-04T15:00:00Z'), reason: brief.reason, goal: brief.goal }],
  });
});

test('a message is left on a machine only where it may be, and holds nothing but who called and where to call', () => {
  const heard = 'You have reached Rosa, leave a message after the beep';
  const left = talk([heard, null]).at(-1)!;
  expect(left.say).toBe(brief.machineMessage);
  expect(left.say).not.toContain(secret);
  expect(left.dialogue.conclusion).toMatchObject({ outcome: 'left_message', answeredBy: 'MACHINE' });
  const silent = talk([heard, null], { ...brief, machineMessage: null }).at(-1)!;
  expect(silent).toMatchObject({ say: '', dialogue: { conclusion: { outcome: 'unresolved' } } });
});

test('goes on in Spanish with who speaks it, from wherever they are', () => {
  expect(talk(['¿Quién habla?']).at(-1)!.say).toMatch(/¿Puedo hablar con Rosa Delgado\?$/);
  expect(talk(['Yes', 'March 14, 1951', 'No entiendo, por favor']).at(-1)!.say).toMatch(/¿Está de acuerdo\?/);
});
