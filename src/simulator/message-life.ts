import { announceMessage } from './message-callbacks.ts';
import type { Message, MessageStatus } from './message.ts';
import type { Network } from './network.ts';
import { texterAt } from './texters.ts';

/** Seconds between events, as people experience them. */
const IN_QUEUE = 0.3;
const UNTIL_SENT = 0.7;
const UNTIL_DELIVERED = 2;
const UNTIL_ANSWERED = 6;

/** Lets a text happen, from the queue to its end; `onAnswer` is told what the person texts back. Never throws. */
export async function send(
  message: Message,
  network: Network,
  onAnswer: (body: string) => void,
): Promise<void> {
  try {
    await travel(message, network, onAnswer);
  } catch (error) {
    if (!message.ended.signal.aborted) network.log(`message ${message.sid} broke: ${String(error)}`);
  }
}

async function travel(message: Message, network: Network, onAnswer: (body: string) => void): Promise<void> {
  const { signal } = message.ended;
  const texter = texterAt(message.text.to);
  await network.pace.wait(IN_QUEUE, signal);
  become(message, network, 'sending');
  await network.pace.wait(UNTIL_SENT, signal);
  if (texter.outcome !== 'failed') {
    message.sentAt = network.now();
    become(message, network, 'sent');
    announceMessage(message, network);
    await network.pace.wait(UNTIL_DELIVERED, signal);
  }
  message.errorCode = texter.errorCode;
  become(message, network, texter.outcome);
  announceMessage(message, network);
  if (texter.answers === null) return;
  await network.pace.wait(UNTIL_ANSWERED, signal);
  onAnswer(texter.answers);
}

function become(message: Message, network: Network, status: MessageStatus): void {
  message.status = status;
  message.updatedAt = network.now();
}
