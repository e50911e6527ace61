import type OpenAI from 'openai';
import { z } from 'zod';
import type { Conclusion } from '../domain/agent-dialogue.ts';
import type { CallContext } from '../domain/call.ts';
import { outcomes, type Turn } from '../domain/call-fact.ts';
import { isFactKey } from '../domain/record.ts';

/** How long the first word may take, in milliseconds: who waits longer on the phone asks whether anybody is there. */
const firstTokenMs = 1_500;

/** How long the pause between two words may be, and the whole of an answer, in milliseconds. */
const nextTokenMs = 3_000;
const answerMs = 20_000;

/** The longest answer, in characters: a minute of speech. */
const longest = 1_000;

/** A part of an answer: words to say, or what came of the call, which ends it. */
export type Said = { text: string } | { conclusion: Conclusion };

/** What is thought about. */
interface Asked {
  context: CallContext;
  turns: Turn[];
  /** ISO instant with the person's offset, so that "tomorrow at ten" can be promised. */
  localTime: string;
}

/** Who thinks freely about what to say next. Throws when the first word does not come in time. */
export type Mind = (asked: Asked, signal: AbortSignal) => AsyncIterable<Said>;

/** The endpoint of a model that speaks OpenAI's chat protocol. */
export interface Endpoint {
  url: string;
  apiKey: string;
  model: string;
}

const rules = `You are on the phone. Say one or two short sentences at a time, in plain words, without lists or markup, in the language of the person. The person's identity has been verified, and they have been told that you are an AI. Never guess: what you do not know, say that the care team will tell. Give no diagnosis and no advice on treatment. As soon as it is clear what came of the call, call report_call_outcome; after that the call ends.`;

/** What the model may do: nothing but report the outcome of the very call that it speaks on. */
const tool = {
  type: 'function',
  function: {
    name: 'report_call_outcome',
    description: 'Reports what came of this call and says goodbye.',
    parameters: {
      type: 'object',
      required: ['outcome', 'summary'],
      properties: {
        outcome: { type: 'string', enum: [...outcomes] },
        summary: { type: 'string', description: 'One or two sentences for the care team.' },
        promises: {
          type: 'array',
          description: 'Calls that the person was promised.',
          items: {
            type: 'object',
            required: ['at', 'reason'],
            properties: {
              at: { type: 'string', description: 'ISO 8601 with offset.' },
              reason: { type: 'string' },
              goal: { type: 'string' },
            },
          },
        },
        facts: { type: 'object', additionalProperties: { type: 'string' } },
        optOut: { type: 'boolean', description: 'The person wants no more calls.' },
      },
    },
  },
} as const;

/** What a report must be to be believed; the limits are those of reportCallOutcome. */
const report = z.object({
  outcome: z.enum(outcomes),
  summary: z.string().min(1).max(2_000),
  promises: z
    .array(
      z.object({
        at: z.iso.datetime({ offset: true }).transform((at) => new Date(at)),
        reason: z.string().min(1).max(256),
        goal: z
          .string()
          .max(2_000)
          .nullish()
          .transform((goal) => goal ?? null),
      }),
    )
    .max(5)
    .default([]),
  // A fact may not pass for an attribute, such as the patient's number.
  facts: z
    .record(z.string().max(64).refine(isFactKey), z.string().min(1).max(2_000))
    .refine((facts) => Object.keys(facts).length <= 20)
    .default({}),
  optOut: z.boolean().default(false),
});

/** The client's own log would print what was said, and it would look for settings of its own in the environment. */
const plain = { logLevel: 'off', organization: null, project: null, webhookSecret: null } as const;

/** A model behind an endpoint. The client is loaded only where there is one. */
export async function openMind({ url, apiKey, model }: Endpoint): Promise<Mind> {
  const { default: Client } = await import('openai');
  const client = new Client({ baseURL: url, apiKey, maxRetries: 0, timeout: answerMs, ...plain });
  return async function* think({ context, turns, localTime }, signal) {
    const startedAt = performance.now();
    const late = new AbortController();
    const either = AbortSignal.any([signal, late.signal, AbortSignal.timeout(answerMs)]);
    const system = [
      context.instructions,
      rules,
      `What is known of the patient:\n${context.patientSummary}`,
      `It is now ${localTime}.`,
    ].join('\n\n');
    const asking = client.chat.completions.create(
      {
        model,
        stream: true,
        messages: [{ role: 'system', content: system }, ...turns.map(messageOf)],
        tools: [tool],
      },
      { signal: either },
    );
    try {
      yield* answerIn(await within(firstTokenMs, asking), startedAt);
    } finally {
      late.abort();
    }
  };
}

/** Why there is no answer, in a word: errors may quote what was said. */
export function causeOf(error: unknown): string {
  const { status, name } = error as { status?: number; name?: string };
  return status === undefined ? (name ?? 'unknown') : `status ${status}`;
}

const messageOf = ({ speaker, text }: Turn) =>
  speaker === 'agent'
    ? { role: 'assistant' as const, content: text }
    : { role: 'user' as const, content: text };

/** Words as they come, then the report, if it can be believed. What else the model tries to call is left alone. */
async function* answerIn(
  stream: AsyncIterable<OpenAI.ChatCompletionChunk>,
  startedAt: number,
): AsyncGenerator<Said> {
  const chunks = stream[Symbol.asyncIterator]();
  let name = '';
  let given = '';
  let length = 0;
  for (;;) {
    const isFirst = length === 0 && name === '';
    const limitMs = isFirst ? firstTokenMs - (performance.now() - startedAt) : nextTokenMs;
    const { done, value } = await within(limitMs, chunks.next());
    if (done) break;
    const delta = value.choices[0]?.delta;
    const call = delta?.tool_calls?.find(({ index }) => index === 0);
    name += call?.function?.name ?? '';
    given += call?.function?.arguments ?? '';
    const text = speakable(delta?.content ?? '');
    if (text !== '' && length < longest) yield { text };
    length += text.length;
    if (given.length > 20_000) break;
  }
  const conclusion = name === tool.function.name ? conclusionIn(given) : null;
  if (conclusion) yield { conclusion };
}

function conclusionIn(given: string): Conclusion | null {
  try {
    return { answeredBy: 'HUMAN', ...report.parse(JSON.parse(given)) };
  } catch {
    return null;
  }
}

/** Nothing that would be read out as markup. */
const speakable = (text: string): string =>
  text.replaceAll(/[*_#`~<>|]+|\p{Cc}+/gu, (found) => (/\s/.test(found) ? ' ' : ''));

/** The model took too long. */
class TooLate extends Error {
  override name = 'too late';
}

/** The answer, or an error when it takes longer; who was too late is not waited for. */
async function within<T>(milliseconds: number, work: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLate()), Math.max(0, milliseconds));
  });
  const asked = Promise.resolve(work);
  asked.catch(() => {}); // an answer that is not waited for any more may still fail
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
