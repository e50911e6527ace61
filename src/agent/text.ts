import { briefFor, assemble } from '../domain/agent-context.ts';
import type { Dialogue } from '../domain/agent-dialogue.ts';
import { hear, open } from '../domain/agent-script.ts';
import * as calls from '../domain/call.ts';
import type { ContactDecision } from '../domain/consent.ts';
import type { Conversation } from '../domain/conversation.ts';
import type { Fact } from '../domain/conversation-fact.ts';
import type { Event } from '../domain/event.ts';
import type { World } from '../world.ts';
import { materialOf } from './material.ts';

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

/**
 * The scripted agent's answer to what a person wrote last: it knows what a caller would, verifies before any health detail
 * (C-51), and is reckoned anew from the texts, so that nothing is kept besides them. Null: it has nothing to say, or
 * somebody else has written in this conversation, who goes on with it.
 */
export async function replyTo(
  world: World,
  conversation: Conversation,
  now: Date,
): Promise<TextReply | null> {
  const history = (await world.history(
    conversation.workspaceId,
    conversation.id,
  )) as unknown as Event<Fact>[];
  const said = history.filter(({ type }) => type === 'message.sent').slice(1);
  const heard = history.filter(({ type }) => type === 'message.received');
  const last = heard.at(-1);
  if (!last || heard.length > longest || said.some(({ actor }) => actor !== agentName)) return null;
  const answered = said.at(-1)?.version ?? 0;
  if (answered > last.version) return null;
  const brief = await briefOf(world, conversation, { history, now });
  let move: { dialogue: Dialogue; say: string } = open(brief);
  let [body, promised]: [string, TextReply['promised']] = ['', null];
  for (const event of heard) {
    const { body: text } = event.data as { body: string };
    move = hear(move.dialogue, brief, { text, now: event.effectiveAt });
    if (event.version < answered || move.say === '') continue;
    // Of what was written in a row the last answer counts; a promise is kept whatever was written after it.
    body = move.say;
    const at = move.dialogue.conclusion?.promises[0]?.at;
    if (at) promised = { at, version: event.version };
  }
  return body === '' ? null : { body, answers: last.version, promised };
}

/** What the agent knows of a conversation: as of a call to the same person, about the same matter. */
async function briefOf(
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
  return briefFor(material, assemble(material));
}

/** What the gate said of our first text, which names the person's zone; of who wrote first it has said nothing yet. */
function decisionIn(history: Event<Fact>[]): ContactDecision {
  const sent = history.find(({ type }) => type === 'message.sent');
  return (sent?.data as { decision?: ContactDecision } | undefined)?.decision ?? ({} as ContactDecision);
}
