/** MP3 files made by hand: every frame is silence with a true header, and what lies does so on purpose. */

type Version = 1 | 2 | 2.5;

/** How frames are written; left out: MPEG 1, 44.1 kHz, 64 kbit/s, stereo, padded so that the bit rate is kept. */
export interface Style {
  version?: Version;
  rate?: number;
  /** One for all frames, or several that alternate. */
  kilobits?: number | number[];
  mono?: boolean;
  crc?: boolean;
  padding?: 'as needed' | 'never' | 'always';
  /** What the bytes after a frame's header are. */
  fill?: number;
}

/** From the tables of the standards, not taken from the code that is tested. */
const versionBits = { 1: 0b11, 2: 0b10, 2.5: 0b00 };
const rateBits: Record<number, number> = {
  44100: 0,
  48000: 1,
  32000: 2,
  22050: 0,
  24000: 1,
  16000: 2,
  11025: 0,
  12000: 1,
  8000: 2,
};
const kilobitsOf = {
  1: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};

/** Samples of a frame. */
export const samplesOf = (version: Version): number => (version === 1 ? 1152 : 576);

/** So many frames. */
export function frames(count: number, style: Style = {}): Buffer {
  const { version = 1, kilobits = 64, padding = 'as needed' } = style;
  const rate = style.rate ?? { 1: 44_100, 2: 22_050, 2.5: 11_025 }[version];
  const rates = [kilobits].flat();
  let owed = 0;
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const bitRate = rates[i % rates.length]!;
      const exact = (samplesOf(version) * bitRate * 125) / rate;
      owed += exact - Math.floor(exact);
      const isPadded = padding === 'always' || (padding === 'as needed' && owed >= 1);
      if (isPadded) owed -= 1;
      return frame({ ...style, version, rate, kilobits: bitRate }, Math.floor(exact), isPadded);
    }),
  );
}

function frame(style: Style & { version: Version; rate: number }, length: number, isPadded: boolean): Buffer {
  const { version, rate, kilobits, mono = false, crc = false, fill = 0 } = style;
  const code = kilobitsOf[version === 1 ? 1 : 2].indexOf(kilobits as number) + 1;
  if (code === 0) throw new RangeError(`MPEG ${version} has no ${String(kilobits)} kbit/s`);
  const bytes = Buffer.alloc(length + Number(isPadded), fill);
  bytes[0] = 0xff;
  bytes[1] = 0b1110_0000 | (versionBits[version] << 3) | (0b01 << 1) | Number(!crc);
  bytes[2] = (code << 4) | (rateBits[rate]! << 2) | (Number(isPadded) << 1);
  bytes[3] = mono ? 0b1100_0000 : 0b0100_0000;
  return bytes;
}

/** As many frames as sound for at least so many seconds. */
export const seconds = (length: number, style: Style = {}): Buffer => frames(framesIn(length, style), style);

/** How many frames sound for at least so many seconds. */
export function framesIn(length: number, { version = 1, rate }: Style = {}): number {
  const perSecond = (rate ?? { 1: 44_100, 2: 22_050, 2.5: 11_025 }[version]) / samplesOf(version);
  return Math.ceil(Number((length * perSecond).toFixed(6)));
}

/** A first frame with a Xing header ("Info" with a constant bit rate) that states so many frames; null: only bytes. */
export function xing(stated: number | null, style: Style = {}, name: 'Xing' | 'Info' = 'Xing'): Buffer {
  const bytes = frames(1, style);
  const { version = 1, mono = false, crc = false } = style;
  const sideInfo = version === 1 ? (mono ? 17 : 32) : mono ? 9 : 17;
  const at = 4 + (crc ? 2 : 0) + sideInfo;
  bytes.write(name, at, 'latin1');
  bytes.writeUInt32BE(stated === null ? 2 : 1, at + 4); // 2: the number is one of bytes
  bytes.writeUInt32BE(stated ?? 987_654, at + 8);
  return bytes;
}

/** A first frame with a VBRI header. */
export function vbri(stated: number, style: Style = {}): Buffer {
  const bytes = frames(1, style);
  bytes.write('VBRI', 36, 'latin1');
  bytes.writeUInt16BE(1, 40);
  bytes.writeUInt32BE(stated, 50);
  return bytes;
}

/** An ID3v2 tag with a text and a picture of so many bytes, whose bytes look like frames. */
export function id3v2(minor: 3 | 4, { picture = 0, footer = false } = {}): Buffer {
  const title = Buffer.concat([
    Buffer.from('TIT2\0\0\0\x07\0\0', 'latin1'),
    Buffer.from('\0Hello!', 'latin1'),
  ]);
  const content = Buffer.concat([title, Buffer.alloc(picture, Buffer.from([0xff, 0xfb, 0x50, 0x40]))]);
  const header = Buffer.from([0x49, 0x44, 0x33, minor, 0, footer ? 0x10 : 0, ...synchsafe(content.length)]);
  const end = Buffer.from(header);
  end.write('3DI', 'latin1');
  return Buffer.concat([header, content, ...(footer ? [end] : [])]);
}

const synchsafe = (size: number) => [21, 14, 7, 0].map((bits) => (size >> bits) & 0x7f);

/** An ID3v1 tag: 128 bytes at the end of a file. */
export const id3v1 = (): Buffer => Buffer.concat([Buffer.from('TAG', 'latin1'), Buffer.alloc(125, 'Hello')]);

/** An APEv2 tag, with or without its header. */
export function ape({ header = true } = {}): Buffer {
  const value = Buffer.from('A reminder', 'latin1');
  const item = Buffer.concat([uint32(value.length), uint32(0), Buffer.from('Title\0', 'latin1'), value]);
  const end = (isHeader: boolean) =>
    Buffer.concat([
      Buffer.from('APETAGEX', 'latin1'),
      ...[2000, item.length + 32, 1].map(uint32),
      uint32(((header ? 2 ** 31 : 0) + (isHeader ? 2 ** 29 : 0)) >>> 0),
      Buffer.alloc(8),
    ]);
  return Buffer.concat([...(header ? [end(true)] : []), item, end(false)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A PCM WAV file of so many seconds. */
export function wav(length: number): Buffer {
  const samples = Buffer.alloc(length * 16_000);
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples.length, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  for (const [place, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    header.writeUInt16LE(value, place);
  header.writeUInt32LE(8_000, 24);
  header.writeUInt32LE(16_000, 28);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}

/** So many frames of AAC in ADTS, 7 bytes of header and 100 of content each. */
export function adts(count: number): Buffer {
  const bytes = Buffer.alloc(107);
  Buffer.from([0xff, 0xf1, 0x50, 0x80, 107 >> 3, ((107 & 7) << 5) | 0x1f, 0xfc]).copy(bytes);
  return Buffer.concat(Array.from({ length: count }, () => bytes));
}

/** An MP3 with its sound as it is, padded by a picture so that the file has exactly so many bytes. */
export function sized(bytes: number, sound: Buffer): Buffer {
  const bare = id3v2(3).length;
  return Buffer.concat([id3v2(3, { picture: bytes - sound.length - bare }), sound]);
}
