/** Histories of attempts as events in the log, made without the domain, and what is to be counted of them. */
import fc from 'fast-check';
import { sql } from 'kysely';
import { newId } from '../../src/clock.ts';
import { localTimeAt } from '../../src/domain/calendar.ts';
import type { World } from '../../src/world.ts';

const zones = ['America/New_York', 'America/Los_Angeles', 'Pacific/Honolulu'] as const;
const start = Date.parse('2026-10-30T00:00:00Z'); // a month ends, and the clocks change on 1 November

/** What came of a call, event by event, and what is to be thought of it. */
const callEnds = {
  open: { events: [], counts: {} },
  rejected: { events: [['call.rejected', {}]], counts: { failed: 1 } },
  busy: { events: [['call.busy', {}]], counts: {}, missed: true },
  'rings out': {
    events: [
      ['call.ringing', {}],
      ['call.no_answer', {}],
    ],
    counts: {},
    missed: true,
  },
  canceled: { events: [['call.canceled', {}]], counts: {} },
  failed: { events: [['call.failed', {}]], counts: { failed: 1 } },
  talking: { events: [['call.answered', {}]], counts: { answered: 1 }, reached: true },
  talked: {
    events: [
      ['call.answered', {}],
      ['call.completed', { durationSeconds: 40 }],
    ],
    counts: { answered: 1, completed: 1, talkSeconds: 40 },
    reached: true,
  },
  'only its end was heard': {
    events: [['call.completed', { durationSeconds: 7, answeredBy: 'HUMAN' }]],
    counts: { answered: 1, completed: 1, talkSeconds: 7 },
    reached: true,
  },
  machine: {
    events: [
      ['call.answered', {}],
      ['call.machine_detected', { answeredBy: 'MACHINE' }],
      ['call.completed', { durationSeconds: 9 }],
    ],
    counts: { completed: 1 },
    missed: true,
  },
  'a machine, as is told late': {
    events: [
      ['call.answered', {}],
      ['call.completed', { durationSeconds: 9 }],
      ['call.outcome_reported', { answeredBy: 'MACHINE', outcome: 'left_message' }],
    ],
    counts: { completed: 1 },
    missed: true,
  },
  stranger: {
    events: [
      ['call.answered', {}],
      ['call.completed', { durationSeconds: 5 }],
      ['call.outcome_reported', { answeredBy: null, outcome: 'wrong_person' }],
    ],
    counts: { answered: 1, completed: 1, talkSeconds: 5 },
    missed: true,
  },
} as const;

const voicemailEnds = {
  pending: { events: [], counts: {} },
  left: { events: [['voicemail.delivered', {}]], counts: { completed: 1 } },
  'not left': { events: [['voicemail.not_delivered', {}]], counts: { failed: 1 } },
  skipped: { events: [['voicemail.skipped', {}]], counts: { failed: 1 } },
} as const;

const textEnds = {
  pending: { events: [], counts: {} },
  delivered: { events: [['message.delivered', {}]], counts: { completed: 1 } },
  undelivered: { events: [['message.undelivered', {}]], counts: { failed: 1 } },
  'delivered and answered twice, and we answer': {
    events: [
      ['message.delivered', {}],
      ['message.received', {}],
      ['message.sent', { isReply: true }],
      ['message.received', {}],
    ],
    counts: { completed: 1 },
    reached: true,
  },
} as const;

interface End {
  events: readonly (readonly [type: string, data: object])[];
  counts: Partial<Record<'answered' | 'completed' | 'failed' | 'talkSeconds', number>>;
  reached?: boolean;
  missed?: boolean;
}
const ends: Record<string, Record<string, End>> = {
  VOICE: callEnds,
  VOICEMAIL: voicemailEnds,
  TEXT: textEnds,
};

/** One attempt as it is made up. */
const story = fc.record({
  channel: fc.constantFrom('VOICE', 'VOICE', 'VOICEMAIL', 'TEXT'),
  end: fc.nat(),
  patient: fc.nat(1),
  zone: fc.constantFrom(...zones),
  minute: fc.nat(5 * 24 * 60),
  purpose: fc.constantFrom('LAB_RESULTS', 'BILLING'),
  tags: fc.subarray(['a', 'b', 'A "quoted" tag']),
  byTask: fc.boolean(),
});

/** Attempts, and how their events are mixed in the log. */
export const histories = fc.record({
  stories: fc.array(story, { minLength: 1, maxLength: 25 }),
  order: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
});

/** An attempt as it is to be counted. */
export interface Expected {
  at: Date;
  patientId: string;
  channel: string;
  keys: Record<string, string[]>;
  counts: Record<string, number>;
  reached: boolean;
  missed: boolean;
  hour: number;
  answeredAt: Date | null;
}

/** One event of a history. */
interface Line {
  entityId: string;
  patientId: string;
  type: string;
  data: object;
  at: Date;
}

