import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { measure } from './mp3.ts';
import { InputRefusal } from './refusal.ts';

/** The largest recording, in bytes: 8 MiB, inclusive. */
export const maxBytes = 8 * 1024 * 1024;

/** How long a recording may be, in seconds, both inclusive. */
const shortestSeconds = 10;
const longestSeconds = 60;

/** A recording that may be left on an answering machine: what is known of it, not its content. */
export const table = defineEntity({
  name: 'VoicemailAudio',
  tableName: 'voicemail_audio',
  properties: {
    workspaceId: p.uuid().primary(),
    id: p.uuid().primary(),
    name: p.text(),
    durationSeconds: p.double().$type<number>(),
    bytes: p.integer(),
    /** Hex, of the content: where it is found. */
    sha256: p.text(),
    createdAt: p.datetime(),
  },
  uniques: [{ properties: ['workspaceId', 'sha256', 'name'] }],
});
/** One recording. */
export interface VoicemailAudio extends InferEntity<typeof table> {}

/** The bytes themselves, once for each workspace however often they come; never read with what is known of them. */
export const contents = defineEntity({
  name: 'VoicemailContent',
  tableName: 'voicemail_content',
  properties: {
    workspaceId: p.uuid().primary(),
    sha256: p.text().primary(),
    content: p.blob(),
  },
});

/** What a workspace signs links to its recordings with: made at the first one, the same for every replica. */
export const signingKeys = defineEntity({
  name: 'VoicemailKey',
  tableName: 'voicemail_key',
  properties: {
    workspaceId: p.uuid().primary(),
    /** Hex, 256 random bits. */
    secret: p.text(),
  },
});
/** One workspace's. */
export interface SigningKey extends InferEntity<typeof signingKeys> {}

/**
 * How long a recording is, in seconds. Refuses AUDIO_INVALID when it is no whole MP3 of 10 to 60 seconds and at most
 * 8 MiB. A length in whole seconds is hardly ever one in whole frames, so the last frame may end beyond the 60th
 * second, but not begin there: 72 ms more at most, 26 at 44.1 kHz. At 10 seconds, which no
 * number of frames is exactly, there is no such tolerance: whoever encodes 10 seconds writes at least as many frames.
 */
export function durationOf(bytes: Uint8Array): number {
  if (bytes.length > maxBytes) throw tooLarge();
  const sound = measure(bytes);
  if ('reason' in sound) throw invalid(sound.reason);
  const { frames, samplesPerFrame, sampleRate, durationSeconds } = sound;
  const isLongEnough = frames * samplesPerFrame >= shortestSeconds * sampleRate;
  const isShortEnough = (frames - 1) * samplesPerFrame < longestSeconds * sampleRate;
  if (isLongEnough && isShortEnough) return durationSeconds;
  const limits = `${shortestSeconds} to ${longestSeconds} are allowed`;
  throw invalid(`It lasts ${durationSeconds.toFixed(2)} seconds by its frames, and ${limits}.`);
}

/** It is larger than 8 MiB. */
export const tooLarge = (): InputRefusal => invalid('It is larger than 8 MiB.');

const invalid = (message: string) => new InputRefusal([{ path: ['file'], message }], 'AUDIO_INVALID');
