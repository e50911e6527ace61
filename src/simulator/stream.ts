import { randomBytes } from 'node:crypto';
import type WebSocket from 'ws';

import type { Call } from './call.ts';
import type { Target } from './call-order.ts';
import type { Network } from './network.ts';
import type { Connecting } from './relay.ts';
import { connectSocket, delivered } from './sockets.ts';
import { BYTES_PER_SECOND, framesOf, Speaker, type FromAgent } from './speaker.ts';
import { converseAs } from './talk.ts';

/**
 * Media Streams, both ways: connects the person with the customer's WebSocket. Nobody is heard for real: what is said here is
 * its letters in UTF-8 as samples, then silence; sound that is no text is waited for and not understood. Gives the action to
 * ask how to go on; null where there is none.
 */
export async function performStream(
  call: Call,
  network: Network,
  { verb, noun: stream, documentUrl, person, signal }: Connecting,
): Promise<Target | null> {
  const socket = await network.busy(
    connectSocket(call, network, { kind: 'stream', url: stream.attributes.url ?? '' }),
  );
  if (socket) {
    const parameters = stream.children.filter(({ name }) => name === 'Parameter');
    const customParameters = Object.fromEntries(
      parameters.map(({ attributes }) => [attributes.name ?? '', attributes.value ?? '']),
    );
    await talkOver(socket, call, network, { person, signal, customParameters });
  }
  const { action, method } = verb.attributes;
  if (action === undefined) return null;
  const url = new URL(action, documentUrl === '' ? undefined : documentUrl).href;
  return { url, method: method?.toUpperCase() === 'GET' ? 'GET' : 'POST' };
}

/** Talks until the customer closes the socket; where the call ends or moves on before, says so and closes it. */
async function talkOver(
  socket: WebSocket,
  call: Call,
  network: Network,
  { person, signal, customParameters }: Pick<Connecting, 'person' | 'signal'> & { customParameters: object },
): Promise<void> {
  const stream = new Stream(call, network);
  const tell = (...messages: object[]) => network.busy(delivered(socket, ...messages));
  const utterances = new Speaker(call, network, (name) => void tell(stream.mark(name)));
  socket.on('message', (data) => utterances.take(JSON.parse((data as Buffer).toString('utf8')) as FromAgent));
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  try {
    const begun = tell(connected, stream.start(customParameters));
    const does = (message: Told) => tell(...stream.framesOf(message));
    void converseAs(person, { call, network, utterances, tell: does, signal }).catch(() => undefined);
    await begun;
    await Promise.race([closed, network.pace.wait(Infinity, signal)]);
  } finally {
    utterances.close();
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(stream.stop()));
    socket.close();
  }
}

const connected = { event: 'connected', protocol: 'Call', version: '1.0.0' };

/** What a person does, as ConversationRelay would tell it. */
interface Told {
  type?: string;
  voicePrompt?: string;
  digit?: string;
}

/** What the carrier says over one stream: numbered from its start, numbers as text. */
class Stream {
  readonly #call: Call;
  readonly #network: Network;
  readonly #streamSid = `MZ${randomBytes(16).toString('hex')}`;
  readonly #startedMs: number;
  #sequence = 0;
  #chunk = 0;

  constructor(call: Call, network: Network) {
    this.#call = call;
    this.#network = network;
    this.#startedMs = network.pace.moment();
  }

  start(customParameters: object): object {
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: BYTES_PER_SECOND, channels: 1 };
    const streamSid = this.#streamSid;
    const of = { streamSid, tracks: ['inbound'], mediaFormat, customParameters };
    return this.#numbered('start', { ...this.#whose(), ...of });
  }

  mark(name: string): object {
    return this.#numbered('mark', { name });
  }

  stop(): object {
    return this.#numbered('stop', this.#whose());
  }

  /** Whoever interrupts is just heard. */
  framesOf({ type, voicePrompt = '', digit }: Told): object[] {
    if (type === 'dtmf') return [this.#numbered('dtmf', { track: 'inbound_track', digit })];
    if (type !== 'prompt') return [];
    const since = Math.round(this.#network.pace.secondsSince(this.#startedMs) * 1000);
    return framesOf(voicePrompt).map((sound, index) => {
      const [chunk, timestamp] = [String((this.#chunk += 1)), String(since + index * 20)];
      return this.#numbered('media', {
        track: 'inbound',
        chunk,
        timestamp,
        payload: sound.toString('base64'),
      });
    });
  }

  #whose() {
    return { accountSid: this.#network.accountSid, callSid: this.#call.sid };
  }

  #numbered(event: string, more: object): object {
    const sequenceNumber = String((this.#sequence += 1));
    return { event, sequenceNumber, [event]: more, streamSid: this.#streamSid };
  }
}
