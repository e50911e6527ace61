/** Which channel a person is tried on, where nobody has said. */
import type { Channel } from './consent.ts';

/** One of our numbers that can send on a channel. */
export interface Sender {
  channel: Channel;
  phoneFrom: string;
}

/**
 * The order where nothing else decides: a call can achieve the most, a voicemail is heard when it suits, a text is cheap
 * and stays.
 */
const ladder: Channel[] = ['VOICE', 'VOICEMAIL', 'TEXT'];

/** What a choice of channel is made from. */
export interface Choice {
  /** What we can send on. */
  senders: Sender[];
  /** What the person has said that they prefer; null: nothing. */
  preferred: Channel | null;
  /** Channels on which the person has been reached before, the latest first. */
  worked: Channel[];
  /** Channels of the attempts so far, in order. */
  tried: readonly Channel[];
  /** Whether the person may be attempted on a channel, at some time. */
  isOpen(channel: Channel): boolean;
}

/**
 * The channel that has been tried least of those that are open and that we can send on; of several, the one that the person prefers, then one that has reached them
 * before, then the ladder's order: call, voicemail, text. Null: there is none.
 */
export function chooseChannel(choice: Choice): { sender: Sender; why: string } | null {
  const { senders, preferred, worked, tried, isOpen } = choice;
  const ordered = [...new Set([...(preferred ? [preferred] : []), ...worked, ...ladder])];
  const candidates = ordered.flatMap((channel) => {
    const sender = senders.find((own) => own.channel === channel);
    return sender && isOpen(channel) ? [sender] : [];
  });
  const times = (channel: Channel) => tried.filter((earlier) => earlier === channel).length;
  const least = Math.min(...candidates.map(({ channel }) => times(channel)));
  const sender = candidates.find(({ channel }) => times(channel) === least);
  return sender ? { sender, why: whyOf(sender.channel, choice) } : null;
}

function whyOf(channel: Channel, { preferred, worked, tried }: Choice): string {
  const by = wordsOf[channel];
  if (channel === preferred) return `${by}, which the patient prefers`;
  if (worked.includes(channel)) return `${by}, which has reached the patient before`;
  if (tried.length > 0 && !tried.includes(channel)) return `${by}, which has not been tried`;
  return by;
}

const wordsOf: Record<Channel, string> = {
  VOICE: 'by call',
  VOICEMAIL: 'by voicemail',
  TEXT: 'by text',
};
