import type { Twilio } from 'twilio';
import type { Answer } from '../domain/call-progress.ts';
import type { Heard } from '../domain/conversation-progress.ts';
import { answerOf, isUnknown, notBegun, refusalOf } from './failure.ts';

/** A text that is to be sent. The URL that tells of it names our ids only. */
export interface TextOrder {
  workspaceId: string;
  /** Null: nobody wants to know what becomes of it. */
  messageId: string | null;
  to: string;
  from: string;
  body: string;
  /** For how long the carrier may keep it in its queue, in seconds. */
  validSeconds: number;
}

/** A text as the carrier lists it. */
export interface ListedText extends Heard {
  body: string;
  createdAt: Date;
}

/** Twilio: ValidityPeriod, 1 to 36,000 seconds. */
const longestValiditySeconds = 36_000;

/** The carrier's texts. `everyRetry` is how its callbacks are to be retried. */
export function openTexts(
  client: Twilio,
  { publicUrl, everyRetry }: { publicUrl: string; everyRetry: string },
) {
  /**
   * Asks for one text, at most once, as `dial` does. Texts take no turns: how many a number may send in a second is the
   * carrier's queue to keep, and the validity period ends the wait in it.
   */
  async function text(order: TextOrder): Promise<Answer> {
    const { workspaceId, messageId, to, from, body, validSeconds } = order;
    try {
      const message = await notBegun.execute(() =>
        client.messages.create({
          to,
          from,
          body,
          validityPeriod: Math.max(1, Math.min(longestValiditySeconds, Math.floor(validSeconds))),
          ...(messageId && {
            statusCallback: `${publicUrl}/carrier/${workspaceId}/messages/${messageId}/status${everyRetry}`,
          }),
        }),
      );
      return { outcome: 'accepted', sid: message.sid };
    } catch (error) {
      return answerOf(error, 'message');
    }
  }

  /** What the carrier knows of a text; null when it knows of none. */
  async function lookUpText(sid: string): Promise<Heard | null> {
    try {
      return heardOf(await client.messages(sid).fetch());
    } catch (error) {
      if (isUnknown(error)) return null;
      throw refusalOf(error);
    }
  }

  /** The account's newest texts from one number to another, at most 50. The list may lag behind what was accepted. */
  async function listTexts(to: string, from: string): Promise<ListedText[]> {
    try {
      const found = await client.messages.list({ to, from, limit: 50 });
      return found.map((message) => ({
        ...heardOf(message),
        body: message.body,
        createdAt: message.dateCreated,
      }));
    } catch (error) {
      throw refusalOf(error);
    }
  }

  return {
    text,
    lookUpText,
    listTexts,
    /** Where the carrier is to tell what people text to our numbers. */
    messageUrl: `${publicUrl}/carrier/messages${everyRetry}`,
  };
}

/** The carrier, as far as texts are concerned. */
export type TextCarrier = ReturnType<typeof openTexts>;

interface Resource {
  sid: string;
  status: string;
  errorCode: number | null;
}

const heardOf = ({ sid, status, errorCode }: Resource): Heard => ({
  sid,
  status,
  carrierCode: errorCode ? String(errorCode) : null,
  via: 'lookup',
});
