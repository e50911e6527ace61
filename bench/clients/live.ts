/** A client that watches one question over a WebSocket, commits changes itself or has the carrier call back, and times the frames. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client } from 'graphql-ws';
import pg from 'pg';
import twilio from 'twilio';
import WebSocket from 'ws';
import * as patients from '../../src/domain/patient.ts';
import { openWorld, type World } from '../../src/world.ts';
import { account, key } from '../rig/product.ts';

let client: Client;
let write: (id: string) => Promise<void>;
let world: World | null = null;
const committedAt = new Map<string, number>();
const heardAt = new Map<string, number>();

/** Watches; `mark` is the field of an update that says which change it tells of. */
async function watch(
  url: string,
  query: string,
  mark: (data: Record<string, unknown>) => string,
): Promise<void> {
  client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
    lazy: false,
  });
  client.subscribe(
    { query },
    {
      next: ({ data, errors }) => {
        if (errors) throw new Error(JSON.stringify(errors));
        const name = mark(data!);
        if (!heardAt.has(name)) heardAt.set(name, performance.now());
      },
      error: (error) => process.stderr.write(`watching failed: ${JSON.stringify(error)}\n`),
      complete: () => {},
    },
  );
}

/** The product: changes are committed by its own write path, here, so that the instant of the commit is known. */
export async function openProduct(given: {
  databaseUrl: string;
  url: string;
  workspaceId: string;
  patientId: string;
}): Promise<void> {
  world = await openWorld({ databaseUrl: given.databaseUrl, poolSize: 2 });
  await watch(
    given.url,
    'subscription { worldEvents(types: ["ext.measured"]) { id type version data } }',
    (data) => (data['worldEvents'] as { data: { mark: string } }).data.mark,
  );
  write = async (mark) => {
    const by = { workspaceId: given.workspaceId, actor: 'bench', source: 'api' as const, now: new Date() };
    const fact = { type: 'ext.measured' as const, data: { mark, value: 128 } };
    await world!.change(patients, given.patientId, () => [fact], by);
  };
  await untilHeard();
}

/** A peer: changes are an insert and a NOTIFY in one transaction. */
export async function openPeer(given: { databaseUrl: string; url: string }): Promise<void> {
  const database = new pg.Client({ connectionString: given.databaseUrl });
  await database.connect();
  await watch(
    given.url,
    'subscription { measured { mark value } }',
    (data) => (data['measured'] as { mark: string }).mark,
  );
  write = async (mark) => {
    await database.query({
      name: 'measure',
      text: `with added as (insert into measured (mark, value) values ($1, 128) returning mark, value)
        select pg_notify('measured', json_build_object('mark', mark, 'value', value)::text) from added`,
      values: [mark],
    });
  };
  await untilHeard();
}

/** The floor: the same, over a bare socket. */
export async function openFloor(given: { databaseUrl: string; url: string }): Promise<void> {
  const database = new pg.Client({ connectionString: given.databaseUrl });
  await database.connect();
  const socket = new WebSocket(given.url, { perMessageDeflate: false });
  socket.on('message', (data: Buffer) =>
    heardAt.set((JSON.parse(data.toString()) as { mark: string }).mark, performance.now()),
  );
  write = async (mark) => {
    const payload = JSON.stringify({ mark, value: 128 });
    await database.query({
      name: 'measure',
      text: `with added as (insert into measured (mark, value) values ($1, 128)) select pg_notify('measured', $2)`,
      values: [mark, payload],
    });
  };
  await untilHeard();
}

/** Nobody knows when a subscription has begun: it has once a change is heard of. */
async function untilHeard(): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    await write(`warm-up ${tries}`);
    await sleep(50);
    if (heardAt.size > 0) return;
  }
  throw new Error('no change is heard of');
}

/** Commits changes so many milliseconds apart; answers how long each took from its commit to its frame. */
export async function commits({
  run,
  count,
  apartMs,
}: {
  run: string;
  count: number;
  apartMs: number;
}): Promise<number[]> {
  const marks = Array.from({ length: count }, (_, n) => `${run} ${n}`);
  for (const mark of marks) {
    await write(mark);
    committedAt.set(mark, performance.now());
    await sleep(apartMs);
  }
  return framesOf(marks);
}

/** A call that the carrier is to say something of. */
interface Callback {
  url: string;
  sid: string;
  to: string;
}

/** Watches calls. */
export const watchCalls = (url: string): Promise<void> =>
  watch(url, 'subscription { callActivity { status sid } }', (data) => {
    const { sid, status } = data['callActivity'] as { sid: string; status: string };
    return `${sid} ${status}`;
  });

/** Says of each call that it rings, as the carrier does; answers how long each took from before that to its frame. */
export async function callbacks(given: { calls: Callback[]; apartMs: number }): Promise<number[]> {
  const marks = given.calls.map(({ sid }) => `${sid} RINGING`);
  for (const { url, sid, to } of given.calls) {
    const parameters = {
      AccountSid: account.sid,
      CallSid: sid,
      CallStatus: 'ringing',
      To: to,
      Timestamp: new Date().toUTCString().replace('GMT', '+0000'),
      SequenceNumber: '1',
      CallbackSource: 'call-progress-events',
    };
    committedAt.set(`${sid} RINGING`, performance.now());
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'x-twilio-signature': twilio.getExpectedTwilioSignature(account.token, url, parameters) },
      body: new URLSearchParams(parameters),
    });
    if (!response.ok) throw new Error(`a callback was answered with ${response.status}`);
    await sleep(given.apartMs);
  }
  return framesOf(marks);
}

/** How long each took until its frame came, all of which are waited for. */
async function framesOf(marks: readonly string[]): Promise<number[]> {
  for (let tries = 0; marks.some((mark) => !heardAt.has(mark)); tries += 1) {
    if (tries === 300) throw new Error('not every change was told');
    await sleep(100);
  }
  const taken = marks.map((mark) => Math.max(0, heardAt.get(mark)! - committedAt.get(mark)!));
  heardAt.clear();
  committedAt.clear();
  return taken;
}
