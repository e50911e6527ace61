/** Lower case, without accents, apostrophes and punctuation, and with single spaces. */
export const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{Mark}|['’]/gu, '')
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}]+/gu, ' ')
    .trim();

/** Matches whole words of plain text. */
const words = (...alternatives: string[]) => new RegExp(`(?:^| )(?:${alternatives.join('|')})(?= |$)`);

/** Revocations that only speech has; the others are those of texts (opt-out.ts). */
export const optsOut = words(
  'told you (?:people )?not to (?:call|ring|phone)',
  'no vuelvan? a llamar(?:me|nos)?',
);

/** They sound like a revocation and are none: a time at which not to call, or something else that is to stop. */
export const notNow = words(
  '(?:dont|do not|not) (?:call|phone|ring) (?:me |us )?(?:now|right now|today|at work|at this|this (?:early|late)|before|until|after|in the|on|between|so (?:early|late))',
  'no me llamen? (?:ahora|hoy|antes|en este|a esta|por la|al trabajo)',
  '(?:dont|do not|never) (?:cancel|stop)',
);

/** The person does not want to be recorded. */
export const notRecorded = words(
  '(?:dont|do not|never) (?:\\w+ ){0,2}record(?: \\w+){0,3}',
  '(?:stop|quit|no|not|without|dont want|do not want) (?:\\w+ ){0,3}record(?:ed|ing)(?: \\w+){0,3}',
  '(?:turn|switch) (?:off )?(?:the |that |this )?record(?:ing|er)(?: off)?',
  'no (?:\\w+ ){0,3}(?:grabe[ns]?|grabar|grabad[oa]|grabando|grabacion)(?: \\w+){0,3}',
  'dejen? de grabar(?: \\w+){0,3}',
);

/** Nobody of that name can be reached here. */
export const wrongPerson = words(
  'wrong (?:number|person|house|guy|lady)',
  '(?:nobody|no one|noone|no body|there is no|theres no|there isnt|isnt|not) (?:\\w+ ){0,4}(?:of|by|with|named|called) (?:that|this|the) name(?: \\w+){0,3}',
  '(?:nobody|no one|noone) (?:of that name|by that name|called|named)',
  '(?:never heard of|dont know|do not know|dont know any|know nobody) (?:him|her|them|that (?:name|person)|anybody|anyone|any such)',
  '(?:doesnt|does not|dont|no longer|never) (?:live|lived|work) here',
  'no longer (?:at|has|have) this number',
  'this is not (?:his|her|their) (?:number|phone)',
  '(?:im|i am|this is) not (?:him|her|that person|the person|who you)',
  '(?:passed away|is dead|has died|died|is deceased|murio|fallecio|ha fallecido)',
  'numero equivocado',
  'se (?:equivoco|ha equivocado|equivocaron)',
  '(?:esta|es) equivocado',
  'no (?:vive|es) (?:aqui|aca|ese|esa)',
  'aqui no (?:vive|hay) (?:nadie|ninguna|ningun)?',
  'no soy (?:yo|esa persona|el|ella)',
  'no (?:lo|la) conozco',
);

/** Somebody else speaks, and the person is not there. */
export const absent = words(
  '(?:he|she|they|hes|shes|theyre)(?: is| are)? (?:not|isnt|arent|out|away|asleep|sleeping|at work|at the|busy|unavailable)(?: \\w+){0,3}',
  'isnt (?:here|home|in|available)',
  'is not (?:here|home|in|available)',
  'not (?:here|home|in|available) (?:right now|at the moment|now|today)',
  '(?:im|i am|this is) (?:his|her|their) (?:\\w+)',
  'can i take a message',
  'no (?:esta|se encuentra)(?: en casa| aqui| ahora| disponible)?',
  'soy (?:su|el|la) (?:esposo|esposa|hijo|hija|hermano|hermana|madre|padre|mama|papa|nieto|nieta)',
);

/** A recorded announcement. */
export const voicemail = words(
  'leave (?:a|your|me a) (?:\\w+ )?(?:message|name)',
  '(?:after|at) the (?:tone|beep)',
  'voice ?mail(?:box)?',
  'you(?: ha)?ve reached',
  'cannot take your call',
  'cant (?:take your call|come to the phone)',
  'is not available to take',
  'the person you are (?:trying to reach|calling)',
  'mailbox',
  'deje (?:su|un) (?:mensaje|nombre)',
  'despues (?:del|de la) (?:tono|senal)',
  'buzon de voz',
);

/** A person is wanted instead of an AI. */
export const human = words(
  '(?:speak|talk)(?:ing)? (?:to|with) (?:an?|the|some|your|my)? ?(?:\\w+ )?(?:real |actual |live |human )?(?:person|human|someone|somebody|nurse|doctor|agent|representative|operator|receptionist|staff)(?: \\w+)?',
  '(?:real|actual|live) (?:person|human)',
  '(?:want|need|like|get|give me|prefer) (?:an?|the|some) (?:\\w+ )?(?:human|person|nurse|operator|representative)',
  '(?:human|operator|representative|agent) please',
  '^(?:human|operator|representative|agent)$',
  '(?:connect|transfer|put) me (?:to|through|with)',
  'not (?:talking|speaking) to a (?:robot|machine|computer)',
  'hablar con (?:una|un|el|la|alguien)(?: \\w+)?',
  'una persona(?: real| de verdad)?',
);

