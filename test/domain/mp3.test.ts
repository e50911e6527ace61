/** How long an MP3 sounds, and what is none: a corpus, each file of which is made here and judged right. */
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measure } from '../../src/domain/mp3.ts';
import { InputRefusal } from '../../src/domain/refusal.ts';
import { durationOf } from '../../src/domain/voicemail-audio.ts';
import {
  adts,
  ape,
  frames,
  framesIn,
  id3v1,
  id3v2,
  samplesOf,
  seconds,
  sized,
  vbri,
  wav,
  xing,
  type Style,
} from '../support/mp3.ts';
import { tries } from '../support/exhaustive.ts';

const mebibyte = 1_048_576;
const variable = { kilobits: [32, 320, 128, 64, 256] };
const low: Style = { version: 2, kilobits: 24 };
const lowest: Style = { version: 2.5, rate: 8_000, kilobits: 8, mono: true };

const join = (...parts: Uint8Array[]) => Buffer.concat(parts);
const cut = (bytes: Buffer, by: number) => bytes.subarray(0, bytes.length - by);
const text = (content: string) => Buffer.from(content, 'latin1');
/** With some bits of a byte replaced, the first header's unless another place is named. */
const bent = (bytes: Buffer, at: number, mask: number, value: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at]! & ~mask) | value;
  return copy;
};

/** 460 frames of 44.1 kHz: 12.016 seconds. */
const whole = 460;
const at44 = (count: number) => (count * 1152) / 44_100;

