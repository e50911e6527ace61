import type { Clock } from '../clock.ts';
import type { Conclusion } from '../domain/agent-dialogue.ts';
import type { Call } from '../domain/call.ts';
import { agentConfidence, type Conduct, type Turn } from '../domain/call-fact.ts';
import type { By } from '../domain/event.ts';
import { Refusal } from '../domain/refusal.ts';
import type { Outcomes } from '../outcome.ts';

/** How often a report is tried that Postgres did not take. */
const attempts = 3;

/** What came of a call, with what was said. */
interface Told {
  conclusion: Conclusion;
  transcript: Turn[];
  conduct: Conduct;
}

/** The agent, as who causes what it does on a call. */
export const byAgent = ({ workspaceId, taskId, id }: Call, now: Date): By => ({
  workspaceId,
  actor: 'agent',
  source: 'agent',
  now,
  correlationId: taskId ?? id,
});

/** Tells what came of calls, as an agent elsewhere would by reportCallOutcome. What cannot be told is logged: on the phone nobody can be asked. */
export function openReports(tools: {
  outcomes: Outcomes;
  clock: Clock;
  log(line: string, error?: unknown): void;
}) {
  return async function report(call: Call, { conclusion, transcript, conduct }: Told): Promise<void> {
    const { facts, promises, ...rest } = storable(conclusion);
    const learned = Object.entries(facts).map(([key, value]) => [
      key,
      { value, confidence: agentConfidence },
    ]);
    const told = {
      ...rest,
      callId: call.id,
      transcript: storable(transcript),
      conduct,
      facts: Object.fromEntries(learned) as Record<string, { value: string; confidence: number }>,
      // What was promised for a time that has been would be done at once.
      promises: promises
        .filter(({ at }) => at > tools.clock.now())
        .map((promise) => ({ ...promise, channel: 'VOICE' as const })),
    };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await tools.outcomes.report(told, byAgent(call, tools.clock.now()));
        return;
      } catch (error) {
        if (!(error instanceof Refusal) && attempt < attempts) continue;
        return tools.log(`the outcome of call ${call.id} could not be recorded`, error);
      }
    }
  };
}

/** What Postgres can keep of what was said: jsonb holds neither NUL nor half a surrogate pair. */
function storable<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll('\0', '').toWellFormed() as T;
  if (Array.isArray(value)) return value.map((inner: unknown) => storable(inner)) as T;
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, storable(inner)])) as T;
}

const nothing = { promises: [], facts: {}, optOut: false };

/** Nothing came of it. Who was heard, answered. */
export const unresolved = (summary: string, transcript: Turn[]): Conclusion => ({
  ...nothing,
  outcome: 'unresolved',
  summary,
  answeredBy: transcript.some(({ speaker }) => speaker === 'patient') ? 'HUMAN' : null,
});

/** How it went where nobody talked. */
export const noConduct: Conduct = { identityVerified: false, interruptions: 0 };
