import { createClient as createSockets, type Client as Sockets } from 'graphql-ws';
import { Client, cacheExchange, fetchExchange, mapExchange } from 'urql';

/** How often a socket is asked whether it still lives, in milliseconds. */
const keepAliveMs = 5_000;

/** How long it may take to answer, in milliseconds. */
const silenceMs = 10_000;

/** What the page asks the API with: HTTP for queries and mutations, one WebSocket for what is live. */
export interface Api {
  client: Client;
  sockets: Sockets;
}

/** Opens the API for one key. `onRefused`: the key is not, or no longer, one of a workspace. */
export function openApi(key: string, onRefused: () => void): Api {
  const authorization = `Bearer ${key}`;
  const refused = mapExchange({
    onError(error) {
      if (error.graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED')) onRefused();
    },
  });
  const client = new Client({
    url: '/graphql',
    preferGetMethod: false, // what is asked about a person is never part of a URL
    fetchOptions: { headers: { authorization } },
    exchanges: [refused, cacheExchange, fetchExchange],
    requestPolicy: 'cache-and-network',
  });
  return { client, sockets: openSockets(authorization) };
}

/** A socket that gives up once its server is silent; whoever has a subscription begins it again (`feed.ts`). */
function openSockets(authorization: string): Sockets {
  let silence: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | null = null;
  const heard = () => {
    clearTimeout(silence);
    silence = undefined;
  };
  const giveUp = () => socket?.close(4408, 'Silent');
  window.addEventListener('offline', giveUp);
  return createSockets({
    url: `${location.origin.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization },
    retryAttempts: 0,
    keepAlive: keepAliveMs,
    on: {
      opened: (opened) => {
        socket = opened as WebSocket;
      },
      ping: (received) => {
        if (!received) silence ??= setTimeout(giveUp, silenceMs);
      },
      pong: (received) => {
        if (received) heard();
      },
      closed: () => heard(),
    },
  });
}
