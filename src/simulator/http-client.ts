import http from 'node:http';
import https from 'node:https';

/** A request that goes out, all of it. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What came of one try: an answer, or how far it got (`ct` never connected, `rt` connected but not answered). */
export type Reply =
  | { readonly status: number; readonly contentType: string; readonly body: string }
  | { readonly failure: 'ct' | 'rt' };

/** For how long an answer is waited for. */
interface Patience {
  /** Milliseconds until connected. */
  readonly connectMs: number;
  /** Milliseconds until the first answer, and between its parts. */
  readonly readMs: number;
  /** Aborted when the time for everything is over. */
  readonly signal: AbortSignal;
}

/** Asks servers of the customer's, over connections that are kept. */
export interface HttpClient {
  /** Asks once. Never throws. A redirect is an answer, and is not followed. */
  ask(request: OutgoingRequest, patience: Patience): Promise<Reply>;
  /** Ends every connection. */
  close(): void;
}

/** A client with no connections yet. */
export function openHttpClient(): HttpClient {
  const agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };
  return {
    ask: (request, patience) => ask(request, patience, agents),
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

async function ask(request: OutgoingRequest, patience: Patience, agents: Agents): Promise<Reply> {
  const isSecure = request.url.protocol === 'https:';
  const sent = (isSecure ? https : http).request(request.url, {
    method: request.method,
    headers: request.headers,
    agent: isSecure ? agents.https : agents.http,
    signal: patience.signal,
  });
  const connected = watchConnection(sent, isSecure, patience);
  try {
    const reply = await answerTo(sent, request.body);
    return reply;
  } catch (error) {
    // An idle connection that the customer closed just then is no failed try: begin again on another one.
    const isStale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    if (isStale && !patience.signal.aborted) return await ask(request, patience, agents);
    return { failure: connected() ? 'rt' : 'ct' };
  }
}

/** Enforces `connectMs` and `readMs`; tells whether there was a connection. */
function watchConnection(
  sent: http.ClientRequest,
  isSecure: boolean,
  { connectMs, readMs }: Patience,
): () => boolean {
  let isConnected = false;
  const timer = setTimeout(() => sent.destroy(new Error('connect timeout')), connectMs);
  function onConnected(): void {
    isConnected = true;
    clearTimeout(timer);
    sent.setTimeout(readMs, () => sent.destroy(new Error('read timeout')));
  }
  sent.once('socket', (socket) => {
    if (sent.reusedSocket) onConnected();
    else socket.once(isSecure ? 'secureConnect' : 'connect', onConnected);
  });
  sent.once('close', () => clearTimeout(timer));
  return () => isConnected;
}

function answerTo(sent: http.ClientRequest, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.end(body);
  });
}
