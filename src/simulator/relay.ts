import { randomBytes } from 'node:crypto';
import type WebSocket from 'ws';

import type { Call } from './call.ts';
import type { Target } from './call-order.ts';
import type { Network } from './network.ts';
import type { Person } from './people.ts';
import { connectSocket, delivered } from './sockets.ts';
import { converseAs, type Utterances } from './talk.ts';
import type { Verb } from './twiml.ts';

/** A `<Connect>` that is performed. */
export interface Connecting {
  readonly verb: Verb;
  /** The `<ConversationRelay>` or `<Stream>` in it. */
  readonly noun: Verb;
  readonly documentUrl: string;
  readonly person: Person;
  /** Aborted when the call ends or is redirected. */
  readonly signal: AbortSignal;
}

/** How a session ended, as the action's request tells it. */
interface SessionEnd {
  readonly status: 'ended' | 'failed';
  readonly handoffData?: string;
}

/**
 * ConversationRelay: connects the person with the customer's WebSocket, speaks what it sends, and tells it what the
 * person says. Gives the action to ask how to go on; null where there is none.
 */
export async function performRelay(
  call: Call,
  network: Network,
  connecting: Connecting,
): Promise<Target | null> {
  const { verb, documentUrl } = connecting;
  const sessionId = `VX${randomBytes(16).toString('hex')}`;
  const startedMs = network.pace.moment();
  const end = await session(call, network, { ...connecting, sessionId });
  const { action, method } = verb.attributes;
  if (action === undefined) return null;
  const url = new URL(action, documentUrl === '' ? undefined : documentUrl).href;
  const extra = {
    SessionId: sessionId,
    SessionStatus: end.status,
    SessionDuration: String(Math.round(network.pace.secondsSince(startedMs))),
    ...(end.handoffData !== undefined && { HandoffData: end.handoffData }),
  };
  return { url, method: method?.toUpperCase() === 'GET' ? 'GET' : 'POST', extra };
}

async function session(
  call: Call,
  network: Network,
  connecting: Connecting & { sessionId: string },
): Promise<SessionEnd> {
  const { noun: relay, person, signal, sessionId } = connecting;
  const socket = await network.busy(
    connectSocket(call, network, { kind: 'relay', url: relay.attributes.url ?? '' }),
  );
  if (!socket) return { status: 'failed' };
  const ended = Promise.withResolvers<SessionEnd>();
  const utterances = listen(call, network, { socket, ended });
  const tell = (message: object) => network.busy(delivered(socket, message));
  try {
    const told = tell(setupOf(call, network, { sessionId, relay }));
    void converseAs(person, { call, network, utterances, tell, signal }).catch(() => undefined);
    await told;
    return await Promise.race([ended.promise, network.pace.wait(Infinity, signal) as Promise<never>]);
  } finally {
    utterances.close();
    socket.close();
  }
}

interface Listening {
  readonly socket: WebSocket;
  readonly ended: PromiseWithResolvers<SessionEnd>;
}

/** Gathers the tokens that the customer sends into what the person hears, one turn at a time. */
function listen(call: Call, network: Network, { socket, ended }: Listening): Utterances {
  const heard: string[] = [];
  const closed = Promise.withResolvers<null>();
  let more = Promise.withResolvers<void>();
  let turn = '';
  socket.on('message', (data) => {
    const message = JSON.parse((data as Buffer).toString('utf8')) as Record<string, unknown>;
    if (message['type'] === 'end') {
      const { handoffData } = message;
      ended.resolve({ status: 'ended', ...(typeof handoffData === 'string' && { handoffData }) });
    }
    if (message['type'] !== 'text') return;
    network.ledger.greet(call, network.pace);
    turn += String(message['token']);
    if (message['last'] !== true) return;
    heard.push(turn);
    turn = '';
    more.resolve();
  });
  socket.on('close', () => ended.resolve({ status: 'failed' }));
  return {
    next: () => {
      const turns = more.promise.then(() => {
        more = Promise.withResolvers();
        return heard.splice(0).join(' ');
      });
      return Promise.race([turns, closed.promise]);
    },
    close: () => closed.resolve(null),
  };
}

function setupOf(
  call: Call,
  network: Network,
  { sessionId, relay }: { sessionId: string; relay: Verb },
): object {
  const parameters = relay.children.filter(({ name }) => name === 'Parameter');
  return {
    type: 'setup',
    sessionId,
    accountSid: network.accountSid,
    callSid: call.sid,
    from: call.order.from,
    to: call.order.to,
    direction: 'outbound-api',
    callType: 'PSTN',
    callStatus: 'in-progress',
    customParameters: Object.fromEntries(
      parameters.map(({ attributes }) => [attributes.name ?? '', attributes.value ?? '']),
    ),
  };
}
