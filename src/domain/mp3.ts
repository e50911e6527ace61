/** What the frames of an MP3 add up to. */
export interface Sound {
  /** Frames that sound: a first frame that only describes the others is none of them. */
  frames: number;
  samplesPerFrame: number;
  /** Samples a second. */
  sampleRate: number;
  /** Frames times samples of each, by the sample rate. */
  durationSeconds: number;
}

/** Why a file is no whole MP3, as a sentence for whoever sent it. */
export interface Unsound {
  reason: string;
}

interface Header {
  version: number;
  isMono: boolean;
  isProtected: boolean;
  sampleRate: number;
  samples: number;
  /** Of the whole frame, in bytes. */
  length: number;
}

/** What a header's version bits mean; 2.5 is Fraunhofer's extension to low rates. */
const versions = [2.5, null, 2, 1];

/** Samples a second by version: ISO/IEC 11172-3 2.4.2.3, 13818-3 2.4.2.3. */
const sampleRates: Record<number, number[]> = {
  1: [44_100, 48_000, 32_000],
  2: [22_050, 24_000, 16_000],
  2.5: [11_025, 12_000, 8_000],
};

/** Kilobits a second of Layer III, of MPEG 1 and of MPEG 2 and 2.5. The first is free format, which states none. */
const bitRates = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const lowBitRates = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/** How files begin that are often taken for MP3s: at which byte, with which text. */
const others: [at: number, text: string, name: string][] = [
  [0, 'RIFF', 'a WAV file'],
  [0, 'FORM', 'an AIFF file'],
  [0, 'OggS', 'an Ogg file'],
  [0, 'fLaC', 'a FLAC file'],
  [0, 'ADIF', 'an AAC file'],
  [0, '#!AMR', 'an AMR file'],
  [0, '\x1aE\xdf\xa3', 'a WebM file'],
  [4, 'ftyp', 'an MP4 or M4A file'],
];

const noFrame = 'no frame of an MP3';

/**
 * Walks every frame of an MP3 (MPEG 1, 2 and 2.5, Layer III) and answers how long it sounds: what a header or a tag
 * states of that is believed of nobody. Tags before and after the frames are skipped (ID3v2, ID3v1, APE). Anything
 * else that is no frame, a last frame that is cut off, fewer frames than a Xing, Info or VBRI header states (one
 * fewer is none missing: some writers count the header) and a sample rate that changes make it unsound. A file that
 * was cut between two frames and has no such header cannot be told from a whole one. Never throws; linear in time.
 */
export function measure(bytes: Uint8Array): Sound | Unsound {
  if (bytes.length === 0) return { reason: 'It is empty.' };
  const start = soundStart(bytes);
  if (start > bytes.length) return { reason: 'It is cut off: it ends within its own tag.' };
  const end = soundEnd(bytes, start);
  if (start === end) return { reason: 'It has no sound, only tags.' };
  const other = others.find(([at, text]) => isText(bytes, start + at, text));
  if (other) return { reason: `It is ${other[2]}, and not an MP3.` };
  return walk(bytes, start, end);
}

function walk(bytes: Uint8Array, start: number, end: number): Sound | Unsound {
  const first = headerAt(bytes, start, end);
  if (typeof first === 'string') return { reason: `It begins with ${first}.` };
  const { version, samples, sampleRate } = first;
  const stated = statedFrames(bytes, start, first);
  let frames = stated === undefined ? 0 : -1; // what only states is not heard
  const soFar = () => `After ${((Math.max(frames, 0) * samples) / sampleRate).toFixed(2)} seconds`;
  for (let at = start; at < end; frames += 1) {
    const header = headerAt(bytes, at, end);
    if (typeof header === 'string') return { reason: `${soFar()} comes ${header}.` };
    if (header.version !== version || header.sampleRate !== sampleRate)
      return { reason: `${soFar()} its sample rate changes.` };
    if (at + header.length > end) return { reason: 'It is cut off: its last frame is incomplete.' };
    at += header.length;
  }
  if (frames <= 0) return { reason: 'It has no sound, only a header.' };
  if (stated && frames + 1 < stated)
    return { reason: `It is cut off: its header states ${stated} frames, and it has ${frames}.` };
  return { frames, samplesPerFrame: samples, sampleRate, durationSeconds: (frames * samples) / sampleRate };
}

