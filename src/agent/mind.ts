import type OpenAI from 'openai';
import { z } from 'zod';
import type { Conclusion } from '../domain/agent-dialogue.ts';
import type { CallContext } from '../domain/call.ts';
import { outcomes, type Turn } from '../domain/call-fact.ts';
import { isFactKey } from '../domain/record.ts';
import { reporting, toolsOf, type Hands } from './tools.ts';

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
  hands: Hands;
}

/** Who thinks freely about what to say next. Throws when the first word does not come in time. */
export type Mind = (asked: Asked, signal: AbortSignal) => AsyncIterable<Said>;

/** The endpoint of a model that speaks OpenAI's chat protocol. */
export interface Endpoint {
  url: string;
  apiKey: string;
  model: string;
}

/** How often the model is asked again after its tools, before it must have said something. */
const mostRounds = 3;

const rules = {
  voice: `You are on the phone. Say one or two short sentences at a time, in plain words, without lists or markup, in the language of the person. The person's identity has been verified, and they have been told that you are an AI. Never guess: what you do not know, say that the care team will tell. Give no diagnosis and no advice on treatment. As soon as it is clear what came of the call, call ${reporting}; after that the call ends.`,
  text: `You write text messages. Answer what the person has written last in one message of at most 300 characters, in plain words, without lists or markup, in the language of the person. The person's identity has been verified, and they have been told that you are an AI. Never guess: what you do not know, say that the care team will tell. Give no diagnosis and no advice on treatment. Who wants no more messages is to write STOP.`,
};

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
  return async function* think(asked, signal) {
    const late = new AbortController();
    const either = AbortSignal.any([signal, late.signal, AbortSignal.timeout(answerMs)]);
    const messages: Message[] = [{ role: 'system', content: systemOf(asked) }, ...asked.turns.map(messageOf)];
    const tools = toolsOf(asked.hands.medium);
    try {
      for (let round = 0; round < mostRounds; round += 1) {
        const startedAt = performance.now();
        const asking = client.chat.completions.create(
          { model, stream: true, messages, tools },
          { signal: either },
        );
        const uses = yield* answerIn(await within(firstTokenMs, asking), startedAt);
        if (uses.length === 0) return;
        const conclusion = yield* used(asked.hands, uses, messages);
        if (conclusion) return;
      }
    } finally {
      late.abort();
    }
  };
}

type Message = OpenAI.ChatCompletionMessageParam;

const systemOf = ({ context, localTime, hands }: Asked): string =>
  [
    context.instructions,
    rules[hands.medium],
    `What is known of the patient:\n${context.patientSummary}`,
    `It is now ${localTime}.`,
  ].join('\n\n');

/** A tool that the model wants to use. */
interface Use {
  id: string;
  name: string;
  given: string;
}

/** Uses the tools, and tells the model in words what came of each; a report that can be believed ends it. True: it did. */
async function* used(hands: Hands, uses: Use[], messages: Message[]): AsyncGenerator<Said, boolean> {
  const calls = uses.map(({ id, name, given }) => ({
    id,
    type: 'function' as const,
    function: { name, arguments: given },
  }));
  messages.push({ role: 'assistant', content: null, tool_calls: calls });
  let conclusion: Conclusion | null = null;
  for (const { id, name, given } of uses) {
    let content = 'Refused: this is no report.';
    if (name !== reporting || hands.medium !== 'voice') content = await hands.act(name, given);
    else conclusion = conclusionIn(given);
    messages.push({ role: 'tool', tool_call_id: id, content });
  }
  if (!conclusion) return false;
  yield {
    conclusion: { ...conclusion, promises: conclusion.promises.filter(({ at }) => !hands.isScheduled(at)) },
  };
  return true;
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

/** Words as they come; answers which tools are wanted. */
async function* answerIn(
  stream: AsyncIterable<OpenAI.ChatCompletionChunk>,
  startedAt: number,
): AsyncGenerator<Said, Use[]> {
  const chunks = stream[Symbol.asyncIterator]();
  const uses: Use[] = [];
  let [length, given] = [0, 0];
  for (;;) {
    const isFirst = length === 0 && uses.length === 0;
    const limitMs = isFirst ? firstTokenMs - (performance.now() - startedAt) : nextTokenMs;
    const { done, value } = await within(limitMs, chunks.next());
    if (done) break;
    const delta = value.choices[0]?.delta;
    for (const part of delta?.tool_calls ?? []) given += gather(uses, part);
    const text = speakable(delta?.content ?? '');
    if (text !== '' && length < longest) yield { text };
    length += text.length;
    if (given > 20_000) break;
  }
  return uses.filter((use) => use !== undefined);
}

/** Adds a part of a tool's use to those before it; answers how long it is. */
function gather(uses: Use[], { index, id, function: part }: Part): number {
  if (!Number.isInteger(index) || index < 0 || index >= mostUses) return 0;
  const use = (uses[index] ??= { id: id ?? `call_${index}`, name: '', given: '' });
  use.name += part?.name ?? '';
  use.given += part?.arguments ?? '';
  return part?.arguments?.length ?? 0;
}

type Part = OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall;

/** How many tools are used at once at most. */
const mostUses = 5;

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