/** What the file is, how it is made, and its seconds or why it is refused. */
const corpus: [name: string, make: () => Buffer, judged: number | RegExp][] = [
  // Constant bit rates
  ['32 kbit/s', () => frames(whole, { kilobits: 32 }), at44(whole)],
  ['128 kbit/s', () => frames(whole, { kilobits: 128 }), at44(whole)],
  ['192 kbit/s, 48 kHz', () => frames(500, { kilobits: 192, rate: 48_000 }), 12],
  ['320 kbit/s, 32 kHz', () => frames(500, { kilobits: 320, rate: 32_000 }), 18],
  ['320 kbit/s for a minute', () => frames(2_296, { kilobits: 320 }), at44(2_296)],
  ['mono', () => frames(whole, { mono: true }), at44(whole)],
  ['with checksums', () => frames(whole, { crc: true }), at44(whole)],
  ['never padded', () => frames(whole, { padding: 'never' }), at44(whole)],
  ['always padded', () => frames(whole, { padding: 'always' }), at44(whole)],
  ['whose content is all ones, like a frame that begins', () => frames(whole, { fill: 0xff }), at44(whole)],
  ['with an Info header', () => join(xing(whole, {}, 'Info'), frames(whole)), at44(whole)],
  [
    'with an Info header that counts itself',
    () => join(xing(whole + 1, {}, 'Info'), frames(whole)),
    at44(whole),
  ],

  // Variable bit rates
  ['variable without a header', () => frames(whole, variable), at44(whole)],
  ['variable with Xing', () => join(xing(whole), frames(whole, variable)), at44(whole)],
  [
    'variable with Xing, mono',
    () => join(xing(whole, { mono: true }), frames(whole, { mono: true })),
    at44(whole),
  ],
  [
    'variable with Xing and checksums',
    () => join(xing(whole, { crc: true }), frames(whole, { crc: true })),
    at44(whole),
  ],
  ['variable with Xing that states only bytes', () => join(xing(null), frames(whole, variable)), at44(whole)],
  ['variable with VBRI', () => join(vbri(whole), frames(whole, variable)), at44(whole)],
  ['a Xing that states fewer frames than there are', () => join(xing(100), frames(whole)), at44(whole)],
  ['a Xing that states none at all', () => join(xing(0), frames(whole)), at44(whole)],
  ['a VBRI that states fewer frames than there are', () => join(vbri(100), frames(whole)), at44(whole)],
  [
    'a slow beginning, from which 20 seconds seem a minute',
    () => join(frames(5, { kilobits: 32 }), frames(760, { kilobits: 96 })),
    at44(765),
  ],

  // MPEG 2 and 2.5
  ['MPEG 2, 22.05 kHz', () => frames(500, low), (500 * 576) / 22_050],
  [
    'MPEG 2, 24 kHz, mono, with Xing',
    () =>
      join(
        xing(500, { ...low, kilobits: 64, rate: 24_000, mono: true }),
        frames(500, { ...low, rate: 24_000, mono: true }),
      ),
    12,
  ],
  [
    'MPEG 2, 16 kHz, 160 kbit/s, with Xing',
    () =>
      join(
        xing(500, { version: 2, rate: 16_000, kilobits: 160 }),
        frames(500, { version: 2, rate: 16_000, kilobits: 160 }),
      ),
    18,
  ],
  [
    'MPEG 2 with VBRI',
    () => join(vbri(500, { ...low, kilobits: 64 }), frames(500, low)),
    (500 * 576) / 22_050,
  ],
  ['MPEG 2.5, 11.025 kHz', () => frames(250, { version: 2.5, kilobits: 16 }), (250 * 576) / 11_025],
  ['MPEG 2.5, 12 kHz', () => frames(250, { version: 2.5, rate: 12_000, kilobits: 40 }), 12],
  ['MPEG 2.5, 8 kHz, 8 kbit/s, mono', () => frames(250, lowest), 18],

  // Tags
  ['ID3v2.3', () => join(id3v2(3), frames(whole)), at44(whole)],
  [
    'ID3v2.3 with a picture whose bytes look like frames',
    () => join(id3v2(3, { picture: 300_000 }), frames(whole)),
    at44(whole),
  ],
  ['ID3v2.4 with a footer', () => join(id3v2(4, { footer: true }), frames(whole)), at44(whole)],
  ['two ID3v2 tags', () => join(id3v2(4), id3v2(3, { picture: 200 }), frames(whole)), at44(whole)],
  ['ID3v2.4 at the end', () => join(frames(whole), id3v2(4, { footer: true })), at44(whole)],
  ['ID3v1', () => join(frames(whole), id3v1()), at44(whole)],
  ['APE', () => join(frames(whole), ape()), at44(whole)],
  [
    'APE without its header, then ID3v1',
    () => join(frames(whole), ape({ header: false }), id3v1()),
    at44(whole),
  ],
  ['APE at the beginning', () => join(ape(), frames(whole)), at44(whole)],
  [
    'every tag at once, and Xing',
    () =>
      join(id3v2(4, { picture: 5_000, footer: true }), xing(whole), frames(whole, variable), ape(), id3v1()),
    at44(whole),
  ],

  // Cut off
  ['one byte short', () => cut(frames(whole), 1), /^It is cut off: its last frame is incomplete/],
  ['half a frame short', () => cut(frames(whole), 100), /^It is cut off: its last frame is incomplete/],
  ['cut within the header of its last frame', () => join(frames(whole), frames(1).subarray(0, 3)), /cut off/],
  ['cut, then tagged', () => join(cut(frames(whole), 50), id3v1()), /^It is cut off: its last frame/],
  [
    'cut between two frames, which Xing tells',
    () => join(xing(2 * whole), frames(whole)),
    /its header states 920 frames, and it has 460/,
  ],
  [
    'cut by two frames, which Info tells',
    () => join(xing(whole + 2, {}, 'Info'), frames(whole)),
    /states 462 frames/,
  ],
  ['cut by half, which VBRI tells', () => join(vbri(2 * whole), frames(whole)), /states 920 frames/],
  ['a Xing that states an hour', () => join(xing(137_813), frames(whole)), /states 137813 frames/],
  [
    'a Xing that states the most there is',
    () => join(xing(0xffff_ffff), frames(whole)),
    /states 4294967295 frames/,
  ],
  ['cut within its tag', () => id3v2(3, { picture: 5_000 }).subarray(0, 4_000), /ends within its own tag/],
  [
    'cut, and filled with zeros',
    () => join(frames(whole), Buffer.alloc(50_000)),
    /^After 12.02 seconds comes no frame/,
  ],

  // Too short, too long, and just not
  ['9.9 seconds', () => seconds(9.9), /^It lasts 9.90 seconds by its frames, and 10 to 60 are allowed/],
  ['9.9 seconds that state 30', () => join(xing(379), seconds(9.9)), /^It lasts 9.90 seconds/],
  ['the last frame before 10 seconds', () => frames(382), /^It lasts 9.98 seconds/],
  ['the first frame at 10 seconds', () => frames(383), at44(383)],
  ['10 seconds at 48 kHz', () => seconds(10, { rate: 48_000 }), 10.008],
  ['10 seconds at 8 kHz', () => seconds(10, lowest), 10.008],
  ['the last frame before 10 seconds at 8 kHz', () => frames(138, lowest), /^It lasts 9.94 seconds/],
  ['exactly 60 seconds', () => frames(2_500, { rate: 48_000 }), 60],
  ['60 seconds that no number of frames is', () => seconds(60), at44(2_297)],
  ['a minute with the delay of its encoder', () => frames(2_298), at44(2_298)],
  ['two frames more than a minute', () => frames(2_300), /^It lasts 60.08 seconds/],
  ['60.1 seconds', () => seconds(60.1), /^It lasts 60.11 seconds/],
  ['60.1 seconds of the longest frames', () => seconds(60.1, lowest), /^It lasts 60.12 seconds/],
  ['60.1 seconds that state 10', () => join(xing(383), seconds(60.1)), /^It lasts 60.11 seconds/],
  ['an hour of the lowest rate', () => seconds(3_600, lowest), /^It lasts 3600.00 seconds/],
  ['8 MiB', () => sized(8 * mebibyte, frames(whole)), at44(whole)],
  ['8 MiB and one byte', () => sized(8 * mebibyte + 1, frames(whole)), /^It is larger than 8 MiB/],

  // Something else
  ['nothing', () => Buffer.alloc(0), /^It is empty/],
  ['one byte', () => Buffer.from([0xff]), /cut off/],
  ['only a tag', () => id3v2(3), /^It has no sound, only tags/],
  ['only tags of every kind', () => join(id3v2(4), ape(), id3v1()), /^It has no sound, only tags/],
  ['only a Xing header', () => xing(whole), /^It has no sound, only a header/],
  ['WAV', () => wav(12), /^It is a WAV file/],
  ['WAV behind an ID3 tag', () => join(id3v2(3), wav(12)), /^It is a WAV file/],
  ['Ogg', () => join(text('OggS\0\x02'), Buffer.alloc(9_000)), /^It is an Ogg file/],
  ['FLAC', () => join(text('fLaC\0'), Buffer.alloc(9_000)), /^It is a FLAC file/],
  ['M4A', () => join(text('\0\0\0\x20ftypM4A '), Buffer.alloc(9_000)), /^It is an MP4 or M4A file/],
  ['AAC', () => adts(500), /^It begins with a frame of AAC/],
  ['Layer II', () => bent(frames(whole), 1, 0b110, 0b100), /^It begins with a frame of MPEG Layer II,/],
  ['Layer I', () => bent(frames(whole), 1, 0b110, 0b110), /^It begins with a frame of MPEG Layer I,/],
  ['free format', () => bent(frames(whole), 2, 0xf0, 0), /^It begins with a frame of free format/],
  ['a reserved bit rate', () => bent(frames(whole), 2, 0xf0, 0xf0), /^It begins with no frame/],
  ['a reserved sample rate', () => bent(frames(whole), 2, 0x0c, 0x0c), /^It begins with no frame/],
  ['a reserved version', () => bent(frames(whole), 1, 0x18, 0x08), /^It begins with no frame/],
  ['a reserved layer', () => bent(frames(whole), 1, 0xff, 0b1110_0001), /^It begins with no frame/],
  ['a reserved emphasis', () => bent(frames(whole), 3, 3, 2), /^It begins with no frame/],
  ['text', () => text('A recording for you. '.repeat(500)), /^It begins with no frame/],
  ['a web page', () => text(`<!doctype html>${'<p>Not found</p>'.repeat(500)}`), /^It begins with no frame/],
  ['random bytes', () => join(text('x'), randomBytes(100_000)), /^It begins with no frame/],
  [
    'random bytes that begin like a frame',
    () => join(frames(1).subarray(0, 4), Buffer.alloc(100_000, 'garbage')),
    /^After 0.03 seconds comes no frame/,
  ],
  ['zeros', () => Buffer.alloc(100_000), /^It begins with no frame/],
  ['ones', () => Buffer.alloc(100_000, 0xff), /^It begins with/],

  // Broken on the way
  ['with bytes before its frames', () => join(text('junk'), frames(whole)), /^It begins with no frame/],
  [
    'with bytes between its frames',
    () => join(frames(100), text('junk'), frames(whole)),
    /^After 2.61 seconds comes no frame/,
  ],
  [
    'with bytes after its frames',
    () => join(frames(whole), text('junk')),
    /^After 12.02 seconds comes no frame/,
  ],
  [
    'a frame that lost its header',
    () => join(frames(100), Buffer.alloc(417), frames(whole)),
    /^After 2.61 seconds/,
  ],
  [
    'with free format in the middle',
    () => join(frames(100), bent(frames(1), 2, 0xf0, 0), frames(whole)),
    /^After 2.61 seconds comes a frame of free format/,
  ],
  [
    '44.1 and then 48 kHz',
    () => join(frames(whole), frames(whole, { rate: 48_000 })),
    /^After 12.02 seconds its sample rate changes/,
  ],
  [
    'MPEG 1 and then MPEG 2',
    () => join(frames(whole), frames(whole, low)),
    /^After 12.02 seconds its sample rate changes/,
  ],
  [
    'a tag that says it is longer than the file',
    () => join(bent(id3v2(3), 6, 0x7f, 0x7f), frames(whole)),
    /ends within its own tag/,
  ],
  [
    'an APE tag that says it is longer than the file',
    () => join(frames(whole), bent(ape(), 71, 0xff, 0x7f)),
    /^After 12.02/,
  ],
];