/** The header of the frame at a place, or in words what stands there instead. */
function headerAt(bytes: Uint8Array, at: number, end: number): Header | string {
  if (bytes[at] === 0xff && at + 4 > end) return 'the beginning of a frame that is cut off';
  const [sync, kind, rates, mode] = bytes.subarray(at, at + 4) as unknown as [number, number, number, number];
  if (sync !== 0xff || kind < 0xe0) return noFrame;
  const layer = (kind >> 1) & 3;
  if (layer === 0) return (kind & 0xf0) === 0xf0 ? 'a frame of AAC' : noFrame;
  if (layer !== 1) return `a frame of MPEG Layer ${layer === 2 ? 'II' : 'I'}, where an MP3 has Layer III`;
  const version = versions[(kind >> 3) & 3];
  const bitRate = (version === 1 ? bitRates : lowBitRates)[rates >> 4];
  const sampleRate = version && sampleRates[version]![(rates >> 2) & 3];
  // The emphasis 2 is reserved, as are a fourth sample rate and a sixteenth bit rate.
  if (!version || !sampleRate || bitRate === undefined || (mode & 3) === 2) return noFrame;
  if (bitRate === 0) return 'a frame of free format, which does not state its bit rate';
  const samples = version === 1 ? 1152 : 576;
  const padding = (rates >> 1) & 1;
  return {
    version,
    isMono: mode >> 6 === 3,
    isProtected: (kind & 1) === 0,
    sampleRate,
    samples,
    length: Math.floor(((samples / 8) * bitRate * 1_000) / sampleRate) + padding,
  };
}

/** How many frames a first frame states that only describes the file; null: it states no number; undefined: it sounds. */
function statedFrames(bytes: Uint8Array, at: number, header: Header): number | null | undefined {
  const frame = bytes.subarray(at, at + header.length);
  const numberAt = (place: number) => (place + 4 <= frame.length ? view(frame).getUint32(place) : null);
  if (isText(frame, 36, 'VBRI')) return numberAt(50);
  const sideInfo = header.version === 1 ? (header.isMono ? 17 : 32) : header.isMono ? 9 : 17;
  // Where a checksum stands before the side information, some writers leave room for it and some do not.
  for (const place of header.isProtected ? [6 + sideInfo, 4 + sideInfo] : [4 + sideInfo]) {
    if (!isText(frame, place, 'Xing') && !isText(frame, place, 'Info')) continue;
    return (numberAt(place + 4) ?? 0) & 1 ? numberAt(place + 8) : null;
  }
  return undefined;
}

/** Where the tags at the beginning end; beyond the file when it is shorter than they say. */
function soundStart(bytes: Uint8Array): number {
  let at = 0;
  for (;;) {
    const length = headTag(bytes, at);
    if (length === 0) return at;
    at += length;
  }
}

/** The length of the tag that begins here, 0 when none does: ID3v2 (id3.org, 3.1 and 3.4), APEv2. */
function headTag(bytes: Uint8Array, at: number): number {
  if (isText(bytes, at, 'ID3') && at + 10 <= bytes.length) {
    const hasFooter = bytes[at + 3] === 4 && (bytes[at + 5]! & 0x10) !== 0;
    const size = synchsafe(bytes, at + 6);
    return size === null ? 0 : 10 + size + (hasFooter ? 10 : 0);
  }
  return isText(bytes, at, 'APETAGEX') && at + 32 <= bytes.length
    ? 32 + view(bytes).getUint32(at + 12, true)
    : 0;
}

/** Where the tags at the end begin. */
function soundEnd(bytes: Uint8Array, start: number): number {
  let end = bytes.length;
  for (;;) {
    const length = tailTag(bytes, end);
    if (length === 0 || end - length < start) return end;
    end -= length;
  }
}

/** The length of the tag that ends here, 0 when none does: ID3v1, APE, an ID3v2.4 with its footer. */
function tailTag(bytes: Uint8Array, end: number): number {
  if (isText(bytes, end - 128, 'TAG')) return 128;
  if (isText(bytes, end - 10, '3DI')) {
    const size = synchsafe(bytes, end - 4);
    return size === null ? 0 : size + 20;
  }
  if (!isText(bytes, end - 32, 'APETAGEX')) return 0;
  const size = view(bytes).getUint32(end - 20, true);
  const hasHeader = view(bytes).getUint32(end - 12, true) >= 2 ** 31;
  return size < 32 ? 0 : size + (hasHeader ? 32 : 0);
}

/** Four bytes of seven bits each; null when an eighth is set. */
function synchsafe(bytes: Uint8Array, at: number): number | null {
  const four = bytes.subarray(at, at + 4);
  return four.some((byte) => byte > 0x7f) ? null : four.reduce((sum, byte) => sum * 128 + byte, 0);
}

function isText(bytes: Uint8Array, at: number, text: string): boolean {
  if (at < 0 || at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i += 1) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
