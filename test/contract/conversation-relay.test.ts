import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Said } from '../../src/agent/mind.ts';
import { readFrame, type FromRelay, type ToRelay } from '../../src/agent/relay.ts';
import { Conversation, type Session } from '../../src/agent/session.ts';
import { openClock } from '../../src/clock.ts';
import type { Brief } from '../../src/domain/agent-dialogue.ts';
import type { Turn } from '../../src/domain/call-fact.ts';

const brief: Brief = {
  greeting: 'Hello from the clinic.',
  organization: 'Care',
  callbackNumber: '+14155550199',
  patientName: 'Rosa Delgado',
  birthDate: '1951-03-14',
  language: 'en',
  reason: 'Come on Thursday',
  goal: null,
  zone: 'America/New_York',
  tellsNumberFirst: false,
  isRecordingAnnounced: false,
  machineMessage: null,
};

type Concluded = Parameters<Session['conclude']>;

/** A conversation on a clock that is moved by hand, with everything that it sent and concluded. */
function stage(mind: Session['mind'] = null) {
  const clock = openClock(new Date('2026-03-03T19:00:00Z'));
  const sent: ToRelay[] = [];
  const concluded: Concluded[] = [];
  const logged: string[] = [];
  const stopped: true[] = [];
  const conversation = new Conversation({
    brief,
    mind,
    clock,
    pace: 1,
    send: (message) => void sent.push(message),
    stopRecording: () => Promise.resolve(void stopped.push(true)),
    conclude: (...given) => {
      concluded.push(given);
      return Promise.resolve();
    },
    log: (line, error) => void logged.push(error === undefined ? line : `${line} and an error`),
  });
  const say = (voicePrompt: string, last = true) => conversation.take({ type: 'prompt', voicePrompt, last });
  /** What was said so far, one turn an entry. */
  const turns = () => {
    const all: string[] = [''];
    for (const message of sent) {
      if (message.type !== 'text') continue;
      all[all.length - 1] += message.token;
      if (message.last) all.push('');
    }
    return all.slice(0, -1);
  };
  const seconds = (count: number) => clock.advance(new Date(clock.now().getTime() + count * 1000));
  return { clock, sent, concluded, logged, stopped, conversation, say, turns, seconds };
}

/** Says the words with a pause between them that only an abort shortens. */
const speaking = (words: string[], eachMs: number, aborted: string[] = []): NonNullable<Session['mind']> =>
  async function* speak(_turns: Turn[], signal: AbortSignal): AsyncGenerator<Said> {
    try {
      for (const text of words) {
        yield { text };
        await pause(eachMs, undefined, { signal });
      }
    } catch {
      aborted.push('aborted');
    }
  };

/** A little later than now: the clock goes on between the question and the move, and moves only forward. */
const aMoment = (clock: { now(): Date }): Date => new Date(clock.now().getTime() + 10);

test('greets at once, a sentence at a time, and marks the last token alone', () => {
  const { conversation, sent, turns } = stage();
  conversation.begin();
  conversation.begin();
  expect(turns()).toHaveLength(1);
  expect(sent.map((message) => message.type === 'text' && message.last)).toEqual([false, false, false, true]);
});

test('waits until the person has finished speaking', () => {
  const { conversation, say, turns } = stage();
  conversation.begin();
  say('Yes', false);
  say('  ');
  expect(turns()).toHaveLength(1);
  say('Yes, speaking.');
  expect(turns()).toHaveLength(2);
});

test('remembers of an interrupted turn only what was heard', async () => {
  const { conversation, say, seconds, concluded, turns } = stage();
  conversation.begin();
  conversation.take({
    type: 'interrupt',
    utteranceUntilInterrupt: 'This is an AI',
    durationUntilInterruptMs: 800,
  });
  say('Yes?');
  expect(turns()[1]).toBe('May I speak with Rosa Delgado?');
  say('Stop calling me.');
  await seconds(20);
  const [conclusion, transcript, conduct] = concluded[0]!;
  expect(conclusion.outcome).toBe('opted_out');
  expect(transcript.map(({ text }) => text)).toEqual([
    'This is an AI…',
    'Yes?',
    'May I speak with Rosa Delgado?',
    'Stop calling me.',
    'I am sorry to have disturbed you. We will not call you again. Goodbye.',
  ]);
  expect(conduct).toEqual({ identityVerified: false, interruptions: 1 });
});

test('an opt-out is recorded before another word is waited for', () => {
  const { conversation, say, concluded } = stage();
  conversation.begin();
  say('Stop calling me.');
  expect(concluded).toHaveLength(1);
});

test('ends with a handoff once the farewell was said, and is deaf from then on', async () => {
  const { conversation, say, seconds, sent, concluded, turns } = stage();
  conversation.begin();
  for (const text of ['Yes', 'March 14, 1951', 'Yes, that works']) say(text);
  await seconds(2);
  expect(sent.at(-1)).toMatchObject({ type: 'text' });
  await seconds(10);
  expect(sent.at(-1)).toEqual({ type: 'end', handoffData: '{"outcome":"confirmed"}' });
  const before = turns().length;
  say('Hello?');
  conversation.take({ type: 'dtmf', digit: '9' });
  await seconds(60);
  expect(turns()).toHaveLength(before);
  await conversation.closed();
  expect(concluded).toHaveLength(1);
});