/** The seconds of a file that is taken, or why it is not. */
function judge(bytes: Uint8Array): number | string {
  try {
    return durationOf(bytes);
  } catch (error) {
    if (!(error instanceof InputRefusal)) throw error;
    expect(error.code).toBe('AUDIO_INVALID');
    expect(error.fields[0]?.path).toEqual(['file']);
    return error.fields[0]!.message;
  }
}

describe('a recording', () => {
  test.each(corpus)('%s', (_, make, judged) => {
    const verdict = judge(make());
    if (typeof judged === 'number') expect(verdict).toBe(judged);
    else expect(verdict).toMatch(judged);
  });
});

/** Headers as encoders write them, and how long the frames are that they begin. */
const known: [header: string, length: number, samples: number, rate: number][] = [
  ['fffb9064', 417, 1152, 44_100],
  ['fffb9264', 418, 1152, 44_100],
  ['fffbe044', 1044, 1152, 44_100],
  ['fffb94c4', 384, 1152, 48_000],
  ['fffa9064', 417, 1152, 44_100],
  ['fff364c4', 144, 576, 24_000],
  ['fff340c0', 104, 576, 22_050],
  ['ffe318c4', 72, 576, 8_000],
  ['ffe340c4', 208, 576, 11_025],
];

test.each(known)('the frame that %s begins has %i bytes', (header, length, samples, sampleRate) => {
  const frame = Buffer.alloc(length);
  Buffer.from(header, 'hex').copy(frame);
  const file = Buffer.concat(Array.from({ length: 20 }, () => frame));
  const durationSeconds = (20 * samples) / sampleRate;
  expect(measure(file)).toEqual({ frames: 20, samplesPerFrame: samples, sampleRate, durationSeconds });
});

