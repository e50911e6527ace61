import DataLoader from 'dataloader';
import { sql } from 'kysely';
import { openAttempts, recentAttempts, type Open } from './attempt/circumstances.ts';
import type { Clock } from './clock.ts';
import type { Loaders } from './context.ts';
import * as calls from './domain/call.ts';
import type { Call } from './domain/call.ts';
import { countsOf } from './campaign/counts.ts';
import * as campaigns from './domain/campaign.ts';
import type { Campaign } from './domain/campaign.ts';
import * as runs from './domain/campaign-run.ts';
import type { CampaignRun, Counts } from './domain/campaign-run.ts';
import * as contacts from './domain/contact.ts';
import { messages, type Message } from './domain/conversation.ts';
import type { Engagement } from './domain/engagement.ts';
import type { Event, Table } from './domain/event.ts';
import * as patients from './domain/patient.ts';
import type { Patient } from './domain/patient.ts';
import { deliveries, type Delivery } from './domain/subscription.ts';
import * as tasks from './domain/task.ts';
import * as triggers from './domain/trigger.ts';
import { table as recordings } from './domain/voicemail-audio.ts';
import {
  apiKeys,
  phoneNumbers,
  services,
  table as workspaces,
  useCases,
  type UseCase,
  type Workspace,
} from './domain/workspace.ts';
import type { Outreach } from './outreach/read.ts';
import type { World } from './world.ts';
import { shapeOf } from './world/sql.ts';

/** A row as it is now: of two events of a subscription each has its own. */
const versionOf = ({ id, version }: { id: string; version: number }) => `${id} ${version}`;

/** Lets those who ask the same of different parents be answered with one statement. */
function openTogether() {
  const loaders = new Map<string, DataLoader<string, unknown>>();
  return <T>(question: unknown, id: string, read: (ids: readonly string[]) => Promise<T[]>): Promise<T> => {
    const key = JSON.stringify(question);
    const loader = loaders.get(key) ?? new DataLoader<string, unknown>(read);
    loaders.set(key, loader);
    return loader.load(id) as Promise<T>;
  };
}

