import type { Language } from './agent-time.ts';

/** What the scripted agent knows of a call, and what it may say to whom. */
export interface Brief {
  /** Said to whoever answers, before anything else: the call's own words, filled in. */
  greeting: string;
  /** Who is responsible for the call (C-30). */
  organization: string;
  /** Where it can be called back (C-21, C-30). */
  callbackNumber: string;
  patientName: string;
  /** YYYY-MM-DD; null: nobody knows, so that identity cannot be verified and no health detail is spoken. */
  birthDate: string | null;
  language: Language;
  /** What the call is about. Only for the patient's own ears (C-51). */
  reason: string;
  goal: string | null;
  /** Where the person's clock is. */
  zone: string;
  /** Under the healthcare exemption the number is told at the beginning (C-21). */
  tellsNumberFirst: boolean;
  /** Whether it is said first that the call is recorded (C-44). */
  isRecordingAnnounced: boolean;
  /** What is left on a machine (C-50); null: nothing. */
  machineMessage: string | null;
}

/** Everything that the scripted agent can say, in both languages. None of it but `matter` holds a health detail. */
interface Lines {
  disclose(brief: Brief): string;
  reachUs(brief: Brief): string;
  optOut: string;
  recorded: string;
  notRecorded: string;
  askFor(brief: Brief): string;
  askBirthDate: string;
  askBirthDateAgain: string;
  whyBirthDate: string;
  isRightNumber(brief: Brief): string;
  matter(brief: Brief): string;
  matterUnverified: string;
  askWhen: string;
  again: string;
  areYouThere: string;
  confirmed: string;
  declined: string;
  callback(when: string | null): string;
  reschedule(brief: Brief): string;
  optedOut: string;
  wrongPerson: string;
  human(brief: Brief): string;
  absent(brief: Brief): string;
  unverified(brief: Brief): string;
  unresolved(brief: Brief): string;
}

const en: Lines = {
  disclose: ({ organization }) => `This is an AI assistant calling for ${organization}.`,
  reachUs: ({ callbackNumber }) => `You can reach us at ${digitsOf(callbackNumber)}.`,
  optOut: 'If you do not want these calls, say stop, or press 9.',
  recorded: 'This call is recorded.',
  notRecorded: 'All right, this call is not recorded.',
  askFor: ({ patientName }) => `May I speak with ${patientName}?`,
  askBirthDate: 'Thank you. To protect your privacy, what is your full date of birth?',
  askBirthDateAgain: 'That does not match what I have. What is your full date of birth, with the year?',
  whyBirthDate: 'I ask because I may only speak about your care with you. What is your date of birth?',
  isRightNumber: ({ patientName }) => `I see. Is this the right number for ${patientName}?`,
  matter: ({ reason }) =>
    `Thank you. I am calling about this: ${sentence(reason)} Is that all right with you?`,
  matterUnverified:
    'Thank you. We have a message about your care. I cannot give details on this call. May our team get in touch with you about it?',
  askWhen: 'Of course. When should we call you?',
  again: 'I am sorry, I did not understand.',
  areYouThere: 'Are you still there?',
  confirmed: 'Wonderful, I have noted that. Thank you, and goodbye.',
  declined: 'I understand, and have noted that. Thank you for your time. Goodbye.',
  callback: (when) =>
    `${when === null ? 'All right, we will call you another time.' : `All right, we will call you ${when}.`} Goodbye.`,
  reschedule: (brief) =>
    `I will let the team know that you need another time, and they will arrange it with you. ${en.reachUs(brief)} Goodbye.`,
  optedOut: 'I am sorry to have disturbed you. We will not call you again. Goodbye.',
  wrongPerson: 'I am sorry for the mistake. We will not call this number for that person again. Goodbye.',
  human: (brief) =>
    `I will ask the team that a person gets back to you. ${en.reachUs(brief)} Thank you, and goodbye.`,
  absent: (brief) => `Thank you. Please say that ${brief.organization} called. ${en.reachUs(brief)} Goodbye.`,
  unverified: (brief) =>
    `I am sorry, without that I cannot say more. Please call us back. ${en.reachUs(brief)} Goodbye.`,
  unresolved: (brief) => `I will try another time. ${en.reachUs(brief)} Goodbye.`,
};

