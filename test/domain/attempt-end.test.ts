import { expect, test } from 'vitest';
import { endOfCall, endOfMessage, endOfVoicemail, type AttemptEnd } from '../../src/domain/attempt-end.ts';
import type { VoicemailStatus } from '../../src/domain/voicemail.ts';

const id = '00000000-0000-7000-8000-00000000bbbb';

const voicemail = (
  status: VoicemailStatus,
  more: { isUntaken?: boolean; isAllThatWasWanted?: boolean } = {},
) => endOfVoicemail({ id, status }, { isUntaken: false, isAllThatWasWanted: false, ...more });

const text = (more: Partial<Parameters<typeof endOfMessage>[0]> = {}): AttemptEnd =>
  endOfMessage({ id, isDelivered: false, carrierCode: null, isUntaken: false, ...more });

test('a voicemail that was left is enough where nothing else was wanted; elsewhere the person has yet to answer', () => {
  expect(voicemail('DELIVERED')).toEqual({
    id,
    channel: 'VOICEMAIL',
    outcome: 'voicemail_left',
    verdict: 'retry',
    isUntaken: false,
  });
  expect(voicemail('DELIVERED', { isAllThatWasWanted: true }).verdict).toBe('done');
});

test.each<[VoicemailStatus, string]>([
  ['NOT_DELIVERED', 'voicemail_not_delivered'],
  ['SKIPPED', 'voicemail_skipped'],
  ['FAILED', 'voicemail_failed'],
])('after a voicemail that ended %s another channel is tried, whatever was wanted', (status, outcome) => {
  for (const isAllThatWasWanted of [true, false])
    expect(voicemail(status, { isAllThatWasWanted })).toMatchObject({ outcome, verdict: 'elsewhere' });
});

test('what was not taken is tried again, on whatever channel', () => {
  expect(voicemail('FAILED', { isUntaken: true })).toMatchObject({ verdict: 'retry', isUntaken: true });
  expect(text({ isUntaken: true })).toMatchObject({ verdict: 'retry', isUntaken: true });
  const refused = {
    id,
    status: 'FAILED' as const,
    endedReason: 'carrier_rejected_10004',
    answeredBy: null,
    outcome: null,
  };
  expect(endOfCall(refused, true)).toMatchObject({ verdict: 'retry', isUntaken: true });
  expect(endOfCall(refused, false)).toMatchObject({ verdict: 'give up', isUntaken: false });
});

test('a text that has arrived is what was wanted; one that did not may arrive later, or never does there', () => {
  expect(text({ isDelivered: true })).toMatchObject({ outcome: 'text_delivered', verdict: 'done' });
  expect(text({ carrierCode: '30003' })).toMatchObject({
    outcome: 'text_undelivered_30003',
    verdict: 'retry',
  });
  for (const carrierCode of ['30004', '30005', '30006', '30007', '21610', null])
    expect(text({ carrierCode }).verdict, String(carrierCode)).toBe('elsewhere');
});

test('a call that a machine answered is tried again, also where it was told to call back', () => {
  const ended = { id, status: 'COMPLETED' as const, endedReason: 'completed', outcome: null };
  expect(endOfCall({ ...ended, answeredBy: 'MACHINE' }, false)).toMatchObject({
    channel: 'VOICE',
    outcome: 'completed_by_machine',
    verdict: 'retry',
  });
  const left = { ...ended, outcome: 'left_message' as const };
  expect(endOfCall({ ...left, answeredBy: 'MACHINE' }, false).verdict).toBe('retry');
  expect(endOfCall({ ...left, answeredBy: 'HUMAN' }, false).verdict).toBe('done');
  expect(endOfCall({ ...ended, answeredBy: 'UNKNOWN' }, false).verdict).toBe('done');
  expect(endOfCall({ ...ended, answeredBy: 'FAX' }, false).verdict).toBe('give up');
});
