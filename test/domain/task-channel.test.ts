/** How a task whose channel nobody named goes from one channel to another, and says why. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AttemptEnd, Verdict } from '../../src/domain/attempt-end.ts';
import type { Sender } from '../../src/domain/channel.ts';
import { channels, type Channel, type ContactBlock, type ContactDecision } from '../../src/domain/consent.ts';
import { fold } from '../../src/domain/event.ts';
import * as tasks from '../../src/domain/task.ts';
import type { OutboundTask } from '../../src/domain/task.ts';
import type { Fact } from '../../src/domain/task-fact.ts';
import { dispatch, endAttempt, passes } from '../../src/domain/task-progress.ts';
import { afterBlock, sequelOf } from '../../src/domain/task-retry.ts';
import { eventOf } from '../support/given.ts';

const id = '00000000-0000-7000-8000-00000000cccc';
const now = new Date('2026-03-03T19:00:00Z');

/** A task that is tried a first time, by call, since a minute. */
const taskOf = (more: Partial<OutboundTask> = {}): OutboundTask => ({
  ...tasks.blank(id, id),
  version: 1,
  status: 'DISPATCHED',
  attempts: 1,
  maxAttempts: 5,
  backoffSeconds: 3_600,
  lastCallId: id,
  leaseUntil: new Date(now.getTime() - 60_000 + tasks.leaseMs),
  ...more,
});

/** A gate that is open at any time, but for what stands against a channel. */
const gate =
  (blocks: Partial<Record<Channel, ContactBlock[]>> = {}) =>
  (channel: Channel) =>
  (at: Date, other: Channel = channel): ContactDecision => ({
    allowed: !blocks[other],
    blocks: blocks[other] ?? [],
    basis: 'PRIOR_EXPRESS',
    localTime: null,
    timeZone: null,
    nextAllowedAt: at.toISOString(),
    policyVersion: '',
    decidedAt: at.toISOString(),
  });

const senderOf = (channel: Channel): Sender => ({ channel, phoneFrom: `from ${channel}` });

interface Given {
  task: OutboundTask;
  blocks?: Partial<Record<Channel, ContactBlock[]>>;
  senders?: readonly Channel[];
  preferred?: Channel | null;
  worked?: Channel[];
}

const circumstancesOf = ({ task, blocks, senders = channels, preferred = null, worked = [] }: Given) => ({
  now,
  zone: 'America/New_York',
  decisionAt: gate(blocks)(task.channel),
  choice: { senders: senders.map(senderOf), preferred, worked },
});

const endOf = ({ channel }: OutboundTask, more: Partial<AttemptEnd> = {}): AttemptEnd => ({
  id,
  channel,
  outcome: 'no_answer',
  verdict: 'retry',
  isUntaken: false,
  ...more,
});

const ended = (given: Given, end: Partial<AttemptEnd> = {}) =>
  sequelOf(given.task, endOf(given.task, end), circumstancesOf(given));

const blocked = (given: Given) => {
  const circumstances = circumstancesOf(given);
  return afterBlock(given.task, circumstances.decisionAt(now), circumstances);
};

test('who does not answer a call is left a voicemail next, and the task says why', () => {
  expect(ended({ task: taskOf() })).toEqual({
    becomes: 'scheduled',
    counted: true,
    channel: 'VOICEMAIL',
    phoneFrom: 'from VOICEMAIL',
    nextAttemptAt: expect.any(String),
    nextAttemptReason:
      'Attempt 1 of 5: no answer. Next try after 1 hour, by voicemail, which has not been tried.',
  });
});

test('after a voicemail comes a text, and after that a call again, unless the person prefers another', () => {
  const left = { outcome: 'voicemail_left' };
  const second = taskOf({ channel: 'VOICEMAIL', attempts: 2, tried: ['VOICE'] });
  expect(ended({ task: second }, left)).toMatchObject({ channel: 'TEXT', phoneFrom: 'from TEXT' });
  const third = taskOf({ channel: 'TEXT', attempts: 3, tried: ['VOICE', 'VOICEMAIL'] });
  expect(ended({ task: third })).toMatchObject({ channel: 'VOICE' });
  expect(ended({ task: third, preferred: 'VOICEMAIL' })).toMatchObject({
    channel: 'VOICEMAIL',
    nextAttemptReason: expect.stringMatching(/by voicemail, which the patient prefers\.$/),
  });
});

