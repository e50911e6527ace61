import type { Call } from './call.ts';

/** What a call that has ended tells about itself. Shares are of the time between answer and end, 0 to 1. */
export interface Insights {
  /** How long the agent spoke, and the person; by the length of what was said, at 1,000 characters a minute. */
  agentTalkShare: number;
  personTalkShare: number;
  silenceShare: number;
  interruptions: number | null;
  identityVerified: boolean | null;
  goalReached: boolean;
  /** From the answer to the first word of the agent; null: it said none. */
  firstWordMs: number | null;
}

/** Speech of about 1,000 characters a minute. */
export const secondsPerCharacter = 0.06;

/** How a call went. Null until it has ended, and for one that nobody answered. */
export function insightsOf(call: Call): Insights | null {
  const { answeredAt, endedAt, transcript, conduct, outcome } = call;
  if (!answeredAt || !endedAt) return null;
  const lasted = Math.max(call.durationSeconds ?? (endedAt.getTime() - answeredAt.getTime()) / 1000, 0);
  const spoken = (isAgent: boolean) =>
    transcript
      .filter(({ speaker }) => (speaker === 'agent') === isAgent)
      .reduce((sum, { text }) => sum + text.length * secondsPerCharacter, 0);
  const [agent, person] = [spoken(true), spoken(false)];
  // What was said may be reckoned longer than the call was.
  const whole = Math.max(lasted, agent + person, Number.EPSILON);
  const first = transcript.find(({ speaker }) => speaker === 'agent');
  return {
    agentTalkShare: agent / whole,
    personTalkShare: person / whole,
    silenceShare: Math.max(0, whole - agent - person) / whole,
    interruptions: conduct?.interruptions ?? null,
    identityVerified: conduct?.identityVerified ?? null,
    goalReached: outcome === 'confirmed',
    firstWordMs: first ? Math.max(0, Date.parse(first.at) - answeredAt.getTime()) : null,
  };
}
