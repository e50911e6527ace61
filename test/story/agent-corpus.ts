import type { Act } from '../../src/simulator/people.ts';

/** One conversation of the corpus: what the person does, and what must come of it. */
export interface Story {
  name: string;
  does: Act[];
  outcome: string | null;
  /** Whether the person is known by name and birth date in the end. */
  verified?: boolean;
  /** Tasks that were promised. Default 0. */
  tasks?: number;
  answeredBy?: string;
  /** A machine answers instead of a person. */
  machine?: 'with beep' | 'without beep';
  /** Said of the patient. */
  patient?: { birthDate?: null; language?: string };
  /** What the model does, where there is one. */
  model?: string;
  /** Something that the agent must have said. */
  agentSays?: RegExp;
  interruptions?: number;
}

const yes = 'Yes, speaking.';
const bye = 'Thank you, goodbye.';
const hangsUp = { hangsUp: true } as const;
const silent = { isSilent: true } as const;

/** Conversations with the scripted agent; asked for the date of birth, a person tells it unless an act says otherwise. */
export const stories: Story[] = [
  // Confirm.
  {
    name: 'confirms',
    does: [yes, 'Yes, that works for me.', bye, hangsUp],
    outcome: 'confirmed',
    verified: true,
  },
  { name: 'confirms in one word', does: ['Yes', 'Yes'], outcome: 'confirmed', verified: true },
  {
    name: 'confirms by keys',
    does: [{ presses: '1' }, { presses: '1' }],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'gives the name first',
    does: ['This is Rosa.', 'Sure, sounds good.'],
    outcome: 'confirmed',
    verified: true,
  },
  { name: 'says no problem', does: [yes, 'No problem.'], outcome: 'confirmed', verified: true },
  { name: 'says will be there', does: [yes, "I'll be there.", bye], outcome: 'confirmed', verified: true },
  {
    name: 'asks who calls first',
    does: ['Who is this?', yes, 'Okay.'],
    outcome: 'confirmed',
    verified: true,
    agentSays: /AI assistant calling for Care/,
  },
  {
    name: 'asks whether it is a robot',
    does: ['Are you a robot?', yes, 'Yes.'],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'asks to repeat',
    does: ['Pardon?', yes, 'Can you say that again?', 'Yes.'],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'keys the date of birth',
    does: [yes, { presses: '03141951' }, 'Yes.'],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'tells name and date at once',
    does: ['Yes, this is Rosa, born March 14, 1951', 'Yes'],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'mistakes the year at first',
    does: [yes, { insteadOfBirthDate: 'March 14, 1952' }, 'Yes.'],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'asks why the date is needed',
    does: [yes, { insteadOfBirthDate: 'Why do you need that?' }, 'Yes.'],
    outcome: 'confirmed',
    verified: true,
  },
  {
    name: 'confirms in Spanish',
    does: ['Sí, soy yo.', 'Sí, está bien.', 'Gracias, adiós.'],
    outcome: 'confirmed',
    verified: true,
    agentSays: /fecha de nacimiento/,
  },
  {
    name: 'is known to speak Spanish',
    does: ['Sí', 'De acuerdo'],
    outcome: 'confirmed',
    verified: true,
    patient: { language: 'es' },
    agentSays: /¿Puedo hablar con/,
  },
  {
    name: 'confirms though nobody knows the birth date',
    does: [yes, 'Yes, that works for me.', bye, hangsUp],
    outcome: 'confirmed',
    verified: false,
    patient: { birthDate: null },
  },
  {
    name: 'thinks again and declines',
    does: [yes, 'Yes.', 'Wait, no, I cannot.'],
    outcome: 'declined',
    verified: true,
  },
  // Decline.
  { name: 'declines', does: [yes, 'No, thank you.', bye], outcome: 'declined', verified: true },
  { name: 'cannot come', does: [yes, "I can't come."], outcome: 'declined', verified: true },
  {
    name: 'cancels the appointment',
    does: [yes, 'Please cancel my appointment.'],
    outcome: 'declined',
    verified: true,
  },
  { name: 'declines by key', does: [yes, { presses: '2' }], outcome: 'declined', verified: true },
  {
    name: 'declines in Spanish',
    does: ['Sí, soy yo', 'No puedo, gracias.'],
    outcome: 'declined',
    verified: true,
  },
  {
    name: 'declines though nobody knows the birth date',
    does: [yes, 'No.'],
    outcome: 'declined',
    verified: false,
    patient: { birthDate: null },
  },
  // Another time.
  {
    name: 'reschedules',
    does: [yes, 'Can we reschedule to Friday?'],
    outcome: 'callback_requested',
    verified: true,
  },
  {
    name: 'needs another day',
    does: [yes, "I can't make it, is there another day?"],
    outcome: 'callback_requested',
    verified: true,
  },
  {
    name: 'agrees, but on another day',
    does: [yes, 'Yes, but on a different day please.'],
    outcome: 'callback_requested',
    verified: true,
  },
  {
    name: 'asks to be called tomorrow at 10',
    does: ['Please call me tomorrow at 10.'],
    outcome: 'callback_requested',
    tasks: 1,
    agentSays: /Wednesday, March 4 at 10:00/,
  },
  {
    name: 'asks to be called in two hours',
    does: [yes, 'Call me back in two hours.'],
    outcome: 'callback_requested',
    tasks: 1,
    verified: true,
  },
  {
    name: 'is driving, and says when on being asked',
    does: ["I'm driving.", 'Tomorrow at 3.'],
    outcome: 'callback_requested',
    tasks: 1,
    agentSays: /3:00 PM/,
  },
  {
    name: 'is busy, and does not say when',
    does: ["I'm busy.", 'I do not know.'],
    outcome: 'callback_requested',
    tasks: 0,
  },
  {
    name: 'does not want a call now but later',
    does: ["Don't call me now, call me tomorrow."],
    outcome: 'callback_requested',
    tasks: 1,
  },
  {
    name: 'asks for a call in Spanish',
    does: ['Llámeme mañana a las diez.'],
    outcome: 'callback_requested',
    tasks: 1,
  },
  {
    name: 'asks for a call instead of the date of birth',
    does: [yes, { insteadOfBirthDate: 'Not a good time, call me tomorrow at noon.' }],
    outcome: 'callback_requested',
    tasks: 1,
  },
  // A person.
  { name: 'wants a person', does: ['Can I talk to a real person?'], outcome: 'callback_requested' },
  {
    name: 'wants a nurse once verified',
    does: [yes, 'I want to speak to a nurse.'],
    outcome: 'callback_requested',
    verified: true,
  },
  { name: 'presses 0', does: [{ presses: '0' }], outcome: 'callback_requested' },
  // Opt-outs.
  { name: 'says stop calling me', does: ['Stop calling me.'], outcome: 'opted_out' },
  {
    name: 'says it angrily',
    does: ['Never ever call me again, leave me alone!', hangsUp],
    outcome: 'opted_out',
  },
  { name: 'says one word', does: ['Stop.'], outcome: 'opted_out' },
  { name: 'presses 9', does: [{ presses: '9' }], outcome: 'opted_out' },
  {
    name: 'opts out in Spanish',
    does: ['No me llame más.'],
    outcome: 'opted_out',
    agentSays: /No volveremos a llamarle/,
  },
  { name: 'opts out in Spanish, politely', does: ['Por favor, quíteme de su lista.'], outcome: 'opted_out' },
  {
    name: 'opts out into the opening',
    does: [{ interrupts: 'Take me off your list!', afterSeconds: 2 }],
    outcome: 'opted_out',
    interruptions: 1,
  },
  {
    name: 'opts out instead of the date of birth',
    does: [yes, { insteadOfBirthDate: 'Remove my number.' }],
    outcome: 'opted_out',
  },
  { name: 'opts out after the matter', does: [yes, 'Unsubscribe me.'], outcome: 'opted_out', verified: true },
  {
    name: 'opts out after the farewell',
    does: [yes, 'Yes.', 'And stop calling me.'],
    outcome: 'opted_out',
    verified: true,
  },
  // Strangers and others.
  {
    name: 'is a stranger',
    does: ['You have the wrong number, nobody of that name lives here.'],
    outcome: 'wrong_person',
  },
  { name: 'says no, and no again', does: ['No.', 'No.'], outcome: 'wrong_person' },
  { name: 'tells of a death', does: ['I am sorry, he passed away.'], outcome: 'wrong_person' },
  { name: 'is a stranger in Spanish', does: ['Número equivocado.'], outcome: 'wrong_person' },
  { name: 'is the husband', does: ["She's not home right now."], outcome: 'left_message' },
  {
    name: 'says no, but it is the right number',
    does: ['No.', 'Yes, she is my wife.'],
    outcome: 'left_message',
  },
  {
    name: 'cannot be verified',
    does: [yes, { insteadOfBirthDate: 'I would rather not say.' }, { insteadOfBirthDate: 'No.' }],
    outcome: 'unresolved',
  },
  {
    name: 'guesses dates',
    does: [
      yes,
      { insteadOfBirthDate: 'March 14 1951 or March 15 1951 or April 1 1951' },
      { insteadOfBirthDate: 'January 1, 1950' },
    ],
    outcome: 'unresolved',
  },
  // Machines.
  {
    name: 'is a machine with a beep',
    does: [],
    machine: 'with beep',
    outcome: null,
    answeredBy: 'MACHINE',
  },
  {
    name: 'is a machine without a beep',
    does: [],
    machine: 'without beep',
    outcome: null,
    answeredBy: 'MACHINE',
  },
  {
    name: 'is a machine that passes for a person',
    does: [
      {
        interrupts: 'You have reached the mailbox of Rosa. Leave a message after the beep.',
        afterSeconds: 1,
      },
      silent,
    ],
    outcome: 'unresolved',
    answeredBy: 'MACHINE',
  },
  // Silence, nonsense, hanging up.
  { name: 'says nothing', does: [silent, silent, silent], outcome: 'unresolved' },
  { name: 'falls silent', does: [yes, silent, silent, silent], outcome: 'unresolved', verified: true },
  {
    name: 'talks nonsense',
    does: ['Purple elephants.', 'The moon is made of cheese.', 'Bananas.', 'Nonsense.'],
    outcome: 'unresolved',
  },
  { name: 'presses other keys', does: [{ presses: '5' }, yes, 'Yes.'], outcome: 'confirmed', verified: true },
  { name: 'hangs up at once', does: [{ hangsUp: true, afterSeconds: 1 }], outcome: 'unresolved' },
  {
    name: 'hangs up while the agent speaks',
    does: [yes, { hangsUp: true, afterSeconds: 1 }],
    outcome: 'unresolved',
  },
  {
    name: 'hangs up in the middle of the matter',
    does: [yes, { insteadOfBirthDate: 'March 14, 1951' }, { hangsUp: true, afterSeconds: 1 }],
    outcome: 'unresolved',
    verified: true,
  },
  // Interruptions.
  {
    name: 'says yes into the opening',
    does: [{ interrupts: 'Yes?', afterSeconds: 2 }, yes, 'Yes.'],
    outcome: 'confirmed',
    verified: true,
    interruptions: 1,
  },
  {
    name: 'says yes before the question is out',
    does: [yes, { interrupts: 'Yes.', afterSeconds: 1 }, 'No.'],
    outcome: 'declined',
    verified: true,
    interruptions: 1,
  },
  {
    name: 'interrupts twice',
    does: [{ interrupts: 'Hello?', afterSeconds: 1 }, { interrupts: 'What?', afterSeconds: 1 }, yes, 'Yes.'],
    outcome: 'confirmed',
    verified: true,
    interruptions: 2,
  },
];