const styles = fc
  .constantFrom<[1 | 2 | 2.5, number[], number[]]>(
    [1, [44_100, 48_000, 32_000], [32, 64, 128, 160, 320]],
    [2, [22_050, 24_000, 16_000], [8, 16, 24, 64, 144, 160]],
    [2.5, [11_025, 12_000, 8_000], [8, 16, 24, 64, 144, 160]],
  )
  .chain(([version, rates, kilobits]) =>
    fc.record({
      version: fc.constant(version),
      rate: fc.constantFrom(...rates),
      kilobits: fc.array(fc.constantFrom(...kilobits), { minLength: 1, maxLength: 5 }),
      mono: fc.boolean(),
      crc: fc.boolean(),
      padding: fc.constantFrom('as needed' as const, 'never' as const, 'always' as const),
      fill: fc.constantFrom(0, 0x55, 0xff),
    }),
  );
const tag = fc.constantFrom('none' as const, 'id3' as const, 'ape' as const);

test('n frames last n times the samples of one by the sample rate, whatever they are like and stands around them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      styles,
      fc.record({ before: tag, after: tag }),
      (n, style, { before, after }) => {
        const file = join(
          { id3: id3v2(4, { footer: true }), ape: ape(), none: text('') }[before],
          frames(n, style),
          { id3: id3v1(), ape: ape(), none: text('') }[after],
        );
        const samplesPerFrame = samplesOf(style.version);
        const durationSeconds = (n * samplesPerFrame) / style.rate;
        expect(measure(file)).toEqual({
          frames: n,
          samplesPerFrame,
          sampleRate: style.rate,
          durationSeconds,
        });
      },
    ),
    { numRuns: tries(200) },
  );
});