/** The loaders of one request; they see its workspace and no other. */
export function makeLoaders(
  { world, clock, outreach }: { world: World; clock: Clock; outreach: Outreach },
  workspaceId: string,
): Loaders {
  const here = { workspaceId: { eq: workspaceId } };

  /** One row for each key, by a property that is unique in the workspace. */
  const one = <R extends object>(table: Table, property: string) =>
    new DataLoader<string, R | null>(async (keys) => {
      const rows = await world.find<R>(table, { ...here, [property]: { in: keys } });
      const byKey = new Map(rows.map((row) => [(row as Record<string, unknown>)[property], row]));
      return keys.map((key) => byKey.get(key) ?? null);
    });

  /** Calls by what they have in common, oldest first. */
  const callsBy = (property: 'taskId' | 'chainId') =>
    new DataLoader<string, Call[]>(async (keys) => {
      const found = await world.find<Call>(calls.table, { ...here, [property]: { in: keys } });
      const byKey = Map.groupBy(
        found.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        (call) => call[property],
      );
      return keys.map((key) => byKey.get(key) ?? []);
    });

  const counts = new DataLoader<CampaignRun, Counts, string>(
    async (asked) => {
      const found = await countsOf(world, asked);
      return asked.map(({ id }) => found.get(id)!);
    },
    { cacheKeyFn: versionOf },
  );

  const together = openTogether();

  return {
    page: (table, [parent, id], wanted) =>
      together(['page', shapeOf(table).name, parent, wanted], id, (ids) =>
        world.pages(table, { ...wanted, where: { ...here, ...wanted.where }, parent, ids }),
      ),
    count: (table, [parent, id], where) =>
      together(['count', shapeOf(table).name, parent, where], id, (ids) =>
        world.counts(table, { where: { ...here, ...where }, parent, ids }),
      ),
    timeline: (patientId, wanted) =>
      together(['timeline', wanted], patientId, (ids) => world.timelines(ids, { ...wanted, workspaceId })),
    patient: one(patients.table, 'id'),
    peopleAt: new DataLoader<string, Patient[]>(async (phones) => {
      const found = await world.find<Patient>(patients.table, { ...here, phone: { in: phones } });
      const byPhone = Map.groupBy(found, ({ phone }) => phone);
      return phones.map((phone) => byPhone.get(phone) ?? []);
    }),
    lastMessage: new DataLoader<string, Message | null>(async (ids) => {
      const last = await world.query<{
        id: string;
      }>(sql`select last.id from unnest(${ids}::uuid[]) as conversation(id)
        cross join lateral (select id from message where workspace_id = ${workspaceId}
          and conversation_id = conversation.id order by position desc limit 1) last`);
      const found = await world.find<Message>(messages, { ...here, id: { in: last.map(({ id }) => id) } });
      const byId = new Map(found.map((message) => [message.conversationId, message]));
      return ids.map((id) => byId.get(id) ?? null);
    }),
    call: one(calls.table, 'id'),
    task: one(tasks.table, 'id'),
    campaign: one(campaigns.table, 'id'),
    trigger: one(triggers.table, 'id'),
    campaignRun: one(runs.table, 'id'),
    counts,
    estimate: new DataLoader<CampaignRun, Date | null, string>(
      async (asked) => {
        const now = clock.now();
        const found = await world.find<Campaign>(campaigns.table, {
          ...here,
          id: { in: asked.map(({ campaignId }) => campaignId) },
        });
        const tallies = await counts.loadMany(asked);
        return asked.map((run, index) => {
          const campaign = found.find(({ id }) => id === run.campaignId);
          const tally = tallies[index];
          if (run.status !== 'RUNNING' || !campaign || !tally || tally instanceof Error) return null;
          return new Date(now.getTime() + (tally.pending / campaign.callsPerMinute) * 60_000);
        });
      },
      { cacheKeyFn: versionOf },
    ),
    nextRunAt: new DataLoader<Campaign, Date | null, string>(
      async (asked) => {
        const last = await world.query<{ id: string; date: string }>(sql`
          select campaign_id as id, max(date) as date from campaign_run
          where workspace_id = ${workspaceId} and campaign_id = any(${asked.map(({ id }) => id)}) and not manual group by 1`);
        const dates = new Map(last.map(({ id, date }) => [id, date]));
        return asked.map((campaign) =>
          campaigns.nextRunAt(campaign, dates.get(campaign.id) ?? null, clock.now()),
        );
      },
      { cacheKeyFn: versionOf },
    ),
    recording: one(recordings, 'id'),
    service: one(services, 'id'),
    useCase: one(useCases, 'id'),
    apiKey: one(apiKeys, 'id'),
    phoneNumber: one(phoneNumbers, 'id'),
    useCasesOf: new DataLoader<string, UseCase[]>(async (numberIds) => {
      const all = await world.find<UseCase>(useCases, here);
      return numberIds.map((id) => all.filter((useCase) => useCase.numberIds.includes(id)));
    }),
    contact: one(contacts.table, 'phone'),
    open: new DataLoader<string, Open[]>(async (contactIds) => {
      const open = await openAttempts(world, [workspaceId], contactIds);
      return contactIds.map((id) => open.get(id) ?? []);
    }),
    recent: new DataLoader<string, Date[]>(async (patientIds) => {
      const recent = await recentAttempts(world, {
        workspaceIds: [workspaceId],
        patientIds,
        now: clock.now(),
      });
      return patientIds.map((id) => recent.get(id) ?? []);
    }),
    engagement: new DataLoader<string, Engagement>(async (patientIds) => {
      const found = await outreach.engagementsOf(workspaceId, patientIds);
      return patientIds.map((id) => found.get(id)!);
    }),
    workspace: new DataLoader<string, Workspace | null>(async (ids) => {
      const found = await world.find<Workspace>(workspaces, { id: { in: ids } });
      return ids.map((id) => found.find((workspace) => workspace.id === id && id === workspaceId) ?? null);
    }),
    event: new DataLoader<string, Event | null>(async (ids) => {
      const found = await world.eventsOf(workspaceId, { ids });
      const byId = new Map(found.map((event) => [event.id, event]));
      return ids.map((id) => byId.get(id) ?? null);
    }),
    history: new DataLoader<string, Event[]>(async (entityIds) => {
      const found = await world.eventsOf(workspaceId, { entityIds });
      const byEntity = Map.groupBy(found, (event) => event.entityId);
      return entityIds.map((id) => byEntity.get(id) ?? []);
    }),
    callbackOf: new DataLoader<string, Delivery | null>(async (callIds) => {
      const where = { ...here, ownerId: { eq: workspaceId }, entityId: { in: callIds } };
      const found = await world.find<Delivery>(deliveries, where);
      return callIds.map((id) => found.find(({ entityId }) => entityId === id) ?? null);
    }),
    callsOf: callsBy('taskId'),
    chain: callsBy('chainId'),
  };
}