/** Another time for the call is wanted. */
export const callback = words(
  '(?:call|phone|ring|try)(?: me| us| him| her)?(?: back| again)? (?:later|tomorrow|another time|some other time|tonight|this \\w+|next \\w+|on \\w+|in (?:a|an|the|\\w+) \\w+|at \\w+|after \\w+)',
  '(?:call|phone|ring) (?:me |us )?back',
  '(?:not|isnt|bad) (?:a )?(?:good|great|the best)? ?time',
  '(?:im|i am|were|we are) (?:busy|driving|at work|in a meeting|eating|cooking|on the bus)',
  'cant talk',
  'can (?:you|we) (?:call|talk|speak|do this) (?:back |again )?(?:later|tomorrow|another)',
  '(?:dont|do not|not) (?:call|phone|ring) (?:me |us )?(?:now|right now|today|at work|this early|this late|before|so early|so late)',
  'llamen?me (?:manana|mas tarde|luego|despues|el|otro|a las|en)(?: \\w+)*',
  '(?:mas tarde|otro momento|estoy (?:ocupad[oa]|manejando|trabajando))',
  'puede llamar(?:me)? (?:manana|mas tarde|luego|despues|el|a las)',
);

/** Another time for what the call is about is wanted. */
export const otherTime = words(
  'resched?ul\\w*',
  '(?:change|move|switch|push|postpone)(?: \\w+){0,3} (?:appointment|visit|date|time|day|it|to)',
  '(?:another|other|different|better) (?:day|date|time|appointment)',
  'can(?:t| not|not) (?:make it|come|do it|do that|be there|go)(?: \\w+){0,3} (?:but|can we|could we|is there)',
  '(?:cambiar|mover|posponer|reprogramar)(?: \\w+){0,3}',
  'otr[oa] (?:dia|fecha|hora|cita)',
);

/** Who calls, and what for? */
export const who = words(
  'who (?:is|are|am|r)(?: this| that| it| you| i)?(?: \\w+){0,3}',
  'whos (?:this|that|calling|there|speaking|it)',
  'what (?:is|s)? ?(?:this|it|that) (?:is )?(?:about|regarding|for)',
  'whats (?:this|it|that) (?:about|regarding|for)|why are you calling|what do you (?:want|need)',
  'are you (?:a|an) (?:robot|machine|computer|ai|real|human|recording|bot)(?: \\w+)?',
  'is this (?:a|an) (?:robot|machine|computer|ai|real|human|recording|bot|scam)(?: \\w+)?',
  'quien (?:es|habla|llama)|de parte de quien|de que se trata',
  'es (?:un|una) (?:robot|maquina|persona)',
);

/** Please say that again. */
export const repeat = words(
  'what(?: did you say| was that)?$|(?:can|could|would) you (?:say|repeat)(?: \\w+){0,3}',
  '(?:say|repeat) (?:that|it)(?: again)?|pardon(?: me)?|(?:im )?sorry what$|^sorry$|come again',
  'i (?:didnt|did not|cant|couldnt) (?:hear|catch|understand|get)(?: \\w+){0,3}|hello$',
  'como(?: dice| dijo)?$|(?:puede )?repetir(?:lo)?|no (?:entiendo|entendi|escucho|oigo)|bueno$',
);

/** Agreement. */
export const yes = words(
  'yes|yeah|yep|yup|yea|sure|ok|okay|correct|right|speaking|absolutely|definitely|certainly',
  'of course|uh huh|mm hmm|thats (?:me|fine|good|great|right|correct|ok|okay)',
  'this is (?:he|she|him|her|me)|(?:it|that) (?:works|sounds good|is fine|suits)|works for me',
  'sounds (?:good|great|fine)|ill be there|i (?:will|can|do|confirm|am)$',
  'i (?:will be there|confirm|can make it|can come)|(?:no|not a) problem|why not|si|claro|correcto',
  'de acuerdo|esta bien|asi es|confirmo|vale|con el|con ella|habla el|habla ella|soy yo',
  'por supuesto|digame',
);

/** Refusal. */
export const no = words(
  'no|nope|nah|not|never|cant|cannot|wont|dont|doesnt|isnt|wouldnt|rather not|unable|refuse|decline',
  'nunca|jamas|tampoco|no (?:puedo|quiero|gracias)',
  '(?:cancel|cancelar|cancele|cancelo)(?: \\w+){0,3}',
);

/** Agreement that sounds like refusal. */
export const notNo = words(
  '(?:no|not a) problem|why not|no worries|dont worry|(?:do not|dont|no) cancel(?:e|en|ar)?',
);

/** Goodbye. */
export const farewell = words(
  'bye|bye bye|good ?bye|have a (?:good|nice|great) (?:\\w+)|see you|talk to you later|adios',
  'hasta luego',
);

/** Words that only Spanish has. */
export const spanish = words(
  'espanol|gracias|hola|bueno|si|quien|habla|numero|llamadas?|llamen?(?:me)?|llame|soy|aqui',
  'equivocado|manana|por favor|esta bien|de acuerdo',
  'no (?:me|puedo|quiero|entiendo|esta|hablo|vive|mas|gracias|se)|senora?|usted',
);
/** Words that only English has. */
export const english = words('yes|the|you|i|im|this|is|call|thank|thanks|speak|what');

/** What is not to be cancelled or stopped is none of our calls. */
export const denyCancel = words('(?:dont|do not|never) (?:cancel|stop)');
