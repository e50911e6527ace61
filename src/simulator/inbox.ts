import { postInbound } from './message-callbacks.ts';
import { newMessage, type Message, type Text } from './message.ts';
import type { Network } from './network.ts';
import type { OptOuts } from './opt-outs.ts';

/** A person's text, as it is asked for at `POST /inbound`. */
interface PersonsText extends Text {
  /** Tells a text of this sid again, or gives a new one this sid; default: a new text with a new sid. */
  readonly sid?: string | undefined;
}

/** What people text to our numbers. */
export interface Inbox {
  /** Where texts go from now on (SmsUrl of every number); the fragment says how. */
  messagesTo(url: string): void;
  /** Whether anybody wants to know of texts. */
  isWanted(): boolean;
  /** Makes a person text; gives the sid before it is told. */
  receive(text: PersonsText): string;
  /** Settles when everything so far was told or given up. */
  settled(): Promise<void>;
}

/** What an inbox is opened with. */
interface InboxOptions {
  readonly network: Network;
  readonly optOuts: OptOuts;
  /** Every text of the account by sid; what comes in is added. */
  readonly messages: Map<string, Message>;
  readonly url: string | undefined;
}

/** An inbox in which nothing has arrived. */
export function openInbox({ network, optOuts, messages, url }: InboxOptions): Inbox {
  let target = url;
  /** By both numbers: what one person says to one number is told in the order in which it was said. */
  const lines = new Map<string, Promise<unknown>>();
  function arrive({ sid, ...text }: PersonsText): Message {
    const beginning = { text, direction: 'inbound', status: 'received', ...(sid && { sid }) } as const;
    const message = newMessage(beginning, network.now());
    messages.set(message.sid, message);
    const answer = optOuts.hear(text);
    if (answer !== null) reply(text, answer);
    return message;
  }
  function reply({ to, from }: Text, body: string): void {
    const text = { to: from, from: to, body };
    const message = newMessage({ text, direction: 'outbound-reply', status: 'sent' }, network.now());
    messages.set(message.sid, message);
  }
  async function tell(message: Message, asked: string): Promise<void> {
    const answer = await postInbound(message, network, asked);
    if ('body' in answer && answer.body.includes('<Message')) {
      network.log(`message ${message.sid}: TwiML that answers a text is not performed here`);
    }
  }
  return {
    messagesTo: (next) => void (target = next),
    isWanted: () => target !== undefined,
    receive: (text) => {
      const message = messages.get(text.sid ?? '') ?? arrive(text);
      const asked = target;
      if (asked === undefined) return message.sid;
      const line = `${message.text.from} ${message.text.to}`;
      const before = lines.get(line) ?? Promise.resolve();
      lines.set(
        line,
        before.then(() => tell(message, asked)),
      );
      return message.sid;
    },
    settled: async () => void (await Promise.all(lines.values())),
  };
}