test('asks a silent person once whether they are there, and leaves', async () => {
  const { conversation, seconds, sent, turns, concluded } = stage();
  conversation.begin();
  await seconds(16);
  expect(turns()).toHaveLength(1);
  await seconds(4);
  expect(turns()[1]).toMatch(/^Are you still there\?/);
  await seconds(40);
  expect(sent.at(-1)).toMatchObject({ type: 'end' });
  expect(concluded[0]![0]).toMatchObject({ outcome: 'unresolved', answeredBy: null });
});

test('what came of it is recorded when the line closes during the farewell, and once', async () => {
  const { conversation, say, concluded } = stage();
  conversation.begin();
  for (const text of ['Yes', 'March 14, 1951', 'No, I cannot come']) say(text);
  expect(concluded).toHaveLength(0);
  expect(await conversation.closed()).toMatchObject({ isConcluded: true });
  await conversation.closed();
  expect(concluded.map(([{ outcome }]) => outcome)).toEqual(['declined']);
});

test('a line that closes before anything came of it leaves the transcript to whoever finds out', async () => {
  const { conversation, say, seconds, sent, concluded } = stage();
  conversation.begin();
  say('Yes');
  const left = await conversation.closed();
  expect(left.isConcluded).toBe(false);
  expect(left.transcript).toHaveLength(3);
  const before = sent.length;
  await seconds(60);
  expect(sent).toHaveLength(before);
  expect(concluded).toEqual([]);
});

test('streams what is thought as it comes', async () => {
  const { conversation, say, sent, turns, clock } = stage(speaking(['Will ', 'you ', 'come?'], 5));
  conversation.begin();
  say('Yes');
  const before = sent.length;
  say('March 14, 1951');
  await clock.advance(aMoment(clock));
  expect(sent.slice(before)).toEqual([
    { type: 'text', token: 'Will ', last: false },
    { type: 'text', token: 'you ', last: false },
    { type: 'text', token: 'come?', last: false },
    { type: 'text', token: '', last: true },
  ]);
  expect(turns().at(-1)).toBe('Will you come?');
});

test('who speaks into the thinking is answered instead, and the thought is given up', async () => {
  const aborted: string[] = [];
  const { conversation, say, clock, turns, concluded } = stage(
    speaking(['Let ', 'me ', 'tell '], 60_000, aborted),
  );
  conversation.begin();
  say('Yes');
  say('March 14, 1951');
  await pause(5);
  conversation.take({ type: 'interrupt', utteranceUntilInterrupt: 'Let' });
  say('Stop calling me.');
  await clock.advance(aMoment(clock));
  expect(aborted).toEqual(['aborted']);
  expect(concluded[0]![1].map(({ text }) => text)).toContain('Let…');
  expect(turns().at(-1)).toMatch(/We will not call you again/);
});

test('a model that fails costs a line of the log without what was said', async () => {
  const mind = async function* fail(): AsyncGenerator<Said> {
    yield* [];
    throw new SyntaxError('Unexpected token in {"content": "diabetes"}');
  };
  const { conversation, say, clock, logged, turns } = stage(mind);
  conversation.begin();
  say('Yes');
  say('March 14, 1951');
  await clock.advance(aMoment(clock));
  expect(turns().at(-1)).toMatch(/I am calling about this: Come on Thursday\./);
  expect(logged).toEqual(['the model did not answer (SyntaxError); the scripted agent speaks instead']);
});

const setup = { type: 'setup', sessionId: 'VX1', callSid: 'CA1', accountSid: 'AC1' };

test.each<[string, unknown, FromRelay | null]>([
  [
    'setup',
    { ...setup, from: '+1', to: '+1', direction: 'outbound-api', customParameters: { a: 'b' } },
    setup as FromRelay,
  ],
  [
    'prompt',
    { type: 'prompt', voicePrompt: 'Hi', lang: 'en-US', last: true, agentSpeaking: false },
    { type: 'prompt', voicePrompt: 'Hi', lang: 'en-US', last: true },
  ],
  [
    'a prompt that does not say whether it is the last',
    { type: 'prompt', voicePrompt: 'Hi' },
    { type: 'prompt', voicePrompt: 'Hi', last: true },
  ],
  ['interrupt', { type: 'interrupt' }, { type: 'interrupt' }],
  ['dtmf', { type: 'dtmf', digit: '#' }, { type: 'dtmf', digit: '#' }],
  ['error', { type: 'error', description: 'bad' }, { type: 'error', description: 'bad' }],
  ['a message that Twilio adds later', { type: 'mood', mood: 'good' }, null],
  ['a key of no telephone', { type: 'dtmf', digit: '12' }, null],
  ['a prompt of endless length', { type: 'prompt', voicePrompt: 'x'.repeat(10_000) }, null],
  ['what is no object', 7, null],
])('reads %s', (_name, frame, message) => {
  expect(readFrame(JSON.stringify(frame))).toEqual(message);
});

test('what is no JSON is no message', () => {
  expect(readFrame('{"type":')).toBeNull();
});
