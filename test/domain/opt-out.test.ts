import { expect, test } from 'vitest';
import { asksToStop, wishOf } from '../../src/domain/opt-out.ts';

/** Whole messages that are keywords, some of which the carrier knows by itself. */
const keywords: [text: string, wish: string, isCarriers: boolean][] = [
  ...['STOP', 'stop', ' Stop ', 'UNSUBSCRIBE', 'End', 'quit', 'STOPALL', 'revoke', 'OptOut', 'cancel'].map(
    (text): [string, string, boolean] => [text, 'STOP', true],
  ),
  ...[
    'Stop.',
    'STOP!!',
    '"stop"',
    'Stop all',
    'opt out',
    'opt-out',
    'ALTO',
    'parar',
    'Baja',
    'cancelar',
    '¡Alto!',
  ].map((text): [string, string, boolean] => [text, 'STOP', false]),
  ...['START', 'unstop', ' Start'].map((text): [string, string, boolean] => [text, 'START', true]),
  ...['Start!', 'EMPEZAR', 'alta'].map((text): [string, string, boolean] => [text, 'START', false]),
  ...['HELP', 'info'].map((text): [string, string, boolean] => [text, 'HELP', true]),
  ...['Help?', 'AYUDA'].map((text): [string, string, boolean] => [text, 'HELP', false]),
];

test.each(keywords)('%s is a keyword', (text, wish, isCarriers) => {
  expect(wishOf(text, false)).toEqual({ wish, isCarriers });
});

test('"yes" starts again only who has opted out', () => {
  expect(wishOf('Yes', true)).toEqual({ wish: 'START', isCarriers: true });
  expect(wishOf('Yes', false)).toBeNull();
});

/** What a reasonable person understands as: do not contact me again (C-32). */
const asking = `please don't call me again
Please dont text me anymore.
Do not contact me
do not call this number again
don’t ever call me
never call me again
stop calling me
Stop texting me please
please stop
PLEASE STOP TEXTING
stop it
just stop
stop contacting me at this number
Stop sending me messages
stop sending these texts
quit calling me
stop all calls and texts
Stop messages
no more calls
No more texts please
no more messages from now on
take me off your list
please take me off the list
Take me off
remove me
Remove my number
remove me from your call list
please remove my number from your database
delete my number
Leave me alone
leave me alone!!
lose my number
I want to opt out
opt me out
Opting out
I'd like to opt out please
unsubscribe me
unsubscribe me from this list
I want to unsubscribe
I don't want any more texts
I do not want to receive messages from you
I don't want to be contacted
i dont want you to call me
I no longer want to receive your messages
I revoke my consent
I withdraw my consent to call me
put me on your do not call list
Hi, please stop calling me. Thanks.
You have the wrong idea. Do not call me again!
Sorry. No more calls please.
no más
No mas
no me llamen más
No me llame por favor
por favor no me llamen
no me escriban más
no me envíen más mensajes
no más mensajes
No quiero recibir mensajes
no quiero que me llamen
No quiero más llamadas
dejen de llamarme
Deje de escribirme por favor
paren de llamar
quítenme de la lista
Bórreme de su lista
déjenme en paz
quiero darme de baja
darme de baja
basta`.split('\n');

test.each(asking)('"%s" opts out', (text) => {
  expect(wishOf(text, false)).toEqual({ wish: 'STOP', isCarriers: false });
});

/** What is something else, however much it has the words of it. */
const meaningOtherwise = `Can I stop by at noon?
I'll stop by tomorrow
stop by later
don't cancel
please don't cancel my appointment
Don't stop
do not stop sending reminders
Can we cancel my appointment on Friday?
cancel my appointment please
I need to cancel
I want to cancel tomorrow's visit
When does the pain stop
the bleeding won't stop
Should I stop taking my medication?
I stopped taking it
stop the medication?
Don't call me before 9
don't call me at work, call my cell
do not call me today, call tomorrow
please call me again
Call me back
text me instead
I don't want to miss my appointment
I do not want to wait any longer
I want to be called tomorrow
take me off the waiting list for Tuesday and put me on Friday
leave me a message
leave me the number
remove the stitches
delete
The end of the month works
quit smoking
how do I quit smoking
no
no thanks
No more pain, thank you
I have no more questions
help me book an appointment
I need help with my bill
start at 9 then?
When do I start
yes please
sí
alto riesgo
no más dolor, gracias
no me duele más
no me llamo Ana
quiero cancelar mi cita
cancelar la cita
no puedo ir
me dieron de alta
dar de alta
opt for Tuesday`.split('\n');

test.each(meaningOtherwise)('"%s" does not', (text) => {
  expect(wishOf(text, false)).toBeNull();
});

test('in speech a word alone asks for nothing, a sentence does', () => {
  for (const word of ['cancel', 'end', 'alto', 'baja']) expect(asksToStop(word)).toBe(false);
  expect(asksToStop('Look, stop calling me')).toBe(true);
  expect(asksToStop('stop')).toBe(true);
});
