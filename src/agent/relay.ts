import { z } from 'zod';

/** What Twilio tells over ConversationRelay. Members that we do not use may come and go. */
const message = z.discriminatedUnion('type', [
  z.object({ type: z.literal('setup'), sessionId: z.string(), callSid: z.string(), accountSid: z.string() }),
  z.object({
    type: z.literal('prompt'),
    voicePrompt: z.string().max(4_000),
    lang: z.string().optional(),
    /** False: the person still speaks. */
    last: z.boolean().default(true),
  }),
  z.object({
    type: z.literal('interrupt'),
    /** How much of the last text had been spoken. */
    utteranceUntilInterrupt: z.string().optional(),
    durationUntilInterruptMs: z.number().optional(),
  }),
  z.object({ type: z.literal('dtmf'), digit: z.string().regex(/^[0-9*#A-D]$/) }),
  z.object({ type: z.literal('error'), description: z.string() }),
]);

/** One message from Twilio. */
export type FromRelay = z.output<typeof message>;

/** One message to Twilio. `last` ends what is said; `end` ends the session, and its data come back with the call's next request. */
export type ToRelay = { type: 'text'; token: string; last: boolean } | { type: 'end'; handoffData: string };

/** A frame as a message; null where it is none that is known: what Twilio adds later must not end a call. */
export function readFrame(text: string): FromRelay | null {
  try {
    return message.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
