import { ask, verdictParams, voiceParams } from './callbacks.ts';
import type { Call } from './call.ts';
import type { Target, TwimlSource } from './call-order.ts';
import type { Network } from './network.ts';
import { parseTwiml, type Verb } from './twiml.ts';
import type { Reply } from './http-client.ts';

/** TwiML to perform. */
export interface Document {
  readonly verbs: readonly Verb[];
  /** What its relative addresses are relative to; empty for TwiML that came with the call. */
  readonly url: string;
}

/** What callers hear when there is no TwiML to follow. */
const APPLICATION_ERROR = 'We are sorry. An application error has occurred. Goodbye.';

/** The document of a source, else the fallback's, else the application error. Never throws. */
export async function loadDocument(call: Call, network: Network, source: TwimlSource): Promise<Document> {
  const read =
    'twiml' in source
      ? parsed(source.twiml, '')
      : await fetched(call, network, { target: source, ...(source.extra && { extra: source.extra }) });
  if ('verbs' in read) return read;
  const { fallback } = call.order;
  const second =
    fallback &&
    (await fetched(call, network, {
      target: fallback,
      extra: {
        ErrorCode: String(read.errorCode),
        ErrorUrl: 'url' in source ? source.url.replace(/#.*/, '') : '',
      },
    }));
  if (second && 'verbs' in second) return second;
  network.log(`call ${call.sid}: application error, Twilio code ${read.errorCode}`);
  return parsed(`<Response><Say>${APPLICATION_ERROR}</Say></Response>`, '') as Document;
}

/** Why there is no document, as Twilio's debugger calls it. */
interface NoDocument {
  readonly errorCode: 11200 | 11205 | 11750 | 12100 | 12300;
}

interface Fetch {
  readonly target: Target;
  readonly extra?: Readonly<Record<string, string>>;
}

async function fetched(
  call: Call,
  network: Network,
  { target, extra }: Fetch,
): Promise<Document | NoDocument> {
  // Asynchronous detection tells its own URL, not this one.
  const verdict = call.order.detection?.isAsync ? null : call.verdict;
  const params = {
    ...voiceParams(call, network, 'in-progress'),
    ...(verdict && verdictParams(verdict)),
    ...extra,
  };
  return documentIn(await ask(call, network, { kind: 'twiml', target, params }), target.url);
}

function documentIn(reply: Reply, url: string): Document | NoDocument {
  if ('failure' in reply) return { errorCode: reply.failure === 'ct' ? 11205 : 11200 };
  if (reply.status < 200 || reply.status > 299) return { errorCode: 11200 };
  // Twilio: 11750, a response holds at most 64 kB.
  if (reply.body.length > 65_536) return { errorCode: 11750 };
  if (reply.contentType.startsWith('audio/')) return { url, verbs: [spoken('Play', url)] };
  if (reply.contentType.startsWith('text/plain')) return { url, verbs: [spoken('Say', reply.body)] };
  if (!/xml|html/.test(reply.contentType)) return { errorCode: 12300 };
  return parsed(reply.body, url);
}

function spoken(name: string, text: string): Verb {
  return { name, attributes: {}, children: [], text };
}

function parsed(source: string, url: string): Document | NoDocument {
  try {
    return { verbs: parseTwiml(source), url };
  } catch {
    return { errorCode: 12100 };
  }
}
