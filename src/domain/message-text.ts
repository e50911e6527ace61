import type { LegalBasis } from './consent.ts';
import { InputRefusal } from './refusal.ts';

/** GSM 03.38: the characters that take one septet; those of the extension table take two. */
const basic = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
);
const extension = new Set('\f^{}\\[~]|€');

/** What one message holds alone, and each part of several after its header: septets, or UTF-16 units. */
const gsm7 = { alone: 160, part: 153 };
const ucs2 = { alone: 70, part: 67 };

/** In how many segments a text travels, and is paid for: GSM-7 where its table has every character, else UCS-2. */
export function segmentsOf(body: string): number {
  const characters = Array.from(body);
  const isGsm = characters.every((one) => basic.has(one) || extension.has(one));
  const sizes = characters.map((one) => (isGsm ? 1 + Number(extension.has(one)) : one.length));
  const { alone, part } = isGsm ? gsm7 : ucs2;
  if (sizes.reduce((sum, size) => sum + size, 0) <= alone) return 1;
  let parts = 1;
  let used = 0;
  for (const size of sizes) {
    // A character of two units is never torn.
    if (used + size > part) [parts, used] = [parts + 1, 0];
    used += size;
  }
  return parts;
}

/** Twilio: the most UTF-16 units that a message may have, 21617 beyond. */
export const longestBody = 1_600;

/** The most characters under the healthcare exemption, 47 CFR 64.1200(a)(9)(iv)(E) (C-24). */
const longestExempt = 160;

/** Refuses INVALID_INPUT for a message that is too long for the carrier, or for the grounds that it is sent on. */
export function checkLength(body: string, basis: LegalBasis | null, path: string[]): void {
  const isExempt = basis === 'HEALTHCARE_EXEMPTION';
  const longest = isExempt ? longestExempt : longestBody;
  const length = isExempt ? Array.from(body).length : body.length;
  if (length <= longest) return;
  const why = isExempt ? ' under the healthcare exemption' : '';
  const message = `The message has ${length} characters, with who writes and how to opt out; at most ${longest}${why}.`;
  throw new InputRefusal([{ path, message }]);
}

/** The most characters of an answer that nobody has read before it is sent: two segments. */
const longestAnswer = 306;

/** As many whole sentences of an answer as may be sent; null: not even the first one. */
export function longestReply(text: string, basis: LegalBasis | null): string | null {
  const most = basis === 'HEALTHCARE_EXEMPTION' ? longestExempt : longestAnswer;
  const whole = text.replaceAll(/\s+/g, ' ').trim();
  let kept = '';
  for (const sentence of whole.match(/[^.!?]+[.!?]*\s*/g) ?? []) {
    if (kept.length + sentence.trimEnd().length > most) break;
    kept += sentence;
  }
  return kept.trim() || null;
}

const isSpanish = (language: string | null | undefined) => /^es\b/i.test(language ?? '');

/**
 * How the first message of a conversation reads: who writes, and how to opt out, are added where they are missing (C-26,
 * C-60). One that is left out says that there is a message, and nothing of why (C-50). STOP is the carrier's keyword in
 * every language.
 */
export function firstTextOf(given: {
  opening: string | null;
  sender: string;
  language: string | null | undefined;
}): string {
  const { opening, sender } = given;
  const spanish = isSpanish(given.language);
  const unsaid = spanish
    ? 'tenemos un mensaje para usted. Responda a este mensaje para hablar con nosotros.'
    : 'we have a message for you. Reply to this text to talk with us.';
  const said = opening?.trim() ?? unsaid;
  const isSigned = said.toLowerCase().includes(sender.toLowerCase());
  const signed = isSigned ? said : `${sender}: ${said}`;
  const optOut = spanish ? 'Responda STOP para darse de baja.' : 'Reply STOP to opt out.';
  return /\bSTOP\b/.test(signed) ? signed : `${signed} ${optOut}`;
}

/** The one confirmation of an opt-out that the carrier does not confirm by itself (C-35). */
export const confirmationOf = (sender: string, language: string | null | undefined): string =>
  isSpanish(language)
    ? `${sender}: hemos anotado que no desea mensajes ni llamadas. Responda START si cambia de idea.`
    : `${sender}: you will get no more texts or calls from us. Reply START if you change your mind.`;

/** Asked once of a number that several share; it names nobody. */
export const whoWrites = (sender: string): string =>
  `${sender}: several people share this number. Please reply with your full name. Reply STOP to opt out.`;
