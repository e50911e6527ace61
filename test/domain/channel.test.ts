import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseChannel, type Choice, type Sender } from '../../src/domain/channel.ts';
import { channels, type Channel } from '../../src/domain/consent.ts';

const sender = (channel: Channel): Sender => ({
  channel,
  phoneFrom: `+1415555019${channels.indexOf(channel)}`,
});

const choose = (more: Partial<Choice> = {}) =>
  chooseChannel({
    senders: channels.map(sender),
    preferred: null,
    worked: [],
    tried: [],
    isOpen: () => true,
    ...more,
  });
const channelOf = (more: Partial<Choice> = {}) => choose(more)?.sender.channel ?? null;

test('where nothing else is known it is a call, then a voicemail, then a text', () => {
  expect(channelOf()).toBe('VOICE');
  expect(channelOf({ tried: ['VOICE'] })).toBe('VOICEMAIL');
  expect(channelOf({ tried: ['VOICE', 'VOICEMAIL'] })).toBe('TEXT');
  expect(channelOf({ tried: ['VOICE', 'VOICEMAIL', 'TEXT'] })).toBe('VOICE');
  expect(channelOf({ tried: ['VOICE', 'VOICE', 'TEXT'] })).toBe('VOICEMAIL');
});

test('what the person prefers comes first, then what has reached them before, the latest first', () => {
  expect(channelOf({ preferred: 'TEXT' })).toBe('TEXT');
  expect(channelOf({ worked: ['TEXT', 'VOICE'] })).toBe('TEXT');
  expect(channelOf({ preferred: 'VOICEMAIL', worked: ['TEXT'] })).toBe('VOICEMAIL');
  expect(channelOf({ preferred: 'VOICEMAIL', worked: ['TEXT'], tried: ['VOICEMAIL'] })).toBe('TEXT');
});

test('whatever is preferred, what has been tried less comes first', () => {
  expect(channelOf({ preferred: 'TEXT', tried: ['TEXT'] })).toBe('VOICE');
  expect(channelOf({ preferred: 'TEXT', worked: ['TEXT'], tried: ['TEXT', 'VOICE'] })).toBe('VOICEMAIL');
});

test('what cannot be sent on, or is closed, is passed over', () => {
  expect(channelOf({ senders: [sender('TEXT')] })).toBe('TEXT');
  expect(channelOf({ preferred: 'TEXT', isOpen: (channel) => channel !== 'TEXT' })).toBe('VOICE');
  expect(channelOf({ senders: [] })).toBeNull();
  expect(channelOf({ isOpen: () => false })).toBeNull();
});

test('the choice says why, in words that follow "next try"', () => {
  const why = (more: Partial<Choice>) => choose(more)?.why;
  expect(why({ preferred: 'TEXT' })).toBe('by text, which the patient prefers');
  expect(why({ worked: ['VOICE'], tried: ['VOICEMAIL'] })).toBe(
    'by call, which has reached the patient before',
  );
  expect(why({ tried: ['VOICE'] })).toBe('by voicemail, which has not been tried');
  expect(why({ tried: ['VOICE', 'VOICEMAIL', 'TEXT'] })).toBe('by call');
});

const some = fc.uniqueArray(fc.constantFrom(...channels));
const asked = fc.record({
  senders: some.map((those) => those.map(sender)),
  preferred: fc.option(fc.constantFrom(...channels)),
  worked: some,
  tried: fc.array(fc.constantFrom(...channels), { maxLength: 9 }),
  open: some,
});

test('it is always one of ours that is open, and one that has been tried least of those', () =>
  fc.assert(
    fc.property(asked, ({ open, ...rest }) => {
      const isOpen = (channel: Channel) => open.includes(channel);
      const possible = rest.senders.filter(({ channel }) => isOpen(channel));
      const chosen = chooseChannel({ ...rest, isOpen });
      if (possible.length === 0) {
        expect(chosen).toBeNull();
        return;
      }
      expect(possible).toContainEqual(chosen!.sender);
      const times = ({ channel }: Sender) => rest.tried.filter((earlier) => earlier === channel).length;
      expect(times(chosen!.sender)).toBe(Math.min(...possible.map(times)));
    }),
  ));

test('what is open and can be sent on is never left out for good: as many tries as channels reach them all', () =>
  fc.assert(
    fc.property(asked, ({ open, ...rest }) => {
      const isOpen = (channel: Channel) => open.includes(channel);
      const possible = rest.senders.filter(({ channel }) => isOpen(channel)).map(({ channel }) => channel);
      const tried: Channel[] = [];
      for (const _ of possible) tried.push(chooseChannel({ ...rest, tried, isOpen })!.sender.channel);
      expect(tried.toSorted()).toEqual(possible.toSorted());
    }),
  ));
