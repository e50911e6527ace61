import { expect, test } from 'vitest';
import * as calls from '../../src/domain/call.ts';
import { insightsOf } from '../../src/domain/insight.ts';

const answeredAt = new Date('2026-03-03T19:00:00Z');
const at = (seconds: number) => new Date(answeredAt.getTime() + seconds * 1000);
const ended = { ...calls.blank('c', 'w'), answeredAt, endedAt: at(20), durationSeconds: 20 };
const turn = (speaker: string, characters: number, seconds: number) => ({
  speaker,
  text: 'x'.repeat(characters),
  at: at(seconds).toISOString(),
});

test('shares the time of a call between who spoke and silence', () => {
  const transcript = [turn('agent', 100, 0.25), turn('patient', 50, 7), turn('agent', 50, 11)];
  const call = {
    ...ended,
    transcript,
    outcome: 'confirmed' as const,
    conduct: { identityVerified: true, interruptions: 2 },
  };
  expect(insightsOf(call)).toEqual({
    agentTalkShare: expect.closeTo(0.45),
    personTalkShare: expect.closeTo(0.15),
    silenceShare: expect.closeTo(0.4),
    interruptions: 2,
    identityVerified: true,
    goalReached: true,
    firstWordMs: 250,
  });
});

test('knows nothing of a call that was not answered, or is not over', () => {
  expect(insightsOf({ ...ended, answeredAt: null })).toBeNull();
  expect(insightsOf({ ...ended, endedAt: null })).toBeNull();
});

test('the shares sum to one, however short the call was', () => {
  for (const durationSeconds of [0, 1, 5, 600]) {
    const call = { ...ended, durationSeconds, transcript: [turn('agent', 300, 0), turn('patient', 30, 1)] };
    const { agentTalkShare, personTalkShare, silenceShare, identityVerified } = insightsOf(call)!;
    expect(agentTalkShare + personTalkShare + silenceShare).toBeCloseTo(1);
    expect(identityVerified).toBeNull();
  }
  expect(insightsOf({ ...ended, durationSeconds: 0 })).toMatchObject({ silenceShare: 1, firstWordMs: null });
});