/** Lays histories out as lines of one entity each, with what is to be counted of each attempt. */
export function layOut(stories: (typeof story extends fc.Arbitrary<infer S> ? S : never)[]) {
  const id = () => newId(new Date(start));
  const patients = [id(), id()];
  const campaignId = id();
  const serviceId = id();
  const lines = new Map<string, Line[]>();
  const conversations = new Map<string, string>();
  const expected = stories.map((told, index): Expected => {
    const { channel, zone, purpose } = told;
    const patientId = patients[told.patient]!;
    // No two attempts begin at once, and a conversation's are in order.
    const at = new Date(start + (channel === 'TEXT' ? index * 3_600_000 : told.minute * 60_000) + index);
    const localTime = localTimeAt(at, zone);
    const tags = channel === 'VOICE' || told.byTask ? [...told.tags, ...told.tags] : [];
    const about = {
      origin: told.byTask ? 'TASK' : 'API',
      purpose,
      campaignId: told.byTask ? campaignId : null,
    };
    const taskId = told.byTask ? id() : null;
    const add = (entityId: string, type: string, data: object, after = 0) => {
      const own = lines.get(entityId) ?? [];
      lines.set(entityId, [
        ...own,
        { entityId, patientId, type, data, at: new Date(at.getTime() + after * 1000) },
      ]);
    };
    if (taskId) add(taskId, 'outbound.scheduled', { ...about, tags, serviceId });
    const entityId = channel === 'TEXT' ? (conversations.get(patientId) ?? id()) : id();
    const messageId = id();
    const decision = { localTime };
    if (channel === 'VOICE')
      add(entityId, 'outbound.initiated', {
        ...about,
        taskId,
        tags,
        decision,
        serviceId: taskId && serviceId,
      });
    if (channel === 'VOICEMAIL') add(entityId, 'voicemail.requested', { ...about, taskId, decision });
    if (channel === 'TEXT') {
      if (!conversations.has(patientId))
        add(entityId, 'conversation.started', { origin: 'PERSON', purpose: 'OTHER', taskId: id() });
      conversations.set(patientId, entityId);
      add(entityId, 'message.sent', { messageId, isReply: false, taskId, decision });
    }
    const kinds = Object.values(ends[channel]!);
    const end = kinds[told.end % kinds.length]!;
    let seconds = 0;
    for (const [type, data] of end.events)
      add(
        entityId,
        type,
        channel === 'TEXT'
          ? { messageId: type === 'message.sent' || type === 'message.received' ? id() : messageId, ...data }
          : data,
        (seconds += 60),
      );
    const isText = channel === 'TEXT';
    const answeredAt = end.reached ? answerOf(end, at, isText) : null;
    const isBare = isText && !taskId;
    return {
      at,
      patientId,
      channel,
      keys: {
        DAY: [localTime.slice(0, 10)],
        HOUR: [localTime.slice(11, 13)],
        CHANNEL: [channel],
        ORIGIN: [about.origin],
        PURPOSE: [isBare ? 'OTHER' : purpose],
        CAMPAIGN: taskId ? [campaignId] : [],
        SERVICE: taskId ? [serviceId] : [],
        TAG: [...new Set(tags)],
      },
      counts: {
        attempts: 1,
        answered: 0,
        completed: 0,
        failed: 0,
        talkSeconds: 0,
        ...end.counts,
        voicemails: Number(channel === 'VOICEMAIL'),
        texts: Number(isText),
      },
      reached: end.reached ?? false,
      missed: end.missed ?? false,
      hour: Number(localTime.slice(11, 13)),
      answeredAt,
    };
  });
  return { lines: [...lines.values()], expected, patients };
}

/** When somebody answered: each event comes a minute after the one before. */
function answerOf({ events }: End, at: Date, isText: boolean): Date {
  const types = events.map(([type]) => type);
  const index = types.indexOf(isText ? 'message.received' : 'call.answered');
  if (index >= 0) return new Date(at.getTime() + (index + 1) * 60_000);
  const { durationSeconds } = events[0]![1] as { durationSeconds: number };
  return new Date(at.getTime() + 60_000 - durationSeconds * 1000);
}

/** Mixes the lines of entities, each in its own order; tasks come first, as they do. */
export function mix(lines: Line[][], order: number[]): (Line & { version: number })[] {
  const left = lines.map((line) => line.map((event, index) => ({ ...event, version: index + 1 })));
  const isTask = (line: Line[]) => line[0]?.type === 'outbound.scheduled';
  const mixed = left.filter(isTask).flat();
  const rest = left.filter((line) => !isTask(line));
  for (let turn = 0; rest.some((line) => line.length > 0); turn += 1) {
    const open = rest.filter((line) => line.length > 0);
    mixed.push(open[order[turn % order.length]! % open.length]!.shift()!);
  }
  return mixed;
}

/** Writes events and gives them their places in the log. */
export async function append(
  world: World,
  workspaceId: string,
  events: (Line & { version: number })[],
): Promise<void> {
  const rows = events.map(({ entityId, patientId, type, data, at, version }) => ({
    id: newId(at),
    entity_id: entityId,
    patient_id: patientId,
    version,
    type,
    data,
    at,
  }));
  await world.query(sql`with added as (
      insert into event (workspace_id, id, entity_type, entity_id, version, type, data, data_hash, patient_id, source, actor,
        confidence, effective_at, recorded_at)
      select ${workspaceId}, id, 'CALL', entity_id, version, type, data, '', patient_id, 'job', 'test', 1, at, at
      from rows from (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as (id uuid, entity_id uuid, patient_id uuid, version int, type text, data jsonb, at timestamptz))
        with ordinality as t(id, entity_id, patient_id, version, type, data, at, place) order by place
      returning workspace_id, position)
    insert into outbox (workspace_id, position) select workspace_id, position from added`);
  while ((await world.sequence(await world.logEnd(), 500)).placed.length > 0);
}

/** Months around all attempts. */
export const span = { since: new Date('2026-09-15T10:20:30Z'), until: new Date('2027-01-05T01:02:03Z') };
