import { expect, test } from 'vitest';
import { understand } from '../../src/domain/agent-ear.ts';

/** C-32: the words of the rule, and what a reasonable person understands; in both languages. */
const optOuts = [
  'stop',
  'STOP!',
  'Stop it.',
  'quit',
  'end',
  'revoke',
  'opt out',
  'opt-out',
  'cancel',
  'unsubscribe',
  'please stop',
  'Stop calling me.',
  'Would you please stop calling this number?',
  "Don't call me again.",
  'do not call me anymore',
  "please don't ever call here again",
  'Never call me again!',
  'I told you not to call',
  'take me off your list',
  'Take my number off this list right now.',
  'remove my number',
  'Remove me from your call list',
  'no more calls please',
  'lose my number',
  'leave me alone',
  'Quit bothering me',
  'I revoke my consent',
  'put me on your do not call list',
  'stop these calls',
  'Yes, this is Rosa, but stop calling me',
  'no más',
  'No más llamadas, por favor.',
  'No me llame más.',
  'no me llamen nunca más',
  'No vuelva a llamarme.',
  'deje de llamarme',
  'Dejen de molestar',
  'déjeme en paz',
  'quíteme de su lista',
  'Bórrenme de la lista',
  'ya no me llamen',
  'No quiero más llamadas',
  'basta',
  'alto',
];

const notOptOuts = [
  'Can you stop by later?',
  "Please don't cancel my appointment.",
  'I want to cancel my appointment',
  'Should I stop taking the pills?',
  'At the end of the week',
  "Don't call me now, call me tomorrow.",
  'Do not call me at work, call me tonight',
  'the bus stop is far',
  'Yes, that works for me.',
  'I quit smoking last year',
  'My shift ends at five',
  'No cancele mi cita',
  'No me llame ahora, llámeme mañana',
  'No, thank you.',
];

test.each(optOuts)('hears that no more calls are wanted: %s', (text) => {
  expect(understand(text).wantsNoContact).toBe(true);
});

test.each(notOptOuts)('hears no opt-out in: %s', (text) => {
  expect(understand(text).wantsNoContact).toBe(false);
});

const meanings: [string, Partial<ReturnType<typeof understand>>][] = [
  ['You have the wrong number', { isWrongPerson: true, wantsNoContact: false }],
  ['Nobody by that name here', { isWrongPerson: true }],
  ['You have the wrong number, nobody of that name lives here.', { isWrongPerson: true }],
  ["She doesn't live here anymore", { isWrongPerson: true }],
  ['I never heard of her', { isWrongPerson: true }],
  ['I am sorry, he passed away last month', { isWrongPerson: true }],
  ['Número equivocado', { isWrongPerson: true, isSpanish: true }],
  ['Aquí no vive nadie con ese nombre', { isWrongPerson: true }],
  ["She's not home right now", { isAbsent: true, isWrongPerson: false }],
  ['He is at work, can I take a message?', { isAbsent: true }],
  ['This is her husband', { isAbsent: true }],
  ['No está', { isAbsent: true }],
  ['You have reached the voicemail of Rosa. Leave a message after the tone.', { isVoicemail: true }],
  ['Por favor deje su mensaje después del tono', { isVoicemail: true }],
  ['Can I talk to a real person?', { wantsHuman: true }],
  ['Let me speak to a nurse please', { wantsHuman: true }],
  ['operator', { wantsHuman: true }],
  ['Quiero hablar con una persona', { wantsHuman: true }],
  ['Please call me tomorrow at 10.', { wantsCallback: true, wantsNoContact: false }],
  ["I'm driving, can you call back later?", { wantsCallback: true }],
  ['This is not a good time', { wantsCallback: true }],
  ['Llámeme mañana a las diez', { wantsCallback: true, isSpanish: true }],
  ['Can we reschedule?', { wantsOtherTime: true }],
  ["I can't make it, is there another day?", { wantsOtherTime: true }],
  ['Who is this?', { asksWho: true }],
  ['What is this about?', { asksWho: true }],
  ['Are you a robot?', { asksWho: true }],
  ['¿Quién habla?', { asksWho: true, isSpanish: true }],
  ['Yes, speaking.', { isYes: true, isNo: false }],
  ['Yeah sure', { isYes: true }],
  ['No problem', { isYes: true, isNo: false }],
  ['Sí, claro', { isYes: true, isSpanish: true }],
  ['No', { isYes: false, isNo: true }],
  ["I can't come", { isYes: false, isNo: true }],
  ['Not really', { isYes: false, isNo: true }],
  ['I would rather not say.', { isNo: true, isYes: false }],
  ['cancel my appointment', { isNo: true }],
  ['Thank you, goodbye.', { isFarewell: true, isNo: false }],
  ['Hello?', { asksRepeat: true, isSpanish: false }],
  ['Purple elephants', { isYes: false, isNo: false, asksRepeat: false, asksWho: false }],
  ['', { isYes: false, isNo: false, wantsNoContact: false }],
];

test.each(meanings)('understands: %s', (text, meaning) => {
  expect(understand(text)).toMatchObject(meaning);
});
