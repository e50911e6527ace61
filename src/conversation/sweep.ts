import { sql } from 'kysely';
import type { TextCarrier } from '../carrier/text.ts';
import { listLagMs } from '../domain/call-progress.ts';
import * as conversations from '../domain/conversation.ts';
import type { Conversation, Message } from '../domain/conversation.ts';
import { giveUp, hear } from '../domain/conversation-progress.ts';
import type { By } from '../domain/event.ts';
import type { World } from '../world.ts';
import type { openRecords } from './record.ts';

/** What the sweep needs. */
interface Sweep {
  world: World;
  carrier: Pick<TextCarrier, 'lookUpText' | 'listTexts'>;
  pace: number;
  log: (line: string, error?: unknown) => void;
  record: ReturnType<typeof openRecords>;
}

/** How many messages one sweep asks about. */
const batch = 50;

/** How soon the carrier is asked again about a message of whose fate nothing is known, in seconds; doubles up to a minute. */
const lostSeconds = 2;

/** How soon it is asked again about one that it has taken, in seconds; doubles up to an hour. */
const silentSeconds = 60;

/** For how long it is asked about one that it has taken: a day. Some carriers never tell whether a text got there. */
const silenceMs = 86_400_000;

/** Asks the carrier about messages that have been silent for longer than their state may last. */
export function openSweep({ world, carrier, pace, log, record }: Sweep) {
  /** Finds out about every message that is due; answers how many it asked about. Each has one asker, however many replicas there are. */
  async function settle(now: Date): Promise<number> {
    const claimed = await claim(now);
    await Promise.all(
      claimed.map(async (message) => {
        try {
          await settleOne(message, now);
        } catch (error) {
          log(`message ${message.id} could not be settled; it is asked about again`, error);
        }
      }),
    );
    return claimed.length;
  }

  async function claim(now: Date): Promise<Message[]> {
    const seconds = sql`case when m.status = 'PENDING'
      then least(60, ${lostSeconds}::float8 * power(2, least(m.asks, 5)))
      else least(3600, ${silentSeconds}::float8 * power(2, least(m.asks, 6))) end`;
    const rows = await world.query<{ workspaceId: string; id: string }>(sql`
      update message m set asks = m.asks + 1, ask_at = case
        when m.status <> 'PENDING' and m.at <= ${new Date(now.getTime() - silenceMs)} then null
        else ${now}::timestamptz + make_interval(secs => ${seconds} / ${pace}::float8) end
      from (select workspace_id, id from message where ask_at <= ${now}
        order by ask_at limit ${batch} for update skip locked) due
      where m.workspace_id = due.workspace_id and m.id = due.id
      returning m.workspace_id as "workspaceId", m.id`);
    if (rows.length === 0) return [];
    return world.find<Message>(conversations.messages, {
      workspaceId: { in: [...new Set(rows.map(({ workspaceId }) => workspaceId))] },
      id: { in: rows.map(({ id }) => id) },
    });
  }

  /** Asks the carrier how a message stands, and records it. One that is not in its list after a minute was never sent. */
  async function settleOne(message: Message, now: Date): Promise<void> {
    const by: By = { workspaceId: message.workspaceId, actor: 'sweep-messages', source: 'job', now };
    const heard = message.sid ? await carrier.lookUpText(message.sid) : await lost(message);
    const isGone = message.sid !== null || now.getTime() - message.at.getTime() >= listLagMs / pace;
    if (heard) await record(message, (current) => hear(current, heard), by);
    else if (isGone) await record(message, giveUp, by);
  }

  /** The text of the carrier's list that is this message: the same words on the same way, and none that we know. */
  async function lost(message: Message) {
    const where = { workspaceId: { eq: message.workspaceId }, id: { eq: message.conversationId } };
    const conversation = await world.findOne<Conversation>(conversations.table, where);
    if (!conversation) return null;
    const listed = await carrier.listTexts(conversation.phone, conversation.phoneFrom);
    const rows = await world.query<{ sid: string }>(sql`
      select sid from message where workspace_id = ${message.workspaceId} and sid = any(${listed.map(({ sid }) => sid)})`);
    const known = new Set(rows.map(({ sid }) => sid));
    return (
      listed.find(
        ({ sid, body, createdAt }) =>
          !known.has(sid) && body === message.body && createdAt.getTime() >= sentAfter(message),
      ) ?? null
    );
  }

  return {
    settle,
    /** Has a message looked for soon, because its answer was lost. */
    askSoon: (message: Message, now: Date) =>
      world.query(sql`update message set ask_at = ${new Date(now.getTime() + 1_000 / pace)}
        where workspace_id = ${message.workspaceId} and id = ${message.id} and status = 'PENDING'`),
    /** When the first message is due to be asked about; null: none is. */
    nextAt: async (): Promise<Date | null> => {
      const [next] = await world.query<{ at: number | null }>(
        sql`select ceil(extract(epoch from min(ask_at)) * 1000)::float8 as at from message`,
      );
      return next?.at == null ? null : new Date(next.at);
    },
  };
}

/** The carrier's time has whole seconds, and its clock may differ from ours by a little. */
const sentAfter = (message: Message) => message.at.getTime() - 5_000;
