/** Many watchers in one process: each a WebSocket of its own with one operation, counting the frames that it is sent. */
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';

/** What the watchers ask. A bare socket is not asked anything: `query` is null. */
export interface Watching {
  url: string;
  query: string | null;
  /** The variables of the n-th watcher: its number takes the place of every `#`. */
  variables: string;
  authorization?: string;
}

interface Watcher {
  socket: WebSocket;
  frames: number;
}

let watchers: Watcher[] = [];
let target = 0;
let left = 0;
let reached: (at: number) => void = () => {};
let done: Promise<number> = Promise.resolve(0);

/** Opens watchers until there are so many. */
export async function open(watching: Watching, count: number): Promise<void> {
  const numbers = Array.from({ length: count - watchers.length }, (_, n) => watchers.length + n).values();
  const worker = async () => {
    for (const n of numbers) watchers.push(await watcher(watching, n));
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

async function watcher({ url, query, variables, authorization }: Watching, n: number): Promise<Watcher> {
  const socket = new WebSocket(url, query === null ? [] : ['graphql-transport-ws'], {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  const made: Watcher = { socket, frames: 0 };
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      if (query === null) return resolve();
      socket.send(
        JSON.stringify({ type: 'connection_init', payload: authorization ? { authorization } : {} }),
      );
    });
    socket.on('message', (data: Buffer) => {
      const head = data.toString('latin1', 0, 200);
      if (head.includes('"connection_ack"')) {
        const payload = { query, variables: JSON.parse(variables.replaceAll('#', String(n))) as object };
        socket.send(JSON.stringify({ id: randomUUID(), type: 'subscribe', payload }));
        resolve();
      } else if (head.includes('"ping"')) socket.send('{"type":"pong"}');
      else if (head.includes('"errors"') || head.includes('"error"'))
        process.stderr.write(`${data.toString()}\n`);
      else count(made);
    });
  });
  return made;
}

function count(watcher: Watcher): void {
  watcher.frames += 1;
  if (watcher.frames !== target) return;
  left -= 1;
  if (left === 0) reached(now());
}

const now = () => Number(process.hrtime.bigint()) / 1e6;

/** Begins to count anew, until each has so many frames. */
export function arm(frames: number): void {
  for (const watcher of watchers) watcher.frames = 0;
  target = frames;
  left = watchers.length;
  done = new Promise((resolve) => (reached = resolve));
}

/** The instant, by the clock that all processes share, at which that was so. */
export async function armed(limitMs: number): Promise<number> {
  const timer = AbortSignal.timeout(limitMs);
  const late = new Promise<never>((_, reject) => {
    timer.addEventListener('abort', () => {
      const behind = watchers.filter(({ frames }) => frames < target).length;
      reject(new Error(`${behind} of ${watchers.length} watchers did not get ${target} frames`));
    });
  });
  return Promise.race([done, late]);
}

/** Closes all of them. */
export async function close(): Promise<void> {
  await Promise.all(
    watchers.map(
      ({ socket }) =>
        new Promise<void>((resolve) => {
          socket.once('close', () => resolve());
          socket.terminate();
        }),
    ),
  );
  watchers = [];
}

const catchUpQuery = `subscription { worldEvents(after: "0") { cursor id type version actor source effectiveAt recordedAt data } }`;

/** One watcher that resumes from the beginning of the log; answers how many events it was told a second. */
export function catchUp(watching: Omit<Watching, 'query' | 'variables'>, count: number): Promise<number> {
  const begun = now();
  let cursor = 0;
  let frames = 0;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(watching.url, ['graphql-transport-ws'], { perMessageDeflate: false });
    socket.once('error', reject);
    socket.once('open', () =>
      socket.send(
        JSON.stringify({ type: 'connection_init', payload: { authorization: watching.authorization } }),
      ),
    );
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message;
      if (message.type === 'connection_ack')
        return socket.send(JSON.stringify({ id: 'a', type: 'subscribe', payload: { query: catchUpQuery } }));
      if (message.type !== 'next') return;
      const next = Number(message.payload?.data?.worldEvents?.cursor);
      if (next !== cursor + 1) reject(new Error(`after ${cursor} came ${data.toString()}`));
      cursor = next;
      frames += 1;
      if (frames < count) return;
      socket.terminate();
      resolve((count * 1_000) / (now() - begun));
    });
  });
}

interface Message {
  type: string;
  payload?: { data?: { worldEvents?: { cursor: string } } };
}
