import { postResult } from './drop-callbacks.ts';
import { resultOf, type Drop, type DropResult } from './drop.ts';
import { isE164, isWebhookUrl } from './form.ts';
import { enterTry } from './ledger.ts';
import { mailboxAt } from './mailboxes.ts';
import type { Network } from './network.ts';
import type { VendorAccount } from './vendor-account.ts';

/** Seconds as people experience them: until the request is looked at, and until the message is in the box. */
const UNTIL_CHECKED = 1;
const UNTIL_LEFT = 8;

/** Lets a voicemail happen, from the 202 to its result. Never throws. */
export async function leave(drop: Drop, network: Network, account: VendorAccount): Promise<void> {
  const { signal } = drop.ended;
  try {
    await network.pace.wait(UNTIL_CHECKED, signal);
    const result = await outcomeOf(drop, network);
    if (result) postResult(drop, network, { result, account });
  } catch (error) {
    if (!signal.aborted) network.log(`voicemail ${drop.dropId} broke: ${String(error)}`);
  }
}

/** Null: nothing is heard of it again. */
async function outcomeOf(drop: Drop, network: Network): Promise<DropResult | null> {
  const mistake = mistakeOf(drop) ?? (await audioMistake(drop, network));
  if (mistake !== undefined) return resultOf(mistake);
  await network.pace.wait(UNTIL_LEFT, drop.ended.signal);
  const reasonCode = mailboxAt(drop.order.to);
  return reasonCode === 'never' ? null : resultOf(reasonCode);
}

/** The reason_code of what is wrong with a request; undefined if it can be tried. */
function mistakeOf({ hasCredentials, key, order }: Drop): number | undefined {
  if (!hasCredentials) return 3007;
  if (key === 'invalid') return 3028;
  if (key === 'reused') return 3027;
  if (!isE164(order.to)) return 4004;
  if (order.phoneLineId === '' && order.callerId === '') return 4010;
  return isWebhookUrl(order.audioUrl) ? undefined : 3001;
}

/** Fetches the audio as the vendor does: 3001 unless it comes, is not empty, and says that it is MP3 or WAV. */
async function audioMistake({ order, messageId, ended }: Drop, network: Network): Promise<3001 | undefined> {
  const { to, callerId: from, audioUrl: url } = order;
  const onReply = enterTry(network.ledger, { kind: 'drop-audio', callSid: null, messageId, to, from, url });
  const reply = await network.client.ask(
    { url: new URL(url), method: 'GET', headers: { accept: 'audio/*' }, body: '' },
    {
      connectMs: 5000,
      readMs: 10_000,
      signal: AbortSignal.any([ended.signal, AbortSignal.timeout(15_000)]),
    },
  );
  onReply(reply);
  const isAudio =
    'status' in reply &&
    reply.status === 200 &&
    reply.body !== '' &&
    /^audio\/(?:mpeg|wav|x-wav)\b/.test(reply.contentType);
  return isAudio ? undefined : 3001;
}
