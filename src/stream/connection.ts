import { connect } from '@nats-io/transport-node';

/** Connects to a nats-server, and again whenever that is lost; `isConnected` tells how it is just now. */
export async function openConnection(url: string) {
  const connection = await connect({
    servers: url,
    name: 'callwell',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    waitOnFirstConnect: true,
  });
  let isConnected = true;
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') isConnected = false;
      if (type === 'reconnect') isConnected = true;
    }
  })();
  return { connection, isConnected: () => isConnected && !connection.isClosed() };
}
