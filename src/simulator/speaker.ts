import type { Call } from './call.ts';
import type { Network } from './network.ts';
import type { Utterances } from './talk.ts';

/** Twilio: 8,000 bytes of mu-law are a second, and 160 are a frame. */
export const BYTES_PER_SECOND = 8_000;
const FRAME_BYTES = 160;
/** Silence in mu-law. */
const SILENCE = 0xff;
/** How many frames of silence follow what a person says: half a second. */
const SILENT_FRAMES = 25;

/** What the customer may send over a stream. */
export type FromAgent =
  | { readonly event: 'media'; readonly media: { readonly payload: string } }
  | { readonly event: 'mark'; readonly mark: { readonly name: string } }
  | { readonly event: 'clear' };

/** Plays what the customer sends, in order, to a person: a turn was heard when nothing is left to play. */
export class Speaker implements Utterances {
  readonly #call: Call;
  readonly #network: Network;
  readonly #onPlayed: (mark: string) => void;
  readonly #closed = Promise.withResolvers<null>();
  #more = Promise.withResolvers<void>();
  #playing = new AbortController();
  #queue: Promise<unknown> = Promise.resolve();
  #marks: string[] = [];
  #heard = '';
  #waiting = 0;

  /** `onPlayed` is told of each mark once everything before it was played, or thrown away. */
  constructor(call: Call, network: Network, onPlayed: (mark: string) => void) {
    this.#call = call;
    this.#network = network;
    this.#onPlayed = onPlayed;
  }

  take(message: FromAgent): void {
    if (message.event === 'media') this.#play(Buffer.from(message.media.payload, 'base64'));
    else if (message.event === 'mark') {
      const { name } = message.mark;
      this.#marks.push(name);
      this.#after(0, () => this.#played(name));
    } else if (message.event === 'clear') {
      this.#playing.abort();
      this.#playing = new AbortController();
      for (const name of this.#marks) this.#played(name);
    }
  }

  next(): Promise<string | null> {
    const turn = this.#more.promise.then(() => {
      this.#more = Promise.withResolvers();
      const heard = this.#heard;
      this.#heard = '';
      return heard;
    });
    return Promise.race([turn, this.#closed.promise]);
  }

  close(): void {
    this.#closed.resolve(null);
  }

  #play(sound: Buffer): void {
    this.#after(sound.length / BYTES_PER_SECOND, () => {
      this.#network.ledger.greet(this.#call, this.#network.pace);
      this.#heard += textIn(sound);
    });
  }

  #played(name: string): void {
    this.#marks = this.#marks.filter((mark) => mark !== name);
    this.#onPlayed(name);
  }

  #after(seconds: number, then: () => void): void {
    const signal = AbortSignal.any([this.#playing.signal, this.#call.ended.signal]);
    this.#waiting += 1;
    this.#queue = this.#queue
      .then(() => this.#network.pace.wait(seconds, signal))
      .then(then)
      .catch(() => undefined) // thrown away
      .finally(() => {
        this.#waiting -= 1;
        if (this.#waiting === 0 && this.#heard !== '') this.#more.resolve();
      });
  }
}

/** What is said, in frames, and the silence after it. */
export function framesOf(text: string): Buffer[] {
  const letters = Buffer.from(text);
  const count = Math.ceil(letters.length / FRAME_BYTES) + SILENT_FRAMES;
  const sound = Buffer.alloc(count * FRAME_BYTES, SILENCE);
  letters.copy(sound);
  return Array.from({ length: count }, (_, index) =>
    sound.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES),
  );
}

/** The letters of a sound; a blank for one that has none, so that it was heard. */
function textIn(sound: Buffer): string {
  const text = Buffer.from(sound.filter((sample) => sample !== SILENCE)).toString('utf8');
  return /^[\p{L}\p{N}\p{P}\p{Z}\p{S}]+$/u.test(text) && !text.includes('\uFFFD') ? text : ' ';
}