test('a channel that does not reach the person is never tried again for the task', () => {
  const task = taskOf({ channel: 'VOICEMAIL', tried: ['VOICE', 'TEXT'] });
  const end = { outcome: 'voicemail_not_delivered', verdict: 'elsewhere' as const };
  const sequel = ended({ task, preferred: 'VOICEMAIL' }, end);
  expect(sequel).toMatchObject({ becomes: 'scheduled', isDead: true, channel: 'VOICE' });
  expect(ended({ task, senders: ['VOICEMAIL'] }, end)).toEqual({
    becomes: 'failed',
    counted: true,
    reason: 'attempt 1 of 5: voicemail not delivered, and no other channel reaches the patient',
  });
});

test('a task whose channel was named stays there, and ends where that does not reach the person', () => {
  const task = taskOf({ isChannelNamed: true });
  expect(ended({ task })).not.toHaveProperty('channel');
  expect(ended({ task }, { outcome: 'voicemail_skipped', verdict: 'elsewhere' })).toEqual({
    becomes: 'failed',
    counted: true,
    reason: 'voicemail skipped',
  });
});

test('an attempt that was not taken is made again on the same channel, with its own noun', () => {
  const task = taskOf({ channel: 'VOICEMAIL' });
  const sequel = ended({ task }, { outcome: 'voicemail_failed', isUntaken: true });
  expect(sequel).not.toHaveProperty('channel');
  expect(sequel).toMatchObject({
    counted: false,
    nextAttemptReason: 'The carrier did not take the voicemail. Next try after 15 seconds.',
  });
});

test('what the patient does not want is passed over, and where it is the channel of the task it is moved at once', () => {
  const blocks = { VOICE: ['CHANNEL_BLOCKED'] as ContactBlock[] };
  const task = taskOf({ status: 'SCHEDULED', attempts: 0, leaseUntil: null });
  expect(blocked({ task, blocks })).toMatchObject({
    channel: 'VOICEMAIL',
    nextAttemptReason: 'The patient does not want this channel. Next try by voicemail.',
  });
  expect(ended({ task: taskOf({ channel: 'TEXT' }), blocks })).toMatchObject({ channel: 'VOICEMAIL' });
  expect(blocked({ task: { ...task, isChannelNamed: true }, blocks })).toEqual({
    becomes: 'failed',
    reason: 'the patient does not want this channel',
  });
});

test('a block that goes by moves the time and not the channel', () => {
  const task = taskOf({ status: 'SCHEDULED', attempts: 0, leaseUntil: null });
  const plan = blocked({ task, blocks: { VOICE: ['ACTIVE_CONTACT'] } });
  expect(plan).not.toHaveProperty('channel');
  expect(plan).toMatchObject({ nextAttemptReason: expect.stringMatching(/Next try after 1 minute\.$/) });
});

const someBlocks = fc.subarray<ContactBlock>(['CHANNEL_BLOCKED', 'CONSENT_REVOKED', 'FREQUENCY_CAP'], {
  minLength: 1,
});
const settings = fc.record({
  blocks: fc.record({ VOICE: someBlocks, VOICEMAIL: someBlocks, TEXT: someBlocks }, { requiredKeys: [] }),
  senders: fc.subarray([...channels], { minLength: 1 }),
  preferred: fc.option(fc.constantFrom(...channels)),
  worked: fc.uniqueArray(fc.constantFrom(...channels)),
  verdicts: fc.array(fc.constantFrom<Verdict>('retry', 'elsewhere'), { minLength: 1, maxLength: 6 }),
  isChannelNamed: fc.boolean(),
});

test('however attempts end, a task is only moved to a channel of ours that is neither dead nor closed for good', () =>
  fc.assert(
    fc.property(settings, ({ verdicts, isChannelNamed, ...given }) => {
      const first = given.senders[0]!;
      let task = taskOf({
        status: 'SCHEDULED',
        attempts: 0,
        leaseUntil: null,
        channel: first,
        isChannelNamed,
      });
      const record = (facts: Fact[]) => {
        for (const fact of facts) task = fold(tasks, task, eventOf(fact, task.version + 1));
      };
      for (const verdict of verdicts) {
        const decision = gate(given.blocks)(task.channel)(now);
        record(dispatch(task, { callId: id, phone: '+1', decision, chainId: id }, now));
        const sequel = ended({ task, ...given }, { verdict });
        record(endAttempt(task, { callId: id, outcome: 'no_answer' }, sequel));
        if (task.status !== 'SCHEDULED') return;
        expect(given.senders).toContain(task.channel);
        expect(task.deadChannels).not.toContain(task.channel);
        expect((given.blocks[task.channel] ?? []).every(passes)).toBe(true);
        if (isChannelNamed) expect(task.channel).toBe(first);
        else if (task.tried.at(-1) !== task.channel) expect(task.phoneFrom).toBe(`from ${task.channel}`);
      }
    }),
  ));
