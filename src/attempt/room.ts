import { sql } from 'kysely';
import type { Channel } from '../domain/consent.ts';
import { noQueue, type OutboundTask } from '../domain/task.ts';
import { channelsOf, type PhoneNumber, type Workspace } from '../domain/workspace.ts';
import type { Transaction } from '../world.ts';
import { campaignRoom, runRooms, type Pace } from './due.ts';

/** The window of a source number's limit, in milliseconds. */
const windowMs = 60_000;

/** How much more may be called now. */
interface Room {
  /** Whether the task's number of ours can still send on its channel. */
  isAble(task: OutboundTask): boolean;
  isLeft(task: OutboundTask): boolean;
  take(task: OutboundTask): void;
}

/** What there is to call from: our numbers by workspace and phone, and what campaigns' runs may call. */
interface Supply {
  numbers: Map<string, { able: ReadonlySet<Channel>; left: number; forCampaigns: number }>;
  runs: Map<string, number>;
}

/** Locks our numbers and the campaigns' runs until the intents are recorded, and reckons what they have left from the calls themselves. */
export async function lockSupply(tx: Transaction, due: OutboundTask[], pace: Pace): Promise<Supply> {
  const [numbers, runs] = await Promise.all([numbersOf(tx, due, pace), runsOf(tx, due, pace.now)]);
  return { numbers, runs };
}

/** How many more our numbers and their workspaces may place now: reckoned from calls, so that nothing can be leaked. */
export function roomIn({ numbers, runs, lines }: Supply & { lines: Map<string, number> }): Room {
  const numberOf = (task: OutboundTask) => numbers.get(`${task.workspaceId} ${task.phoneFrom}`);
  const linesLeft = (task: OutboundTask) => lines.get(task.workspaceId) ?? Infinity;
  const runLeft = ({ queueId }: OutboundTask) => (queueId === noQueue ? Infinity : (runs.get(queueId) ?? 0));
  const isCall = ({ channel }: OutboundTask) => channel === 'VOICE';
  return {
    isAble: (task) => numberOf(task)?.able.has(task.channel) ?? false,
    isLeft: (task) => {
      if (!isCall(task)) return true;
      const number = numberOf(task);
      const numberLeft = task.queueId === noQueue ? number?.left : number?.forCampaigns;
      return linesLeft(task) > 0 && runLeft(task) > 0 && (numberLeft ?? 1) > 0;
    },
    take: (task) => {
      if (!isCall(task)) return;
      const number = numberOf(task)!;
      lines.set(task.workspaceId, linesLeft(task) - 1);
      runs.set(task.queueId, runLeft(task) - 1);
      number.left -= 1;
      number.forCampaigns -= 1;
    },
  };
}

/** The lines that workspaces with a limit have left: calls that are not over take one each. Such workspaces are locked. */
export async function lockLines(tx: Transaction, workspaces: Workspace[]): Promise<Map<string, number>> {
  const limits = new Map(
    workspaces.flatMap(({ id, policy }) =>
      policy.maxConcurrentCalls ? [[id, policy.maxConcurrentCalls]] : [],
    ),
  );
  if (limits.size === 0) return limits;
  const ids = [...limits.keys()];
  const [, open] = await Promise.all([
    tx.prepared(sql`select 1 from workspace where id = any(${ids}) order by id for update`),
    tx.prepared<{ id: string; calls: number }>(sql`
      select workspace_id as id, count(*)::int as calls from call
      where workspace_id = any(${ids}) and status in ('QUEUED', 'RINGING', 'IN_PROGRESS', 'UNCERTAIN') group by 1`),
  ]);
  for (const { id, calls } of open) limits.set(id, limits.get(id)! - calls);
  return limits;
}

/** What campaigns' runs may call now. Who cannot be locked is held, stopped or told how far it is just now: its tasks wait. */
async function runsOf(tx: Transaction, due: OutboundTask[], now: Date): Promise<Map<string, number>> {
  const ids = [...new Set(due.map(({ queueId }) => queueId))].filter((id) => id !== noQueue);
  if (ids.length === 0) return new Map();
  const [locked, rooms] = await Promise.all([
    tx.prepared<{ id: string }>(
      sql`select id from campaign_run where id = any(${ids}) order by id for update skip locked`,
    ),
    tx.prepared<{ id: string; room: number }>(runRooms(sql`select unnest(${ids}::uuid[])`, now)),
  ]);
  const held = new Set(locked.map(({ id }) => id));
  return new Map(rooms.filter(({ id }) => held.has(id)).map(({ id, room }) => [id, room]));
}

async function numbersOf(tx: Transaction, due: OutboundTask[], { now, callsPerMinute }: Pace) {
  const workspaceIds = due.map(({ workspaceId }) => workspaceId);
  const phones = due.map(({ phoneFrom }) => phoneFrom);
  const [ours, used] = await Promise.all([
    tx.prepared<PhoneNumber>(sql`
      select n.workspace_id as "workspaceId", n.phone, n.active, n.voice, n.text, n.voicemail_sender as "voicemailSender"
      from phone_number n
      where (n.workspace_id, n.phone) in (select * from unnest(${workspaceIds}::uuid[], ${phones}::text[]))
      order by n.id for update`),
    tx.prepared<{ key: string; calls: number; campaignAt: Date | null }>(sql`
      select c.workspace_id || ' ' || c.phone_from as key, count(*)::int as calls,
        max(c.queued_at) filter (where c.campaign_run_id is not null) as "campaignAt" from call c
      where c.workspace_id = any(${[...new Set(workspaceIds)]}) and c.phone_from = any(${[...new Set(phones)]})
        and c.queued_at > ${new Date(now.getTime() - windowMs)}
      group by 1`),
  ]);
  const byKey = new Map(used.map((number) => [number.key, number]));
  return new Map(
    ours.map((number) => {
      const { workspaceId, phone } = number;
      const key = `${workspaceId} ${phone}`;
      const so = byKey.get(key) ?? { calls: 0, campaignAt: null };
      const left = callsPerMinute - so.calls;
      const forCampaigns = campaignRoom(so, { now, callsPerMinute });
      return [key, { able: channelsOf(number), left, forCampaigns }];
    }),
  );
}
