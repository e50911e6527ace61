import type { Conversations } from '../conversation.ts';
import type { Answered } from '../webhooks.ts';

/** Where the carrier tells what people text to our numbers. */
const inboundPath = '/carrier/messages';

/** Where it tells what becomes of a message of ours: the ids are ours, so that a callback may come before its own answer. */
const statusPath = /^\/carrier\/([0-9a-f-]{36})\/messages\/([0-9a-f-]{36})\/status$/;

/** Nothing is answered in the webhook itself: whoever answers does so by a message of its own. */
const noReply: Answered = { status: 200, body: '<Response/>', contentType: 'text/xml' };

/** Takes what the carrier tells of texts, once its signature has been checked: late, early, twice, in any order. */
export function openTextWebhooks({
  conversations,
  log,
}: {
  conversations: Conversations;
  log: (line: string) => void;
}) {
  async function handle(path: string, parameters: Record<string, string>): Promise<Answered> {
    const [, workspaceId, messageId] = statusPath.exec(path) ?? [];
    if (!workspaceId || !messageId) return received(parameters);
    const heard = {
      sid: parameters['MessageSid'] ?? '',
      status: parameters['MessageStatus'] ?? '',
      carrierCode: parameters['ErrorCode'] || null,
      via: 'callback' as const,
    };
    if (heard.sid !== '' && (await conversations.told({ workspaceId, messageId }, heard)))
      return { status: 204 };
    log(`the carrier told of a message that is not here: ${messageId}`);
    return { status: 404 };
  }

  async function received(parameters: Record<string, string>): Promise<Answered> {
    const { MessageSid: sid, From: from, To: to, Body: body = '', NumSegments: segments } = parameters;
    if (!sid || !from || !to) return { status: 400 };
    const text = { sid, from, to, body, segments: Number.parseInt(segments ?? '', 10) || 1 };
    if (await conversations.receive(text)) return noReply;
    log('the carrier told of a text to a number that no workspace has');
    return { status: 404 };
  }

  return { handle, isHere: (path: string) => path === inboundPath || statusPath.test(path) };
}
