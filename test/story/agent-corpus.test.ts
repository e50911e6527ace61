import { expect, test } from 'vitest';
import type { Answer } from '../support/program.ts';
import { stories } from './agent-corpus.ts';
import { playAll, saidIn, secrets } from './agent-stage.ts';

let played: Promise<Awaited<ReturnType<typeof playAll>>> | null = null;
const all = () => (played ??= playAll(stories));

test.each(stories.map((story, index) => [story.name, story, index] as const))(
  'a person who %s',
  { timeout: 240_000 },
  async (_name, story, index) => {
    const { calls, tasks } = await all();
    const call = calls[index];
    const said = saidIn(call);
    expect({ outcome: call.outcome, said }).toMatchObject({ outcome: story.outcome });
    expect(call.insights.identityVerified ?? false).toBe(story.verified ?? false);
    const ofPatient = tasks.filter((edge: Answer['data']) => edge.node.patient.id === call.patient.id);
    expect(ofPatient).toHaveLength(story.tasks ?? 0);
    if (story.answeredBy) expect(call.answeredBy).toBe(story.answeredBy);
    if (story.agentSays) expect(said.join('\n')).toMatch(story.agentSays);
    if (story.interruptions !== undefined) expect(call.insights.interruptions).toBe(story.interruptions);
    const { blocks } = call.patient.canContact;
    if (story.outcome === 'opted_out') expect(blocks).toContain('DO_NOT_CONTACT');
    if (story.outcome === 'wrong_person') expect(blocks).not.toEqual([]);
  },
);

test('nobody hears a health detail before name and birth date agree', { timeout: 240_000 }, async () => {
  const { calls } = await all();
  expect(calls.length).toBeGreaterThanOrEqual(60);
  let told = 0;
  for (const call of calls) {
    const turns: { speaker: string; text: string }[] = call.transcript;
    const verifiedAt = turns.findIndex(({ speaker, text }) => speaker === 'patient' && /1951/.test(text));
    const isVerified = call.insights.identityVerified === true;
    for (const [index, { speaker, text }] of turns.entries()) {
      if (speaker !== 'agent' || !secrets.test(text)) continue;
      told += 1;
      expect({ isVerified, isAfter: index > verifiedAt && verifiedAt >= 0, text }).toMatchObject({
        isVerified: true,
        isAfter: true,
      });
    }
    expect(call.context.patientSummary).toMatch(secrets);
  }
  expect(told).toBeGreaterThan(10);
});

test('everybody hears first that an AI calls, and how to be left alone', { timeout: 240_000 }, async () => {
  const { calls } = await all();
  for (const { transcript } of calls) {
    const first = transcript.find(({ speaker }: { speaker: string }) => speaker === 'agent')?.text as
      string | undefined;
    if (first === undefined || first.endsWith('…')) continue;
    expect(first).toMatch(/AI assistant|inteligencia artificial/);
    expect(first).toMatch(/say stop|diga alto|To stop these calls/);
  }
});
