import type { Agent } from '../agent.ts';
import type { Clock } from '../clock.ts';
import type { Conversations } from '../conversation.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation } from '../domain/conversation.ts';
import { Refusal } from '../domain/refusal.ts';
import type { Schedule } from '../schedule.ts';
import type { Stream } from '../stream.ts';
import type { World } from '../world.ts';
import type { Notice } from '../world/log.ts';
import { followLog } from './follow-log.ts';

interface Tools {
  world: World;
  stream: Stream;
  clock: Clock;
  agent: Pick<Agent, 'replyTo'>;
  conversations: Pick<Conversations, 'answer'>;
  schedule: Schedule;
  log: (line: string, error?: unknown) => void;
}

/** Of what it is a reaction to. */
export const answering = { 'answer-texts': 'message.received' };

/** How many conversations are answered at once: whoever thinks freely takes a while. */
const atOnce = 20;

/** How urgent a promise is: more than anything that nobody waits for. */
const promisePriority = 2;

/** Lets the agent answer texts in conversations that were begun with an instruction for it; the others are people's. */
export function answerTexts(tools: Tools, signal: AbortSignal): Promise<void> {
  const [[name, types]] = Object.entries(answering) as [[string, string]];
  const answerIn = ({ workspaceId, entityId }: Notice) =>
    answer(tools, workspaceId, entityId).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      tools.log(`a text in conversation ${entityId} is not answered: ${error.code}`);
    });
  const react = async (notices: Notice[]) => {
    const newest = newestOfEach(notices);
    for (let start = 0; start < newest.length; start += atOnce)
      await Promise.all(newest.slice(start, start + atOnce).map(answerIn));
  };
  return followLog(tools, { name, types, react }, signal);
}

/** What is written in a row is answered together. */
const newestOfEach = (notices: Notice[]): Notice[] => [
  ...new Map(notices.map((notice) => [notice.entityId, notice])).values(),
];

async function answer(tools: Tools, workspaceId: string, id: string): Promise<void> {
  const { world, clock, agent, schedule } = tools;
  const where = { workspaceId: { eq: workspaceId }, id: { eq: id } };
  const conversation = await world.findOne<Conversation>(conversations.table, where);
  if (conversation?.status !== 'ACTIVE' || conversation.instruction === null) return;
  const reply = await agent.replyTo(conversation);
  if (!reply) return;
  const by = { workspaceId, actor: 'agent', source: 'agent' as const, now: clock.now(), correlationId: id };
  if (reply.promised) await schedule.scheduleTask(promiseOf(conversation, reply.promised), by);
  await tools.conversations.answer(id, reply, by);
}

/** The call that was promised. Told again, it is the same one. */
const promiseOf = (conversation: Conversation, { at, version }: { at: Date; version: number }) => ({
  patient: { patientId: conversation.patientId },
  phone: conversation.phone,
  channel: 'VOICE' as const,
  reason: conversation.reason,
  goal: conversation.instruction ?? null,
  purpose: conversation.purpose,
  priority: promisePriority,
  scheduledFor: at,
  window: null,
  validUntil: null,
  maxAttempts: 3,
  backoffSeconds: 3_600,
  serviceId: conversation.serviceId ?? null,
  tags: [],
  metadata: {},
  cancelOn: [],
  idempotencyKey: `promised in conversation ${conversation.id} ${version}`,
});