test('a file that is cut anywhere but between two frames is told from a whole one', () => {
  const file = frames(20, { kilobits: [32, 128] });
  const boundaries = new Set<number>();
  for (let n = 0; n <= 20; n += 1) boundaries.add(frames(n, { kilobits: [32, 128] }).length);
  for (let length = 1; length < file.length; length += 1) {
    const told = measure(file.subarray(0, length));
    expect([length, 'reason' in told]).toEqual([length, !boundaries.has(length)]);
  }
});

/** Bytes that begin like something that they are not. */
const garbage = fc
  .tuple(
    fc.constantFrom(
      '',
      'ID3',
      'ID3\x04\0\x10\0\0\x02\x01',
      'APETAGEX',
      'RIFF',
      '\xff\xfb\x90\x64',
      '\xff\xe3\x18\xc4',
    ),
    fc.uint8Array({ maxLength: 2_000 }),
    fc.constantFrom('', 'TAG', 'APETAGEX', '3DI', '\xff', '\xff\xfb\x90'),
  )
  .map(([head, middle, tail]) => join(text(head), middle, text(tail)));

test('garbage is refused in words, and never thrown at', () => {
  fc.assert(
    fc.property(garbage, (bytes) => {
      expect(measure(bytes)).toEqual({ reason: expect.stringMatching(/^(It|After) .+\.$/) });
    }),
    { numRuns: tries(2_000) },
  );
});

test.each<[string, () => Buffer]>([
  ['zeros', () => Buffer.alloc(8 * mebibyte)],
  ['ones', () => Buffer.alloc(8 * mebibyte, 0xff)],
  ['the smallest tags', () => Buffer.alloc(8 * mebibyte, text('ID3\x03\0\0\0\0\0\0'))],
  ['tags at its end', () => Buffer.alloc(8 * mebibyte, text(`TAG${'\0'.repeat(125)}`))],
  ['the smallest frames', () => frames(300_000, { version: 2, rate: 24_000, kilobits: 8 })],
])('a file full of %s is judged in time', (_, make) => {
  const file = make();
  const begun = performance.now();
  judge(file);
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('the corpus counts frames by itself', () => {
  expect([framesIn(10), framesIn(60), framesIn(60, { rate: 48_000 })]).toEqual([383, 2_297, 2_500]);
});
