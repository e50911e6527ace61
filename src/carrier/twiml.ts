import twilio from 'twilio';

const { VoiceResponse } = twilio.twiml;

/** Speech of the languages that we speak, as Twilio names them. */
const locales = { en: 'en-US', es: 'es-US' } as const;

/** Connects whoever answers with our agent at a WebSocket; when that is over, the carrier asks `endedUrl` how to go on. */
export function connectRelay(given: { url: string; endedUrl: string; language: 'en' | 'es' }): string {
  const response = new VoiceResponse();
  const { url, endedUrl, language } = given;
  const connect = response.connect({ action: endedUrl });
  connect.conversationRelay({
    url,
    language: locales[language],
    dtmfDetection: true,
    interruptible: 'any',
  });
  return response.toString();
}

/** Connects whoever answers with an agent of the customer's; the pass admits it to the context of this call. */
export function connectStream(given: {
  url: string;
  endedUrl: string;
  parameters: Record<string, string>;
}): string {
  const response = new VoiceResponse();
  const stream = response.connect({ action: given.endedUrl }).stream({ url: given.url });
  for (const [name, value] of Object.entries(given.parameters)) stream.parameter({ name, value });
  return response.toString();
}

/** Says something and hangs up. */
export function say(text: string, locale: 'en' | 'es'): string {
  const response = new VoiceResponse();
  response.say({ language: locales[locale] }, text);
  response.hangup();
  return response.toString();
}

/** Hangs up. */
export function hangUp(): string {
  const response = new VoiceResponse();
  response.hangup();
  return response.toString();
}
