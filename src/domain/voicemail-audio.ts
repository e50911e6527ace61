import { defineEntity, p, type InferEntity } from '@mikro-orm/core';
import { measure } from './mp3.ts';
import { InputRefusal } from './refusal.ts';

/** The largest recording, in bytes: 8 MiB, inclusive. */
export const maxBytes = 8 * 1024 * 1024;

/** How long a recording may be, in seconds, both inclusive. */
const shortestSeconds = 10;
const longestSeconds = 60;

/** By how much the frames of a whole minute may be longer, in seconds: LAME's delay at 22.05 kHz is 0.056. */
const encoderSeconds = 0.06;

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

/**
 * How long a recording is, in seconds. Refuses AUDIO_INVALID when it is no whole MP3 of 10 to 60 seconds and at most
 * 8 MiB. Encoders put their own delay before the sound: an exact minute becomes 60.02 to 60.06 seconds of frames, so
 * as much is allowed beyond it. Nothing is missing at the other end: whoever encodes 10 seconds writes no fewer frames.
 */
export function durationOf(bytes: Uint8Array): number {
  if (bytes.length > maxBytes) throw tooLarge();
  const sound = measure(bytes);
  if ('reason' in sound) throw invalid(sound.reason);
  const { frames, samplesPerFrame, sampleRate, durationSeconds } = sound;
  const isLongEnough = frames * samplesPerFrame >= shortestSeconds * sampleRate;
  const isShortEnough = durationSeconds <= longestSeconds + encoderSeconds;
  if (isLongEnough && isShortEnough) return durationSeconds;
  const limits = `${shortestSeconds} to ${longestSeconds} are allowed`;
  throw invalid(`It lasts ${durationSeconds.toFixed(2)} seconds by its frames, and ${limits}.`);
}

/** It is larger than 8 MiB. */
export const tooLarge = (): InputRefusal => invalid('It is larger than 8 MiB.');

const invalid = (message: string) => new InputRefusal([{ path: ['file'], message }], 'AUDIO_INVALID');
