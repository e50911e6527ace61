/**
 * What a person asks of us by what they write or say: to stop, to start again, or for help. Revocation by any reasonable
 * means counts (47 CFR 64.1200(a)(10), C-32): its words as a whole message, and sentences that a reasonable person
 * understands. A sentence counts only as a whole, so that "stop by at noon" and "don't cancel" mean what they say.
 */

/** What is asked for. */
export interface Wish {
  wish: 'STOP' | 'START' | 'HELP';
  /** Whether Twilio knows the word as well: it then blocks, unblocks and answers by itself. */
  isCarriers: boolean;
}

/** Twilio's default keywords of a long code: the whole message but for blanks, in any case. */
const carriers = {
  STOP: /^\s*(?:stop|unsubscribe|end|quit|stopall|revoke|optout|cancel)\s*$/i,
  START: /^\s*(?:start|unstop|yes)\s*$/i,
  HELP: /^\s*(?:help|info)\s*$/i,
};

/** The same as whole messages without marks and accents, and Spanish ones. */
const words: Record<Wish['wish'], Set<string>> = {
  STOP: new Set(
    'stop|unsubscribe|end|quit|stopall|stop all|revoke|optout|opt out|cancel|alto|parar|pare|paren|baja|cancelar|detener|basta|no mas'.split(
      '|',
    ),
  ),
  START: new Set(['start', 'unstop', 'yes', 'empezar', 'comenzar', 'alta']),
  HELP: new Set(['help', 'info', 'ayuda']),
};

/** What a whole message asks for; null: nothing of this kind. "Yes" starts again only who has opted out. */
export function wishOf(text: string, hasOptedOut: boolean): Wish | null {
  const whole = plain(text);
  for (const wish of ['STOP', 'START', 'HELP'] as const) {
    if (words[wish].has(whole) && (whole !== 'yes' || hasOptedOut))
      return { wish, isCarriers: carriers[wish].test(text) };
  }
  return asksToStop(text) ? { wish: 'STOP', isCarriers: false } : null;
}

/** Whether one of the sentences that somebody wrote or said asks not to be contacted again (C-32). */
export const asksToStop = (text: string): boolean =>
  text.split(/[.!?;\n]+/).some((sentence) => stops.some((pattern) => pattern.test(plain(sentence))));

/** Lower case, without accents, apostrophes and marks: "No MÁS!" is "no mas", "don't" is "dont". */
const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/[\p{Mark}'’‘`´]/gu, '')
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}]+/gu, ' ')
    .trim();

/** What may stand around it without changing what is asked. */
const before =
  '(?:(?:hi|hello|hey|ok|okay|no|yes|well|sorry|thanks|thank you|and|but|just|so|please|pls|plz|kindly|i said|look|listen|can you|could you|would you|will you|you need to|you must|i need you to|i want you to|i would like you to|id like you to|por favor|hola|gracias|ya|les pido que|le pido que) )*';
const after =
  '(?: (?:please|pls|plz|thanks|thank you|again|anymore|any more|any longer|ever|now|immediately|right now|right away|ok|okay|here|at all|from now on|for good|at this number|on this number|on this phone|de nuevo|otra vez|nunca|mas|ahora|por favor|gracias|a este numero))*';
const whole = (core: string) => new RegExp(`^${before}(?:${core})${after}$`);

const contactVerb =
  '(?:call|text|contact|message|phone|ring|bother|harass|disturb|sms|write|write to|reach out to)';
const contacting =
  '(?:calling|texting|contacting|messaging|phoning|ringing|bothering|harassing|writing to|writing)';
const us = '(?: (?:me|us|this number|this phone|my number|my phone|my cell|my home|here))?';
const thing =
  '(?:calls?|texts?|messages?|reminders?|phone calls|text messages|voicemails?|contact|communications?)';
const things = `${thing}(?: (?:and|or) ${thing})*`;
const sent = `(?: (?:any|me|us|more|these|your|all|the|of|those))*`;
const spanishVerb =
  '(?:llame|llamen|llames|escriba|escriban|escribas|contacte|contacten|contactes|moleste|molesten|molestes|mande|manden|mandes|envie|envien|envies)';

const stops = [
  `(?:do not|dont|never|no longer)(?: ever)? ${contactVerb}${us}`,
  `(?:do not|dont|never|stop|quit)(?: ever)? (?:send|sending|leave|leaving)${sent}(?: ${things})?`,
  `(?:stop|quit|cease)(?: all)?(?: (?:it|this|that|${contacting}${us}|${contacting} and ${contacting}${us}))?`,
  `(?:stop|cancel|end)${sent} ${things}`,
  `no more ${things}(?: to${us})?`,
  `(?:take|remove|delete|get|drop) (?:me|us|my number|my name|my phone number|this number)(?: (?:off|out|from|of))*(?: (?:your|the|this|that))?(?: (?:call|calling|contact|text|texting|mailing|phone))?(?: (?:list|lists|database|system|records))?`,
  `(?:leave|let) me alone`,
  `lose my number`,
  `(?:i )?(?:(?:want|would like|wish|need|id like|am asking) to )?(?:opt|opting)(?: me)? out(?: of ${things})?`,
  `(?:i )?(?:want|would like|wish|need|id like) to (?:unsubscribe|stop|be removed|be taken off)(?: (?:from|of|off))?(?: (?:your|the|this))?(?: ${things})?(?: list)?`,
  `unsubscribe(?: me)?(?: from)?(?: (?:this|your|the|all))*(?: (?:list|${things}))?`,
  `i (?:do not|dont|no longer) (?:want|wish|like|need)(?: (?:to|be|get|receive|hear|have|you to|any|these|your|more|further|from))*(?: (?:called|contacted|texted|messaged|you|${contactVerb}${us}|${things}))(?: from (?:you|you people|you guys|your office|this number))?`,
  `(?:i )?(?:revoke|withdraw|take back)(?: my)? (?:consent|permission)(?: to (?:call|text|contact) me)?`,
  `(?:put|place) me on (?:your|the) do not call list`,
  `no me ${spanishVerb}(?: mas)?(?: (?:mensajes|textos|llamadas))?`,
  `no mas (?:llamadas|mensajes|textos|recordatorios)`,
  `no (?:quiero|deseo)(?: (?:que me ${spanishVerb}|recibir|mas|sus|estos|estas|llamadas|mensajes|textos|ni|o))+`,
  `(?:deje|dejen|deja|pare|paren) de (?:llamar|llamarme|escribir|escribirme|contactar|contactarme|molestar|molestarme|mandar|mandarme|enviar|enviarme)(?: (?:mensajes|textos|llamadas))?`,
  `(?:quitenme|quiteme|borreme|borrenme|saqueme|saquenme|elimineme|eliminenme)(?: de (?:la|su|esta|esa) lista)?`,
  `(?:dejeme|dejenme|dejame) en paz`,
  `(?:quiero |quisiera |deseo )?(?:dar|darme|darse|deme|denme) de baja`,
].map(whole);