const es: Lines = {
  disclose: ({ organization }) =>
    `Le habla un asistente de inteligencia artificial, de parte de ${organization}.`,
  reachUs: ({ callbackNumber }) => `Puede llamarnos al ${digitsOf(callbackNumber)}.`,
  optOut: 'Si no desea estas llamadas, diga alto u oprima 9.',
  recorded: 'Esta llamada se graba.',
  notRecorded: 'De acuerdo, esta llamada no se graba.',
  askFor: ({ patientName }) => `¿Puedo hablar con ${patientName}?`,
  askBirthDate: 'Gracias. Para proteger su privacidad, ¿cuál es su fecha de nacimiento completa?',
  askBirthDateAgain: 'No coincide con lo que tengo. ¿Cuál es su fecha de nacimiento, con el año?',
  whyBirthDate: 'Solo puedo hablar de su atención con usted. ¿Cuál es su fecha de nacimiento?',
  isRightNumber: ({ patientName }) => `Entiendo. ¿Es este el número de ${patientName}?`,
  matter: ({ reason }) => `Gracias. Llamo por lo siguiente: ${sentence(reason)} ¿Está de acuerdo?`,
  matterUnverified:
    'Gracias. Tenemos un mensaje sobre su atención. No puedo dar detalles en esta llamada. ¿Puede nuestro equipo comunicarse con usted?',
  askWhen: 'Por supuesto. ¿Cuándo debemos llamarle?',
  again: 'Disculpe, no le entendí.',
  areYouThere: '¿Sigue ahí?',
  confirmed: 'Perfecto, lo he anotado. Gracias y hasta luego.',
  declined: 'Entiendo, lo he anotado. Gracias por su tiempo. Hasta luego.',
  callback: (when) =>
    `${when === null ? 'De acuerdo, le llamaremos en otro momento.' : `De acuerdo, le llamaremos ${when}.`} Hasta luego.`,
  reschedule: (brief) =>
    `Avisaré al equipo que necesita otra fecha, y la acordarán con usted. ${es.reachUs(brief)} Hasta luego.`,
  optedOut: 'Disculpe la molestia. No volveremos a llamarle. Adiós.',
  wrongPerson: 'Disculpe el error. No llamaremos más a este número por esa persona. Adiós.',
  human: (brief) => `Pediré que una persona del equipo le llame. ${es.reachUs(brief)} Gracias y hasta luego.`,
  absent: (brief) =>
    `Gracias. Dígale por favor que llamó ${brief.organization}. ${es.reachUs(brief)} Hasta luego.`,
  unverified: (brief) =>
    `Lo siento, sin ese dato no puedo decir más. Llámenos, por favor. ${es.reachUs(brief)} Adiós.`,
  unresolved: (brief) => `Lo intentaré en otro momento. ${es.reachUs(brief)} Adiós.`,
};

/** The lines of a language. */
export const linesOf = (language: Language): Lines => ({ en, es })[language];

/** The language to speak for a BCP 47 tag; English for what we do not speak. */
export const languageFor = (tag: string | null | undefined): Language =>
  /^es\b/i.test(tag ?? '') ? 'es' : 'en';

/** What already tells whoever answers that nobody of flesh and blood speaks (C-43). */
const discloses = /\b(?:ai|a\.i\.|artificial|automated|virtual|automatizad[oa]|automátic[oa])\b/i;

/**
 * The first thing that is said: that an AI calls (C-43), for whom (C-30), and how to be left alone (C-26); then who is
 * asked for. It is heard by whoever answers, so nothing else of what we know is in it.
 */
export function openingOf(brief: Brief, language: Language): string {
  const lines = linesOf(language);
  const parts = [
    ...(discloses.test(brief.greeting) ? [] : [lines.disclose(brief)]),
    brief.greeting,
    ...(brief.isRecordingAnnounced ? [lines.recorded] : []),
    ...(brief.tellsNumberFirst ? [lines.reachUs(brief)] : []),
    lines.optOut,
    lines.askFor(brief),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** A number as it is read out: its digits in groups, without the country code of North America. */
function digitsOf(phone: string): string {
  const [, area, exchange, line] = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(phone) ?? [];
  const groups = area ? [area, exchange!, line!] : [phone.slice(1)];
  return groups.map((group) => group.split('').join(' ')).join(', ');
}

const sentence = (text: string): string => (/[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`);
