import type { Clock } from '../clock.ts';
import { assemble, briefFor, localTime } from '../domain/agent-context.ts';
import type { Brief, Move } from '../domain/agent-dialogue.ts';
import { hear, open } from '../domain/agent-script.ts';
import * as calls from '../domain/call.ts';
import type { CallContext } from '../domain/call.ts';
import type { Turn } from '../domain/call-fact.ts';
import type { ContactDecision } from '../domain/consent.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { Fact } from '../domain/conversation-fact.ts';
import type { Event } from '../domain/event.ts';
import { longestReply } from '../domain/message-text.ts';
import type { Verbs } from '../verbs.ts';
import type { World } from '../world.ts';
import { materialOf } from './material.ts';
import { causeOf, type Mind } from './mind.ts';
import { openHands } from './tools.ts';

/** Who is the agent among those who write in a conversation. */
const agentName = 'agent';

/** After how many texts of a person the agent leaves the rest to people. */
const longest = 40;

/** What the agent answers to the newest text of a conversation. */
export interface TextReply {
  body: string;
  /** The conversation's version with the text that is answered: whoever has written since has answered it. */
  answers: number;
  /** The call that the person was promised, and the conversation's version in which; null: none. */
  promised: { at: Date; version: number } | null;
}

/** What it answers with. */
interface Tools {
  world: World;
  /** Null: the scripted agent alone. */
  mind: Mind | null;
  verbs: Verbs;
  clock: Clock;
  log(line: string, error?: unknown): void;
}

/**
 * The agent's answer to what a person wrote last: it knows what a caller would, verifies before any health detail (C-51),
 * and is reckoned anew from the texts, so that nothing is kept besides them. Who thinks freely answers verified patients,
 * the script everybody else, and wherever nothing better comes in time. Null: it has nothing to say, or somebody else has
 * written in this conversation, who goes on with it.
 */
export async function replyTo(
  tools: Tools,
  conversation: Conversation,
  now: Date,
): Promise<TextReply | null> {
  const { workspaceId, id } = conversation;
  const history = (await tools.world.history(workspaceId, id)) as unknown as Event<Fact>[];
  const said = history.filter(({ type }) => type === 'message.sent').slice(1);
  const heard = history.filter(({ type }) => type === 'message.received');
  const last = heard.at(-1);
  if (!last || heard.length > longest || said.some(({ actor }) => actor !== agentName)) return null;
  const answered = said.at(-1)?.version ?? 0;
  if (answered > last.version) return null;
  const known = await knowledgeOf(tools.world, conversation, { history, now });
  const answers = last.version;
  const { isFree, ...fallback } = scripted(heard, known.brief, { answered, thinks: tools.mind !== null });
  const body = isFree ? await thought(tools, conversation, { ...known, turns: turnsOf(history) }) : null;
  if (body !== null) return { body, answers, promised: null };
  return fallback.body === '' ? null : { ...fallback, answers };
}

type Heard = Event<Fact>[];

const textOf = ({ data }: Event<Fact>): string => (data as { body: string }).body;

/** What the script says of it, and whether somebody who thinks freely may say something else. */
interface Scripted extends Pick<TextReply, 'body' | 'promised'> {
  isFree: boolean;
}

/**
 * Of what was written in a row the last answer counts; a promise is kept whatever was written after it. Where somebody
 * thinks, what a verified patient agrees to closes nothing: the script cannot know what they were asked.
 */
function scripted(
  heard: Heard,
  brief: Brief,
  { answered, thinks }: { answered: number; thinks: boolean },
): Scripted {
  let move: Pick<Move, 'dialogue' | 'say' | 'isFree'> = open(brief);
  let [body, promised]: [string, TextReply['promised']] = ['', null];
  for (const event of heard) {
    move = hear(move.dialogue, brief, { text: textOf(event), now: event.effectiveAt });
    const at = move.dialogue.conclusion?.promises[0]?.at;
    if (thinks && move.isFree) move = { ...move, dialogue: { ...move.dialogue, ...undecided } };
    if (event.version < answered || move.say === '') continue;
    body = move.say;
    if (at) promised = { at, version: event.version };
  }
  return { body, promised, isFree: thinks && move.isFree };
}

const undecided = { stage: 'pursuing', question: 'matter', misses: 0, conclusion: null } as const;

/** What who thinks freely answers, in whole sentences; null: nothing that could be sent came in time. */
async function thought(
  { mind, verbs, clock, log }: Tools,
  conversation: Conversation,
  { context, turns, time }: { context: CallContext; turns: Turn[]; time: string },
): Promise<string | null> {
  const { instruction, serviceId } = conversation;
  const grant = { ...conversation, goal: instruction ?? null, serviceId: serviceId ?? null };
  const hands = openHands({ verbs, clock }, 'text', grant);
  let body = '';
  try {
    const asked = { context, turns, localTime: time, hands };
    for await (const said of mind!(asked, new AbortController().signal))
      if ('text' in said) body += said.text;
  } catch (error) {
    log(`the model did not answer a text (${causeOf(error)}); the scripted agent does instead`);
    return null;
  }
  return longestReply(body, conversation.basis ?? null);
}

const turnsOf = (history: Event<Fact>[]): Turn[] =>
  history
    .filter(({ type }) => type === 'message.sent' || type === 'message.received')
    .map((event) => ({
      speaker: event.type === 'message.sent' ? 'agent' : 'patient',
      text: textOf(event),
      at: event.effectiveAt.toISOString(),
    }));

/** What the agent knows of a conversation: as of a call to the same person, about the same matter. */
async function knowledgeOf(
  world: World,
  conversation: Conversation,
  { history, now }: { history: Event<Fact>[]; now: Date },
) {
  const { id, workspaceId, patientId, contactId, phone, phoneFrom, reason, purpose, instruction, serviceId } =
    conversation;
  const call = {
    ...calls.blank(id, workspaceId),
    patientId,
    contactId,
    phoneTo: phone,
    phoneFrom,
    reason,
    goal: instruction,
    purpose,
    serviceId,
    decision: decisionIn(history),
  };
  const material = await materialOf(world, call, now);
  const prepared = assemble(material);
  const context = { ...prepared, readyAt: now.toISOString() };
  return { brief: briefFor(material, prepared), context, time: localTime(call, now) };
}

/** What the gate said of our first text, which names the person's zone; of who wrote first it has said nothing yet. */
function decisionIn(history: Event<Fact>[]): ContactDecision {
  const sent = history.find(({ type }) => type === 'message.sent');
  return (sent?.data as { decision?: ContactDecision } | undefined)?.decision ?? ({} as ContactDecision);
}
