import twilio from 'twilio';

const { VoiceResponse } = twilio.twiml;

/** Speech of the languages that we speak, as Twilio names them. */
const locales = { en: 'en-US', es: 'es-US' } as const;

/** How a call is recorded; null: not at all. */
export type Recorded = { url: string } | null;

/** The one way to record beside ConversationRelay, which ignores `Record` of the call; it ends with the call. */
function record(response: InstanceType<typeof VoiceResponse>, recorded: Recorded): void {
  if (recorded === null) return;
  const told = {
    recordingStatusCallback: recorded.url,
    recordingStatusCallbackEvent: ['completed' as const],
  };
  response.start().recording(told);
}

/** Connects whoever answers with our agent at a WebSocket; when that is over, the carrier asks `endedUrl` how to go on. */
export function connectRelay(given: {
  url: string;
  endedUrl: string;
  language: 'en' | 'es';
  recorded: Recorded;
}): string {
  const response = new VoiceResponse();
  record(response, given.recorded);
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

/**
 * Connects whoever answers with an agent of the customer's; the pass admits it to the context of this call. `notice` is said
 * first, null: nothing.
 */
export function connectStream(given: {
  url: string;
  endedUrl: string;
  parameters: Record<string, string>;
  recorded: Recorded;
  notice: { text: string; language: 'en' | 'es' } | null;
}): string {
  const response = new VoiceResponse();
  record(response, given.recorded);
  if (given.notice) response.say({ language: locales[given.notice.language] }, given.notice.text);
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
