import { randomUUID } from 'node:crypto';
import twilio from 'twilio';

import { connectionOf, type Connection } from './connection-overrides.ts';
import { openHttpClient, type OutgoingRequest, type Reply } from './http-client.ts';

/** One request that the carrier makes of its customer. */
interface Webhook {
  /** As the customer gave it, with the fragment. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly params: Readonly<Record<string, string>>;
  /** What it is about; the two are signed a little differently. */
  readonly service: 'voice' | 'text';
}

/** One try that is about to be made; call what this returns with what came of it. */
type OnTry = (url: string) => (reply: Reply) => void;

/** Signs and sends webhooks. */
export interface WebhookSender {
  /** Sends until it succeeds or its retries are used up; gives the last reply. Never throws. */
  send(webhook: Webhook, onTry: OnTry): Promise<Reply>;
  /** The signature of a WebSocket's handshake. */
  sign(url: string): string;
  /** Breaks off everything under way. */
  close(): void;
}

/** A sender that signs with the account's own token. */
export function openWebhookSender(authToken: string): WebhookSender {
  const closing = new AbortController();
  const client = openHttpClient();
  return {
    send: async (webhook, onTry) => {
      const connection = connectionOf(webhook.url);
      const request = signed(webhook, connection, authToken);
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(connection.totalMs)]);
      for (let retries = connection.retries; ; retries -= 1) {
        const onReply = onTry(connection.url);
        const reply = await client.ask(request, { ...connection, signal });
        onReply(reply);
        if (retries === 0 || signal.aborted || !mayRetry(reply, connection)) return reply;
      }
    },
    sign: (url) => twilio.getExpectedTwilioSignature(authToken, url, {}),
    close: () => {
      closing.abort();
      client.close();
    },
  };
}

function mayRetry(reply: Reply, { retryOn }: Connection): boolean {
  const problem = 'failure' in reply ? reply.failure : `${Math.floor(reply.status / 100)}xx`;
  return retryOn.has(problem) || (retryOn.has('all') && problem !== '2xx' && problem !== '3xx');
}

/** GET carries its parameters in the URL and signs nothing else; POST signs URL and form. */
function signed(webhook: Webhook, { url }: Connection, authToken: string): OutgoingRequest {
  const form = new URLSearchParams(webhook.params).toString();
  const isGet = webhook.method === 'GET';
  const target = isGet ? `${url}${url.includes('?') ? '&' : '?'}${form}` : url;
  const signedParams = isGet ? {} : webhook.params;
  return {
    url: new URL(target),
    method: webhook.method,
    body: isGet ? '' : form,
    headers: {
      accept: '*/*',
      'user-agent': 'TwilioProxy/1.1',
      'x-twilio-signature': twilio.getExpectedTwilioSignature(
        authToken,
        signedUrl(target, webhook.service),
        signedParams,
      ),
      'i-twilio-idempotency-token': randomUUID(),
      ...(isGet
        ? {}
        : {
            'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
            'content-length': String(Buffer.byteLength(form)),
          }),
    },
  };
}

/** Twilio signs without userinfo, and for https voice webhooks without the port; the rest exactly as given. */
function signedUrl(url: string, service: Webhook['service']): string {
  const bare = url.replace(/^(https?:\/\/)[^/?#@]*@/i, '$1');
  return service === 'voice' ? bare.replace(/^(https:\/\/(?:\[[^\]]*\]|[^/?#:]*)):\d+/i, '$1') : bare;
}
